//! Gateways: how one drives the algorithm for the batches of a connection, in their order, as the session does. Nothing
//! of the algorithm is written twice here; a mutation leaves out one of its steps.

use super::Mutation;
use super::broker::{NOT_ENOUGH_REPLICAS_AFTER_APPEND, OUT_OF_ORDER_SEQUENCE_NUMBER, WireBatch};
use super::client::{Kind, Sent};
use super::decision_log::{Append, Then};
use super::transaction::Place;
use super::world::{Event, Quality, Time, Way, World};
use crate::deadletter::decisions::answer::Answer;
use crate::deadletter::decisions::entry::DeadLetterTopic;
use crate::deadletter::decisions::in_flight::{InFlight, Ticket};
use crate::deadletter::decisions::passed::Passed;
use crate::deadletter::decisions::{BatchKey, Decision, Entry, Fold, Next, Path, Plan};
use crate::wire::error_code::ErrorCode;
use crate::wire::record_indexes::RecordIndexes;
use crate::wire::sequence;
use std::collections::{BTreeMap, VecDeque};

pub struct Gateway {
    pub up: bool,
    /// Grows with each crash: what an earlier life has asked for is answered to nobody.
    pub incarnation: u32,
    pub still_until: Time,
    pub backlog: Vec<Event>,
    pub folds: Vec<Fold>,
    snapshots: Vec<Option<String>>,
    /// A read of that log is on its way.
    pub reading: Vec<bool>,
    passed: Passed,
    /// Which of two policies it has.
    pub strict: bool,
    pub log_cut_until: Time,
    /// [`Mutation::StoredShift`]
    shifts: BTreeMap<(usize, i64), u32>,
}

impl Gateway {
    pub fn new(logs: usize) -> Self {
        Self {
            up: true,
            incarnation: 0,
            still_until: 0,
            backlog: Vec::new(),
            folds: vec![Fold::default(); logs],
            snapshots: vec![None; logs],
            reading: vec![false; logs],
            passed: Passed::new(100),
            strict: false,
            log_cut_until: 0,
            shifts: BTreeMap::new(),
        }
    }
}

/// What the batch at the head of a connection waits for.
#[derive(Clone, Copy, PartialEq)]
enum Waits {
    Nothing,
    Answer,
    CatchUp(i64),
    ReadBack(i64),
}

struct Current {
    sent: Sent,
    path: Path,
    waits: Waits,
}

enum State {
    AtBroker,
    /// Dropped whole, or refused by the gateway: it has its turn when those before it were answered.
    Behind(Plan),
    /// An outcome is on its way to the log.
    Settling,
    Done(i16),
}

struct Slot {
    number: u64,
    ticket: Ticket,
    path: Path,
    decision: Option<i64>,
    /// What the client gets when the outcome stands in the log.
    code: i16,
    state: State,
}

#[derive(Default)]
pub struct Session {
    in_flight: InFlight,
    incoming: VecDeque<Sent>,
    current: Option<Current>,
    slots: VecDeque<Slot>,
    next: u64,
}

impl Session {
    fn refuse(&mut self, path: Path, code: i16) {
        let ticket = self.in_flight.refused(&path.of, &path.batch);
        self.slots.push_back(Slot {
            number: self.next,
            ticket,
            decision: None,
            code,
            state: State::Behind(Plan::Forgotten),
            path,
        });
        self.next += 1;
    }

    pub fn is_quiet(&self) -> bool {
        self.incoming.is_empty() && self.current.is_none() && self.slots.is_empty()
    }
}

impl World {
    pub fn gateway_receives(&mut self, connection: usize, sent: Sent) {
        if self.is_open(connection) {
            self.connections[connection].session.incoming.push_back(sent);
            self.pump(connection);
        }
    }

    fn is_open(&self, connection: usize) -> bool {
        let this = &self.connections[connection];
        let gateway = &self.gateways[this.gateway];
        this.gateway_open && gateway.up && gateway.incarnation == this.incarnation
    }

