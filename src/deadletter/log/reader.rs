//! Follows one partition of the log, for ever.

use super::entries::{self, Item};
use super::{Place, Shard};
use crate::kafka::Client;
use crate::kafka::client::{FetchLimits, OffsetAt};
use crate::wire::compression::Decompressor;
use kafka_protocol::ResponseError;
use std::time::Duration;
use tracing::{debug, error, warn};

const LIMITS: FetchLimits = FetchLimits {
    bytes_max: 8 << 20,
    wait_max: Duration::from_secs(5),
};
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

pub async fn run(place: Place, mut client: Client) {
    let Some(shard) = place.shard() else { return };
    let mut decompressor = Decompressor::default();
    let mut offset = shard.known().fold.next_offset();
    loop {
        match client.fetch(place.at(), offset, LIMITS).await {
            Ok(fetched) => {
                let walked = fold(shard, &fetched.records, &mut decompressor, &place);
                if let Some(next) = walked {
                    offset = next;
                } else if !fetched.records.is_empty() {
                    error!(topic = %place.topic, partition = place.partition, offset, "the log cannot be read here");
                    tokio::time::sleep(RETRY_INTERVAL * 10).await;
                }
            }
            Err(error) => {
                debug!(topic = %place.topic, partition = place.partition, %error, "the log is not read");
                if error.code() == Some(ResponseError::OffsetOutOfRange)
                    && let Ok(start) = client.offset(place.at(), OffsetAt::Earliest).await
                    && start > offset
                {
                    // Older than the log keeps: nothing that a producer may still ask for.
                    shard.known().fold.advance_to(start);
                    shard.folded.send_replace(start);
                    offset = start;
                    continue;
                }
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

/// Folds what was fetched, unless the writer has done so already; the offset to go on at.
fn fold(shard: &Shard, bytes: &[u8], decompressor: &mut Decompressor, place: &Place) -> Option<i64> {
    let mut known = shard.known();
    let walked = entries::walk(bytes, decompressor, &mut |item| {
        let from = known.fold.next_offset();
        match item {
            Item::Entry {
                offset,
                timestamp_ms,
                entry,
                ..
            } if offset >= from => {
                known.fold.apply(offset, timestamp_ms, &entry);
            }
            Item::TransactionEnded {
                offset,
                producer_id,
                epoch,
                committed,
            } if offset >= from => {
                known.fold.transaction_ended(producer_id, epoch, committed);
                known.fold.advance_to(offset + 1);
            }
            Item::Unknown { offset, why } if offset >= from => {
                warn!(topic = %place.topic, partition = place.partition, offset, "the log holds a record that is not read: {why}");
            }
            _ => {}
        }
    });
    if let Some((offset, why)) = walked.failed {
        error!(topic = %place.topic, partition = place.partition, offset, "a batch of the log cannot be read: {why}");
    }
    let next = walked.next_offset?;
    known.fold.advance_to(next);
    let folded = known.fold.next_offset();
    drop(known);
    shard.folded.send_replace(folded);
    Some(next)
}
