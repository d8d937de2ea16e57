//! The dead-letter topics: how many partitions each has, and new ones.

use super::trouble::Trouble;
use crate::deadletter::decisions::DeadLetterTopic;
use crate::deadletter::topic::create_for_any_time;
use crate::kafka::client::NewTopic;
use crate::kafka::{Client, ClientError};
use kafka_protocol::ResponseError;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::info;

/// Partitions may be added.
const KNOWN_FOR: Duration = Duration::from_mins(1);
/// Policies can make topics' names out of others'.
const KNOWN_MAX: usize = 10_000;
const LOOKS_MAX: usize = 50;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

pub struct Targets {
    client: Client,
    known: HashMap<Arc<str>, (i32, Instant)>,
}

impl Targets {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            known: HashMap::new(),
        }
    }

    /// How many partitions `target` has, which is created as `source` is when it is missing.
    ///
    /// # Errors
    /// [`Trouble`]: why it cannot be had.
    pub async fn partitions(&mut self, target: &DeadLetterTopic, source: &str) -> Result<i32, Trouble> {
        if let Some((partitions, since)) = self.known.get(&target.name)
            && since.elapsed() < KNOWN_FOR
        {
            return Ok(*partitions);
        }
        let partitions = match self.look(&target.name).await? {
            Some(partitions) => partitions,
            None => self.create(target, source).await?,
        };
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known
            .insert(target.name.clone(), (partitions, Instant::now()));
        Ok(partitions)
    }

    /// What was known may be wrong.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    async fn look(&mut self, name: &str) -> Result<Option<i32>, Trouble> {
        let failed = |error: ClientError| Trouble::topic(name, &error);
        let view = self.client.metadata(name).await.map_err(failed)?;
        let partitions = view.topic.map(|topic| topic.partitions.len());
        Ok(partitions.and_then(|partitions| i32::try_from(partitions).ok()))
    }

    async fn create(&mut self, target: &DeadLetterTopic, source: &str) -> Result<i32, Trouble> {
        let name: &str = &target.name;
        // A topic that is gone by now says nothing: as many as the brokers' default.
        let partitions = self.look(source).await?.unwrap_or(-1);
        let retention = target.retention_ms.map(|ms| ms.to_string());
        let mut configs = vec![("message.timestamp.type", "CreateTime")];
        configs.extend(retention.as_deref().map(|ms| ("retention.ms", ms)));
        let topic = NewTopic {
            name,
            partitions,
            replication_factor: -1,
            configs: &configs,
        };
        match create_for_any_time(&mut self.client, &topic).await {
            Ok(()) => info!(topic = name, partitions, "created a dead-letter topic"),
            Err(error) if error.code() == Some(ResponseError::TopicAlreadyExists) => {}
            Err(error) => return Err(Trouble::missing(name, &error)),
        }
        for _ in 0..LOOKS_MAX {
            if let Some(partitions) = self.look(name).await? {
                return Ok(partitions);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Err(Trouble::unseen(name))
    }
}
