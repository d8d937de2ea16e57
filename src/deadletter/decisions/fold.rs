//! One partition of the log as a fold: which decision holds for a batch, what a producer's sequence numbers are shifted
//! by, and which decisions have become dead letters. Every gateway and the projector fold the same records by the same
//! rules, in the order of their offsets, so they agree.
//!
//! - The first decision on a batch holds, unless it was revoked.
//! - A confirmation ends the matter, also after a revocation: a gateway that was refused because it was late, and one that
//!   was not, can both have tried the same batch, and what the broker has taken is taken.
//! - A decision in a transaction is a dead letter when the transaction commits, which a marker in the log tells.

use super::batch::{BatchKey, ProducerPartition};
use super::entry::{Decision, Entry};
use crate::wire::record_indexes::RecordIndexes;
use crate::wire::sequence;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// Confirmed decisions of a producer's epoch that are kept one by one, for retries: more than the five batches that a
/// broker takes twice and a client has in flight.
const KEPT: usize = 16;
/// For what was revoked by one gateway while another was still trying.
const REVOKED_KEPT_MS: i64 = 10 * 60 * 1000;
/// A decision whose batch nobody has answered for by then was given up by its producer.
const OPEN_KEPT_MS: i64 = 60 * 60 * 1000;
/// Brokers forget a producer after a day (`producer.id.expiration.ms`) and a transactional id after a week.
const EPOCH_KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Between two looks at what is too old.
const PRUNE_INTERVAL_MS: i64 = 30 * 1000;

/// A decision that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The offset of its entry: its name.
    pub decision: i64,
    pub dropped: RecordIndexes,
    pub confirmed: bool,
}

