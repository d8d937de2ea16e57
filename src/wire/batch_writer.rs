//! Writes record batches of magic 2.

use super::compression::{Compression, CompressionError};

/// A record to be written. `headers`: key, value; order and duplicates kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewRecord<'a> {
    pub timestamp_ms: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
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
    _records: &[NewRecord<'_>],
    _compression: Compression,
    _producer: Option<ProducerStamp>,
    _out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    todo!()
}
