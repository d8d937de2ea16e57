//! What stands in a partition, and from where to where.

use super::{Client, Partition, millis, topic_name};
use crate::kafka::connection::{ANSWER_TIMEOUT, ClientError};
use crate::wire::committed::AbortedTransaction;
use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest};
use std::time::Duration;

/// Topics go by name: from version 13 of Fetch on they go by id.
const FETCH_VERSION_MAX: i16 = 12;

/// Batches from an offset on, as they are in the log: the first may begin before it, the last be cut off.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub records: Bytes,
    pub high_watermark: i64,
    /// Everything before it is committed or aborted.
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    /// For [`walk_committed`](crate::wire::committed::walk_committed); none but from [`Client::fetch_committed`].
    pub aborted: Vec<AbortedTransaction>,
}

/// How much a fetch brings, and how long it waits for something.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    pub bytes_max: i32,
    pub wait_max: Duration,
}

/// Where an offset look-up points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetAt {
    Earliest,
    /// The high watermark.
    Latest,
    /// The last stable offset, at most the high watermark.
    LatestStable,
}

/// Kafka's isolation levels.
#[derive(Clone, Copy)]
enum Isolation {
    ReadUncommitted = 0,
    ReadCommitted = 1,
}

/// ListOffsets' words for the two ends of a log; other numbers are milliseconds since the epoch.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

impl Client {
    /// What is in the log from `offset` on; waits for something up to the limit. Tries once.
    ///
    /// # Errors
    /// [`ClientError`]; OFFSET_OUT_OF_RANGE when the log begins later or ends earlier.
    pub async fn fetch(
        &mut self,
        partition: Partition<'_>,
        offset: i64,
        limits: FetchLimits,
    ) -> Result<Fetched, ClientError> {
        self.fetch_by(Isolation::ReadUncommitted, partition, offset, limits)
            .await
    }

    /// As [`Self::fetch`], up to the last stable offset. Batches of aborted transactions come too, and their names.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn fetch_committed(
        &mut self,
        partition: Partition<'_>,
        offset: i64,
        limits: FetchLimits,
    ) -> Result<Fetched, ClientError> {
        self.fetch_by(Isolation::ReadCommitted, partition, offset, limits)
            .await
    }

    async fn fetch_by(
        &mut self,
        isolation: Isolation,
        partition: Partition<'_>,
        offset: i64,
        limits: FetchLimits,
    ) -> Result<Fetched, ClientError> {
        let fetched = self.try_fetch(isolation, partition, offset, limits).await;
        if fetched.is_err() {
            self.forget(partition);
        }
        fetched
    }

    async fn try_fetch(
        &mut self,
        isolation: Isolation,
        partition: Partition<'_>,
        offset: i64,
        limits: FetchLimits,
    ) -> Result<Fetched, ClientError> {
        let wanted = FetchPartition::default()
            .with_partition(partition.index)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(limits.bytes_max);
        let topic = FetchTopic::default()
            .with_topic(topic_name(partition.topic))
            .with_partitions(vec![wanted]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(millis(limits.wait_max))
            .with_min_bytes(1)
            .with_max_bytes(limits.bytes_max)
            .with_isolation_level(isolation as i8)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let connection = self.leader(partition).await?;
        let version = connection.version_up_to::<FetchRequest>(FETCH_VERSION_MAX)?;
        let answer = connection
            .send(&request, version, limits.wait_max + ANSWER_TIMEOUT)
            .await?;
        connection.accept::<FetchRequest>(answer.error_code, None)?;
        let result = answer
            .responses
            .into_iter()
            .flat_map(|topic| topic.partitions)
            .find(|result| result.partition_index == partition.index)
            .ok_or_else(|| connection.malformed::<FetchRequest>("the partition is not in it"))?;
        connection.accept::<FetchRequest>(result.error_code, None)?;
        let aborted = result.aborted_transactions.unwrap_or_default();
        let aborted = aborted.iter().map(|transaction| AbortedTransaction {
            producer_id: transaction.producer_id.0,
            first_offset: transaction.first_offset,
        });
        Ok(Fetched {
            records: result.records.unwrap_or_default(),
            high_watermark: result.high_watermark,
            last_stable_offset: result.last_stable_offset,
            log_start_offset: result.log_start_offset,
            aborted: aborted.collect(),
        })
    }

    /// One end of the log. Tries once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn offset(&mut self, partition: Partition<'_>, at: OffsetAt) -> Result<i64, ClientError> {
        let (isolation, timestamp) = match at {
            OffsetAt::Earliest => (Isolation::ReadUncommitted, EARLIEST),
            OffsetAt::Latest => (Isolation::ReadUncommitted, LATEST),
            OffsetAt::LatestStable => (Isolation::ReadCommitted, LATEST),
        };
        self.list_offset(isolation, partition, timestamp).await
    }

    /// The first offset whose record has this timestamp (milliseconds since the epoch, not negative) or a later one,
    /// of those before the last stable offset; none when there is none. Tries once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn offset_at_time(
        &mut self,
        partition: Partition<'_>,
        timestamp_ms: i64,
    ) -> Result<Option<i64>, ClientError> {
        let timestamp = timestamp_ms.max(0);
        let offset = self
            .list_offset(Isolation::ReadCommitted, partition, timestamp)
            .await?;
        Ok((offset >= 0).then_some(offset))
    }

    async fn list_offset(
        &mut self,
        isolation: Isolation,
        partition: Partition<'_>,
        timestamp: i64,
    ) -> Result<i64, ClientError> {
        let wanted = ListOffsetsPartition::default()
            .with_partition_index(partition.index)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(topic_name(partition.topic))
            .with_partitions(vec![wanted]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation as i8)
            .with_topics(vec![topic]);
        let asked = async {
            let connection = self.leader(partition).await?;
            let answer = connection.call(&request).await?;
            let result = answer
                .topics
                .iter()
                .flat_map(|topic| &topic.partitions)
                .find(|result| result.partition_index == partition.index)
                .ok_or_else(|| connection.malformed::<ListOffsetsRequest>("the partition is not in it"))?;
            connection.accept::<ListOffsetsRequest>(result.error_code, None)?;
            Ok(result.offset)
        };
        let asked = asked.await;
        if asked.is_err() {
            self.forget(partition);
        }
        asked
    }
}
