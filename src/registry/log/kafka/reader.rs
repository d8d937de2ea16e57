//! Reads the topic: first to its end, then for ever after, so that whatever anybody writes is folded.

use super::condition::Condition;
use super::folding::{Folding, Load};
use super::{Backoff, KafkaLogError, partition};
use crate::kafka::client::{FetchLimits, Fetched, OffsetAt};
use crate::kafka::{Client, ClientError};
use crate::registry::state::State;
use crate::schema::CompatibilityLevel;
use crate::wire::log::{Walked, end_of};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

/// While loading. A broker brings a batch that is larger all the same.
const LOAD: FetchLimits = FetchLimits {
    bytes_max: 8 << 20,
    wait_max: Duration::from_millis(500),
};
/// While following: returns as soon as there is something.
const FOLLOW: FetchLimits = FetchLimits {
    bytes_max: 8 << 20,
    wait_max: Duration::from_secs(5),
};
/// Fetches that are under way or wait while one is folded.
const AHEAD: usize = 2;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// A broker that has just become the leader may not know yet how far its log goes.
const OUT_OF_RANGE_MAX: usize = 5;

pub struct Loaded {
    pub state: State,
    pub next_offset: i64,
    /// Later records before it can only be gone by somebody's deletion.
    pub log_start_offset: i64,
    pub topic_id: Option<Uuid>,
}

/// Reads the whole log as it is now. Folding keeps pace with fetching, on a thread of its own.
///
/// # Errors
/// [`KafkaLogError`] when the log cannot be fetched, or holds a batch that cannot be read.
pub async fn load(
    client: &mut Client,
    topic: &str,
    topic_id: Option<Uuid>,
    level: CompatibilityLevel,
    condition: &Condition,
) -> Result<Loaded, KafkaLogError> {
    let denied = |error| KafkaLogError::of(error, "Read", || format!("topic {topic}"));
    let start = client
        .offset(partition(topic), OffsetAt::Earliest)
        .await
        .map_err(denied)?;
    let end = client
        .offset(partition(topic), OffsetAt::Latest)
        .await
        .map_err(denied)?;
    let (fetches, mut waiting) = mpsc::channel::<Bytes>(AHEAD);
    let folding = tokio::task::spawn_blocking(move || {
        let mut load = Load::new(State::new(level), start);
        while let Some(records) = waiting.blocking_recv() {
            let walked = load.fold(&records);
            if let Some((offset, why)) = walked.failed {
                return Err(format!("the batch at offset {offset} cannot be read: {why}"));
            }
        }
        Ok(load)
    });
    let mut offset = start;
    let mut told = Instant::now();
    while offset < end {
        let fetched = client
            .fetch(partition(topic), offset, LOAD)
            .await
            .map_err(denied)?;
        // Nothing whole: the last records before `end` may have been deleted meanwhile.
        match end_of(&fetched.records) {
            Some(next) => offset = next,
            None if fetched.records.is_empty() => continue,
            None => return Err(no_batch(topic, offset)),
        }
        if told.elapsed() > PROGRESS_INTERVAL {
            told = Instant::now();
            condition.loaded(offset, end);
        }
        if fetches.send(fetched.records).await.is_err() {
            break;
        }
    }
    drop(fetches);
    let unreadable = |why| KafkaLogError::Unreadable {
        topic: topic.to_owned(),
        why,
    };
    let folded = folding
        .await
        .map_err(|error| unreadable(format!("it cannot be folded: {error}")))?;
    let Load {
        state, next_offset, ..
    } = folded.map_err(unreadable)?;
    Ok(Loaded {
        state,
        next_offset,
        log_start_offset: start,
        topic_id,
    })
}

fn no_batch(topic: &str, offset: i64) -> KafkaLogError {
    KafkaLogError::Unreadable {
        topic: topic.to_owned(),
        why: format!("what stands at offset {offset} is not a batch"),
    }
}

/// Follows the log.
pub struct Reader {
    pub client: Client,
    pub topic: String,
    pub topic_id: Option<Uuid>,
    pub log_start_offset: i64,
    pub folding: Arc<Folding>,
    pub condition: Arc<Condition>,
}

impl Reader {
    /// Ends only when the log is no longer the one that was read.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut out_of_range = 0;
        loop {
            let offset = self.folding.next_offset();
            let fetched = self.client.fetch(partition(&self.topic), offset, FOLLOW).await;
            let outcome = match fetched {
                Ok(fetched) => self.take(offset, fetched).await,
                Err(error) if error.code() == Some(ResponseError::OffsetOutOfRange) => {
                    out_of_range += 1;
                    if out_of_range == OUT_OF_RANGE_MAX {
                        let why = self.lost(offset).await;
                        self.condition.lose(why);
                    }
                    Err(error.to_string())
                }
                // The log may come back as another one.
                Err(error) => Err(self.explain(error).await),
            };
            if self.condition.lost().is_some() {
                return;
            }
            match outcome {
                Ok(()) => {
                    self.condition.reads(Ok(()));
                    (backoff, out_of_range) = (Backoff::default(), 0);
                }
                Err(why) => {
                    self.condition.reads(Err(why));
                    backoff.wait().await;
                }
            }
        }
    }

    async fn take(&mut self, offset: i64, fetched: Fetched) -> Result<(), String> {
        let Fetched {
            records,
            log_start_offset,
            ..
        } = fetched;
        if log_start_offset > self.log_start_offset {
            self.condition.lose(format!(
                "its records before offset {log_start_offset} were deleted"
            ));
            return Ok(());
        }
        if records.is_empty() {
            return Ok(());
        }
        let folding = self.folding.clone();
        let folded = tokio::task::spawn_blocking(move || folding.fold(&records)).await;
        let Walked { next_offset, failed } = folded.map_err(|error| error.to_string())?;
        match (next_offset, failed) {
            (_, Some((offset, why))) => Err(format!("the batch at offset {offset} cannot be read: {why}")),
            (None, None) => Err(no_batch(&self.topic, offset).to_string()),
            (Some(_), None) => Ok(()),
        }
    }

    /// Why fetching failed; finds out whether the topic is still the same one.
    async fn explain(&mut self, error: ClientError) -> String {
        let view = self.client.metadata(&self.topic).await;
        let id = view.ok().and_then(|view| view.topic).and_then(|topic| topic.id);
        if let (Some(known), Some(found)) = (self.topic_id, id)
            && known != found
        {
            self.condition
                .lose("the topic was deleted and made anew".to_owned());
        }
        KafkaLogError::of(error, "Read", || format!("topic {}", self.topic)).to_string()
    }

    /// What happened to a log that ends before, or begins after, the offset that is next.
    async fn lost(&mut self, offset: i64) -> String {
        match self
            .client
            .offset(partition(&self.topic), OffsetAt::Earliest)
            .await
        {
            Ok(start) if start > offset => {
                format!(
                    "it begins at offset {start}; its records from {offset} on were deleted before they were read"
                )
            }
            _ => format!("it ends before offset {offset}, up to which it was read: it was cut off"),
        }
    }
}