    pub fn close_session(&mut self, connection: usize) {
        let this = &mut self.connections[connection];
        this.gateway_open = false;
        this.session = Session::default();
        if this.client_open {
            let notices = self.between(1, 30);
            self.after(notices, Event::ClientCut(connection));
        }
    }

    fn log_of(&self, connection: usize) -> usize {
        let this = &self.connections[connection];
        let of = &self.clients[this.client].of[this.lane];
        of.log_partition(self.logs.len() as i32) as usize
    }

    fn path_of(&self, connection: usize, sent: &Sent) -> Path {
        let this = &self.connections[connection];
        let of = self.of(this.client, this.lane);
        let batch = BatchKey {
            producer_epoch: sent.epoch,
            base_sequence: sent.base,
            record_count: sent.records.len() as u32,
            crc: checksum(of.producer_id, sent),
        };
        let strict = self.gateways[this.gateway].strict;
        let is_bad = |record: &u32| match self.records[*record as usize].quality {
            Quality::Good => false,
            Quality::Bad => true,
            Quality::Disputed => strict,
        };
        let indexes = (0u32..).zip(&sent.records);
        let bad = indexes.filter(|(_, record)| is_bad(record));
        let follows_on = this.session.in_flight.follows_on(&of, &batch);
        let bad: RecordIndexes = bad.map(|(index, _)| index).collect();
        Path::new(of, batch, bad, sent.transaction.is_some(), follows_on)
    }

    /// Everything that can go on at a connection does.
    fn pump(&mut self, connection: usize) {
        while self.is_open(connection) && self.step(connection) {}
        self.settle(connection);
    }

    /// One step of the batch at the head; whether there may be another.
    fn step(&mut self, connection: usize) -> bool {
        let log = self.log_of(connection);
        let mut current = if let Some(current) = self.connections[connection].session.current.take() {
            current
        } else {
            let Some(sent) = self.connections[connection].session.incoming.pop_front() else {
                return false;
            };
            let path = self.path_of(connection, &sent);
            let session = &mut self.connections[connection].session;
            if session.in_flight.is_behind_a_refusal(&path.of, &path.batch) {
                session.refuse(path, OUT_OF_ORDER_SEQUENCE_NUMBER);
                return true;
            }
            Current {
                sent,
                path,
                waits: Waits::Nothing,
            }
        };
        let gateway = &mut self.gateways[self.connections[connection].gateway];
        let fold = &gateway.folds[log];
        let mutation = self.mutation;
        match current.waits {
            Waits::CatchUp(end) if fold.next_offset() >= end => current.path.caught_up(),
            Waits::ReadBack(decision)
                if fold.next_offset() > decision || mutation == Some(Mutation::NoReadBack) => {}
            Waits::Nothing => {}
            _ => {
                self.connections[connection].session.current = Some(current);
                return false;
            }
        }
        let own = match current.waits {
            Waits::ReadBack(decision) if self.logs[log].is_decision(decision) => Some(decision),
            _ => None,
        };
        if mutation == Some(Mutation::NoCatchUp) {
            current.path.caught_up();
        }
        let next = match mutation {
            // It acts on its own decision, which may not be the one that holds.
            Some(Mutation::NoStickyDecision | Mutation::NoReadBack) if own.is_some() => {
                Next::Go(own_plan(&current.path, fold, own.unwrap_or_default()))
            }
            Some(Mutation::NoStickyDecision) => judged_anew(&current.path, fold),
            Some(Mutation::NoRevocation) => unrevoked(&current.path, fold, &gateway.passed),
            _ => current.path.next(fold, &gateway.passed),
        };
        current.waits = Waits::Answer;
        match next {
            Next::Go(plan) => {
                self.act(connection, current, plan);
                return true;
            }
            Next::CatchUp => {
                self.connections[connection].session.current = Some(current);
                self.ask_for_the_end(connection, log);
            }
            Next::JoinTransaction => {
                let client = self.connections[connection].client;
                let code = self.join(client, current.sent.epoch, Place::Log(log));
                self.connections[connection].session.current = Some(current);
                let delay = self.between(1, 8);
                self.after(delay, Event::Joined { connection, code });
            }
            Next::Revoke(decision) => {
                let of = current.path.of.clone();
                self.connections[connection].session.current = Some(current);
                let entry = Entry::Revoked { of, decision };
                self.append(connection, log, entry, Vec::new(), Then::Decided);
            }
            Next::Decide => {
                let decision = Entry::Decision(Decision {
                    of: current.path.of.clone(),
                    batch: current.path.batch,
                    dropped: current.path.bad.clone(),
                    transactional: current.sent.transaction.is_some(),
                    target: DeadLetterTopic {
                        name: "orders.dlq".into(),
                        retention_ms: None,
                    },
                });
                let records = records_at(&current.sent.records, &current.path.bad);
                self.connections[connection].session.current = Some(current);
                self.append(connection, log, decision, records, Then::Decided);
            }
        }
        false
    }

