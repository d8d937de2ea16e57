//! What a read-committed consumer sees of a log (KIP-98): the batches up to the last stable offset, without those of
//! transactions that were aborted. A Fetch response tells which were; a batch alone does not.
//!
//! As Java's `CompletedFetch`: an aborted transaction begins at its first offset and ends at its producer's next ABORT
//! marker.

use super::compression::{DecompressionLimits, Decompressor};
use super::log::{LogBatch, LogRecord, Marker, Walked, walk_batches};
use std::collections::HashSet;

/// A transaction that was aborted, as a Fetch response names it (`AbortedTransactions`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    /// Where its first batch stands; can be before what was fetched.
    pub first_offset: i64,
}

/// Hands out every committed data record of `bytes`, which were fetched with `aborted` up to the last stable offset.
/// Offsets before the one that was asked for come too.
pub fn walk_committed(
    bytes: &[u8],
    aborted: &[AbortedTransaction],
    decompressor: &mut Decompressor,
    limits: DecompressionLimits,
    each: &mut dyn FnMut(LogRecord<'_>),
) -> Walked {
    let mut later = aborted.to_vec();
    later.sort_unstable_by_key(|transaction| transaction.first_offset);
    let mut later = later.into_iter().peekable();
    // Of the producers whose transaction is open at the batch and will be aborted.
    let mut aborting = HashSet::new();
    walk_batches(bytes, decompressor, limits, &mut |batch| {
        let (LogBatch::Data { header, .. } | LogBatch::Control { header, .. }) = &batch;
        let last_offset = header
            .base_offset
            .saturating_add(i64::from(header.last_offset_delta));
        while let Some(begun) = later.next_if(|transaction| transaction.first_offset <= last_offset) {
            aborting.insert(begun.producer_id);
        }
        match batch {
            LogBatch::Control { header, marker } => {
                if marker == Some(Marker::Abort) {
                    aborting.remove(&header.producer_id);
                }
            }
            LogBatch::Data { header, records } => {
                if !(header.is_transactional() && aborting.contains(&header.producer_id)) {
                    records.for_each(&mut *each);
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::batch::{CRC_AT, CRC_FROM, crc32c};
    use super::super::batch_writer::{NewRecord, ProducerStamp, write_batch};
    use super::super::compression::Compression;
    use super::*;

    const LIMITS: DecompressionLimits = DecompressionLimits {
        bytes_max: 1 << 20,
        ratio_max: 1_000,
    };
    const ATTRIBUTE_CONTROL: u8 = 0x20;
    /// Keys of control records.
    const ABORT: &[u8] = &[0, 0, 0, 0];
    const COMMIT: &[u8] = &[0, 0, 0, 1];

    /// A log in the making: each batch stands after the last.
    #[derive(Default)]
    struct Log {
        bytes: Vec<u8>,
        next_offset: i64,
        found: Vec<i64>,
    }

    impl Log {
        fn batch(mut self, producer_id: i64, transactional: bool, count: usize) -> Self {
            self.append(producer_id, transactional, &vec![&b"key"[..]; count], 0);
            self
        }

        fn end(mut self, producer_id: i64, marker: &[u8]) -> Self {
            self.append(producer_id, true, &[marker], ATTRIBUTE_CONTROL);
            self
        }

        fn append(&mut self, producer_id: i64, transactional: bool, keys: &[&[u8]], attributes: u8) {
            let stamp = ProducerStamp {
                producer_id,
                producer_epoch: 0,
                base_sequence: if attributes == 0 { 0 } else { -1 },
                transactional,
            };
            let records: Vec<_> = keys
                .iter()
                .map(|key| NewRecord {
                    key: Some(key),
                    ..NewRecord::default()
                })
                .collect();
            let start = self.bytes.len();
            write_batch(&records, Compression::None, Some(stamp), &mut self.bytes).unwrap();
            let batch = &mut self.bytes[start..];
            batch[..8].copy_from_slice(&self.next_offset.to_be_bytes());
            batch[22] |= attributes;
            let crc = crc32c(&batch[CRC_FROM..]);
            batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
            self.next_offset += keys.len() as i64;
        }

        /// The offsets that are handed out; `aborted`: producer id, first offset.
        fn committed(mut self, aborted: &[(i64, i64)]) -> Vec<i64> {
            let aborted: Vec<_> = aborted
                .iter()
                .map(|&(producer_id, first_offset)| AbortedTransaction {
                    producer_id,
                    first_offset,
                })
                .collect();
            let found = &mut self.found;
            let walked = walk_committed(
                &self.bytes,
                &aborted,
                &mut Decompressor::default(),
                LIMITS,
                &mut |record| found.push(record.offset),
            );
            assert_eq!(
                (walked.next_offset, walked.failed),
                (Some(self.next_offset), None)
            );
            self.found
        }
    }

    #[test]
    fn an_aborted_transaction_is_left_out_and_the_producers_next_is_not() {
        let log = Log::default()
            .batch(1, true, 2)
            .end(1, ABORT)
            .batch(1, true, 2)
            .end(1, COMMIT);
        assert_eq!(log.committed(&[(1, 0)]), [3, 4]);
    }

    #[test]
    fn a_committed_transaction_before_an_aborted_one_of_the_same_producer_is_read() {
        let log = Log::default()
            .batch(1, true, 2)
            .end(1, COMMIT)
            .batch(1, true, 1)
            .batch(1, true, 1)
            .end(1, ABORT)
            .batch(1, true, 1)
            .end(1, ABORT);
        assert_eq!(log.committed(&[(1, 6), (1, 3)]), [0, 1]);
    }

    #[test]
    fn other_producers_between_are_read() {
        let log = Log::default()
            .batch(1, true, 1)
            .batch(2, true, 1)
            .batch(-1, false, 1)
            .batch(1, false, 1)
            .end(2, COMMIT)
            .batch(1, true, 1)
            .end(1, ABORT);
        assert_eq!(log.committed(&[(1, 0)]), [1, 2, 3]);
    }

    #[test]
    fn a_transaction_that_began_before_what_was_fetched_is_left_out() {
        let log = Log {
            next_offset: 100,
            ..Log::default()
        };
        let log = log.batch(1, true, 1).end(1, ABORT).batch(1, true, 1);
        assert_eq!(log.committed(&[(1, 7)]), [102]);
    }

    #[test]
    fn without_aborted_transactions_everything_but_markers_is_read() {
        let log = Log::default()
            .batch(1, true, 2)
            .end(1, COMMIT)
            .batch(-1, false, 1);
        assert_eq!(log.committed(&[]), [0, 1, 3]);
    }
}
