//! The batches of one client connection, in their order: whether one continues where the last ended, and whether those
//! before one that was dropped whole have all been taken. Of that one the broker hears nothing, so it cannot say.

use super::batch::{BatchKey, ProducerPartition};
use super::sequence;
use std::collections::{HashMap, VecDeque};

/// Producers and partitions that a connection is followed for; a connection has one producer, as a rule.
const FOLLOWED_MAX: usize = 10_000;

/// Names a batch on its connection.
pub type Ticket = u64;

#[derive(Clone, Debug)]
struct Sent {
    ticket: Ticket,
    of: ProducerPartition,
    /// One before it on this connection was not taken.
    behind_a_failure: bool,
    /// It goes to nobody; its client has not been told yet.
    refused: bool,
}

#[derive(Clone, Debug, Default)]
pub struct InFlight {
    ends: HashMap<ProducerPartition, (i16, i32)>,
    sent: VecDeque<Sent>,
    next_ticket: Ticket,
}

impl InFlight {
    /// Whether the batch begins where the last of its producer on this connection ended.
    #[must_use]
    pub fn follows_on(&self, of: &ProducerPartition, batch: &BatchKey) -> bool {
        self.ends.get(of) == Some(&(batch.producer_epoch, batch.base_sequence))
    }

    /// The batch goes to the broker now, or would if anything were left of it.
    pub fn sent(&mut self, of: &ProducerPartition, batch: &BatchKey) -> Ticket {
        let end = sequence::after(batch.base_sequence, batch.record_count);
        if self.ends.len() >= FOLLOWED_MAX && !self.ends.contains_key(of) {
            self.ends.clear();
        }
        self.ends.insert(of.clone(), (batch.producer_epoch, end));
        self.push(of, false)
    }

    /// The gateway itself refuses a batch: those that come before its client knows are behind a failure.
    pub fn refused(&mut self, of: &ProducerPartition) -> Ticket {
        self.broken(of);
        self.push(of, true)
    }

    fn push(&mut self, of: &ProducerPartition, refused: bool) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.sent.push_back(Sent {
            ticket,
            of: of.clone(),
            behind_a_failure: self.sent.iter().any(|sent| sent.refused && sent.of == *of),
            refused,
        });
        ticket
    }

    /// What was not sent, or was refused, breaks the row: the next batch has to look at the log.
    pub fn broken(&mut self, of: &ProducerPartition) {
        self.ends.remove(of);
    }

    /// Whether one before it on this connection was not taken.
    #[must_use]
    pub fn is_behind_a_failure(&self, ticket: Ticket) -> bool {
        self.sent
            .iter()
            .any(|sent| sent.ticket == ticket && sent.behind_a_failure)
    }

    /// The broker has taken the batch or not; of what was dropped whole the caller says it. Answers come in order.
    pub fn answered(&mut self, ticket: Ticket, taken: bool) {
        let Some(position) = self.sent.iter().position(|sent| sent.ticket == ticket) else {
            return;
        };
        let Some(this) = self.sent.remove(position) else {
            return;
        };
        if taken {
            return;
        }
        self.broken(&this.of);
        for later in self.sent.iter_mut().filter(|later| later.of == this.of) {
            later.behind_a_failure = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(partition: i32) -> ProducerPartition {
        ProducerPartition {
            producer_id: 1,
            topic: "orders".into(),
            partition,
        }
    }

    fn batch(base_sequence: i32) -> BatchKey {
        BatchKey {
            producer_epoch: 0,
            base_sequence,
            record_count: 10,
            crc: 1,
        }
    }

    #[test]
    fn a_batch_follows_on_where_the_last_one_ended_in_its_epoch() {
        let mut connection = InFlight::default();
        assert!(!connection.follows_on(&of(0), &batch(0)));
        connection.sent(&of(0), &batch(i32::MAX - 9));
        assert!(connection.follows_on(&of(0), &batch(0)));
        assert!(!connection.follows_on(&of(1), &batch(0)));
        let bumped = BatchKey {
            producer_epoch: 1,
            ..batch(0)
        };
        assert!(!connection.follows_on(&of(0), &bumped));
        connection.broken(&of(0));
        assert!(!connection.follows_on(&of(0), &batch(0)));
    }

    #[test]
    fn what_was_sent_behind_a_failure_knows() {
        let mut connection = InFlight::default();
        let first = connection.sent(&of(0), &batch(0));
        let second = connection.sent(&of(0), &batch(10));
        let other = connection.sent(&of(1), &batch(0));
        connection.answered(first, false);
        let later = connection.sent(&of(0), &batch(0));
        let behind = [second, other, later].map(|ticket| connection.is_behind_a_failure(ticket));
        assert_eq!(behind, [true, false, false]);
        connection.answered(second, false);
        assert!(connection.is_behind_a_failure(later));
    }

    #[test]
    fn what_comes_before_a_client_knows_of_a_refusal_is_behind_it() {
        let mut connection = InFlight::default();
        let refused = connection.refused(&of(0));
        let behind = connection.sent(&of(0), &batch(10));
        let other = connection.sent(&of(1), &batch(10));
        assert!(connection.is_behind_a_failure(behind) && !connection.is_behind_a_failure(other));
        connection.answered(refused, false);
        let after = connection.sent(&of(0), &batch(0));
        assert!(connection.is_behind_a_failure(behind) && !connection.is_behind_a_failure(after));
    }
}
