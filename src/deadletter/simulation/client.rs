//! Producers: what Java's `Sender`, `TransactionManager` and `TxnPartitionEntry` do with sequence numbers, and where
//! librdkafka does otherwise.

use super::Load;
use super::broker::{DataPartition, OUT_OF_ORDER_SEQUENCE_NUMBER};
use super::choices::Choices;
use super::transaction::Phase;
use super::world::{Event, Quality, Record, Time, Way, World};
use crate::deadletter::decisions::ProducerPartition;
use crate::wire::error_code::ErrorCode;
use crate::wire::sequence;
use std::collections::VecDeque;

/// `max.in.flight.requests.per.connection`
const IN_FLIGHT: usize = 5;
const REQUEST_TIMEOUT: Time = 600;
/// A transactional client without new epochs can do nothing more when a batch expires; librdkafka numbers those behind
/// it anew although they may have been taken.
const NEVER: Time = 1_000_000;
/// What a client does not see as an answer: its connection was lost.
const NETWORK_EXCEPTION: i16 = 13;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Java,
    Librdkafka,
    /// Java with transactions as before KIP-890. `bumps`: the brokers let it have a new epoch after an abort (KIP-360).
    Transactional {
        bumps: bool,
    },
    /// A new epoch with each transaction (KIP-890).
    TransactionalTwo,
}

impl Kind {
    pub fn is_transactional(self) -> bool {
        matches!(self, Self::Transactional { .. } | Self::TransactionalTwo)
    }
}

pub struct Batch {
    pub lane: usize,
    pub records: Vec<u32>,
    pub epoch: i16,
    pub base: Option<i32>,
    born: Time,
    retried: bool,
    /// `sequenceHasBeenReset`
    renumbered: bool,
    pub done: bool,
    transaction: Option<u32>,
}

impl Batch {
    fn count(&self) -> u32 {
        self.records.len() as u32
    }
}

/// A batch as it was sent once; the client may have renumbered it since.
#[derive(Clone, Debug)]
pub struct Sent {
    pub batch: usize,
    pub epoch: i16,
    pub base: i32,
    pub records: Vec<u32>,
    pub transaction: Option<u32>,
    at: Time,
}

/// What a client has to do with one partition.
pub struct Lane {
    pub partition: usize,
    /// Not on their way: new ones, and those to be sent again, which have a sequence number.
    pub queue: VecDeque<usize>,
    /// Those with a sequence number that are not done, in its order.
    pub in_flight: Vec<usize>,
    /// Not answered on the connection.
    pub sent: VecDeque<Sent>,
    pub connection: Option<usize>,
    connect_at: Time,
    term: u32,
    pub epoch: i16,
    /// The first number of this epoch.
    pub first: i32,
    pub next: i32,
    acknowledged: Option<i32>,
    /// A batch that was on its way has expired: whether it was taken is not known.
    unresolved: bool,
    /// The rules of a broker alone would have it refuse what comes next, or might.
    pub gap: bool,
    rewrite: bool,
    /// The first number of a batch that has failed: nothing from there on was taken in this epoch.
    failed: Option<i32>,
    left: usize,
    next_at: Time,
}

impl Lane {
    fn expected(&self) -> i32 {
        self.acknowledged
            .map_or(self.first, |last| sequence::after(last, 1))
    }

