//! What our own parts ask of the cluster, each request at the broker it belongs to: any broker, a partition's
//! leader, a coordinator. One request is under way at a time; who must read and write at once takes two clients.

use super::cluster::Broker;
use super::connect::Connector;
use super::connection::{ANSWER_TIMEOUT, ClientError, Connection};
use super::sasl::SaslOptions;
use super::upstream::{HostPort, UpstreamOptions};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DescribeConfigsRequest, FetchRequest, FindCoordinatorRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, MetadataResponse, ProduceRequest, ProducerId,
    TopicName, TransactionalId,
};
use kafka_protocol::protocol::{Request, StrBytes};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Topics go by name: from version 13 of Produce and Fetch on they go by id.
const PRODUCE_VERSION_MAX: i16 = 12;
const FETCH_VERSION_MAX: i16 = 12;
/// From version 4 on keys go in lists.
const FIND_COORDINATOR_VERSION_MAX: i16 = 3;
const METADATA_VERSION_MAX: i16 = 12;
/// DescribeConfigs' word for a topic.
const RESOURCE_TOPIC: i8 = 2;
/// Between two tries; doubles up to the second.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoordinatorKind {
    Group,
    Transaction,
}

/// One partition of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Partition<'a> {
    pub topic: &'a str,
    pub index: i32,
}

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
    pub partitions: i32,
    pub replication_factor: i16,
    pub configs: &'a [(&'a str, &'a str)],
}

/// A producer id and its epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
}

/// Batches from an offset on, as they are in the log: the first may begin before it, the last be cut off.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub records: Bytes,
    pub high_watermark: i64,
    pub log_start_offset: i64,
}

/// Where a batch was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    pub base_offset: i64,
    /// The broker's timestamp, where the topic takes that and not ours.
    pub log_append_time_ms: Option<i64>,
}

/// How much a fetch brings, and how long it waits for something.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    pub bytes_max: i32,
    pub wait_max: Duration,
}

/// Where an offset look-up points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetAt {
    Earliest,
    /// The high watermark.
    Latest,
}

pub struct Client {
    connector: Connector,
    sasl: Option<Arc<SaslOptions>>,
    bootstrap_servers: Arc<[HostPort]>,
    brokers: Vec<Broker>,
    controller: Option<i32>,
    leaders: HashMap<(String, i32), i32>,
    /// By node id.
    connections: HashMap<i32, Connection>,
    /// To whichever server answered first.
    any: Option<Connection>,
}

impl Client {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When a certificate or key cannot be read.
    pub fn new(options: &UpstreamOptions) -> io::Result<Self> {
        Ok(Self {
            connector: Connector::new(options)?,
            sasl: options.sasl.clone().map(Arc::new),
            bootstrap_servers: options.bootstrap_servers.clone().into(),
            brokers: Vec::new(),
            controller: None,
            leaders: HashMap::new(),
            connections: HashMap::new(),
            any: None,
        })
    }

