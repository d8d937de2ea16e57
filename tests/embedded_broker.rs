//! The embedded broker speaks Kafka, and misbehaves when it is asked to. The peer is kafka-protocol's client side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, FetchRequest,
    FetchResponse, FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest,
    MetadataRequest, MetadataResponse, OffsetCommitRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
    ProduceRequest, RequestHeader, ResponseHeader, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use portcullis::demo::{BrokerOptions, EmbeddedBroker, ResponseFault};
use portcullis::kafka::HostPort;
use portcullis::wire::api::ApiKey as Api;
use portcullis::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use portcullis::wire::compression::Compression;
use portcullis::wire::error_code::ErrorCode;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    async fn connect(broker: &EmbeddedBroker) -> Self {
        Self {
            stream: TcpStream::connect(broker.address).await.unwrap(),
            correlation_id: 0,
        }
    }

    /// Sends a request and reads its response, which must be read to its last byte.
    async fn ask<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response>
    where
        R::Response: HeaderVersion,
    {
        self.send(version, request).await?;
        self.receive::<R::Response>(version).await
    }

    async fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
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

    async fn receive<S: Decodable + HeaderVersion>(&mut self, version: i16) -> io::Result<S> {
        let mut frame = self.frame().await?;
        let header = ResponseHeader::decode(&mut frame, S::header_version(version)).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id);
        let response = S::decode(&mut frame, version).unwrap();
        assert_eq!(frame.remaining(), 0, "version {version}");
        Ok(response)
    }

    async fn frame(&mut self) -> io::Result<Bytes> {
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

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

async fn broker() -> EmbeddedBroker {
    EmbeddedBroker::start(BrokerOptions::default()).await.unwrap()
}

async fn broker_with_topic(name: &str) -> EmbeddedBroker {
    let broker = broker().await;
    assert!(broker.create_topic(name, 2));
    broker
}

fn batch(values: &[&str], compression: Compression, producer: Option<(i64, i16, i32)>) -> Bytes {
    let records: Vec<NewRecord<'_>> = (0..)
        .zip(values)
        .map(|(index, value)| NewRecord {
            timestamp_ms: 1_000 + index,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: vec![("header", None)],
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

fn produce(name: &str, partition: i32, acks: i16, records: Bytes) -> ProduceRequest {
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

async fn produce_one(client: &mut Client, name: &str, records: Bytes) -> PartitionProduceResponse {
    let response = client.ask(9, &produce(name, 0, -1, records)).await.unwrap();
    response.responses[0].partition_responses[0].clone()
}

fn fetch(name: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
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

fn fetched(response: &FetchResponse) -> Bytes {
    response.responses[0].partitions[0]
        .records
        .clone()
        .unwrap_or_default()
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0_with_its_own_range() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    // Header v2, as version 5 would have it; the body is what it may be.
    client
        .stream
        .write_all(b"\0\0\0\x0d\0\x12\0\x63\0\0\0\x07\0\x01t\0\0")
        .await
        .unwrap();
    let mut frame = client.frame().await.unwrap();
    assert_eq!(frame.get_i32(), 7);
    let response = ApiVersionsResponse::decode(&mut frame, 0).unwrap();
    assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
    let own: Vec<_> = response
        .api_keys
        .iter()
        .map(|api| (api.api_key, api.min_version, api.max_version))
        .collect();
    assert_eq!(own, [(18, 0, 4)]);
    assert!(!frame.has_remaining());
    // The connection is as good as before.
    assert!(
        client
            .ask(4, &ApiVersionsRequest::default())
            .await
            .unwrap()
            .api_keys
            .len()
            > 15
    );
}

/// Every API in every version that is advertised: the request is understood, and the response is read by a peer to
/// its last byte.
#[tokio::test]
async fn every_advertised_version_is_spoken() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    let spoken = client
        .ask(3, &ApiVersionsRequest::default())
        .await
        .unwrap()
        .api_keys;
    let id = client
        .ask(12, &MetadataRequest::default().with_topics(None))
        .await
        .unwrap()
        .topics[0]
        .topic_id;
    produce_one(&mut client, "t", batch(&["a"], Compression::None, None)).await;
    for api in &spoken {
        for version in api.min_version..=api.max_version {
            speak(&mut client, ApiKey::try_from(api.api_key).unwrap(), version, id).await;
        }
    }
    let heard: std::collections::BTreeSet<_> = broker
        .requests_seen()
        .iter()
        .map(|request| (request.api_key.0, request.api_version))
        .collect();
    let wanted = spoken
        .iter()
        .flat_map(|api| (api.min_version..=api.max_version).map(|version| (api.api_key, version)));
    assert!(wanted.clone().all(|spoken| heard.contains(&spoken)));
    assert!(wanted.count() > 130);
}

async fn speak(client: &mut Client, api: ApiKey, version: i16, id: uuid::Uuid) {
    let group = GroupId(text("g"));
    match api {
        ApiKey::Produce => {
            let mut request = produce("t", 0, -1, batch(&["a"], Compression::None, None));
            if version >= 13 {
                request.topic_data[0].name = TopicName::default();
                request.topic_data[0].topic_id = id;
            }
            let response = client.ask(version, &request).await.unwrap();
            assert_eq!(
                response.responses[0].partition_responses[0].error_code, 0,
                "{version}"
            );
        }
        ApiKey::Fetch => {
            let mut request = fetch("t", 0, 0);
            if version >= 13 {
                request.topics[0].topic = TopicName::default();
                request.topics[0].topic_id = id;
            }
            let response = client.ask(version, &request).await.unwrap();
            assert!(!fetched(&response).is_empty(), "{version}");
        }
        ApiKey::ListOffsets => {
            let partition = ListOffsetsPartition::default().with_timestamp(-1);
            let topic = ListOffsetsTopic::default()
                .with_name(topic("t"))
                .with_partitions(vec![partition]);
            let request = ListOffsetsRequest::default()
                .with_replica_id((-1).into())
                .with_topics(vec![topic]);
            let response = client.ask(version, &request).await.unwrap();
            assert!(response.topics[0].partitions[0].offset > 0, "{version}");
        }
        ApiKey::Metadata => {
            let named = MetadataRequestTopic::default().with_name(Some(topic("t")));
            let request = MetadataRequest::default().with_topics(Some(vec![named]));
            let response = client.ask(version, &request).await.unwrap();
            assert_eq!(
                (response.topics[0].error_code, response.topics[0].partitions.len()),
                (0, 2),
                "{version}"
            );
        }
        ApiKey::OffsetCommit => {
            let partition = OffsetCommitRequestPartition::default().with_committed_offset(5);
            let topic = OffsetCommitRequestTopic::default()
                .with_name(topic("t"))
                .with_partitions(vec![partition]);
            let request = OffsetCommitRequest::default()
                .with_group_id(group)
                .with_generation_id_or_member_epoch(-1)
                .with_topics(vec![topic]);
            let response = client.ask(version, &request).await.unwrap();
            assert_eq!(response.topics[0].partitions[0].error_code, 0, "{version}");
        }
        ApiKey::OffsetFetch => speak_offset_fetch(client, version, group).await,
        ApiKey::FindCoordinator => {
            let request = if version >= 4 {
                FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")])
            } else {
                FindCoordinatorRequest::default().with_key(text("g"))
            };
            let response = client.ask(version, &request).await.unwrap();
            let node = response
                .coordinators
                .first()
                .map_or(response.node_id, |coordinator| coordinator.node_id);
            assert_eq!(node.0, 1, "{version}");
        }
        ApiKey::JoinGroup => speak_join(client, version).await,
        ApiKey::Heartbeat => {
            let response = client
                .ask(version, &HeartbeatRequest::default().with_group_id(group))
                .await
                .unwrap();
            assert_eq!(
                response.error_code,
                ResponseError::UnknownMemberId.code(),
                "{version}"
            );
        }
        ApiKey::LeaveGroup => {
            client
                .ask(version, &LeaveGroupRequest::default().with_group_id(group))
                .await
                .unwrap();
        }
        ApiKey::SyncGroup => {
            let response = client
                .ask(version, &SyncGroupRequest::default().with_group_id(group))
                .await
                .unwrap();
            assert_eq!(
                response.error_code,
                ResponseError::UnknownMemberId.code(),
                "{version}"
            );
        }
        ApiKey::DescribeGroups => {
            let request = DescribeGroupsRequest::default().with_groups(vec![group, GroupId(text("none"))]);
            let response = client.ask(version, &request).await.unwrap();
            assert_eq!(response.groups[0].group_state.as_str(), "Empty", "{version}");
        }
        ApiKey::ListGroups => {
            let response = client.ask(version, &ListGroupsRequest::default()).await.unwrap();
            assert!(!response.groups.is_empty(), "{version}");
        }
        ApiKey::ApiVersions => {
            client.ask(version, &ApiVersionsRequest::default()).await.unwrap();
        }
        ApiKey::CreateTopics => {
            let name = topic(&format!("made-{version}"));
            let wanted = CreatableTopic::default()
                .with_name(name)
                .with_num_partitions(1)
                .with_replication_factor(1);
            let request = CreateTopicsRequest::default().with_topics(vec![wanted]);
            let response = client.ask(version, &request).await.unwrap();
            assert_eq!(response.topics[0].error_code, 0, "{version}");
            let again = client.ask(version, &request).await.unwrap();
            assert_eq!(
                again.topics[0].error_code,
                ResponseError::TopicAlreadyExists.code(),
                "{version}"
            );
        }
        ApiKey::DeleteTopics => {
            let request = if version >= 6 {
                let state = kafka_protocol::messages::delete_topics_request::DeleteTopicState::default();
                DeleteTopicsRequest::default().with_topics(vec![state.with_name(Some(topic("made-2")))])
            } else {
                DeleteTopicsRequest::default().with_topic_names(vec![topic("nowhere")])
            };
            let response = client.ask(version, &request).await.unwrap();
            let wanted = if version >= 6 {
                0
            } else {
                ResponseError::UnknownTopicOrPartition.code()
            };
            assert_eq!(response.responses[0].error_code, wanted, "{version}");
        }
        ApiKey::InitProducerId => {
            let response = client
                .ask(
                    version,
                    &InitProducerIdRequest::default().with_transactional_id(None),
                )
                .await
                .unwrap();
            assert!(
                response.error_code == 0 && response.producer_id.0 >= 0,
                "{version}"
            );
        }
        ApiKey::OffsetForLeaderEpoch => {
            use kafka_protocol::messages::offset_for_leader_epoch_request::{
                OffsetForLeaderPartition, OffsetForLeaderTopic,
            };
            let partition = OffsetForLeaderPartition::default().with_leader_epoch(0);
            let topic = OffsetForLeaderTopic::default()
                .with_topic(topic("t"))
                .with_partitions(vec![partition]);
            let response = client
                .ask(
                    version,
                    &OffsetForLeaderEpochRequest::default().with_topics(vec![topic]),
                )
                .await
                .unwrap();
            assert!(response.topics[0].partitions[0].end_offset > 0, "{version}");
        }
        ApiKey::DescribeConfigs => {
            use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
            let resource = DescribeConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("t"));
            let request = DescribeConfigsRequest::default()
                .with_resources(vec![resource.with_configuration_keys(None)]);
            let response = client.ask(version, &request).await.unwrap();
            assert!(response.results[0].configs.len() > 3, "{version}");
        }
        ApiKey::DeleteGroups => {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text("nobody"))]);
            let response = client.ask(version, &request).await.unwrap();
            assert_eq!(
                response.results[0].error_code,
                ResponseError::GroupIdNotFound.code(),
                "{version}"
            );
        }
        ApiKey::DescribeCluster => {
            let response = client
                .ask(version, &DescribeClusterRequest::default())
                .await
                .unwrap();
            assert_eq!(response.brokers.len(), 1, "{version}");
        }
        other => panic!("{other:?} is advertised and not tested"),
    }
}

async fn speak_join(client: &mut Client, version: i16) {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(text(&format!("joined-{version}"))))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let first = client.ask(version, &request).await.unwrap();
    let joined = if version >= 4 {
        assert_eq!(
            first.error_code,
            ResponseError::MemberIdRequired.code(),
            "{version}"
        );
        client
            .ask(version, &request.with_member_id(first.member_id))
            .await
            .unwrap()
    } else {
        first
    };
    assert_eq!(
        (joined.error_code, joined.generation_id, joined.members.len()),
        (0, 1, 1),
        "{version}"
    );
}

