use super::*;
use crate::contract::{Part, Policies, Policy, Violation};
use crate::schema::{SchemaId, SchemaType};
use crate::wire::batch::Records;
use crate::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use crate::wire::compression::{Compression, DecompressionLimits, Decompressor};

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 1 << 20,
    ratio_max: 128,
};
const PRODUCER: ProducerStamp = ProducerStamp {
    producer_id: 4_711,
    producer_epoch: 3,
    base_sequence: i32::MAX - 2,
    transactional: true,
};

/// A record as it was read: key, value, headers.
type Owned = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn rules(action: Action) -> TopicRules {
    let mut policy = Policy::default_policy();
    policy.action = action;
    policy.topics = vec![crate::contract::TopicPattern::parse("*").unwrap()];
    Policies(vec![policy]).rules_for("orders")
}

/// Every shape that a key, a value and headers can have.
fn batch(compression: Compression) -> Vec<u8> {
    let spoof = (VIOLATION_HEADER.as_bytes(), Some(&b"sent by the client"[..]));
    let records: Vec<NewRecord<'_>> = (0..40)
        .map(|number| NewRecord {
            timestamp_ms: 1_000 + i64::from(number % 7),
            key: [None, Some(&b""[..]), Some(b"key")][number as usize % 3],
            value: [Some(&b"value"[..]), None, Some(b""), Some(b"another value")][number as usize % 4],
            headers: match number % 5 {
                0 => vec![(b"trace", Some(b"1")), (b"trace", None)],
                1 => vec![spoof],
                _ => Vec::new(),
            },
        })
        .collect();
    let mut bytes = Vec::new();
    write_batch(&records, compression, Some(PRODUCER), &mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> (crate::wire::batch::BatchHeader, Vec<(Owned, i64)>) {
    let batch = Batch::read(bytes).unwrap();
    let mut decompressor = Decompressor::default();
    let plain = decompressor
        .decompress(batch.compression, batch.records, LIMITS)
        .unwrap();
    let records = Records::new(plain, batch.header.record_count)
        .map(|record| {
            let record = record.unwrap();
            let headers = record.headers.iter();
            let headers = headers.map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)));
            let owned = (
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                headers.collect(),
            );
            (owned, batch.header.first_timestamp_ms + record.timestamp_delta_ms)
        })
        .collect();
    (batch.header, records)
}

fn violation(record: i32) -> Violation {
    Violation {
        code: Code::Avro,
        record,
        part: Part::Value,
        path: "$.total".to_owned(),
        expected: "expected double".to_owned(),
        schema: None,
        reference: Ulid::nil(),
    }
}

fn violations(bad: &[u32], envelope: Envelope) -> BatchVerdict {
    BatchVerdict::Violations {
        records: 40,
        bad_records: bad.iter().copied().collect(),
        violations: bad.iter().map(|record| violation(record.cast_signed())).collect(),
        envelope,
    }
}

fn envelope() -> Envelope {
    Envelope {
        key: Some(Prefix::new(SchemaId(7), SchemaType::Avro)),
        value: Some(Prefix::new(SchemaId(42), SchemaType::Protobuf)),
    }
}

fn amend(rules: &TopicRules, records: &[u8], verdict: &BatchVerdict) -> Option<Vec<u8>> {
    Checker::new(LIMITS)
        .amend(rules, records, verdict, usize::MAX, &mut Ulid::nil)
        .unwrap()
}

#[test]
fn a_marked_record_gets_its_line_as_last_header_and_the_others_stay_as_they_are() {
    const BAD: [u32; 5] = [0, 1, 21, 22, 39];
    for compression in Compression::ALL {
        let sent = batch(compression);
        let marked = amend(
            &rules(Action::Mark),
            &sent,
            &violations(&BAD, Envelope::default()),
        )
        .unwrap();
        let (before, mut expected) = read(&sent);
        let (after, records) = read(&marked);
        for bad in BAD {
            let line = violation(bad.cast_signed()).to_string();
            let headers = &mut expected[bad as usize].0.2;
            headers.push((VIOLATION_HEADER.as_bytes().to_vec(), Some(line.into_bytes())));
        }
        assert_eq!(records, expected, "{compression:?}");
        let unchanged = crate::wire::batch::BatchHeader {
            length: before.length,
            crc: before.crc,
            ..after
        };
        assert_eq!(unchanged, before, "{compression:?}");
    }
}

#[test]
fn an_envelope_goes_around_what_conforms_and_is_not_null() {
    const BAD: [u32; 2] = [2, 7];
    for (verdict, bad) in [
        (
            BatchVerdict::ValidUnframed {
                records: 40,
                envelope: envelope(),
            },
            &[][..],
        ),
        (violations(&BAD, envelope()), &BAD),
    ] {
        let sent = batch(Compression::Lz4);
        let enveloped = amend(&rules(Action::Mark), &sent, &verdict).unwrap();
        let (_, mut expected) = read(&sent);
        for (number, ((key, value, headers), _)) in (0..).zip(&mut expected) {
            if bad.contains(&number) {
                let line = violation(number.cast_signed()).to_string();
                headers.push((VIOLATION_HEADER.as_bytes().to_vec(), Some(line.into_bytes())));
                continue;
            }
            if let Some(key) = key {
                key.splice(0..0, [0, 0, 0, 0, 7]);
            }
            if let Some(value) = value {
                value.splice(0..0, [0, 0, 0, 0, 42, 0]);
            }
        }
        assert_eq!(read(&enveloped).1, expected);
    }
}

#[test]
fn what_gets_nothing_is_not_written_anew() {
    let sent = batch(Compression::None);
    let bad = violations(&[3], Envelope::default());
    for action in [Action::Reject, Action::Observe] {
        assert_eq!(amend(&rules(action), &sent, &bad), None);
    }
    let mark = rules(Action::Mark);
    assert_eq!(amend(&mark, &sent, &BatchVerdict::Valid { records: 40 }), None);
    assert_eq!(
        amend(&mark, &sent, &BatchVerdict::Unchecked { records: 40 }),
        None
    );
}

#[test]
fn what_would_grow_too_large_is_refused_as_a_broker_would() {
    let sent = batch(Compression::None);
    let verdict = violations(&[0, 1, 2], Envelope::default());
    let mark = rules(Action::Mark);
    let length = amend(&mark, &sent, &verdict).unwrap().len();
    let small = DecompressionLimits {
        bytes_max: length - 100,
        ratio_max: 128,
    };
    for (limits, length_max, expected) in [
        (LIMITS, length - 1, "PC-301 batch: with what is added, its "),
        (
            small,
            usize::MAX,
            "PC-301 batch: with what is added, the records come to more than ",
        ),
    ] {
        let refused = Checker::new(limits)
            .amend(&mark, &sent, &verdict, length_max, &mut Ulid::nil)
            .unwrap_err();
        let BatchVerdict::Refused {
            records: 40,
            code: Code::OverLimit,
            error_code: ErrorCode::MESSAGE_TOO_LARGE,
            line,
        } = refused
        else {
            panic!("{refused:?}")
        };
        assert!(line.starts_with(expected), "{line}");
    }
    let fits = Checker::new(LIMITS).amend(&mark, &sent, &verdict, length, &mut Ulid::nil);
    assert!(fits.unwrap().is_some());
}
