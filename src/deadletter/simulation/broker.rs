//! Partitions of data and their leaders, by the rules of Kafka's `UnifiedLog`, `ProducerAppendInfo` and
//! `ProducerStateEntry`. A write is answered when followers have it (acks=all). A leader that was deposed and does not
//! know it goes on answering for a while; what it appends is lost.

use super::client::Kind;
use super::world::{Event, Time, Way, World};
use crate::wire::error_code::ErrorCode;
use crate::wire::sequence;
use std::collections::{BTreeMap, VecDeque};

pub const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
pub const INVALID_TXN_STATE: i16 = 48;
pub const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;
/// Of all records of a batch together.
pub const BATCH_SIZE_MAX: usize = 12;
/// `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`
const BATCHES_RETAINED: usize = 5;

/// A batch as it reaches the broker.
#[derive(Clone, Debug)]
pub struct WireBatch {
    pub client: usize,
    pub producer_id: i64,
    pub epoch: i16,
    pub base: i32,
    pub records: Vec<u32>,
    pub transaction: Option<u32>,
    /// By Produce 12 and later (KIP-890).
    pub version_two: bool,
}

#[derive(Clone, Debug)]
pub enum Stored {
    Batch(WireBatch),
    Marker {
        producer_id: i64,
        epoch: i16,
        committed: bool,
    },
}

/// A connection as its broker has it.
#[derive(Default)]
pub struct AtBroker {
    pub received: VecDeque<(u64, WireBatch)>,
    /// It works on one request of a connection at a time.
    pub busy: bool,
    pub closed: bool,
}

/// `ProducerStateEntry`
#[derive(Clone, Default)]
struct ProducerState {
    epoch: i16,
    /// First and last sequence number, and the length of the log with it.
    batches: VecDeque<(i32, i32, usize)>,
}

#[derive(Clone, Default)]
struct Replica {
    log: Vec<Stored>,
    producers: BTreeMap<i64, ProducerState>,
    /// Of producers that are not known: epoch and number of a first batch that was not taken.
    first: BTreeMap<i64, (i16, i32)>,
}

enum Checked {
    Appends,
    /// As long as the log must be replicated.
    Duplicate(usize),
    Refused(i16),
}