    pub fn is_quiet(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty() && self.sent.is_empty()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Runs,
    Done,
    Dead,
}

pub struct Client {
    pub kind: Kind,
    pub id: i64,
    pub epoch: i16,
    pub of: Vec<ProducerPartition>,
    pub lanes: Vec<Lane>,
    pub batches: Vec<Batch>,
    pub life: Life,
    bump: bool,
    delivery_timeout: Time,
    /// In a hundred.
    bad: usize,
    pub phase: Phase,
    pub transaction: u32,
    /// A batch of the transaction has failed.
    pub failed: bool,
    pub asked: u32,
}

impl Client {
    pub fn new(number: usize, random: &mut Choices, partitions: &mut Vec<DataPartition>) -> Self {
        let kind = random.pick(&[
            Kind::Java,
            Kind::Java,
            Kind::Librdkafka,
            Kind::Transactional { bumps: true },
            Kind::Transactional { bumps: false },
            Kind::TransactionalTwo,
        ]);
        let lanes = if random.once_in(3) { 2 } else { 1 };
        let wraps = random.once_in(6) && !kind.is_transactional();
        let first = if wraps {
            i32::MAX - random.below(40) as i32
        } else {
            0
        };
        let total = 14 + random.below(10);
        let lane = |partition| Lane {
            partition,
            queue: VecDeque::new(),
            in_flight: Vec::new(),
            sent: VecDeque::new(),
            connection: None,
            connect_at: 0,
            term: 0,
            epoch: 0,
            first,
            next: first,
            acknowledged: None,
            unresolved: false,
            gap: false,
            rewrite: false,
            failed: None,
            left: total / lanes,
            next_at: 0,
        };
        let base = partitions.len();
        partitions.extend((0..lanes).map(|_| DataPartition::default()));
        let id = 1_000 + number as i64;
        Self {
            kind,
            id,
            epoch: 0,
            of: (0..lanes)
                .map(|partition| ProducerPartition {
                    producer_id: id,
                    topic: "orders".into(),
                    partition: partition as i32,
                })
                .collect(),
            lanes: (0..lanes).map(|offset| lane(base + offset)).collect(),
            batches: Vec::new(),
            life: Life::Runs,
            bump: false,
            delivery_timeout: match kind {
                Kind::Librdkafka | Kind::Transactional { bumps: false } => NEVER,
                _ => random.pick(&[5_000, NEVER]),
            },
            bad: random.pick(&[0, 10, 30, 60]),
            phase: Phase::first(kind),
            transaction: 0,
            failed: false,
            asked: 0,
        }
    }

    pub fn is_quiet(&self) -> bool {
        self.lanes.iter().all(Lane::is_quiet)
    }

    /// `TxnPartitionEntry.startSequencesAtBeginning`
    pub fn start_at_the_beginning(&mut self, lane: usize) {
        let Self { lanes, batches, .. } = self;
        let lane = &mut lanes[lane];
        let mut next = 0;
        for number in &lane.in_flight {
            let batch = &mut batches[*number];
            batch.epoch = self.epoch;
            batch.base = Some(next);
            batch.renumbered = true;
            next = sequence::after(next, batch.count());
        }
        (lane.epoch, lane.first, lane.next) = (self.epoch, 0, next);
        (lane.acknowledged, lane.unresolved, lane.gap) = (None, false, false);
        (lane.rewrite, lane.failed) = (false, None);
    }

    /// No batch before the one that failed is under way. Numbered anew, one that was taken would be there twice: Java
    /// and librdkafka are not always as careful as this.
    fn may_bump(&self) -> bool {
        self.lanes.iter().filter(|lane| lane.rewrite).all(|lane| {
            lane.in_flight.iter().all(|number| {
                let base = self.batches[*number].base;
                lane.failed
                    .is_none_or(|failed| base.is_none_or(|base| !sequence::is_before(base, failed)))
            })
        })
    }

