//! ListOffsets and OffsetForLeaderEpoch.

use super::partition_log::{LEADER_EPOCH, PartitionLog, StoredBatch};
use super::shared::{Shared, lock};
use crate::wire::batch::{Batch, Records};
use crate::wire::compression::{DecompressionLimits, Decompressor};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{ListOffsetsRequest, OffsetForLeaderEpochRequest};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// The earliest offset in the local log (KIP-405): there is no other.
const EARLIEST_LOCAL: i64 = -4;
/// The last offset in remote storage (KIP-1005): there is none.
const LATEST_TIERED: i64 = -5;

/// The batches were checked when they came.
const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 128 << 20,
    ratio_max: 10_000,
};

pub fn handle(shared: &Shared, request: &ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let topics = lock(&shared.topics);
    let answers = request
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| {
                    let response = ListOffsetsPartitionResponse::default()
                        .with_partition_index(partition.partition_index);
                    let Some(log) = topics.partition(&topic.name, partition.partition_index) else {
                        return response.with_error_code(ResponseError::UnknownTopicOrPartition.code());
                    };
                    let Some((offset, timestamp_ms)) = find(log, partition.timestamp) else {
                        return response.with_error_code(ResponseError::UnsupportedVersion.code());
                    };
                    let response = response.with_offset(offset).with_timestamp(timestamp_ms);
                    if version >= 4 && offset >= 0 {
                        response.with_leader_epoch(LEADER_EPOCH)
                    } else {
                        response
                    }
                })
                .collect();
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions)
        })
        .collect();
    ListOffsetsResponse::default().with_topics(answers)
}

/// Offset and timestamp, both -1 when there is no such record; `None` for a question we do not know.
fn find(log: &PartitionLog, timestamp_ms: i64) -> Option<(i64, i64)> {
    match timestamp_ms {
        LATEST => Some((log.next_offset(), -1)),
        EARLIEST | EARLIEST_LOCAL => Some((log.start_offset(), -1)),
        LATEST_TIERED => Some((-1, -1)),
        MAX_TIMESTAMP => {
            // Of equal timestamps the first, as Kafka has it.
            let latest = log.batches().map(|batch| batch.max_timestamp_ms).max();
            Some(
                latest
                    .and_then(|latest| first_record_at(log, latest))
                    .unwrap_or((-1, -1)),
            )
        }
        0.. => Some(first_record_at(log, timestamp_ms).unwrap_or((-1, -1))),
        _ => None,
    }
}

fn first_record_at(log: &PartitionLog, timestamp_ms: i64) -> Option<(i64, i64)> {
    let mut decompressor = Decompressor::default();
    log.batches()
        .filter(|batch| batch.max_timestamp_ms >= timestamp_ms)
        .find_map(|batch| first_record_in(&mut decompressor, batch, timestamp_ms))
}

fn first_record_in(
    decompressor: &mut Decompressor,
    stored: &StoredBatch,
    timestamp_ms: i64,
) -> Option<(i64, i64)> {
    let batch = Batch::read(&stored.bytes).ok()?;
    let records = decompressor
        .decompress(batch.compression, batch.records, LIMITS)
        .ok()?;
    Records::new(records, batch.header.record_count).find_map(|record| {
        let record = record.ok()?;
        let timestamp = batch
            .header
            .first_timestamp_ms
            .saturating_add(record.timestamp_delta_ms);
        (timestamp >= timestamp_ms).then(|| (stored.base_offset + i64::from(record.offset_delta), timestamp))
    })
}

/// The end of an epoch: the end of the log for the only one there is.
pub fn for_leader_epoch(
    shared: &Shared,
    request: &OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = lock(&shared.topics);
    let answers = request
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| {
                    let response = EpochEndOffset::default().with_partition(partition.partition);
                    match topics.partition(&topic.topic, partition.partition) {
                        None => response.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
                        Some(log) if partition.leader_epoch == LEADER_EPOCH => response
                            .with_leader_epoch(LEADER_EPOCH)
                            .with_end_offset(log.next_offset()),
                        Some(_) => response,
                    }
                })
                .collect();
            OffsetForLeaderTopicResult::default()
                .with_topic(topic.topic.clone())
                .with_partitions(partitions)
        })
        .collect();
    OffsetForLeaderEpochResponse::default().with_topics(answers)
}
