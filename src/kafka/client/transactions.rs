//! Transactions at their coordinator, in the versions of KIP-98 (transactions v1), which every broker from 0.11 to 4.x
//! takes from a client whatever its `transaction.version` is: the partition is added before a batch is written
//! (AddPartitionsToTxn up to 3, Produce up to 11), and the epoch stays when the transaction ends (EndTxn up to 4).
//! From AddPartitionsToTxn 4 on the request is for brokers only.

use super::{Asked, Client, CoordinatorKind, Partition, text, topic_name};
use crate::kafka::client::produce::Producer;
use crate::kafka::connection::ClientError;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ProducerId, TransactionalId,
};
use std::collections::BTreeMap;
use tokio::time::Instant;

const ADD_PARTITIONS_VERSION_MAX: i16 = 3;

impl Client {
    /// Adds `partitions` to the transaction that `producer` has open under `transactional_id`, and begins it when none
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
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            topics.entry(partition.topic).or_default().push(partition.index);
        }
        let topics: Vec<_> = topics
            .into_iter()
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
        let asked = Asked {
            kind: CoordinatorKind::Transaction,
            of: transactional_id,
            version_max: ADD_PARTITIONS_VERSION_MAX,
            deadline,
        };
        self.ask_coordinator(asked, request, code_of_added).await?;
        Ok(())
    }
}

/// All partitions are added or none: those that are not to blame carry OPERATION_NOT_ATTEMPTED.
fn code_of_added(answer: &AddPartitionsToTxnResponse) -> i16 {
    let codes = || {
        let topics = answer.results_by_topic_v3_and_below.iter();
        topics
            .flat_map(|topic| &topic.results_by_partition)
            .map(|result| result.partition_error_code)
            .filter(|code| *code != 0)
    };
    codes()
        .find(|code| *code != ResponseError::OperationNotAttempted.code())
        .or_else(|| codes().next())
        .unwrap_or(0)
}
