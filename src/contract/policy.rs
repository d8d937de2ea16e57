//! Policies as meant: what the configuration's `policies` list becomes.

use crate::schema::Subject;
use regex::Regex;

/// How much of a record's key or value is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Off,
    /// The schema id exists under the subject (Confluent's broker-side check).
    SchemaId,
    /// Every byte of the payload.
    Payload,
    /// `Payload` where the subject exists, else `Off`.
    Auto,
}

/// How a record says which schema wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Magic byte 0, 4-byte schema id, for Protobuf message indexes.
    Confluent,
}

/// How the governing subject follows from the topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubjectNaming {
    /// `<topic>-value` or `<topic>-key`.
    TopicName,
    Literal(Subject),
}

/// What is asked of the key or of the value.
#[derive(Clone, Debug)]
pub struct Rule {
    pub level: Level,
    pub framing: Framing,
    pub subject: SubjectNaming,
}

/// What happens to a batch with bad records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The partition's batch is refused with INVALID_RECORD and a record error for each bad record (KIP-467).
    Reject,
    /// Count and log, forward untouched.
    Observe,
}

/// What happens when a schema is not cached and the registry cannot be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnRegistryDown {
    /// A retriable error.
    Refuse,
    Pass,
}

/// Which topics a policy is for: a glob (`*`, `?`), or a regular expression that must match the whole name.
#[derive(Clone, Debug)]
pub struct TopicPattern(pub Regex);

#[derive(Clone, Debug)]
pub struct Policy {
    pub topics: Vec<TopicPattern>,
    pub value: Rule,
    pub key: Rule,
    pub action: Action,
    /// A null value (tombstone) is refused with PC-106 when false.
    pub null_value_allowed: bool,
    /// The violation's line may quote the payload.
    pub include_payload: bool,
    pub on_registry_down: OnRegistryDown,
}

/// The policies in their order; the first whose pattern matches a topic governs it.
#[derive(Clone, Debug, Default)]
pub struct Policies(pub Vec<Policy>);

/// What the policies ask of one topic, with its subjects worked out: made once a topic and kept.
#[derive(Clone, Debug)]
pub struct TopicRules {
    pub value: Level,
    pub value_subject: Subject,
    pub key: Level,
    pub key_subject: Subject,
    pub action: Action,
    pub null_value_allowed: bool,
    pub include_payload: bool,
    pub on_registry_down: OnRegistryDown,
}

impl Policies {
    /// The rules of the first policy that matches, or of the default policy (`auto`, reject) when none does.
    #[must_use]
    pub fn rules_for(&self, _topic: &str) -> TopicRules {
        todo!()
    }
}
