//! A tiny Kafka client on `wire`: ApiVersions, Metadata, Produce, Fetch, one request at a time.

use super::TourError;
use crate::wire::api::ApiKey;
use crate::wire::header::response_header_is_flexible;
use crate::wire::produce_response::ProduceResponse;
use crate::wire::reader::{Reader, WireError};
use crate::wire::writer::Writer;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIME_MAX: Duration = Duration::from_secs(10);
const RESPONSE_BYTES_MAX: i32 = 64 << 20;

/// The versions this client speaks: flexible, topics by name.
const API_VERSIONS_VERSION: i16 = 3;
const METADATA_VERSION: i16 = 12;
const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 12;

const CLIENT_ID: &str = "portcullis-demo";

/// Key, least and greatest version.
pub type OfferedApi = (ApiKey, i16, i16);

/// What one broker says of the cluster: the brokers' addresses, and each topic's partitions with their leader.
pub struct Metadata {
    pub brokers: Vec<(i32, String, i32)>,
    pub leaders: Vec<(String, i32, i32)>,
}

pub struct Client {
    stream: TcpStream,
    server: SocketAddr,
    correlation_id: i32,
}

impl Client {
    pub async fn connect(server: SocketAddr) -> Result<Self, TourError> {
        let stream = tokio::time::timeout(TIME_MAX, TcpStream::connect(server))
            .await
            .map_err(|_| TourError::Timeout(format!("the gateway at {server}")))?
            .map_err(|error| TourError::Io {
                what: format!("the gateway at {server}"),
                error,
            })?;
        Ok(Self {
            stream,
            server,
            correlation_id: 0,
        })
    }

    /// Asks which APIs are offered, and fails when one that this client needs is not.
    pub async fn api_versions(&mut self) -> Result<Vec<OfferedApi>, TourError> {
        let body = self
            .ask(ApiKey::API_VERSIONS, API_VERSIONS_VERSION, |writer| {
                writer.string(true, CLIENT_ID);
                writer.string(true, env!("CARGO_PKG_VERSION"));
                writer.no_tagged_fields(true);
            })
            .await?;
        let (code, offered) = read("ApiVersions", &body, read_api_versions)?;
        accept("ApiVersions", code)?;
        for (key, version) in [
            (ApiKey::METADATA, METADATA_VERSION),
            (ApiKey::PRODUCE, PRODUCE_VERSION),
            (ApiKey::FETCH, FETCH_VERSION),
        ] {
            let spoken = offered
                .iter()
                .any(|(offered, min, max)| *offered == key && (*min..=*max).contains(&version));
            if !spoken {
                return Err(TourError::Answer(format!(
                    "no version {version} of API key {}",
                    key.0
                )));
            }
        }
        Ok(offered)
    }

    /// Asks for topics, and lets the broker create those that do not exist.
    pub async fn metadata(&mut self, topics: &[&str]) -> Result<Metadata, TourError> {
        let body = self
            .ask(ApiKey::METADATA, METADATA_VERSION, |writer| {
                writer.array_length(true, Some(topics.len()));
                for topic in topics {
                    writer.raw(&[0; 16]); // Topic id: asked by name.
                    writer.string(true, topic);
                    writer.no_tagged_fields(true);
                }
                writer.bool(true); // Create what is missing.
                writer.bool(false); // Authorized operations of topics.
                writer.no_tagged_fields(true);
            })
            .await?;
        let (code, metadata) = read("Metadata", &body, read_metadata)?;
        accept("Metadata", code)?;
        Ok(metadata)
    }

