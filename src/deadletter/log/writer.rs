//! Appends to one partition of the log: what has queued up goes in one batch.

use super::entries;
use super::{LogError, Place};
use crate::deadletter::decisions::Entry;
use crate::deadletter::letter::Letter;
use crate::kafka::client::Written;
use crate::kafka::{Client, now_ms};
use crate::telemetry::metrics;
use kafka_protocol::ResponseError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Entries and bytes that share a batch; one alone may have more bytes.
const ENTRIES_MAX: usize = 256;
const BYTES_MAX: usize = 512 << 10;

/// An entry with its dead letters, on its way into the log.
pub struct Appending {
    pub entry: Entry,
    pub letters: Vec<Letter>,
    pub until: Instant,
    pub reply: oneshot::Sender<Result<i64, LogError>>,
}

impl Appending {
    fn length(&self) -> usize {
        256 + self.letters.iter().map(Letter::length).sum::<usize>()
    }

    fn records(&self) -> i64 {
        1 + i64::from(self.entry.records())
    }
}

pub async fn run(place: Place, mut client: Client, mut queue: mpsc::Receiver<Appending>) {
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(first) => first,
            None => match queue.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let mut bytes = first.length();
        let mut batch = vec![first];
        while batch.len() < ENTRIES_MAX
            && let Ok(next) = queue.try_recv()
        {
            bytes += next.length();
            if bytes > BYTES_MAX {
                held = Some(next);
                break;
            }
            batch.push(next);
        }
        // Too much together may be little enough for each.
        for alone in append(&place, &mut client, batch).await {
            let _ = append(&place, &mut client, vec![alone]).await;
        }
    }
}

/// Answers all of them, or gives them back when they are too large for one batch. One alone is always answered.
async fn append(place: &Place, client: &mut Client, mut batch: Vec<Appending>) -> Vec<Appending> {
    batch.retain(|one| !one.reply.is_closed());
    let Some(until) = batch.iter().map(|one| one.until).max() else {
        return Vec::new();
    };
    let now_ms = now_ms();
    let entries: Vec<(&Entry, &[Letter])> = batch
        .iter()
        .map(|one| (&one.entry, one.letters.as_slice()))
        .collect();
    let written = match entries::batch(&entries, now_ms) {
        Ok(bytes) => client
            .produce(place.at(), &bytes, None, until)
            .await
            .map_err(|unwritten| {
                let too_large = matches!(
                    unwritten.error.code(),
                    Some(ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge)
                );
                (too_large, unwritten.error.to_string())
            }),
        Err(error) => Err((false, error.to_string())),
    };
    // Only of a batch with a sequence number may the offset be unknown.
    let written = written.and_then(|Written { base_offset, .. }| {
        base_offset.ok_or_else(|| (false, "the broker gave no offset".to_owned()))
    });
    match written {
        Ok(base_offset) => {
            fold(place, &batch, base_offset, now_ms);
            let mut offset = base_offset;
            for one in batch {
                let records = one.records();
                metrics::decisions(one.entry.result(), 1);
                let _ = one.reply.send(Ok(offset));
                offset += records;
            }
            Vec::new()
        }
        Err((true, _)) if batch.len() > 1 => batch,
        Err((too_large, why)) => {
            let topic = place.topic.to_string();
            let error = if too_large {
                LogError::TooLarge { topic, why }
            } else {
                LogError::NotWritten { topic, why }
            };
            for one in batch {
                metrics::decisions("failed", 1);
                let _ = one.reply.send(Err(error.clone()));
            }
            Vec::new()
        }
    }
}

/// Folds what was written if nothing came in between; else the reader does.
fn fold(place: &Place, batch: &[Appending], base_offset: i64, now_ms: i64) {
    let Some(shard) = place.shard() else { return };
    let mut known = shard.known();
    if known.fold.next_offset() != base_offset {
        return;
    }
    for one in batch {
        let offset = known.fold.next_offset();
        known.fold.apply(offset, now_ms, &one.entry);
    }
    let folded = known.fold.next_offset();
    drop(known);
    shard.folded.send_replace(folded);
}