    fn act(&mut self, connection: usize, current: Current, plan: Plan) {
        let Current { sent, path, .. } = current;
        self.say(|| format!("connection {connection}: {plan:?} for {sent:?}"));
        let log = self.log_of(connection);
        let session = &mut self.connections[connection].session;
        if session.in_flight.is_behind_a_refusal(&path.of, &path.batch) {
            return session.refuse(path, OUT_OF_ORDER_SEQUENCE_NUMBER);
        }
        let mut slot = Slot {
            number: session.next,
            ticket: 0,
            decision: None,
            code: 0,
            state: State::AtBroker,
            path,
        };
        session.next += 1;
        match &plan {
            Plan::Forward {
                shift,
                dropped,
                decision,
            } => {
                slot.ticket = session.in_flight.sent(&slot.path.of, &slot.path.batch);
                slot.decision = *decision;
                let gateway = &mut self.gateways[self.connections[connection].gateway];
                if dropped.is_empty() {
                    gateway.passed.insert(&slot.path.of, slot.path.batch);
                }
                let mut shift = *shift;
                if let (Some(Mutation::StoredShift), Some(decision)) = (self.mutation, decision) {
                    // It stands in the decision, for every gateway.
                    let known = self
                        .gateways
                        .iter()
                        .find_map(|gateway| gateway.shifts.get(&(log, *decision)).copied());
                    shift = known.unwrap_or(shift);
                    let gateway = &mut self.gateways[self.connections[connection].gateway];
                    gateway.shifts.insert((log, *decision), shift);
                }
                let left = (0u32..).zip(&sent.records);
                let left = left.filter(|(index, _)| !dropped.contains(*index));
                let client = self.connections[connection].client;
                let batch = WireBatch {
                    client,
                    producer_id: slot.path.of.producer_id,
                    epoch: sent.epoch,
                    base: sequence::before(sent.base, shift),
                    records: left.map(|(_, record)| *record).collect(),
                    transaction: sent.transaction,
                    version_two: self.clients[client].kind == Kind::TransactionalTwo,
                };
                let number = slot.number;
                self.connections[connection].session.slots.push_back(slot);
                self.send(
                    connection,
                    Way::ToBroker,
                    Event::Forwarded {
                        connection,
                        slot: number,
                        batch,
                    },
                );
                return;
            }
            Plan::DroppedWhole { decision, .. } => {
                slot.ticket = session.in_flight.sent(&slot.path.of, &slot.path.batch);
                slot.decision = Some(*decision);
            }
            Plan::Forgotten => slot.ticket = session.in_flight.refused(&slot.path.of, &slot.path.batch),
        }
        slot.state = State::Behind(plan);
        session.slots.push_back(slot);
    }

