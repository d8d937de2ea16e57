//! Transactions at their coordinator, in the versions of KIP-98 (transactions v1), which every broker from 0.11 to 4.x
//! takes from a client whatever its `transaction.version` is: the partition is added before a batch is written
//! (AddPartitionsToTxn up to 3, Produce up to 11), and the epoch stays when the transaction ends (EndTxn up to 4).
//! From AddPartitionsToTxn 4 on the request is for brokers only.

use super::offsets::{GroupMember, PartitionOffset};
use super::produce::Producer;
use super::{Client, Partition, by_topic, first_code, of_group, of_transaction, text, topic_name};
use crate::kafka::connection::ClientError;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest, GroupId,
    ProducerId, TransactionalId, TxnOffsetCommitRequest,
};
use tokio::time::Instant;

const ADD_PARTITIONS_VERSION_MAX: i16 = 3;
const ADD_OFFSETS_VERSION_MAX: i16 = 4;
/// From version 5 on a broker adds the group to the transaction by itself.
const OFFSET_COMMIT_VERSION_MAX: i16 = 4;
/// From this version on TxnOffsetCommit names the member (KIP-447).
const OFFSET_COMMIT_NAMES_MEMBER: i16 = 3;
/// From version 5 on the epoch is bumped.
const END_VERSION_MAX: i16 = 4;

impl Client {
    /// Adds `partitions` to the transaction that `producer` has open, and begins it when none
    /// is open: when it ends, its coordinator writes its control marker into each of them, whether anything else was
    /// written there or not. Anybody may do so who knows the three and may write under the id. Adding one twice is no
    /// error. Tries until `deadline`.
    ///
    /// # Errors
    /// [`ClientError`]; PRODUCER_FENCED or INVALID_PRODUCER_EPOCH when `producer` is not the newest,
    /// INVALID_PRODUCER_ID_MAPPING when it is another id's, TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    pub async fn add_partitions_to_transaction(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        partitions: &[Partition<'_>],
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let partitions = partitions
            .iter()
            .map(|partition| (partition.topic, partition.index));
        let topics: Vec<_> = by_topic(partitions)
            .map(|(topic, partitions)| {
                AddPartitionsToTxnTopic::default()
                    .with_name(topic_name(topic))
                    .with_partitions(partitions)
            })
            .collect();
        let request = |_| {
            AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(TransactionalId(text(transactional_id)))
                .with_v3_and_below_producer_id(ProducerId(producer.id))
                .with_v3_and_below_producer_epoch(producer.epoch)
                .with_v3_and_below_topics(topics.clone())
        };
        let asked = of_transaction(transactional_id, ADD_PARTITIONS_VERSION_MAX, deadline);
        self.ask_coordinator(asked, request, code_of_added).await?;
        Ok(())
    }

    /// Adds the offsets of a group to the transaction, which [`Self::commit_offsets_in_transaction`] may then name.
    ///
    /// # Errors
    /// As [`Self::add_partitions_to_transaction`]; GROUP_AUTHORIZATION_FAILED.
    pub async fn add_group_to_transaction(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        group_id: &str,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let request = |_| {
            AddOffsetsToTxnRequest::default()
                .with_transactional_id(TransactionalId(text(transactional_id)))
                .with_producer_id(ProducerId(producer.id))
                .with_producer_epoch(producer.epoch)
                .with_group_id(GroupId(text(group_id)))
        };
        let asked = of_transaction(transactional_id, ADD_OFFSETS_VERSION_MAX, deadline);
        self.ask_coordinator(asked, request, |answer| answer.error_code)
            .await?;
        Ok(())
    }

    /// Offsets that are committed when the transaction is.
    ///
    /// # Errors
    /// [`ClientError`]; ILLEGAL_GENERATION or UNKNOWN_MEMBER_ID when `member` is of the group no more (brokers before
    /// 2.5 do not look), OFFSET_METADATA_TOO_LARGE above `offset.metadata.max.bytes`.
    pub async fn commit_offsets_in_transaction(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        member: GroupMember<'_>,
        offsets: &[PartitionOffset<'_>],
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let offsets = offsets.iter().map(|offset| {
            let committed = TxnOffsetCommitRequestPartition::default()
                .with_partition_index(offset.partition.index)
                .with_committed_offset(offset.offset)
                .with_committed_metadata(Some(text(offset.metadata)));
            (offset.partition.topic, committed)
        });
        let topics: Vec<_> = by_topic(offsets)
            .map(|(topic, partitions)| {
                TxnOffsetCommitRequestTopic::default()
                    .with_name(topic_name(topic))
                    .with_partitions(partitions)
            })
            .collect();
        let request = |version| {
            let mut request = TxnOffsetCommitRequest::default()
                .with_transactional_id(TransactionalId(text(transactional_id)))
                .with_group_id(GroupId(text(member.group_id)))
                .with_producer_id(ProducerId(producer.id))
                .with_producer_epoch(producer.epoch)
                .with_topics(topics.clone());
            if version >= OFFSET_COMMIT_NAMES_MEMBER {
                request.generation_id = member.generation;
                request.member_id = text(member.member_id);
            }
            request
        };
        let asked = of_group(member.group_id, OFFSET_COMMIT_VERSION_MAX, deadline);
        self.ask_coordinator(asked, request, |answer| {
            let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            first_code(partitions.map(|partition| partition.error_code))
        })
        .await?;
        Ok(())
    }

    /// Commits or aborts the transaction. Ending it again in the same way is no error.
    ///
    /// # Errors
    /// [`ClientError`]; INVALID_TXN_STATE when none is open, or it has ended in the other way. Without an error code
    /// it may have ended all the same.
    pub async fn end_transaction(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        committed: bool,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let request = |_| {
            EndTxnRequest::default()
                .with_transactional_id(TransactionalId(text(transactional_id)))
                .with_producer_id(ProducerId(producer.id))
                .with_producer_epoch(producer.epoch)
                .with_committed(committed)
        };
        let asked = of_transaction(transactional_id, END_VERSION_MAX, deadline);
        self.ask_coordinator(asked, request, |answer| answer.error_code)
            .await?;
        Ok(())
    }
}

/// All partitions are added or none: those that are not to blame carry OPERATION_NOT_ATTEMPTED.
fn code_of_added(answer: &AddPartitionsToTxnResponse) -> i16 {
    let not_attempted = ResponseError::OperationNotAttempted.code();
    let codes = || {
        let topics = answer.results_by_topic_v3_and_below.iter();
        topics
            .flat_map(|topic| &topic.results_by_partition)
            .map(|result| result.partition_error_code)
    };
    match first_code(codes().filter(|code| *code != not_attempted)) {
        0 => first_code(codes()),
        code => code,
    }
}
