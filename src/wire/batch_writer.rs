//! Writes record batches of magic 2.

use super::batch::{ATTRIBUTE_TRANSACTIONAL, BatchHeader, seal};
use super::compression::{Compression, CompressionError, compress};
use super::writer::{Writer, varlong_length};

/// A record to be written. `headers`: key, value; order and duplicates kept. The key should be UTF-8, but a header that
/// is copied from a record is whatever it was.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewRecord<'a> {
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

/// Who writes: producer id, epoch and base sequence, or none (-1, -1, -1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerStamp {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub transactional: bool,
}

/// Appends one batch of `records` (offset deltas from 0) to `out`.
pub fn write_batch(
    records: &[NewRecord<'_>],
    compression: Compression,
    producer: Option<ProducerStamp>,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let none = ProducerStamp {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        transactional: false,
    };
    let producer = producer.unwrap_or(none);
    let first_timestamp_ms = records.first().map_or(-1, |record| record.timestamp_ms);
    let max_timestamp_ms = records
        .iter()
        .map(|record| record.timestamp_ms)
        .max()
        .unwrap_or(-1);
    let start = out.len();

    let transactional = if producer.transactional {
        ATTRIBUTE_TRANSACTIONAL
    } else {
        0
    };
    BatchHeader {
        // The broker's to give, as the leader epoch.
        base_offset: 0,
        partition_leader_epoch: -1,
        length: 0,
        crc: 0,
        attributes: i16::from(compression.id()) | transactional,
        last_offset_delta: records.len() as i32 - 1,
        first_timestamp_ms,
        max_timestamp_ms,
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        base_sequence: producer.base_sequence,
        record_count: records.len() as i32,
    }
    .write(out);
    if compression == Compression::None {
        write_records(records, first_timestamp_ms, out);
    } else {
        let mut plain = Vec::new();
        write_records(records, first_timestamp_ms, &mut plain);
        compress(compression, &plain, out)?;
    }
    seal(out, start);
    Ok(())
}

fn write_records(records: &[NewRecord<'_>], first_timestamp_ms: i64, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    for (index, record) in records.iter().enumerate() {
        // Wraps as Java's subtraction does; the reader's addition wraps back.
        let timestamp_delta = record.timestamp_ms.wrapping_sub(first_timestamp_ms);
        writer.varint(body_length(record, timestamp_delta, index) as i32);
        writer.i8(0); // Attributes: unused.
        writer.varlong(timestamp_delta);
        writer.varint(index as i32);
        write_nullable(&mut writer, record.key);
        write_nullable(&mut writer, record.value);
        writer.varint(record.headers.len() as i32);
        for (key, value) in &record.headers {
            write_nullable(&mut writer, Some(key));
            write_nullable(&mut writer, *value);
        }
    }
}

fn body_length(record: &NewRecord<'_>, timestamp_delta: i64, index: usize) -> usize {
    let headers: usize = record
        .headers
        .iter()
        .map(|(key, value)| nullable_length(Some(key)) + nullable_length(*value))
        .sum();
    1 + varlong_length(timestamp_delta)
        + varlong_length(index as i64)
        + nullable_length(record.key)
        + nullable_length(record.value)
        + varlong_length(record.headers.len() as i64)
        + headers
}

/// Bytes that [`write_nullable`] takes.
pub(super) fn nullable_length(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varlong_length(bytes.len() as i64) + bytes.len())
}

/// A key or a value: length as VARINT, -1 for null, and the bytes.
pub(super) fn write_nullable(writer: &mut Writer<'_>, bytes: Option<&[u8]>) {
    match bytes {
        None => writer.varint(-1),
        Some(bytes) => {
            writer.varint(bytes.len() as i32);
            writer.raw(bytes);
        }
    }
}