    /// The gateway refuses the batch at the head itself: it could not be decided on.
    fn refuse(&mut self, connection: usize, code: i16) {
        let session = &mut self.connections[connection].session;
        let Some(Current { path, .. }) = session.current.take() else {
            return;
        };
        session.refuse(path, code);
        self.pump(connection);
    }

    pub fn gateway_hears(&mut self, connection: usize, slot: u64, code: i16) {
        if !self.is_open(connection) {
            return;
        }
        let session = &mut self.connections[connection].session;
        let Some(slot) = session.slots.iter_mut().find(|one| one.number == slot) else {
            return;
        };
        slot.code = code;
        let answer = Answer::of(ErrorCode(code));
        match answer {
            Answer::Refused => session.in_flight.turned_down(slot.ticket),
            _ => session.in_flight.answered(slot.ticket, answer == Answer::Taken),
        }
        let number = slot.number;
        match (answer, slot.decision) {
            (Answer::Taken, Some(_)) => self.outcome(connection, number, true),
            (Answer::Refused, Some(_)) => self.outcome(connection, number, false),
            _ => slot.state = State::Done(code),
        }
        self.pump(connection);
    }

    /// Writes down what became of a decision; the client hears its code when that is done.
    fn outcome(&mut self, connection: usize, number: u64, taken: bool) {
        let log = self.log_of(connection);
        let mutation = self.mutation;
        let session = &mut self.connections[connection].session;
        let Some(slot) = session.slots.iter_mut().find(|one| one.number == number) else {
            return;
        };
        let Some(decision) = slot.decision else {
            return;
        };
        slot.state = State::Settling;
        let of = slot.path.of.clone();
        let entry = if taken {
            Entry::Confirmed { of, decision }
        } else {
            Entry::Revoked { of, decision }
        };
        if (taken && mutation == Some(Mutation::LateConfirmation))
            || (!taken && mutation == Some(Mutation::NoRevocation))
        {
            slot.state = State::Done(slot.code);
        }
        if taken || mutation != Some(Mutation::NoRevocation) {
            self.append(connection, log, entry, Vec::new(), Then::Settled(number));
        }
    }

    /// What was waiting for those before it, and what can be answered.
    fn settle(&mut self, connection: usize) {
        if !self.is_open(connection) {
            return;
        }
        loop {
            let session = &mut self.connections[connection].session;
            let unanswered = |slot: &Slot| matches!(slot.state, State::AtBroker | State::Behind(_));
            let Some(slot) = session.slots.iter_mut().find(|slot| unanswered(slot)) else {
                break;
            };
            let State::Behind(plan) = &slot.state else {
                break;
            };
            let behind = session.in_flight.is_behind_a_failure(slot.ticket);
            let number = slot.number;
            match plan {
                Plan::DroppedWhole { confirmed: true, .. } => {
                    session.in_flight.answered(slot.ticket, true);
                    slot.state = State::Done(0);
                }
                Plan::DroppedWhole { .. } => {
                    session.in_flight.answered(slot.ticket, !behind);
                    if behind {
                        // Whether it is in order is as little known as what became of the one before it.
                        slot.state = State::Done(NOT_ENOUGH_REPLICAS_AFTER_APPEND);
                    } else {
                        self.outcome(connection, number, true);
                    }
                }
                _ => {
                    if slot.code == 0 {
                        slot.code = OUT_OF_ORDER_SEQUENCE_NUMBER;
                    }
                    slot.state = State::Done(slot.code);
                }
            }
        }
        let session = &mut self.connections[connection].session;
        let mut codes = Vec::new();
        while let Some(State::Done(code)) = session.slots.front().map(|slot| &slot.state) {
            codes.push(*code);
            if let Some(slot) = session.slots.pop_front() {
                // Of those that the gateway refused.
                session.in_flight.answered(slot.ticket, false);
            }
        }
        for code in codes {
            self.send(connection, Way::ToClient, Event::Response { connection, code });
        }
    }

