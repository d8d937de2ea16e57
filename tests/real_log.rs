//! A real broker takes the batches that we write anew as they are, and its log tells us how transactions ended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use portcullis::wire::batch::Batch;
use portcullis::wire::batch_rewrite::{RecordEdit, rewrite_batch, with_base_sequence};
use portcullis::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use portcullis::wire::compression::{Compression, DecompressionLimits, Decompressor};
use portcullis::wire::log::{LogBatch, Marker, walk_batches};
use std::fs;
use std::sync::LazyLock;
use support::clients::{Client, How, create_topics};
use support::conversation::Conversation;
use support::kafka::Kafka;
use support::records::Record;

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 1 << 20,
    ratio_max: 1_000,
};
/// A client's: ten records, of which the first, the fifth and the last, which is the newest, are bad.
const COUNT: u8 = 10;
const BAD: [u32; 3] = [0, 4, 9];

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

/// What the broker has on its disk of partition 0: what a fetch would return.
fn log(topic: &str) -> Vec<u8> {
    let segment = format!("node-1/data/{topic}-0/00000000000000000000.log");
    fs::read(KAFKA.folder().join(segment)).unwrap()
}

fn batch(base_sequence: i32, codec: Compression) -> Vec<u8> {
    let values: Vec<Vec<u8>> = (0..COUNT).map(|number| vec![number; 40]).collect();
    let records: Vec<NewRecord<'_>> = (1_700_000_000_000..)
        .zip(&values)
        .map(|(timestamp_ms, value)| NewRecord {
            timestamp_ms,
            value: Some(value),
            ..NewRecord::default()
        })
        .collect();
    let stamp = ProducerStamp {
        producer_id: 40_000 + i64::from(codec.id()),
        producer_epoch: 0,
        base_sequence,
        transactional: false,
    };
    let mut out = Vec::new();
    write_batch(&records, codec, Some(stamp), &mut out).unwrap();
    out
}

fn trimmed(bytes: &[u8], base_sequence: i32) -> Vec<u8> {
    let batch = Batch::read(bytes).unwrap();
    let mut decompressor = Decompressor::default();
    let plain = decompressor
        .decompress(batch.compression, batch.records, LIMITS)
        .unwrap();
    let edit = |index| {
        if BAD.contains(&index) {
            RecordEdit::Drop
        } else {
            RecordEdit::Keep
        }
    };
    let mut out = Vec::new();
    rewrite_batch(&batch, plain, base_sequence, LIMITS.bytes_max, edit, &mut out).unwrap();
    out
}

/// A producer in mid-flight: its sequence numbers go on by ten a batch, those of what is forwarded by seven. A retry is
/// a duplicate to the broker, whatever was left out of it.
#[test]
fn a_broker_appends_trimmed_batches_bit_for_bit_in_an_unbroken_sequence() {
    for codec in Compression::ALL {
        let topic = format!("trimmed-{codec:?}");
        create_topics(&KAFKA.bootstrap(), &[&topic], 1);
        let mut broker = Conversation::with(&KAFKA.bootstrap());
        let first = trimmed(&batch(0, codec), 0);
        let second = trimmed(&batch(10, codec), 7);
        let mut third = Vec::new();
        with_base_sequence(&batch(20, codec), 14, &mut third);
        let unshifted = batch(30, codec);
        for (bytes, error_code, base_offset) in [
            (&first, 0, 0),
            (&second, 0, 7),
            (&first, 0, 0),
            (&third, 0, 14),
            (&unshifted, 45, -1),
        ] {
            let answers = broker.produce(&[(&topic, 0, bytes)]).unwrap();
            assert_eq!(
                (answers[0].error_code.0, answers[0].base_offset),
                (error_code, base_offset),
                "{codec:?}"
            );
        }

        let log = log(&topic);
        let mut rest = &log[..];
        for sent in [&first, &second, &third] {
            let (appended, after) = rest.split_at(sent.len());
            // From the CRC on: before it stand the offset and the leader epoch, which are the broker's.
            assert_eq!(appended[17..], sent[17..], "{codec:?}");
            rest = after;
        }
        assert!(rest.is_empty());
        let mut read = Vec::new();
        let walked = walk_batches(&log, &mut Decompressor::default(), LIMITS, &mut |batch| {
            let LogBatch::Data { records, .. } = batch else {
                panic!("{batch:?}")
            };
            read.extend(records.map(|record| (record.offset, record.timestamp_ms, record.value.unwrap()[0])));
        });
        assert_eq!((walked.next_offset, walked.failed), (Some(24), None), "{codec:?}");
        let good = (0..COUNT).filter(|number| !BAD.contains(&u32::from(*number)));
        let sent = good.clone().chain(good).chain(0..COUNT);
        let expected = (0..).zip(sent.map(|number| (1_700_000_000_000 + i64::from(number), number)));
        assert!(
            read.iter()
                .copied()
                .eq(expected.map(|(offset, (time, number))| (offset, time, number))),
            "{codec:?}: {read:?}"
        );
    }
}

#[test]
fn the_markers_of_committed_and_aborted_transactions_name_their_producer() {
    let topic = "told-transactions";
    create_topics(&KAFKA.bootstrap(), &[topic], 1);
    let records = [
        Record::new(topic, 0, b"one").with_key(b"k"),
        Record::new(topic, 0, b"two"),
    ];
    for (how, id) in [(How::Commit, "a"), (How::Abort, "b"), (How::Commit, "a")] {
        let id = format!("transactional.id=told-{id}");
        Client::Java.produce_lines(&KAFKA.bootstrap(), &records, how, &[&id]);
    }

    let log = log(topic);
    let mut data = Vec::new();
    let mut ended = Vec::new();
    let walked = walk_batches(
        &log,
        &mut Decompressor::default(),
        LIMITS,
        &mut |batch| match batch {
            LogBatch::Data { header, records } => {
                assert!(header.is_transactional());
                let values: Vec<_> = records.map(|record| record.value.unwrap().to_vec()).collect();
                assert_eq!(values, [b"one", b"two"]);
                data.push((header.producer_id, header.producer_epoch, header.base_offset));
            }
            LogBatch::Control { header, marker } => {
                // KIP-890: the coordinator has taken the next epoch before it ends a transaction.
                assert_eq!(header.producer_epoch, data.last().unwrap().1 + 1);
                ended.push((header.producer_id, marker, header.base_offset));
            }
        },
    );
    assert_eq!(walked.failed, None);
    assert_eq!(walked.next_offset, Some(9));
    let (first, second) = (data[0].0, data[1].0);
    assert_ne!(first, second);
    assert_eq!(
        ended,
        [
            (first, Some(Marker::Commit), 2),
            (second, Some(Marker::Abort), 5),
            (first, Some(Marker::Commit), 8)
        ]
    );
}
