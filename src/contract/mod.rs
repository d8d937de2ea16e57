//! What a topic asks of its records, and the verdict on each. Pure: policies, bytes and schemas in, verdicts out.

pub mod policy;
pub mod schemas;

pub use policy::{Action, Framing, Level, OnRegistryDown, Policies, Policy, Rule, SubjectNaming, TopicPattern};
pub use schemas::{Governing, Lookup, Presence, SchemaSource};