async fn speak_offset_fetch(client: &mut Client, version: i16, group: GroupId) {
    let offset = if version >= 8 {
        let topic = OffsetFetchRequestTopics::default()
            .with_name(topic("t"))
            .with_partition_indexes(vec![0]);
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(group)
            .with_topics(Some(vec![topic]));
        let response = client
            .ask(version, &OffsetFetchRequest::default().with_groups(vec![group]))
            .await
            .unwrap();
        response.groups[0].topics[0].partitions[0].committed_offset
    } else {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic("t"))
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(group)
            .with_topics(Some(vec![topic]));
        client.ask(version, &request).await.unwrap().topics[0].partitions[0].committed_offset
    };
    assert_eq!(offset, 5, "{version}");
}

#[tokio::test]
async fn a_batch_is_given_back_as_it_came_but_for_its_offset_and_epoch() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for (index, codec) in (0..).zip(codecs) {
        let sent = batch(&["one", "two", "three"], codec, None);
        let answer = produce_one(&mut client, "t", sent.clone()).await;
        assert_eq!((answer.error_code, answer.base_offset), (0, index * 3));
        assert_eq!(broker.produced("t", 0)[index as usize], sent);
        // From the middle of a batch the whole batch is given.
        let got = fetched(&client.ask(12, &fetch("t", index * 3 + 1, 0)).await.unwrap());
        assert_eq!(got[..8], (index * 3).to_be_bytes());
        assert_eq!(got[8..12], sent[8..12]);
        assert_eq!(got[12..16], [0; 4]);
        assert_eq!(got[16..], sent[16..]);
    }
    assert_eq!(broker.high_watermark("t", 0), Some(15));
}

