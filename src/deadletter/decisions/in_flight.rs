//! The batches of one client connection, in their order: whether one continues where the last ended, and whether those
//! before one that was dropped whole have all been taken. Of that one the broker hears nothing, so it cannot say.

use super::batch::{BatchKey, ProducerPartition};
use crate::wire::sequence;
use std::collections::{HashMap, VecDeque};

/// Producers and partitions that a connection is followed for; a connection has one producer, as a rule.
const FOLLOWED_MAX: usize = 10_000;

/// Names a batch on its connection.
pub type Ticket = u64;

#[derive(Clone, Debug)]
struct Sent {
    ticket: Ticket,
    of: ProducerPartition,
    batch: BatchKey,
    /// One before it on this connection was not taken.
    behind_a_failure: bool,
    /// It goes to nobody.
    refused: bool,
}

impl Sent {
    fn is_after(&self, other: &Self) -> bool {
        self.of == other.of
            && self.batch.producer_epoch == other.batch.producer_epoch
            && sequence::is_before(other.batch.base_sequence, self.batch.base_sequence)
    }
}

/// Where a producer's row is broken in an epoch: the base sequence of the first batch that was not taken. Its client
/// goes back there, or begins another epoch; what it sends before it knows is behind.
#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    producer_epoch: i16,
    /// The broker has not taken it, or not said so.
    at_broker: Option<i32>,
    /// The broker or the gateway has refused it.
    refused: Option<i32>,
}

impl Gap {
    fn is_before(&self, batch: &BatchKey) -> bool {
        let behind =
            |gap: Option<i32>| gap.is_some_and(|base| sequence::is_before(base, batch.base_sequence));
        batch.producer_epoch == self.producer_epoch && (behind(self.at_broker) || behind(self.refused))
    }

    /// The batch comes, after what is missing or in its place.
    fn narrow(&mut self, batch: &BatchKey) {
        let behind = |base: &i32| sequence::is_before(*base, batch.base_sequence);
        if batch.producer_epoch == self.producer_epoch {
            self.at_broker = self.at_broker.filter(behind);
            self.refused = self.refused.filter(behind);
        } else {
            *self = Self::default();
        }
    }

    /// The broker has taken the batch.
    fn close_before(&mut self, batch: &BatchKey) {
        let after = |base: &i32| sequence::is_before(batch.base_sequence, *base);
        if batch.producer_epoch == self.producer_epoch {
            self.at_broker = self.at_broker.filter(after);
            self.refused = self.refused.filter(after);
        }
    }

    fn widen(&mut self, batch: &BatchKey, refused: bool) {
        if batch.producer_epoch != self.producer_epoch {
            *self = Self {
                producer_epoch: batch.producer_epoch,
                ..Self::default()
            };
        }
        let gap = if refused {
            &mut self.refused
        } else {
            &mut self.at_broker
        };
        if gap.is_none_or(|base| sequence::is_before(batch.base_sequence, base)) {
            *gap = Some(batch.base_sequence);
        }
    }

    fn is_none(&self) -> bool {
        self.at_broker.is_none() && self.refused.is_none()
    }
}

#[derive(Clone, Debug, Default)]
pub struct InFlight {
    ends: HashMap<ProducerPartition, (i16, i32)>,
    gaps: HashMap<ProducerPartition, Gap>,
    sent: VecDeque<Sent>,
    next_ticket: Ticket,
}

impl InFlight {
    /// Whether the batch begins where the last of its producer on this connection ended.
    #[must_use]
    pub fn follows_on(&self, of: &ProducerPartition, batch: &BatchKey) -> bool {
        self.ends.get(of) == Some(&(batch.producer_epoch, batch.base_sequence))
    }

    /// Whether one before it was refused, to which the client has not gone back yet: answer
    /// OUT_OF_ORDER_SEQUENCE_NUMBER, and say [`InFlight::refused`]. It is not to be forwarded. A broker that does not know
    /// the producer would take it; and what is refused shifts no more, so that its sequence number is wrong, and if the
    /// copy comes late it may happen to be another batch's.
    #[must_use]
    pub fn is_behind_a_refusal(&self, of: &ProducerPartition, batch: &BatchKey) -> bool {
        self.gaps.get(of).is_some_and(|gap| {
            gap.producer_epoch == batch.producer_epoch
                && gap
                    .refused
                    .is_some_and(|base| sequence::is_before(base, batch.base_sequence))
        })
    }

    /// The batch goes to the broker now, or would if anything were left of it.
    pub fn sent(&mut self, of: &ProducerPartition, batch: &BatchKey) -> Ticket {
        let end = sequence::after(batch.base_sequence, batch.record_count);
        if self.ends.len() >= FOLLOWED_MAX && !self.ends.contains_key(of) {
            self.ends.clear();
        }
        self.ends.insert(of.clone(), (batch.producer_epoch, end));
        self.push(of, batch, false)
    }

    /// The gateway itself refuses a batch.
    pub fn refused(&mut self, of: &ProducerPartition, batch: &BatchKey) -> Ticket {
        self.broken(of);
        let ticket = self.push(of, batch, true);
        self.gap(of, batch, true);
        ticket
    }

