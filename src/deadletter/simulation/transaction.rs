//! Transactions: Kafka's coordinator, and the client's part of it.

use super::broker::{INVALID_TXN_STATE, WireBatch};
use super::client::{Kind, Life};
use super::world::{Event, World};
use std::collections::BTreeSet;

const INVALID_PRODUCER_EPOCH: i16 = 47;
const CONCURRENT_TRANSACTIONS: i16 = 51;

/// A partition that a transaction can hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    Data(usize),
    Log(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Without transactions.
    None,
    Begin,
    /// Until its partitions are added.
    Adds,
    Sends,
    Ends {
        committing: bool,
    },
    /// Until it has a new epoch.
    Bumps,
}

impl Phase {
    pub fn first(kind: Kind) -> Self {
        if kind.is_transactional() {
            Self::Begin
        } else {
            Self::None
        }
    }
}

#[derive(Default)]
pub struct Coordinator {
    epoch: i16,
    partitions: BTreeSet<Place>,
    ending: Option<End>,
    /// How each transaction of the client ended.
    pub outcomes: Vec<(u32, bool)>,
}

impl Coordinator {
    pub fn is_idle(&self) -> bool {
        self.partitions.is_empty() && self.ending.is_none()
    }
}

#[derive(Clone, Copy)]
struct End {
    marker_epoch: i16,
    committed: bool,
}

impl World {
    /// AddPartitionsToTxn. An error code.
    pub fn join(&mut self, client: usize, epoch: i16, place: Place) -> i16 {
        let coordinator = &mut self.coordinators[client];
        if coordinator.epoch != epoch {
            return INVALID_PRODUCER_EPOCH;
        }
        if coordinator.ending.is_some() {
            return CONCURRENT_TRANSACTIONS;
        }
        coordinator.partitions.insert(place);
        0
    }

    /// Whether a broker lets a batch into its transaction (KIP-890).
    pub fn verified(&mut self, partition: usize, batch: &WireBatch) -> Result<(), i16> {
        if batch.transaction.is_none() {
            return Ok(());
        }
        let place = Place::Data(partition);
        if batch.version_two {
            let code = self.join(batch.client, batch.epoch, place);
            return if code == 0 { Ok(()) } else { Err(code) };
        }
        let coordinator = &self.coordinators[batch.client];
        if coordinator.epoch == batch.epoch && coordinator.partitions.contains(&place) {
            Ok(())
        } else {
            Err(INVALID_TXN_STATE)
        }
    }

    fn end_transaction(&mut self, client: usize, committed: bool) -> i16 {
        let two = self.clients[client].kind == Kind::TransactionalTwo;
        let (epoch, number) = (self.clients[client].epoch, self.clients[client].transaction);
        let coordinator = &mut self.coordinators[client];
        if coordinator.epoch != epoch {
            return INVALID_PRODUCER_EPOCH;
        }
        if coordinator.ending.is_some() {
            return CONCURRENT_TRANSACTIONS;
        }
        if coordinator.partitions.is_empty() && committed && two {
            return INVALID_TXN_STATE;
        }
        if two {
            coordinator.epoch += 1;
        }
        coordinator.outcomes.push((number, committed));
        self.write_markers(client, committed);
        0
    }

    fn write_markers(&mut self, client: usize, committed: bool) {
        let coordinator = &mut self.coordinators[client];
        let marker_epoch = coordinator.epoch;
        if coordinator.partitions.is_empty() {
            return;
        }
        coordinator.ending = Some(End {
            marker_epoch,
            committed,
        });
        for place in coordinator.partitions.clone() {
            let delay = self.between(1, 60);
            self.after(delay, Event::Marker { client, place });
        }
    }

    pub fn marker_arrives(&mut self, client: usize, place: Place) {
        let id = self.clients[client].id;
        let coordinator = &mut self.coordinators[client];
        let Some(End {
            marker_epoch,
            committed,
        }) = coordinator.ending
        else {
            return;
        };
        coordinator.partitions.remove(&place);
        if coordinator.partitions.is_empty() {
            coordinator.ending = None;
        }
        match place {
            Place::Data(partition) => self.broker_marks(partition, id, marker_epoch, committed),
            Place::Log(log) => self.log_marks(log, id, marker_epoch, committed),
        }
    }

