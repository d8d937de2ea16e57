//! Topics: where they are, how they are configured, and new ones.

use super::{Client, millis, text, topic_name};
use crate::kafka::cluster::Broker;
use crate::kafka::connection::{ANSWER_TIMEOUT, ClientError};
use crate::kafka::upstream::HostPort;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, DescribeConfigsRequest, MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

const METADATA_VERSION_MAX: i16 = 12;
/// DescribeConfigs' word for a topic.
const RESOURCE_TOPIC: i8 = 2;

/// What Metadata tells of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicView {
    /// Another one when the topic was deleted and made anew; none from brokers that have no such ids.
    pub id: Option<Uuid>,
    pub partitions: Vec<PartitionView>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionView {
    pub index: i32,
    /// `None` while one is elected.
    pub leader: Option<i32>,
    pub replicas: usize,
    pub in_sync: usize,
}

/// Brokers, and the topic that was asked for, if there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterView {
    pub cluster_id: Option<String>,
    pub controller: Option<i32>,
    pub brokers: Vec<Broker>,
    pub topic: Option<TopicView>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTopic<'a> {
    pub name: &'a str,
    /// -1: the broker's `num.partitions` (KIP-464, from Kafka 2.4 on).
    pub partitions: i32,
    /// -1: the broker's `default.replication.factor`.
    pub replication_factor: i16,
    pub configs: &'a [(&'a str, &'a str)],
}

impl Client {
    /// The cluster's brokers, and `topic`. Creates nothing.
    ///
    /// # Errors
    /// [`ClientError`]; a topic that is not there is none.
    pub async fn metadata(&mut self, topic: &str) -> Result<ClusterView, ClientError> {
        let answer = self.describe(&[topic]).await?;
        let mut view = None;
        for found in &answer.topics {
            view = self.view_of(found)?;
        }
        Ok(ClusterView {
            cluster_id: answer.cluster_id.map(|id| id.as_str().to_owned()),
            controller: self.controller,
            brokers: self.brokers.clone(),
            topic: view,
        })
    }

    /// What there is of `topics`, each by its name, or why it cannot be told (TOPIC_AUTHORIZATION_FAILED). A topic that
    /// is not there is left out. Creates nothing.
    ///
    /// # Errors
    /// [`ClientError`] when no broker answers.
    pub async fn topics(
        &mut self,
        topics: &[&str],
    ) -> Result<HashMap<String, Result<TopicView, ClientError>>, ClientError> {
        let answer = self.describe(topics).await?;
        let mut views = HashMap::new();
        for found in &answer.topics {
            let Some(name) = &found.name else { continue };
            if let Some(view) = self.view_of(found).transpose() {
                views.insert(name.as_str().to_owned(), view);
            }
        }
        Ok(views)
    }

    async fn describe(&mut self, topics: &[&str]) -> Result<MetadataResponse, ClientError> {
        let topics = topics
            .iter()
            .map(|topic| MetadataRequestTopic::default().with_name(Some(topic_name(topic))));
        let request = MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(false);
        let answer = self.ask(&request, METADATA_VERSION_MAX).await?;
        self.brokers = brokers_of(&answer);
        self.controller = (answer.controller_id.0 >= 0).then_some(answer.controller_id.0);
        // An address that moved to another host has a connection to the old one.
        let brokers = &self.brokers;
        self.connections.retain(|node, connection| {
            brokers
                .iter()
                .any(|broker| broker.node_id == *node && broker.address == *connection.server())
        });
        Ok(answer)
    }

    /// Remembers the leaders of a topic that is there.
    fn view_of(&mut self, found: &MetadataResponseTopic) -> Result<Option<TopicView>, ClientError> {
        match ResponseError::try_from_code(found.error_code) {
            None | Some(ResponseError::LeaderNotAvailable | ResponseError::ReplicaNotAvailable) => {}
            Some(ResponseError::UnknownTopicOrPartition) => return Ok(None),
            Some(_) => return Err(self.refused("Metadata", found.error_code)),
        }
        let partitions = found.partitions.iter().map(|partition| PartitionView {
            index: partition.partition_index,
            leader: (partition.leader_id.0 >= 0).then_some(partition.leader_id.0),
            replicas: partition.replica_nodes.len(),
            in_sync: partition.isr_nodes.len(),
        });
        let view = TopicView {
            id: Some(found.topic_id).filter(|id| !id.is_nil()),
            partitions: partitions.collect(),
        };
        let topic = found.name.as_ref().map_or("", |name| name.as_str());
        for partition in &view.partitions {
            let key = (topic.to_owned(), partition.index);
            match partition.leader {
                Some(leader) => self.leaders.insert(key, leader),
                None => self.leaders.remove(&key),
            };
        }
        Ok(Some(view))
    }

    /// Creates `topic`, by the controller.
    ///
    /// # Errors
    /// [`ClientError`]; TOPIC_ALREADY_EXISTS when it is there.
    pub async fn create_topic(&mut self, topic: &NewTopic<'_>, timeout: Duration) -> Result<(), ClientError> {
        let configs = topic.configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        let created = CreatableTopic::default()
            .with_name(topic_name(topic.name))
            .with_num_partitions(topic.partitions)
            .with_replication_factor(topic.replication_factor)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default()
            .with_topics(vec![created])
            .with_timeout_ms(millis(timeout));
        self.metadata(topic.name).await?;
        let controller = self.controller;
        let connection = match controller {
            Some(controller) => self.connection(controller).await?,
            None => return Err(ClientError::NoBroker("the cluster has no controller".to_owned())),
        };
        let version = connection.version_of::<CreateTopicsRequest>()?;
        let answer = connection
            .send(&request, version, timeout + ANSWER_TIMEOUT)
            .await?;
        let Some(result) = answer.topics.first() else {
            return Err(connection.malformed::<CreateTopicsRequest>("it names no topic"));
        };
        connection.accept::<CreateTopicsRequest>(result.error_code, result.error_message.as_ref())
    }

    /// Values of `keys` of a topic's configuration, defaults too.
    ///
    /// # Errors
    /// [`ClientError`]; TOPIC_AUTHORIZATION_FAILED when we may not look.
    pub async fn topic_configs(
        &mut self,
        topic: &str,
        keys: &[&str],
    ) -> Result<HashMap<String, Option<String>>, ClientError> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(RESOURCE_TOPIC)
            .with_resource_name(text(topic))
            .with_configuration_keys(Some(keys.iter().map(|key| text(key)).collect()));
        let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
        let answer = self.ask(&request, i16::MAX).await?;
        let Some(result) = answer.results.first() else {
            return Err(self.refused("DescribeConfigs", ResponseError::UnknownServerError.code()));
        };
        if result.error_code != 0 {
            return Err(self.refused("DescribeConfigs", result.error_code));
        }
        let owned = |text: &StrBytes| text.as_str().to_owned();
        Ok(result
            .configs
            .iter()
            .map(|config| (owned(&config.name), config.value.as_ref().map(owned)))
            .collect())
    }
}

/// The brokers of a Metadata response that can be addressed.
pub(in crate::kafka) fn brokers_of(answer: &MetadataResponse) -> Vec<Broker> {
    let brokers = answer.brokers.iter().filter_map(|broker| {
        Some(Broker {
            node_id: broker.node_id.0,
            address: HostPort {
                host: broker.host.as_str().to_owned(),
                port: u16::try_from(broker.port).ok()?,
            },
        })
    });
    brokers.collect()
}
