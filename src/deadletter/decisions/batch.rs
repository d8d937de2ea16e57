//! What a batch is told from others by.

use crate::wire::sequence;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One producer's records of one partition: what sequence numbers count.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ProducerPartition {
    pub producer_id: i64,
    pub topic: Arc<str>,
    pub partition: i32,
}

impl ProducerPartition {
    /// Which of the log's `partitions` holds the decisions on these records, the same one at every gateway.
    #[must_use]
    pub fn log_partition(&self, partitions: i32) -> i32 {
        // FNV-1a: stable across versions and machines, which std's hashers do not promise.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let id = self.producer_id.to_be_bytes();
        let partition = self.partition.to_be_bytes();
        for byte in id.iter().chain(&partition).chain(self.topic.as_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let partitions = u64::from(partitions.max(1).unsigned_abs());
        i32::try_from((hash ^ (hash >> 32)) % partitions).unwrap_or(0)
    }
}

/// A batch of a [`ProducerPartition`]. A base sequence can name another batch later, in the same epoch: Java renumbers
/// after a refusal in a transaction, and splits a batch that is too large.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct BatchKey {
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: u32,
    /// Of the batch as the client sent it.
    pub crc: u32,
}

impl BatchKey {
    /// Whether both have records of the same sequence numbers, and are not the same: then the client has numbered one of
    /// them anew, because the other was refused.
    #[must_use]
    pub fn displaces(&self, other: &Self) -> bool {
        let (one, another) = (self.base_sequence, other.base_sequence);
        self.producer_epoch == other.producer_epoch
            && self != other
            && (sequence::distance(one, another) < self.record_count
                || sequence::distance(another, one) < other.record_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_the_log_never_changes() {
        let of = |producer_id, topic: &str, partition| ProducerPartition {
            producer_id,
            topic: topic.into(),
            partition,
        };
        // Written down: another answer after an upgrade would hide every decision that was made before.
        let found: Vec<i32> = [
            of(0, "orders", 0),
            of(0, "orders", 1),
            of(4_000_000, "orders", 0),
            of(7, "a", 3),
        ]
        .iter()
        .map(|of| of.log_partition(8))
        .collect();
        assert_eq!(found, PINNED);
        assert_eq!(of(5, "x", 1).log_partition(1), 0);
    }

    const PINNED: [i32; 4] = [7, 2, 3, 2];
}
