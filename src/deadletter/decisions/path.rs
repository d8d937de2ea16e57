//! One batch's way to the broker, step by step. Whoever drives it does what [`Path::next`] says and tells what came of it.

use super::batch::{BatchKey, ProducerPartition};
use super::fold::Fold;
use super::passed::Passed;
use crate::wire::record_indexes::RecordIndexes;

/// What is to be done next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Read the log as far as it goes now: another gateway may have had this producer before.
    CatchUp,
    /// Add the log's partition to the producer's transaction, so that its end is marked there.
    JoinTransaction,
    /// Write the decision with the bad records, and fold the log as far as that.
    Decide,
    /// Revoke this decision, on a batch that had sequence numbers of this one before its client numbered it anew, and
    /// fold the log as far as that.
    Revoke(i64),
    Go(Plan),
}

/// What becomes of the batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Plan {
    /// Without `dropped`, and with its base sequence lower by `shift`, to the broker.
    Forward {
        shift: u32,
        dropped: RecordIndexes,
        /// The decision to confirm or revoke, where there is one.
        decision: Option<i64>,
    },
    /// Nothing is left of it: it is taken when everything before it was.
    DroppedWhole { decision: i64, confirmed: bool },
    /// A stray copy of a batch from long ago: OUT_OF_ORDER_SEQUENCE_NUMBER, as a broker would say.
    Forgotten,
}

/// A batch of a producer with sequence numbers, on its way.
#[derive(Clone, Debug)]
pub struct Path {
    pub of: ProducerPartition,
    pub batch: BatchKey,
    /// What the policy says today; what holds may be an older decision.
    pub bad: RecordIndexes,
    transactional: bool,
    caught_up: bool,
    joined: bool,
}

impl Path {
    /// `follows_on`: on this connection the batch continues where the last one ended, so no other gateway can have had a
    /// batch in between.
    #[must_use]
    pub fn new(
        of: ProducerPartition,
        batch: BatchKey,
        bad: RecordIndexes,
        transactional: bool,
        follows_on: bool,
    ) -> Self {
        Self {
            of,
            batch,
            bad,
            transactional,
            caught_up: follows_on,
            joined: false,
        }
    }

    pub fn caught_up(&mut self) {
        self.caught_up = true;
    }

    pub fn joined_transaction(&mut self) {
        self.joined = true;
    }

    #[must_use]
    pub fn next(&self, fold: &Fold, passed: &Passed) -> Next {
        let BatchKey {
            producer_epoch,
            base_sequence,
            record_count,
            ..
        } = self.batch;
        if let Some(held) = fold.held(&self.of, &self.batch) {
            return Next::Go(if held.dropped.len() == record_count {
                Plan::DroppedWhole {
                    decision: held.decision,
                    confirmed: held.confirmed,
                }
            } else {
                Plan::Forward {
                    shift: fold.shift(&self.of, producer_epoch, base_sequence),
                    dropped: held.dropped,
                    decision: Some(held.decision),
                }
            });
        }
        if !self.caught_up {
            return Next::CatchUp;
        }
        if fold.is_forgotten(&self.of, producer_epoch, base_sequence) || fold.is_stray(&self.of, &self.batch)
        {
            return Next::Go(Plan::Forgotten);
        }
        if let Some(stale) = fold.displaced(&self.of, &self.batch) {
            return Next::Revoke(stale);
        }
        if self.bad.is_empty() || passed.contains(&self.of, &self.batch) {
            return Next::Go(Plan::Forward {
                shift: fold.shift(&self.of, producer_epoch, base_sequence),
                dropped: RecordIndexes::default(),
                decision: None,
            });
        }
        if self.transactional && !self.joined {
            return Next::JoinTransaction;
        }
        Next::Decide
    }
}
