//! The order of the tests in three languages: schemas, good payloads and bad ones, framed by hand.

pub const AVRO: &str = r#"{"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"id","type":"string"},{"name":"total","type":"double"},{"name":"count","type":"int"}]}"#;

pub const PROTOBUF: &str = "syntax = \"proto3\";
package shop;
message Order { string id = 1; double total = 2; int32 count = 3; }
message Other { bytes raw = 1; Inner inner = 2; message Inner { string name = 1; } }
";

pub const JSON: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",
  "required":["id","total"],"additionalProperties":false,
  "properties":{"id":{"type":"string"},"total":{"type":"number","minimum":0},"count":{"type":"integer"}}}"#;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    Avro,
    Protobuf,
    Json,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Avro, Self::Protobuf, Self::Json];

    /// The registry's name for it.
    pub fn schema_type(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Protobuf => "PROTOBUF",
            Self::Json => "JSON",
        }
    }

    pub fn schema(self) -> &'static str {
        match self {
            Self::Avro => AVRO,
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        }
    }

    /// The code of a payload that does not match.
    pub fn code(self) -> &'static str {
        match self {
            Self::Avro => "PC-201",
            Self::Protobuf => "PC-202",
            Self::Json => "PC-203",
        }
    }

    /// Order `number`, conforming and framed.
    pub fn good(self, schema: u32, number: i32) -> Vec<u8> {
        let id = format!("order-{number}");
        let total = f64::from(number) + 0.5;
        match self {
            Self::Avro => {
                let mut payload = Vec::new();
                zigzag(id.len() as i64, &mut payload);
                payload.extend(id.as_bytes());
                payload.extend(total.to_le_bytes());
                zigzag(i64::from(number), &mut payload);
                framed(schema, &[], &payload)
            }
            Self::Protobuf => {
                let mut payload = vec![0x0a, id.len() as u8];
                payload.extend(id.as_bytes());
                payload.push(0x11);
                payload.extend(total.to_le_bytes());
                payload.extend([0x18, (number & 0x7f) as u8]);
                // The first message: a single zero stands for the index list [0].
                framed(schema, &[0], &payload)
            }
            Self::Json => {
                let payload = format!(r#"{{"id":"{id}","total":{total},"count":{number}}}"#);
                framed(schema, &[], payload.as_bytes())
            }
        }
    }

    /// Order `number` with one thing wrong in its payload: Avro cut short, Protobuf's id not UTF-8, JSON's total
    /// negative.
    pub fn bad(self, schema: u32, number: i32) -> Vec<u8> {
        let mut bytes = self.good(schema, number);
        match self {
            Self::Avro => {
                bytes.truncate(bytes.len() - 3);
                bytes
            }
            Self::Protobuf => {
                bytes[8] = 0xff;
                bytes
            }
            Self::Json => framed(
                schema,
                &[],
                format!(r#"{{"id":"order-{number}","total":-1}}"#).as_bytes(),
            ),
        }
    }

    /// Where the bad payload is wrong.
    pub fn bad_path(self) -> &'static str {
        match self {
            Self::Avro => "$.",
            Self::Protobuf => "$.id",
            Self::Json => "$.total",
        }
    }
}

/// Confluent's framing: magic 0, the id, message indexes as they are, the payload.
pub fn framed(schema: u32, indexes: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(schema.to_be_bytes());
    bytes.extend(indexes);
    bytes.extend(payload);
    bytes
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push((raw as u8) | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}
