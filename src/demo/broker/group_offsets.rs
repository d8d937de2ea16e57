//! Committed offsets: OffsetCommit and OffsetFetch.

use super::coordinator::{Groups, code};
use super::group::Identity;
use super::shared::{Shared, lock};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetFetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::time::Instant;

/// Kafka's `offset.metadata.max.bytes`.
const METADATA_BYTES_MAX: usize = 4_096;
const OFFSETS_A_GROUP_MAX: usize = 20_000;

#[derive(Clone)]
pub struct CommittedOffset {
    offset: i64,
    leader_epoch: i32,
    metadata: StrBytes,
}

/// By topic and partition.
pub type CommittedOffsets = BTreeMap<TopicName, BTreeMap<i32, CommittedOffset>>;

/// What is answered for a partition nothing was committed for.
const NOTHING: CommittedOffset = CommittedOffset {
    offset: -1,
    leader_epoch: -1,
    metadata: StrBytes::new(),
};

pub fn commit(shared: &Shared, request: &OffsetCommitRequest) -> OffsetCommitResponse {
    let mut groups = lock(&shared.groups);
    let allowed = may_commit(&mut groups, request);
    let topics = lock(&shared.topics);
    let answers = request
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| {
                    let outcome = allowed.and_then(|()| {
                        topics
                            .partition(&topic.name, partition.partition_index)
                            .ok_or(ResponseError::UnknownTopicOrPartition)?;
                        let coordinated = groups.get_or_create(&request.group_id)?;
                        store(&mut coordinated.offsets, &topic.name, partition)
                    });
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(partition.partition_index)
                        .with_error_code(code(outcome))
                })
                .collect();
            OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions)
        })
        .collect();
    OffsetCommitResponse::default().with_topics(answers)
}

fn may_commit(groups: &mut Groups, request: &OffsetCommitRequest) -> Result<(), ResponseError> {
    let generation = request.generation_id_or_member_epoch;
    let identity = Identity {
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_ref(),
    };
    match groups.get_mut(&request.group_id) {
        Some(coordinated) => coordinated
            .group
            .may_commit(&identity, generation, Instant::now()),
        None if generation < 0 => Ok(()),
        None => Err(ResponseError::IllegalGeneration),
    }
}

fn store(
    offsets: &mut CommittedOffsets,
    topic: &TopicName,
    partition: &OffsetCommitRequestPartition,
) -> Result<(), ResponseError> {
    let metadata = partition.committed_metadata.clone().unwrap_or_default();
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    if offsets.values().map(BTreeMap::len).sum::<usize>() >= OFFSETS_A_GROUP_MAX {
        return Err(ResponseError::InvalidCommitOffsetSize);
    }
    let committed = CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        // Its own bytes, not a slice that keeps the whole request.
        metadata: StrBytes::from_string(metadata.to_string()),
    };
    let topic = TopicName(StrBytes::from_string(topic.to_string()));
    offsets
        .entry(topic)
        .or_default()
        .insert(partition.partition_index, committed);
    Ok(())
}

pub fn fetch(shared: &Shared, request: &OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let groups = lock(&shared.groups);
    let nothing = CommittedOffsets::new();
    let offsets_of = |id: &StrBytes| {
        groups
            .get(id)
            .map_or(&nothing, |coordinated| &coordinated.offsets)
    };
    if version < 8 {
        let wanted = request.topics.as_ref().map(|topics| {
            topics
                .iter()
                .map(|topic| (topic.name.clone(), topic.partition_indexes.clone()))
                .collect::<Vec<_>>()
        });
        let topics = select(offsets_of(&request.group_id), wanted)
            .map(|(name, partitions)| {
                let partitions = partitions
                    .into_iter()
                    .map(|(index, committed)| {
                        let answer = OffsetFetchResponsePartition::default()
                            .with_partition_index(index)
                            .with_committed_offset(committed.offset)
                            .with_metadata(Some(committed.metadata));
                        if version >= 5 {
                            answer.with_committed_leader_epoch(committed.leader_epoch)
                        } else {
                            answer
                        }
                    })
                    .collect();
                OffsetFetchResponseTopic::default()
                    .with_name(name)
                    .with_partitions(partitions)
            })
            .collect();
        return OffsetFetchResponse::default().with_topics(topics);
    }
    let answers = request
        .groups
        .iter()
        .map(|group| {
            let wanted = group.topics.as_ref().map(|topics| {
                topics
                    .iter()
                    .map(|topic| (topic.name.clone(), topic.partition_indexes.clone()))
                    .collect::<Vec<_>>()
            });
            let topics = select(offsets_of(&group.group_id), wanted)
                .map(|(name, partitions)| {
                    let partitions = partitions
                        .into_iter()
                        .map(|(index, committed)| {
                            OffsetFetchResponsePartitions::default()
                                .with_partition_index(index)
                                .with_committed_offset(committed.offset)
                                .with_committed_leader_epoch(committed.leader_epoch)
                                .with_metadata(Some(committed.metadata))
                        })
                        .collect();
                    OffsetFetchResponseTopics::default()
                        .with_name(name)
                        .with_partitions(partitions)
                })
                .collect();
            OffsetFetchResponseGroup::default()
                .with_group_id(group.group_id.clone())
                .with_topics(topics)
        })
        .collect();
    OffsetFetchResponse::default().with_groups(answers)
}

type Selected = (TopicName, Vec<(i32, CommittedOffset)>);

/// What was committed for the wanted partitions, or for all when none are named.
fn select(
    offsets: &CommittedOffsets,
    wanted: Option<Vec<(TopicName, Vec<i32>)>>,
) -> impl Iterator<Item = Selected> {
    let selected: Vec<Selected> = match wanted {
        None => offsets
            .iter()
            .map(|(topic, partitions)| {
                (
                    topic.clone(),
                    partitions
                        .iter()
                        .map(|(index, committed)| (*index, committed.clone()))
                        .collect(),
                )
            })
            .collect(),
        Some(wanted) => wanted
            .into_iter()
            .map(|(topic, indexes)| {
                let known = offsets.get(&topic);
                let committed = |index: i32| {
                    known
                        .and_then(|known| known.get(&index))
                        .cloned()
                        .unwrap_or(NOTHING)
                };
                let partitions = indexes
                    .into_iter()
                    .map(|index| (index, committed(index)))
                    .collect();
                (topic, partitions)
            })
            .collect(),
    };
    selected.into_iter()
}