    fn bump_epoch(&mut self) {
        self.epoch += 1;
        self.bump = false;
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].rewrite {
                self.start_at_the_beginning(lane);
            }
        }
    }

    fn request_bump(&mut self, lane: usize) {
        self.bump = true;
        self.lanes[lane].rewrite = true;
    }

    fn requeue(&mut self, number: usize) {
        let Self { lanes, batches, .. } = self;
        let lane = &mut lanes[batches[number].lane];
        batches[number].retried = true;
        let rank = |batch: usize| lane.in_flight.iter().position(|one| *one == batch);
        let mine = rank(number);
        let place = lane
            .queue
            .iter()
            .position(|other| rank(*other).is_none_or(|other| Some(other) > mine));
        let place = place.unwrap_or(lane.queue.len());
        lane.queue.insert(place, number);
    }

    /// `RecordAccumulator.abortUndrainedBatches`
    pub fn drop_what_was_not_sent(&mut self) {
        for number in 0..self.batches.len() {
            if !self.batches[number].done && self.batches[number].base.is_none() {
                self.finish(number);
            }
        }
    }

    /// `removeInFlightBatch`
    fn finish(&mut self, number: usize) {
        let batch = &mut self.batches[number];
        batch.done = true;
        let lane = &mut self.lanes[batch.lane];
        lane.in_flight.retain(|one| *one != number);
        lane.queue.retain(|one| *one != number);
    }

    fn failed_from(&mut self, lane: usize, base: Option<i32>) {
        let this = &mut self.lanes[lane];
        let earlier = |failed: i32| base.is_none_or(|base| sequence::is_before(failed, base));
        if !this.failed.is_some_and(earlier) {
            this.failed = base;
        }
    }

    /// `failBatch`. `certain`: the broker has said so, it is not that nobody knows.
    fn fail(&mut self, number: usize, certain: bool) {
        let (lane, base, count) = {
            let batch = &self.batches[number];
            (batch.lane, batch.base, batch.count())
        };
        self.finish(number);
        self.failed = true;
        self.lanes[lane].gap = true;
        match self.kind {
            Kind::Java | Kind::Librdkafka => {
                if certain {
                    self.request_bump(lane);
                    self.failed_from(lane, base);
                }
            }
            Kind::Transactional { .. } | Kind::TransactionalTwo => {
                if let (true, Some(base)) = (certain, base) {
                    self.subtract(lane, base, count);
                    self.lanes[lane].gap = false;
                }
            }
        }
    }

    /// `adjustSequencesDueToFailedBatch`
    fn subtract(&mut self, lane: usize, base: i32, count: u32) {
        let Self { lanes, batches, .. } = self;
        let lane = &mut lanes[lane];
        lane.next = sequence::before(lane.next, count);
        for number in &lane.in_flight {
            let batch = &mut batches[*number];
            if let Some(later) = batch.base
                && !sequence::is_before(later, base)
            {
                batch.base = Some(sequence::before(later, count));
                batch.renumbered = true;
            }
        }
    }

    /// MESSAGE_TOO_LARGE: `splitAndReenqueue`
    fn split(&mut self, number: usize) {
        let (lane, records, base, epoch, transaction) = {
            let batch = &self.batches[number];
            let base = batch.base.unwrap_or_default();
            (
                batch.lane,
                batch.records.clone(),
                base,
                batch.epoch,
                batch.transaction,
            )
        };
        let place = self.lanes[lane].in_flight.iter().position(|one| *one == number);
        self.finish(number);
        let half = records.len() / 2;
        let born = self.batches[number].born;
        for (index, part) in [&records[..half], &records[half..]].into_iter().enumerate() {
            let base = sequence::after(base, (index * half) as u32);
            self.batches.push(Batch {
                lane,
                records: part.to_vec(),
                epoch,
                base: Some(base),
                born,
                retried: false,
                renumbered: false,
                done: false,
                transaction,
            });
            let number = self.batches.len() - 1;
            let place = place.unwrap_or(0) + index;
            self.lanes[lane].in_flight.insert(place, number);
            self.requeue(number);
            self.batches[number].retried = false;
        }
    }

    /// `TransactionManager.canRetry`, and OUT_OF_ORDER_SEQUENCE_NUMBER of one that is not the first.
    fn can_retry(&mut self, number: usize, code: i16) -> bool {
        let batch = &self.batches[number];
        let lane = &self.lanes[batch.lane];
        if code == OUT_OF_ORDER_SEQUENCE_NUMBER {
            let first = batch.base == Some(lane.expected());
            if !lane.unresolved && (batch.renumbered || !first) {
                return true;
            }
            if self.kind.is_transactional() {
                return false;
            }
            let (lane, base) = (batch.lane, batch.base);
            self.request_bump(lane);
            self.failed_from(lane, base);
            return true;
        }
        // NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS and the one after append,
        // CONCURRENT_TRANSACTIONS
        [6, 7, NETWORK_EXCEPTION, 19, 20, 51].contains(&code)
    }

    /// `RecordAccumulator.shouldStopDrainBatchesForPartition`
    fn may_send(&self, lane: usize) -> bool {
        let this = &self.lanes[lane];
        let Some(first) = this.queue.front() else {
            return false;
        };
        let base = self.batches[*first].base;
        let before = |failed: i32| base.is_some_and(|base| sequence::is_before(base, failed));
        let behind_a_failed_one = this.failed.is_some_and(|failed| !before(failed));
        if this.sent.len() >= IN_FLIGHT || (self.bump && behind_a_failed_one) {
            return false;
        }
        if base.is_some() {
            return self.kind == Kind::Librdkafka || this.in_flight.first() == Some(first);
        }
        let stale = this.epoch != self.epoch && !this.in_flight.is_empty();
        // New ones behind one that is sent again could be more than the broker remembers of what was taken twice.
        let again = |number: &usize| self.batches[*number].retried || self.batches[*number].renumbered;
        let again = this.in_flight.iter().any(again);
        !stale && !this.unresolved && !again
    }

    fn drain(&mut self, lane: usize, now: Time) -> Option<Sent> {
        if !self.may_send(lane) {
            return None;
        }
        let number = self.lanes[lane].queue.pop_front()?;
        if self.batches[number].base.is_none() {
            if self.lanes[lane].epoch != self.epoch {
                self.start_at_the_beginning(lane);
            }
            let this = &mut self.lanes[lane];
            let batch = &mut self.batches[number];
            batch.base = Some(this.next);
            batch.epoch = this.epoch;
            this.next = sequence::after(this.next, batch.count());
            this.in_flight.push(number);
        }
        let batch = &self.batches[number];
        let sent = Sent {
            batch: number,
            epoch: batch.epoch,
            base: batch.base?,
            records: batch.records.clone(),
            transaction: batch.transaction,
            at: now,
        };
        self.lanes[lane].sent.push_back(sent.clone());
        Some(sent)
    }
}

