//! One connection of our own to a broker: requests and responses as types, one under way at a time.

use super::connect::{ConnectError, Connector};
use super::sasl::{Exchange, SaslError, SaslOptions};
use super::stream::Stream;
use super::upstream::HostPort;
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a broker may take, over the time that the request itself tells it to wait.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A response that is longer ends the connection. Above any fetch that we ask for.
const ANSWER_BYTES_MAX: u32 = 128 << 20;
/// Rounds of an authentication; SCRAM takes two.
const SASL_ROUNDS_MAX: usize = 4;

/// Why a broker gave no answer, or one that refuses.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{server}: {source}")]
    Io { server: HostPort, source: io::Error },
    #[error("{server} did not answer {request} within {} ms", timeout.as_millis())]
    Timeout {
        server: HostPort,
        request: &'static str,
        timeout: Duration,
    },
    #[error("{server} answered {request} with what is no response to it: {why}")]
    Malformed {
        server: HostPort,
        request: &'static str,
        why: String,
    },
    #[error("{server} speaks {request} in versions {theirs}, we in {ours}")]
    Version {
        server: HostPort,
        request: &'static str,
        theirs: String,
        ours: VersionRange,
    },
    #[error("{server} does not accept {mechanism} of {identity}: {why}")]
    Sasl {
        server: HostPort,
        mechanism: &'static str,
        /// As whom: a user, or where the token is from.
        identity: String,
        why: String,
    },
    #[error("no token from {place}: {why}")]
    Token { place: String, why: String },
    /// An error code of the protocol, other than 0.
    #[error("{server} refused {request}: {} ({code}){}", error_name(*code), message.as_ref().map(|message| format!(": {message}")).unwrap_or_default())]
    Refused {
        server: HostPort,
        request: &'static str,
        code: i16,
        message: Option<String>,
    },
    #[error("no broker of the cluster is known: {0}")]
    NoBroker(String),
}

fn error_name(code: i16) -> String {
    ResponseError::try_from_code(code).map_or_else(|| "no error".to_owned(), |error| format!("{error:?}"))
}

impl ClientError {
    /// The error code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<ResponseError> {
        match self {
            Self::Refused { code, .. } => ResponseError::try_from_code(*code),
            _ => None,
        }
    }

    /// Whether another try may go better: another leader, or the same one later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Io { .. }
            | Self::Timeout { .. }
            | Self::NoBroker(_)
            | Self::Token { .. } => true,
            Self::Refused { .. } => self.code().is_some_and(|error| error.is_retriable()),
            Self::Malformed { .. } | Self::Version { .. } | Self::Sasl { .. } => false,
        }
    }

    /// Whether a newer epoch of the producer id has been given, or has written.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        matches!(
            self.code(),
            Some(ResponseError::ProducerFenced | ResponseError::InvalidProducerEpoch)
        )
    }

    /// Whether the request may have been carried out all the same.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Timeout { .. } | Self::Malformed { .. } => true,
            // Written by the leader, but not by all that must have it: REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND.
            Self::Refused { code, .. } => matches!(code, 7 | 20),
            _ => false,
        }
    }
}

/// An open, authenticated connection. After an error other than [`ClientError::Refused`] it is of no more use.
pub struct Connection {
    stream: Stream,
    server: HostPort,
    versions: HashMap<i16, VersionRange>,
    client_id: &'static str,
    correlation_id: i32,
    /// Set while a request is under way: a caller that gave up in the middle leaves its response behind.
    broken: bool,
    /// When the broker wants to be told again who we are (KIP-368).
    expires: Option<Instant>,
}

impl Connection {
    /// Connects, learns the broker's versions, and authenticates when `sasl` says as whom.
    ///
    /// # Errors
    /// [`ClientError`], with the broker's name in it.
    pub async fn open(
        connector: &Connector,
        server: &HostPort,
        sasl: Option<&SaslOptions>,
    ) -> Result<Self, ClientError> {
        let mut connection = Self {
            stream: connector.connect(server).await?,
            server: server.clone(),
            versions: HashMap::new(),
            client_id: connector.client_id(),
            correlation_id: 0,
            broken: false,
            expires: None,
        };
        // Version 0 is understood by every broker, also by one that is older than us.
        let answer = connection
            .send(&ApiVersionsRequest::default(), 0, ANSWER_TIMEOUT)
            .await?;
        connection.accept::<ApiVersionsRequest>(answer.error_code, None)?;
        connection.versions = answer
            .api_keys
            .iter()
            .map(|api| {
                let range = VersionRange {
                    min: api.min_version,
                    max: api.max_version,
                };
                (api.api_key, range)
            })
            .collect();
        if let Some(sasl) = sasl {
            connection.authenticate(sasl).await?;
        }
        Ok(connection)
    }

