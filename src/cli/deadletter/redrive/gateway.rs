//! Whether there is a gateway at all: through anything else nothing would be validated.

use super::super::Stop;
use super::persistently;
use crate::cli::exit;
use crate::deadletter::redrive::{GATEWAYS_OWN, PROBED_TOPIC};
use crate::kafka::Client;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

/// The last version before a transaction's partitions are added by the broker (KIP-890), and after the first with
/// messages (8).
const PRODUCE_VERSION_MAX: i16 = 11;
const ANSWER_TIME_MAX_MS: i32 = 5000;

/// Writes nothing to a topic that every gateway refuses to write, and looks who refuses it.
pub async fn is_one(client: &mut Client, via: &str) -> Result<(), Stop> {
    let nothing = PartitionProduceData::default().with_index(0).with_records(None);
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_static_str(PROBED_TOPIC)))
        .with_partition_data(vec![nothing]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(ANSWER_TIME_MAX_MS)
        .with_topic_data(vec![topic]);
    let answer = persistently(async || client.ask(&request, PRODUCE_VERSION_MAX).await).await?;
    let mut partitions = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    let is_gateway = partitions.any(|partition| {
        let message = partition.error_message.as_ref();
        message.is_some_and(|message| message.as_str() == GATEWAYS_OWN)
    });
    if is_gateway {
        return Ok(());
    }
    let why = format!(
        "{via} is no Portcullis gateway: nothing would be validated again. --via takes the address of a gateway's \
         listener, not the brokers'"
    );
    Err(Stop::new(exit::USAGE, why))
}
