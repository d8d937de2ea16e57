//! Batches as they stand in a log, of every magic: what a Fetch response holds. Layout of magic 2 in `docs/wire.md`.
//!
//! ```text
//! magic 0 and 1 (a message set; KIP-31, KIP-32)
//!   0  offset       8   the message's own; of a compressed one that of the last message in it
//!   8  length       4   from byte 12 to the end
//!  12  CRC-32       4   of byte 16 to the end
//!  16  magic        1
//!  17  attributes   1   codec in the lowest three bits
//!  18  timestamp    8   magic 1 only
//!   .  key, value       length (4, -1 is null), bytes; of a compressed message the value is a message set
//! ```
//! The offsets within a compressed message of magic 1 begin at 0 and have the gaps that compaction has left
//! (`ByteBufferLegacyRecordBatch.DeepRecordsIterator`); within one of magic 0 they are the log's.

use super::batch::{
    ATTRIBUTE_CODEC, BatchError, BatchHeader, CRC_FROM, HEADER_LENGTH, Headers, LOG_OVERHEAD, MAGIC_AT,
    Record, Records, crc32c,
};
use super::compression::{Compression, CompressionError, DecompressionLimits, Decompressor};
use super::reader::{Reader, WireError};
use crc_fast::CrcAlgorithm;
use thiserror::Error;

/// From where on a legacy CRC covers a message.
const LEGACY_CRC_FROM: usize = 16;

/// One record and where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogRecord<'a> {
    pub offset: i64,
    /// Milliseconds since the epoch; -1 where there is none (magic 0).
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// None in a message of the old formats.
    pub headers: Headers<'a>,
}

/// One batch of magic 2, read to its end.
#[derive(Clone, Debug)]
pub enum LogBatch<'a> {
    Data {
        header: BatchHeader,
        records: LogRecords<'a>,
    },
    /// Written by a broker, in the log's own order: a transaction of the header's producer ends here. Its epoch is that
    /// of the transaction's batches or the one after it: always from transaction version 2 on (KIP-890), before when
    /// the coordinator has fenced the producer off.
    Control {
        header: BatchHeader,
        /// None for the other kinds of control record, which no topic of ours has, and when compaction took it out.
        marker: Option<Marker>,
    },
}

/// How a transaction ended (`ControlRecordType`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marker {
    Abort,
    Commit,
}

/// The records of one batch; each has been looked at before.
#[derive(Clone, Debug)]
pub struct LogRecords<'a> {
    header: BatchHeader,
    records: Records<'a>,
}

impl<'a> Iterator for LogRecords<'a> {
    type Item = LogRecord<'a>;

    fn next(&mut self) -> Option<LogRecord<'a>> {
        let record = self.records.next()?.ok()?;
        Some(in_log(&self.header, record))
    }
}

/// Why a batch cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unreadable {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Compression(#[from] CompressionError),
    #[error("a message of the old format ends too early: {0}")]
    Legacy(#[from] WireError),
}

/// How far a walk has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Walked {
    /// The offset after the last batch that was read whole; none when not even one was.
    pub next_offset: Option<i64>,
    /// The batch that could not be read, by its base offset. Those before it were.
    pub failed: Option<(i64, Unreadable)>,
}

