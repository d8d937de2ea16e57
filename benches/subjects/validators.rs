//! The check of one payload, and what the libraries do that one would otherwise use.

use super::Subject;
use super::structs::{AvroOrder, ProtobufOrder};
use crate::orders::{payloads, schema};
use apache_avro::reader::datum::GenericDatumReader;
use portcullis::schema::{Schema, SchemaType, Validator};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use std::hint::black_box;

/// The loop is compiled with the check inside, so that the call through the box is paid once a pass.
fn subject(
    group: &'static str,
    name: &str,
    payloads: &'static [Vec<u8>],
    check: impl Fn(&'static [u8]) -> bool + 'static,
) -> Subject {
    Subject {
        group,
        name: name.to_owned(),
        records: payloads.len(),
        bytes_per_record: payloads.iter().map(Vec::len).sum::<usize>() / payloads.len(),
        pass: Box::new(move || {
            black_box(payloads)
                .iter()
                .filter(|payload| check(black_box(payload.as_slice())))
                .count()
        }),
    }
}

pub fn validator(language: SchemaType) -> Validator {
    Schema::parse(language, schema(language), &[])
        .unwrap()
        .validator()
        .unwrap()
}

/// Ours first in each language.
pub fn subjects() -> Vec<Subject> {
    [avro(), protobuf(), json()].into_iter().flatten().collect()
}

/// Every payload, checked one by one by our own validator alone.
pub fn ours(group: &'static str, language: SchemaType, payloads: &'static [Vec<u8>]) -> Subject {
    match validator(language) {
        Validator::Avro(ours) => subject(group, "portcullis", payloads, move |payload| {
            ours.validate(payload).is_ok()
        }),
        Validator::Protobuf(ours) => {
            let message = ours.message([0]).unwrap();
            subject(group, "portcullis", payloads, move |payload| {
                ours.validate(message, payload).is_ok()
            })
        }
        Validator::Json(ours) => subject(group, "portcullis", payloads, move |payload| {
            ours.validate(payload).is_ok()
        }),
    }
}

pub fn avro() -> Vec<Subject> {
    let payloads = &*payloads(SchemaType::Avro).leak();
    let text = schema(SchemaType::Avro);
    // Its reader resolves names when it is made; it is made once, and lives as long as the process.
    let to_value = Box::leak(Box::new(apache_avro::Schema::parse_str(text).unwrap()));
    let to_value = GenericDatumReader::builder(to_value).build().unwrap();
    let to_struct: serde_avro_fast::Schema = text.parse().unwrap();
    vec![
        ours("Avro", SchemaType::Avro, payloads),
        subject("Avro", "apache-avro, to Value", payloads, move |mut payload| {
            to_value.read_value(&mut payload).is_ok()
        }),
        subject(
            "Avro",
            "serde_avro_fast, to a struct of borrowed fields",
            payloads,
            move |payload| {
                let order = serde_avro_fast::from_datum_slice::<AvroOrder<'static>>(payload, &to_struct);
                // Looked at, or what nobody reads would not be decoded.
                black_box(&order).is_ok()
            },
        ),
    ]
}

pub fn protobuf() -> Vec<Subject> {
    let payloads = &*payloads(SchemaType::Protobuf).leak();
    let reflected = reflected();
    vec![
        ours("Protobuf", SchemaType::Protobuf, payloads),
        subject("Protobuf", "prost-reflect", payloads, move |payload| {
            black_box(&DynamicMessage::decode(reflected.clone(), payload)).is_ok()
        }),
        subject(
            "Protobuf",
            "prost, to a generated struct",
            payloads,
            move |payload| black_box(&ProtobufOrder::decode(payload)).is_ok(),
        ),
    ]
}

fn reflected() -> MessageDescriptor {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("order.proto"), schema(SchemaType::Protobuf)).unwrap();
    let files = protox::compile(["order.proto"], [directory.path()]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    pool.get_message_by_name("shop.Order").unwrap()
}

pub fn json() -> Vec<Subject> {
    let payloads = &*payloads(SchemaType::Json).leak();
    let peer = jsonschema::validator_for(&serde_json::from_str(schema(SchemaType::Json)).unwrap()).unwrap();
    vec![
        ours("JSON Schema", SchemaType::Json, payloads),
        subject(
            "JSON Schema",
            "serde_json + jsonschema `is_valid`",
            payloads,
            move |payload| serde_json::from_slice(payload).is_ok_and(|value| peer.is_valid(&value)),
        ),
    ]
}
