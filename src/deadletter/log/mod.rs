//! The decision log: a Kafka topic, each partition of it folded by every gateway.
//!
//! ```text
//! session ──► append ──► writer, one a partition: what waits goes in one batch ──► topic
//!    │                                                                               │
//!    └──► fold, behind a mutex ◄── at once when nothing came in between, else ◄── reader
//! ```

mod end;
pub mod entries;
mod reader;
mod snapshot;
mod topic;
mod writer;

use super::decisions::{Fold, Next, Path, ProducerPartition};
use crate::deadletter::decisions::passed::Passed;
use crate::kafka::client::{Partition, Producer};
use crate::kafka::{Client, ClientError, UpstreamOptions};
use crate::telemetry::health::Health;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

pub use writer::Appending;

/// The readiness check that the log speaks for.
pub const CHECK: &str = "dead_letters";
/// Appends that wait for their partition's writer; beyond it sessions wait to queue.
const QUEUE: usize = 1024;
/// Whoever waits for the log gives up after this, and tells the client to try again.
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// Producers and partitions whose last whole batches are remembered.
const PASSED_PRODUCERS_MAX: usize = 50_000;
const PREPARE_RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecisionLogOptions {
    pub topic: String,
    /// For when the topic has to be created. They never change afterwards: decisions are found by them.
    pub partitions: i32,
    pub replication_factor: i16,
    /// Where snapshots are kept, so that a start reads only what is new.
    pub data: Option<PathBuf>,
}

/// Why something could not be had of the log. Nothing is lost: the client is told to try again.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum LogError {
    #[error("the log {topic} has not answered within {} s", WAIT_MAX.as_secs())]
    TimedOut { topic: String },
    #[error("the log {topic} cannot be written: {why}")]
    NotWritten { topic: String, why: String },
    #[error("the bad records of this batch are more than one batch of the log {topic} may hold: {why}")]
    TooLarge { topic: String, why: String },
    #[error("the producer's transaction cannot be joined: {why}")]
    Transaction {
        why: String,
        /// The broker's code, when it is about the producer.
        code: Option<i16>,
    },
    #[error("the gateway is shutting down")]
    Closed,
}

/// One partition of the log, as this gateway has it.
struct Shard {
    known: Mutex<Known>,
    /// The offset up to which the log is folded.
    folded: watch::Sender<i64>,
    appends: mpsc::Sender<Appending>,
    ends: mpsc::Sender<oneshot::Sender<i64>>,
}

/// What a partition of the log says, and what the gateway itself remembers beside it.
struct Known {
    fold: Fold,
    passed: Passed,
}

impl Shard {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_folded(&self, offset: i64, until: Instant) -> bool {
        let mut folded = self.folded.subscribe();
        let waiting = folded.wait_for(|folded| *folded >= offset);
        matches!(timeout_at(until, waiting).await, Ok(Ok(_)))
    }
}

/// The door to the log; cheap to clone.
#[derive(Clone)]
pub struct DecisionLog(Arc<Inner>);

struct Inner {
    topic: String,
    shards: watch::Receiver<Option<Arc<[Shard]>>>,
    /// For transactions, which are other people's.
    coordinators: AsyncMutex<Client>,
}

/// The tasks behind a [`DecisionLog`]; they end with it.
pub struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Starts reading the log, creating its topic when there is none. Returns at once: what is asked meanwhile waits.
///
/// # Errors
/// When a certificate or key cannot be read.
pub fn start(
    options: DecisionLogOptions,
    upstream: &UpstreamOptions,
    health: Health,
) -> io::Result<(DecisionLog, Running)> {
    let client = Client::new(upstream)?;
    let (publish, shards) = watch::channel(None);
    let log = DecisionLog(Arc::new(Inner {
        topic: options.topic.clone(),
        shards,
        coordinators: AsyncMutex::new(client.another()),
    }));
    health.expect(CHECK);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve(options, client, publish, health, stopped));
    Ok((log, Running { stop, task }))
}

impl Running {
    /// Ends, and keeps what is known for the next start.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn serve(
    options: DecisionLogOptions,
    mut client: Client,
    publish: watch::Sender<Option<Arc<[Shard]>>>,
    health: Health,
    mut stopped: oneshot::Receiver<()>,
) {
    let prepared = loop {
        match topic::prepare(&mut client, &options).await {
            Ok(prepared) => break prepared,
            Err(why) => {
                warn!(
                    topic = options.topic,
                    "the log of decisions cannot be used: {why}"
                );
                health.fail(CHECK, why);
            }
        }
        if tokio::time::timeout(PREPARE_RETRY, &mut stopped).await.is_ok() {
            return;
        }
    };
    let mut queues = Vec::new();
    let shards: Arc<[Shard]> = (0..prepared.partitions)
        .map(|partition| {
            let (appends, appending) = mpsc::channel(QUEUE);
            let (ends, asked) = mpsc::channel(QUEUE);
            queues.push((appending, asked));
            let fold = snapshot::read(
                options.data.as_deref(),
                &options.topic,
                prepared.topic_id,
                partition,
            );
            Shard {
                folded: watch::Sender::new(fold.next_offset()),
                known: Mutex::new(Known {
                    fold,
                    passed: Passed::new(PASSED_PRODUCERS_MAX),
                }),
                appends,
                ends,
            }
        })
        .collect();
    publish.send_replace(Some(Arc::clone(&shards)));
    let mut tasks = tokio::task::JoinSet::new();
    for (partition, (appending, asked)) in (0..).zip(queues) {
        let place = Place {
            topic: options.topic.clone().into(),
            partition,
            shards: Arc::clone(&shards),
        };
        tasks.spawn(writer::run(place.clone(), client.another(), appending));
        tasks.spawn(end::run(place.clone(), client.another(), asked));
        tasks.spawn(reader::run(place, client.another()));
    }
    info!(
        topic = options.topic,
        partitions = prepared.partitions,
        "following the log of decisions"
    );
    health.pass(CHECK);
    let Some(data) = options.data else {
        let _ = stopped.await;
        return;
    };
    let snapshots = snapshot::Snapshots::new(data, options.topic, prepared.topic_id, shards);
    snapshots.keep(stopped).await;
}

