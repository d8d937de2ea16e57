//! What the gateway itself asks of the cluster: that it answers, who its brokers are, what topic an id names.
//!
//! Without `upstream.sasl` these requests carry no identity. A cluster that wants one answers ApiVersions (which
//! needs none) and closes the connection at Metadata; its brokers are then learnt from the answers to clients that
//! pass by.

use super::client::brokers_of;
use super::connect::Connector;
use super::connection::{ANSWER_TIMEOUT, ClientError, Connection};
use super::sasl::SaslOptions;
use super::upstream::HostPort;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use std::io;
use uuid::Uuid;

/// From this version on topics are asked for by id.
const METADATA_BY_ID: i16 = 12;

/// A broker and where it says it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    pub node_id: i32,
    pub address: HostPort,
}

/// What one round of asking brought.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Learned {
    /// `None` when the cluster answers but tells nothing without SASL.
    pub brokers: Option<Vec<Broker>>,
    /// Ids and names of the topics that were asked for.
    pub topics: Vec<([u8; 16], String)>,
}

/// Asks any of the bootstrap servers.
pub struct Cluster {
    connector: Connector,
    sasl: Option<SaslOptions>,
    bootstrap_servers: Vec<HostPort>,
    link: Option<Connection>,
}

impl Cluster {
    #[must_use]
    pub fn new(connector: Connector, sasl: Option<SaslOptions>, bootstrap_servers: Vec<HostPort>) -> Self {
        Self {
            connector,
            sasl,
            bootstrap_servers,
            link: None,
        }
    }

    /// The brokers, and the names of `topic_ids`.
    ///
    /// # Errors
    /// [`ClientError`] when no server answers.
    pub async fn ask(&mut self, topic_ids: &[[u8; 16]]) -> Result<Learned, ClientError> {
        // A link that has died since the last round is replaced once.
        if let Some(mut link) = self.link.take().filter(Connection::is_usable)
            && let Ok(learned) = ask_metadata(&mut link, topic_ids).await
        {
            self.link = Some(link);
            return Ok(learned);
        }
        let mut link = self.open().await?;
        match ask_metadata(&mut link, topic_ids).await {
            Ok(learned) => {
                self.link = Some(link);
                Ok(learned)
            }
            // Closed at the first request that needs an identity.
            Err(ClientError::Io { source, .. })
                if self.sasl.is_none() && source.kind() == io::ErrorKind::UnexpectedEof =>
            {
                Ok(Learned::default())
            }
            Err(error) => Err(error),
        }
    }

    async fn open(&self) -> Result<Connection, ClientError> {
        let mut last = ClientError::NoBroker("upstream.bootstrap_servers is empty".to_owned());
        for server in &self.bootstrap_servers {
            match Connection::open(&self.connector, server, self.sasl.as_ref()).await {
                Ok(link) => return Ok(link),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn ask_metadata(link: &mut Connection, topic_ids: &[[u8; 16]]) -> Result<Learned, ClientError> {
    let version = link.version_of::<MetadataRequest>()?;
    let topic_ids = if version >= METADATA_BY_ID { topic_ids } else { &[] };
    let topics = topic_ids.iter().map(|id| {
        MetadataRequestTopic::default()
            .with_topic_id(Uuid::from_bytes(*id))
            .with_name(None)
    });
    // No topics: an empty list, from version 1 on (0 would mean all).
    let request = MetadataRequest::default()
        .with_topics(Some(topics.collect()))
        .with_allow_auto_topic_creation(version < 4);
    let answer = link.send(&request, version, ANSWER_TIMEOUT).await?;
    let named = answer.topics.iter().filter_map(|topic| {
        let name = topic.name.as_ref()?;
        Some((topic.topic_id.into_bytes(), name.0.as_str().to_owned()))
    });
    Ok(Learned {
        brokers: Some(brokers_of(&answer)),
        topics: named.collect(),
    })
}
