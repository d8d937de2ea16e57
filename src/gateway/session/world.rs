//! What a session asks of the outside. Everything answers at once; a test puts values in its place.

use crate::contract::{BatchVerdict, TopicRules};
use crate::wire::addresses::AddressMap;
use std::sync::Arc;

/// A topic as the gateway knows it: its rules, and where it is counted.
pub struct Topic<M> {
    pub name: Arc<str>,
    pub rules: TopicRules,
    pub metrics: M,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Forwarded,
    Refused,
}

/// One batch's way through the gateway, for metrics and the log.
pub struct Judged<'a, M> {
    pub topic: &'a Topic<M>,
    pub partition: i32,
    pub client_id: Option<&'a str>,
    pub verdict: &'a BatchVerdict,
    pub fate: Fate,
}

pub trait World {
    type Metrics;
    /// The rules of a topic.
    fn topic(&mut self, name: &str) -> Arc<Topic<Self::Metrics>>;
    /// The name behind a topic id. A world that does not know it asks for it in the background.
    fn topic_name(&mut self, id: [u8; 16]) -> Option<Arc<str>>;
    /// Checks one partition's batch.
    fn check(&mut self, rules: &TopicRules, records: &[u8]) -> BatchVerdict;
    fn judged(&mut self, judged: Judged<'_, Self::Metrics>);
    fn addresses(&mut self) -> &mut dyn AddressMap;
    /// Asks the process-wide budget for bytes.
    fn reserve(&mut self, bytes: usize) -> bool;
    fn release(&mut self, bytes: usize);
    /// Whether clients have been seen to authenticate with SASL on this cluster.
    fn asks_for_sasl(&self) -> bool;
    fn saw_sasl(&mut self);
}