/// Which partition a task is for.
#[derive(Clone)]
struct Place {
    topic: Arc<str>,
    partition: i32,
    shards: Arc<[Shard]>,
}

impl Place {
    fn shard(&self) -> Option<&Shard> {
        self.shards.get(usize::try_from(self.partition).ok()?)
    }

    fn at(&self) -> Partition<'_> {
        Partition {
            topic: &self.topic,
            index: self.partition,
        }
    }
}

impl DecisionLog {
    /// What a batch needs next. Until the log is there, that is to catch up with it.
    #[must_use]
    pub fn next(&self, path: &Path) -> Next {
        let Some(shards) = self.shards() else {
            return Next::CatchUp;
        };
        let Some(shard) = shard_of(&shards, &path.of) else {
            return Next::CatchUp;
        };
        let known = shard.known();
        path.next(&known.fold, &known.passed)
    }

    /// The batch goes on with all its records; a retry of it will, too.
    pub fn passed_whole(&self, path: &Path) {
        if let Some(shards) = self.shards()
            && let Some(shard) = shard_of(&shards, &path.of)
        {
            shard.known().passed.insert(&path.of, path.batch);
        }
    }

    /// Returns when everything is folded that was in the log when this was called.
    ///
    /// # Errors
    /// [`LogError::TimedOut`], [`LogError::Closed`].
    pub async fn catch_up(&self, of: &ProducerPartition) -> Result<(), LogError> {
        let until = Instant::now() + WAIT_MAX;
        let shards = self.wait_shards(until).await?;
        let shard = shard_of(&shards, of).ok_or(LogError::Closed)?;
        let (reply, answer) = oneshot::channel();
        shard.ends.send(reply).await.map_err(|_| LogError::Closed)?;
        let end = timeout_at(until, answer)
            .await
            .map_err(|_| self.timed_out())?
            .map_err(|_| LogError::Closed)?;
        if shard.wait_folded(end, until).await {
            Ok(())
        } else {
            Err(self.timed_out())
        }
    }

    /// Appends entries in one batch. Returns the offset of the first when all are durable and, if `read_back`, folded
    /// here with everything before them. Tried again until the time is up, so they may be there twice.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn append(
        &self,
        of: &ProducerPartition,
        entry: super::decisions::Entry,
        letters: Vec<super::letter::Letter>,
        read_back: bool,
    ) -> Result<i64, LogError> {
        let until = Instant::now() + WAIT_MAX;
        let shards = self.wait_shards(until).await?;
        let shard = shard_of(&shards, of).ok_or(LogError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let appending = Appending {
            entry,
            letters,
            until,
            reply,
        };
        let sent = timeout_at(until, shard.appends.send(appending)).await;
        sent.map_err(|_| self.timed_out())?
            .map_err(|_| LogError::Closed)?;
        // The writer knows better why than a clock does.
        let offset = answer.await.map_err(|_| LogError::Closed)??;
        if read_back && !shard.wait_folded(offset + 1, until).await {
            return Err(self.timed_out());
        }
        Ok(offset)
    }

    /// Adds the partition of the log that decisions on `of` go to, to the transaction that its producer has open.
    ///
    /// # Errors
    /// [`LogError::Transaction`], [`LogError::TimedOut`].
    pub async fn join_transaction(
        &self,
        transactional_id: &str,
        of: &ProducerPartition,
        producer_epoch: i16,
    ) -> Result<(), LogError> {
        let until = Instant::now() + WAIT_MAX;
        let shards = self.wait_shards(until).await?;
        let partition = Partition {
            topic: &self.0.topic,
            index: of.log_partition(i32::try_from(shards.len()).unwrap_or(1)),
        };
        let producer = Producer {
            id: of.producer_id,
            epoch: producer_epoch,
        };
        let mut client = self.0.coordinators.lock().await;
        let added = client
            .add_partitions_to_transaction(transactional_id, producer, &[partition], until)
            .await;
        added.map_err(|error| LogError::Transaction {
            why: error.to_string(),
            code: about_producer(&error),
        })
    }

    fn shards(&self) -> Option<Arc<[Shard]>> {
        self.0.shards.borrow().clone()
    }

    async fn wait_shards(&self, until: Instant) -> Result<Arc<[Shard]>, LogError> {
        let mut shards = self.0.shards.clone();
        let ready = timeout_at(until, shards.wait_for(Option::is_some)).await;
        let ready = ready
            .map_err(|_| self.timed_out())?
            .map_err(|_| LogError::Closed)?;
        ready.clone().ok_or(LogError::Closed)
    }

    fn timed_out(&self) -> LogError {
        LogError::TimedOut {
            topic: self.0.topic.clone(),
        }
    }
}

fn shard_of<'a>(shards: &'a [Shard], of: &ProducerPartition) -> Option<&'a Shard> {
    let partition = of.log_partition(i32::try_from(shards.len()).ok()?);
    shards.get(usize::try_from(partition).ok()?)
}

/// A refusal that is the producer's to hear: it is fenced, or has no such transaction.
fn about_producer(error: &ClientError) -> Option<i16> {
    use kafka_protocol::ResponseError as E;
    let code = error.code()?;
    matches!(
        code,
        E::ProducerFenced | E::InvalidProducerEpoch | E::InvalidTxnState | E::InvalidProducerIdMapping
    )
    .then(|| code.code())
}
