//! A gateway in front of the embedded broker, in one process, and a client that says exactly what it is told to.

#![allow(dead_code, reason = "each test uses its part of the house")]

#[path = "../ports/mod.rs"]
mod ports;

use portcullis::contract::{
    Governing, GoverningVersion, Lookup, Policies, Presence, SchemaSource, SubjectLookup,
};
use portcullis::demo::{BrokerOptions, EmbeddedBroker};
use portcullis::gateway::{self, Gateway, GatewayLimits, GatewayOptions, ListenerOptions};
use portcullis::kafka::{HostPort, UpstreamOptions};
use portcullis::schema::{Schema, SchemaId, SchemaType, Subject, Version};
use portcullis::telemetry::health::Health;
use portcullis::wire::api::ApiKey;
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::{Compression, DecompressionLimits};
use portcullis::wire::header::{request_header_is_flexible, response_header_is_flexible};
use portcullis::wire::produce_response::ProduceResponse;
use portcullis::wire::reader::Reader;
use portcullis::wire::writer::Writer;
use ports::free_ports;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// `orders-value` is the Avro schema `"string"` with id 1; there is no other subject.
struct OneSchema(Arc<Governing>);

impl SchemaSource for OneSchema {
    fn find(&self, subject: &str, id: SchemaId) -> Lookup {
        match (subject, id) {
            ("orders-value", SchemaId(1)) => Lookup::Found(Arc::clone(&self.0)),
            (_, SchemaId(1)) => Lookup::OtherSubject,
            _ => Lookup::UnknownId,
        }
    }
    fn subject(&self, subject: &str) -> Presence {
        if subject == "orders-value" {
            Presence::Present
        } else {
            Presence::Absent
        }
    }
    fn governing(&self, subject: &str, _version: GoverningVersion) -> SubjectLookup {
        match subject {
            "orders-value" => SubjectLookup::Found(Arc::clone(&self.0)),
            _ => SubjectLookup::NoSubject,
        }
    }
}

pub struct House {
    pub broker: EmbeddedBroker,
    pub gateway: Gateway,
    pub address: SocketAddr,
}

pub const FRAME_BYTES_MAX: usize = 4 << 20;

pub async fn house() -> House {
    house_with(|_| {}).await
}