    #[must_use]
    pub fn server(&self) -> &HostPort {
        &self.server
    }

    /// Whether another request can be sent.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        !self.broken && self.expires.is_none_or(|expires| Instant::now() < expires)
    }

    /// The newest version of `R` that both sides know.
    ///
    /// # Errors
    /// [`ClientError::Version`] when there is none.
    pub fn version_of<R: Request>(&self) -> Result<i16, ClientError> {
        self.version_up_to::<R>(R::VERSIONS.max)
    }

    /// As [`Self::version_of`], and not above `version_max`.
    ///
    /// # Errors
    /// [`ClientError::Version`] when there is none.
    pub fn version_up_to<R: Request>(&self, version_max: i16) -> Result<i16, ClientError> {
        let ours = VersionRange {
            min: R::VERSIONS.min,
            max: R::VERSIONS.max.min(version_max),
        };
        let theirs = self.versions.get(&R::KEY);
        match theirs.map(|theirs| theirs.intersect(&ours)) {
            Some(both) if !both.is_empty() => Ok(both.max),
            _ => Err(ClientError::Version {
                server: self.server.clone(),
                request: name_of::<R>(),
                theirs: theirs.map_or_else(|| "none".to_owned(), ToString::to_string),
                ours,
            }),
        }
    }

    /// Sends `request` in the newest version that both know, and waits for its response. What the response itself
    /// refuses is the caller's to see.
    ///
    /// # Errors
    /// [`ClientError`]; the connection is then of no more use.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, ClientError> {
        let version = self.version_of::<R>()?;
        self.send(request, version, ANSWER_TIMEOUT).await
    }

    /// As [`Self::call`] in `version`, waiting `timeout`.
    ///
    /// # Errors
    /// [`ClientError`]; the connection is then of no more use.
    pub async fn send<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = self.frame(request, version)?;
        self.broken = true;
        let answer = tokio::time::timeout(timeout, self.exchange(&frame))
            .await
            .map_err(|_| ClientError::Timeout {
                server: self.server.clone(),
                request: name_of::<R>(),
                timeout,
            })?
            .map_err(|source| ClientError::Io {
                server: self.server.clone(),
                source,
            })?;
        let response = self.read::<R>(answer, version)?;
        self.broken = false;
        Ok(response)
    }

    /// An error code of a response as an error.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for every code but 0.
    pub fn accept<R: Request>(&self, code: i16, message: Option<&StrBytes>) -> Result<(), ClientError> {
        if code == 0 {
            return Ok(());
        }
        Err(ClientError::Refused {
            server: self.server.clone(),
            request: name_of::<R>(),
            code,
            message: message.map(|message| message.as_str().to_owned()),
        })
    }

    /// The error for a response that lacks what was asked for.
    #[must_use]
    pub fn malformed<R: Request>(&self, why: impl Into<String>) -> ClientError {
        ClientError::Malformed {
            server: self.server.clone(),
            request: name_of::<R>(),
            why: why.into(),
        }
    }

    fn frame<R: Request>(&self, request: &R, version: i16) -> Result<BytesMut, ClientError> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str(self.client_id)));
        let mut frame = BytesMut::from(&[0; 4][..]);
        header
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version))
            .map_err(|error| self.malformed::<R>(format!("the request cannot be written: {error}")))?;
        let length = i32::try_from(frame.len() - 4)
            .ok()
            .ok_or_else(|| self.malformed::<R>("the request is too long"))?;
        if let Some(head) = frame.first_chunk_mut() {
            *head = length.to_be_bytes();
        }
        Ok(frame)
    }

    async fn exchange(&mut self, frame: &[u8]) -> io::Result<Bytes> {
        self.stream.write_all(frame).await?;
        self.stream.flush().await?;
        let length = self.stream.read_u32().await?;
        if !(4..=ANSWER_BYTES_MAX).contains(&length) {
            let why = format!("a response of {length} bytes is none");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        // The buffer grows with what comes, not by what is announced.
        let mut response = Vec::new();
        let read = (&mut self.stream)
            .take(u64::from(length))
            .read_to_end(&mut response)
            .await?;
        if read < length as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(response.into())
    }

    fn read<R: Request>(&self, mut answer: Bytes, version: i16) -> Result<R::Response, ClientError> {
        let malformed = |why: String| self.malformed::<R>(why);
        let header = ResponseHeader::decode(&mut answer, R::Response::header_version(version))
            .map_err(|error| malformed(error.to_string()))?;
        if header.correlation_id != self.correlation_id {
            return Err(malformed("its correlation id is another request's".to_owned()));
        }
        let response =
            R::Response::decode(&mut answer, version).map_err(|error| malformed(error.to_string()))?;
        if answer.has_remaining() {
            return Err(malformed(format!("{} bytes follow it", answer.remaining())));
        }
        Ok(response)
    }

    async fn authenticate(&mut self, sasl: &SaslOptions) -> Result<(), ClientError> {
        let (server, mechanism) = (self.server.clone(), sasl.mechanism());
        let refused = |why: String| ClientError::Sasl {
            server: server.clone(),
            mechanism,
            identity: sasl.identity(),
            why,
        };
        let failed = |error: SaslError| refused(error.to_string());
        let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        let answer = self.call(&handshake).await?;
        if answer.error_code != 0 {
            let offered: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
            return Err(refused(format!("it offers {}", offered.join(", "))));
        }
        let mut exchange = match sasl {
            SaslOptions::Password(user) => Exchange::new(user).map_err(failed)?,
            SaslOptions::Token(source) => {
                let token = source.token().await.map_err(|why| ClientError::Token {
                    place: source.place(),
                    why,
                })?;
                Exchange::bearer(&token)
            }
        };
        let mut message = exchange.open();
        for _ in 0..SASL_ROUNDS_MAX {
            let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into());
            let answer = self.call(&request).await?;
            if answer.error_code != 0 {
                let why = answer.error_message.as_ref().map(|why| why.as_str().to_owned());
                return Err(refused(why.unwrap_or_else(|| error_name(answer.error_code))));
            }
            if let Some(next) = exchange.answer(&answer.auth_bytes).map_err(failed)? {
                message = next;
                continue;
            }
            // Renewed early, by a new connection: the broker cuts off one that is over its time.
            self.expires = u64::try_from(answer.session_lifetime_ms)
                .ok()
                .filter(|lifetime_ms| *lifetime_ms > 0)
                .map(|lifetime_ms| Instant::now() + Duration::from_millis(lifetime_ms / 5 * 4));
            return Ok(());
        }
        Err(refused("the exchange does not end".to_owned()))
    }
}

