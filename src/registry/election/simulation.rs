//! Members against a model of Kafka's group coordinator, in virtual time, with faults from a seed: crashes, cut
//! networks, processes that stand still, restarts of the broker.

use super::member::{HEARTBEAT_INTERVAL, Member, REBALANCE_TIMEOUT, SESSION_TIMEOUT, Standing};
use super::protocol::Identity;
use crate::kafka::group::{Answer, Ask, Refusal, Step, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(20);
/// Faults happen before, none after.
const FAULTS_END: Time = Duration::from_secs(45);
/// By then everybody has settled.
const SETTLED: Time = Duration::from_secs(75);
const END: Time = Duration::from_secs(95);
/// As long as the task waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// `PORTCULLIS_ROUNDS` runs more.
const SEEDS: u64 = 25;

/// What may happen, as chances in 10,000 a tick.
#[derive(Clone, Copy, Default)]
struct Faults {
    crash: u64,
    cut: u64,
    stand_still: u64,
    broker: u64,
    /// The last node may never lead.
    ineligible: bool,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// A request under way: whose, and its number there.
type Ticket = (usize, u64);

#[derive(Clone, Default)]
struct Seat {
    metadata: Vec<u8>,
    assignment: Vec<u8>,
    heard: Time,
    joining: Option<Ticket>,
    syncing: Option<Ticket>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Stable,
    Preparing { until: Time },
    Completing { until: Time },
}

/// Kafka's classic group, as far as its members can see.
#[derive(Clone)]
struct Group {
    phase: Phase,
    generation: i32,
    seats: BTreeMap<Arc<str>, Seat>,
    assigner: Option<Arc<str>>,
    promised: BTreeSet<Arc<str>>,
    ids: u32,
    answers: Vec<(Ticket, Answer)>,
}

impl Group {
    fn new() -> Self {
        Self {
            phase: Phase::Stable,
            generation: 0,
            seats: BTreeMap::new(),
            assigner: None,
            promised: BTreeSet::new(),
            ids: 0,
            answers: Vec::new(),
        }
    }

    fn say(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push((ticket, answer));
    }

    fn refuse(&mut self, ticket: Ticket, refusal: Refusal) {
        self.say(ticket, Answer::Refused(refusal));
    }

    fn rebalance(&mut self, now: Time) {
        if !matches!(self.phase, Phase::Preparing { .. }) {
            let waiting: Vec<Ticket> = self
                .seats
                .values_mut()
                .filter_map(|seat| seat.syncing.take())
                .collect();
            for ticket in waiting {
                self.refuse(ticket, Refusal::Rebalancing);
            }
            self.phase = Phase::Preparing {
                until: now + REBALANCE_TIMEOUT,
            };
        }
    }

    fn asked(&mut self, now: Time, ticket: Ticket, ask: Ask) {
        match ask {
            Ask::Join { member_id, metadata } => self.join(now, ticket, member_id, metadata),
            Ask::Sync {
                generation,
                member_id,
                assignments,
            } => self.sync(now, ticket, generation, &member_id, assignments),
            Ask::Heartbeat {
                generation,
                member_id,
            } => {
                let (phase, current) = (self.phase, self.generation);
                let Some(seat) = self.seats.get_mut(&member_id) else {
                    return self.refuse(ticket, Refusal::UnknownMember);
                };
                if generation != current {
                    return self.refuse(ticket, Refusal::IllegalGeneration);
                }
                seat.heard = now;
                let answer = if matches!(phase, Phase::Preparing { .. }) {
                    Answer::Refused(Refusal::Rebalancing)
                } else {
                    Answer::Beat
                };
                self.say(ticket, answer);
            }
            Ask::Leave { member_id } => {
                if self.seats.remove(&member_id).is_none() {
                    return self.refuse(ticket, Refusal::UnknownMember);
                }
                self.rebalance(now);
                self.say(ticket, Answer::Left);
            }
        }
    }

    fn join(&mut self, now: Time, ticket: Ticket, member_id: Arc<str>, metadata: Vec<u8>) {
        if member_id.is_empty() {
            self.ids += 1;
            let promised: Arc<str> = format!("m-{}", self.ids).into();
            self.promised.insert(promised.clone());
            return self.refuse(ticket, Refusal::MemberIdRequired(promised));
        }
        let known = self.seats.get(&member_id);
        if known.is_none() && !self.promised.remove(&member_id) {
            return self.refuse(ticket, Refusal::UnknownMember);
        }
        let unchanged = known.is_some_and(|seat| seat.metadata == metadata);
        if self.phase == Phase::Stable && unchanged && self.assigner.as_ref() != Some(&member_id) {
            let answer = Answer::Joined {
                generation: self.generation,
                member_id,
                members: None,
            };
            return self.say(ticket, answer);
        }
        self.rebalance(now);
        let seat = self.seats.entry(member_id).or_default();
        seat.metadata = metadata;
        seat.heard = now;
        seat.joining = Some(ticket);
    }

    fn sync(
        &mut self,
        now: Time,
        ticket: Ticket,
        generation: i32,
        member_id: &Arc<str>,
        assignments: Vec<(Arc<str>, Vec<u8>)>,
    ) {
        let (phase, current) = (self.phase, self.generation);
        let Some(seat) = self.seats.get_mut(member_id) else {
            return self.refuse(ticket, Refusal::UnknownMember);
        };
        if generation != current {
            return self.refuse(ticket, Refusal::IllegalGeneration);
        }
        seat.heard = now;
        match phase {
            Phase::Preparing { .. } => return self.refuse(ticket, Refusal::Rebalancing),
            Phase::Stable => {
                let assignment = seat.assignment.clone();
                return self.say(ticket, Answer::Synced { assignment });
            }
            Phase::Completing { .. } => seat.syncing = Some(ticket),
        }
        if self.assigner.as_ref() == Some(member_id) {
            for (member_id, assignment) in assignments {
                if let Some(seat) = self.seats.get_mut(&member_id) {
                    seat.assignment = assignment;
                }
            }
            self.phase = Phase::Stable;
            let waiting: Vec<_> = self
                .seats
                .values_mut()
                .filter_map(|seat| Some((seat.syncing.take()?, seat.assignment.clone())))
                .collect();
            for (ticket, assignment) in waiting {
                self.say(ticket, Answer::Synced { assignment });
            }
        }
    }

    fn tick(&mut self, now: Time) {
        let before = self.seats.len();
        self.seats
            .retain(|_, seat| seat.joining.is_some() || now < seat.heard + SESSION_TIMEOUT);
        if self.seats.len() < before {
            self.rebalance(now);
        }
        match self.phase {
            Phase::Preparing { until }
                if now >= until || self.seats.values().all(|seat| seat.joining.is_some()) =>
            {
                self.seats.retain(|_, seat| seat.joining.is_some());
                self.generation += 1;
                self.phase = Phase::Completing {
                    until: now + REBALANCE_TIMEOUT,
                };
                let stays = self
                    .assigner
                    .take()
                    .filter(|assigner| self.seats.contains_key(assigner));
                self.assigner = stays.or_else(|| self.seats.keys().next().cloned());
                let members: Vec<_> = self
                    .seats
                    .iter()
                    .map(|(id, seat)| (id.clone(), seat.metadata.clone()))
                    .collect();
                let generation = self.generation;
                for (member_id, _) in &members {
                    let seat = self.seats.get_mut(member_id).unwrap();
                    seat.heard = now;
                    let ticket = seat.joining.take().unwrap();
                    let assigns = self.assigner.as_ref() == Some(member_id);
                    let answer = Answer::Joined {
                        generation,
                        member_id: member_id.clone(),
                        members: assigns.then(|| members.clone()),
                    };
                    self.say(ticket, answer);
                }
            }
            Phase::Completing { until } if now >= until => self.rebalance(now),
            _ => {}
        }
    }
}

struct Node {
    identity: Identity,
    /// `None` while it is crashed.
    member: Option<Member>,
    /// Number of the request under way, and when it is given up.
    under_way: Option<(u64, Time)>,
    requests: u64,
    wake: Time,
    cut_until: Time,
    still_until: Time,
    up_at: Time,
    /// The leader that is watched, and whether a connection to it is open.
    watched: Option<(Arc<str>, usize, bool)>,
    /// The epoch it writes with.
    epoch: Option<u64>,
}

struct World {
    random: Random,
    now: Time,
    nodes: Vec<Node>,
    group: Group,
    /// What the broker has when it comes back.
    stored: Group,
    broker_up_at: Time,
    /// Registries that cannot reach one another.
    apart: BTreeSet<(usize, usize)>,
    requests: Vec<(Time, Ticket, Option<Ask>)>,
    answers: Vec<(Time, Ticket, Answer)>,
    /// The epoch of the log's producer.
    epoch: u64,
    leader_of: BTreeMap<i32, usize>,
    joins: u64,
    fencings: u64,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut random = Random(seed);
        let count = 2 + random.below(4) as usize;
        let nodes = (0..count).map(|number| {
            let eligible = !(faults.ineligible && number + 1 == count);
            let identity = Identity::new("http", &format!("node-{number}"), 8081, eligible);
            Node {
                member: None,
                identity,
                under_way: None,
                requests: 0,
                wake: Time::ZERO,
                cut_until: Time::ZERO,
                still_until: Time::ZERO,
                up_at: random.ms(0, 3_000),
                watched: None,
                epoch: None,
            }
        });
        let nodes = nodes.collect();
        Self {
            random,
            now: Time::ZERO,
            nodes,
            group: Group::new(),
            stored: Group::new(),
            broker_up_at: Time::ZERO,
            apart: BTreeSet::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            epoch: 0,
            leader_of: BTreeMap::new(),
            joins: 0,
            fencings: 0,
        }
    }

    fn broker_is_up(&self) -> bool {
        self.now >= self.broker_up_at
    }

    fn strike(&mut self, faults: Faults) {
        let count = self.nodes.len() as u64;
        let victim = self.random.below(count) as usize;
        let mut chance = |of: u64| self.random.below(10_000) < of;
        let (crash, cut, still, broker) = (
            chance(faults.crash),
            chance(faults.cut),
            chance(faults.stand_still),
            chance(faults.broker),
        );
        let how_long = self.random.ms(50, 12_000);
        let until = self.now + how_long;
        if crash && self.nodes[victim].member.is_some() {
            self.crash(victim, until);
        }
        if cut {
            if self.random.below(2) == 0 {
                self.nodes[victim].cut_until = until;
            } else {
                let other = self.random.below(count) as usize;
                let pair = (victim.min(other), victim.max(other));
                if !self.apart.remove(&pair) && victim != other {
                    self.apart.insert(pair);
                }
            }
        }
        if still {
            self.nodes[victim].still_until = until;
        }
        if broker && self.broker_is_up() {
            self.broker_up_at = until;
            // Ids are random in Kafka: none comes twice.
            self.stored.ids = self.group.ids;
            self.group = self.stored.clone();
            self.requests.clear();
            self.answers.clear();
        }
    }

    fn crash(&mut self, victim: usize, up_at: Time) {
        let node = &mut self.nodes[victim];
        node.member = None;
        node.under_way = None;
        node.watched = None;
        node.epoch = None;
        node.up_at = up_at;
    }

    fn tick(&mut self, faults: Faults) {
        self.now += TICK;
        if self.now < FAULTS_END {
            self.strike(faults);
        } else {
            self.apart.clear();
            self.broker_up_at = self.broker_up_at.min(self.now);
            for node in &mut self.nodes {
                node.cut_until = node.cut_until.min(self.now);
                node.still_until = node.still_until.min(self.now);
                node.up_at = node.up_at.min(self.now);
            }
        }
        self.broker();
        for number in 0..self.nodes.len() {
            self.node(number);
        }
    }

    fn broker(&mut self) {
        let now = self.now;
        let due = take_due(&mut self.requests, now);
        if !self.broker_is_up() {
            return;
        }
        if now < self.broker_up_at + TICK {
            for seat in self.group.seats.values_mut() {
                seat.heard = now;
            }
        }
        for (ticket, ask) in due {
            match ask {
                None => self.group.say(ticket, Answer::Found),
                Some(ask) => self.group.asked(now, ticket, ask),
            }
        }
        self.group.tick(now);
        if self.group.phase == Phase::Stable {
            self.stored = self.group.clone();
            self.stored.answers.clear();
        }
        for (ticket, answer) in std::mem::take(&mut self.group.answers) {
            let at = now + self.random.ms(1, 40);
            self.answers.push((at, ticket, answer));
        }
    }

    fn node(&mut self, number: usize) {
        let now = self.now;
        let node = &mut self.nodes[number];
        if node.member.is_none() {
            if now < node.up_at {
                return;
            }
            node.member = Some(Member::new(node.identity.clone()));
            node.wake = now;
        }
        if now < node.still_until {
            return;
        }
        let mine = self
            .answers
            .extract_if(.., |(at, ticket, _)| *at <= now && ticket.0 == number);
        let mine: Vec<_> = mine.map(|(_, ticket, answer)| (ticket.1, answer)).collect();
        for (request, answer) in mine {
            if now >= node.cut_until && node.under_way.is_some_and(|(number, _)| number == request) {
                node.under_way = None;
                node.wake = now;
                node.member.as_mut().unwrap().answered(now, answer);
            }
        }
        if node.under_way.is_some_and(|(_, give_up)| now >= give_up) {
            node.under_way = None;
            node.wake = now;
            node.member.as_mut().unwrap().answered(now, Answer::Failed);
        }
        node.member.as_mut().unwrap().tick(now);
        self.write(number);
        self.watch(number);
        let node = &mut self.nodes[number];
        if node.under_way.is_none() && now >= node.wake {
            let step = node.member.as_mut().unwrap().step(now);
            self.carry_out(number, step);
        }
        if let Standing::Leads { generation } = self.nodes[number].member.as_ref().unwrap().standing() {
            let other = self.leader_of.insert(*generation, number);
            assert!(
                other.is_none_or(|other| other == number),
                "two leaders in generation {generation}"
            );
        }
    }

    fn carry_out(&mut self, number: usize, step: Step) {
        let now = self.now;
        let latency = self.random.ms(1, 40);
        let up = self.broker_is_up();
        let node = &mut self.nodes[number];
        let ask = match step {
            Step::Wait(until) => {
                node.wake = until;
                return;
            }
            Step::Done => panic!("nobody was asked to end"),
            Step::Find => None,
            Step::Ask(ask) => Some(ask),
        };
        self.joins += u64::from(matches!(ask, Some(Ask::Join { .. })));
        node.requests += 1;
        let reaches = up && now >= node.cut_until;
        // A broker that is down refuses at once; a cut network says nothing.
        let patience = if up { ANSWER_TIMEOUT } else { latency };
        node.under_way = Some((node.requests, now + patience));
        if reaches {
            self.requests.push((now + latency, (number, node.requests), ask));
        }
    }

    /// A leader writes; the log takes it from the newest producer epoch only.
    fn write(&mut self, number: usize) {
        let reaches = self.broker_is_up() && self.now >= self.nodes[number].cut_until;
        let node = &mut self.nodes[number];
        let member = node.member.as_mut().unwrap();
        if !matches!(member.standing(), Standing::Leads { .. }) {
            node.epoch = None;
        } else if reaches {
            let epoch = *node.epoch.get_or_insert_with(|| {
                self.epoch += 1;
                self.epoch
            });
            if epoch < self.epoch {
                member.fenced(self.now);
                node.epoch = None;
                node.wake = self.now;
                self.fencings += 1;
            }
        }
    }

    fn watch(&mut self, number: usize) {
        let standing = self.nodes[number].member.as_ref().unwrap().standing();
        let Standing::Follows(leader) = standing else {
            self.nodes[number].watched = None;
            return;
        };
        let at = self
            .nodes
            .iter()
            .position(|node| node.identity.url() == leader.identity.url())
            .unwrap();
        let pair = (number.min(at), number.max(at));
        let reachable = self.nodes[at].member.is_some() && !self.apart.contains(&pair);
        let member_id = leader.member_id.clone();
        let node = &mut self.nodes[number];
        let was_open = matches!(&node.watched, Some((id, _, true)) if *id == member_id);
        node.watched = Some((member_id.clone(), at, reachable));
        if was_open && !reachable {
            node.member.as_mut().unwrap().leader_is_gone(&member_id);
            node.wake = self.now;
        }
    }

    fn check_settled(&self) {
        let leaders: Vec<usize> = (0..self.nodes.len())
            .filter(|number| {
                let member = self.nodes[*number].member.as_ref().unwrap();
                matches!(member.standing(), Standing::Leads { .. })
            })
            .collect();
        let members = || self.nodes.iter().map(|node| &node.member).collect::<Vec<_>>();
        assert_eq!(leaders.len(), 1, "{:#?}", members());
        let url = self.nodes[leaders[0]].identity.url();
        assert!(self.nodes[leaders[0]].identity.eligible);
        for (number, node) in self.nodes.iter().enumerate() {
            let standing = node.member.as_ref().unwrap().standing();
            let follows = matches!(standing, Standing::Follows(leader) if leader.identity.url() == url);
            assert!(number == leaders[0] || follows, "node {number}: {standing:?}");
        }
    }
}

fn take_due<T>(queue: &mut Vec<(Time, Ticket, T)>, now: Time) -> Vec<(Ticket, T)> {
    let due = queue.extract_if(.., |(at, _, _)| *at <= now);
    due.map(|(_, ticket, what)| (ticket, what)).collect()
}

/// Returns how often a leader was fenced.
fn simulate(seed: u64, faults: Faults) -> u64 {
    let mut world = World::new(seed, faults);
    while world.now < SETTLED {
        world.tick(faults);
    }
    world.check_settled();
    let joins = world.joins;
    while world.now < END {
        world.tick(faults);
    }
    world.check_settled();
    assert_eq!(world.joins, joins, "somebody joins for ever");
    world.fencings
}

fn seeds() -> std::ops::Range<u64> {
    let said = std::env::var("PORTCULLIS_ROUNDS").ok();
    0..said.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

/// Every seed, whose number a failure names; how often a leader was fenced in all of them.
fn simulate_all(faults: Faults) -> u64 {
    let fencings = seeds().map(|seed| {
        std::panic::catch_unwind(|| simulate(seed, faults)).unwrap_or_else(|_| panic!("seed {seed}"))
    });
    fencings.sum()
}

#[test]
fn through_crashes_there_is_one_leader_in_the_end() {
    simulate_all(Faults {
        crash: 60,
        ..Faults::default()
    });
}

#[test]
fn through_cut_networks_there_is_one_leader_in_the_end_and_nobody_joins_for_ever() {
    let fencings = simulate_all(Faults {
        cut: 80,
        ..Faults::default()
    });
    assert!(fencings > 0, "the faults make two leaders");
}

#[test]
fn through_restarts_of_the_broker_there_is_one_leader_in_the_end() {
    simulate_all(Faults {
        broker: 30,
        crash: 20,
        ..Faults::default()
    });
}

#[test]
fn through_everything_at_once_no_generation_has_two_leaders() {
    let fencings = simulate_all(Faults {
        crash: 40,
        cut: 40,
        stand_still: 40,
        broker: 10,
        ineligible: true,
    });
    assert!(fencings > 0, "the faults make two leaders");
}

#[test]
fn after_a_crash_of_the_leader_another_leads_within_the_time_of_some_heartbeats() {
    for seed in seeds() {
        let mut world = World::new(seed, Faults::default());
        while world.now < Duration::from_secs(15) {
            world.tick(Faults::default());
        }
        world.check_settled();
        let leads = |node: &Node| {
            let standing = node.member.as_ref().map(Member::standing);
            matches!(standing, Some(Standing::Leads { .. }))
        };
        let leader = world.nodes.iter().position(leads).unwrap();
        world.crash(leader, Time::MAX);
        let crashed = world.now;
        while !world.nodes.iter().any(leads) {
            world.tick(Faults::default());
            assert!(
                world.now < crashed + HEARTBEAT_INTERVAL * 2,
                "seed {seed}: no leader yet"
            );
        }
    }
}