#[tokio::test]
async fn a_fetch_waits_for_the_next_append_and_no_longer() {
    let broker = broker_with_topic("t").await;
    let (mut consumer, mut producer) = (Client::connect(&broker).await, Client::connect(&broker).await);
    let started = Instant::now();
    consumer.send(12, &fetch("t", 0, 4_000)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    produce_one(&mut producer, "t", batch(&["late"], Compression::None, None)).await;
    let response: FetchResponse = consumer.receive(12).await.unwrap();
    assert!(!fetched(&response).is_empty());
    assert!((100..2_000).contains(&started.elapsed().as_millis()));
    // Nothing comes: empty when the time is over.
    let started = Instant::now();
    assert!(fetched(&consumer.ask(12, &fetch("t", 1, 200)).await.unwrap()).is_empty());
    assert!((200..2_000).contains(&started.elapsed().as_millis()));
    // Beyond the end is an error at once.
    let response = consumer.ask(12, &fetch("t", 9, 4_000)).await.unwrap();
    assert_eq!(
        response.responses[0].partitions[0].error_code,
        ResponseError::OffsetOutOfRange.code()
    );
}

#[tokio::test]
async fn a_retried_batch_is_appended_once_and_a_gap_is_refused() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    let id = client
        .ask(4, &InitProducerIdRequest::default().with_transactional_id(None))
        .await
        .unwrap()
        .producer_id
        .0;
    let first = batch(&["a", "b"], Compression::None, Some((id, 0, 0)));
    assert_eq!(produce_one(&mut client, "t", first.clone()).await.base_offset, 0);
    let gap = produce_one(
        &mut client,
        "t",
        batch(&["d"], Compression::None, Some((id, 0, 3))),
    )
    .await;
    assert_eq!(gap.error_code, ResponseError::OutOfOrderSequenceNumber.code());
    assert_eq!(
        produce_one(
            &mut client,
            "t",
            batch(&["c"], Compression::None, Some((id, 0, 2)))
        )
        .await
        .base_offset,
        2
    );
    let retry = produce_one(&mut client, "t", first).await;
    assert_eq!((retry.error_code, retry.base_offset), (0, 0));
    assert_eq!(broker.high_watermark("t", 0), Some(3));
}

