//! What a topic asks of its records, and the verdict on each. Pure: policies, bytes and schemas in, verdicts out.

pub mod action;
pub mod amend;
pub mod check;
pub mod framing;
mod part;
pub mod policy;
pub mod schemas;
pub mod violation;

pub use action::{Action, DeadLetter, OnDeadLetterFailure};
pub use amend::Additions;
pub use check::{BatchVerdict, Checker};
pub use framing::{Envelope, Prefix};
pub use policy::{
    Framing, Level, OnRegistryDown, PatternError, Policies, Policy, Rule, Strictness, SubjectNaming,
    TopicPattern, TopicRules,
};
pub use schemas::{Governing, GoverningVersion, Lookup, Presence, SchemaSource, SubjectLookup};
pub use violation::{Code, Part, ViolatedSchema, Violation};
