//! Producer ids, and batches written under them.

use super::{BACKOFF_MIN, Client, Partition, millis, of_transaction, text, time_left, topic_name, wait};
use crate::kafka::connection::ClientError;
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProducerId, TransactionalId,
};
use std::time::Duration;
use tokio::time::Instant;

/// Topics go by name: from version 13 on they go by id.
const PRODUCE_VERSION_MAX: i16 = 12;
/// From version 12 on a broker adds the partition to the transaction by itself (KIP-890), which others cannot.
const TRANSACTIONAL_PRODUCE_VERSION_MAX: i16 = 11;
/// From this version on InitProducerId says which producer goes on (KIP-360).
const INIT_RESUMES: i16 = 3;

/// A producer id and its epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
}

/// Where a batch was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    /// `None`: the broker has had the batch, and no longer knows where (DUPLICATE_SEQUENCE_NUMBER).
    pub base_offset: Option<i64>,
    /// The broker's timestamp, where the topic takes that and not ours.
    pub log_append_time_ms: Option<i64>,
}

/// A record for which a batch was refused (KIP-467).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedRecord {
    /// In the batch, from 0.
    pub index: i32,
    pub message: Option<String>,
}

/// Why a batch was not written, as far as we know.
#[derive(Debug)]
pub struct Unwritten {
    pub error: ClientError,
    /// The records to blame, where the answer names them.
    pub records: Vec<RefusedRecord>,
    /// Some try may have written it.
    pub unknown: bool,
}

impl Client {
    /// A producer id for `transactional_id`, its epoch one above all that were given before; whoever holds one of
    /// those is fenced, and a transaction of theirs is aborted. A transaction may stay open for `timeout`. `current`:
    /// only if that is still the newest (KIP-360). Tries until `deadline`.
    ///
    /// # Errors
    /// [`ClientError`]; PRODUCER_FENCED when `current` is not the newest, INVALID_TRANSACTION_TIMEOUT above
    /// `transaction.max.timeout.ms`.
    pub async fn init_producer_id(
        &mut self,
        transactional_id: &str,
        timeout: Duration,
        current: Option<Producer>,
        deadline: Instant,
    ) -> Result<Producer, ClientError> {
        let asked = of_transaction(transactional_id, i16::MAX, deadline);
        let request = |version| {
            let current = current.filter(|_| version >= INIT_RESUMES);
            InitProducerIdRequest::default()
                .with_transactional_id(Some(TransactionalId(text(transactional_id))))
                .with_transaction_timeout_ms(millis(timeout))
                .with_producer_id(ProducerId(current.map_or(-1, |current| current.id)))
                .with_producer_epoch(current.map_or(-1, |current| current.epoch))
        };
        let answer = self
            .ask_coordinator(asked, request, |answer| answer.error_code)
            .await?;
        Ok(producer_of(&answer))
    }

    /// A producer id for sequences without transactions, which nobody else has had. Tries until `deadline`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn init_idempotent_producer(&mut self, deadline: Instant) -> Result<Producer, ClientError> {
        // Without a transactional id the timeout means nothing, and has to be above 0.
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let mut backoff = BACKOFF_MIN;
        loop {
            let error = match self.ask(&request, i16::MAX).await {
                Ok(answer) if answer.error_code == 0 => return Ok(producer_of(&answer)),
                Ok(answer) => self.refused("InitProducerId", answer.error_code),
                Err(error) => error,
            };
            if !error.is_retriable() || !wait(&mut backoff, deadline).await {
                return Err(error);
            }
        }
    }

    /// Writes one batch, and returns where when every in-sync replica has it. `transactional_id`: whose transaction
    /// it belongs to, to which the partition was added before. The same bytes are sent again until `deadline`, so a
    /// batch without a sequence may be written twice; one with a sequence is written once.
    ///
    /// # Errors
    /// The last [`ClientError`], and whether any try may have written the batch all the same.
    pub async fn produce(
        &mut self,
        partition: Partition<'_>,
        batch: &Bytes,
        transactional_id: Option<&str>,
        deadline: Instant,
    ) -> Result<Written, Unwritten> {
        let data = PartitionProduceData::default()
            .with_index(partition.index)
            .with_records(Some(batch.clone()));
        let topic = TopicProduceData::default()
            .with_name(topic_name(partition.topic))
            .with_partition_data(vec![data]);
        let mut request = ProduceRequest::default()
            .with_transactional_id(transactional_id.map(|id| TransactionalId(text(id))))
            .with_acks(-1)
            .with_topic_data(vec![topic]);
        let mut unknown = false;
        let mut backoff = BACKOFF_MIN;
        loop {
            let left = time_left(deadline);
            request.timeout_ms = millis(left);
            let error = match self.try_produce(partition, &request, left).await {
                Ok(written) => return Ok(written),
                Err(error) => error,
            };
            let NotTaken { error, records } = error;
            unknown |= error.is_unknown();
            self.forget(partition);
            if !error.is_retriable() || !wait(&mut backoff, deadline).await {
                return Err(Unwritten {
                    error,
                    records,
                    unknown,
                });
            }
        }
    }

    async fn try_produce(
        &mut self,
        partition: Partition<'_>,
        request: &ProduceRequest,
        left: Duration,
    ) -> Result<Written, NotTaken> {
        let version_max = match request.transactional_id {
            Some(_) => TRANSACTIONAL_PRODUCE_VERSION_MAX,
            None => PRODUCE_VERSION_MAX,
        };
        let connection = self.leader(partition).await?;
        let version = connection.version_up_to::<ProduceRequest>(version_max)?;
        // A little over what the broker itself waits for its followers.
        let timeout = left + Duration::from_millis(500);
        let answer = connection.send(request, version, timeout).await?;
        let result = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .find(|result| result.index == partition.index)
            .ok_or_else(|| connection.malformed::<ProduceRequest>("the partition is not in it"))?;
        if result.error_code == ResponseError::DuplicateSequenceNumber.code() {
            return Ok(Written {
                base_offset: None,
                log_append_time_ms: None,
            });
        }
        let accepted = connection.accept::<ProduceRequest>(result.error_code, result.error_message.as_ref());
        if let Err(error) = accepted {
            let records = result.record_errors.iter().map(|record| RefusedRecord {
                index: record.batch_index,
                message: record
                    .batch_index_error_message
                    .as_ref()
                    .map(|message| message.as_str().to_owned()),
            });
            return Err(NotTaken {
                error,
                records: records.collect(),
            });
        }
        Ok(Written {
            base_offset: Some(result.base_offset),
            log_append_time_ms: Some(result.log_append_time_ms).filter(|time_ms| *time_ms >= 0),
        })
    }
}

/// What came of one try.
struct NotTaken {
    error: ClientError,
    records: Vec<RefusedRecord>,
}

impl From<ClientError> for NotTaken {
    fn from(error: ClientError) -> Self {
        Self {
            error,
            records: Vec::new(),
        }
    }
}

fn producer_of(answer: &InitProducerIdResponse) -> Producer {
    Producer {
        id: answer.producer_id.0,
        epoch: answer.producer_epoch,
    }
}
