//! What is advertised is spoken, and nothing else.

use crate::peer::{
    Client, batch, broker, broker_with_topic, fetch, fetched, produce, produce_one, text, topic,
};
use bytes::Buf;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetFetchRequest, OffsetForLeaderEpochRequest, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::Decodable;
use portcullis::wire::compression::Compression;
use tokio::io::AsyncWriteExt;

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
