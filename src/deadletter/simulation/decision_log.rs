//! The decision log's partitions, and the one projector of each.

use super::Mutation;
use super::world::{Event, World};
use crate::deadletter::decisions::{Entry, Fold, Settled};

/// An append under way.
#[derive(Clone)]
pub struct Append {
    pub gateway: usize,
    pub incarnation: u32,
    pub connection: usize,
    pub log: usize,
    pub entry: Entry,
    /// The bad records of a decision.
    pub records: Vec<u32>,
    pub then: Then,
    pub begun: u64,
}

#[derive(Clone, Copy)]
pub enum Then {
    Decided,
    Settled(u64),
}

enum What {
    Entry(Entry),
    Marker {
        producer_id: i64,
        epoch: i16,
        committed: bool,
    },
}

struct Item {
    offset: i64,
    at_ms: i64,
    what: What,
    records: Vec<u32>,
}

#[derive(Default)]
pub struct DecisionLog {
    items: Vec<Item>,
    end: i64,
}

impl DecisionLog {
    pub fn end(&self) -> i64 {
        self.end
    }

    fn push(&mut self, at: u64, what: What, records: Vec<u32>) -> i64 {
        let offset = self.end;
        self.end += 1 + records.len() as i64;
        self.items.push(Item {
            offset,
            at_ms: at as i64,
            what,
            records,
        });
        offset
    }

    pub fn is_decision(&self, offset: i64) -> bool {
        let index = self.items.partition_point(|item| item.offset < offset);
        matches!(self.items[index].what, What::Entry(Entry::Decision(_)))
    }

    pub fn records(&self, decision: i64) -> &[u32] {
        let index = self.items.partition_point(|item| item.offset < decision);
        &self.items[index].records
    }

    /// Up to `most` more entries; `heard` gets what each of them, by its offset, has settled. Whether there is more.
    pub fn fold_into(&self, fold: &mut Fold, most: usize, mut heard: impl FnMut(i64, Settled)) -> bool {
        let first = self
            .items
            .partition_point(|item| item.offset < fold.next_offset());
        for item in self.items[first..].iter().take(most) {
            let settled = match &item.what {
                What::Entry(entry) => fold.apply(item.offset, item.at_ms, entry),
                What::Marker {
                    producer_id,
                    epoch,
                    committed,
                } => {
                    let settled = fold.transaction_ended(*producer_id, *epoch, *committed);
                    fold.advance_to(item.offset + 1);
                    settled
                }
            };
            heard(item.offset, settled);
        }
        first + most < self.items.len()
    }

    /// [`Mutation::EarlyProjection`]: all decisions from `cursor` on that hold when they are read.
    fn held_decisions(&self, fold: &Fold, from: i64, cursor: i64) -> Vec<i64> {
        let first = self.items.partition_point(|item| item.offset < from);
        self.items[first..]
            .iter()
            .filter(|item| item.offset >= cursor && item.offset < fold.next_offset())
            .filter(|item| {
                let What::Entry(Entry::Decision(decision)) = &item.what else {
                    return false;
                };
                let held = fold.held(&decision.of, &decision.batch);
                held.is_some_and(|held| held.decision == item.offset)
            })
            .map(|item| item.offset)
            .collect()
    }
}

/// Who projects a partition of the log: what it committed, and what it has in hand.
#[derive(Default)]
pub struct Owner {
    generation: u32,
    fold: Fold,
    /// In one transaction with the dead letters: up to where outcomes are projected, and where a reader must begin.
    cursor: i64,
    from: i64,
    pub letters: Vec<i64>,
    pending: Vec<i64>,
    busy: bool,
    scheduled: bool,
}

impl Owner {
    pub fn fold(&self) -> &Fold {
        &self.fold
    }
}

impl World {
    pub fn log_receives(&mut self, append: Append) {
        let lives = self.gateways[append.gateway].incarnation == append.incarnation;
        if !lives && self.random.once_in(3) {
            return;
        }
        let lost = self.faulty() && self.random.once_in(25);
        if lost && self.random.once_in(2) {
            let delay = self.between(5, 200);
            return self.after(delay, Event::LogAnswered { append, offset: None });
        }
        let what = What::Entry(append.entry.clone());
        let offset = self.logs[append.log].push(self.now, what, append.records.clone());
        self.say(|| {
            format!(
                "log {} at {offset}: {:?} by {}",
                append.log, append.entry, append.gateway
            )
        });
        let delay = self.between(1, 8);
        self.log_grew(append.log);
        let offset = (!lost).then_some(offset);
        self.after(delay, Event::LogAnswered { append, offset });
    }

    fn log_grew(&mut self, log: usize) {
        for gateway in 0..self.gateways.len() {
            self.read_soon(gateway, log);
        }
        self.project_soon(log);
    }

    pub fn log_marks(&mut self, log: usize, producer_id: i64, epoch: i16, committed: bool) {
        let what = What::Marker {
            producer_id,
            epoch,
            committed,
        };
        let offset = self.logs[log].push(self.now, what, Vec::new());
        self.say(|| format!("log {log} at {offset}: {producer_id} {epoch} committed: {committed}"));
        self.log_grew(log);
    }

    fn project_soon(&mut self, log: usize) {
        if !std::mem::replace(&mut self.owners[log].scheduled, true) {
            let delay = self.between(1, 60);
            self.after(delay, Event::Project(log));
        }
    }

    pub fn project(&mut self, log: usize) {
        let most = 1 + self.random.below(20);
        let delay = self.between(1, 40);
        let owner = &mut self.owners[log];
        owner.scheduled = false;
        if owner.busy {
            return;
        }
        let before = owner.fold.next_offset();
        let (cursor, pending) = (owner.cursor, &mut owner.pending);
        let early = self.mutation == Some(Mutation::EarlyProjection);
        let rest = self.logs[log].fold_into(&mut owner.fold, most, |offset, settled| {
            if offset >= cursor && !early {
                pending.extend(settled.dead_letters);
            }
        });
        if early {
            let held = self.logs[log].held_decisions(&owner.fold, before, cursor);
            owner.pending.extend(held);
        }
        if owner.fold.next_offset() > cursor {
            owner.busy = true;
            let generation = owner.generation;
            self.after(delay, Event::ProjectorCommits { log, generation });
        } else if rest {
            self.project_soon(log);
        }
    }

    pub fn projector_commits(&mut self, log: usize, generation: u32) {
        let owner = &mut self.owners[log];
        if owner.generation != generation {
            return;
        }
        owner.busy = false;
        owner.letters.append(&mut owner.pending);
        owner.cursor = owner.fold.next_offset();
        owner.from = owner.fold.unsettled_from();
        if owner.cursor < self.logs[log].end() {
            self.project_soon(log);
        }
    }

    pub fn projector_crashes(&mut self, log: usize) {
        self.say(|| format!("the projector of log {log} crashes"));
        let owner = &mut self.owners[log];
        owner.generation += 1;
        owner.fold = Fold::default();
        owner.fold.advance_to(owner.from);
        owner.pending.clear();
        owner.busy = false;
        self.project_soon(log);
    }
}