impl Replica {
    fn check(&self, batch: &WireBatch) -> Checked {
        let Some(state) = self.producers.get(&batch.producer_id) else {
            let first = self.first.get(&batch.producer_id);
            let behind = first.is_some_and(|(epoch, base)| {
                let later = batch.epoch > *epoch && batch.base != 0;
                later || batch.epoch == *epoch && sequence::is_before(*base, batch.base)
            });
            let accepted = !behind && (!batch.version_two || batch.base == 0);
            return if accepted {
                Checked::Appends
            } else {
                Checked::Refused(OUT_OF_ORDER_SEQUENCE_NUMBER)
            };
        };
        let last = sequence::after(batch.base, batch.records.len() as u32 - 1);
        if batch.epoch < state.epoch {
            return Checked::Refused(INVALID_PRODUCER_EPOCH);
        }
        let expected = if batch.epoch == state.epoch {
            let same = |kept: &&(i32, i32, usize)| (kept.0, kept.1) == (batch.base, last);
            if let Some(duplicate) = state.batches.iter().find(same) {
                return Checked::Duplicate(duplicate.2);
            }
            state.batches.back().map_or(0, |kept| sequence::after(kept.1, 1))
        } else {
            0
        };
        if batch.base == expected {
            Checked::Appends
        } else {
            Checked::Refused(OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    fn append(&mut self, stored: Stored) {
        self.log.push(stored);
        self.remember(self.log.len() - 1);
    }

    fn remember(&mut self, index: usize) {
        match &self.log[index] {
            Stored::Batch(batch) => {
                let state = self.producers.entry(batch.producer_id).or_default();
                if state.epoch != batch.epoch {
                    state.batches.clear();
                }
                state.epoch = batch.epoch;
                if state.batches.len() == BATCHES_RETAINED {
                    state.batches.pop_front();
                }
                let last = sequence::after(batch.base, batch.records.len() as u32 - 1);
                state.batches.push_back((batch.base, last, index + 1));
            }
            Stored::Marker {
                producer_id, epoch, ..
            } => {
                let state = self.producers.entry(*producer_id).or_default();
                if state.epoch != *epoch {
                    state.batches.clear();
                }
                state.epoch = *epoch;
            }
        }
    }
}

/// An answer that waits for followers.
struct Waiting {
    connection: usize,
    slot: u64,
    length: usize,
}

#[derive(Default)]
pub struct DataPartition {
    leader: Replica,
    pub term: u32,
    /// As far as followers have it.
    replicated: usize,
    waiting: Vec<Waiting>,
    deposed: Option<Replica>,
    deposed_until: Time,
    /// Producers whose state was forgotten, with the length of the log then.
    forgotten: BTreeMap<i64, usize>,
}

impl DataPartition {
    pub fn log(&self) -> &[Stored] {
        &self.leader.log
    }

    fn rebuild(&mut self) {
        self.leader.producers.clear();
        for index in 0..self.leader.log.len() {
            self.leader.remember(index);
            for (producer, length) in &self.forgotten {
                if *length == index + 1 {
                    self.leader.producers.remove(producer);
                }
            }
        }
    }
}

impl World {
    pub fn broker_receives(&mut self, connection: usize, slot: u64, batch: WireBatch) {
        if !self.connections[connection].gateway_open && self.random.once_in(2) {
            self.connections[connection].at_broker.closed = true;
        }
        if self.connections[connection].at_broker.closed {
            return;
        }
        let at_broker = &mut self.connections[connection].at_broker;
        at_broker.received.push_back((slot, batch));
        self.broker_works(connection);
    }

    fn broker_works(&mut self, connection: usize) {
        while !self.connections[connection].at_broker.busy
            && let Some((slot, batch)) = self.connections[connection].at_broker.received.pop_front()
        {
            if self.faulty() && self.random.once_in(self.broker_faults) {
                self.broker_fails(connection, slot, &batch);
            } else {
                self.broker_handles(connection, slot, &batch);
            }
        }
    }

    fn broker_fails(&mut self, connection: usize, slot: u64, batch: &WireBatch) {
        match self.random.below(4) {
            0 => {
                self.say(|| format!("broker cuts connection {connection} before it reads {batch:?}"));
                self.broker_closes(connection);
                self.leave_first(connection, batch);
            }
            1 => {
                self.leave_first(connection, batch);
                self.broker_answers(connection, slot, ErrorCode::NOT_ENOUGH_REPLICAS.0);
            }
            2 => {
                self.say(|| format!("broker's answer to connection {connection} is lost"));
                self.broker_handles(connection, slot, batch);
                let partition = self.partition_of(connection);
                let mine = |one: &Waiting| one.connection == connection;
                self.partitions[partition].waiting.retain(|one| !mine(one));
                self.broker_closes(connection);
            }
            _ => {
                let code = self
                    .random
                    .pick(&[NOT_ENOUGH_REPLICAS_AFTER_APPEND, ErrorCode::REQUEST_TIMED_OUT.0]);
                self.broker_handles(connection, slot, batch);
                let partition = self.partition_of(connection);
                let before = self.partitions[partition].waiting.len();
                let mine = |one: &Waiting| (one.connection, one.slot) == (connection, slot);
                self.partitions[partition].waiting.retain(|one| !mine(one));
                if self.partitions[partition].waiting.len() < before {
                    self.broker_answers(connection, slot, code);
                }
            }
        }
    }

    fn broker_closes(&mut self, connection: usize) {
        self.connections[connection].at_broker.received.clear();
        self.connections[connection].at_broker.closed = true;
        self.cut(connection);
    }

    /// Of a producer that it does not know a broker takes any batch as the first, also one behind another that it has
    /// not taken: a hole in Kafka's own rules, which is left out here.
    fn leave_first(&mut self, connection: usize, batch: &WireBatch) {
        let partition = self.partition_of(connection);
        let replica = &mut self.partitions[partition].leader;
        if !replica.producers.contains_key(&batch.producer_id) {
            let first = replica
                .first
                .entry(batch.producer_id)
                .or_insert((batch.epoch, batch.base));
            if batch.epoch > first.0 || sequence::is_before(batch.base, first.1) {
                *first = (batch.epoch, batch.base);
            }
        }
    }

    pub fn partition_of(&self, connection: usize) -> usize {
        let Self {
            connections, clients, ..
        } = self;
        let connection = &connections[connection];
        clients[connection.client].lanes[connection.lane].partition
    }

    fn broker_answers(&mut self, connection: usize, slot: u64, code: i16) {
        self.connections[connection].at_broker.busy = false;
        self.send(
            connection,
            Way::FromBroker,
            Event::Answered {
                connection,
                slot,
                code,
            },
        );
    }

    fn broker_handles(&mut self, connection: usize, slot: u64, batch: &WireBatch) {
        let number = self.partition_of(connection);
        let records = &self.records;
        let size: usize = batch
            .records
            .iter()
            .map(|record| records[*record as usize].size)
            .sum();
        let poison = batch
            .records
            .iter()
            .any(|record| records[*record as usize].poison);
        let verified = self.verified(number, batch);
        let partition = &mut self.partitions[number];
        let deposed = self.connections[connection].term < partition.term;
        let knows = |replica: &Replica| replica.producers.contains_key(&batch.producer_id);
        let serves = partition.deposed_until > self.now && partition.deposed.as_ref().is_some_and(knows);
        if deposed && !serves {
            return self.broker_answers(connection, slot, ErrorCode::NOT_LEADER_OR_FOLLOWER.0);
        }
        if size > BATCH_SIZE_MAX {
            self.leave_first(connection, batch);
            return self.broker_answers(connection, slot, ErrorCode::MESSAGE_TOO_LARGE.0);
        }
        if poison {
            self.leave_first(connection, batch);
            return self.broker_answers(connection, slot, ErrorCode::INVALID_RECORD.0);
        }
        if let Err(code) = verified {
            self.leave_first(connection, batch);
            return self.broker_answers(connection, slot, code);
        }
        let replica = match &mut partition.deposed {
            Some(replica) if deposed => replica,
            _ => &mut partition.leader,
        };
        let checked = replica.check(batch);
        let length = match checked {
            Checked::Refused(code) => {
                self.say(|| format!("broker refuses {batch:?} with {code}"));
                return self.broker_answers(connection, slot, code);
            }
            Checked::Duplicate(length) => length,
            Checked::Appends => {
                replica.append(Stored::Batch(batch.clone()));
                replica.log.len()
            }
        };
        self.connections[connection].at_broker.busy = true;
        if deposed {
            self.say(|| format!("deposed broker appends {batch:?}"));
            let delay = self.partitions[number].deposed_until - self.now;
            return self.after(delay, Event::GivesUp { connection, slot });
        }
        self.say(|| format!("broker appends {batch:?}, length {length}"));
        let partition = &mut self.partitions[number];
        partition.waiting.push(Waiting {
            connection,
            slot,
            length,
        });
        let term = partition.term;
        let mut delay = self.between(1, 6);
        if self.faulty() && self.random.once_in(20) {
            delay += self.between(20, 400);
        }
        self.after(
            delay,
            Event::Replicated {
                partition: number,
                term,
                length,
            },
        );
    }

    /// A leader learns that it is none any more.
    pub fn gives_up(&mut self, connection: usize, slot: u64) {
        self.broker_answers(connection, slot, ErrorCode::NOT_LEADER_OR_FOLLOWER.0);
        self.broker_works(connection);
    }

    pub fn replicated(&mut self, number: usize, term: u32, length: usize) {
        let partition = &mut self.partitions[number];
        if partition.term != term {
            return;
        }
        partition.replicated = partition.replicated.max(length);
        let reached = partition.replicated;
        let (answered, waiting) = std::mem::take(&mut partition.waiting)
            .into_iter()
            .partition(|one| one.length <= reached);
        partition.waiting = waiting;
        for one in answered as Vec<Waiting> {
            self.broker_answers(one.connection, one.slot, 0);
            self.broker_works(one.connection);
        }
    }

    /// What no follower has is lost, or was on the one that leads now.
    pub fn move_leader(&mut self, number: usize) {
        let (from, to) = {
            let partition = &self.partitions[number];
            (partition.replicated, partition.leader.log.len())
        };
        let kept = from + self.random.below(to - from + 1);
        let deposed_for = self.between(0, 300);
        self.say(|| format!("partition {number} has another leader, which has {kept} of {to}"));
        let partition = &mut self.partitions[number];
        partition.deposed = Some(partition.leader.clone());
        partition.deposed_until = self.now + deposed_for;
        partition.leader.log.truncate(kept);
        partition.forgotten.retain(|_, length| *length <= kept);
        partition.rebuild();
        partition.term += 1;
        partition.replicated = kept;
        for one in std::mem::take(&mut partition.waiting) {
            if self.random.once_in(3) {
                self.broker_closes(one.connection);
            } else {
                self.broker_answers(one.connection, one.slot, ErrorCode::NOT_LEADER_OR_FOLLOWER.0);
            }
        }
    }

    /// As after `producer.id.expiration.ms`, or when retention has taken all its batches: of one that is idle. Not with
    /// transactions in one epoch: when all of the next one's batches in a partition are dropped whole, its marker makes
    /// a forgetful broker expect sequence number 0, and the client has to abort.
    pub fn forget_a_producer(&mut self) {
        let client = self.random.below(self.clients.len());
        let one_epoch = matches!(self.clients[client].kind, Kind::Transactional { .. });
        if one_epoch || !self.is_idle(client) {
            return;
        }
        for lane in 0..self.clients[client].lanes.len() {
            let of = self.of(client, lane);
            let partition = &mut self.partitions[self.clients[client].lanes[lane].partition];
            let length = partition.leader.log.len();
            partition.leader.producers.remove(&of.producer_id);
            partition.leader.first.remove(&of.producer_id);
            partition.forgotten.insert(of.producer_id, length);
            partition.replicated = length;
            self.say(|| format!("broker forgets {of:?}"));
        }
    }

    /// The coordinator's marker; the same for every partition of a transaction.
    pub fn broker_marks(&mut self, number: usize, producer_id: i64, epoch: i16, committed: bool) {
        let partition = &mut self.partitions[number];
        partition.leader.append(Stored::Marker {
            producer_id,
            epoch,
            committed,
        });
        partition.replicated = partition.leader.log.len();
    }
}
