//! From the log's bytes to its entries and back.

use crate::deadletter::decisions::Entry;
use crate::deadletter::letter::Letter;
use crate::wire::batch_writer::{NewRecord, write_batch};
use crate::wire::compression::{Compression, CompressionError, DecompressionLimits, Decompressor};
use crate::wire::log::{LogBatch, LogRecord, LogRecords, Marker, Walked, walk_batches};
use bytes::Bytes;

/// What gateways write is never larger: a client's batch, decompressed, with headers.
pub const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 256 << 20,
    ratio_max: 1024,
};

/// What stands in the log, in its order.
#[derive(Debug)]
pub enum Item<'a> {
    Entry {
        offset: i64,
        timestamp_ms: i64,
        entry: Entry,
        /// As many as [`Entry::records`] says.
        letters: Vec<LogRecord<'a>>,
    },
    /// The control batch at this offset.
    TransactionEnded {
        offset: i64,
        producer_id: i64,
        epoch: i16,
        committed: bool,
    },
    /// From this record on the rest of its batch says nothing to us.
    Unknown { offset: i64, why: String },
}

/// Hands out what `bytes` hold, as fetched from the log.
pub fn walk(bytes: &[u8], decompressor: &mut Decompressor, each: &mut dyn FnMut(Item<'_>)) -> Walked {
    walk_batches(bytes, decompressor, LIMITS, &mut |batch| match batch {
        LogBatch::Data { records, .. } => walk_records(records, each),
        LogBatch::Control { header, marker } => {
            if let Some(marker) = marker {
                each(Item::TransactionEnded {
                    offset: header.base_offset,
                    producer_id: header.producer_id,
                    epoch: header.producer_epoch,
                    committed: marker == Marker::Commit,
                });
            }
        }
    })
}

fn walk_records(mut records: LogRecords<'_>, each: &mut dyn FnMut(Item<'_>)) {
    while let Some(record) = records.next() {
        let entry = match Entry::decode(record.key, record.value) {
            Ok(entry) => entry,
            Err(why) => {
                each(Item::Unknown {
                    offset: record.offset,
                    why: why.to_string(),
                });
                return;
            }
        };
        let count = entry.records();
        let letters: Vec<LogRecord<'_>> = records.by_ref().take(count as usize).collect();
        if letters.len() != count as usize {
            each(Item::Unknown {
                offset: record.offset,
                why: format!("{count} records are to follow it, and {} do", letters.len()),
            });
            return;
        }
        each(Item::Entry {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            entry,
            letters,
        });
    }
}

/// One batch of `entries`, each with its dead letters behind it. In the log all of it is there or nothing.
///
/// # Errors
/// [`CompressionError`].
pub fn batch(entries: &[(&Entry, &[Letter])], now_ms: i64) -> Result<Bytes, CompressionError> {
    let encoded: Vec<(&[u8], Vec<u8>)> = entries.iter().map(|(entry, _)| entry.encode()).collect();
    let mut records = Vec::new();
    for ((key, value), (_, letters)) in encoded.iter().zip(entries) {
        records.push(NewRecord {
            timestamp_ms: now_ms,
            key: Some(key),
            value: Some(value),
            headers: Vec::new(),
        });
        records.extend(letters.iter().map(Letter::as_new));
    }
    let compression = if letters_are_many(entries) {
        Compression::Lz4
    } else {
        Compression::None
    };
    let mut bytes = Vec::new();
    write_batch(&records, compression, None, &mut bytes)?;
    Ok(bytes.into())
}

/// A few hundred bytes gain nothing.
fn letters_are_many(entries: &[(&Entry, &[Letter])]) -> bool {
    let lengths = entries
        .iter()
        .flat_map(|(_, letters)| letters.iter().map(Letter::length));
    lengths.sum::<usize>() > 1024
}
