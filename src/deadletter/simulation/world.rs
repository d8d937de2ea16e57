//! Virtual time, one queue of events, one source of chance, and everybody who takes part.

use super::broker::{AtBroker, DataPartition, WireBatch};
use super::choices::Choices;
use super::client::{Client, Sent};
use super::decision_log::{Append, DecisionLog, Owner};
use super::gateway::{Gateway, Session};
use super::transaction::{Coordinator, Phase, Place};
use super::{Load, Mutation};
use crate::deadletter::decisions::ProducerPartition;
use std::collections::BTreeMap;

/// Milliseconds.
pub type Time = u64;

/// Faults happen before, none after.
pub const FAULTS_END: Time = 4_000;
/// Whoever is not done by then hangs.
const END: Time = 30_000;

pub enum Event {
    /// A client looks what it can do.
    Client(usize),
    /// Client to gateway.
    Request {
        connection: usize,
        sent: Sent,
    },
    /// Gateway to client.
    Response {
        connection: usize,
        code: i16,
    },
    /// The client learns that its connection is gone.
    ClientCut(usize),
    /// The gateway learns that the client's or the broker's side of a connection is gone.
    GatewayCut(usize),
    /// Gateway to broker.
    Forwarded {
        connection: usize,
        slot: u64,
        batch: WireBatch,
    },
    /// Broker to gateway.
    Answered {
        connection: usize,
        slot: u64,
        code: i16,
    },
    /// A deposed leader learns that it is one.
    GivesUp {
        connection: usize,
        slot: u64,
    },
    /// Followers have what stood in the partition.
    Replicated {
        partition: usize,
        term: u32,
        length: usize,
    },
    /// An append reaches the decision log.
    LogArrives(Append),
    /// Its answer reaches the gateway; or does not, and the gateway notices.
    LogAnswered {
        append: Append,
        offset: Option<i64>,
    },
    /// Where the log ended when it was asked.
    LogEnd {
        connection: usize,
        end: i64,
    },
    /// The coordinator's answer: whether the log's partition is in the transaction now.
    Joined {
        connection: usize,
        code: i16,
    },
    Read {
        gateway: usize,
        log: usize,
    },
    Project(usize),
    ProjectorCommits {
        log: usize,
        generation: u32,
    },
    /// A marker of an ended transaction reaches a partition, of data or of the log.
    Marker {
        client: usize,
        place: Place,
    },
    /// The coordinator's answer to the client: partitions added, the transaction ended, a new epoch.
    Coordinated {
        client: usize,
        asked: u32,
        code: i16,
    },
    GatewayUp(usize),
    GatewayGoesOn(usize),
    Fault,
}

/// A client's connection through a gateway to the broker that leads its partition.
pub struct Connection {
    pub client: usize,
    pub lane: usize,
    pub gateway: usize,
    /// Which life of the gateway.
    pub incarnation: u32,
    /// The leader it goes to.
    pub term: u32,
    pub client_open: bool,
    pub gateway_open: bool,
    pub session: Session,
    pub at_broker: AtBroker,
    /// When the last message of each direction arrives: none overtakes another.
    arrivals: [Time; 4],
}

#[derive(Clone, Copy)]
pub enum Way {
    ToGateway,
    ToClient,
    ToBroker,
    FromBroker,
}

