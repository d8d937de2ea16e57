//! Produce: checks each batch as a broker does, and appends it.

use super::producer_state::Sequencing;
use super::shared::{Shared, lock};
use super::topics::{Topic, Topics};
use crate::wire::batch::{Batch, BatchError, Records};
use crate::wire::compression::{DecompressionLimits, Decompressor};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use kafka_protocol::protocol::StrBytes;

/// Far beyond any honest batch: the broker's own memory is what it protects.
const DECOMPRESSION: DecompressionLimits = DecompressionLimits {
    bytes_max: 128 << 20,
    ratio_max: 10_000,
};

/// The first version that names topics by their id.
const BY_TOPIC_ID: i16 = 13;
/// The first version that carries record errors (KIP-467).
const RECORD_ERRORS: i16 = 8;

/// Why a partition's batch was not appended.
struct Refusal {
    error_code: i16,
    record_errors: Vec<(i32, String)>,
    message: Option<String>,
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Self {
            error_code: error.code(),
            record_errors: Vec::new(),
            message: None,
        }
    }
}

impl From<BatchError> for Refusal {
    fn from(error: BatchError) -> Self {
        Self {
            error_code: error.error_code().0,
            record_errors: Vec::new(),
            message: Some(error.to_string()),
        }
    }
}

/// `None` when a request with `acks=0` went well; `Err` when it did not: there is no answer to say so in, and the
/// connection is closed.
pub fn handle(
    shared: &Shared,
    request: &ProduceRequest,
    version: i16,
) -> Result<Option<ProduceResponse>, &'static str> {
    let mut decompressor = Decompressor::default();
    let mut failed = false;
    let responses = request
        .topic_data
        .iter()
        .map(|topic| {
            let partitions = topic
                .partition_data
                .iter()
                .map(|partition| {
                    let outcome = if matches!(request.acks, -1..=1) {
                        append(shared, &mut decompressor, topic, partition, version)
                    } else {
                        Err(ResponseError::InvalidRequiredAcks.into())
                    };
                    failed |= outcome.is_err();
                    partition_response(partition.index, outcome, version)
                })
                .collect();
            let response = TopicProduceResponse::default().with_partition_responses(partitions);
            if version >= BY_TOPIC_ID {
                response.with_topic_id(topic.topic_id)
            } else {
                response.with_name(topic.name.clone())
            }
        })
        .collect();
    shared.appends.send_modify(|appends| *appends += 1);
    match request.acks {
        0 if failed => Err("a Produce with acks=0 failed"),
        0 => Ok(None),
        _ => Ok(Some(ProduceResponse::default().with_responses(responses))),
    }
}

fn partition_response(
    index: i32,
    outcome: Result<(i64, i64), Refusal>,
    version: i16,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default()
        .with_index(index)
        .with_log_append_time_ms(-1);
    match outcome {
        Ok((base_offset, log_start_offset)) => response
            .with_base_offset(base_offset)
            .with_log_start_offset(log_start_offset),
        Err(refusal) => {
            let response = response
                .with_error_code(refusal.error_code)
                .with_base_offset(-1)
                .with_log_start_offset(-1);
            if version < RECORD_ERRORS {
                return response;
            }
            let record_errors = refusal
                .record_errors
                .into_iter()
                .map(|(index, message)| {
                    BatchIndexAndErrorMessage::default()
                        .with_batch_index(index)
                        .with_batch_index_error_message(Some(StrBytes::from_string(message)))
                })
                .collect();
            response
                .with_record_errors(record_errors)
                .with_error_message(refusal.message.map(StrBytes::from_string))
        }
    }
}

/// Base offset and log start offset.
fn append(
    shared: &Shared,
    decompressor: &mut Decompressor,
    topic: &TopicProduceData,
    partition: &PartitionProduceData,
    version: i16,
) -> Result<(i64, i64), Refusal> {
    if let Some(error_code) = shared.faults.take_produce_error() {
        return Err(Refusal {
            error_code: error_code.0,
            record_errors: Vec::new(),
            message: None,
        });
    }
    let records = partition.records.as_ref().ok_or(ResponseError::InvalidRecord)?;
    let by_id = version >= BY_TOPIC_ID;
    {
        let topics = lock(&shared.topics);
        let topic = resolve(&topics, by_id, topic, partition.index)?;
        if records.len()
            > topic
                .message_bytes_max()
                .unwrap_or(shared.options.message_bytes_max)
        {
            return Err(ResponseError::MessageTooLarge.into());
        }
    }
    let batch = Batch::read(records)?;
    if batch.header.is_transactional() {
        return Err(ResponseError::InvalidTxnState.into());
    }
    let keyless = check_records(decompressor, &batch)?;

    let mut topics = lock(&shared.topics);
    let topic = resolve(&topics, by_id, topic, partition.index)?;
    if topic.is_compacted() && !keyless.is_empty() {
        return Err(keyless_refusal(topic, partition.index, keyless));
    }
    let (id, log) = (topic.id, topic.partition(partition.index));
    let log = log.ok_or(ResponseError::UnknownTopicOrPartition)?;
    let start_offset = log.start_offset();
    match log.producers.check(&batch.header)? {
        Sequencing::Duplicate { base_offset } => Ok((base_offset, start_offset)),
        Sequencing::Append => {
            // A copy of its own, so that what is held is what is counted, and not the whole request.
            let bytes = Bytes::copy_from_slice(records);
            let base_offset = topics
                .append(id, partition.index, &batch.header, bytes)
                .ok_or(ResponseError::UnknownTopicOrPartition)?;
            Ok((base_offset, start_offset))
        }
    }
}

fn resolve<'t>(
    topics: &'t Topics,
    by_id: bool,
    topic: &TopicProduceData,
    partition: i32,
) -> Result<&'t Topic, ResponseError> {
    let topic = topics.resolve(by_id, &topic.name, topic.topic_id)?;
    topic
        .partition(partition)
        .ok_or(ResponseError::UnknownTopicOrPartition)?;
    Ok(topic)
}

/// Walks every record, as `LogValidator` does, and returns the indexes of those without a key.
fn check_records(decompressor: &mut Decompressor, batch: &Batch<'_>) -> Result<Vec<i32>, Refusal> {
    let records = decompressor
        .decompress(batch.compression, batch.records, DECOMPRESSION)
        .map_err(|error| Refusal {
            error_code: ResponseError::CorruptMessage.code(),
            record_errors: Vec::new(),
            message: Some(error.to_string()),
        })?;
    let mut keyless = Vec::new();
    for (index, record) in (0..).zip(Records::new(records, batch.header.record_count)) {
        let record = record?;
        if record.offset_delta != index {
            return Err(Refusal {
                error_code: ResponseError::InvalidRecord.code(),
                record_errors: vec![(index, "offset deltas are not contiguous".to_owned())],
                message: None,
            });
        }
        if record.key.is_none() {
            keyless.push(index);
        }
    }
    Ok(keyless)
}

/// Kafka's own words for it.
fn keyless_refusal(topic: &Topic, partition: i32, keyless: Vec<i32>) -> Refusal {
    let message = format!(
        "Compacted topic cannot accept message without key in topic partition {}-{partition}.",
        topic.name
    );
    Refusal {
        error_code: ResponseError::InvalidRecord.code(),
        record_errors: keyless
            .into_iter()
            .map(|index| (index, message.clone()))
            .collect(),
        message: Some("One or more records have been rejected".to_owned()),
    }
}