    /// `transaction.timeout.ms` is over, or another instance has come: it aborts, and fences the client.
    pub fn coordinator_gives_up_on(&mut self, client: usize) {
        let coordinator = &mut self.coordinators[client];
        if coordinator.ending.is_none() && !coordinator.partitions.is_empty() {
            coordinator.epoch += 1;
            let number = self.clients[client].transaction;
            self.coordinators[client].outcomes.push((number, false));
            self.write_markers(client, false);
        }
    }

    fn ask(&mut self, client: usize, code: i16) {
        self.clients[client].asked += 1;
        let asked = self.clients[client].asked;
        let delay = self.between(2, 20);
        self.after(delay, Event::Coordinated { client, asked, code });
    }

    pub fn transaction_goes_on(&mut self, client: usize) {
        match self.clients[client].phase {
            Phase::Begin if self.batches_left(client) => {
                if self.random.once_in(3) {
                    return;
                }
                let this = &mut self.clients[client];
                this.transaction += 1;
                this.failed = false;
                self.new_batches(client);
                if self.clients[client].kind == Kind::TransactionalTwo {
                    self.clients[client].phase = Phase::Sends;
                } else {
                    self.clients[client].phase = Phase::Adds;
                    self.add_partitions(client);
                }
            }
            Phase::Sends => {
                let this = &mut self.clients[client];
                if this.failed {
                    // `abortUndrainedBatches`
                    this.drop_what_was_not_sent();
                }
                if this.is_quiet() {
                    let committing = !this.failed && !self.random.once_in(4);
                    self.clients[client].phase = Phase::Ends { committing };
                    let code = self.end_transaction(client, committing);
                    self.ask(client, code);
                }
            }
            _ => {}
        }
    }

    fn add_partitions(&mut self, client: usize) {
        let (epoch, lanes) = (self.clients[client].epoch, self.clients[client].lanes.len());
        let mut code = 0;
        for lane in 0..lanes {
            if self.clients[client].lanes[lane].queue.is_empty() {
                continue;
            }
            let place = Place::Data(self.clients[client].lanes[lane].partition);
            code = code.max(self.join(client, epoch, place));
        }
        self.ask(client, code);
    }

    /// The coordinator's answer.
    pub fn coordinated(&mut self, client: usize, asked: u32, code: i16) {
        if self.clients[client].asked != asked || self.clients[client].life == Life::Dead {
            return;
        }
        let phase = self.clients[client].phase;
        self.say(|| format!("client {client} hears {code} in {phase:?}"));
        match (phase, code) {
            (Phase::Adds, 0) => self.clients[client].phase = Phase::Sends,
            (Phase::Adds, CONCURRENT_TRANSACTIONS) => self.add_partitions(client),
            (Phase::Ends { committing }, CONCURRENT_TRANSACTIONS) => {
                let code = self.end_transaction(client, committing);
                self.ask(client, code);
            }
            (Phase::Ends { committing }, 0) => self.transaction_ended(client, committing),
            (Phase::Bumps, 0) => {
                self.new_epoch(client);
                self.clients[client].phase = Phase::Begin;
            }
            (Phase::Bumps, _) => self.bump(client),
            _ => self.break_with(|| format!("client {client}: the coordinator says {code} in {phase:?}")),
        }
    }

    fn transaction_ended(&mut self, client: usize, committing: bool) {
        let number = self.clients[client].transaction;
        if committing {
            for (record, known) in self.records.iter().enumerate() {
                if known.client == client && known.transaction == Some(number) {
                    self.acknowledged[record] = true;
                }
            }
        }
        let failed = self.clients[client].failed;
        self.clients[client].phase = Phase::Begin;
        match self.clients[client].kind {
            Kind::TransactionalTwo => self.new_epoch(client),
            Kind::Transactional { bumps: true } if failed => {
                self.clients[client].phase = Phase::Bumps;
                self.bump(client);
            }
            _ => {}
        }
    }

    /// InitProducerId.
    fn bump(&mut self, client: usize) {
        let coordinator = &mut self.coordinators[client];
        let mut code = 0;
        if coordinator.ending.is_some() {
            code = CONCURRENT_TRANSACTIONS;
        } else {
            coordinator.epoch += 1;
            if !coordinator.partitions.is_empty() {
                // Somebody has begun another in its name.
                self.write_markers(client, false);
                code = CONCURRENT_TRANSACTIONS;
            }
        }
        self.ask(client, code);
    }

    fn new_epoch(&mut self, client: usize) {
        self.clients[client].epoch = self.coordinators[client].epoch;
        for lane in 0..self.clients[client].lanes.len() {
            self.clients[client].start_at_the_beginning(lane);
        }
    }
}
