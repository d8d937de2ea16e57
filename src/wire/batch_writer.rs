//! Writes record batches of magic 2.

use super::batch::{CRC_AT, CRC_FROM, LOG_OVERHEAD, crc32c};
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

    let mut writer = Writer::new(out);
    writer.i64(0); // Base offset: the broker's to give.
    writer.i32(0); // Length, below.
    writer.i32(-1); // Partition leader epoch: the broker's.
    writer.i8(2); // Magic.
    writer.u32(0); // CRC, below.
    writer.i16(i16::from(compression.id()) | if producer.transactional { 0x10 } else { 0 });
    writer.i32(records.len() as i32 - 1);
    writer.i64(first_timestamp_ms);
    writer.i64(max_timestamp_ms);
    writer.i64(producer.producer_id);
    writer.i16(producer.producer_epoch);
    writer.i32(producer.base_sequence);
    writer.i32(records.len() as i32);

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

/// Fills in the length and the CRC of the batch that goes from `start` to the end of `out`.
fn seal(out: &mut [u8], start: usize) {
    let Some(batch) = out.get_mut(start..) else { return };
    let length = batch.len().saturating_sub(LOG_OVERHEAD) as u32;
    let crc = crc32c(batch.get(CRC_FROM..).unwrap_or_default());
    if let Some(field) = batch.get_mut(LOG_OVERHEAD - 4..LOG_OVERHEAD) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    if let Some(field) = batch.get_mut(CRC_AT..CRC_FROM) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
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

fn nullable_length(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varlong_length(bytes.len() as i64) + bytes.len())
}

fn write_nullable(writer: &mut Writer<'_>, bytes: Option<&[u8]>) {
    match bytes {
        None => writer.varint(-1),
        Some(bytes) => {
            writer.varint(bytes.len() as i32);
            writer.raw(bytes);
        }
    }
}
