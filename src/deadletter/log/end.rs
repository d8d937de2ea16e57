//! How far the log goes now, asked for all who want to know at once.

use super::Place;
use crate::kafka::Client;
use crate::kafka::client::OffsetAt;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

const RETRY_INTERVAL: Duration = Duration::from_millis(100);

pub async fn run(place: Place, mut client: Client, mut asked: mpsc::Receiver<oneshot::Sender<i64>>) {
    while let Some(first) = asked.recv().await {
        let mut waiting = vec![first];
        let end = loop {
            while let Ok(more) = asked.try_recv() {
                waiting.push(more);
            }
            match client.offset(place.at(), OffsetAt::Latest).await {
                Ok(end) => break end,
                Err(error) => {
                    debug!(topic = %place.topic, partition = place.partition, %error, "no end offset");
                }
            }
            waiting.retain(|reply| !reply.is_closed());
            if waiting.is_empty() {
                break 0;
            }
            tokio::time::sleep(RETRY_INTERVAL).await;
        };
        for reply in waiting {
            let _ = reply.send(end);
        }
    }
}
