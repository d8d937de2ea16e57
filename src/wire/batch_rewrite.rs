//! Writes a client's batch anew: another base sequence, without some of its records, or with bytes added to some.
//!
//! What is not asked for stays bit for bit: record attributes, timestamps, keys, values, headers (duplicates, null
//! values), and of the batch the codec, the timestamp type, the transactional bit, producer id and epoch.
//!
//! - **Offset deltas** count from 0 without a gap. Of a batch that is not compressed, a broker takes them as they are
//!   (`LogValidator.assignOffsetsNonCompressed`); a compressed one with others it compresses anew.
//! - **First timestamp** stays, with every delta, also when the first record is dropped. Nothing needs it to be a
//!   record's own: every reader adds the delta to it, and after compaction it is "in most cases" only
//!   (`DefaultRecordBatch`). Deltas to another record could be longer than those that the client sent, so that a
//!   batch grew by losing a record.
//! - **Max timestamp** is that of the records left, and at least -1, as `LogValidator` works it out; a broker then has
//!   nothing to set right. With the timestamp type LogAppendTime it is every record's own time, and stays.

use super::batch::{
    ATTRIBUTE_LOG_APPEND_TIME, BASE_SEQUENCE_AT, Batch, BatchError, BatchHeader, Header, put, seal,
};
use super::batch_writer::{nullable_length, write_nullable};
use super::compression::{CompressionError, compress, compress_harder};
use super::record::{Flaw, Pieces, content, left_over, pieces};
use super::writer::{Writer, varlong_length};
use thiserror::Error;

/// What becomes of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordEdit<'e> {
    Keep,
    Drop,
    Add(Addition<'e>),
}

/// What a record gets on top of what it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Addition<'e> {
    /// Put before the key. A null key stays null.
    pub key_prefix: &'e [u8],
    /// Put before the value. A null value (a tombstone) stays null.
    pub value_prefix: &'e [u8],
    /// Put after the record's own headers.
    pub header: Option<Header<'e>>,
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rewritten {
    pub record_count: u32,
    /// Bytes of the whole batch: what a broker holds against `max.message.bytes`.
    pub length: usize,
}

/// Why a batch was not written anew. Nothing is then added to the output.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum RewriteError {
    /// There is no batch without records: its caller answers for it, and forwards nothing.
    #[error("no record is left")]
    NothingKept,
    #[error("with what is added, the records come to more than {plain_length_max} bytes")]
    TooLarge { plain_length_max: usize },
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// What may be compressed a second time, harder: a third of a second at most on one core, and what compresses
/// fourfold into a broker's default `max.message.bytes`, 1 MiB.
const HARDER_LENGTH_MAX: usize = 4 * 1024 * 1024;

/// Appends `batch` with another base sequence to `out`; only the CRC changes with it, and nothing is decompressed.
/// `batch`: exactly what [`Batch::read`] took.
pub fn with_base_sequence(batch: &[u8], base_sequence: i32, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(batch);
    let copy = out.get_mut(start..).unwrap_or_default();
    put(copy, BASE_SEQUENCE_AT, &base_sequence.to_be_bytes());
    seal(out, start);
}

/// Appends `batch` to `out` with what `edit` says of each record, by its index from 0.
///
/// `plain`: the batch's records, decompressed, and walked before: what is copied is not looked into again.
/// `plain_length_max`: the most bytes that the records may come to before they are compressed.
///
/// Another compressor may need more bytes than the client's did, or the client may have asked for a level above the
/// default. So that a batch does not outgrow `max.message.bytes` by losing a record, gzip and zstd then compress a second
/// time at a higher level, and snappy without framing (up to 4 MiB of records); the smaller of the two is taken. It may
/// still be larger; [`Rewritten::length`] says so.
pub fn rewrite_batch<'e>(
    batch: &Batch<'_>,
    plain: &[u8],
    base_sequence: i32,
    plain_length_max: usize,
    edit: impl FnMut(u32) -> RecordEdit<'e>,
    out: &mut Vec<u8>,
) -> Result<Rewritten, RewriteError> {
    let kept = Kept::of(batch, plain, plain_length_max, edit)?;
    let header = BatchHeader {
        last_offset_delta: kept.count - 1,
        max_timestamp_ms: kept.max_timestamp_ms,
        base_sequence,
        record_count: kept.count,
        ..batch.header
    };
    let added = kept.plain.len().saturating_sub(plain.len());
    let start = out.len();
    header.write(out);
    if let Err(error) = write_compressed(batch, &kept.plain, batch.records.len() + added, out) {
        out.truncate(start);
        return Err(error.into());
    }
    seal(out, start);
    Ok(Rewritten {
        record_count: kept.count as u32,
        length: out.len() - start,
    })
}

/// `length_wanted`: the bytes that the client's compressor would have needed at most, as far as one can say.
fn write_compressed(
    batch: &Batch<'_>,
    plain: &[u8],
    length_wanted: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let start = out.len();
    compress(batch.compression, plain, out)?;
    let length = out.len() - start;
    if length <= length_wanted || plain.len() > HARDER_LENGTH_MAX {
        return Ok(());
    }
    let mut smaller = Vec::new();
    if compress_harder(batch.compression, plain, &mut smaller)? && smaller.len() < length {
        out.truncate(start);
        out.extend_from_slice(&smaller);
    }
    Ok(())
}