impl World {
    pub fn client_wakes(&mut self, number: usize) {
        if self.clients[number].life != Life::Runs {
            return;
        }
        self.expire(number);
        if self.clients[number].kind.is_transactional() {
            self.transaction_goes_on(number);
        } else {
            self.resolve(number);
            for lane in 0..self.clients[number].lanes.len() {
                self.produce_now_and_then(number, lane);
            }
        }
        for lane in 0..self.clients[number].lanes.len() {
            self.send_all(number, lane);
        }
        let client = &mut self.clients[number];
        let nothing_left = client.is_quiet() && client.lanes.iter().all(|lane| lane.left == 0);
        if nothing_left && matches!(client.phase, Phase::None | Phase::Begin) {
            client.life = Life::Done;
        }
        let next = self.between(8, 30);
        self.after(next, Event::Client(number));
    }

    pub fn client_dies(&mut self, number: usize) {
        self.say(|| format!("client {number} dies"));
        self.clients[number].life = Life::Dead;
        for lane in 0..self.clients[number].lanes.len() {
            if let Some(connection) = self.clients[number].lanes[lane].connection.take() {
                self.connections[connection].client_open = false;
                self.cut(connection);
            }
        }
        self.coordinator_gives_up_on(number);
    }

    fn produce_now_and_then(&mut self, client: usize, lane: usize) {
        let this = &self.clients[client].lanes[lane];
        if this.left == 0 || self.now < this.next_at {
            return;
        }
        let pause = self.random.pick(&[0, 5, 30, 150, 400]);
        let next_at = self.now + self.between(0, pause + 1);
        self.clients[client].lanes[lane].next_at = next_at;
        self.new_batch(client, lane);
    }

    pub fn batches_left(&self, client: usize) -> bool {
        self.clients[client].lanes.iter().any(|lane| lane.left > 0)
    }

    /// For a transaction: some in each partition.
    pub fn new_batches(&mut self, client: usize) {
        for lane in 0..self.clients[client].lanes.len() {
            for _ in 0..=self.random.below(4) {
                if self.clients[client].lanes[lane].left > 0 {
                    self.new_batch(client, lane);
                }
            }
        }
    }