pub async fn house_with(change: impl FnOnce(&mut GatewayOptions)) -> House {
    let advertised = Some(unreachable());
    let broker = EmbeddedBroker::start(BrokerOptions {
        advertised,
        ..BrokerOptions::default()
    })
    .await
    .unwrap();
    assert!(broker.create_topic("orders", 2));
    assert!(broker.create_topic("free", 1));
    let schema = Schema::parse(SchemaType::Avro, r#""string""#, &[]).unwrap();
    let governing = Governing {
        id: SchemaId(1),
        subject: Subject("orders-value".into()),
        version: Version(1),
        validator: schema.validator().unwrap().into(),
    };
    let mut options = GatewayOptions {
        listeners: vec![ListenerOptions {
            name: "test".to_owned(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertised_host: "127.0.0.1".to_owned(),
            first_port: free_ports("127.0.0.1", 4),
            brokers: 4,
            tls: None,
        }],
        upstream: UpstreamOptions {
            bootstrap_servers: vec![HostPort {
                host: "127.0.0.1".to_owned(),
                port: broker.address.port(),
            }],
            tls: None,
            sasl: None,
        },
        limits: GatewayLimits {
            frame_bytes_max: FRAME_BYTES_MAX,
            connections_max: 100,
            memory_bytes_max: 64 << 20,
            decompression: DecompressionLimits {
                bytes_max: 1 << 20,
                ratio_max: 128,
            },
        },
        drain_timeout: Duration::from_secs(5),
    };
    change(&mut options);
    let schemas = Arc::new(OneSchema(Arc::new(governing)));
    let gateway = gateway::start(options, Policies::default(), schemas, None, Health::default())
        .await
        .unwrap();
    let address = gateway.addresses[0];
    House {
        broker,
        gateway,
        address,
    }
}

/// The broker tells clients an address where nobody is: whoever reaches it came through the gateway.
fn unreachable() -> HostPort {
    HostPort {
        host: "secret-broker.invalid".to_owned(),
        port: 1,
    }
}

pub struct Client {
    pub stream: TcpStream,
    next_correlation_id: i32,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            next_correlation_id: 1,
        }
    }

    pub async fn send(&mut self, api_key: ApiKey, version: i16, body: &[u8]) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        self.stream
            .write_all(&request(api_key, version, correlation_id, body))
            .await
            .unwrap();
        correlation_id
    }

    /// The next response frame, correlation id first.
    pub async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let receiving = async {
            let length = self.stream.read_u32().await?;
            let mut frame = vec![0; length as usize];
            self.stream.read_exact(&mut frame).await?;
            Ok(frame)
        };
        tokio::time::timeout(Duration::from_secs(10), receiving)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// One request, and the body of its response.
    pub async fn ask(&mut self, api_key: ApiKey, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
        let correlation_id = self.send(api_key, version, body).await;
        let frame = self.receive().await?;
        Ok(body_of(&frame, api_key, version, correlation_id))
    }

    pub async fn produce(
        &mut self,
        acks: i16,
        partitions: &[(&str, i32, Vec<u8>)],
    ) -> io::Result<ProduceResponse> {
        let body = self
            .ask(ApiKey::PRODUCE, 9, &produce_body(acks, partitions))
            .await?;
        Ok(ProduceResponse::read(&body, 9).unwrap())
    }

    /// Waits until the other side closes; whether it did within ten seconds, without another byte.
    pub async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_secs(10), self.stream.read(&mut byte)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

pub fn request(api_key: ApiKey, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::frame(&mut out, |writer| {
        writer.i16(api_key.0);
        writer.i16(version);
        writer.i32(correlation_id);
        writer.nullable_string(false, Some("raw-client"));
        writer.no_tagged_fields(request_header_is_flexible(api_key, version));
        writer.raw(body);
    });
    out
}

pub fn body_of(frame: &[u8], api_key: ApiKey, version: i16, correlation_id: i32) -> Vec<u8> {
    let mut reader = Reader::new(frame);
    assert_eq!(reader.i32().unwrap(), correlation_id);
    if response_header_is_flexible(api_key, version) {
        reader.skip_tagged_fields().unwrap();
    }
    reader.rest().to_vec()
}

/// Version 9.
pub fn produce_body(acks: i16, partitions: &[(&str, i32, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.nullable_string(true, None);
    writer.i16(acks);
    writer.i32(10_000);
    writer.array_length(true, Some(partitions.len()));
    for (topic, partition, records) in partitions {
        writer.string(true, topic);
        writer.array_length(true, Some(1));
        writer.i32(*partition);
        writer.nullable_bytes(true, Some(records));
        writer.raw(&[0, 0]);
    }
    writer.u8(0);
    body
}

/// A Confluent-framed Avro string under schema id 1.
pub fn good(text: &str) -> Vec<u8> {
    let mut value = vec![0, 0, 0, 0, 1];
    Writer::new(&mut value).varlong(text.len() as i64);
    value.extend_from_slice(text.as_bytes());
    value
}

pub fn bad() -> Vec<u8> {
    vec![0, 0, 0, 0, 1, 40, b'x']
}

pub fn batch(values: &[Vec<u8>]) -> Vec<u8> {
    compressed_batch(values, Compression::None)
}

pub fn compressed_batch(values: &[Vec<u8>], compression: Compression) -> Vec<u8> {
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .map(|value| NewRecord {
            timestamp_ms: 1_700_000_000_000,
            value: Some(value),
            ..NewRecord::default()
        })
        .collect();
    let mut out = Vec::new();
    write_batch(&records, compression, None, &mut out).unwrap();
    out
}
