//! The log in a Kafka topic, the one that Confluent's registry keeps (`_schemas`): one partition, compacted.
//!
//! ```text
//! topic:   created or verified
//! reader:  fetches for ever ─► folding: state and position ─► Source ─► REST, gateway
//! writer:  decides on the folded state, appends ──────┘ (what it wrote itself is not folded twice)
//! ```
//! **Who may write.** The writer's producer id comes from InitProducerId with a transactional id, so each leader's
//! epoch is one above the last one's, and the partition refuses a batch of an older epoch as soon as it has seen one of
//! the newer (`ProducerAppendInfo.checkProducerEpoch`). A new leader therefore first writes a NOOP, reads up to it, and
//! only then decides: nothing of its predecessor can come after. The same way leads out of a write whose outcome is not
//! known: after a NOOP of the next epoch it has either been read or can no longer be written.
//!
//! **No transactions.** Batches are idempotent but not transactional, which a broker accepts from such a producer id
//! (KIP-890 verifies transactional batches only). Confluent's reader takes what is not committed, too
//! (`KafkaStoreReaderThread` leaves `isolation.level` at its default), so a transaction would hide nothing from it; ours
//! reads the same way, for the same log must give both the same state, and an open transaction of somebody else must not
//! hold it up.

mod condition;
mod folding;
mod reader;
mod topic;
mod writer;

pub use writer::KafkaLog;

use self::condition::Condition;
use self::folding::Folding;
use self::reader::{Loaded, Reader};
use self::topic::TopicError;
use crate::kafka::client::Partition;
use crate::kafka::{Client, ClientError, UpstreamOptions};
use crate::registry::election::ElectionOptions;
use crate::registry::role::Leadership;
use crate::registry::source::Source;
use crate::schema::CompatibilityLevel;
use crate::telemetry::health::Health;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Confluent's default (`kafkastore.topic`).
pub const TOPIC: &str = "_schemas";
/// Confluent's default (`kafkastore.topic.replication.factor`).
pub const REPLICATION_FACTOR: i16 = 3;

/// Between two tries to reach the cluster; doubles up to the second.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KafkaStoreOptions {
    pub upstream: UpstreamOptions,
    pub topic: String,
    /// Of a topic that is created; an existing one that has fewer replicas is worth a warning.
    pub replication_factor: i16,
    /// Without it nobody else is expected to write the topic, and whoever does is fenced.
    pub election: Option<Box<ElectionOptions>>,
}

/// Why the log cannot be opened, read or written.
#[derive(Debug, Error)]
pub enum KafkaLogError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error("{topic}: {why}; restore the topic")]
    Unreadable { topic: String, why: String },
    /// An authorization error, with what is missing.
    #[error("{source}: grant {operations} on {resource}")]
    Denied {
        operations: &'static str,
        resource: String,
        source: ClientError,
    },
}

impl KafkaLogError {
    /// Whether another try may go better, without anybody mending anything.
    fn is_retriable(&self) -> bool {
        match self {
            Self::Client(error) => error.is_retriable(),
            Self::Topic(_) | Self::Unreadable { .. } | Self::Denied { .. } => false,
        }
    }

    /// `error` of a request that needs `operations` on `resource`.
    fn of(error: ClientError, operations: &'static str, resource: impl FnOnce() -> String) -> Self {
        use kafka_protocol::ResponseError::{
            ClusterAuthorizationFailed, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed,
        };
        match error.code() {
            Some(
                TopicAuthorizationFailed | ClusterAuthorizationFailed | TransactionalIdAuthorizationFailed,
            ) => Self::Denied {
                operations,
                resource: resource(),
                source: error,
            },
            _ => Self::Client(error),
        }
    }
}

/// The log, read to its end, and what the REST API says of it.
pub struct OpenedLog {
    pub log: KafkaLog,
    pub source: Arc<Source>,
    /// Kafka's own.
    pub cluster_id: String,
}

/// Creates or verifies the topic and reads it to its end. A cluster that is out of reach is waited for; `health` says
/// so meanwhile.
///
/// # Errors
/// What somebody has to mend: the topic, an authorization, a certificate.
pub async fn open(
    options: &KafkaStoreOptions,
    level: CompatibilityLevel,
    leadership: Leadership,
    health: Health,
) -> io::Result<OpenedLog> {
    let mut client = Client::new(&options.upstream)?;
    let condition = Arc::new(Condition::new(health));
    let mut backoff = Backoff::default();
    let (cluster_id, loaded) = loop {
        let tried = try_open(&mut client, options, level, &condition).await;
        match tried {
            Ok(loaded) => break loaded,
            Err(error) if error.is_retriable() => {
                condition.loading(&error.to_string());
                backoff.wait().await;
            }
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())),
        }
    };
    let Loaded {
        state,
        next_offset,
        log_start_offset,
        topic_id,
    } = loaded;
    tracing::info!(
        topic = options.topic,
        offset = next_offset,
        "the registry's log is loaded"
    );
    let source = Arc::new(Source::new(Arc::new(state)));
    let folding = Arc::new(Folding::new(source.clone(), leadership.clone(), next_offset));
    let reader = Reader {
        client: client.another(),
        topic: options.topic.clone(),
        topic_id,
        log_start_offset,
        folding: folding.clone(),
        condition: condition.clone(),
    };
    let log = KafkaLog::new(client, &options.topic, folding, leadership, condition, reader);
    Ok(OpenedLog {
        log,
        source,
        cluster_id,
    })
}

async fn try_open(
    client: &mut Client,
    options: &KafkaStoreOptions,
    level: CompatibilityLevel,
    condition: &Condition,
) -> Result<(String, Loaded), KafkaLogError> {
    let prepared = topic::prepare(client, options).await?;
    let loaded = reader::load(client, &options.topic, prepared.topic_id, level, condition).await?;
    Ok((prepared.cluster_id, loaded))
}

fn partition(topic: &str) -> Partition<'_> {
    Partition { topic, index: 0 }
}

struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(BACKOFF_MIN)
    }
}

impl Backoff {
    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(BACKOFF_MAX);
    }
}
