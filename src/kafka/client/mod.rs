//! What our own parts ask of the cluster, each request at the broker it belongs to: any broker, a partition's
//! leader, a coordinator. One request is under way at a time; who must read and write at once takes two clients.

mod fetch;
mod offsets;
mod produce;
mod topics;
mod transactional_producer;
mod transactions;

pub use fetch::{FetchLimits, Fetched, OffsetAt};
pub use offsets::{CommittedOffset, GroupMember, PartitionOffset};
pub use produce::{Producer, RefusedRecord, Unwritten, Written};
pub(super) use topics::brokers_of;
pub use topics::{ClusterView, NewTopic, PartitionView, TopicView};
pub use transactional_producer::{Transaction, TransactionError, TransactionalProducer};

use super::cluster::Broker;
use super::connect::Connector;
use super::connection::{ANSWER_TIMEOUT, ClientError, Connection};
use super::sasl::SaslOptions;
use super::upstream::{HostPort, UpstreamOptions};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{FindCoordinatorRequest, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// From version 4 on keys go in lists.
const FIND_COORDINATOR_VERSION_MAX: i16 = 3;
/// Between two tries; doubles up to the second.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Between two tries while the transaction before is being ended: a matter of milliseconds (Java's
/// `ADD_PARTITIONS_RETRY_BACKOFF_MS`).
const CONCURRENT_BACKOFF: Duration = Duration::from_millis(20);
/// The least that an answer is waited for, however near the deadline.
const ANSWER_TIMEOUT_MIN: Duration = Duration::from_millis(500);
/// Coordinators that are remembered. Transactional ids are other people's: they can be any number.
const COORDINATORS_MAX: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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

pub struct Client {
    connector: Connector,
    sasl: Option<Arc<SaslOptions>>,
    bootstrap_servers: Arc<[HostPort]>,
    brokers: Vec<Broker>,
    controller: Option<i32>,
    leaders: HashMap<(String, i32), i32>,
    coordinators: HashMap<(CoordinatorKind, String), Broker>,
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
        Ok(Self::with(Connector::new(options)?, options))
    }

    /// As [`Self::new`], under another `client.id` than ours.
    ///
    /// # Errors
    /// When a certificate or key cannot be read.
    pub fn introduced_as(client_id: &'static str, options: &UpstreamOptions) -> io::Result<Self> {
        let connector = Connector::new(options)?.introduced_as(client_id);
        Ok(Self::with(connector, options))
    }

    fn with(connector: Connector, options: &UpstreamOptions) -> Self {
        Self {
            connector,
            sasl: options.sasl.clone().map(Arc::new),
            bootstrap_servers: options.bootstrap_servers.clone().into(),
            brokers: Vec::new(),
            controller: None,
            leaders: HashMap::new(),
            coordinators: HashMap::new(),
            connections: HashMap::new(),
            any: None,
        }
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
            coordinators: HashMap::new(),
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

    /// Asks the coordinator until `deadline`: again while it loads or moves, while a transaction is being ended
    /// (CONCURRENT_TRANSACTIONS), and when no answer comes. `code`: the error code of a response.
    async fn ask_coordinator<R: Request>(
        &mut self,
        asked: Asked<'_>,
        request: impl Fn(i16) -> R,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError> {
        let mut backoff = BACKOFF_MIN;
        loop {
            let error = match self.try_coordinator(asked, &request, &code).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // One that refused for another reason is still the coordinator.
            let keeps = matches!(error, ClientError::Refused { .. })
                && !matches!(
                    error.code(),
                    Some(ResponseError::NotCoordinator | ResponseError::CoordinatorNotAvailable)
                );
            if !keeps {
                self.coordinators.remove(&asked.key());
            }
            let again = if error.code() == Some(ResponseError::ConcurrentTransactions) {
                wait(&mut CONCURRENT_BACKOFF.clone(), asked.deadline).await
            } else {
                error.is_retriable() && wait(&mut backoff, asked.deadline).await
            };
            if !again {
                return Err(error);
            }
        }
    }

    async fn try_coordinator<R: Request>(
        &mut self,
        asked: Asked<'_>,
        request: &impl Fn(i16) -> R,
        code: &impl Fn(&R::Response) -> i16,
    ) -> Result<R::Response, ClientError> {
        let known = self.coordinators.get(&asked.key()).cloned();
        let broker = if let Some(broker) = known {
            broker
        } else {
            let broker = self.coordinator(asked.kind, asked.of).await?;
            if self.coordinators.len() >= COORDINATORS_MAX {
                self.coordinators.clear();
            }
            self.coordinators.insert(asked.key(), broker.clone());
            broker
        };
        let connection = self.connection_to(&broker).await?;
        let version = connection.version_up_to::<R>(asked.version_max)?;
        let answer = connection
            .send(&request(version), version, time_left(asked.deadline))
            .await?;
        connection.accept::<R>(code(&answer), None)?;
        Ok(answer)
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

/// What is asked of a coordinator: whose, in which versions, until when.
#[derive(Clone, Copy)]
struct Asked<'a> {
    kind: CoordinatorKind,
    /// The group's or transactional id.
    of: &'a str,
    version_max: i16,
    deadline: Instant,
}

impl Asked<'_> {
    fn key(&self) -> (CoordinatorKind, String) {
        (self.kind, self.of.to_owned())
    }
}

fn of_transaction(transactional_id: &str, version_max: i16, deadline: Instant) -> Asked<'_> {
    Asked {
        kind: CoordinatorKind::Transaction,
        of: transactional_id,
        version_max,
        deadline,
    }
}

fn of_group(group_id: &str, version_max: i16, deadline: Instant) -> Asked<'_> {
    Asked {
        kind: CoordinatorKind::Group,
        of: group_id,
        version_max,
        deadline,
    }
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

/// How long an answer is waited for, at most until `deadline`.
fn time_left(deadline: Instant) -> Duration {
    deadline
        .saturating_duration_since(Instant::now())
        .clamp(ANSWER_TIMEOUT_MIN, ANSWER_TIMEOUT)
}

/// What belongs to each topic, in the topics' order.
fn by_topic<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> impl Iterator<Item = (&'a str, Vec<T>)> {
    let mut topics: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (topic, item) in items {
        topics.entry(topic).or_default().push(item);
    }
    topics.into_iter()
}

/// The first that is an error; 0 when none is.
fn first_code(codes: impl Iterator<Item = i16>) -> i16 {
    codes.into_iter().find(|code| *code != 0).unwrap_or(0)
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
