//! The same varied orders in three languages, for every benchmark: no two are alike, because a repeated record
//! flatters the branch predictor.

use portcullis::schema::SchemaType;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

pub const RECORDS: usize = 4_096;
#[allow(dead_code, reason = "not every benchmark goes through all of them")]
pub const LANGUAGES: [SchemaType; 3] = [SchemaType::Avro, SchemaType::Protobuf, SchemaType::Json];

const AVRO: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"string"},
  {"name":"customer_id","type":"long"},
  {"name":"status","type":{"type":"enum","name":"Status","symbols":["NEW","PAID","SENT","DONE"]}},
  {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"currency","type":"string"},
  {"name":"total","type":"double"},
  {"name":"customer","type":{"type":"record","name":"Customer","fields":[
    {"name":"name","type":"string"},
    {"name":"email","type":"string"},
    {"name":"tier","type":"int"}]}},
  {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
    {"name":"sku","type":"string"},
    {"name":"quantity","type":"int"},
    {"name":"price","type":"double"}]}}},
  {"name":"note","type":["null","string"],"default":null},
  {"name":"coupon","type":["null","string"],"default":null},
  {"name":"priority","type":"int"},
  {"name":"paid","type":"boolean"}]}"#;

const PROTOBUF: &str = r#"syntax = "proto3";
package shop;
enum Status { NEW = 0; PAID = 1; SENT = 2; DONE = 3; }
message Order {
  string id = 1;
  int64 customer_id = 2;
  Status status = 3;
  int64 created_at = 4;
  string currency = 5;
  double total = 6;
  Customer customer = 7;
  repeated Item items = 8;
  optional string note = 9;
  optional string coupon = 10;
  int32 priority = 11;
  bool paid = 12;
}
message Customer { string name = 1; string email = 2; int32 tier = 3; }
message Item { string sku = 1; int32 quantity = 2; double price = 3; }
"#;

const JSON: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
  "required":["id","customer_id","status","created_at","currency","total","customer","items","priority","paid"],
  "additionalProperties":false,
  "properties":{
    "id":{"type":"string","minLength":36,"maxLength":36},
    "customer_id":{"type":"integer","minimum":1},
    "status":{"enum":["NEW","PAID","SENT","DONE"]},
    "created_at":{"type":"integer"},
    "currency":{"type":"string","pattern":"^[A-Z]{3}$"},
    "total":{"type":"number","minimum":0},
    "customer":{"type":"object","required":["name","email","tier"],"properties":{
      "name":{"type":"string","minLength":1},"email":{"type":"string"},"tier":{"type":"integer","maximum":9}}},
    "items":{"type":"array","minItems":1,"items":{"type":"object","required":["sku","quantity","price"],"properties":{
      "sku":{"type":"string","maxLength":32},"quantity":{"type":"integer","minimum":1},"price":{"type":"number"}}}},
    "note":{"type":["string","null"]},
    "coupon":{"type":["string","null"]},
    "priority":{"type":"integer"},
    "paid":{"type":"boolean"}}}"#;

/// The schema's text. In the Protobuf one, Order is the first message.
pub fn schema(language: SchemaType) -> &'static str {
    match language {
        SchemaType::Avro => AVRO,
        SchemaType::Protobuf => PROTOBUF,
        SchemaType::Json => JSON,
    }
}

/// [`RECORDS`] payloads, the same in every run. JSON says less in more bytes: its orders have fewer items, so that
/// they come to the 400 bytes or so that the goals speak of.
pub fn payloads(language: SchemaType) -> Vec<Vec<u8>> {
    let items = match language {
        SchemaType::Avro | SchemaType::Protobuf => 3..=6,
        SchemaType::Json => 1..=3,
    };
    let mut numbers = Numbers(1);
    (0..RECORDS)
        .map(|_| {
            let order = Order::new(&mut numbers, items.clone());
            match language {
                SchemaType::Avro => order.avro(),
                SchemaType::Protobuf => order.protobuf(),
                SchemaType::Json => order.json(),
            }
        })
        .collect()
}

/// The payload behind Confluent's framing. Of Protobuf's messages, Order is the first: a single 0.
pub fn framed(language: SchemaType, schema_id: u32, payload: &[u8]) -> Vec<u8> {
    let mut value = vec![0];
    value.extend_from_slice(&schema_id.to_be_bytes());
    if language == SchemaType::Protobuf {
        value.push(0);
    }
    value.extend_from_slice(payload);
    value
}

/// SplitMix64: the same orders in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn word(&mut self, least: u64, most: u64) -> String {
        let length = least + self.below(most - least + 1);
        (0..length)
            .map(|_| char::from(b'a' + self.below(26) as u8))
            .collect()
    }
}

struct Item {
    sku: String,
    quantity: i32,
    price: f64,
}

struct Order {
    id: String,
    customer_id: i64,
    status: usize,
    created_at: i64,
    currency: &'static str,
    total: f64,
    name: String,
    email: String,
    tier: i32,
    items: Vec<Item>,
    note: Option<String>,
    coupon: Option<String>,
    priority: i32,
    paid: bool,
}

const STATUSES: [&str; 4] = ["NEW", "PAID", "SENT", "DONE"];

