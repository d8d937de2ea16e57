//! What a session asks of the outside. Everything answers at once; a test puts values in its place.

use super::dead_letter::{Operation, OperationId, Outcome};
use crate::contract::{BatchVerdict, TopicRules};
use crate::deadletter::decisions::{Next, Path};
use crate::deadletter::log::LogError;
use crate::wire::addresses::AddressMap;
use crate::wire::compression::DecompressionLimits;
use std::sync::Arc;
use ulid::Ulid;

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
    /// Its bad records are dead letters, or will be; what was left went on.
    Trimmed,
    Refused,
}

/// Where a session is, for dead letters.
#[derive(Clone, Debug)]
pub struct Place {
    pub client_address: String,
    pub principal: Option<String>,
    pub gateway: Arc<str>,
    /// Milliseconds since the epoch.
    pub time_ms: i64,
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
    /// The batch as its verdict wants it forwarded, when that is not as it is; or the verdict in place of that one,
    /// when it would take more than `length_max` bytes. See [`crate::contract::Checker::amend`].
    fn amend(
        &mut self,
        rules: &TopicRules,
        records: &[u8],
        verdict: &BatchVerdict,
        length_max: usize,
    ) -> Result<Option<Vec<u8>>, BatchVerdict>;
    fn judged(&mut self, judged: Judged<'_, Self::Metrics>);
    /// What a batch of a topic that dead-letters needs next.
    fn next_step(&mut self, path: &Path) -> Next;
    /// The batch goes on with all its records.
    fn passed_whole(&mut self, path: &Path);
    /// Begins something that takes time; [`Self::finished`] tells what came of it.
    fn start(&mut self, operation: Operation) -> OperationId;
    /// The next operation that is over.
    fn finished(&mut self) -> Option<(OperationId, Outcome)>;
    /// A batch could not be decided on, or its outcome not be written down.
    fn dead_letter_failed(&mut self, topic: &str, error: &LogError);
    fn place(&mut self) -> Place;
    /// A fresh reference, for a line.
    fn reference(&mut self) -> Ulid;
    fn decompression_limits(&self) -> DecompressionLimits;
    fn addresses(&mut self) -> &mut dyn AddressMap;
    /// Asks the process-wide budget for bytes.
    fn reserve(&mut self, bytes: usize) -> bool;
    fn release(&mut self, bytes: usize);
    /// Whether clients have been seen to authenticate with SASL on this cluster.
    fn asks_for_sasl(&self) -> bool;
    fn saw_sasl(&mut self);
}