#[tokio::test]
async fn what_a_broker_refuses_is_refused() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    let good = batch(&["value"], Compression::None, None);
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let mut miscounted = good.to_vec();
    miscounted[26] = 1; // last offset delta
    let crc = crc32c::crc32c(&miscounted[21..]);
    miscounted[17..21].copy_from_slice(&crc.to_be_bytes());
    for (records, error) in [
        (Bytes::from(flipped), ResponseError::CorruptMessage),
        (Bytes::from(miscounted), ResponseError::InvalidRecord),
        (
            Bytes::from([good.clone(), good.clone()].concat()),
            ResponseError::InvalidRecord,
        ),
    ] {
        assert_eq!(
            produce_one(&mut client, "t", records).await.error_code,
            error.code()
        );
    }
    let missing = client
        .ask(9, &produce("missing", 0, -1, good.clone()))
        .await
        .unwrap();
    assert_eq!(
        missing.responses[0].partition_responses[0].error_code,
        ResponseError::UnknownTopicOrPartition.code()
    );
    let acks = client.ask(9, &produce("t", 0, 2, good.clone())).await.unwrap();
    assert_eq!(
        acks.responses[0].partition_responses[0].error_code,
        ResponseError::InvalidRequiredAcks.code()
    );
    let large = "x".repeat(2 << 20);
    let large = produce_one(&mut client, "t", batch(&[&large], Compression::None, None)).await;
    assert_eq!(large.error_code, ResponseError::MessageTooLarge.code());
    assert_eq!(broker.high_watermark("t", 0), Some(0));
    // acks=0: no answer when it goes well, the end of the connection when it does not.
    client.send(9, &produce("t", 0, 0, good.clone())).await.unwrap();
    client.ask(3, &ApiVersionsRequest::default()).await.unwrap();
    assert_eq!(broker.high_watermark("t", 0), Some(1));
    client.send(9, &produce("missing", 0, 0, good)).await.unwrap();
    assert!(client.frame().await.is_err());
}

