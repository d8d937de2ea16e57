//! One classic consumer group as a state machine: events and the time in, answers out. No I/O, no clock.
//!
//! ```text
//!            join                all have joined               leader's sync
//!  Empty ─────────▶ Preparing ─────────────────▶ Completing ─────────────────▶ Stable
//!    ▲                 │ ▲                           │                            │
//!    └── all gone ─────┘ └─── join, leave, silence ──┴────────────────────────────┘
//! ```
//! Rules: Kafka's `ClassicGroup` and `GroupMetadataManager`.

mod member;

pub use member::{Identity, Join, JoinAnswer, Joined, Member, State, SyncAnswer};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Members and those about to become one; `group.max.size`.
const MEMBERS_MAX: usize = 500;

pub struct Group {
    pub state: State,
    pub generation: i32,
    pub protocol_type: StrBytes,
    pub protocol: StrBytes,
    pub members: BTreeMap<StrBytes, Member>,
    leader: Option<StrBytes>,
    /// Member ids given out and not joined with yet, and when they expire.
    pending: BTreeMap<StrBytes, Instant>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            protocol_type: StrBytes::new(),
            protocol: StrBytes::new(),
            members: BTreeMap::new(),
            leader: None,
            pending: BTreeMap::new(),
        }
    }
}

impl Group {
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty()
    }

    /// The answer comes through `answer`, at once or when the generation is complete.
    pub fn join(&mut self, mut join: Join, answer: oneshot::Sender<JoinAnswer>, now: Instant) {
        if let Err(error) = self.may_join(&join) {
            let _ = answer.send(Err((error, join.member_id)));
            return;
        }
        if join.member_id.is_empty() {
            let new_id = StrBytes::from_string(format!("{}-{}", join.client_id, ulid::Ulid::new()));
            if let Some(known) = join
                .instance_id
                .as_ref()
                .and_then(|instance| self.member_of(instance))
            {
                // A static member is back under a new member id: the old one is fenced.
                self.fence(&known);
            } else if join.member_id_required && join.instance_id.is_none() {
                self.pending.insert(new_id.clone(), now + join.session_timeout);
                let _ = answer.send(Err((ResponseError::MemberIdRequired, new_id)));
                return;
            }
            join.member_id = new_id;
        }
        self.pending.remove(&join.member_id);
        self.protocol_type = join.protocol_type.clone();
        self.take_in(join, answer, now);
    }

    fn may_join(&self, join: &Join) -> Result<(), ResponseError> {
        let known = self.members.contains_key(&join.member_id) || self.pending.contains_key(&join.member_id);
        if let (Some(instance), false) = (&join.instance_id, join.member_id.is_empty()) {
            match self.member_of(instance) {
                Some(member) if member != join.member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
                None => return Err(ResponseError::UnknownMemberId),
            }
        } else if !join.member_id.is_empty() && !known {
            return Err(ResponseError::UnknownMemberId);
        }
        if !known && self.members.len() + self.pending.len() >= MEMBERS_MAX {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let mut others = self
            .members
            .iter()
            .filter(|(id, _)| **id != join.member_id)
            .map(|(_, member)| member)
            .peekable();
        if others.peek().is_none() {
            return if join.protocols.is_empty() {
                Err(ResponseError::InconsistentGroupProtocol)
            } else {
                Ok(())
            };
        }
        let others: Vec<&Member> = others.collect();
        let common = join.protocols.iter().any(|(name, _)| {
            others
                .iter()
                .all(|member| member.protocols.iter().any(|(other, _)| other == name))
        });
        if join.protocol_type == self.protocol_type && common {
            Ok(())
        } else {
            Err(ResponseError::InconsistentGroupProtocol)
        }
    }

    /// Adds the member or renews it, and rebalances where that changes anything.
    fn take_in(&mut self, join: Join, answer: oneshot::Sender<JoinAnswer>, now: Instant) {
        let id = join.member_id.clone();
        let is_leader = self.leader.as_ref() == Some(&id);
        let unchanged = self
            .members
            .get(&id)
            .is_some_and(|member| member.protocols == join.protocols);
        // A member that lost our answer is told again; a follower that changed nothing disturbs nobody.
        let told_again = match self.state {
            State::Completing { .. } => unchanged,
            State::Stable => unchanged && !is_leader,
            State::Empty | State::Preparing { .. } => false,
        };
        let assignment = self
            .members
            .remove(&id)
            .map(|member| member.assignment)
            .unwrap_or_default();
        self.members.insert(
            id.clone(),
            Member {
                instance_id: join.instance_id,
                client_id: join.client_id,
                client_host: join.client_host,
                protocols: join.protocols,
                assignment,
                session_timeout: join.session_timeout,
                rebalance_timeout: join.rebalance_timeout,
                heard: now,
                joining: None,
                syncing: None,
            },
        );
        if told_again {
            let _ = answer.send(Ok(self.joined(&id)));
            return;
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.joining = Some(answer);
        }
        if matches!(self.state, State::Preparing { .. }) {
            self.complete_if_all_joined(now);
        } else {
            self.prepare(now);
        }
    }

    /// The answer comes through `answer`, at once or when the leader's assignment is there.
    pub fn sync(
        &mut self,
        identity: &Identity<'_>,
        generation: i32,
        assignments: Vec<(StrBytes, Bytes)>,
        answer: oneshot::Sender<SyncAnswer>,
        now: Instant,
    ) {
        let checked = self.touch(identity, generation, now);
        let answer_now = match (checked, self.state) {
            (Err(error), _) => Err(error),
            (_, State::Empty) => Err(ResponseError::UnknownMemberId),
            (_, State::Preparing { .. }) => Err(ResponseError::RebalanceInProgress),
            (_, State::Stable) => Ok(self
                .members
                .get(identity.member_id)
                .map(|member| member.assignment.clone())
                .unwrap_or_default()),
            (_, State::Completing { .. }) => {
                if let Some(member) = self.members.get_mut(identity.member_id) {
                    member.syncing = Some(answer);
                }
                if self.leader.as_ref() == Some(identity.member_id) {
                    self.assign(assignments, now);
                }
                return;
            }
        };
        let _ = answer.send(answer_now);
    }

    fn assign(&mut self, assignments: Vec<(StrBytes, Bytes)>, now: Instant) {
        let mut assignments: BTreeMap<StrBytes, Bytes> = assignments.into_iter().collect();
        self.state = State::Stable;
        for (id, member) in &mut self.members {
            member.assignment = assignments.remove(id).unwrap_or_default();
            if let Some(answer) = member.syncing.take() {
                member.heard = now;
                let _ = answer.send(Ok(member.assignment.clone()));
            }
        }
    }

    pub fn heartbeat(
        &mut self,
        identity: &Identity<'_>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.touch(identity, generation, now)?;
        match self.state {
            State::Preparing { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    pub fn leave(&mut self, identity: &Identity<'_>, now: Instant) -> Result<(), ResponseError> {
        if self.pending.remove(identity.member_id).is_some() {
            self.complete_if_all_joined(now);
            return Ok(());
        }
        let id = match identity.instance_id {
            Some(instance) => self.member_of(instance).ok_or(ResponseError::UnknownMemberId)?,
            None => identity.member_id.clone(),
        };
        if identity.instance_id.is_some() && !identity.member_id.is_empty() && id != *identity.member_id {
            return Err(ResponseError::FencedInstanceId);
        }
        if !self.members.contains_key(&id) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.remove(&id, now);
        Ok(())
    }

    /// Whether offsets may be committed for this member, or, with a negative generation, by somebody who manages
    /// partitions without the group.
    pub fn may_commit(
        &mut self,
        identity: &Identity<'_>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.touch(identity, generation, now)?;
        match self.state {
            State::Completing { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Drops who has been silent for too long, and ends the waits whose time is over.
    pub fn expire(&mut self, now: Instant) {
        let pending = self.pending.len();
        self.pending.retain(|_, expiry| now <= *expiry);
        let silent: Vec<StrBytes> = self
            .members
            .iter()
            .filter(|(_, member)| member.is_silent(now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &silent {
            self.remove(id, now);
        }
        match self.state {
            State::Preparing { deadline } if now > deadline => self.complete(now),
            State::Preparing { .. } if self.pending.len() < pending => self.complete_if_all_joined(now),
            State::Completing { deadline } if now > deadline => {
                let late: Vec<StrBytes> = self
                    .members
                    .iter()
                    .filter(|(_, member)| member.syncing.is_none())
                    .map(|(id, _)| id.clone())
                    .collect();
                self.members.retain(|id, _| !late.contains(id));
                self.prepare(now);
            }
            _ => {}
        }
    }

    fn touch(&mut self, identity: &Identity<'_>, generation: i32, now: Instant) -> Result<(), ResponseError> {
        if let Some(instance) = identity.instance_id {
            match self.member_of(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(member) if member != *identity.member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        let member = self
            .members
            .get_mut(identity.member_id)
            .ok_or(ResponseError::UnknownMemberId)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        member.heard = now;
        Ok(())
    }

    fn member_of(&self, instance: &StrBytes) -> Option<StrBytes> {
        self.members
            .iter()
            .find(|(_, member)| member.instance_id.as_ref() == Some(instance))
            .map(|(id, _)| id.clone())
    }

    fn fence(&mut self, id: &StrBytes) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        if self.leader.as_ref() == Some(id) {
            self.leader = None;
        }
        if let Some(answer) = member.joining {
            let _ = answer.send(Err((ResponseError::FencedInstanceId, id.clone())));
        }
        if let Some(answer) = member.syncing {
            let _ = answer.send(Err(ResponseError::FencedInstanceId));
        }
    }

    fn remove(&mut self, id: &StrBytes, now: Instant) {
        // Its waiting answers go with it: whoever waits is told that the member is unknown.
        self.members.remove(id);
        if self.leader.as_ref() == Some(id) {
            self.leader = None;
        }
        match self.state {
            State::Stable | State::Completing { .. } => self.prepare(now),
            State::Preparing { .. } => self.complete_if_all_joined(now),
            State::Empty => {}
        }
    }

    fn prepare(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            if let Some(answer) = member.syncing.take() {
                member.heard = now;
                let _ = answer.send(Err(ResponseError::RebalanceInProgress));
            }
        }
        self.state = State::Preparing {
            deadline: now + self.longest_rebalance_timeout(),
        };
        self.complete_if_all_joined(now);
    }

    fn longest_rebalance_timeout(&self) -> Duration {
        self.members
            .values()
            .map(|member| member.rebalance_timeout)
            .max()
            .unwrap_or_default()
    }

    fn complete_if_all_joined(&mut self, now: Instant) {
        let preparing = matches!(self.state, State::Preparing { .. });
        if preparing
            && self.pending.is_empty()
            && self.members.values().all(|member| member.joining.is_some())
        {
            self.complete(now);
        }
    }

    /// The next generation, of those who have joined.
    fn complete(&mut self, now: Instant) {
        self.members.retain(|_, member| member.joining.is_some());
        self.generation = self.generation.wrapping_add(1).max(1);
        if self.members.is_empty() {
            self.state = State::Empty;
            self.leader = None;
            self.protocol = StrBytes::new();
            return;
        }
        if self
            .leader
            .as_ref()
            .is_none_or(|leader| !self.members.contains_key(leader))
        {
            self.leader = self.members.keys().next().cloned();
        }
        self.protocol = self.elect_protocol();
        self.state = State::Completing {
            deadline: now + self.longest_rebalance_timeout(),
        };
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.heard = now;
                if let Some(answer) = member.joining.take() {
                    let _ = answer.send(Ok(joined));
                }
            }
        }
    }

    /// Of the protocols that all know, the one that most members want most.
    fn elect_protocol(&self) -> StrBytes {
        let known_by_all = |name: &StrBytes| {
            self.members
                .values()
                .all(|member| member.protocols.iter().any(|(other, _)| other == name))
        };
        let mut votes: BTreeMap<StrBytes, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| known_by_all(name)) {
                *votes.entry(name.clone()).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, votes)| *votes)
            .map(|(name, _)| name)
            .unwrap_or_default()
    }

    fn joined(&self, id: &StrBytes) -> Joined {
        let is_leader = self.leader.as_ref() == Some(id);
        let members = self
            .members
            .iter()
            .filter(|_| is_leader)
            .map(|(id, member)| {
                (
                    id.clone(),
                    member.instance_id.clone(),
                    member.metadata(&self.protocol),
                )
            })
            .collect();
        Joined {
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: id.clone(),
            members,
        }
    }
}

#[cfg(test)]
mod tests;
