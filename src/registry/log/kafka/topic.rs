//! The topic: created when it is missing, verified when it is there (Confluent's `KafkaStore.createOrVerifySchemaTopic`).

use super::{KafkaLogError, KafkaStoreOptions};
use crate::kafka::Client;
use crate::kafka::client::{ClusterView, NewTopic, TopicView};
use kafka_protocol::ResponseError;
use std::time::Duration;
use thiserror::Error;
use uuid::Uuid;

/// A schema's history is kept for ever: a newer record of a key takes the place of an older one, none is dropped by age.
const CLEANUP_POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";

const CREATE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a topic that was just created is looked for; the brokers learn of it one after another.
const LOOKS_MAX: usize = 100;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A topic that is not one to keep schemas in.
#[derive(Debug, Error)]
pub enum TopicError {
    #[error(
        "the topic {topic} of the registry's log has {partitions} partitions; it must have exactly one, for a log has one order"
    )]
    Partitions { topic: String, partitions: usize },
    #[error(
        "the topic {topic} of the registry's log has cleanup.policy={policy}, which lets Kafka delete schemas; set it to compact: \
         kafka-configs --alter --topic {topic} --add-config cleanup.policy=compact"
    )]
    CleanupPolicy { topic: String, policy: String },
    #[error("the topic {topic} of the registry's log was created, but no broker has it after {} s", (LOOK_INTERVAL * LOOKS_MAX as u32).as_secs())]
    NotThere { topic: String },
}

pub struct Prepared {
    pub cluster_id: String,
    pub topic_id: Option<Uuid>,
}

/// # Errors
/// [`TopicError`] for a topic that is not fit, [`KafkaLogError`] when one cannot look or create.
pub async fn prepare(client: &mut Client, options: &KafkaStoreOptions) -> Result<Prepared, KafkaLogError> {
    let name = &options.topic;
    let mut view = describe(client, name).await?;
    if view.topic.is_none() {
        create(client, options, view.brokers.len()).await?;
        let mut looks = 0;
        while view.topic.is_none() {
            if looks == LOOKS_MAX {
                return Err(TopicError::NotThere { topic: name.clone() }.into());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
            view = describe(client, name).await?;
            looks += 1;
        }
    }
    if let Some(topic) = &view.topic {
        verify(client, options, topic).await?;
    }
    Ok(Prepared {
        cluster_id: view.cluster_id.unwrap_or_default(),
        topic_id: view.topic.and_then(|topic| topic.id),
    })
}

async fn describe(client: &mut Client, name: &str) -> Result<ClusterView, KafkaLogError> {
    let described = client.metadata(name).await;
    described.map_err(|error| KafkaLogError::of(error, "Describe", || format!("topic {name}")))
}

async fn create(
    client: &mut Client,
    options: &KafkaStoreOptions,
    brokers: usize,
) -> Result<(), KafkaLogError> {
    let (name, wanted) = (&options.topic, options.replication_factor);
    let replication_factor = i16::try_from(brokers).map_or(wanted, |brokers| brokers.clamp(1, wanted));
    if replication_factor < wanted {
        tracing::warn!(
            topic = name,
            replication_factor,
            wanted,
            "the registry's log is created with fewer replicas than configured, as the cluster has fewer brokers; add brokers and reassign it"
        );
    }
    let topic = NewTopic {
        name,
        partitions: 1,
        replication_factor,
        configs: &[(CLEANUP_POLICY, COMPACT)],
    };
    match client.create_topic(&topic, CREATE_TIMEOUT).await {
        Ok(()) => {
            tracing::info!(topic = name, replication_factor, "the registry's log is created");
            Ok(())
        }
        // Another registry was faster.
        Err(error) if error.code() == Some(ResponseError::TopicAlreadyExists) => Ok(()),
        Err(error) => Err(KafkaLogError::of(error, "Create", || {
            format!("topic {name}, or create it with one partition and cleanup.policy=compact")
        })),
    }
}

async fn verify(
    client: &mut Client,
    options: &KafkaStoreOptions,
    topic: &TopicView,
) -> Result<(), KafkaLogError> {
    let name = &options.topic;
    let [partition] = topic.partitions.as_slice() else {
        return Err(TopicError::Partitions {
            topic: name.clone(),
            partitions: topic.partitions.len(),
        }
        .into());
    };
    if partition.replicas < usize::try_from(options.replication_factor).unwrap_or(0) {
        tracing::warn!(
            topic = name,
            replicas = partition.replicas,
            wanted = options.replication_factor,
            "the registry's log has fewer replicas than configured: the loss of a broker may be the loss of schemas"
        );
    }
    let configs = client.topic_configs(name, &[CLEANUP_POLICY]).await;
    let configs =
        configs.map_err(|error| KafkaLogError::of(error, "DescribeConfigs", || format!("topic {name}")))?;
    let policy = configs.get(CLEANUP_POLICY).cloned().flatten().unwrap_or_default();
    if policy != COMPACT {
        return Err(TopicError::CleanupPolicy {
            topic: name.clone(),
            policy,
        }
        .into());
    }
    Ok(())
}
