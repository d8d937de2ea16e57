//! The same order in three languages, varied: a repeated record would flatter every branch predictor.

pub const VARIETIES: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    Avro,
    Protobuf,
    Json,
}

pub const ALL: [Language; 3] = [Language::Avro, Language::Protobuf, Language::Json];

const AVRO: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
{"name":"id","type":"string"},{"name":"created","type":"long"},{"name":"status","type":{"type":"enum","name":"Status","symbols":["NEW","PAID","SHIPPED","RETURNED"]}},
{"name":"customer","type":{"type":"record","name":"Customer","fields":[{"name":"id","type":"long"},{"name":"email","type":"string"},{"name":"vip","type":"boolean"}]}},
{"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[{"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"price","type":"double"}]}}},
{"name":"coupon","type":["null","string"]},{"name":"total","type":"double"},{"name":"currency","type":"string"},{"name":"note","type":"string"},{"name":"weight","type":"float"},{"name":"retries","type":"int"}]}"#;

const PROTOBUF: &str = r#"syntax = "proto3";
package shop;
enum Status { NEW = 0; PAID = 1; SHIPPED = 2; RETURNED = 3; }
message Customer { int64 id = 1; string email = 2; bool vip = 3; }
message Item { string sku = 1; int32 quantity = 2; double price = 3; }
message Order { string id = 1; int64 created = 2; Status status = 3; Customer customer = 4; repeated Item items = 5;
  optional string coupon = 6; double total = 7; string currency = 8; string note = 9; float weight = 10; int32 retries = 11; }
"#;

const JSON: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,
"required":["id","created","status","customer","items","total","currency"],
"properties":{"id":{"type":"string","pattern":"^ord-[0-9]{8}$"},"created":{"type":"integer","minimum":0},
"status":{"enum":["NEW","PAID","SHIPPED","RETURNED"]},
"customer":{"type":"object","additionalProperties":false,"required":["id","email"],"properties":{"id":{"type":"integer"},"email":{"type":"string","minLength":3},"vip":{"type":"boolean"}}},
"items":{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":false,"required":["sku","quantity","price"],"properties":{"sku":{"type":"string"},"quantity":{"type":"integer","minimum":1},"price":{"type":"number","minimum":0}}}},
"coupon":{"type":["string","null"]},"total":{"type":"number","minimum":0},"currency":{"type":"string","minLength":3,"maxLength":3},"note":{"type":"string"},"weight":{"type":"number"},"retries":{"type":"integer"}}}"#;

/// xorshift64*: the same records on every run.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn text(&mut self, min: u64, spread: u64) -> String {
        let length = min + self.below(spread);
        (0..length)
            .map(|_| char::from(b'a' + self.below(26) as u8))
            .collect()
    }
}

struct Order {
    id: String,
    created: i64,
    status: usize,
    customer: (i64, String, bool),
    items: Vec<(String, i32, f64)>,
    coupon: Option<String>,
    total: f64,
    currency: &'static str,
    note: String,
    weight: f32,
    retries: i32,
}

