//! Who the cluster is: Metadata, DescribeCluster, FindCoordinator. All three say where we are.

use super::partition_log::LEADER_EPOCH;
use super::shared::{Shared, lock};
use super::topics::{Topic, Topics};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

pub fn handle(shared: &Shared, request: &MetadataRequest, version: i16) -> MetadataResponse {
    let node = BrokerId(shared.options.node_id);
    let mut topics = lock(&shared.topics);
    // Version 0 asks for all topics with an empty list, the later ones with null.
    let wanted = request
        .topics
        .as_ref()
        .filter(|topics| version > 0 || !topics.is_empty());
    let answers = match wanted {
        None => topics
            .iter()
            .map(|topic| describe(topic, node, version))
            .collect(),
        Some(wanted) => wanted
            .iter()
            .map(|wanted| {
                let create =
                    shared.options.auto_create_topics && (version < 4 || request.allow_auto_topic_creation);
                find(
                    &mut topics,
                    wanted,
                    create.then_some(shared.options.partitions),
                    node,
                    version,
                )
            })
            .collect(),
    };
    let broker = MetadataResponseBroker::default()
        .with_node_id(node)
        .with_host(shared.host())
        .with_port(shared.port());
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(shared.cluster_id.clone()))
        .with_controller_id(node)
        .with_topics(answers)
}

fn find(
    topics: &mut Topics,
    wanted: &MetadataRequestTopic,
    create_with: Option<i32>,
    node: BrokerId,
    version: i16,
) -> MetadataResponseTopic {
    let failed = |error: ResponseError| {
        MetadataResponseTopic::default()
            .with_error_code(error.code())
            .with_name(wanted.name.clone())
            .with_topic_id(wanted.topic_id)
    };
    let Some(name) = &wanted.name else {
        return match topics.get_by_id(wanted.topic_id) {
            Some(topic) => describe(topic, node, version),
            // Before version 12 a name may not be null, not even here.
            None if version < 12 => {
                failed(ResponseError::UnknownTopicId).with_name(Some(TopicName::default()))
            }
            None => failed(ResponseError::UnknownTopicId),
        };
    };
    if let Some(topic) = topics.get(name) {
        return describe(topic, node, version);
    }
    match create_with {
        None => failed(ResponseError::UnknownTopicOrPartition),
        Some(partitions) => match topics.create(name, partitions, BTreeMap::new()) {
            Ok(topic) => describe(topic, node, version),
            Err(error) => failed(error),
        },
    }
}

fn describe(topic: &Topic, node: BrokerId, version: i16) -> MetadataResponseTopic {
    let partitions = (0..topic.partitions.len() as i32)
        .map(|index| {
            let partition = MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(node)
                .with_replica_nodes(vec![node])
                .with_isr_nodes(vec![node]);
            if version >= 7 {
                partition.with_leader_epoch(LEADER_EPOCH)
            } else {
                partition
            }
        })
        .collect();
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.to_string()))))
        .with_topic_id(if version >= 10 { topic.id } else { Uuid::nil() })
        .with_partitions(partitions)
}

pub fn describe_cluster(shared: &Shared, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    const BROKERS: i8 = 1;
    let response = DescribeClusterResponse::default().with_cluster_id(shared.cluster_id.clone());
    if request.endpoint_type != BROKERS {
        return response
            .with_error_code(ResponseError::MismatchedEndpointType.code())
            .with_error_message(Some(StrBytes::from_static_str(
                "this is a broker, not a controller",
            )));
    }
    let node = BrokerId(shared.options.node_id);
    let broker = DescribeClusterBroker::default()
        .with_broker_id(node)
        .with_host(shared.host())
        .with_port(shared.port());
    response.with_controller_id(node).with_brokers(vec![broker])
}

pub fn find_coordinator(
    shared: &Shared,
    request: &FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    const GROUP: i8 = 0;
    const TRANSACTION: i8 = 1;
    let node = BrokerId(shared.options.node_id);
    let refusal = match request.key_type {
        GROUP => None,
        // Fatal to the producer: it would ask again for ever if it were told that there is no coordinator yet.
        TRANSACTION => Some((
            ResponseError::TransactionalIdAuthorizationFailed,
            "this broker has no transactions",
        )),
        _ => Some((
            ResponseError::InvalidRequest,
            "this broker coordinates consumer groups only",
        )),
    };
    if version >= 4 {
        let coordinators = request
            .coordinator_keys
            .iter()
            .map(|key| {
                let coordinator = Coordinator::default().with_key(key.clone());
                match refusal {
                    None => coordinator
                        .with_node_id(node)
                        .with_host(shared.host())
                        .with_port(shared.port()),
                    Some((error, why)) => coordinator
                        .with_node_id(BrokerId(-1))
                        .with_port(-1)
                        .with_error_code(error.code())
                        .with_error_message(Some(StrBytes::from_static_str(why))),
                }
            })
            .collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let response = FindCoordinatorResponse::default().with_error_message(None);
    match refusal {
        None => response
            .with_node_id(node)
            .with_host(shared.host())
            .with_port(shared.port()),
        Some((error, why)) => {
            let response = response
                .with_node_id(BrokerId(-1))
                .with_port(-1)
                .with_error_code(error.code());
            if version >= 1 {
                response.with_error_message(Some(StrBytes::from_static_str(why)))
            } else {
                response
            }
        }
    }
}