    fn append(&mut self, connection: usize, log: usize, entry: Entry, records: Vec<u32>, then: Then) {
        let gateway = self.connections[connection].gateway;
        let append = Append {
            gateway,
            incarnation: self.gateways[gateway].incarnation,
            connection,
            log,
            entry,
            records,
            then,
            begun: self.now,
        };
        self.send_append(append);
    }

    pub fn send_append(&mut self, append: Append) {
        let mut delay = self.between(1, 6);
        if self.faulty() && self.random.once_in(self.slow_network) {
            delay += self.between(50, 1_000);
        }
        let cut_until = self.gateways[append.gateway].log_cut_until;
        let event = if cut_until > self.now {
            delay = (cut_until - self.now).min(300);
            Event::LogAnswered { append, offset: None }
        } else {
            Event::LogArrives(append)
        };
        self.after(delay, event);
    }

    /// `offset` where it is durable; without it the same is appended again, for some time.
    pub fn log_answered(&mut self, append: Append, offset: Option<i64>) {
        let gateway = &self.gateways[append.gateway];
        if !gateway.up || gateway.incarnation != append.incarnation {
            return;
        }
        let given_up = append.begun + 800 < self.now;
        if offset.is_none() && !given_up {
            return self.send_append(append);
        }
        let connection = append.connection;
        if !self.is_open(connection) {
            return;
        }
        match append.then {
            Then::Decided => {
                let Some(offset) = offset else {
                    return self.refuse(connection, ErrorCode::NOT_ENOUGH_REPLICAS.0);
                };
                if let Some(current) = &mut self.connections[connection].session.current {
                    current.waits = Waits::ReadBack(offset);
                }
            }
            Then::Settled(number) => {
                let session = &mut self.connections[connection].session;
                let slot = session.slots.iter_mut().find(|one| one.number == number);
                if let Some(slot) = slot
                    && matches!(slot.state, State::Settling)
                {
                    slot.state = State::Done(match offset {
                        Some(_) => slot.code,
                        None => NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                    });
                }
            }
        }
        self.pump(connection);
    }

    fn ask_for_the_end(&mut self, connection: usize, log: usize) {
        let gateway = &self.gateways[self.connections[connection].gateway];
        let cut = gateway.log_cut_until.saturating_sub(self.now);
        let delay = cut + self.between(1, 6);
        let end = self.logs[log].end();
        // Asked after the cut, of course.
        if cut > 0 {
            self.after(delay, Event::LogEnd { connection, end: -1 });
        } else {
            self.after(delay, Event::LogEnd { connection, end });
        }
    }

    pub fn learned_the_end(&mut self, connection: usize, end: i64) {
        if !self.is_open(connection) {
            return;
        }
        if end < 0 {
            let log = self.log_of(connection);
            return self.ask_for_the_end(connection, log);
        }
        if let Some(current) = &mut self.connections[connection].session.current {
            current.waits = Waits::CatchUp(end);
        }
        self.pump(connection);
    }

    pub fn joined(&mut self, connection: usize, code: i16) {
        if !self.is_open(connection) {
            return;
        }
        if code != 0 {
            return self.refuse(connection, code);
        }
        if let Some(current) = &mut self.connections[connection].session.current {
            current.path.joined_transaction();
            current.waits = Waits::Nothing;
        }
        self.pump(connection);
    }

    pub fn gateway_reads(&mut self, number: usize, log: usize) {
        let gateway = &mut self.gateways[number];
        gateway.reading[log] = false;
        if !gateway.up {
            return;
        }
        if gateway.log_cut_until > self.now {
            gateway.reading[log] = true;
            let delay = gateway.log_cut_until - self.now;
            return self.after(delay, Event::Read { gateway: number, log });
        }
        let at_once = 1 + self.random.below(12);
        let rest = self.logs[log].fold_into(&mut gateway.folds[log], at_once, |_, _| {});
        if self.random.once_in(10) {
            gateway.snapshots[log] = serde_json::to_string(&gateway.folds[log]).ok();
        }
        if rest {
            self.read_soon(number, log);
        }
        for connection in 0..self.connections.len() {
            if self.connections[connection].gateway == number && self.is_open(connection) {
                self.pump(connection);
            }
        }
    }

