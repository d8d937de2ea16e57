//! Groups, and what clients are told of the cluster.

use crate::peer::{Client, broker, broker_with_topic, text, topic};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiVersionsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest,
    JoinGroupRequest, JoinGroupResponse, MetadataRequest, MetadataResponse, OffsetCommitRequest,
    OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use portcullis::demo::{BrokerOptions, EmbeddedBroker};
use portcullis::kafka::HostPort;
use std::time::Duration;

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