/// What is known of a record from the start.
#[derive(Clone, Copy)]
pub struct Record {
    pub client: usize,
    pub lane: usize,
    pub quality: Quality,
    /// Brokers refuse it, whoever sends it.
    pub poison: bool,
    pub size: usize,
    pub transaction: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quality {
    Good,
    Bad,
    /// Bad in the eyes of the stricter of two policies.
    Disputed,
}

pub struct World {
    pub now: Time,
    pub random: Choices,
    pub load: Load,
    pub mutation: Option<Mutation>,
    queue: BTreeMap<(Time, u64), Event>,
    pushed: u64,
    pub records: Vec<Record>,
    /// By record: what its client was told.
    pub acknowledged: Vec<bool>,
    pub clients: Vec<Client>,
    pub connections: Vec<Connection>,
    pub gateways: Vec<Gateway>,
    /// Of data: the lanes of all clients write to these.
    pub partitions: Vec<DataPartition>,
    pub logs: Vec<DecisionLog>,
    pub owners: Vec<Owner>,
    pub coordinators: Vec<Coordinator>,
    /// Faults that this run has, each once in so many.
    pub slow_network: usize,
    pub broker_faults: usize,
    pub trace: bool,
    pub broken: Option<String>,
}

impl World {
    pub fn new(seed: u64, load: Load, mutation: Option<Mutation>) -> Self {
        let mut random = Choices::new(seed);
        let gateways = if random.once_in(4) { 3 } else { 2 };
        let logs = if random.once_in(3) { 3 } else { 1 };
        let clients = 2 + random.below(2);
        let mut world = Self {
            now: 0,
            load,
            mutation,
            queue: BTreeMap::new(),
            pushed: 0,
            records: Vec::new(),
            acknowledged: Vec::new(),
            clients: Vec::new(),
            connections: Vec::new(),
            gateways: (0..gateways).map(|_| Gateway::new(logs)).collect(),
            partitions: Vec::new(),
            logs: (0..logs).map(|_| DecisionLog::default()).collect(),
            owners: (0..logs).map(|_| Owner::default()).collect(),
            coordinators: Vec::new(),
            slow_network: random.pick(&[20, 60, 1_000_000]),
            broker_faults: random.pick(&[12, 30, 1_000_000]),
            trace: false,
            broken: None,
            random,
        };
        for number in 0..clients {
            let client = Client::new(number, &mut world.random, &mut world.partitions);
            world.coordinators.push(Coordinator::default());
            world.clients.push(client);
            world.after(0, Event::Client(number));
        }
        world.after(1, Event::Fault);
        world
    }