/// Hands out every data record of `bytes`, which begin with a batch and may end in the middle of one. Control
/// batches (the ends of transactions) hold none. Offsets before the one that was asked for come too.
pub fn walk(
    bytes: &[u8],
    decompressor: &mut Decompressor,
    limits: DecompressionLimits,
    each: &mut dyn FnMut(LogRecord<'_>),
) -> Walked {
    walk_whole(bytes, &mut |batch| {
        if batch.get(MAGIC_AT) != Some(&2) {
            return walk_message(batch, Some((&mut *decompressor, limits)), each);
        }
        let (header, compressed) = open(batch)?;
        if !header.is_control() {
            for record in records(&header, compressed, decompressor, limits)? {
                each(in_log(&header, record?));
            }
        }
        Ok(after(&header))
    })
}

/// As [`walk`], but by whole batches, those that end transactions too: for a log in which what stands in one batch
/// belongs together, and of which only batches of magic 2 are expected. A batch with a flaw anywhere is not handed out.
pub fn walk_batches(
    bytes: &[u8],
    decompressor: &mut Decompressor,
    limits: DecompressionLimits,
    each: &mut dyn FnMut(LogBatch<'_>),
) -> Walked {
    walk_whole(bytes, &mut |batch| {
        match batch.get(MAGIC_AT) {
            Some(2) => {}
            magic => {
                let magic = magic.map_or(-1, |magic| *magic as i8);
                let why = format!("a batch of magic {magic} stands in a log of magic 2");
                return Err(Unreadable::Batch(BatchError::Malformed(why)));
            }
        }
        let (header, compressed) = open(batch)?;
        let records = records(&header, compressed, decompressor, limits)?;
        let mut first = None;
        for record in records.clone() {
            first.get_or_insert(record?);
        }
        each(if header.is_control() {
            let marker = first.map(|record| marker(record.key)).transpose()?.flatten();
            LogBatch::Control { header, marker }
        } else {
            LogBatch::Data {
                header,
                records: LogRecords { header, records },
            }
        });
        Ok(after(&header))
    })
}

/// Hands `read` one whole batch after another; it returns the offset after the batch.
fn walk_whole(bytes: &[u8], read: &mut dyn FnMut(&[u8]) -> Result<i64, Unreadable>) -> Walked {
    let mut walked = Walked::default();
    let mut rest = bytes;
    while let Some((base_offset, batch, after)) = cut(rest) {
        match read(batch) {
            Ok(next_offset) => walked.next_offset = Some(next_offset),
            Err(why) => {
                walked.failed = Some((base_offset, why));
                return walked;
            }
        }
        rest = after;
    }
    walked
}

/// The offset after the last whole batch, from the headers alone.
#[must_use]
pub fn end_of(bytes: &[u8]) -> Option<i64> {
    let mut end = None;
    let mut rest = bytes;
    while let Some((offset, batch, after)) = cut(rest) {
        let last = match batch.get(MAGIC_AT) {
            Some(2) => BatchHeader::read(&mut Reader::new(batch)).ok()?.last_offset_delta,
            _ => 0,
        };
        end = Some(next_after(offset, last));
        rest = after;
    }
    end
}

fn next_after(base_offset: i64, last_offset_delta: i32) -> i64 {
    base_offset
        .saturating_add(i64::from(last_offset_delta))
        .saturating_add(1)
}

/// The next whole batch: its base offset, its bytes, what follows it. A length that no batch has ends the walk as
/// a batch that is not whole does: the same offset is then fetched again.
fn cut(bytes: &[u8]) -> Option<(i64, &[u8], &[u8])> {
    let mut reader = Reader::new(bytes);
    let base_offset = reader.i64().ok()?;
    let length = usize::try_from(reader.i32().ok()?).ok()?;
    let (batch, after) = bytes.split_at_checked(length.checked_add(LOG_OVERHEAD)?)?;
    (batch.len() > MAGIC_AT).then_some((base_offset, batch, after))
}

/// A batch's header and what follows it, the CRC checked.
fn open(batch: &[u8]) -> Result<(BatchHeader, &[u8]), Unreadable> {
    let mut reader = Reader::new(batch);
    let header = BatchHeader::read(&mut reader)
        .map_err(|_| BatchError::Corrupt(format!("a batch is shorter than its header of {HEADER_LENGTH}")))?;
    let actual = crc32c(batch.get(CRC_FROM..).unwrap_or_default());
    if actual != header.crc {
        return Err(Unreadable::Batch(BatchError::Crc {
            expected: header.crc,
            actual,
        }));
    }
    Ok((header, reader.rest()))
}

fn records<'b>(
    header: &BatchHeader,
    compressed: &'b [u8],
    decompressor: &'b mut Decompressor,
    limits: DecompressionLimits,
) -> Result<Records<'b>, Unreadable> {
    let codec = (header.attributes & ATTRIBUTE_CODEC) as u8;
    let compression = Compression::of_id(codec).ok_or(BatchError::UnknownCodec(codec))?;
    let plain = decompressor.decompress(compression, compressed, limits)?;
    Ok(Records::new(plain, header.record_count))
}

