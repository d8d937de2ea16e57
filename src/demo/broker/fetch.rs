//! Fetch, with long polling. No fetch sessions: every answer has session id 0, which asks the client for full
//! fetches (KIP-227). The isolation level makes no difference, since there are no transactions.

use super::shared::{Shared, lock};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{BrokerId, FetchRequest};
use std::time::Duration;
use tokio::time::Instant;

const BY_TOPIC_ID: i16 = 13;

/// However long a client wants to wait.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// However much a client wants at once; a first batch may be larger.
const BYTES_MAX: usize = 64 << 20;

pub async fn handle(shared: &Shared, request: &FetchRequest, version: i16) -> FetchResponse {
    if request.session_id != 0 {
        return FetchResponse::default().with_error_code(ResponseError::FetchSessionIdNotFound.code());
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(WAIT_MAX);
    let deadline = Instant::now() + wait;
    let mut appends = shared.appends.subscribe();
    loop {
        appends.mark_unchanged();
        if is_ready(shared, request, version) {
            break;
        }
        tokio::select! {
            _ = appends.changed() => {}
            () = tokio::time::sleep_until(deadline) => break,
        }
    }
    read(shared, request, version)
}

/// Whether there is enough to answer with: bytes, or an error.
fn is_ready(shared: &Shared, request: &FetchRequest, version: i16) -> bool {
    let wanted = usize::try_from(request.min_bytes).unwrap_or(0);
    let topics = lock(&shared.topics);
    let mut bytes = 0;
    for topic in &request.topics {
        let Ok(found) = topics.resolve(version >= BY_TOPIC_ID, &topic.topic, topic.topic_id) else {
            return true;
        };
        for partition in &topic.partitions {
            let Some(log) = found.partition(partition.partition) else {
                return true;
            };
            if partition.fetch_offset < log.start_offset() || partition.fetch_offset > log.next_offset() {
                return true;
            }
            bytes += log.available(partition.fetch_offset, wanted);
            if bytes >= wanted {
                return true;
            }
        }
    }
    bytes >= wanted
}

fn read(shared: &Shared, request: &FetchRequest, version: i16) -> FetchResponse {
    let mut left = usize::try_from(request.max_bytes).unwrap_or(0).min(BYTES_MAX);
    let mut nothing_yet = true;
    let responses = request
        .topics
        .iter()
        .map(|topic| {
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| {
                    let data = read_partition(shared, topic, partition, version, left, nothing_yet);
                    let length = data.records.as_ref().map_or(0, Bytes::len);
                    left = left.saturating_sub(length);
                    nothing_yet &= length == 0;
                    data
                })
                .collect();
            let response = FetchableTopicResponse::default().with_partitions(partitions);
            if version >= BY_TOPIC_ID {
                response.with_topic_id(topic.topic_id)
            } else {
                response.with_topic(topic.topic.clone())
            }
        })
        .collect();
    FetchResponse::default().with_responses(responses)
}

fn read_partition(
    shared: &Shared,
    topic: &FetchTopic,
    partition: &FetchPartition,
    version: i16,
    left: usize,
    one_at_least: bool,
) -> PartitionData {
    let data = PartitionData::default()
        .with_partition_index(partition.partition)
        .with_preferred_read_replica(BrokerId(-1))
        .with_aborted_transactions(None);
    let failed = |data: PartitionData, error: ResponseError| {
        data.with_error_code(error.code())
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_log_start_offset(-1)
            .with_records(Some(Bytes::new()))
    };
    let topics = lock(&shared.topics);
    let found = match topics.resolve(version >= BY_TOPIC_ID, &topic.topic, topic.topic_id) {
        Ok(found) => found,
        Err(error) => return failed(data, error),
    };
    let Some(log) = found.partition(partition.partition) else {
        return failed(data, ResponseError::UnknownTopicOrPartition);
    };
    let bytes_max = usize::try_from(partition.partition_max_bytes)
        .unwrap_or(0)
        .min(left);
    match log.read(partition.fetch_offset, bytes_max, one_at_least) {
        None => failed(data, ResponseError::OffsetOutOfRange),
        Some(records) => data
            .with_high_watermark(log.next_offset())
            .with_last_stable_offset(log.next_offset())
            .with_log_start_offset(log.start_offset())
            .with_records(Some(records)),
    }
}