    /// Until everybody is done.
    pub fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            self.now = at;
            self.handle(event);
            if self.broken.is_some() {
                return;
            }
            if self.now > END {
                self.break_with(|| "somebody hangs: not everything was settled in time".to_owned());
                return;
            }
        }
    }

    pub fn break_with(&mut self, why: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(format!("at {} ms: {}", self.now, why()));
        }
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:6} {}", self.now, what());
        }
    }

    pub fn after(&mut self, delay: Time, event: Event) {
        self.pushed += 1;
        self.queue.insert((self.now + delay, self.pushed), event);
    }

    pub fn between(&mut self, from: Time, to: Time) -> Time {
        from + self.random.below((to - from) as usize) as Time
    }

    pub fn faulty(&self) -> bool {
        self.now < FAULTS_END
    }

    /// As `after`, behind what is on the same way of the same connection.
    pub fn send(&mut self, connection: usize, way: Way, event: Event) {
        let mut delay = self.between(1, 6);
        if self.faulty() && self.random.once_in(self.slow_network) {
            delay += self.between(100, 2_500);
        }
        let arrives = &mut self.connections[connection].arrivals[way as usize];
        *arrives = (*arrives).max(self.now + delay);
        let arrives = *arrives;
        self.pushed += 1;
        self.queue.insert((arrives, self.pushed), event);
    }

    pub fn connect(&mut self, client: usize, lane: usize, gateway: usize, term: u32) -> usize {
        self.connections.push(Connection {
            client,
            lane,
            gateway,
            incarnation: self.gateways[gateway].incarnation,
            term,
            client_open: true,
            gateway_open: true,
            session: Session::default(),
            at_broker: AtBroker::default(),
            arrivals: [0; 4],
        });
        self.connections.len() - 1
    }

    pub fn of(&self, client: usize, lane: usize) -> ProducerPartition {
        self.clients[client].of[lane].clone()
    }

    /// Whether a client waits for nothing, and nothing of it is on its way.
    pub fn is_idle(&self, number: usize) -> bool {
        let client = &self.clients[number];
        let coordinator = &self.coordinators[number];
        let mine = |connection: usize| self.connections[connection].client == number;
        let on_its_way = self.queue.values().any(|event| match event {
            Event::Request { connection, .. } | Event::Forwarded { connection, .. } => mine(*connection),
            _ => false,
        });
        let quiet = |one: &Connection| one.at_broker.received.is_empty() && one.session.is_quiet();
        client.is_quiet()
            && self.gateways.iter().all(|gateway| gateway.backlog.is_empty())
            && client.lanes.iter().all(|lane| !lane.gap)
            && matches!(client.phase, Phase::None | Phase::Begin)
            && coordinator.is_idle()
            && !on_its_way
            && self
                .connections
                .iter()
                .all(|one| one.client != number || quiet(one))
    }

    /// The gateway that an event is for, if it is for one.
    fn addressee(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Request { connection, .. }
            | Event::GatewayCut(connection)
            | Event::Answered { connection, .. }
            | Event::LogEnd { connection, .. }
            | Event::Joined { connection, .. } => Some(self.connections[*connection].gateway),
            Event::LogAnswered { append, .. } => Some(append.gateway),
            Event::Read { gateway, .. } => Some(*gateway),
            _ => None,
        }
    }

    fn handle(&mut self, event: Event) {
        if let Some(gateway) = self.addressee(&event)
            && self.gateways[gateway].still_until > self.now
        {
            self.gateways[gateway].backlog.push(event);
            return;
        }
        match event {
            Event::Client(client) => self.client_wakes(client),
            Event::Request { connection, sent } => self.gateway_receives(connection, sent),
            Event::Response { connection, code } => self.client_hears(connection, code),
            Event::ClientCut(connection) => self.client_loses(connection),
            Event::GatewayCut(connection) => self.close_session(connection),
            Event::Forwarded {
                connection,
                slot,
                batch,
            } => self.broker_receives(connection, slot, batch),
            Event::Answered {
                connection,
                slot,
                code,
            } => self.gateway_hears(connection, slot, code),
            Event::GivesUp { connection, slot } => self.gives_up(connection, slot),
            Event::Replicated {
                partition,
                term,
                length,
            } => self.replicated(partition, term, length),
            Event::LogArrives(append) => self.log_receives(append),
            Event::LogAnswered { append, offset } => self.log_answered(append, offset),
            Event::LogEnd { connection, end } => self.learned_the_end(connection, end),
            Event::Joined { connection, code } => self.joined(connection, code),
            Event::Read { gateway, log } => self.gateway_reads(gateway, log),
            Event::Project(log) => self.project(log),
            Event::ProjectorCommits { log, generation } => self.projector_commits(log, generation),
            Event::Marker { client, place } => self.marker_arrives(client, place),
            Event::Coordinated { client, asked, code } => self.coordinated(client, asked, code),
            Event::GatewayUp(gateway) => self.gateway_starts(gateway),
            Event::GatewayGoesOn(gateway) => {
                if self.gateways[gateway].still_until <= self.now {
                    for event in std::mem::take(&mut self.gateways[gateway].backlog) {
                        self.handle(event);
                    }
                }
            }
            Event::Fault => self.fault(),
        }
    }

    fn fault(&mut self) {
        if !self.faulty() {
            self.heal();
            return;
        }
        let gateway = self.random.below(self.gateways.len());
        match self.random.below(14) {
            0 => self.crash(gateway),
            1 if self.gateways[gateway].up => {
                let pause = self.between(50, 1_500);
                self.say(|| format!("gateway {gateway} stands still for {pause} ms"));
                self.gateways[gateway].still_until = self.now + pause;
                self.after(pause, Event::GatewayGoesOn(gateway));
            }
            2 | 3 => self.cut_one(),
            4 => {
                self.gateways[gateway].log_cut_until = self.now + self.between(50, 1_500);
                self.say(|| format!("gateway {gateway} is cut from the log"));
            }
            5 | 6 => {
                let partition = self.random.below(self.partitions.len());
                self.move_leader(partition);
            }
            7 | 11..=13 => {
                let strict = !self.gateways[gateway].strict;
                self.say(|| format!("gateway {gateway} becomes strict: {strict}"));
                self.gateways[gateway].strict = strict;
            }
            8 => {
                let log = self.random.below(self.logs.len());
                self.projector_crashes(log);
            }
            9 => self.forget_a_producer(),
            10 => {
                let client = self.random.below(self.clients.len());
                if self.random.once_in(20) {
                    self.client_dies(client);
                }
            }
            _ => {}
        }
        let next = self.between(5, 250);
        self.after(next, Event::Fault);
    }

    fn heal(&mut self) {
        for log in 0..self.logs.len() {
            self.projector_crashes(log);
        }
    }

    fn cut_one(&mut self) {
        let open: Vec<usize> = (0..self.connections.len())
            .filter(|number| self.connections[*number].client_open)
            .collect();
        if open.is_empty() {
            return;
        }
        let connection = self.random.pick(&open);
        self.say(|| format!("connection {connection} is cut"));
        self.cut(connection);
    }

    /// Both ends learn of it in their own time.
    pub fn cut(&mut self, connection: usize) {
        let (client, gateway) = (self.between(1, 30), self.between(1, 300));
        self.after(client, Event::ClientCut(connection));
        self.after(gateway, Event::GatewayCut(connection));
    }
}
