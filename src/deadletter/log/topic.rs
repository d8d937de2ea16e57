//! The log's topic: created when it is missing, looked at when it is there.

use super::DecisionLogOptions;
use crate::deadletter::topic::create_for_any_time;
use crate::kafka::client::NewTopic;
use crate::kafka::{Client, ClientError};
use kafka_protocol::ResponseError;
use std::time::Duration;
use tracing::{info, warn};
use uuid::Uuid;

const LOOKS_MAX: usize = 100;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Longer than brokers keep a producer (a day) or a transactional id (a week).
const RETENTION_MS: &str = "691200000";
/// A client's batch with all its headers, whatever the brokers' default is.
const MESSAGE_BYTES_MAX: &str = "67108864";
const CONFIGS: [(&str, &str); 4] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", RETENTION_MS),
    ("max.message.bytes", MESSAGE_BYTES_MAX),
    ("message.timestamp.type", "CreateTime"),
];

pub struct Prepared {
    pub partitions: i32,
    pub topic_id: Option<Uuid>,
}

/// # Errors
/// A sentence: why the topic cannot be had.
pub async fn prepare(client: &mut Client, options: &DecisionLogOptions) -> Result<Prepared, String> {
    let name = &options.topic;
    let said = |error: ClientError| error.to_string();
    let mut view = client.metadata(name).await.map_err(said)?;
    if view.topic.is_none() {
        create(client, options, view.brokers.len()).await?;
        for _ in 0..LOOKS_MAX {
            view = client.metadata(name).await.map_err(said)?;
            if view.topic.is_some() {
                break;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    } else {
        verify(client, name).await;
    }
    let topic = view
        .topic
        .ok_or_else(|| format!("topic {name} was created, but no broker has it"))?;
    Ok(Prepared {
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(1),
        topic_id: topic.id,
    })
}

async fn create(client: &mut Client, options: &DecisionLogOptions, brokers: usize) -> Result<(), String> {
    let wanted = options.replication_factor;
    let replication_factor = i16::try_from(brokers).map_or(wanted, |brokers| brokers.clamp(1, wanted.max(1)));
    if replication_factor < wanted {
        warn!(
            topic = options.topic,
            "created with replication factor {replication_factor} instead of {wanted}: there are no more brokers"
        );
    }
    let topic = NewTopic {
        name: &options.topic,
        partitions: options.partitions,
        replication_factor,
        configs: &CONFIGS,
    };
    match create_for_any_time(client, &topic).await {
        Ok(()) => info!(
            topic = options.topic,
            partitions = options.partitions,
            "created the log of decisions"
        ),
        Err(error) if error.code() == Some(ResponseError::TopicAlreadyExists) => {}
        Err(error) => return Err(format!("topic {} cannot be created: {error}", options.topic)),
    }
    Ok(())
}

/// What somebody else has made of the topic is theirs to decide, but not in silence.
async fn verify(client: &mut Client, name: &str) {
    let keys = ["cleanup.policy", "retention.ms"];
    let Ok(found) = client.topic_configs(name, &keys).await else {
        return;
    };
    let value = |key: &str| found.get(key).cloned().flatten().unwrap_or_default();
    if value("cleanup.policy") != "delete" {
        warn!(
            topic = name,
            "cleanup.policy is {}: compaction takes decisions away; set it to delete",
            value("cleanup.policy")
        );
    }
    let day_ms = 24 * 60 * 60 * 1000;
    if value("retention.ms")
        .parse::<i64>()
        .is_ok_and(|ms| (0..day_ms).contains(&ms))
    {
        warn!(
            topic = name,
            "retention.ms is {}: shorter than brokers remember a producer",
            value("retention.ms")
        );
    }
}
