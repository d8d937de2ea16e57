//! Offsets that a group has committed.

use super::{Client, Partition, by_topic, first_code, of_group, text, topic_name};
use crate::kafka::connection::ClientError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// From version 8 on several groups are asked for at once; 7 can wait for transactions (Kafka 2.5).
const OFFSET_FETCH_VERSION_MAX: i16 = 7;
/// From this version on OffsetFetch may ask for stable offsets (KIP-447).
const OFFSET_FETCH_STABLE: i16 = 7;
/// From version 9 on members of the newer group protocol are meant, and from 10 on topics go by id.
const OFFSET_COMMIT_VERSION_MAX: i16 = 8;

/// Who commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupMember<'a> {
    pub group_id: &'a str,
    /// -1 and an empty member id: nobody's, for a group without members.
    pub generation: i32,
    pub member_id: &'a str,
}

impl<'a> GroupMember<'a> {
    /// For a group whose partitions nobody hands out.
    #[must_use]
    pub fn none(group_id: &'a str) -> Self {
        Self {
            group_id,
            generation: -1,
            member_id: "",
        }
    }
}

/// The offset to go on from, and the committer's own words about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionOffset<'a> {
    pub partition: Partition<'a>,
    pub offset: i64,
    /// At most `offset.metadata.max.bytes` (4096) long.
    pub metadata: &'a str,
}

/// What was committed for one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    pub offset: i64,
    pub metadata: String,
}

impl Client {
    /// What the group has committed for `partitions` of `topic`, by partition; those without are left out. Offsets
    /// that a transaction is still about to commit are waited for until `deadline`.
    ///
    /// # Errors
    /// [`ClientError`]; UNSTABLE_OFFSET_COMMIT while such a transaction is open.
    pub async fn committed_offsets(
        &mut self,
        group_id: &str,
        topic: &str,
        partitions: &[i32],
        deadline: Instant,
    ) -> Result<BTreeMap<i32, CommittedOffset>, ClientError> {
        let wanted = OffsetFetchRequestTopic::default()
            .with_name(topic_name(topic))
            .with_partition_indexes(partitions.to_vec());
        let request = |version| {
            OffsetFetchRequest::default()
                .with_group_id(GroupId(text(group_id)))
                .with_topics(Some(vec![wanted.clone()]))
                .with_require_stable(version >= OFFSET_FETCH_STABLE)
        };
        let asked = of_group(group_id, OFFSET_FETCH_VERSION_MAX, deadline);
        let answer = self
            .ask_coordinator(asked, request, |answer| {
                let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
                let codes = partitions.map(|partition| partition.error_code);
                first_code(std::iter::once(answer.error_code).chain(codes))
            })
            .await?;
        let committed = answer
            .topics
            .into_iter()
            .filter(|found| found.name.as_str() == topic)
            .flat_map(|found| found.partitions)
            .filter(|found| found.committed_offset >= 0)
            .map(|found| {
                let committed = CommittedOffset {
                    offset: found.committed_offset,
                    metadata: found
                        .metadata
                        .map_or_else(String::new, |text| text.as_str().to_owned()),
                };
                (found.partition_index, committed)
            });
        Ok(committed.collect())
    }

    /// Commits offsets outside of any transaction. Tries until `deadline`.
    ///
    /// # Errors
    /// [`ClientError`]; ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID or REBALANCE_IN_PROGRESS when `member` is of the group no
    /// more, OFFSET_METADATA_TOO_LARGE.
    pub async fn commit_offsets(
        &mut self,
        member: GroupMember<'_>,
        offsets: &[PartitionOffset<'_>],
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let offsets = offsets.iter().map(|offset| {
            let committed = OffsetCommitRequestPartition::default()
                .with_partition_index(offset.partition.index)
                .with_committed_offset(offset.offset)
                .with_committed_metadata(Some(text(offset.metadata)));
            (offset.partition.topic, committed)
        });
        let topics = by_topic(offsets).map(|(topic, partitions)| {
            OffsetCommitRequestTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(partitions)
        });
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(text(member.group_id)))
            .with_generation_id_or_member_epoch(member.generation)
            .with_member_id(text(member.member_id))
            .with_topics(topics.collect());
        let asked = of_group(member.group_id, OFFSET_COMMIT_VERSION_MAX, deadline);
        self.ask_coordinator(
            asked,
            |_| request.clone(),
            |answer| {
                let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
                first_code(partitions.map(|partition| partition.error_code))
            },
        )
        .await?;
        Ok(())
    }
}