impl Order {
    fn new(numbers: &mut Numbers, items: RangeInclusive<u64>) -> Self {
        let (a, b) = (numbers.next(), numbers.next());
        let mut name = numbers.word(4, 9);
        // One name in eight is not ASCII.
        name.push_str(if numbers.below(8) == 0 {
            " Müller"
        } else {
            " Miller"
        });
        let email = format!("{}@{}.example", numbers.word(4, 12), numbers.word(4, 9));
        let items = (0..items.start() + numbers.below(items.end() - items.start() + 1))
            .map(|_| Item {
                sku: format!("{}-{:05}", numbers.word(2, 5), numbers.below(100_000)),
                quantity: 1 + numbers.below(120) as i32,
                price: numbers.below(100_000) as f64 / 100.0,
            })
            .collect();
        let note =
            (numbers.below(2) == 0).then(|| format!("{} {}", numbers.word(10, 40), numbers.word(10, 50)));
        Self {
            id: format!(
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                a >> 32,
                a as u16,
                b as u16,
                b >> 48,
                (b >> 16) as u32
            ),
            customer_id: 1 + numbers.below(50_000_000) as i64,
            status: numbers.below(4) as usize,
            created_at: 1_790_000_000_000 + numbers.below(40_000_000_000) as i64,
            currency: ["CHF", "EUR", "USD", "GBP"][numbers.below(4) as usize],
            total: numbers.below(10_000_000) as f64 / 100.0,
            name,
            email,
            tier: numbers.below(10) as i32,
            items,
            note,
            coupon: (numbers.below(4) == 0).then(|| numbers.word(6, 12)),
            priority: numbers.below(2_000) as i32 - 1_000,
            paid: numbers.below(2) == 0,
        }
    }

    fn avro(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let zig_zag = |out: &mut Vec<u8>, value: i64| varint(out, ((value << 1) ^ (value >> 63)) as u64);
        let text = |out: &mut Vec<u8>, text: &str| {
            zig_zag(out, text.len() as i64);
            out.extend_from_slice(text.as_bytes());
        };
        let optional = |out: &mut Vec<u8>, value: &Option<String>| {
            zig_zag(out, i64::from(value.is_some()));
            if let Some(value) = value {
                text(out, value);
            }
        };
        text(&mut out, &self.id);
        zig_zag(&mut out, self.customer_id);
        zig_zag(&mut out, self.status as i64);
        zig_zag(&mut out, self.created_at);
        text(&mut out, self.currency);
        out.extend_from_slice(&self.total.to_le_bytes());
        text(&mut out, &self.name);
        text(&mut out, &self.email);
        zig_zag(&mut out, i64::from(self.tier));
        zig_zag(&mut out, self.items.len() as i64);
        for item in &self.items {
            text(&mut out, &item.sku);
            zig_zag(&mut out, i64::from(item.quantity));
            out.extend_from_slice(&item.price.to_le_bytes());
        }
        zig_zag(&mut out, 0);
        optional(&mut out, &self.note);
        optional(&mut out, &self.coupon);
        zig_zag(&mut out, i64::from(self.priority));
        out.push(u8::from(self.paid));
        out
    }

    fn protobuf(&self) -> Vec<u8> {
        let number = |out: &mut Vec<u8>, field: u64, value: i64| {
            if value != 0 {
                varint(out, field << 3);
                varint(out, value as u64);
            }
        };
        let bytes = |out: &mut Vec<u8>, field: u64, bytes: &[u8]| {
            varint(out, field << 3 | 2);
            varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        };
        let double = |out: &mut Vec<u8>, field: u64, value: f64| {
            varint(out, field << 3 | 1);
            out.extend_from_slice(&value.to_le_bytes());
        };
        let mut out = Vec::new();
        bytes(&mut out, 1, self.id.as_bytes());
        number(&mut out, 2, self.customer_id);
        number(&mut out, 3, self.status as i64);
        number(&mut out, 4, self.created_at);
        bytes(&mut out, 5, self.currency.as_bytes());
        double(&mut out, 6, self.total);
        let mut customer = Vec::new();
        bytes(&mut customer, 1, self.name.as_bytes());
        bytes(&mut customer, 2, self.email.as_bytes());
        number(&mut customer, 3, i64::from(self.tier));
        bytes(&mut out, 7, &customer);
        for item in &self.items {
            let mut inner = Vec::new();
            bytes(&mut inner, 1, item.sku.as_bytes());
            number(&mut inner, 2, i64::from(item.quantity));
            double(&mut inner, 3, item.price);
            bytes(&mut out, 8, &inner);
        }
        self.note
            .iter()
            .for_each(|note| bytes(&mut out, 9, note.as_bytes()));
        self.coupon
            .iter()
            .for_each(|coupon| bytes(&mut out, 10, coupon.as_bytes()));
        number(&mut out, 11, i64::from(self.priority));
        number(&mut out, 12, i64::from(self.paid));
        out
    }

    fn json(&self) -> Vec<u8> {
        let mut out = format!(
            r#"{{"id":"{}","customer_id":{},"status":"{}","created_at":{},"currency":"{}","total":{},"customer":{{"name":"{}","email":"{}","tier":{}}},"items":["#,
            self.id,
            self.customer_id,
            STATUSES[self.status],
            self.created_at,
            self.currency,
            self.total,
            self.name,
            self.email,
            self.tier
        );
        for (index, item) in self.items.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(
                out,
                r#"{comma}{{"sku":"{}","quantity":{},"price":{}}}"#,
                item.sku, item.quantity, item.price
            );
        }
        let optional = |value: &Option<String>| {
            value
                .as_ref()
                .map_or("null".to_owned(), |value| format!("\"{value}\""))
        };
        let _ = write!(
            out,
            r#"],"note":{},"coupon":{},"priority":{},"paid":{}}}"#,
            optional(&self.note),
            optional(&self.coupon),
            self.priority,
            self.paid
        );
        out.into_bytes()
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
