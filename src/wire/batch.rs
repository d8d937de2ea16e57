//! The record batch, magic 2: its header, and the walk over its records. Layout in `docs/wire.md`.

use super::compression::Compression;
use super::error_code::ErrorCode;
use thiserror::Error;

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

/// Why a batch is refused, as a broker would refuse it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BatchError {
    #[error("{0}")]
    Malformed(String),
    /// Answered with CORRUPT_MESSAGE.
    #[error("CRC is {actual:08x}, the batch says {expected:08x}")]
    Crc { expected: u32, actual: u32 },
}

impl BatchError {
    /// What a broker answers (`LogValidator`, `DefaultRecordBatch`, `ProduceRequest.validateRecords`).
    #[must_use]
    pub fn error_code(&self) -> ErrorCode {
        todo!()
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
    pub fn read(_bytes: &'a [u8]) -> Result<Self, BatchError> {
        todo!()
    }
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.header.attributes & 0x10 != 0
    }
}

/// One record, borrowed from its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    pub offset_delta: i32,
    pub timestamp_delta_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Read on demand with [`Headers`]; already walked once, so counts and lengths hold.
    pub headers: Headers<'a>,
}

/// The headers of a record, in their order, duplicates and null values kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Headers<'a> {
    pub count: u32,
    pub bytes: &'a [u8],
}

/// Walks decompressed records. Linear time, no memory a record. Ends after `record_count` records, or with the
/// first error; bytes left over after the last one are an error too.
pub struct Records<'a> {
    _bytes: &'a [u8],
}

impl<'a> Records<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8], _record_count: i32) -> Self {
        Self { _bytes: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;
    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
