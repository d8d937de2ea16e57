//! The record batch, magic 2 (KIP-98): its header, and the walk over its records. Layout in `docs/wire.md`.
//!
//! What is refused, and with which code, follows a broker: `ByteBufferLogInputStream`,
//! `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`, `LogValidator.validateBatch`,
//! `DefaultRecord.readFrom`.

use super::compression::Compression;
use super::error_code::ErrorCode;
use super::reader::{Reader, WireError};
use super::writer::Writer;
use crc_fast::CrcAlgorithm;
use thiserror::Error;

/// Bytes before the records.
pub const HEADER_LENGTH: usize = 61;
/// Base offset and length: what `BatchHeader::length` does not count.
pub const LOG_OVERHEAD: usize = 12;
/// Where the CRC stands, and where the bytes begin that it covers.
pub const CRC_AT: usize = 17;
pub const CRC_FROM: usize = 21;

const LENGTH_AT: usize = 8;
pub(super) const BASE_SEQUENCE_AT: usize = 53;
pub(super) const MAGIC_AT: usize = 16;
/// The least that a batch of any magic declares (`LegacyRecord.RECORD_OVERHEAD_V0`).
const LENGTH_MIN: i32 = 14;
pub(super) const ATTRIBUTE_CODEC: i16 = 0x07;
/// The timestamp of every record is the batch's maximum, which the broker has set.
pub(super) const ATTRIBUTE_LOG_APPEND_TIME: i16 = 0x08;
pub(super) const ATTRIBUTE_TRANSACTIONAL: i16 = 0x10;
const ATTRIBUTE_CONTROL: i16 = 0x20;

/// The 61 bytes before the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// From byte 12 to the end.
    pub length: i32,
    pub partition_leader_epoch: i32,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub first_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let base_offset = reader.i64()?;
        let length = reader.i32()?;
        let partition_leader_epoch = reader.i32()?;
        let _magic = reader.i8()?;
        Ok(Self {
            base_offset,
            length,
            partition_leader_epoch,
            crc: reader.u32()?,
            attributes: reader.i16()?,
            last_offset_delta: reader.i32()?,
            first_timestamp_ms: reader.i64()?,
            max_timestamp_ms: reader.i64()?,
            producer_id: reader.i64()?,
            producer_epoch: reader.i16()?,
            base_sequence: reader.i32()?,
            record_count: reader.i32()?,
        })
    }

    /// The first 61 bytes of `batch`, whatever they say; none when there are fewer.
    #[must_use]
    pub fn of(batch: &[u8]) -> Option<Self> {
        Self::read(&mut Reader::new(batch)).ok()
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn timestamp_ms_of(&self, record: &Record<'_>) -> i64 {
        if self.attributes & ATTRIBUTE_LOG_APPEND_TIME == 0 {
            self.first_timestamp_ms.wrapping_add(record.timestamp_delta_ms)
        } else {
            self.max_timestamp_ms
        }
    }

    /// Its 61 bytes, magic 2. The length and the CRC are as the fields say: [`seal`] sets both right.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.i64(self.base_offset);
        writer.i32(self.length);
        writer.i32(self.partition_leader_epoch);
        writer.i8(2);
        writer.u32(self.crc);
        writer.i16(self.attributes);
        writer.i32(self.last_offset_delta);
        writer.i64(self.first_timestamp_ms);
        writer.i64(self.max_timestamp_ms);
        writer.i64(self.producer_id);
        writer.i16(self.producer_epoch);
        writer.i32(self.base_sequence);
        writer.i32(self.record_count);
    }

    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & ATTRIBUTE_TRANSACTIONAL != 0
    }

    /// Whether a broker wrote it, to end a transaction.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & ATTRIBUTE_CONTROL != 0
    }
}

/// Why a batch is refused, as a broker would refuse it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BatchError {
    /// Answered with INVALID_RECORD.
    #[error("{0}")]
    Malformed(String),
    /// Not a batch that a checksum could be taken of: answered with CORRUPT_MESSAGE.
    #[error("{0}")]
    Corrupt(String),
    /// Answered with CORRUPT_MESSAGE.
    #[error("CRC is {actual:08x}, the batch says {expected:08x}")]
    Crc { expected: u32, actual: u32 },
    /// A broker fails on this with UNKNOWN_SERVER_ERROR, which says less; UNSUPPORTED_COMPRESSION_TYPE is as final.
    #[error("compression codec {0} is not one of Kafka's")]
    UnknownCodec(u8),
}

impl BatchError {
    /// What a broker answers (`LogValidator`, `DefaultRecordBatch`, `ProduceRequest.validateRecords`).
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) => ErrorCode::INVALID_RECORD,
            Self::Corrupt(_) | Self::Crc { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::UnknownCodec(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        }
    }
}

/// One batch of magic 2, its header, CRC and counts checked.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub header: BatchHeader,
    /// The records part, compressed as [`Self::compression`] says.
    pub records: &'a [u8],
    pub compression: Compression,
}

