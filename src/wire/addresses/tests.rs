//! Every response that carries addresses, in every version, written by another library.

use super::*;
use bytes::BytesMut;
use kafka_protocol::messages as m;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

const SECRET: &str = "secret-broker.internal";

#[derive(Default)]
struct Fake {
    topics: Vec<([u8; 16], String)>,
    unreachable: Option<i32>,
}

impl AddressMap for Fake {
    fn advertise(&mut self, node_id: i32, host: &str, port: i32) -> Option<(String, u16)> {
        assert_eq!((host, port), (SECRET, 19_092));
        (self.unreachable != Some(node_id)).then(|| ("gw".to_owned(), 9193 + node_id as u16))
    }
    fn learn_topic(&mut self, id: [u8; 16], name: &str) {
        self.topics.push((id, name.to_owned()));
    }
}

fn secret() -> StrBytes {
    StrBytes::from_static_str(SECRET)
}

fn encode(message: &impl Encodable, version: i16) -> Vec<u8> {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).unwrap();
    out.to_vec()
}

/// Applies the edit; the result holds no address of a broker.
fn rewritten(key: ApiKey, version: i16, body: &[u8], map: &mut Fake) -> Vec<u8> {
    assert!(carries_addresses(key, version));
    let mut out = body.to_vec();
    if let Some(edit) = rewrite(key, version, body, map).unwrap() {
        out.splice(edit.range, edit.with);
    }
    let leak = out
        .windows(SECRET.len())
        .any(|window| window == SECRET.as_bytes());
    assert!(!leak, "{key:?} version {version}");
    for end in 0..body.len() {
        // Never a panic, whatever is missing.
        let _ = rewrite(key, version, &body[..end], map);
    }
    out
}

fn decode<T: Decodable>(mut bytes: &[u8], version: i16) -> T {
    let message = T::decode(&mut bytes, version).unwrap();
    assert!(bytes.is_empty(), "{} bytes left over", bytes.len());
    message
}

#[test]
fn metadata() {
    for version in 0..=13 {
        let mut response = m::MetadataResponse::default();
        for id in [1, 2] {
            let mut broker = m::metadata_response::MetadataResponseBroker::default();
            broker.node_id = m::BrokerId(id);
            broker.host = secret();
            broker.port = 19_092;
            if version >= 1 {
                broker.rack = Some(StrBytes::from_static_str("r1"));
            }
            response.brokers.push(broker);
        }
        let mut topic = m::metadata_response::MetadataResponseTopic::default();
        topic.name = Some(m::TopicName(StrBytes::from_static_str("orders")));
        if version >= 10 {
            topic.topic_id = uuid::Uuid::from_bytes([9; 16]);
        }
        let mut partition = m::metadata_response::MetadataResponsePartition::default();
        partition.leader_id = m::BrokerId(2);
        partition.replica_nodes = vec![m::BrokerId(1), m::BrokerId(2)];
        topic.partitions.push(partition);
        response.topics.push(topic);
        let mut map = Fake {
            unreachable: Some(1),
            ..Fake::default()
        };
        let body = encode(&response, version);
        let answer: m::MetadataResponse =
            decode(&rewritten(ApiKey::METADATA, version, &body, &mut map), version);
        assert_eq!(
            answer.brokers.len(),
            1,
            "a broker that cannot be reached is left out"
        );
        assert_eq!(
            (answer.brokers[0].host.as_str(), answer.brokers[0].port),
            ("gw", 9195)
        );
        assert_eq!(answer.brokers[0].rack, response.brokers[1].rack);
        assert_eq!(answer.topics, response.topics);
        assert_eq!(
            map.topics.contains(&([9; 16], "orders".to_owned())),
            version >= 10
        );
        let view = MetadataView::read(version, &body).unwrap();
        assert_eq!((view.brokers.len(), view.brokers[1].host), (2, SECRET));
    }
}

#[test]
fn find_coordinator() {
    for version in 0..=6 {
        let mut response = m::FindCoordinatorResponse::default();
        if version >= 4 {
            for (node_id, error_code) in [(3, 0), (5, 0), (-1, 15)] {
                let mut coordinator = m::find_coordinator_response::Coordinator::default();
                coordinator.key = StrBytes::from_static_str("group");
                coordinator.node_id = m::BrokerId(node_id);
                coordinator.host = if node_id < 0 {
                    StrBytes::default()
                } else {
                    secret()
                };
                coordinator.port = if node_id < 0 { -1 } else { 19_092 };
                coordinator.error_code = error_code;
                response.coordinators.push(coordinator);
            }
        } else {
            response.node_id = m::BrokerId(3);
            response.host = secret();
            response.port = 19_092;
        }
        let mut map = Fake {
            unreachable: Some(5),
            ..Fake::default()
        };
        let body = encode(&response, version);
        let answer: m::FindCoordinatorResponse = decode(
            &rewritten(ApiKey::FIND_COORDINATOR, version, &body, &mut map),
            version,
        );
        if version >= 4 {
            let nodes: Vec<_> = answer
                .coordinators
                .iter()
                .map(|node| (node.node_id.0, node.host.as_str(), node.port, node.error_code))
                .collect();
            assert_eq!(nodes, [(3, "gw", 9196, 0), (-1, "", -1, 15), (-1, "", -1, 15)]);
        } else {
            assert_eq!(
                (answer.node_id.0, answer.host.as_str(), answer.port),
                (3, "gw", 9196)
            );
        }
    }
}

