//! Who is in a group, and what passes between it and a member.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Empty,
    /// Waits for every member to join again until the deadline.
    Preparing {
        deadline: Instant,
    },
    /// Waits for the leader's assignment until the deadline.
    Completing {
        deadline: Instant,
    },
    Stable,
}

impl State {
    /// As DescribeGroups and ListGroups call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Preparing { .. } => "PreparingRebalance",
            Self::Completing { .. } => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A member's way to say who it is.
pub struct Identity<'a> {
    pub member_id: &'a StrBytes,
    pub instance_id: Option<&'a StrBytes>,
}

pub struct Join {
    pub member_id: StrBytes,
    pub instance_id: Option<StrBytes>,
    pub client_id: StrBytes,
    pub client_host: StrBytes,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocol_type: StrBytes,
    /// Name and metadata, most wanted first.
    pub protocols: Vec<(StrBytes, Bytes)>,
    /// A first join is sent back with a member id to join again with (KIP-394, version ≥ 4).
    pub member_id_required: bool,
}

/// A generation, as a member that joined is told of it.
pub struct Joined {
    pub generation: i32,
    pub protocol: StrBytes,
    pub leader: StrBytes,
    pub member_id: StrBytes,
    /// For the leader: member id, instance id, metadata.
    pub members: Vec<(StrBytes, Option<StrBytes>, Bytes)>,
}

/// The member id goes with it: a first join must be told which to come back with.
pub type JoinAnswer = Result<Joined, (ResponseError, StrBytes)>;
pub type SyncAnswer = Result<Bytes, ResponseError>;

pub struct Member {
    pub instance_id: Option<StrBytes>,
    pub client_id: StrBytes,
    pub client_host: StrBytes,
    pub protocols: Vec<(StrBytes, Bytes)>,
    pub assignment: Bytes,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) heard: Instant,
    pub(super) joining: Option<oneshot::Sender<JoinAnswer>>,
    pub(super) syncing: Option<oneshot::Sender<SyncAnswer>>,
}

impl Member {
    pub(super) fn metadata(&self, protocol: &StrBytes) -> Bytes {
        self.protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    pub(super) fn is_silent(&self, now: Instant) -> bool {
        // Who waits for our answer has no reason to speak.
        self.joining.is_none() && self.syncing.is_none() && now > self.heard + self.session_timeout
    }
}
