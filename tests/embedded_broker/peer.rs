//! The broker's peer: kafka-protocol's client side over a plain socket, and the requests that most tests send.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use portcullis::demo::{BrokerOptions, EmbeddedBroker};
use portcullis::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use portcullis::wire::compression::Compression;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Client {
    pub stream: TcpStream,
    pub correlation_id: i32,
}

impl Client {
    pub async fn connect(broker: &EmbeddedBroker) -> Self {
        Self {
            stream: TcpStream::connect(broker.address).await.unwrap(),
            correlation_id: 0,
        }
    }

    /// Sends a request and reads its response, which must be read to its last byte.
    pub async fn ask<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response>
    where
        R::Response: HeaderVersion,
    {
        self.send(version, request).await?;
        self.receive::<R::Response>(version).await
    }

    pub async fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.correlation_id += 1;
        let mut body = BytesMut::new();
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(text("test")))
            .encode(&mut body, R::header_version(version))
            .unwrap();
        request
            .encode(&mut body, version)
            .unwrap_or_else(|error| panic!("{} {version}: {error}", R::KEY));
        let mut frame = BytesMut::new();
        frame.put_i32(body.len() as i32);
        frame.put_slice(&body);
        self.stream.write_all(&frame).await
    }

    pub async fn receive<S: Decodable + HeaderVersion>(&mut self, version: i16) -> io::Result<S> {
        let mut frame = self.frame().await?;
        let header = ResponseHeader::decode(&mut frame, S::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = S::decode(&mut frame, version).unwrap();
        assert_eq!(frame.remaining(), 0, "version {version}");
        Ok(response)
    }

    pub async fn frame(&mut self) -> io::Result<Bytes> {
        let read = async {
            let length = self.stream.read_i32().await?;
            let mut frame = vec![0; length as usize];
            self.stream.read_exact(&mut frame).await?;
            Ok(Bytes::from(frame))
        };
        tokio::time::timeout(Duration::from_secs(5), read)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?
    }
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

pub async fn broker() -> EmbeddedBroker {
    EmbeddedBroker::start(BrokerOptions::default()).await.unwrap()
}

pub async fn broker_with_topic(name: &str) -> EmbeddedBroker {
    let broker = broker().await;
    assert!(broker.create_topic(name, 2));
    broker
}

pub fn batch(values: &[&str], compression: Compression, producer: Option<(i64, i16, i32)>) -> Bytes {
    let records: Vec<NewRecord<'_>> = (0..)
        .zip(values)
        .map(|(index, value)| NewRecord {
            timestamp_ms: 1_000 + index,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: vec![(b"header", None)],
        })
        .collect();
    let stamp = producer.map(|(producer_id, producer_epoch, base_sequence)| ProducerStamp {
        producer_id,
        producer_epoch,
        base_sequence,
        transactional: false,
    });
    let mut out = Vec::new();
    write_batch(&records, compression, stamp, &mut out).unwrap();
    Bytes::from(out)
}

pub fn produce(name: &str, partition: i32, acks: i16, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(partition)
        .with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(topic(name))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(acks)
        .with_timeout_ms(1_000)
        .with_topic_data(vec![topic])
}

pub async fn produce_one(client: &mut Client, name: &str, records: Bytes) -> PartitionProduceResponse {
    let response = client.ask(9, &produce(name, 0, -1, records)).await.unwrap();
    response.responses[0].partition_responses[0].clone()
}

pub fn fetch(name: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default()
        .with_topic(topic(name))
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}

pub fn fetched(response: &FetchResponse) -> Bytes {
    response.responses[0].partitions[0]
        .records
        .clone()
        .unwrap_or_default()
}
