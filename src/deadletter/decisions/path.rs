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
        // Also before a decision that is known is acted on: one on an earlier batch may have been written after it.
        if !self.caught_up {
            return Next::CatchUp;
        }
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

#[cfg(test)]
mod tests {
    use super::super::entry::{DeadLetterTopic, Decision, Entry};
    use super::*;

    #[test]
    fn a_known_decision_is_not_acted_on_before_the_log_was_read() {
        let of = ProducerPartition {
            producer_id: 1,
            topic: "orders".into(),
            partition: 0,
        };
        let batch = |base_sequence| BatchKey {
            producer_epoch: 0,
            base_sequence,
            record_count: 10,
            crc: 1,
        };
        let decision = |base_sequence| {
            Entry::Decision(Decision {
                of: of.clone(),
                batch: batch(base_sequence),
                dropped: [0].into_iter().collect(),
                transactional: false,
                target: DeadLetterTopic {
                    name: "orders.dlq".into(),
                    retention_ms: None,
                },
            })
        };
        let passed = Passed::new(1);
        let mut fold = Fold::default();
        fold.apply(0, 0, &decision(10));
        let mut path = Path::new(of.clone(), batch(10), RecordIndexes::default(), false, false);
        assert_eq!(path.next(&fold, &passed), Next::CatchUp);
        // Its first decision was revoked, and the next stands behind that on the later batch.
        fold.apply(2, 0, &decision(0));
        path.caught_up();
        let Next::Go(Plan::Forward { shift, decision, .. }) = path.next(&fold, &passed) else {
            panic!("it is decided on");
        };
        assert_eq!((shift, decision), (1, Some(0)));
    }
}
