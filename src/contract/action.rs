//! What happens to a batch with bad records, and where dead letters go.

use crate::wire::topic_name;
use std::sync::Arc;
use std::time::Duration;

/// What happens to a batch with bad records. A batch that cannot be judged by the record (malformed, over a limit, a
/// schema out of reach) is refused by all but `Observe`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// The partition's batch is refused with INVALID_RECORD and a record error for each bad record (KIP-467).
    Reject,
    /// The bad records leave the batch for a topic of their own; the others go on.
    DeadLetter(DeadLetter),
    /// Count and log, forward untouched.
    Observe,
    /// The bad records are forwarded with a header that says what is wrong with them.
    Mark,
}

/// How a policy's bad records are kept.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct DeadLetter {
    /// A legal name; none: that of [`derived_topic`].
    pub topic: Option<Arc<str>>,
    /// Of the topic when the gateway creates it; none: the brokers' own.
    pub retention: Option<Duration>,
    pub on_failure: OnDeadLetterFailure,
}

/// What the producer is told while dead letters cannot be written (PC-402).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum OnDeadLetterFailure {
    /// A retriable error.
    #[default]
    Retry,
    /// What [`Action::Reject`] tells it.
    Reject,
}

impl Action {
    /// Whether each bad record needs its line, however many there are: it becomes a header.
    #[must_use]
    pub fn needs_every_line(&self) -> bool {
        matches!(self, Self::DeadLetter(_) | Self::Mark)
    }
}

const SUFFIX: &str = ".dlq";

/// `<topic>.dlq`, where the dead letters of `topic` go unless its policy names a topic. None: longer than a topic's
/// name may be.
#[must_use]
pub fn derived_topic(topic: &str) -> Option<Arc<str>> {
    let name = format!("{topic}{SUFFIX}");
    (name.len() <= topic_name::LENGTH_MAX).then(|| name.into())
}

/// The topic whose dead letters go to `topic` when no policy says otherwise.
pub(super) fn origin(topic: &str) -> Option<&str> {
    topic.strip_suffix(SUFFIX).filter(|origin| !origin.is_empty())
}