    /// One request with a batch for each topic's partition 0; acks=all.
    pub async fn produce(&mut self, batches: &[(&str, &[u8])]) -> Result<ProduceResponse, TourError> {
        let body = self
            .ask(ApiKey::PRODUCE, PRODUCE_VERSION, |writer| {
                writer.nullable_string(true, None); // Transactional id.
                writer.i16(-1); // Acks.
                writer.i32(10_000); // Timeout.
                writer.array_length(true, Some(batches.len()));
                for (topic, batch) in batches {
                    writer.string(true, topic);
                    writer.array_length(true, Some(1));
                    writer.i32(0); // Partition.
                    writer.nullable_bytes(true, Some(batch));
                    writer.no_tagged_fields(true);
                    writer.no_tagged_fields(true);
                }
                writer.no_tagged_fields(true);
            })
            .await?;
        ProduceResponse::read(&body, PRODUCE_VERSION).map_err(|error| TourError::Wire {
            what: "Produce",
            error,
        })
    }

    /// The batches of a topic's partition 0 from `offset` on, as they came; empty at the end of the log.
    pub async fn fetch(&mut self, topic: &str, offset: i64) -> Result<Vec<u8>, TourError> {
        let body = self
            .ask(ApiKey::FETCH, FETCH_VERSION, |writer| {
                writer.i32(-1); // Replica id: a consumer.
                writer.i32(0); // Longest wait.
                writer.i32(0); // Least bytes.
                writer.i32(16 << 20); // Most bytes.
                writer.i8(0); // Isolation level.
                writer.i32(0); // Session id, and epoch: no session (KIP-227).
                writer.i32(-1);
                writer.array_length(true, Some(1));
                writer.string(true, topic);
                writer.array_length(true, Some(1));
                writer.i32(0); // Partition.
                writer.i32(-1); // Leader epoch, not known.
                writer.i64(offset);
                writer.i32(-1); // Last fetched epoch.
                writer.i64(-1); // Log start offset: a follower's.
                writer.i32(16 << 20); // Most bytes of the partition.
                writer.no_tagged_fields(true);
                writer.no_tagged_fields(true);
                writer.array_length(true, Some(0)); // Forgotten topics.
                writer.string(true, ""); // Rack.
                writer.no_tagged_fields(true);
            })
            .await?;
        let (code, records) = read("Fetch", &body, read_fetch)?;
        accept("Fetch", code)?;
        Ok(records)
    }

    /// Sends a request with header v2 and returns its response's body.
    async fn ask(
        &mut self,
        api_key: ApiKey,
        version: i16,
        write_body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Vec<u8>, TourError> {
        self.correlation_id += 1;
        let correlation_id = self.correlation_id;
        let mut request = Vec::new();
        Writer::frame(&mut request, |writer| {
            writer.i16(api_key.0);
            writer.i16(version);
            writer.i32(correlation_id);
            writer.nullable_string(false, Some(CLIENT_ID));
            writer.no_tagged_fields(true);
            write_body(writer);
        });
        let what = || format!("the gateway at {}", self.server);
        let exchange = async {
            self.stream.write_all(&request).await?;
            let length = self.stream.read_i32().await?;
            let length = u64::try_from(length.min(RESPONSE_BYTES_MAX)).unwrap_or(0);
            let mut response = Vec::new();
            (&mut self.stream).take(length).read_to_end(&mut response).await?;
            Ok(response)
        };
        let response = tokio::time::timeout(TIME_MAX, exchange)
            .await
            .map_err(|_| TourError::Timeout(what()))?
            .map_err(|error| TourError::Io { what: what(), error })?;
        let mut reader = Reader::new(&response);
        let header = |reader: &mut Reader<'_>| {
            let answered = reader.i32()?;
            if response_header_is_flexible(api_key, version) {
                reader.skip_tagged_fields()?;
            }
            Ok(answered)
        };
        match header(&mut reader) {
            Ok(answered) if answered == correlation_id => Ok(reader.rest().to_vec()),
            Ok(answered) => Err(TourError::Answer(format!(
                "correlation id {answered} instead of {correlation_id}"
            ))),
            Err(error) => Err(TourError::Wire {
                what: "a response's header",
                error,
            }),
        }
    }
}

fn accept(what: &'static str, code: i16) -> Result<(), TourError> {
    if code == 0 {
        Ok(())
    } else {
        Err(TourError::Refused { what, code })
    }
}

