#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
mod compat;
mod hostile;
mod normalize;
mod paths;
mod parse;
mod payload;
mod steps;

use super::AvroSchema;
use crate::schema::{Mismatch, MismatchKind, ReferencedSchema, SchemaError};

fn schema(text: &str) -> AvroSchema {
    AvroSchema::parse(text, &[]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refused(text: &str) -> String {
    match AvroSchema::parse(text, &[]) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("accepted: {text}"),
    }
}

fn check(text: &str, payload: &[u8]) -> Result<(), Mismatch> {
    schema(text).validator().unwrap().validate(payload)
}

/// A zig-zag varint.
fn long(value: i64) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    let mut bytes = Vec::new();
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn text(value: &str) -> Vec<u8> {
    [long(value.len() as i64), value.as_bytes().to_vec()].concat()
}

const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"com.acme","fields":[
  {"name":"id","type":"long"},
  {"name":"status","type":{"type":"enum","name":"Status","symbols":["NEW","PAID","SENT"]}},
  {"name":"customer","type":{"type":"record","name":"Customer","fields":[
    {"name":"name","type":"string"},
    {"name":"email","type":["null","string"],"default":null}]}},
  {"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
    {"name":"sku","type":"string"},
    {"name":"quantity","type":"int"},
    {"name":"price","type":"double"}]}}},
  {"name":"labels","type":{"type":"map","values":"string"}},
  {"name":"paid","type":"boolean"},
  {"name":"hash","type":{"type":"fixed","name":"Hash","size":4}},
  {"name":"note","type":["null","string","long"],"default":null}]}"#;

/// `[(field, bytes)]` of one good order.
fn order() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("id", long(1_234_567)),
        ("status", long(1)),
        ("customer.name", text("Zoë")),
        ("customer.email", [long(1), text("zoe@example.com")].concat()),
        ("items", long(2)),
        ("items[0].sku", text("A-1")),
        ("items[0].quantity", long(3)),
        ("items[0].price", 9.5f64.to_le_bytes().to_vec()),
        ("items[1].sku", text("B-2")),
        ("items[1].quantity", long(-1)),
        ("items[1].price", f64::NAN.to_le_bytes().to_vec()),
        ("items", long(0)),
        ("labels", long(1)),
        ("labels", text("a b")),
        ("labels[\"a b\"]", text("x")),
        ("labels", long(0)),
        ("paid", vec![1]),
        ("hash", vec![1, 2, 3, 4]),
        ("note", [long(2), long(-7)].concat()),
    ]
}

fn order_bytes() -> Vec<u8> {
    order().into_iter().flat_map(|(_, bytes)| bytes).collect()
}
