//! The promise: once a checker is warm, a batch whose records all conform costs no allocation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod counting;

use counting::allocations;
use portcullis::contract::{
    BatchVerdict, Checker, Governing, GoverningVersion, Level, Lookup, Policies, Policy, Presence,
    SchemaSource, SubjectLookup, TopicPattern,
};
use portcullis::schema::{Schema, SchemaId, SchemaType, Subject, Version};
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::{Compression, DecompressionLimits};
use std::sync::Arc;
use ulid::Ulid;

struct One(Arc<Governing>);

impl SchemaSource for One {
    fn find(&self, _subject: &str, _id: SchemaId) -> Lookup {
        Lookup::Found(Arc::clone(&self.0))
    }
    fn subject(&self, _subject: &str) -> Presence {
        Presence::Present
    }
    fn governing(&self, _subject: &str, _version: GoverningVersion) -> SubjectLookup {
        SubjectLookup::Found(Arc::clone(&self.0))
    }
}

const AVRO: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "string"},
    {"name": "total", "type": "double"},
    {"name": "tags", "type": {"type": "array", "items": "string"}},
    {"name": "note", "type": ["null", "string"]}
]}"#;

const PROTOBUF: &str =
    "syntax = \"proto3\"; message Order { string id = 1; double total = 2; repeated string tags = 3; }";

const JSON: &str = r#"{"type": "object", "required": ["id", "total"], "properties": {
    "id": {"type": "string", "pattern": "^order-[0-9]+$"},
    "total": {"type": "number", "minimum": 0},
    "tags": {"type": "array", "items": {"type": "string"}}
}}"#;

fn registry(schema_type: SchemaType, text: &str) -> One {
    let validator = Schema::parse(schema_type, text, &[])
        .unwrap()
        .validator()
        .unwrap();
    let subject = Subject("orders-value".into());
    let (id, version) = (SchemaId(1), Version(1));
    One(Arc::new(Governing {
        id,
        subject,
        version,
        validator: Arc::new(validator),
    }))
}

/// A framed order, and one that says less than its schema wants.
fn order(schema_type: SchemaType, number: usize) -> [Vec<u8>; 2] {
    let id = format!("order-{number}");
    let total = (number as f64).to_le_bytes();
    let mut bytes = vec![0, 0, 0, 0, 1];
    match schema_type {
        SchemaType::Avro => {
            bytes.push((id.len() * 2) as u8);
            bytes.extend(id.as_bytes());
            bytes.extend(total);
            bytes.extend([4, 2, b'a', 2, b'b', 0]); // Two tags, end of the array.
            bytes.extend([2, 4, b'o', b'k']); // The union's second branch.
        }
        SchemaType::Protobuf => {
            bytes.extend([0, 0x0a, id.len() as u8]); // The first message; field 1.
            bytes.extend(id.as_bytes());
            bytes.push(0x11);
            bytes.extend(total);
            bytes.extend([0x1a, 1, b'a', 0x1a, 1, b'b']);
        }
        SchemaType::Json => {
            let text = format!("{{\"id\": \"{id}\", \"total\": {number}.5, \"tags\": [\"a\", \"b\"]}}");
            bytes.extend(text.as_bytes());
        }
    }
    let short = bytes[..bytes.len() - 1].to_vec();
    [bytes, short]
}

fn batch(values: impl IntoIterator<Item = Vec<u8>>, compression: Compression) -> Vec<u8> {
    let values: Vec<Vec<u8>> = values.into_iter().collect();
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .map(|value| NewRecord {
            value: Some(value),
            ..NewRecord::default()
        })
        .collect();
    let mut batch = Vec::new();
    write_batch(&records, compression, None, &mut batch).unwrap();
    batch
}

#[test]
fn a_valid_batch_allocates_nothing_once_the_checker_is_warm() {
    let mut policy = Policy::default_policy();
    policy.topics = vec![TopicPattern::parse("*").unwrap()];
    policy.key.level = Level::Off;
    let rules = Policies(vec![policy]).rules_for("orders");
    for (schema_type, text) in [
        (SchemaType::Avro, AVRO),
        (SchemaType::Protobuf, PROTOBUF),
        (SchemaType::Json, JSON),
    ] {
        let registry = registry(schema_type, text);
        let orders = || (0..100).map(|number| order(schema_type, number));
        let mut checker = Checker::new(DecompressionLimits {
            bytes_max: 1 << 20,
            ratio_max: 128,
        });
        let mut check = |batch: &[u8]| {
            let before = allocations();
            let verdict = checker.check(&rules, batch, &registry, &mut Ulid::nil);
            (verdict, allocations() - before)
        };
        let good = batch(orders().map(|[good, _]| good), Compression::None);
        let valid = BatchVerdict::Valid { records: 100 };
        assert_eq!(check(&good).0, valid, "{schema_type:?}");
        assert_eq!(check(&good), (valid, 0), "{schema_type:?}");

        // The counter does count: the same records cut short are violations, and those have words.
        let (verdict, allocations) = check(&batch(orders().map(|[_, short]| short), Compression::None));
        assert!(
            matches!(verdict, BatchVerdict::Violations { bad_records, .. } if bad_records.len() == 100),
            "{schema_type:?}"
        );
        assert!(allocations > 0);
    }
}

/// Each codec's own state is kept from batch to batch. Zstandard's is the C library's, whose `malloc` is not counted
/// here: its context is made once, and one shot into a buffer that is there has nothing to allocate.
#[test]
fn decompression_allocates_nothing_either_whatever_the_codec_and_the_language() {
    let mut policy = Policy::default_policy();
    policy.topics = vec![TopicPattern::parse("*").unwrap()];
    policy.key.level = Level::Off;
    let rules = Policies(vec![policy]).rules_for("orders");
    for (schema_type, text) in [
        (SchemaType::Avro, AVRO),
        (SchemaType::Protobuf, PROTOBUF),
        (SchemaType::Json, JSON),
    ] {
        let registry = registry(schema_type, text);
        for compression in Compression::ALL {
            let mut checker = Checker::new(DecompressionLimits {
                bytes_max: 1 << 20,
                ratio_max: 128,
            });
            // The larger batch comes first: the smaller one needs no more.
            let [large, small] = [3000, 1000].map(|count| {
                let orders = (0..count).map(|number| order(schema_type, number).into_iter().next().unwrap());
                (count as u32, batch(orders, compression))
            });
            let mut check = |(records, batch): &(u32, Vec<u8>)| {
                let verdict = checker.check(&rules, batch, &registry, &mut Ulid::nil);
                assert_eq!(
                    verdict,
                    BatchVerdict::Valid { records: *records },
                    "{schema_type:?} {compression:?}"
                );
            };
            check(&large);
            let before = allocations();
            check(&small);
            check(&large);
            assert_eq!(allocations() - before, 0, "{schema_type:?} {compression:?}");
        }
    }
}