#[test]
fn describe_cluster() {
    for version in 0..=2 {
        let mut response = m::DescribeClusterResponse::default();
        response.cluster_id = StrBytes::from_static_str("cluster");
        let mut broker = m::describe_cluster_response::DescribeClusterBroker::default();
        broker.broker_id = m::BrokerId(1);
        broker.host = secret();
        broker.port = 19_092;
        if version >= 2 {
            broker.is_fenced = true;
        }
        response.brokers.push(broker);
        let body = encode(&response, version);
        let out = rewritten(ApiKey::DESCRIBE_CLUSTER, version, &body, &mut Fake::default());
        let answer: m::DescribeClusterResponse = decode(&out, version);
        assert_eq!(
            (answer.brokers[0].host.as_str(), answer.brokers[0].port),
            ("gw", 9194)
        );
        assert_eq!(answer.brokers[0].is_fenced, version >= 2);
    }
}

macro_rules! endpoint {
    ($module:ident) => {{
        let mut endpoint = m::$module::NodeEndpoint::default();
        endpoint.node_id = m::BrokerId(4);
        endpoint.host = secret();
        endpoint.port = 19_092;
        endpoint
    }};
}

#[test]
fn produce_node_endpoints() {
    for version in 10..=13 {
        let mut response = m::ProduceResponse::default();
        let mut topic = m::produce_response::TopicProduceResponse::default();
        if version >= 13 {
            topic.topic_id = uuid::Uuid::from_bytes([1; 16]);
        } else {
            topic.name = m::TopicName(StrBytes::from_static_str("orders"));
        }
        let mut partition = m::produce_response::PartitionProduceResponse::default();
        partition.error_code = 6;
        let mut error = m::produce_response::BatchIndexAndErrorMessage::default();
        error.batch_index_error_message = Some(StrBytes::from_static_str("why"));
        partition.record_errors.push(error);
        topic.partition_responses.push(partition);
        response.responses.push(topic);
        let body = encode(&response, version);
        assert_eq!(
            rewrite(ApiKey::PRODUCE, version, &body, &mut Fake::default()),
            Ok(None)
        );
        response.node_endpoints.push(endpoint!(produce_response));
        let body = encode(&response, version);
        let out = rewritten(ApiKey::PRODUCE, version, &body, &mut Fake::default());
        let answer: m::ProduceResponse = decode(&out, version);
        assert_eq!(
            (
                answer.node_endpoints[0].host.as_str(),
                answer.node_endpoints[0].port
            ),
            ("gw", 9197)
        );
        assert_eq!(answer.responses, response.responses);
    }
}

#[test]
fn fetch_node_endpoints() {
    for version in 16..=18 {
        let mut response = m::FetchResponse::default();
        let mut topic = m::fetch_response::FetchableTopicResponse::default();
        topic.topic_id = uuid::Uuid::from_bytes([1; 16]);
        let mut partition = m::fetch_response::PartitionData::default();
        partition.records = Some(bytes::Bytes::from_static(b"a batch"));
        partition.aborted_transactions = Some(vec![m::fetch_response::AbortedTransaction::default()]);
        partition.current_leader.leader_id = m::BrokerId(4);
        topic.partitions.push(partition);
        response.responses.push(topic);
        let body = encode(&response, version);
        assert_eq!(
            rewrite(ApiKey::FETCH, version, &body, &mut Fake::default()),
            Ok(None)
        );
        response.node_endpoints.push(endpoint!(fetch_response));
        let body = encode(&response, version);
        let answer: m::FetchResponse = decode(
            &rewritten(ApiKey::FETCH, version, &body, &mut Fake::default()),
            version,
        );
        assert_eq!(
            (
                answer.node_endpoints[0].host.as_str(),
                answer.node_endpoints[0].port
            ),
            ("gw", 9197)
        );
        assert_eq!(answer.responses, response.responses);
    }
}

#[test]
fn share_group_node_endpoints() {
    let mut response = m::ShareFetchResponse::default();
    let mut topic = m::share_fetch_response::ShareFetchableTopicResponse::default();
    let mut partition = m::share_fetch_response::PartitionData::default();
    partition.records = Some(bytes::Bytes::from_static(b"a batch"));
    partition
        .acquired_records
        .push(m::share_fetch_response::AcquiredRecords::default());
    topic.partitions.push(partition);
    response.responses.push(topic);
    response.node_endpoints.push(endpoint!(share_fetch_response));
    let body = encode(&response, 1);
    let answer: m::ShareFetchResponse =
        decode(&rewritten(ApiKey::SHARE_FETCH, 1, &body, &mut Fake::default()), 1);
    assert_eq!(answer.node_endpoints[0].host.as_str(), "gw");
    assert_eq!(answer.responses, response.responses);

    let mut response = m::ShareAcknowledgeResponse::default();
    let mut topic = m::share_acknowledge_response::ShareAcknowledgeTopicResponse::default();
    topic
        .partitions
        .push(m::share_acknowledge_response::PartitionData::default());
    response.responses.push(topic);
    response
        .node_endpoints
        .push(endpoint!(share_acknowledge_response));
    let body = encode(&response, 1);
    let answer: m::ShareAcknowledgeResponse = decode(
        &rewritten(ApiKey::SHARE_ACKNOWLEDGE, 1, &body, &mut Fake::default()),
        1,
    );
    assert_eq!(answer.node_endpoints[0].host.as_str(), "gw");
    assert_eq!(answer.responses, response.responses);
}