    fn new_batch(&mut self, client: usize, lane: usize) {
        let count = 1 + self.random.below(6);
        let worst = self.random.once_in(8);
        let bad = self.clients[client].bad;
        let transaction = self.clients[client]
            .kind
            .is_transactional()
            .then_some(self.clients[client].transaction);
        let mut records = Vec::with_capacity(count);
        let mut has_bad = false;
        for _ in 0..count {
            let quality = if bad > 0 && worst || self.random.chance(bad) {
                // A batch that passes whole under one policy leaves nothing in the log for the other to hold to.
                match (self.load, self.random.once_in(2)) {
                    (Load::Good, _) => Quality::Good,
                    (Load::Mixed, true) if has_bad => Quality::Disputed,
                    _ => Quality::Bad,
                }
            } else {
                Quality::Good
            };
            has_bad |= quality == Quality::Bad;
            records.push(self.records.len() as u32);
            self.records.push(Record {
                client,
                lane,
                quality,
                poison: self.random.once_in(150),
                // The parts of one that is split could pass whole, too.
                size: if self.load != Load::Mixed && self.random.once_in(40) {
                    9
                } else {
                    1
                },
                transaction,
            });
            self.acknowledged.push(false);
        }
        let client = &mut self.clients[client];
        client.lanes[lane].left -= 1;
        client.lanes[lane].queue.push_back(client.batches.len());
        client.batches.push(Batch {
            lane,
            records,
            epoch: 0,
            base: None,
            born: self.now,
            retried: false,
            renumbered: false,
            done: false,
            transaction,
        });
    }

    fn expire(&mut self, number: usize) {
        let now = self.now;
        let client = &mut self.clients[number];
        let expired: Vec<usize> = (0..client.batches.len())
            .filter(|one| {
                let batch = &client.batches[*one];
                !batch.done && batch.born + client.delivery_timeout < now
            })
            .collect();
        for one in expired {
            let batch = &client.batches[one];
            let (lane, base, retried) = (batch.lane, batch.base, batch.retried);
            let gap = client.lanes[lane].gap;
            client.fail(one, false);
            client.lanes[lane].gap = gap || base.is_some();
            if retried && base.is_some() {
                client.lanes[lane].unresolved = true;
            }
        }
    }

    /// `maybeResolveSequences`, `bumpIdempotentEpochAndResetIdIfNeeded`
    fn resolve(&mut self, number: usize) {
        let client = &mut self.clients[number];
        for lane in 0..client.lanes.len() {
            let this = &client.lanes[lane];
            if this.unresolved && this.in_flight.is_empty() {
                let resolved = this.expected() == this.next;
                client.lanes[lane].unresolved = false;
                if !resolved {
                    client.request_bump(lane);
                }
            }
        }
        let drained = client.lanes.iter().all(|lane| lane.sent.is_empty());
        if client.bump && client.may_bump() && (client.kind == Kind::Java || drained) {
            client.bump_epoch();
        }
    }

    fn send_all(&mut self, client: usize, lane: usize) {
        if let Some(connection) = self.clients[client].lanes[lane].connection {
            let sent = self.clients[client].lanes[lane].sent.front();
            if sent.is_some_and(|sent| sent.at + REQUEST_TIMEOUT < self.now) {
                self.say(|| format!("client {client} gives connection {connection} up"));
                self.client_loses(connection);
                let notices = self.between(1, 100);
                self.after(notices, Event::GatewayCut(connection));
            }
        }
        if !self.may_send_now(client, lane) {
            return;
        }
        let Some(connection) = self.connection_of(client, lane) else {
            return;
        };
        while self.may_send_now(client, lane)
            && let Some(sent) = self.clients[client].drain(lane, self.now)
        {
            self.say(|| format!("client {client}.{lane} sends {sent:?} on {connection}"));
            self.send(connection, Way::ToGateway, Event::Request { connection, sent });
        }
    }

