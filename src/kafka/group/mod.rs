//! Consumer groups of the classic protocol: what every kind of member asks of its coordinator ([`Coordinator`]), and a
//! member of type `consumer` that shares the partitions of one topic with the others ([`Membership`]). The registry's
//! election is another kind of member.

mod assignment;
mod coordinator;
mod member;
mod task;

pub use coordinator::{Coordinator, GroupTerms};
pub use member::Assigned;
pub use task::{Event, MemberOptions, Membership};

use std::sync::Arc;
use std::time::Duration;

/// Time since a moment that stays the same.
pub type Time = Duration;

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Find the group's coordinator and connect to it.
    Find,
    Ask(Ask),
    /// Nothing until then, or until something is told.
    Wait(Time),
    /// It has left.
    Done,
}

/// A request to the coordinator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    Join {
        /// Empty the first time.
        member_id: Arc<str>,
        metadata: Vec<u8>,
    },
    Sync {
        generation: i32,
        member_id: Arc<str>,
        /// By member id; empty from everybody but the assigner.
        assignments: Vec<(Arc<str>, Vec<u8>)>,
    },
    Heartbeat {
        generation: i32,
        member_id: Arc<str>,
    },
    Leave {
        member_id: Arc<str>,
    },
}

/// What came of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Found,
    Joined {
        generation: i32,
        member_id: Arc<str>,
        /// Every member with its metadata, when this one is to assign.
        members: Option<Vec<(Arc<str>, Vec<u8>)>>,
    },
    Synced {
        assignment: Vec<u8>,
    },
    Beat,
    Left,
    Refused(Refusal),
    /// None: the connection is of no more use.
    Failed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Join again with this id (KIP-394).
    MemberIdRequired(Arc<str>),
    UnknownMember,
    IllegalGeneration,
    Rebalancing,
    /// Another broker coordinates, or none for now.
    NotCoordinator,
    Loading,
    /// Anything else, in words.
    Other(String),
}

/// `pause` doubled so many times, at most `most`.
#[must_use]
pub fn doubled(pause: Duration, times: u32, most: Duration) -> Duration {
    pause.saturating_mul(1 << times.min(16)).min(most)
}
