//! A log that another library wrote is read batch by batch and record by record, the ends of transactions among them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod batches;

use batches::{Content, LIMITS, codecs, encoded, stamps, theirs_of, up_to};
use kafka_protocol::records::Record;
use portcullis::wire::batch_writer::ProducerStamp;
use portcullis::wire::compression::{Compression, Decompressor};
use portcullis::wire::log::{LogBatch, LogRecord, Marker, walk, walk_batches};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Written {
    Data(Vec<Content>, Compression),
    Ended(Marker),
}

fn written() -> impl Strategy<Value = (Written, ProducerStamp)> {
    let what = prop_oneof![
        3 => (up_to(6), codecs()).prop_map(|(contents, codec)| Written::Data(contents, codec)),
        1 => Just(Written::Ended(Marker::Commit)),
        1 => Just(Written::Ended(Marker::Abort)),
    ];
    (what, stamps())
}

/// As a broker writes it (`EndTransactionMarker`): key version and type, value version and coordinator epoch.
fn marker(marker: Marker) -> Content {
    Content {
        timestamp_ms: 77,
        key: Some(vec![0, 0, 0, u8::from(marker == Marker::Commit)]),
        value: Some(vec![0, 0, 0, 0, 0, 3]),
        headers: Vec::new(),
    }
}

impl Written {
    fn records(&self, stamp: ProducerStamp, base_offset: i64) -> (Vec<Record>, Compression) {
        let (contents, codec, control) = match self {
            Self::Data(contents, codec) => (contents.clone(), *codec, false),
            Self::Ended(ended) => (vec![marker(*ended)], Compression::None, true),
        };
        let mut records = theirs_of(&contents, stamp);
        for record in &mut records {
            record.offset += base_offset;
            record.control = control;
        }
        (records, codec)
    }
}

type Whole = (
    i64,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
);

fn whole(record: LogRecord<'_>) -> Whole {
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let headers = record.headers.iter().map(|header| {
        let key = String::from_utf8(header.key.to_vec()).unwrap();
        (key, own(header.value))
    });
    (
        record.offset,
        record.timestamp_ms,
        own(record.key),
        own(record.value),
        headers.collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_batch_comes_with_its_producer_and_its_records_or_its_marker(
        log in vec(written(), 1..6), first_offset in 0..1_i64 << 40,
    ) {
        let mut bytes = Vec::new();
        let mut next_offset = first_offset;
        let mut expected = Vec::new();
        for (written, stamp) in &log {
            let (records, codec) = written.records(*stamp, next_offset);
            bytes.extend(encoded(&records, codec));
            expected.push((written, *stamp, next_offset));
            next_offset += records.len() as i64;
        }

        let mut expected = expected.into_iter();
        let mut of_batches = Vec::new();
        let walked = walk_batches(&bytes, &mut Decompressor::default(), LIMITS, &mut |batch| {
            let (written, stamp, base_offset) = expected.next().unwrap();
            let (LogBatch::Data { header, .. } | LogBatch::Control { header, .. }) = batch;
            assert_eq!(
                (header.base_offset, header.producer_id, header.producer_epoch, header.is_transactional()),
                (base_offset, stamp.producer_id, stamp.producer_epoch, stamp.transactional)
            );
            match (batch, written) {
                (LogBatch::Data { records, .. }, Written::Data(contents, _)) => {
                    let records: Vec<Whole> = records.map(whole).collect();
                    let contents = contents.iter().zip(base_offset..).map(|(content, offset)| {
                        let Content { timestamp_ms, key, value, headers } = content.clone();
                        (offset, timestamp_ms, key, value, headers)
                    });
                    assert!(contents.eq(records.iter().cloned()));
                    of_batches.extend(records);
                }
                (LogBatch::Control { marker, .. }, Written::Ended(ended)) => assert_eq!(marker, Some(*ended)),
                (batch, _) => panic!("{batch:?}"),
            }
        });
        prop_assert!(expected.next().is_none());
        prop_assert_eq!((walked.next_offset, &walked.failed), (Some(next_offset), &None));

        let mut of_records = Vec::new();
        let same = walk(&bytes, &mut Decompressor::default(), LIMITS, &mut |record| of_records.push(whole(record)));
        prop_assert_eq!(same, walked);
        prop_assert_eq!(of_records, of_batches);
    }
}
