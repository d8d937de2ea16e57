//! What the gateway itself asks of the cluster: that it answers, who its brokers are, what topic an id names.
//!
//! These requests carry no SASL identity. A cluster that wants one answers ApiVersions (which needs none) and closes
//! the connection at Metadata; its brokers are then learnt from the answers to clients that pass by.

use super::connect::{ConnectError, Connector};
use super::stream::Stream;
use super::upstream::HostPort;
use crate::wire::addresses::MetadataView;
use crate::wire::api::{ApiKey, client_api};
use crate::wire::reader::{Reader, WireError};
use crate::wire::writer::Writer;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u32 = 64 << 20;
const CLIENT_ID: &str = "portcullis";

#[derive(Debug, Error)]
pub enum ClusterError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{server}: {source}")]
    Io { server: HostPort, source: io::Error },
    #[error("{server} did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Timeout { server: HostPort },
    #[error("{server} answered what is no Kafka response: {source}")]
    Malformed { server: HostPort, source: WireError },
}

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
    bootstrap_servers: Vec<HostPort>,
    link: Option<(Stream, HostPort, i16)>,
}

impl Cluster {
    #[must_use]
    pub fn new(connector: Connector, bootstrap_servers: Vec<HostPort>) -> Self {
        Self {
            connector,
            bootstrap_servers,
            link: None,
        }
    }

    /// The brokers, and the names of `topic_ids`.
    pub async fn ask(&mut self, topic_ids: &[[u8; 16]]) -> Result<Learned, ClusterError> {
        // A link that has died since the last round is replaced once.
        for attempt in 0..2 {
            let reused = self.link.is_some();
            let (mut stream, server, version) = match self.link.take() {
                Some(link) => link,
                None => self.open().await?,
            };
            match ask_metadata(&mut stream, &server, version, topic_ids).await {
                Ok(learned) => {
                    self.link = Some((stream, server, version));
                    return Ok(learned);
                }
                Err(_) if reused && attempt == 0 => {}
                // Closed at the first request that needs an identity.
                Err(ClusterError::Io { source, .. })
                    if !reused && source.kind() == io::ErrorKind::UnexpectedEof =>
                {
                    return Ok(Learned::default());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Learned::default())
    }

    async fn open(&self) -> Result<(Stream, HostPort, i16), ClusterError> {
        let mut last = None;
        for server in &self.bootstrap_servers {
            let opened = async {
                let mut stream = self.connector.connect(server).await?;
                let version = metadata_version(&mut stream, server).await?;
                Ok::<_, ClusterError>((stream, server.clone(), version))
            };
            match opened.await {
                Ok(link) => return Ok(link),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ClusterError::Timeout {
            server: HostPort {
                host: "upstream.bootstrap_servers is empty".to_owned(),
                port: 0,
            },
        }))
    }
}

/// The newest version of Metadata that both sides know, by ApiVersions version 0.
async fn metadata_version(stream: &mut Stream, server: &HostPort) -> Result<i16, ClusterError> {
    let body = exchange(stream, server, ApiKey::API_VERSIONS, 0, |_| {}).await?;
    let malformed = |source| ClusterError::Malformed {
        server: server.clone(),
        source,
    };
    let mut reader = Reader::new(&body);
    let mut read = || {
        reader.i16()?;
        let mut newest = 0;
        for _ in 0..reader.array_length(false, 6)?.unwrap_or(0) {
            let (key, _, max) = (reader.i16()?, reader.i16()?, reader.i16()?);
            if key == ApiKey::METADATA.0 {
                newest = max;
            }
        }
        Ok(newest)
    };
    let newest: i16 = read().map_err(malformed)?;
    Ok(client_api(ApiKey::METADATA).map_or(0, |api| newest.min(api.version_max)))
}

async fn ask_metadata(
    stream: &mut Stream,
    server: &HostPort,
    version: i16,
    topic_ids: &[[u8; 16]],
) -> Result<Learned, ClusterError> {
    let flexible = version >= 9;
    let topic_ids = if version >= 12 { topic_ids } else { &[] };
    let body = exchange(stream, server, ApiKey::METADATA, version, |writer| {
        // No topics: an empty list, from version 1 on (0 would mean all).
        writer.array_length(flexible, Some(topic_ids.len()));
        for id in topic_ids {
            writer.raw(id);
            writer.nullable_string(true, None);
            writer.no_tagged_fields(true);
        }
        if version >= 4 {
            writer.bool(false); // allow auto topic creation
        }
        if (8..=10).contains(&version) {
            writer.bool(false); // include cluster authorized operations
        }
        if version >= 8 {
            writer.bool(false); // include topic authorized operations
        }
        writer.no_tagged_fields(flexible);
    })
    .await?;
    let malformed = |source| ClusterError::Malformed {
        server: server.clone(),
        source,
    };
    let body = if flexible {
        let mut reader = Reader::new(&body);
        reader.skip_tagged_fields().map_err(malformed)?;
        reader.rest()
    } else {
        &body
    };
    let view = MetadataView::read(version, body).map_err(malformed)?;
    let brokers = view.brokers.iter().filter_map(|broker| {
        let port = u16::try_from(broker.port).ok()?;
        Some(Broker {
            node_id: broker.node_id,
            address: HostPort {
                host: broker.host.to_owned(),
                port,
            },
        })
    });
    Ok(Learned {
        brokers: Some(brokers.collect()),
        topics: view
            .topics
            .iter()
            .map(|(id, name)| (*id, (*name).to_owned()))
            .collect(),
    })
}

/// One request and its response, without the response's correlation id.
async fn exchange(
    stream: &mut Stream,
    server: &HostPort,
    api_key: ApiKey,
    version: i16,
    body: impl FnOnce(&mut Writer<'_>),
) -> Result<Vec<u8>, ClusterError> {
    let mut request = Vec::new();
    Writer::frame(&mut request, |writer| {
        writer.i16(api_key.0);
        writer.i16(version);
        writer.i32(1); // correlation id: one request is under way at a time
        writer.nullable_string(false, Some(CLIENT_ID));
        let flexible = client_api(api_key)
            .and_then(|api| api.flexible_from)
            .is_some_and(|from| version >= from);
        writer.no_tagged_fields(flexible);
        body(writer);
    });
    let io_error = |source| ClusterError::Io {
        server: server.clone(),
        source,
    };
    let answering = async {
        stream.write_all(&request).await?;
        stream.flush().await?;
        let length = stream.read_u32().await?;
        if !(4..=ANSWER_BYTES_MAX).contains(&length) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a response of {length} bytes is none"),
            ));
        }
        stream.read_i32().await?;
        let mut response = Vec::new();
        stream
            .take(u64::from(length) - 4)
            .read_to_end(&mut response)
            .await?;
        if response.len() + 4 < length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(response)
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answering)
        .await
        .map_err(|_| ClusterError::Timeout {
            server: server.clone(),
        })?
        .map_err(io_error)
}