    pub fn read_soon(&mut self, gateway: usize, log: usize) {
        if !std::mem::replace(&mut self.gateways[gateway].reading[log], true) {
            let mut delay = self.between(1, 8);
            if self.faulty() && self.random.once_in(self.slow_network) {
                delay += self.between(50, 800);
            }
            self.after(delay, Event::Read { gateway, log });
        }
    }

    pub fn crash(&mut self, number: usize) {
        if !self.gateways[number].up {
            return;
        }
        self.say(|| format!("gateway {number} crashes"));
        for connection in 0..self.connections.len() {
            if self.connections[connection].gateway == number && self.connections[connection].gateway_open {
                self.close_session(connection);
            }
        }
        let down = self.between(20, 800);
        let gateway = &mut self.gateways[number];
        gateway.up = false;
        gateway.incarnation += 1;
        gateway.still_until = 0;
        gateway.backlog.clear();
        gateway.passed = Passed::new(100);
        gateway.reading.fill(false);
        self.after(down, Event::GatewayUp(number));
    }

    pub fn gateway_starts(&mut self, number: usize) {
        let gateway = &mut self.gateways[number];
        gateway.up = true;
        for (fold, snapshot) in gateway.folds.iter_mut().zip(&gateway.snapshots) {
            let read = snapshot.as_ref().and_then(|text| serde_json::from_str(text).ok());
            *fold = read.unwrap_or_default();
        }
        for log in 0..self.logs.len() {
            self.read_soon(number, log);
        }
    }
}

/// As if nothing that was decided ever ceased to count.
fn unrevoked(path: &Path, fold: &Fold, passed: &Passed) -> Next {
    match path.next(fold, passed) {
        Next::Revoke(_) if path.bad.is_empty() => Next::Go(Plan::Forward {
            shift: fold.shift(&path.of, path.batch.producer_epoch, path.batch.base_sequence),
            dropped: RecordIndexes::default(),
            decision: None,
        }),
        Next::Revoke(_) => Next::Decide,
        next => next,
    }
}

/// As if nothing had ever been decided, but for the shift.
fn judged_anew(path: &Path, fold: &Fold) -> Next {
    match path.next(&Fold::default(), &Passed::new(0)) {
        Next::Go(Plan::Forward { dropped, .. }) => Next::Go(Plan::Forward {
            shift: fold.shift(&path.of, path.batch.producer_epoch, path.batch.base_sequence),
            dropped,
            decision: None,
        }),
        next => next,
    }
}

/// What follows from a gateway's own decision, whatever the log says.
fn own_plan(path: &Path, fold: &Fold, decision: i64) -> Plan {
    if path.bad.len() == path.batch.record_count {
        let confirmed = false;
        return Plan::DroppedWhole { decision, confirmed };
    }
    Plan::Forward {
        shift: fold.shift(&path.of, path.batch.producer_epoch, path.batch.base_sequence),
        dropped: path.bad.clone(),
        decision: Some(decision),
    }
}

fn records_at(records: &[u32], indexes: &RecordIndexes) -> Vec<u32> {
    indexes.iter().map(|index| records[index as usize]).collect()
}

/// Stands for the CRC: of what a batch bears and holds.
fn checksum(producer_id: i64, sent: &Sent) -> u32 {
    let mut hash: u32 = 0x811c_9dc5;
    let mut mix = |value: u32| hash = (hash ^ value).wrapping_mul(0x0100_0193).rotate_left(7);
    mix(producer_id as u32);
    mix(sent.epoch as u32);
    mix(sent.base as u32);
    sent.records.iter().for_each(|record| mix(*record));
    hash
}