/// `Fetch`, for errors.
fn name_of<R: Request>() -> &'static str {
    ApiKey::try_from(R::KEY).map_or("a request", |key| match key {
        ApiKey::ApiVersions => "ApiVersions",
        ApiKey::SaslHandshake => "SaslHandshake",
        ApiKey::SaslAuthenticate => "SaslAuthenticate",
        ApiKey::Metadata => "Metadata",
        ApiKey::FindCoordinator => "FindCoordinator",
        ApiKey::CreateTopics => "CreateTopics",
        ApiKey::DescribeConfigs => "DescribeConfigs",
        ApiKey::InitProducerId => "InitProducerId",
        ApiKey::AddPartitionsToTxn => "AddPartitionsToTxn",
        ApiKey::AddOffsetsToTxn => "AddOffsetsToTxn",
        ApiKey::TxnOffsetCommit => "TxnOffsetCommit",
        ApiKey::EndTxn => "EndTxn",
        ApiKey::OffsetCommit => "OffsetCommit",
        ApiKey::OffsetFetch => "OffsetFetch",
        ApiKey::Produce => "Produce",
        ApiKey::Fetch => "Fetch",
        ApiKey::ListOffsets => "ListOffsets",
        ApiKey::JoinGroup => "JoinGroup",
        ApiKey::SyncGroup => "SyncGroup",
        ApiKey::Heartbeat => "Heartbeat",
        ApiKey::LeaveGroup => "LeaveGroup",
        _ => "a request",
    })
}