    /// Another client of the same cluster, with connections of its own.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            connector: self.connector.clone(),
            sasl: self.sasl.clone(),
            bootstrap_servers: self.bootstrap_servers.clone(),
            brokers: self.brokers.clone(),
            controller: self.controller,
            leaders: HashMap::new(),
            connections: HashMap::new(),
            any: None,
        }
    }

    /// An authenticated connection to `server`, for who keeps one: a group's member to its coordinator.
    ///
    /// # Errors
    /// [`ClientError`] when it cannot be had.
    pub async fn open(&self, server: &HostPort) -> Result<Connection, ClientError> {
        Connection::open(&self.connector, server, self.sasl.as_deref()).await
    }

    /// Asks any broker, a bootstrap server first, once each.
    ///
    /// # Errors
    /// [`ClientError`] of the last one that was tried.
    pub async fn ask<R: Request>(
        &mut self,
        request: &R,
        version_max: i16,
    ) -> Result<R::Response, ClientError> {
        // A connection that has died since the last question is replaced.
        if let Some(connection) = self.any.as_mut().filter(|connection| connection.is_usable()) {
            let version = connection.version_up_to::<R>(version_max)?;
            if let Ok(response) = connection.send(request, version, ANSWER_TIMEOUT).await {
                return Ok(response);
            }
        }
        self.any = None;
        let known = self.brokers.iter().map(|broker| &broker.address);
        let servers: Vec<HostPort> = self.bootstrap_servers.iter().chain(known).cloned().collect();
        let mut last = ClientError::NoBroker("upstream.bootstrap_servers is empty".to_owned());
        for server in servers {
            let asked = async {
                let mut connection = self.open(&server).await?;
                let version = connection.version_up_to::<R>(version_max)?;
                let response = connection.send(request, version, ANSWER_TIMEOUT).await?;
                Ok((connection, response))
            };
            match asked.await {
                Ok((connection, response)) => {
                    self.any = Some(connection);
                    return Ok(response);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The cluster's brokers, and `topic`. Creates nothing.
    ///
    /// # Errors
    /// [`ClientError`]; a topic that is not there is none.
    pub async fn metadata(&mut self, topic: &str) -> Result<ClusterView, ClientError> {
        let asked = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![asked]))
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
        let mut view = None;
        for found in &answer.topics {
            match ResponseError::try_from_code(found.error_code) {
                None | Some(ResponseError::LeaderNotAvailable | ResponseError::ReplicaNotAvailable) => {}
                Some(ResponseError::UnknownTopicOrPartition) => continue,
                Some(_) => {
                    return Err(self.refused("Metadata", found.error_code));
                }
            }
            let partitions = found.partitions.iter().map(|partition| PartitionView {
                index: partition.partition_index,
                leader: (partition.leader_id.0 >= 0).then_some(partition.leader_id.0),
                replicas: partition.replica_nodes.len(),
                in_sync: partition.isr_nodes.len(),
            });
            let found = TopicView {
                id: Some(found.topic_id).filter(|id| !id.is_nil()),
                partitions: partitions.collect(),
            };
            for partition in &found.partitions {
                let key = (topic.to_owned(), partition.index);
                match partition.leader {
                    Some(leader) => self.leaders.insert(key, leader),
                    None => self.leaders.remove(&key),
                };
            }
            view = Some(found);
        }
        Ok(ClusterView {
            cluster_id: answer.cluster_id.map(|id| id.as_str().to_owned()),
            controller: self.controller,
            brokers: self.brokers.clone(),
            topic: view,
        })
    }

    /// Who coordinates the group or the transactional id `key`.
    ///
    /// # Errors
    /// [`ClientError`]; COORDINATOR_NOT_AVAILABLE while there is none.
    pub async fn coordinator(&mut self, kind: CoordinatorKind, key: &str) -> Result<Broker, ClientError> {
        let request = FindCoordinatorRequest::default()
            .with_key(text(key))
            .with_key_type(match kind {
                CoordinatorKind::Group => 0,
                CoordinatorKind::Transaction => 1,
            });
        let answer = self.ask(&request, FIND_COORDINATOR_VERSION_MAX).await?;
        if answer.error_code != 0 {
            return Err(self.refused("FindCoordinator", answer.error_code));
        }
        Ok(Broker {
            node_id: answer.node_id.0,
            address: HostPort {
                host: answer.host.as_str().to_owned(),
                port: u16::try_from(answer.port).unwrap_or(0),
            },
        })
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

    /// A producer id for `transactional_id`, its epoch one above all that were given before; whoever holds one of
    /// those is fenced. `current`: only if that is still the newest (KIP-360). Tries until `deadline`.
    ///
    /// # Errors
    /// [`ClientError`]; PRODUCER_FENCED when `current` is not the newest.
    pub async fn init_producer_id(
        &mut self,
        transactional_id: &str,
        current: Option<Producer>,
        deadline: Instant,
    ) -> Result<Producer, ClientError> {
        let none = Producer { id: -1, epoch: -1 };
        let current = current.unwrap_or(none);
        let mut backoff = BACKOFF_MIN;
        loop {
            match self.try_init_producer_id(transactional_id, current).await {
                // Another's request for the same id is still under way.
                Err(error)
                    if (error.is_retriable()
                        || error.code() == Some(ResponseError::ConcurrentTransactions))
                        && wait(&mut backoff, deadline).await => {}
                other => return other,
            }
        }
    }

    async fn try_init_producer_id(
        &mut self,
        transactional_id: &str,
        current: Producer,
    ) -> Result<Producer, ClientError> {
        let broker = self
            .coordinator(CoordinatorKind::Transaction, transactional_id)
            .await?;
        let connection = self.connection_to(&broker).await?;
        let version = connection.version_of::<InitProducerIdRequest>()?;
        let mut request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(transactional_id))))
            // No transaction is ever begun; the coordinator wants a number within its bounds.
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        if version >= 3 {
            request.producer_id = ProducerId(current.id);
            request.producer_epoch = current.epoch;
        }
        let answer = connection.send(&request, version, ANSWER_TIMEOUT).await?;
        connection.accept::<InitProducerIdRequest>(answer.error_code, None)?;
        Ok(Producer {
            id: answer.producer_id.0,
            epoch: answer.producer_epoch,
        })
    }

    /// Writes one batch, and returns where when every in-sync replica has it. The same bytes are sent
    /// again until `deadline`, so a batch without a sequence may be written twice.
    ///
    /// # Errors
    /// The last [`ClientError`], and whether any try may have written the batch all the same.
    pub async fn produce(
        &mut self,
        partition: Partition<'_>,
        batch: &Bytes,
        deadline: Instant,
    ) -> Result<Written, Unwritten> {
        let mut unknown = false;
        let mut backoff = BACKOFF_MIN;
        loop {
            let error = match self.try_produce(partition, batch, deadline).await {
                Ok(written) => return Ok(written),
                Err(error) => error,
            };
            unknown |= error.is_unknown();
            self.forget(partition);
            if !error.is_retriable() || !wait(&mut backoff, deadline).await {
                return Err(Unwritten { error, unknown });
            }
        }
    }

    async fn try_produce(
        &mut self,
        partition: Partition<'_>,
        batch: &Bytes,
        deadline: Instant,
    ) -> Result<Written, ClientError> {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .clamp(Duration::from_millis(500), ANSWER_TIMEOUT);
        let data = PartitionProduceData::default()
            .with_index(partition.index)
            .with_records(Some(batch.clone()));
        let topic = TopicProduceData::default()
            .with_name(topic_name(partition.topic))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(millis(left))
            .with_topic_data(vec![topic]);
        let connection = self.leader(partition).await?;
        let version = connection.version_up_to::<ProduceRequest>(PRODUCE_VERSION_MAX)?;
        // A little over what the broker itself waits for its followers.
        let timeout = left + Duration::from_millis(500);
        let answer = connection.send(&request, version, timeout).await?;
        let result = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .find(|result| result.index == partition.index)
            .ok_or_else(|| connection.malformed::<ProduceRequest>("the partition is not in it"))?;
        connection.accept::<ProduceRequest>(result.error_code, result.error_message.as_ref())?;
        Ok(Written {
            base_offset: result.base_offset,
            log_append_time_ms: Some(result.log_append_time_ms).filter(|time_ms| *time_ms >= 0),
        })
    }

    /// What is in the log from `offset` on; waits for something up to the limit. Tries once.
    ///
    /// # Errors
    /// [`ClientError`]; OFFSET_OUT_OF_RANGE when the log begins later or ends earlier.
    pub async fn fetch(
        &mut self,
        partition: Partition<'_>,
        offset: i64,
        limits: FetchLimits,
    ) -> Result<Fetched, ClientError> {
        let fetched = self.try_fetch(partition, offset, limits).await;
        if fetched.is_err() {
            self.forget(partition);
        }
        fetched
    }

    async fn try_fetch(
        &mut self,
        partition: Partition<'_>,
        offset: i64,
        limits: FetchLimits,
    ) -> Result<Fetched, ClientError> {
        let wanted = FetchPartition::default()
            .with_partition(partition.index)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(limits.bytes_max);
        let topic = FetchTopic::default()
            .with_topic(topic_name(partition.topic))
            .with_partitions(vec![wanted]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(millis(limits.wait_max))
            .with_min_bytes(1)
            .with_max_bytes(limits.bytes_max)
            // Not only what is committed: see `registry::log::kafka`.
            .with_isolation_level(0)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let connection = self.leader(partition).await?;
        let version = connection.version_up_to::<FetchRequest>(FETCH_VERSION_MAX)?;
        let answer = connection
            .send(&request, version, limits.wait_max + ANSWER_TIMEOUT)
            .await?;
        connection.accept::<FetchRequest>(answer.error_code, None)?;
        let result = answer
            .responses
            .into_iter()
            .flat_map(|topic| topic.partitions)
            .find(|result| result.partition_index == partition.index)
            .ok_or_else(|| connection.malformed::<FetchRequest>("the partition is not in it"))?;
        connection.accept::<FetchRequest>(result.error_code, None)?;
        Ok(Fetched {
            records: result.records.unwrap_or_default(),
            high_watermark: result.high_watermark,
            log_start_offset: result.log_start_offset,
        })
    }

    /// The log's first offset, or the one after its last committed record. Tries once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn offset(&mut self, partition: Partition<'_>, at: OffsetAt) -> Result<i64, ClientError> {
        let wanted = ListOffsetsPartition::default()
            .with_partition_index(partition.index)
            .with_timestamp(match at {
                OffsetAt::Earliest => -2,
                OffsetAt::Latest => -1,
            });
        let topic = ListOffsetsTopic::default()
            .with_name(topic_name(partition.topic))
            .with_partitions(vec![wanted]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let asked = async {
            let connection = self.leader(partition).await?;
            let answer = connection.call(&request).await?;
            let result = answer
                .topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .find(|result| result.partition_index == partition.index)
                .ok_or_else(|| connection.malformed::<ListOffsetsRequest>("the partition is not in it"))?;
            connection.accept::<ListOffsetsRequest>(result.error_code, None)?;
            Ok(result.offset)
        };
        let asked = asked.await;
        if asked.is_err() {
            self.forget(partition);
        }
        asked
    }

    /// The connection to a partition's leader, looked up when it is not known.
    async fn leader(&mut self, partition: Partition<'_>) -> Result<&mut Connection, ClientError> {
        let key = (partition.topic.to_owned(), partition.index);
        if !self.leaders.contains_key(&key) {
            let view = self.metadata(partition.topic).await?;
            if view.topic.is_none() {
                return Err(self.refused("Metadata", ResponseError::UnknownTopicOrPartition.code()));
            }
        }
        match self.leaders.get(&key).copied() {
            Some(leader) => self.connection(leader).await,
            None => Err(self.refused("Metadata", ResponseError::LeaderNotAvailable.code())),
        }
    }

    /// After an error the leader may be another.
    fn forget(&mut self, partition: Partition<'_>) {
        self.leaders
            .remove(&(partition.topic.to_owned(), partition.index));
    }

    async fn connection(&mut self, node: i32) -> Result<&mut Connection, ClientError> {
        let broker = self.brokers.iter().find(|broker| broker.node_id == node).cloned();
        match broker {
            Some(broker) => self.connection_to(&broker).await,
            None => Err(ClientError::NoBroker(format!("broker {node} is not among them"))),
        }
    }

    async fn connection_to(&mut self, broker: &Broker) -> Result<&mut Connection, ClientError> {
        let usable = self
            .connections
            .get(&broker.node_id)
            .is_some_and(|connection| connection.is_usable() && *connection.server() == broker.address);
        if !usable {
            self.connections.remove(&broker.node_id);
            let connection = self.open(&broker.address).await?;
            self.connections.insert(broker.node_id, connection);
        }
        self.connections
            .get_mut(&broker.node_id)
            .ok_or_else(|| ClientError::NoBroker(format!("broker {} has no connection", broker.node_id)))
    }

    /// A refusal by whichever broker was asked.
    fn refused(&self, request: &'static str, code: i16) -> ClientError {
        let server = self.any.as_ref().map(Connection::server);
        ClientError::Refused {
            server: server
                .or(self.bootstrap_servers.first())
                .cloned()
                .unwrap_or(HostPort {
                    host: "upstream".to_owned(),
                    port: 0,
                }),
            request,
            code,
            message: None,
        }
    }
}

/// Why a batch was not written, as far as we know.
#[derive(Debug)]
pub struct Unwritten {
    pub error: ClientError,
    /// Some try may have written it.
    pub unknown: bool,
}

/// The brokers of a Metadata response that can be addressed.
pub(super) fn brokers_of(answer: &MetadataResponse) -> Vec<Broker> {
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

/// Waits before the next try; `false` when there is no time for one.
async fn wait(backoff: &mut Duration, deadline: Instant) -> bool {
    let until = Instant::now() + *backoff;
    *backoff = (*backoff * 2).min(BACKOFF_MAX);
    if until >= deadline {
        return false;
    }
    tokio::time::sleep_until(until).await;
    true
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