#[tokio::test]
async fn a_compacted_topic_refuses_keyless_records_by_their_index() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    let config = CreatableTopicConfig::default()
        .with_name(text("cleanup.policy"))
        .with_value(Some(text("compact")));
    let wanted = CreatableTopic::default()
        .with_name(topic("compacted"))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(vec![config]);
    client
        .ask(7, &CreateTopicsRequest::default().with_topics(vec![wanted]))
        .await
        .unwrap();
    let keyed = NewRecord {
        key: Some(b"k"),
        value: Some(b"v"),
        ..NewRecord::default()
    };
    let keyless = NewRecord {
        key: None,
        ..keyed.clone()
    };
    let mut records = Vec::new();
    write_batch(&[keyed, keyless], Compression::Zstd, None, &mut records).unwrap();
    let answer = produce_one(&mut client, "compacted", Bytes::from(records)).await;
    assert_eq!(answer.error_code, ResponseError::InvalidRecord.code());
    let indexes: Vec<i32> = answer
        .record_errors
        .iter()
        .map(|error| error.batch_index)
        .collect();
    assert_eq!(indexes, [1]);
}

#[tokio::test]
async fn offsets_are_found_by_time() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    // Two batches whose records are at 1000, 1001, 1002.
    for codec in [Compression::None, Compression::Gzip] {
        produce_one(&mut client, "t", batch(&["a", "b", "c"], codec, None)).await;
    }
    let mut offset_at = async |timestamp: i64| {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(topic("t"))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![topic]);
        let response = client.ask(7, &request).await.unwrap();
        (
            response.topics[0].partitions[0].offset,
            response.topics[0].partitions[0].timestamp,
        )
    };
    assert_eq!(offset_at(-1).await, (6, -1));
    assert_eq!(offset_at(-2).await, (0, -1));
    assert_eq!(offset_at(-3).await, (2, 1_002));
    assert_eq!(offset_at(1_001).await, (1, 1_001));
    assert_eq!(offset_at(1_003).await, (-1, -1));
}

#[tokio::test]
async fn the_oldest_batches_go_when_all_topics_hold_too_much() {
    let one = batch(&["value"], Compression::None, None);
    let retention_bytes = one.len() * 3;
    let broker = EmbeddedBroker::start(BrokerOptions {
        retention_bytes,
        ..BrokerOptions::default()
    })
    .await
    .unwrap();
    assert!(broker.create_topic("a", 1) && broker.create_topic("b", 1));
    let mut client = Client::connect(&broker).await;
    for name in ["a", "b", "a", "b", "b"] {
        produce_one(&mut client, name, one.clone()).await;
    }
    assert_eq!(
        (broker.produced("a", 0).len(), broker.produced("b", 0).len()),
        (1, 2)
    );
    let response = client.ask(12, &fetch("a", 0, 0)).await.unwrap();
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, ResponseError::OffsetOutOfRange.code());
    assert!(!fetched(&client.ask(12, &fetch("a", 1, 0)).await.unwrap()).is_empty());
}