impl<'a> Batch<'a> {
    /// Reads the one batch that a partition of a Produce request (version ≥ 3) holds.
    ///
    /// # Errors
    /// [`BatchError`] for anything that a broker refuses before it looks into the records: magic other than 2,
    /// lengths, a second batch, CRC, a control batch, counts, an unknown codec.
    pub fn read(bytes: &'a [u8]) -> Result<Self, BatchError> {
        check_single(bytes)?;
        let mut reader = Reader::new(bytes);
        let header = BatchHeader::read(&mut reader).map_err(|_| too_small(bytes.len()))?;
        let records = reader.rest();
        if header.base_offset != 0 {
            return Err(malformed(format!(
                "base offset is {}; a client's batch starts at 0",
                header.base_offset
            )));
        }
        let actual = crc32c(bytes.get(CRC_FROM..).unwrap_or_default());
        if actual != header.crc {
            return Err(BatchError::Crc {
                expected: header.crc,
                actual,
            });
        }
        let codec = (header.attributes & ATTRIBUTE_CODEC) as u8;
        let compression = Compression::of_id(codec).ok_or(BatchError::UnknownCodec(codec))?;
        check_header(&header)?;
        Ok(Self {
            header,
            records,
            compression,
        })
    }
}

/// CRC-32C (Castagnoli), which the format knows as iSCSI's.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// Fills in the length and the CRC of the batch that goes from `start` to the end of `out`.
pub(super) fn seal(out: &mut [u8], start: usize) {
    let Some(batch) = out.get_mut(start..) else { return };
    let length = batch.len().saturating_sub(LOG_OVERHEAD) as u32;
    let crc = crc32c(batch.get(CRC_FROM..).unwrap_or_default());
    put(batch, LENGTH_AT, &length.to_be_bytes());
    put(batch, CRC_AT, &crc.to_be_bytes());
}

/// Writes a field of a batch over.
pub(super) fn put(batch: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(field) = batch.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}

/// What a broker finds when it cuts the bytes into batches: exactly one, of magic 2, whole.
fn check_single(bytes: &[u8]) -> Result<(), BatchError> {
    let (length, magic) = match head(bytes)? {
        Some((length, Some(magic))) if LOG_OVERHEAD + length <= bytes.len() => (length, magic),
        _ => {
            return Err(malformed(format!(
                "no whole record batch in {} bytes",
                bytes.len()
            )));
        }
    };
    if magic != 2 {
        return Err(malformed(format!(
            "magic is {magic}; Produce from version 3 on takes magic 2 only"
        )));
    }
    let end = LOG_OVERHEAD + length;
    if end < HEADER_LENGTH {
        return Err(too_small(end));
    }
    let rest = bytes.get(end..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(());
    }
    match head(rest)? {
        Some((length, Some(_))) if LOG_OVERHEAD + length <= rest.len() => Err(malformed(
            "more than one record batch; Produce from version 3 on takes one a partition".to_owned(),
        )),
        // A broker cuts such a tail off without a word; nobody means to send one.
        _ => Err(BatchError::Corrupt(format!(
            "{} bytes follow the record batch",
            rest.len()
        ))),
    }
}

/// Length and magic of the batch that begins here, as far as there are bytes.
fn head(bytes: &[u8]) -> Result<Option<(usize, Option<i8>)>, BatchError> {
    let Some(start) = bytes.first_chunk::<LOG_OVERHEAD>() else {
        return Ok(None);
    };
    let [_, _, _, _, _, _, _, _, length @ ..] = *start;
    let length = i32::from_be_bytes(length);
    if length < LENGTH_MIN {
        return Err(BatchError::Corrupt(format!(
            "batch length {length} is less than the least, {LENGTH_MIN}"
        )));
    }
    let magic = bytes.get(MAGIC_AT).map(|magic| *magic as i8);
    match magic {
        Some(magic) if !(0..=2).contains(&magic) => Err(BatchError::Corrupt(format!(
            "magic {magic} is not one of Kafka's"
        ))),
        _ => Ok(Some((length as usize, magic))),
    }
}

/// `LogValidator.validateBatch` for a batch from a client.
fn check_header(header: &BatchHeader) -> Result<(), BatchError> {
    let BatchHeader {
        record_count,
        last_offset_delta,
        ..
    } = *header;
    if last_offset_delta < 0 {
        return Err(malformed(format!(
            "last offset delta {last_offset_delta} is negative"
        )));
    }
    if record_count <= 0 {
        return Err(malformed(format!("record count {record_count} is not positive")));
    }
    if i64::from(last_offset_delta) + 1 != i64::from(record_count) {
        return Err(malformed(format!(
            "last offset delta {last_offset_delta} does not fit record count {record_count}"
        )));
    }
    if header.is_control() {
        return Err(malformed("a client may not write control records".to_owned()));
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        return Err(malformed(format!(
            "base sequence {} with producer id {}",
            header.base_sequence, header.producer_id
        )));
    }
    Ok(())
}

#[cold]
fn malformed(message: String) -> BatchError {
    BatchError::Malformed(message)
}

#[cold]
fn too_small(size: usize) -> BatchError {
    BatchError::Corrupt(format!(
        "batch of {size} bytes is smaller than its header of {HEADER_LENGTH}"
    ))
}

pub use super::record::{Header, HeaderIter, Headers, Record, Records};

#[cfg(test)]
mod tests;
