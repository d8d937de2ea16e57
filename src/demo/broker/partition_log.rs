//! One partition: its batches, in the bytes in which they came.

use super::producer_state::ProducerStates;
use crate::wire::batch::BatchHeader;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// There is only ever one leader.
pub const LEADER_EPOCH: i32 = 0;

/// A batch in the log.
pub struct StoredBatch {
    pub base_offset: i64,
    pub last_offset: i64,
    pub max_timestamp_ms: i64,
    /// As the producer sent it; [`PartitionLog::read`] patches base offset and leader epoch on the way out.
    pub bytes: Bytes,
}

#[derive(Default)]
pub struct PartitionLog {
    batches: VecDeque<StoredBatch>,
    start_offset: i64,
    next_offset: i64,
    pub producers: ProducerStates,
}

impl PartitionLog {
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// Also the high watermark and the last stable offset: nothing waits for a replica or a transaction.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    pub fn batches(&self) -> impl Iterator<Item = &StoredBatch> {
        self.batches.iter()
    }

    /// Appends a checked batch and returns its base offset.
    pub fn append(&mut self, header: &BatchHeader, bytes: Bytes) -> i64 {
        let base_offset = self.next_offset;
        let last_offset = base_offset + i64::from(header.last_offset_delta);
        self.batches.push_back(StoredBatch {
            base_offset,
            last_offset,
            max_timestamp_ms: header.max_timestamp_ms,
            bytes,
        });
        self.next_offset = last_offset + 1;
        self.producers.appended(header, base_offset);
        base_offset
    }

    /// Drops the oldest batch and returns how many bytes it held.
    pub fn drop_oldest(&mut self) -> usize {
        let Some(oldest) = self.batches.pop_front() else {
            return 0;
        };
        self.start_offset = oldest.last_offset + 1;
        oldest.bytes.len()
    }

    /// Bytes from `offset` on that a read would find, up to `enough`.
    pub fn available(&self, offset: i64, enough: usize) -> usize {
        let mut bytes = 0;
        for batch in self.from(offset) {
            bytes += batch.bytes.len();
            if bytes >= enough {
                break;
            }
        }
        bytes
    }

    /// Whole batches from the one that holds `offset` on, `bytes_max` at most; with `one_at_least` the first one
    /// is given whatever its size, so that a consumer is never stuck (KIP-74). Null when the offset is out of range.
    pub fn read(&self, offset: i64, bytes_max: usize, one_at_least: bool) -> Option<Bytes> {
        if offset < self.start_offset || offset > self.next_offset {
            return None;
        }
        let mut out = BytesMut::new();
        for batch in self.from(offset) {
            let first = out.is_empty() && one_at_least;
            if !first && out.len() + batch.bytes.len() > bytes_max {
                break;
            }
            out.put_i64(batch.base_offset);
            out.put_slice(batch.bytes.get(8..12).unwrap_or_default());
            out.put_i32(LEADER_EPOCH);
            out.put_slice(batch.bytes.get(16..).unwrap_or_default());
        }
        Some(out.freeze())
    }

    fn from(&self, offset: i64) -> impl Iterator<Item = &StoredBatch> {
        let first = self.batches.partition_point(|batch| batch.last_offset < offset);
        self.batches.range(first..)
    }
}
