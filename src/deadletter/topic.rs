//! What the topics for bad records have in common.

use crate::kafka::client::NewTopic;
use crate::kafka::{Client, ClientError};
use kafka_protocol::ResponseError;
use std::time::Duration;

const CREATE_TIMEOUT: Duration = Duration::from_secs(30);
const ANY_TIME: &str = "9223372036854775807";
/// A bad record keeps its timestamp, which may be any. Brokers before 3.6 have no such limits.
const TIMESTAMP_CONFIGS: [(&str, &str); 2] = [
    ("message.timestamp.before.max.ms", ANY_TIME),
    ("message.timestamp.after.max.ms", ANY_TIME),
];

/// Creates `topic` so that it takes records of any timestamp.
///
/// # Errors
/// [`ClientError`]; TOPIC_ALREADY_EXISTS when it is there.
pub async fn create_for_any_time(client: &mut Client, topic: &NewTopic<'_>) -> Result<(), ClientError> {
    let configs = [topic.configs, TIMESTAMP_CONFIGS.as_slice()].concat();
    let unlimited = NewTopic {
        configs: &configs,
        ..topic.clone()
    };
    match client.create_topic(&unlimited, CREATE_TIMEOUT).await {
        Err(error) if error.code() == Some(ResponseError::InvalidConfig) => {
            client.create_topic(topic, CREATE_TIMEOUT).await
        }
        created => created,
    }
}