    fn push(&mut self, of: &ProducerPartition, batch: &BatchKey, refused: bool) -> Ticket {
        if let Some(gap) = self.gaps.get_mut(of) {
            gap.narrow(batch);
            if gap.is_none() {
                self.gaps.remove(of);
            }
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.sent.push_back(Sent {
            ticket,
            of: of.clone(),
            batch: *batch,
            behind_a_failure: self.gaps.get(of).is_some_and(|gap| gap.is_before(batch)),
            refused,
        });
        ticket
    }

    fn gap(&mut self, of: &ProducerPartition, batch: &BatchKey, refused: bool) {
        if self.gaps.len() >= FOLLOWED_MAX && !self.gaps.contains_key(of) {
            self.gaps.clear();
        }
        let gap = self.gaps.entry(of.clone()).or_default();
        gap.widen(batch, refused);
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

    /// The broker has refused the batch: said at once, before its decision is revoked.
    pub fn turned_down(&mut self, ticket: Ticket) {
        let this = self
            .sent
            .iter()
            .find(|sent| sent.ticket == ticket && !sent.refused);
        let Some(Sent { of, batch, .. }) = this.cloned() else {
            return;
        };
        self.answered(ticket, false);
        self.gap(&of, &batch, true);
    }

    /// The broker has taken the batch or not; of what was dropped whole the caller says it. Answers come in order.
    pub fn answered(&mut self, ticket: Ticket, taken: bool) {
        let Some(position) = self.sent.iter().position(|sent| sent.ticket == ticket) else {
            return;
        };
        let Some(this) = self.sent.remove(position) else {
            return;
        };
        if this.refused {
            return;
        }
        if taken {
            self.taken(&this);
            return;
        }
        self.broken(&this.of);
        self.gap(&this.of, &this.batch, false);
        for later in self.sent.iter_mut().filter(|later| later.is_after(&this)) {
            later.behind_a_failure = true;
        }
    }

    /// Of what comes before it nothing is missing: an answer that was not known is known now.
    fn taken(&mut self, this: &Sent) {
        let mut gap = self.gaps.remove(&this.of).unwrap_or_default();
        gap.close_before(&this.batch);
        for later in self.sent.iter_mut().filter(|later| later.is_after(this)) {
            later.behind_a_failure = gap.is_before(&later.batch);
        }
        if !gap.is_none() {
            self.gaps.insert(this.of.clone(), gap);
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
        assert!(
            !connection.is_behind_a_failure(later),
            "the client went back before it"
        );
    }

    #[test]
    fn what_comes_before_a_client_knows_of_a_failure_is_behind_it() {
        let mut connection = InFlight::default();
        let failed = connection.sent(&of(0), &batch(0));
        connection.answered(failed, false);
        let behind = connection.sent(&of(0), &batch(20));
        assert!(connection.is_behind_a_failure(behind));
        assert!(
            !connection.is_behind_a_refusal(&of(0), &batch(20)),
            "the broker says it"
        );
        let again = connection.sent(&of(0), &batch(0));
        let next = connection.sent(&of(0), &batch(10));
        let behind = [again, next].map(|ticket| connection.is_behind_a_failure(ticket));
        assert_eq!(behind, [false, false]);
    }

    #[test]
    fn what_comes_behind_a_batch_that_the_broker_refused_does_not_go_to_it() {
        let mut connection = InFlight::default();
        let first = connection.sent(&of(0), &batch(0));
        let second = connection.sent(&of(0), &batch(10));
        connection.turned_down(first);
        assert!(connection.is_behind_a_failure(second));
        assert!(connection.is_behind_a_refusal(&of(0), &batch(20)));
        assert!(
            !connection.is_behind_a_refusal(&of(0), &batch(0)),
            "the client goes back"
        );
        connection.answered(first, false);
        connection.sent(&of(0), &batch(0));
        assert!(!connection.is_behind_a_refusal(&of(0), &batch(10)));
    }

    #[test]
    fn a_batch_that_the_broker_takes_has_no_gap_before_it() {
        let mut connection = InFlight::default();
        let unknown = connection.sent(&of(0), &batch(0));
        let next = connection.sent(&of(0), &batch(10));
        connection.answered(unknown, false);
        connection.answered(next, true);
        let later = connection.sent(&of(0), &batch(20));
        assert!(!connection.is_behind_a_failure(later));

        let mut connection = InFlight::default();
        let sent = [0, 10, 20].map(|base| connection.sent(&of(0), &batch(base)));
        connection.answered(sent[0], false);
        assert!(connection.is_behind_a_failure(sent[2]));
        let again = connection.sent(&of(0), &batch(0));
        connection.answered(sent[1], true);
        assert!(!connection.is_behind_a_failure(sent[2]));
        assert!(!connection.is_behind_a_failure(again));
    }

    #[test]
    fn what_comes_before_a_client_has_gone_back_to_a_refused_batch_is_behind_it() {
        let mut connection = InFlight::default();
        let refused = connection.refused(&of(0), &batch(0));
        let behind = connection.sent(&of(0), &batch(10));
        let other = connection.sent(&of(1), &batch(10));
        assert!(connection.is_behind_a_failure(behind) && !connection.is_behind_a_failure(other));
        connection.answered(refused, false);
        assert!(connection.is_behind_a_refusal(&of(0), &batch(20)));
        assert!(connection.is_behind_a_failure(behind));
        let bumped = BatchKey {
            producer_epoch: 1,
            ..batch(20)
        };
        assert!(!connection.is_behind_a_refusal(&of(0), &bumped));
        let after = connection.sent(&of(0), &batch(0));
        assert!(!connection.is_behind_a_failure(after));
        assert!(!connection.is_behind_a_refusal(&of(0), &batch(20)));
    }
}