/// Reads a whole body.
fn read<T>(
    what: &'static str,
    body: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, WireError>,
) -> Result<T, TourError> {
    let mut reader = Reader::new(body);
    read(&mut reader)
        .and_then(|value| reader.finish().map(|()| value))
        .map_err(|error| TourError::Wire { what, error })
}

/// The elements of a compact array; null is empty. `size_min`: bytes that one takes at least.
fn array<'a, T>(
    reader: &mut Reader<'a>,
    size_min: usize,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let length = reader.array_length(true, size_min)?.unwrap_or(0);
    (0..length).map(|_| element(reader)).collect()
}

/// `ApiVersionsResponse`, version 3.
fn read_api_versions(reader: &mut Reader<'_>) -> Result<(i16, Vec<OfferedApi>), WireError> {
    let code = reader.i16()?;
    let offered = array(reader, 7, |reader| {
        let api = (ApiKey(reader.i16()?), reader.i16()?, reader.i16()?);
        reader.skip_tagged_fields()?;
        Ok(api)
    })?;
    reader.i32()?; // Throttle time.
    reader.skip_tagged_fields()?;
    Ok((code, offered))
}

/// `MetadataResponse`, version 12. The first topic's error code stands for all.
fn read_metadata(reader: &mut Reader<'_>) -> Result<(i16, Metadata), WireError> {
    reader.i32()?; // Throttle time.
    let brokers = array(reader, 11, |reader| {
        let broker = (reader.i32()?, reader.string(true)?.to_owned(), reader.i32()?);
        reader.nullable_string(true)?; // Rack.
        reader.skip_tagged_fields()?;
        Ok(broker)
    })?;
    reader.nullable_string(true)?; // Cluster id.
    reader.i32()?; // Controller.
    let mut code = 0;
    let topics = array(reader, 26, |reader| {
        let topic_code = reader.i16()?;
        code = if code == 0 { topic_code } else { code };
        let name = reader.nullable_string(true)?.unwrap_or_default().to_owned();
        reader.uuid()?;
        reader.bool()?; // Internal.
        let leaders = array(reader, 18, |reader| {
            reader.i16()?; // Error code: the leader is -1 then.
            let leader = (name.clone(), reader.i32()?, reader.i32()?);
            reader.i32()?; // Leader epoch.
            for _ in 0..3 {
                array(reader, 4, Reader::i32)?; // Replicas, in sync, offline.
            }
            reader.skip_tagged_fields()?;
            Ok(leader)
        })?;
        reader.i32()?; // Authorized operations.
        reader.skip_tagged_fields()?;
        Ok(leaders)
    })?;
    reader.skip_tagged_fields()?;
    Ok((
        code,
        Metadata {
            brokers,
            leaders: topics.into_iter().flatten().collect(),
        },
    ))
}

/// `FetchResponse`, version 12: the error code, and the records of every partition, one behind the other.
fn read_fetch(reader: &mut Reader<'_>) -> Result<(i16, Vec<u8>), WireError> {
    reader.i32()?; // Throttle time.
    let mut code = reader.i16()?;
    reader.i32()?; // Session id.
    let records = array(reader, 3, |reader| {
        reader.string(true)?;
        let partitions = array(reader, 36, |reader| {
            reader.i32()?; // Partition.
            let partition_code = reader.i16()?;
            code = if code == 0 { partition_code } else { code };
            for _ in 0..3 {
                reader.i64()?; // High watermark, last stable offset, log start offset.
            }
            // Aborted transactions.
            array(reader, 17, |reader| {
                reader.i64()?;
                reader.i64()?;
                reader.skip_tagged_fields()
            })?;
            reader.i32()?; // Preferred read replica.
            let records = reader.nullable_bytes_of(true)?.unwrap_or_default();
            reader.skip_tagged_fields()?;
            Ok(records.to_vec())
        })?;
        reader.skip_tagged_fields()?;
        Ok(partitions.concat())
    })?;
    reader.skip_tagged_fields()?;
    Ok((code, records.concat()))
}