/// What an entry or a marker has made certain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settled {
    /// Decisions whose records are dead letters now, by their offset, in order.
    pub dead_letters: Vec<i64>,
    /// Decisions whose records never will be.
    pub dropped: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum State {
    Open,
    Confirmed,
    Revoked { at_ms: i64 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Transaction {
    None,
    /// It has not ended yet.
    Open,
    /// It has: what was not confirmed before is no dead letter, although the batch may turn out to be taken.
    Ended,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    decision: i64,
    at_ms: i64,
    batch: BatchKey,
    #[serde(with = "as_text")]
    dropped: RecordIndexes,
    state: State,
    transaction: Transaction,
}

impl Known {
    fn holds(&self) -> bool {
        !matches!(self.state, State::Revoked { .. })
    }

    fn is_final(&self) -> bool {
        self.state == State::Confirmed && self.transaction != Transaction::Open
    }
}

/// What one epoch of a producer has lost in one partition.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Epoch {
    number: i16,
    touched_ms: i64,
    /// In the order of the log.
    known: Vec<Known>,
    /// Of confirmed decisions that are no longer kept one by one: their drops, and the sequence number after the last.
    older: Option<(u32, i32)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Fold {
    /// The offset after the last record that was folded.
    next_offset: i64,
    /// The latest timestamp in the log.
    clock_ms: i64,
    pruned_ms: i64,
    #[serde(with = "as_pairs")]
    producers: HashMap<ProducerPartition, Vec<Epoch>>,
    /// Decisions that are not final, by offset.
    unsettled: BTreeSet<i64>,
    /// Producer ids of transactions that have not ended, with the partitions that decisions speak of.
    transactions: HashMap<i64, BTreeSet<ProducerPartition>>,
    /// The epochs of the last markers of producers, and when they came.
    ended: HashMap<i64, (i16, i64)>,
}

impl Fold {
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Everything before `offset` is folded, or holds nothing.
    pub fn advance_to(&mut self, offset: i64) {
        self.next_offset = self.next_offset.max(offset);
    }

    /// Where a reader must begin that is to learn of every decision that is not final.
    #[must_use]
    pub fn unsettled_from(&self) -> i64 {
        self.unsettled.first().copied().unwrap_or(self.next_offset)
    }

    /// Whether the decision at this offset may still become dead letters.
    #[must_use]
    pub fn is_unsettled(&self, decision: i64) -> bool {
        self.unsettled.contains(&decision)
    }

    /// Takes in the entry at `offset`.
    pub fn apply(&mut self, offset: i64, timestamp_ms: i64, entry: &Entry) -> Settled {
        self.clock_ms = self.clock_ms.max(timestamp_ms);
        self.advance_to(offset.saturating_add(1 + i64::from(entry.records())));
        let mut settled = Settled::default();
        match entry {
            Entry::Decision(decision) => self.decided(offset, decision),
            Entry::Confirmed { of, decision } => self.confirmed(of, *decision, &mut settled),
            Entry::Revoked { of, decision } => self.revoked(of, *decision),
            Entry::Letters { .. } => settled.dead_letters.push(offset),
        }
        if self.clock_ms - self.pruned_ms > PRUNE_INTERVAL_MS {
            self.prune(&mut settled);
        }
        settled
    }

    /// Takes in the end of a transaction: a control batch. Under transactions v2 it bears the epoch after the
    /// transaction's (KIP-890), before that its own, or the one after when the coordinator ended it.
    pub fn transaction_ended(&mut self, producer_id: i64, epoch: i16, committed: bool) -> Settled {
        let mut settled = Settled::default();
        self.ended.insert(producer_id, (epoch, self.clock_ms));
        let partitions = self.transactions.remove(&producer_id).unwrap_or_default();
        let begun = |epochs: &Vec<Epoch>| {
            let open = |known: &Known| known.transaction == Transaction::Open;
            let epochs = epochs
                .iter()
                .filter(|one| one.number <= epoch && one.known.iter().any(open));
            epochs.map(|one| one.number).max()
        };
        // Of an older epoch are stray copies that were decided on too late.
        let newest = partitions
            .iter()
            .filter_map(|of| self.producers.get(of).and_then(begun))
            .max();
        for of in partitions {
            let epochs = self.producers.get_mut(&of).into_iter().flatten();
            for known in epochs
                .filter(|one| one.number <= epoch)
                .flat_map(|one| &mut one.known)
                .filter(|known| known.transaction == Transaction::Open)
            {
                known.transaction = Transaction::Ended;
                self.unsettled.remove(&known.decision);
                let its_own = newest == Some(known.batch.producer_epoch);
                if committed && its_own && known.state == State::Confirmed {
                    settled.dead_letters.push(known.decision);
                } else {
                    settled.dropped.push(known.decision);
                }
            }
        }
        settled.dead_letters.sort_unstable();
        settled
    }

    /// The decision that holds for a batch.
    #[must_use]
    pub fn held(&self, of: &ProducerPartition, batch: &BatchKey) -> Option<Held> {
        let known = self.epoch(of, batch.producer_epoch)?.known.iter();
        let mut same = known.filter(|known| known.batch == *batch && known.holds());
        same.next().map(|known| Held {
            decision: known.decision,
            dropped: known.dropped.clone(),
            confirmed: known.state == State::Confirmed,
        })
    }

    /// By how much a batch's base sequence is too high for the broker: what was dropped before it in its epoch.
    #[must_use]
    pub fn shift(&self, of: &ProducerPartition, epoch: i16, base_sequence: i32) -> u32 {
        let Some(epoch) = self.epoch(of, epoch) else {
            return 0;
        };
        let older = epoch.older.map_or(0, |(drops, _)| drops);
        epoch
            .known
            .iter()
            .filter(|known| known.holds() && sequence::is_before(known.batch.base_sequence, base_sequence))
            .fold(older, |sum, known| sum.wrapping_add(known.dropped.len()))
    }

    /// Whether a batch is so old that its decision, if there was one, is not known any more. Nobody waits for its answer.
    #[must_use]
    pub fn is_forgotten(&self, of: &ProducerPartition, epoch: i16, base_sequence: i32) -> bool {
        let older = self.epoch(of, epoch).and_then(|epoch| epoch.older);
        older.is_some_and(|(_, end)| sequence::is_before(base_sequence, end))
    }

    /// A decision on another batch that held these sequence numbers, of which nothing has come: it is to be revoked.
    #[must_use]
    pub fn displaced(&self, of: &ProducerPartition, batch: &BatchKey) -> Option<i64> {
        let mut known = self.epoch(of, batch.producer_epoch)?.known.iter();
        let stale = known.find(|known| known.state == State::Open && known.batch.displaces(batch))?;
        Some(stale.decision)
    }

    /// Whether another batch had these sequence numbers, and was taken: this is a stray copy.
    #[must_use]
    pub fn is_stray(&self, of: &ProducerPartition, batch: &BatchKey) -> bool {
        let epoch = self.epoch(of, batch.producer_epoch);
        epoch.is_some_and(|epoch| epoch.is_taken_by_another(batch))
    }

    /// Producer partitions that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    fn epoch(&self, of: &ProducerPartition, epoch: i16) -> Option<&Epoch> {
        let mut epochs = self.producers.get(of)?.iter();
        epochs.find(|one| one.number == epoch)
    }

    fn decided(&mut self, offset: i64, decision: &Decision) {
        let Decision { of, batch, .. } = decision;
        if self.held(of, batch).is_some() || self.is_forgotten(of, batch.producer_epoch, batch.base_sequence)
        {
            return;
        }
        let epochs = self.producers.entry(of.clone()).or_default();
        let position = epochs.iter().position(|one| one.number == batch.producer_epoch);
        let epoch = match position.and_then(|position| epochs.get_mut(position)) {
            Some(epoch) => epoch,
            None => epochs.push_mut(Epoch {
                number: batch.producer_epoch,
                ..Epoch::default()
            }),
        };
        if epoch.is_taken_by_another(batch) {
            return;
        }
        epoch.touched_ms = self.clock_ms;
        epoch.displace(batch, self.clock_ms);
        epoch.known.push(Known {
            decision: offset,
            at_ms: self.clock_ms,
            batch: *batch,
            dropped: decision.dropped.clone(),
            state: State::Open,
            transaction: match self.ended.get(&of.producer_id) {
                _ if !decision.transactional => Transaction::None,
                // With transactions v2, each has its own epoch, and its marker bears the next one.
                Some((ended, _)) if *ended > batch.producer_epoch => Transaction::Ended,
                _ => Transaction::Open,
            },
        });
        let ended = epoch
            .known
            .last()
            .is_some_and(|known| known.transaction == Transaction::Ended);
        if ended {
            return;
        }
        self.unsettled.insert(offset);
        if decision.transactional {
            let partitions = self.transactions.entry(of.producer_id).or_default();
            partitions.insert(of.clone());
        }
    }

    fn confirmed(&mut self, of: &ProducerPartition, decision: i64, settled: &mut Settled) {
        let Some((epoch, index)) = find(&mut self.producers, of, decision) else {
            return;
        };
        let Some(this) = epoch.known.get(index).cloned() else {
            return;
        };
        if this.state == State::Confirmed {
            return;
        }
        let rival = |known: &Known| known.decision != decision && known.batch == this.batch && known.holds();
        if let Some(other) = epoch.known.iter().find(|known| rival(known)) {
            if other.state == State::Confirmed {
                return;
            }
            // Its gateway did not know that the first one's batch was on its way after all.
            let other = other.decision;
            epoch.known.retain(|known| known.decision != other);
            self.unsettled.remove(&other);
            settled.dropped.push(other);
        }
        epoch.touched_ms = self.clock_ms;
        if let Some(known) = epoch.known.iter_mut().find(|known| known.decision == decision) {
            known.state = State::Confirmed;
        }
        epoch.displace(&this.batch, self.clock_ms);
        if this.transaction == Transaction::None {
            self.unsettled.remove(&decision);
            settled.dead_letters.push(decision);
        }
        epoch.shorten();
    }

    fn revoked(&mut self, of: &ProducerPartition, decision: i64) {
        let Some((epoch, index)) = find(&mut self.producers, of, decision) else {
            return;
        };
        if let Some(known) = epoch.known.get_mut(index)
            && known.state == State::Open
        {
            known.state = State::Revoked { at_ms: self.clock_ms };
        }
    }

    /// Forgets what nobody asks for any more, by the log's own clock.
    fn prune(&mut self, settled: &mut Settled) {
        let now = self.clock_ms;
        self.pruned_ms = now;
        let unsettled = &mut self.unsettled;
        self.producers.retain(|_, epochs| {
            let newest = epochs.iter().map(|one| one.number).max().unwrap_or(0);
            epochs.retain_mut(|epoch| {
                epoch.known.retain(|known| {
                    let kept = match known.state {
                        State::Open => now - known.at_ms < OPEN_KEPT_MS,
                        State::Revoked { at_ms } => now - at_ms < REVOKED_KEPT_MS,
                        State::Confirmed => true,
                    };
                    if !kept {
                        unsettled.remove(&known.decision);
                        settled.dropped.push(known.decision);
                    }
                    kept
                });
                let age = now - epoch.touched_ms;
                let final_ones = epoch.known.iter().all(Known::is_final);
                let is_kept =
                    age < EPOCH_KEPT_MS && (epoch.number == newest || age < REVOKED_KEPT_MS || !final_ones);
                if !is_kept {
                    for known in epoch.known.iter().filter(|known| !known.is_final()) {
                        unsettled.remove(&known.decision);
                        settled.dropped.push(known.decision);
                    }
                }
                is_kept
            });
            !epochs.is_empty()
        });
        self.ended.retain(|_, (_, at_ms)| now - *at_ms < REVOKED_KEPT_MS);
        let producers = &self.producers;
        self.transactions.retain(|_, partitions| {
            partitions.retain(|of| producers.contains_key(of));
            !partitions.is_empty()
        });
    }
}

impl Epoch {
    /// Sequence numbers of the batch were those of another one, which the broker has taken.
    fn is_taken_by_another(&self, batch: &BatchKey) -> bool {
        let mut known = self.known.iter();
        known.any(|known| known.state == State::Confirmed && known.batch.displaces(batch))
    }

    /// What the client has numbered anew, as `batch` shows, was not taken under its old number.
    fn displace(&mut self, batch: &BatchKey, now_ms: i64) {
        for known in &mut self.known {
            if known.state == State::Open && known.batch.displaces(batch) {
                known.state = State::Revoked { at_ms: now_ms };
            }
        }
    }

    /// Adds up the oldest confirmed decisions.
    fn shorten(&mut self) {
        while self.known.iter().filter(|known| known.is_final()).count() > KEPT {
            let Some(oldest) = self.known.iter().position(Known::is_final) else {
                return;
            };
            let gone = self.known.remove(oldest);
            let drops = self.older.map_or(0, |(drops, _)| drops);
            let end = sequence::after(gone.batch.base_sequence, gone.batch.record_count);
            self.older = Some((drops.wrapping_add(gone.dropped.len()), end));
        }
    }
}

fn find<'a>(
    producers: &'a mut HashMap<ProducerPartition, Vec<Epoch>>,
    of: &ProducerPartition,
    decision: i64,
) -> Option<(&'a mut Epoch, usize)> {
    producers.get_mut(of)?.iter_mut().find_map(|epoch| {
        let index = epoch.known.iter().position(|known| known.decision == decision)?;
        Some((epoch, index))
    })
}

mod as_text {
    use crate::wire::record_indexes::RecordIndexes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(indexes: &RecordIndexes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(indexes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RecordIndexes, D::Error> {
        let text = String::deserialize(deserializer)?;
        RecordIndexes::parse(&text, u32::MAX).map_err(D::Error::custom)
    }
}

/// JSON has no maps but those whose keys are text.
mod as_pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::HashMap;
    use std::hash::Hash;

    pub fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &HashMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, D, K, V>(deserializer: D) -> Result<HashMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
    {
        let pairs = Vec::<(K, V)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