fn order(random: &mut Random) -> Order {
    let items: Vec<_> = (0..=2 + random.below(2))
        .map(|_| {
            (
                format!("sku-{}", random.text(6, 6)),
                1 + random.below(20) as i32,
                random.below(100_000) as f64 / 100.0,
            )
        })
        .collect();
    Order {
        id: format!("ord-{:08}", random.below(100_000_000)),
        created: 1_700_000_000_000 + random.below(1 << 34) as i64,
        status: random.below(4) as usize,
        customer: (
            random.below(1 << 40) as i64,
            format!("{}@example.com", random.text(5, 12)),
            random.below(2) == 1,
        ),
        total: items
            .iter()
            .map(|(_, quantity, price)| f64::from(*quantity) * price)
            .sum(),
        items,
        coupon: (random.below(2) == 1).then(|| random.text(6, 6)),
        currency: ["EUR", "USD", "GBP", "CHF"][random.below(4) as usize],
        note: random.text(40, 40),
        weight: random.below(10_000) as f32 / 10.0,
        retries: random.below(5) as i32,
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn long(value: i64, out: &mut Vec<u8>) {
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

fn text(value: &str, out: &mut Vec<u8>) {
    long(value.len() as i64, out);
    out.extend_from_slice(value.as_bytes());
}

fn avro(order: &Order, out: &mut Vec<u8>) {
    text(&order.id, out);
    long(order.created, out);
    long(order.status as i64, out);
    long(order.customer.0, out);
    text(&order.customer.1, out);
    out.push(u8::from(order.customer.2));
    long(order.items.len() as i64, out);
    for (sku, quantity, price) in &order.items {
        text(sku, out);
        long(i64::from(*quantity), out);
        out.extend_from_slice(&price.to_le_bytes());
    }
    out.push(0);
    match &order.coupon {
        None => out.push(0),
        Some(coupon) => {
            out.push(2);
            text(coupon, out);
        }
    }
    out.extend_from_slice(&order.total.to_le_bytes());
    text(order.currency, out);
    text(&order.note, out);
    out.extend_from_slice(&order.weight.to_le_bytes());
    long(i64::from(order.retries), out);
}

fn bytes_field(number: u64, value: &[u8], out: &mut Vec<u8>) {
    varint(number << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn varint_field(number: u64, value: u64, out: &mut Vec<u8>) {
    varint(number << 3, out);
    varint(value, out);
}

fn double_field(number: u64, value: f64, out: &mut Vec<u8>) {
    varint(number << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn protobuf(order: &Order, out: &mut Vec<u8>) {
    bytes_field(1, order.id.as_bytes(), out);
    varint_field(2, order.created as u64, out);
    varint_field(3, order.status as u64, out);
    let mut nested = Vec::new();
    varint_field(1, order.customer.0 as u64, &mut nested);
    bytes_field(2, order.customer.1.as_bytes(), &mut nested);
    varint_field(3, u64::from(order.customer.2), &mut nested);
    bytes_field(4, &nested, out);
    for (sku, quantity, price) in &order.items {
        nested.clear();
        bytes_field(1, sku.as_bytes(), &mut nested);
        varint_field(2, *quantity as u64, &mut nested);
        double_field(3, *price, &mut nested);
        bytes_field(5, &nested, out);
    }
    if let Some(coupon) = &order.coupon {
        bytes_field(6, coupon.as_bytes(), out);
    }
    double_field(7, order.total, out);
    bytes_field(8, order.currency.as_bytes(), out);
    bytes_field(9, order.note.as_bytes(), out);
    varint(10 << 3 | 5, out);
    out.extend_from_slice(&order.weight.to_le_bytes());
    varint_field(11, order.retries as u64, out);
}

fn json(order: &Order, out: &mut Vec<u8>) {
    let items: Vec<_> = order
        .items
        .iter()
        .map(|(sku, quantity, price)| serde_json::json!({"sku": sku, "quantity": quantity, "price": price}))
        .collect();
    let status = ["NEW", "PAID", "SHIPPED", "RETURNED"][order.status];
    let value = serde_json::json!({
        "id": order.id, "created": order.created, "status": status,
        "customer": {"id": order.customer.0, "email": order.customer.1, "vip": order.customer.2},
        "items": items, "coupon": order.coupon, "total": order.total, "currency": order.currency,
        "note": order.note, "weight": order.weight, "retries": order.retries,
    });
    out.extend_from_slice(value.to_string().as_bytes());
}

impl Language {
    pub fn topic(self) -> &'static str {
        match self {
            Self::Avro => "orders-avro",
            Self::Protobuf => "orders-protobuf",
            Self::Json => "orders-json",
        }
    }

    /// Type and text, as the registry takes them.
    pub fn schema(self) -> (&'static str, &'static str) {
        match self {
            Self::Avro => ("AVRO", AVRO),
            Self::Protobuf => ("PROTOBUF", PROTOBUF),
            Self::Json => ("JSON", JSON),
        }
    }

    /// [`VARIETIES`] Confluent-framed values.
    pub fn values(self, schema_id: u32) -> Vec<Vec<u8>> {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        (0..VARIETIES)
            .map(|_| {
                let order = order(&mut random);
                let mut out = vec![0];
                out.extend_from_slice(&schema_id.to_be_bytes());
                match self {
                    Self::Avro => avro(&order, &mut out),
                    Self::Protobuf => {
                        // Message indexes: Order is the third message of the file.
                        out.extend_from_slice(&[2, 4]);
                        protobuf(&order, &mut out);
                    }
                    Self::Json => json(&order, &mut out),
                }
                out
            })
            .collect()
    }
}