/// The records that are left, not yet compressed.
struct Kept {
    plain: Vec<u8>,
    count: i32,
    max_timestamp_ms: i64,
}

impl Kept {
    fn of<'e>(
        batch: &Batch<'_>,
        plain: &[u8],
        plain_length_max: usize,
        mut edit: impl FnMut(u32) -> RecordEdit<'e>,
    ) -> Result<Self, RewriteError> {
        let BatchHeader {
            attributes,
            first_timestamp_ms,
            max_timestamp_ms,
            record_count,
            ..
        } = batch.header;
        // Lengths of batches and records are i32.
        let plain_length_max = plain_length_max.min(i32::MAX as usize);
        let record_count = u32::try_from(record_count).unwrap_or(0);
        let mut kept = Self {
            plain: Vec::with_capacity(plain.len().min(plain_length_max)),
            count: 0,
            max_timestamp_ms: -1,
        };
        let mut rest = plain;
        for index in 0..record_count {
            let (record, after) = pieces(rest).map_err(|flaw| flaw.of(index))?;
            rest = after;
            let length_left = plain_length_max.saturating_sub(kept.plain.len());
            let new = match edit(index) {
                RecordEdit::Drop => continue,
                RecordEdit::Keep => New::moved(record, kept.count),
                RecordEdit::Add(addition) => {
                    New::with(record, kept.count, addition).map_err(|flaw| flaw.of(index))?
                }
            };
            if new.length() > length_left {
                return Err(RewriteError::TooLarge { plain_length_max });
            }
            new.write(&mut kept.plain);
            kept.count += 1;
            // Wraps as every reader's addition does.
            let timestamp_ms = first_timestamp_ms.wrapping_add(record.timestamp_delta_ms);
            kept.max_timestamp_ms = kept.max_timestamp_ms.max(timestamp_ms);
        }
        if !rest.is_empty() {
            return Err(left_over(rest, record_count).into());
        }
        if kept.count == 0 {
            return Err(RewriteError::NothingKept);
        }
        if attributes & ATTRIBUTE_LOG_APPEND_TIME != 0 {
            kept.max_timestamp_ms = max_timestamp_ms;
        }
        Ok(kept)
    }
}

/// One record as it will be written.
struct New<'a> {
    record: Pieces<'a>,
    offset_delta: i32,
    added: Option<Added<'a>>,
}

/// The content of a record that gets something more.
struct Added<'a> {
    addition: Addition<'a>,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    header_count: i32,
    headers: &'a [u8],
}

impl<'a> New<'a> {
    fn moved(record: Pieces<'a>, offset_delta: i32) -> Self {
        Self {
            record,
            offset_delta,
            added: None,
        }
    }

    fn with(record: Pieces<'a>, offset_delta: i32, addition: Addition<'a>) -> Result<Self, Flaw> {
        let (key, value, header_count, headers) = content(record.content)?;
        Ok(Self {
            record,
            offset_delta,
            added: Some(Added {
                addition,
                key,
                value,
                header_count,
                headers,
            }),
        })
    }

    fn is_as_it_was(&self) -> bool {
        self.added.is_none() && self.record.offset_delta == self.offset_delta
    }

    fn length(&self) -> usize {
        if self.is_as_it_was() {
            return self.record.whole.len();
        }
        let body = self.body_length();
        varlong_length(body as i64) + body
    }

    fn body_length(&self) -> usize {
        let content = self
            .added
            .as_ref()
            .map_or(self.record.content.len(), Added::length);
        self.record.head.len() + varlong_length(i64::from(self.offset_delta)) + content
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        if self.is_as_it_was() {
            writer.raw(self.record.whole);
            return;
        }
        writer.varint(self.body_length() as i32);
        writer.raw(self.record.head);
        writer.varint(self.offset_delta);
        match &self.added {
            None => writer.raw(self.record.content),
            Some(added) => added.write(&mut writer),
        }
    }
}

impl Added<'_> {
    fn length(&self) -> usize {
        let Addition {
            key_prefix,
            value_prefix,
            header,
        } = self.addition;
        let header = header.map_or(0, |header| {
            nullable_length(Some(header.key)) + nullable_length(header.value)
        });
        prefixed_length(key_prefix, self.key)
            + prefixed_length(value_prefix, self.value)
            + varlong_length(i64::from(self.header_count_after()))
            + self.headers.len()
            + header
    }

    fn header_count_after(&self) -> i32 {
        self.header_count
            .saturating_add(i32::from(self.addition.header.is_some()))
    }

    fn write(&self, writer: &mut Writer<'_>) {
        write_prefixed(writer, self.addition.key_prefix, self.key);
        write_prefixed(writer, self.addition.value_prefix, self.value);
        writer.varint(self.header_count_after());
        writer.raw(self.headers);
        if let Some(header) = self.addition.header {
            write_nullable(writer, Some(header.key));
            write_nullable(writer, header.value);
        }
    }
}

fn prefixed_length(prefix: &[u8], bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| {
        let length = prefix.len() + bytes.len();
        varlong_length(length as i64) + length
    })
}

fn write_prefixed(writer: &mut Writer<'_>, prefix: &[u8], bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else {
        return write_nullable(writer, None);
    };
    writer.varint((prefix.len() + bytes.len()) as i32);
    writer.raw(prefix);
    writer.raw(bytes);
}

#[cfg(test)]
mod tests;
