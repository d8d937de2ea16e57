//! What one partition of the log still owes to the dead-letter topics: the fold, the letters of decisions that are not
//! settled, and the outcomes that are still to be projected. Neither sockets nor a clock.

use super::position::Position;
use crate::deadletter::decisions::{DeadLetterTopic, Entry, Fold, Settled};
use crate::deadletter::letter::Letter;
use crate::deadletter::log::entries::Item;
use crate::wire::log::LogRecord;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The fold knows for so long which transactions have ended, so that a stray copy that is decided on later waits for no
/// other (`REVOKED_KEPT_MS`): the next owner has to know them, too.
const MARKERS_REPLAYED_MS: i64 = 10 * 60 * 1000;
/// Of the markers of one second the first is enough.
const MARKERS_INTERVAL_MS: i64 = 1000;

/// The dead letters of one entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    /// Where they were sent to at first.
    pub topic: Arc<str>,
    pub partition: i32,
    pub target: DeadLetterTopic,
    /// `None`: over the bound; they are still in the log, at the entry's offset.
    pub letters: Option<Vec<Letter>>,
    /// About, in bytes.
    pub length: usize,
}

/// What one entry or marker has made certain, in the log's order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    /// What to commit with it.
    pub then: Position,
    /// Offsets of the entries whose letters are dead letters now.
    pub entries: Vec<i64>,
}

pub struct Progress {
    fold: Fold,
    /// Outcomes of what stands before it were projected by an earlier owner.
    from: i64,
    pending: HashMap<i64, Pending>,
    /// Bytes of letters in memory, and how many there may be.
    held: usize,
    held_max: usize,
    due: VecDeque<Due>,
    /// The latest timestamp in the log, and the markers not long before it: offset, time.
    clock_ms: i64,
    markers: VecDeque<(i64, i64)>,
    /// What was projected last.
    committed: Position,
    /// Decisions whose records will never be dead letters.
    dropped: u64,
}

impl Progress {
    /// Goes on from `position`, and holds letters of at most `held_max` bytes.
    #[must_use]
    pub fn new(position: Position, held_max: usize) -> Self {
        let mut fold = Fold::default();
        fold.advance_to(position.replay);
        Self {
            fold,
            from: position.cursor,
            pending: HashMap::new(),
            held: 0,
            held_max,
            due: VecDeque::new(),
            clock_ms: 0,
            markers: VecDeque::new(),
            committed: position,
            dropped: 0,
        }
    }

