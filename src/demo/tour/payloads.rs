//! Example payloads as serializers would write them: Avro binary by hand, Protobuf from a dynamic message, JSON; each
//! behind Confluent's framing.

use super::TourError;
use crate::schema::SchemaId;
use crate::schema::protobuf::ProtobufSchema;
use crate::wire::writer::Writer;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, Value};

/// Magic byte 0, then the schema's id.
pub fn framed(id: SchemaId, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.u8(0);
    writer.u32(id.0);
    writer.raw(payload);
    out
}

/// As [`framed`], with the message's indexes between id and payload: a count, then each. `[0]` is the single byte 0.
pub fn framed_message(id: SchemaId, indexes: &[i32], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    if indexes == [0] {
        writer.varint(0);
    } else {
        writer.varint(indexes.len() as i32);
        for index in indexes {
            writer.varint(*index);
        }
    }
    writer.raw(payload);
    framed(id, &out)
}

/// An order in Avro's binary encoding, field by field as `ORDER_SCHEMA` has them. `status` is an index.
pub fn order(order_id: &str, status: i64, items: &[(&str, i64)], total: f64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    let string = |writer: &mut Writer<'_>, text: &str| {
        writer.varlong(text.len() as i64);
        writer.raw(text.as_bytes());
    };
    string(&mut writer, order_id);
    writer.varlong(status);
    // An array is blocks of items, each with its count, and ends with an empty one.
    if !items.is_empty() {
        writer.varlong(items.len() as i64);
        for (sku, quantity) in items {
            string(&mut writer, sku);
            writer.varlong(*quantity);
        }
    }
    writer.varlong(0);
    writer.varlong(0); // `note`: the union's first branch, null.
    writer.raw(&total.to_le_bytes());
    out
}

/// Writes payments as the schema's own descriptor says.
pub struct Payments {
    schema: ProtobufSchema,
}

impl Payments {
    pub fn new(schema: &str) -> Result<Self, TourError> {
        Ok(Self {
            schema: ProtobufSchema::parse(schema, &[])?,
        })
    }

    pub fn payment(&self, id: &str, order: &str, cents: i64, tags: &[&str]) -> Result<Vec<u8>, TourError> {
        let descriptor = self
            .schema
            .descriptor()
            .messages()
            .next()
            .ok_or_else(|| TourError::Example("the payments schema has no message".to_owned()))?;
        let mut message = DynamicMessage::new(descriptor);
        let tags = tags.iter().map(|tag| Value::String((*tag).to_owned())).collect();
        for (field, value) in [
            ("id", Value::String(id.to_owned())),
            ("order", Value::String(order.to_owned())),
            ("cents", Value::I64(cents)),
            ("tags", Value::List(tags)),
        ] {
            message
                .try_set_field_by_name(field, value)
                .map_err(|error| TourError::Example(format!("payment field {field}: {error}")))?;
        }
        Ok(message.encode_to_vec())
    }
}

/// A field of a Protobuf message with wire type LEN, written by hand so that it can be wrong.
pub fn length_delimited(field: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.unsigned_varint(field << 3 | 2);
    writer.unsigned_varint(bytes.len() as u32);
    writer.raw(bytes);
    out
}