    fn may_send_now(&self, client: usize, lane: usize) -> bool {
        let this = &self.clients[client];
        matches!(this.phase, Phase::None | Phase::Sends) && this.may_send(lane)
    }

    fn connection_of(&mut self, client: usize, lane: usize) -> Option<usize> {
        let this = &self.clients[client].lanes[lane];
        if let Some(connection) = this.connection {
            return Some(connection);
        }
        if this.connect_at > self.now {
            return None;
        }
        let gateway = self.random.below(self.gateways.len());
        if !self.gateways[gateway].up {
            return None;
        }
        let newest = self.partitions[this.partition].term;
        let term = if self.random.once_in(4) { this.term } else { newest };
        let connection = self.connect(client, lane, gateway, term);
        self.clients[client].lanes[lane].connection = Some(connection);
        self.clients[client].lanes[lane].term = term;
        Some(connection)
    }

    pub fn client_loses(&mut self, connection: usize) {
        self.connections[connection].client_open = false;
        let (client, lane) = (
            self.connections[connection].client,
            self.connections[connection].lane,
        );
        if self.clients[client].lanes[lane].connection != Some(connection) {
            return;
        }
        let connect_at = self.now + self.between(1, 60);
        let this = &mut self.clients[client].lanes[lane];
        this.connection = None;
        this.connect_at = connect_at;
        for sent in std::mem::take(&mut this.sent) {
            self.complete(client, &sent, NETWORK_EXCEPTION);
        }
    }

    pub fn client_hears(&mut self, connection: usize, code: i16) {
        let (client, lane) = (
            self.connections[connection].client,
            self.connections[connection].lane,
        );
        if self.clients[client].lanes[lane].connection != Some(connection) {
            return;
        }
        let Some(sent) = self.clients[client].lanes[lane].sent.pop_front() else {
            return;
        };
        self.say(|| format!("client {client}.{lane} hears {code} of {sent:?}"));
        self.judge(client, lane, &sent, code);
        self.complete(client, &sent, code);
        if code == ErrorCode::NOT_LEADER_OR_FOLLOWER.0 && self.clients[client].lanes[lane].sent.is_empty() {
            // It asks for metadata and goes to the new leader.
            self.client_loses(connection);
            self.after(1, Event::GatewayCut(connection));
        }
    }

    /// A broker alone never refuses the batch that follows on the last acknowledged one.
    fn judge(&mut self, client: usize, lane: usize, sent: &Sent, code: i16) {
        let this = &self.clients[client];
        let batch = &this.batches[sent.batch];
        let lane = &this.lanes[lane];
        let current = !batch.done && batch.epoch == sent.epoch && batch.base == Some(sent.base);
        let follows = lane.epoch == sent.epoch && lane.expected() == sent.base && !lane.gap;
        if code == OUT_OF_ORDER_SEQUENCE_NUMBER && current && follows {
            self.break_with(|| format!("client {client} sees OUT_OF_ORDER_SEQUENCE_NUMBER for {sent:?}"));
        }
    }

    /// `Sender.completeBatch`
    fn complete(&mut self, number: usize, sent: &Sent, code: i16) {
        let client = &mut self.clients[number];
        let batch = &client.batches[sent.batch];
        if batch.done {
            return;
        }
        let (lane, count) = (batch.lane, batch.count());
        if code == 0 {
            let last = sequence::after(batch.base.unwrap_or_default(), count - 1);
            let this = &mut client.lanes[lane];
            if this
                .acknowledged
                .is_none_or(|acknowledged| sequence::is_before(acknowledged, last))
            {
                this.acknowledged = Some(last);
            }
            client.finish(sent.batch);
            if !client.kind.is_transactional() {
                for record in &client.batches[sent.batch].records {
                    self.acknowledged[*record as usize] = true;
                }
            }
        } else if code == ErrorCode::MESSAGE_TOO_LARGE.0 && count > 1 && client.kind != Kind::Librdkafka {
            client.split(sent.batch);
        } else if client.can_retry(sent.batch, code) {
            client.requeue(sent.batch);
        } else {
            client.fail(sent.batch, true);
        }
    }
}
