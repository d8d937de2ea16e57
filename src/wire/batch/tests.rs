//! What a broker refuses in a batch, and with which code; the walk over records. The second opinion is in
//! `tests/wire_batch.rs`.

use super::*;
use crate::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};

fn batch(records: &[NewRecord<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    write_batch(records, Compression::None, None, &mut out).unwrap();
    out
}

fn two() -> Vec<u8> {
    batch(&[
        NewRecord {
            timestamp_ms: 1_000,
            key: Some(b"k"),
            value: None,
            headers: vec![(b"h", None), (b"h", Some(b"v"))],
        },
        NewRecord {
            timestamp_ms: 900,
            key: None,
            value: Some(b"value"),
            headers: vec![],
        },
    ])
}

/// Changes bytes of a batch and sets its CRC right again.
fn changed(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    let crc = crc32c::crc32c(&bytes[CRC_FROM..]);
    bytes[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn refusal(bytes: &[u8]) -> ErrorCode {
    Batch::read(bytes).unwrap_err().error_code()
}

#[test]
fn a_batch_is_read_as_it_was_written() {
    let bytes = two();
    let batch = Batch::read(&bytes).unwrap();
    assert_eq!(
        (batch.header.first_timestamp_ms, batch.header.max_timestamp_ms),
        (1_000, 1_000)
    );
    assert_eq!(
        (batch.header.record_count, batch.header.last_offset_delta),
        (2, 1)
    );
    assert!(!batch.header.is_transactional());
    let records: Vec<_> = Records::new(batch.records, 2).collect::<Result<_, _>>().unwrap();
    assert_eq!((records[0].key, records[0].value), (Some(&b"k"[..]), None));
    assert_eq!((records[1].key, records[1].value), (None, Some(&b"value"[..])));
    assert_eq!(
        (records[1].timestamp_delta_ms, records[1].offset_delta),
        (-100, 1)
    );
    let headers: Vec<_> = records[0]
        .headers
        .iter()
        .map(|header| (header.key, header.value))
        .collect();
    assert_eq!(headers, [(&b"h"[..], None), (b"h", Some(&b"v"[..]))]);
}

#[test]
fn a_flipped_bit_anywhere_under_the_crc_is_a_crc_error() {
    let bytes = two();
    for at in CRC_AT..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        assert!(
            matches!(Batch::read(&flipped), Err(BatchError::Crc { .. })),
            "byte {at}"
        );
        assert_eq!(refusal(&flipped), ErrorCode::CORRUPT_MESSAGE);
    }
}

#[test]
fn what_is_no_whole_batch_of_magic_2_is_an_invalid_record() {
    let bytes = two();
    for cut in (0..12).chain(17..bytes.len()) {
        assert_eq!(refusal(&bytes[..cut]), ErrorCode::INVALID_RECORD, "cut at {cut}");
    }
    for magic in [0, 1] {
        assert_eq!(refusal(&changed(&bytes, 16, &[magic])), ErrorCode::INVALID_RECORD);
    }
    for magic in [3, 0xff] {
        assert_eq!(
            refusal(&changed(&bytes, 16, &[magic])),
            ErrorCode::CORRUPT_MESSAGE
        );
    }
}

#[test]
fn lengths_that_cannot_be_are_corrupt() {
    let bytes = two();
    for length in [i32::MIN, -1, 0, 13, 14, 48] {
        assert_eq!(
            refusal(&changed(&bytes, 8, &length.to_be_bytes())),
            ErrorCode::CORRUPT_MESSAGE,
            "{length}"
        );
    }
    assert_eq!(
        refusal(&changed(&bytes, 8, &i32::MAX.to_be_bytes())),
        ErrorCode::INVALID_RECORD
    );
    let mut tail = bytes.clone();
    tail.push(0);
    assert_eq!(refusal(&tail), ErrorCode::CORRUPT_MESSAGE);
}

#[test]
fn a_second_batch_is_an_invalid_record() {
    let bytes = [two(), two()].concat();
    assert_eq!(refusal(&bytes), ErrorCode::INVALID_RECORD);
}

#[test]
fn headers_that_a_broker_refuses_are_invalid_records() {
    let bytes = two();
    for (at, with, what) in [
        (0, 1i64.to_be_bytes().to_vec(), "base offset 1"),
        (23, 2i32.to_be_bytes().to_vec(), "last offset delta 2"),
        (23, (-1i32).to_be_bytes().to_vec(), "last offset delta -1"),
        (57, 0i32.to_be_bytes().to_vec(), "count 0"),
        (57, i32::MAX.to_be_bytes().to_vec(), "a count beyond the delta"),
        (57, i32::MIN.to_be_bytes().to_vec(), "negative count"),
        (21, 0x20i16.to_be_bytes().to_vec(), "control"),
        (43, 7i64.to_be_bytes().to_vec(), "producer id without sequence"),
    ] {
        assert_eq!(
            refusal(&changed(&bytes, at, &with)),
            ErrorCode::INVALID_RECORD,
            "{what}"
        );
    }
    assert_eq!(
        refusal(&changed(&bytes, 21, &5i16.to_be_bytes())),
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
    );
}

#[test]
fn a_producers_stamp_and_the_transactional_bit_are_kept() {
    let stamp = ProducerStamp {
        producer_id: 7,
        producer_epoch: 3,
        base_sequence: 41,
        transactional: true,
    };
    let record = NewRecord {
        value: Some(b"v"),
        ..NewRecord::default()
    };
    let mut bytes = Vec::new();
    write_batch(&[record], Compression::Zstd, Some(stamp), &mut bytes).unwrap();
    let batch = Batch::read(&bytes).unwrap();
    assert!(batch.header.is_transactional());
    assert_eq!(batch.compression, Compression::Zstd);
    let header = batch.header;
    assert_eq!(
        (header.producer_id, header.producer_epoch, header.base_sequence),
        (7, 3, 41)
    );
}

#[test]
fn numbers_before_a_key_are_read_alike_whatever_their_width() {
    // Both sides of one, two and three bytes: a record's first numbers come out of one load when they are short.
    let deltas = [0, -1, 63, 64, -64, -65, 8_191, 8_192, -8_193, 1 << 40];
    let keys: Vec<Option<Vec<u8>>> = [0, 1, 63, 64, 8_191, 8_192]
        .iter()
        .map(|length| Some(vec![7; *length]))
        .chain([None])
        .collect();
    let records: Vec<NewRecord<'_>> = (0..9_000)
        .map(|index| NewRecord {
            timestamp_ms: if index == 0 {
                0
            } else {
                deltas[index % deltas.len()]
            },
            key: keys[index % keys.len()].as_deref(),
            ..NewRecord::default()
        })
        .collect();
    let bytes = batch(&records);
    let read: Vec<_> = Records::new(Batch::read(&bytes).unwrap().records, 9_000)
        .map(|record| record.map(|record| (record.timestamp_delta_ms, record.offset_delta, record.key)))
        .collect::<Result<_, _>>()
        .unwrap();
    let written: Vec<_> = (0..)
        .zip(&records)
        .map(|(index, record)| (record.timestamp_ms, index, record.key))
        .collect();
    assert_eq!(read, written);
}

fn walk(bytes: &[u8], count: i32) -> Result<usize, BatchError> {
    Records::new(bytes, count).try_fold(0, |walked, record| record.map(|_| walked + 1))
}

#[test]
fn more_or_fewer_records_than_counted_are_refused() {
    let bytes = two();
    let records = &bytes[HEADER_LENGTH..];
    assert_eq!(walk(records, 2), Ok(2));
    assert!(walk(records, 1).is_err());
    assert!(walk(records, 3).is_err());
    assert!(walk(records, 0).is_err());
    assert_eq!(walk(&[], -1), Ok(0));
}

#[test]
fn malformed_records_are_refused_at_their_index_and_end_the_walk() {
    for (bytes, what) in [
        (&b"\x01"[..], "record length -1"),
        (b"\x00", "empty record"),
        (b"\x7e\0\0\0\x01\x01\0", "length past the end"),
        (b"\x0c\0\0\0\x01\x03\0", "value length -2"),
        (b"\x0c\0\0\0\x01\x01\x01", "header count -1"),
        (b"\x0c\0\0\0\x01\x01\x02", "a header that is not there"),
        (b"\x10\0\0\0\x01\x01\x02\x01\0", "null header key"),
        (b"\x0e\0\0\0\x01\x01\0\0", "a byte left over in the record"),
        (
            b"\x14\0\0\x80\x80\x80\x80\x10\x01\x01\0",
            "offset delta of 33 bits",
        ),
        (
            b"\x1e\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\0\x01\x01\0",
            "timestamp delta of 65 bits",
        ),
    ] {
        let mut records = Records::new(bytes, 2);
        let error = records.next().unwrap().unwrap_err();
        assert!(error.to_string().starts_with("record 0: "), "{what}: {error}");
        assert_eq!(error.error_code(), ErrorCode::INVALID_RECORD);
        assert!(records.next().is_none(), "{what}");
    }
}

#[test]
fn an_overlong_varint_within_its_width_is_read_as_java_reads_it() {
    // Length 10 in two bytes, offset delta 0 in five.
    let bytes = b"\x94\x00\0\0\x80\x80\x80\x80\0\x01\x01\0";
    assert_eq!(walk(bytes, 1), Ok(1));
}

#[test]
fn two_million_empty_records_are_walked() {
    let bytes = b"\x0c\0\0\0\x01\x01\0".repeat(2_000_000);
    assert_eq!(walk(&bytes, 2_000_000), Ok(2_000_000));
}

#[test]
fn ten_thousand_headers_are_kept_in_their_order() {
    let names: Vec<String> = (0..10_000).map(|n| format!("h{}", n % 7)).collect();
    let headers = names.iter().map(|name| (name.as_bytes(), None)).collect();
    let bytes = batch(&[NewRecord {
        headers,
        ..NewRecord::default()
    }]);
    let batch = Batch::read(&bytes).unwrap();
    let record = Records::new(batch.records, 1).next().unwrap().unwrap();
    assert!(
        record
            .headers
            .iter()
            .map(|header| header.key)
            .eq(names.iter().map(String::as_bytes))
    );
}