#[tokio::test]
async fn a_group_of_two_splits_and_commits() {
    let broker = broker_with_topic("t").await;
    let group = GroupId(text("g"));
    let join = |member_id: StrBytes| {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(b"m"));
        JoinGroupRequest::default()
            .with_group_id(group.clone())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_member_id(member_id)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol])
    };
    let (mut one, mut two) = (Client::connect(&broker).await, Client::connect(&broker).await);
    let id_one = one.ask(9, &join(StrBytes::new())).await.unwrap().member_id;
    let leader = one.ask(9, &join(id_one.clone())).await.unwrap();
    assert_eq!((leader.generation_id, &leader.leader), (1, &id_one));
    let id_two = two.ask(9, &join(StrBytes::new())).await.unwrap().member_id;
    two.send(9, &join(id_two.clone())).await.unwrap();
    // The second's join waits until the first has joined again.
    let beat = HeartbeatRequest::default()
        .with_group_id(group.clone())
        .with_generation_id(1)
        .with_member_id(id_one.clone());
    tokio::time::timeout(Duration::from_secs(5), async {
        while one.ask(4, &beat).await.unwrap().error_code != ResponseError::RebalanceInProgress.code() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let again = one.ask(9, &join(id_one.clone())).await.unwrap();
    let second: JoinGroupResponse = two.receive(9).await.unwrap();
    assert_eq!((again.generation_id, again.members.len()), (2, 2));
    assert_eq!((second.generation_id, second.members.len()), (2, 0));
    // The follower's sync waits for the leader's.
    let sync = |member_id: &StrBytes| {
        SyncGroupRequest::default()
            .with_group_id(group.clone())
            .with_generation_id(2)
            .with_member_id(member_id.clone())
    };
    two.send(5, &sync(&id_two)).await.unwrap();
    let give = |id: &StrBytes, bytes: &'static [u8]| {
        SyncGroupRequestAssignment::default()
            .with_member_id(id.clone())
            .with_assignment(Bytes::from_static(bytes))
    };
    let assigned = sync(&id_one).with_assignments(vec![give(&id_one, b"0"), give(&id_two, b"1")]);
    assert_eq!(
        one.ask(5, &assigned).await.unwrap().assignment,
        Bytes::from_static(b"0")
    );
    let assigned: kafka_protocol::messages::SyncGroupResponse = two.receive(5).await.unwrap();
    assert_eq!(assigned.assignment, Bytes::from_static(b"1"));
    // Only this generation may commit.
    let mut commit = async |generation: i32| {
        let partition = OffsetCommitRequestPartition::default()
            .with_committed_offset(17)
            .with_partition_index(1);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic("t"))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group.clone())
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(id_two.clone())
            .with_topics(vec![topic]);
        two.ask(8, &request).await.unwrap().topics[0].partitions[0].error_code
    };
    assert_eq!(commit(1).await, ResponseError::IllegalGeneration.code());
    assert_eq!(commit(2).await, 0);
    let fetch = OffsetFetchRequest::default()
        .with_group_id(group.clone())
        .with_topics(None);
    let offsets = one.ask(7, &fetch).await.unwrap();
    assert_eq!(offsets.topics[0].partitions[0].committed_offset, 17);
}

#[tokio::test]
async fn transactions_are_refused_and_not_advertised() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    let keys: Vec<i16> = client
        .ask(3, &ApiVersionsRequest::default())
        .await
        .unwrap()
        .api_keys
        .iter()
        .map(|api| api.api_key)
        .collect();
    assert!([24, 25, 26, 28].iter().all(|key| !keys.contains(key)));
    let request = InitProducerIdRequest::default().with_transactional_id(Some(text("t").into()));
    let refused = client.ask(4, &request).await.unwrap();
    assert_eq!(
        refused.error_code,
        ResponseError::TransactionalIdAuthorizationFailed.code()
    );
}