/// The offset after a batch. Compaction leaves the last one as it was, whatever it takes out.
fn after(header: &BatchHeader) -> i64 {
    next_after(header.base_offset, header.last_offset_delta)
}

fn in_log<'a>(header: &BatchHeader, record: Record<'a>) -> LogRecord<'a> {
    let timestamp_ms = header.timestamp_ms_of(&record);
    LogRecord {
        offset: header.base_offset.saturating_add(i64::from(record.offset_delta)),
        timestamp_ms,
        key: record.key,
        value: record.value,
        headers: record.headers,
    }
}

/// The key of a control record: version i16, 0 or later and then longer, and type i16 (`ControlRecordType.parse`).
fn marker(key: Option<&[u8]>) -> Result<Option<Marker>, BatchError> {
    let mut reader = Reader::new(key.unwrap_or_default());
    match (reader.i16(), reader.i16()) {
        (Ok(0..), Ok(0)) => Ok(Some(Marker::Abort)),
        (Ok(0..), Ok(1)) => Ok(Some(Marker::Commit)),
        (Ok(0..), Ok(_)) => Ok(None),
        _ => Err(BatchError::Malformed(
            "the key of a control record is no version and type".to_owned(),
        )),
    }
}

/// A message of magic 0 or 1. `decompress`: none within a compressed message, where there is no second level.
fn walk_message(
    message: &[u8],
    decompress: Option<(&mut Decompressor, DecompressionLimits)>,
    each: &mut dyn FnMut(LogRecord<'_>),
) -> Result<i64, Unreadable> {
    let Message {
        magic,
        attributes,
        record,
    } = Message::read(message)?;
    let next_offset = record.offset.saturating_add(1);
    let codec = attributes & ATTRIBUTE_CODEC as u8;
    let compression = Compression::of_id(codec).ok_or(BatchError::UnknownCodec(codec))?;
    if compression == Compression::None {
        each(record);
        return Ok(next_offset);
    }
    let Some((decompressor, limits)) = decompress else {
        let why = "a compressed message holds a compressed one".to_owned();
        return Err(Unreadable::Batch(BatchError::Malformed(why)));
    };
    let inner = decompressor.decompress(compression, record.value.unwrap_or_default(), limits)?;
    let mut rest = inner;
    let mut last = 0;
    while let Some((offset, _, after)) = cut(rest) {
        last = offset;
        rest = after;
    }
    if !rest.is_empty() {
        let why = format!("{} bytes follow the last message of a compressed one", rest.len());
        return Err(Unreadable::Batch(BatchError::Malformed(why)));
    }
    let base = if magic == 1 {
        record.offset.saturating_sub(last)
    } else {
        0
    };
    rest = inner;
    while let Some((_, message, after)) = cut(rest) {
        walk_message(message, None, &mut |inner| {
            each(LogRecord {
                offset: base.saturating_add(inner.offset),
                ..inner
            });
        })?;
        rest = after;
    }
    Ok(next_offset)
}

struct Message<'a> {
    magic: i8,
    attributes: u8,
    record: LogRecord<'a>,
}

impl<'a> Message<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(message);
        let offset = reader.i64()?;
        let _length = reader.i32()?;
        let expected = reader.u32()?;
        let covered = message.get(LEGACY_CRC_FROM..).unwrap_or_default();
        let actual = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, covered) as u32;
        if actual != expected {
            return Err(Unreadable::Batch(BatchError::Crc { expected, actual }));
        }
        let magic = reader.i8()?;
        let attributes = reader.u8()?;
        let timestamp_ms = match magic {
            0 => -1,
            1 => reader.i64()?,
            _ => {
                let why = format!("magic {magic} is not one of Kafka's");
                return Err(Unreadable::Batch(BatchError::Corrupt(why)));
            }
        };
        let record = LogRecord {
            offset,
            timestamp_ms,
            key: reader.nullable_bytes()?,
            value: reader.nullable_bytes()?,
            headers: Headers::default(),
        };
        reader.finish()?;
        Ok(Self {
            magic,
            attributes,
            record,
        })
    }
}

#[cfg(test)]
mod tests;
