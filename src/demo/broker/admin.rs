//! Topics on request, and a few of their configs.

use super::shared::{Shared, lock};
use super::topics::Topic;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
};
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// `ConfigSource` of the Java client.
const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

/// `ConfigResource.Type`.
const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;

pub fn create_topics(shared: &Shared, request: &CreateTopicsRequest, version: i16) -> CreateTopicsResponse {
    let results = request
        .topics
        .iter()
        .map(|topic| create(shared, topic, request.validate_only, version))
        .collect();
    CreateTopicsResponse::default().with_topics(results)
}

fn create(
    shared: &Shared,
    wanted: &CreatableTopic,
    validate_only: bool,
    version: i16,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default()
        .with_name(wanted.name.clone())
        .with_error_message(None);
    let failed = |error: ResponseError, why: &str| {
        CreatableTopicResult::default()
            .with_name(wanted.name.clone())
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_string(why.to_owned())))
    };
    if !matches!(wanted.replication_factor, -1 | 1) {
        return failed(ResponseError::InvalidReplicationFactor, "there is one broker");
    }
    let partitions = match (wanted.assignments.len(), wanted.num_partitions) {
        (0, -1) => shared.options.partitions,
        (0, partitions) => partitions,
        (assigned, _) => assigned as i32,
    };
    let configs: BTreeMap<String, String> = wanted
        .configs
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
        .collect();
    let mut topics = lock(&shared.topics);
    let outcome = if validate_only {
        topics.may_create(&wanted.name, partitions).map(|()| None)
    } else {
        topics.create(&wanted.name, partitions, configs).map(Some)
    };
    let topic = match outcome {
        Err(ResponseError::TopicAlreadyExists) => {
            return failed(
                ResponseError::TopicAlreadyExists,
                &format!("Topic '{}' already exists.", wanted.name.0),
            );
        }
        Err(error) => return failed(error, &error.to_string()),
        Ok(topic) => topic,
    };
    let result = if version >= 5 {
        let described = topic.map_or_else(Vec::new, |topic| {
            topic
                .configs
                .iter()
                .map(|(name, value)| {
                    CreatableTopicConfigs::default()
                        .with_name(StrBytes::from_string(name.clone()))
                        .with_value(Some(StrBytes::from_string(value.clone())))
                        .with_config_source(SOURCE_TOPIC)
                })
                .collect()
        });
        result
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(Some(described))
    } else {
        result
    };
    match topic {
        Some(topic) if version >= 7 => result.with_topic_id(topic.id),
        _ => result,
    }
}

pub fn delete_topics(shared: &Shared, request: &DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    let mut topics = lock(&shared.topics);
    let mut delete = |name: Option<TopicName>, id: Uuid| {
        let known = match &name {
            Some(name) => topics.get(name),
            None => topics.get_by_id(id),
        };
        let missing = if name.is_some() {
            ResponseError::UnknownTopicOrPartition
        } else {
            ResponseError::UnknownTopicId
        };
        let Some(found) = known.map(|topic| topic.name.clone()) else {
            return DeletableTopicResult::default()
                .with_name(name)
                .with_topic_id(id)
                .with_error_code(missing.code());
        };
        let id = topics.delete(&found).map_or(id, |topic| topic.id);
        let result = DeletableTopicResult::default()
            .with_name(Some(TopicName(StrBytes::from_string(found.to_string()))));
        if version >= 6 {
            result.with_topic_id(id)
        } else {
            result
        }
    };
    let responses = if version >= 6 {
        request
            .topics
            .iter()
            .map(|topic| delete(topic.name.clone(), topic.topic_id))
            .collect()
    } else {
        request
            .topic_names
            .iter()
            .map(|name| delete(Some(name.clone()), Uuid::nil()))
            .collect()
    };
    // Fetches that wait on a deleted topic are told so.
    shared.appends.send_modify(|appends| *appends += 1);
    DeleteTopicsResponse::default().with_responses(responses)
}

pub fn describe_configs(shared: &Shared, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = request
        .resources
        .iter()
        .map(|resource| describe_resource(shared, resource))
        .collect();
    DescribeConfigsResponse::default().with_results(results)
}

fn describe_resource(shared: &Shared, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    let result = DescribeConfigsResult::default()
        .with_error_message(None)
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    let configs = match resource.resource_type {
        RESOURCE_TOPIC => lock(&shared.topics)
            .get(&resource.resource_name)
            .map(|topic| topic_configs(shared, topic)),
        RESOURCE_BROKER => Some(broker_configs(shared)),
        _ => return result.with_error_code(ResponseError::InvalidRequest.code()),
    };
    let Some(configs) = configs else {
        return result.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    let wanted = configs
        .into_iter()
        .filter(|(name, _, _)| {
            resource
                .configuration_keys
                .as_ref()
                .is_none_or(|keys| keys.iter().any(|key| key.as_str() == name.as_str()))
        })
        .map(|(name, value, source)| {
            DescribeConfigsResourceResult::default()
                .with_name(StrBytes::from_string(name))
                .with_value(Some(StrBytes::from_string(value)))
                .with_config_source(source)
                .with_read_only(resource.resource_type == RESOURCE_BROKER)
                .with_documentation(None)
        })
        .collect();
    result.with_configs(wanted)
}

fn topic_configs(shared: &Shared, topic: &Topic) -> Vec<(String, String, i8)> {
    let defaults = [
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("max.message.bytes", shared.options.message_bytes_max.to_string()),
        ("message.timestamp.type", "CreateTime".to_owned()),
        ("min.insync.replicas", "1".to_owned()),
    ];
    let own = topic
        .configs
        .iter()
        .map(|(name, value)| (name.clone(), value.clone(), SOURCE_TOPIC));
    let defaults = defaults
        .into_iter()
        .filter(|(name, _)| !topic.configs.contains_key(*name))
        .map(|(name, value)| (name.to_owned(), value, SOURCE_DEFAULT));
    own.chain(defaults).collect()
}

fn broker_configs(shared: &Shared) -> Vec<(String, String, i8)> {
    [
        ("node.id", shared.options.node_id.to_string()),
        ("num.partitions", shared.options.partitions.to_string()),
        (
            "auto.create.topics.enable",
            shared.options.auto_create_topics.to_string(),
        ),
        ("message.max.bytes", shared.options.message_bytes_max.to_string()),
        (
            "advertised.listeners",
            format!(
                "PLAINTEXT://{}:{}",
                shared.advertised.host, shared.advertised.port
            ),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value, SOURCE_STATIC_BROKER))
    .collect()
}