#[tokio::test]
async fn clients_are_told_the_advertised_address() {
    let advertised = Some(HostPort {
        host: "broker.example".to_owned(),
        port: 1_234,
    });
    let broker = EmbeddedBroker::start(BrokerOptions {
        advertised,
        ..BrokerOptions::default()
    })
    .await
    .unwrap();
    let mut client = Client::connect(&broker).await;
    let metadata: MetadataResponse = client
        .ask(12, &MetadataRequest::default().with_topics(None))
        .await
        .unwrap();
    assert_eq!(
        (metadata.brokers[0].host.as_str(), metadata.brokers[0].port),
        ("broker.example", 1_234)
    );
    let coordinator = client
        .ask(3, &FindCoordinatorRequest::default().with_key(text("g")))
        .await
        .unwrap();
    assert_eq!(
        (coordinator.host.as_str(), coordinator.port),
        ("broker.example", 1_234)
    );
}

#[tokio::test]
async fn produce_errors_come_on_demand_for_so_many_partitions() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    broker.faults().fail_produce(ErrorCode::NOT_LEADER_OR_FOLLOWER, 2);
    let records = batch(&["a"], Compression::None, None);
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(produce_one(&mut client, "t", records.clone()).await.error_code);
    }
    assert_eq!(codes, [6, 6, 0]);
    assert_eq!(broker.high_watermark("t", 0), Some(1));
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_append_or_in_the_middle_of_the_answer() {
    let broker = broker_with_topic("t").await;
    for (fault, appended) in [
        (ResponseFault::ResetUnhandled, 0),
        (ResponseFault::ResetHandled, 1),
        (ResponseFault::ResetAfter(9), 2),
    ] {
        let mut client = Client::connect(&broker).await;
        broker.faults().on_next(Some(Api::PRODUCE), 1, fault);
        // Another API is not meant.
        client.ask(3, &ApiVersionsRequest::default()).await.unwrap();
        client
            .send(9, &produce("t", 0, -1, batch(&["a"], Compression::None, None)))
            .await
            .unwrap();
        let mut got = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(5), client.stream.read_to_end(&mut got))
            .await
            .unwrap();
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(
            got.len(),
            if let ResponseFault::ResetAfter(bytes) = fault {
                bytes
            } else {
                0
            }
        );
        assert_eq!(broker.high_watermark("t", 0), Some(appended));
    }
}

#[tokio::test]
async fn answers_can_be_late_dripped_or_missing() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    let started = Instant::now();
    broker
        .faults()
        .on_next(None, 1, ResponseFault::Delay(Duration::from_millis(150)));
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
    let started = Instant::now();
    broker.faults().on_next(
        None,
        1,
        ResponseFault::Drip {
            bytes: 10,
            pause: Duration::from_millis(5),
        },
    );
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(50));
    broker.faults().on_next(None, 1, ResponseFault::Swallow);
    client.send(0, &ApiVersionsRequest::default()).await.unwrap();
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
}

#[tokio::test]
async fn the_listener_closes_and_opens_and_open_connections_are_reset_on_demand() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    broker.faults().close_listener();
    wait_until(async || TcpStream::connect(broker.address).await.is_err()).await;
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    broker.faults().open_listener();
    wait_until(async || TcpStream::connect(broker.address).await.is_ok()).await;
    broker.faults().reset_connections();
    let end = tokio::time::timeout(Duration::from_secs(5), client.stream.read_u8())
        .await
        .unwrap();
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    broker.stop().await;
    assert!(TcpStream::connect(broker.address).await.is_err());
}

async fn wait_until(mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that");
}

#[tokio::test]
async fn a_frame_out_of_bounds_closes_its_connection_and_no_other() {
    let broker = broker().await;
    let mut other = Client::connect(&broker).await;
    for bytes in [
        &b"\x7f\xff\xff\xff"[..],
        b"\xff\xff\xff\xff",
        b"\0\0\0\x03abc",
        b"\0\0\0\x08\x7f\0\0\0\0\0\0\0",
    ] {
        let mut client = Client::connect(&broker).await;
        client.stream.write_all(bytes).await.unwrap();
        assert!(client.frame().await.is_err());
    }
    other.ask(0, &ApiVersionsRequest::default()).await.unwrap();
}