    /// Where to read on.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.fold.next_offset()
    }

    /// Takes in what comes next in the log; what was taken in before is left out.
    pub fn take(&mut self, item: &Item<'_>) {
        let (Item::Entry { offset, .. }
        | Item::TransactionEnded { offset, .. }
        | Item::Unknown { offset, .. }) = *item;
        if offset < self.fold.next_offset() {
            return;
        }
        match item {
            Item::Entry {
                timestamp_ms,
                entry,
                letters,
                ..
            } => {
                self.clock_ms = self.clock_ms.max(*timestamp_ms);
                let settled = self.fold.apply(offset, *timestamp_ms, entry);
                self.keep(offset, entry, letters);
                self.settle(offset, settled);
            }
            Item::TransactionEnded {
                producer_id,
                epoch,
                committed,
                ..
            } => {
                let settled = self.fold.transaction_ended(*producer_id, *epoch, *committed);
                self.fold.advance_to(offset + 1);
                self.remember_marker(offset);
                self.settle(offset, settled);
            }
            Item::Unknown { .. } => {}
        }
    }

    fn remember_marker(&mut self, offset: i64) {
        let now = self.clock_ms;
        let recent = |at_ms: i64, ms: i64| now - at_ms < ms;
        while self
            .markers
            .front()
            .is_some_and(|(_, at_ms)| !recent(*at_ms, MARKERS_REPLAYED_MS))
        {
            self.markers.pop_front();
        }
        let last = self.markers.back();
        if last.is_none_or(|(_, at_ms)| !recent(*at_ms, MARKERS_INTERVAL_MS)) {
            self.markers.push_back((offset, now));
        }
    }

    /// Everything before `offset` was handed to [`Self::take`].
    pub fn advance_to(&mut self, offset: i64) {
        self.fold.advance_to(offset);
    }

    fn keep(&mut self, offset: i64, entry: &Entry, letters: &[LogRecord<'_>]) {
        let (topic, partition, target) = match entry {
            Entry::Decision(decision) => {
                if !self.fold.is_unsettled(offset) {
                    // Another decision on that batch came first, or it came too late.
                    return;
                }
                (&decision.of.topic, decision.of.partition, &decision.target)
            }
            Entry::Letters {
                topic,
                partition,
                target,
                ..
            } => (topic, *partition, target),
            Entry::Confirmed { .. } | Entry::Revoked { .. } => return,
        };
        let letters: Vec<Letter> = letters.iter().map(Letter::from_log).collect();
        let length = letters.iter().map(Letter::length).sum();
        let fits = self.held.saturating_add(length) <= self.held_max;
        if fits {
            self.held += length;
        }
        let pending = Pending {
            topic: topic.clone(),
            partition,
            target: target.clone(),
            letters: fits.then_some(letters),
            length,
        };
        self.pending.insert(offset, pending);
    }

    fn settle(&mut self, offset: i64, settled: Settled) {
        for decision in settled.dropped {
            self.forget(decision);
            self.dropped += u64::from(offset >= self.from);
        }
        if settled.dead_letters.is_empty() {
            return;
        }
        if offset < self.from {
            for decision in settled.dead_letters {
                self.forget(decision);
            }
            return;
        }
        self.due.push_back(Due {
            then: self.position(),
            entries: settled.dead_letters,
        });
    }

    /// Where all of what was taken in would be projected.
    fn position(&self) -> Position {
        let unsettled = self.fold.unsettled_from();
        let marker = self
            .markers
            .iter()
            .find(|(_, at_ms)| self.clock_ms - at_ms < MARKERS_REPLAYED_MS);
        Position {
            cursor: self.fold.next_offset(),
            replay: marker.map_or(unsettled, |(offset, _)| unsettled.min(*offset)),
        }
    }

    fn forget(&mut self, entry: i64) {
        if let Some(Pending {
            letters: Some(_),
            length,
            ..
        }) = self.pending.remove(&entry)
        {
            self.held -= length;
        }
    }

    /// What to project in one transaction: outcomes of about `bytes_max` together, at least one.
    #[must_use]
    pub fn round(&self, bytes_max: usize) -> Vec<Due> {
        let mut bytes = 0;
        let mut round = Vec::new();
        for due in &self.due {
            let pending = due.entries.iter().filter_map(|entry| self.pending.get(entry));
            bytes += pending.map(|pending| pending.length).sum::<usize>();
            if !round.is_empty() && bytes > bytes_max {
                break;
            }
            round.push(due.clone());
        }
        round
    }

    #[must_use]
    pub fn pending(&self, entry: i64) -> Option<&Pending> {
        self.pending.get(&entry)
    }

    /// A round was projected, and its last position committed.
    pub fn projected(&mut self, round: &[Due]) {
        for due in round {
            self.due.pop_front();
            self.committed = due.then;
            for entry in &due.entries {
                self.forget(*entry);
            }
        }
    }

    /// What to commit beyond the last round, when nothing is due: there is nothing to project before it.
    #[must_use]
    pub fn idle(&self) -> Option<Position> {
        let position = self.position();
        let moved = position > self.committed && position.cursor >= self.from;
        (moved && self.due.is_empty()).then_some(position)
    }

    pub fn committed(&mut self, position: Position) {
        self.committed = position;
    }

    /// The offset up to which everything is projected.
    #[must_use]
    pub fn cursor(&self) -> i64 {
        if self.due.is_empty() {
            self.fold.next_offset().max(self.from)
        } else {
            self.committed.cursor
        }
    }

    /// Decisions that were revoked, aborted or given up since this was last asked.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests;
