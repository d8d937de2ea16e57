//! Record batches as a producer sends them: the walk over one, and the whole check of one with its parts.

use super::{Subject, validators};
use crate::orders::{framed, payloads, schema};
use bytes::Bytes;
use kafka_protocol::records::RecordBatchDecoder;
use portcullis::contract::{
    BatchVerdict, Checker, Governing, GoverningVersion, Level, Lookup, Policies, Policy, Presence,
    SchemaSource, SubjectLookup, TopicPattern, TopicRules,
};
use portcullis::schema::{Schema, SchemaId, SchemaType, Subject as RegistrySubject, Version};
use portcullis::wire::batch::{Batch, HEADER_LENGTH, Records};
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::{Compression, DecompressionLimits, Decompressor};
use std::hint::black_box;
use std::sync::Arc;
use ulid::Ulid;

pub const BATCH_RECORDS: usize = 250;
const ID: u32 = 1;
const TOPIC: &str = "orders";
const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 16 << 20,
    ratio_max: 128,
};

/// The orders in full batches of [`BATCH_RECORDS`]: every other record with a key, every fourth with two headers, a few
/// milliseconds apart.
fn batches(language: SchemaType, compression: Compression) -> &'static [Vec<u8>] {
    let values: Vec<Vec<u8>> = payloads(language)
        .iter()
        .map(|payload| framed(language, ID, payload))
        .collect();
    let mut batches = Vec::new();
    for values in values.chunks_exact(BATCH_RECORDS) {
        let keys: Vec<String> = (0..BATCH_RECORDS)
            .map(|index| format!("customer-{}", index * index))
            .collect();
        let records: Vec<NewRecord<'_>> = values
            .iter()
            .enumerate()
            .map(|(index, value)| NewRecord {
                timestamp_ms: 1_790_000_000_000 + (index * index / 50) as i64,
                key: (index % 2 == 0).then_some(keys[index].as_bytes()),
                value: Some(value),
                headers: if index % 4 == 1 {
                    vec![
                        (&b"traceparent"[..], Some(keys[index].as_bytes())),
                        (b"source", Some(&b"web"[..])),
                    ]
                } else {
                    Vec::new()
                },
            })
            .collect();
        let mut batch = Vec::new();
        write_batch(&records, compression, None, &mut batch).unwrap();
        batches.push(batch);
    }
    batches.leak()
}

fn subject(
    group: &'static str,
    name: String,
    batches: &'static [Vec<u8>],
    mut records_of: impl FnMut(&'static [u8]) -> usize + 'static,
) -> Subject {
    let records = batches.len() * BATCH_RECORDS;
    Subject {
        group,
        name,
        records,
        bytes_per_record: batches.iter().map(Vec::len).sum::<usize>() / records,
        pass: Box::new(move || {
            black_box(batches)
                .iter()
                .map(|batch| records_of(black_box(batch.as_slice())))
                .sum()
        }),
    }
}

/// Ours first: the header with its CRC and its counts, then every record. And the records alone, their CRC not taken.
pub fn walks() -> Vec<Subject> {
    const GROUP: &str = "record batch walk";
    let batches = batches(SchemaType::Avro, Compression::None);
    let walk = |batch: &Batch<'static>| {
        Records::new(batch.records, batch.header.record_count)
            .map(|record| black_box(&record).is_ok())
            .filter(|is_ok| *is_ok)
            .count()
    };
    let bytes: Vec<Bytes> = batches.iter().map(|batch| Bytes::from_static(batch)).collect();
    let read: Vec<Batch<'static>> = batches.iter().map(|batch| Batch::read(batch).unwrap()).collect();
    let ours = subject(GROUP, "portcullis".to_owned(), batches, move |batch| {
        walk(&Batch::read(batch).unwrap())
    });
    let peer = Subject {
        pass: Box::new(move || {
            let decode = |mut batch: Bytes| {
                black_box(&RecordBatchDecoder::decode(&mut batch).unwrap())
                    .records
                    .len()
            };
            black_box(&bytes).iter().map(|batch| decode(batch.clone())).sum()
        }),
        ..subject(GROUP, "kafka-protocol".to_owned(), batches, |_| 0)
    };
    let alone = Subject {
        pass: Box::new(move || black_box(&read).iter().map(walk).sum()),
        ..subject(GROUP, "portcullis, without the CRC".to_owned(), batches, |_| 0)
    };
    vec![ours, peer, alone]
}

/// The records of the batches, each validated alone, out of its batch and its framing.
pub fn records_alone(language: SchemaType) -> Subject {
    let payloads = payloads(language);
    let whole_batches = payloads.len() / BATCH_RECORDS * BATCH_RECORDS;
    let payloads: Vec<Vec<u8>> = payloads.into_iter().take(whole_batches).collect();
    Subject {
        name: "records alone".to_owned(),
        ..validators::ours("whole batch", language, payloads.leak())
    }
}

/// What our codec alone takes.
pub fn decompression(language: SchemaType, compression: Compression) -> Subject {
    let mut decompressor = Decompressor::default();
    subject(
        "whole batch",
        format!("{compression:?}, decompression alone"),
        batches(language, compression),
        move |batch| {
            let plain = decompressor.decompress(compression, &batch[HEADER_LENGTH..], LIMITS);
            black_box(plain.unwrap());
            BATCH_RECORDS
        },
    )
}

/// All that the gateway does to a batch between its bytes and its verdict.
pub fn whole(language: SchemaType, compression: Compression) -> Subject {
    let (rules, registry) = (rules(), One::new(language));
    let mut checker = Checker::new(LIMITS);
    subject(
        "whole batch",
        format!("{compression:?}, whole"),
        batches(language, compression),
        move |batch| match checker.check(&rules, batch, &registry, &mut Ulid::nil) {
            BatchVerdict::Valid { records } => records as usize,
            _ => 0,
        },
    )
}

fn rules() -> TopicRules {
    let mut policy = Policy::default_policy();
    policy.topics = vec![TopicPattern::parse("*").unwrap()];
    policy.key.level = Level::Off;
    Policies(vec![policy]).rules_for(TOPIC)
}

/// A registry of one schema, asked as a running gateway asks its own: once a batch.
struct One(Arc<Governing>);

impl One {
    fn new(language: SchemaType) -> Self {
        let validator = Schema::parse(language, schema(language), &[])
            .unwrap()
            .validator()
            .unwrap();
        Self(Arc::new(Governing {
            id: SchemaId(ID),
            subject: RegistrySubject(format!("{TOPIC}-value").into()),
            version: Version(1),
            validator: Arc::new(validator),
        }))
    }
}

impl SchemaSource for One {
    fn find(&self, subject: &str, id: SchemaId) -> Lookup {
        if id != self.0.id {
            return Lookup::UnknownId;
        }
        if *subject != *self.0.subject.0 {
            return Lookup::OtherSubject;
        }
        Lookup::Found(Arc::clone(&self.0))
    }

    fn subject(&self, subject: &str) -> Presence {
        if *subject == *self.0.subject.0 {
            Presence::Present
        } else {
            Presence::Absent
        }
    }

    fn governing(&self, _subject: &str, _version: GoverningVersion) -> SubjectLookup {
        SubjectLookup::Found(Arc::clone(&self.0))
    }
}
