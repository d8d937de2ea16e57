//! The one writer: takes commands from a bounded queue, decides them one after another, makes their records durable
//! (those that queue up meanwhile in one commit), and publishes the state they make.

use super::errors::RegistryError;
use super::source::Source;
use super::state::{Command, Outcome, Record, State, Touched, decide};
use super::store::Store;
use crate::telemetry::health::Health;
use metrics::Gauge;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait; beyond it clients wait to queue.
const QUEUE: usize = 256;
/// Commands that share one commit.
const BATCH: usize = 64;
/// The readiness check that writes speak for.
pub const CHECK: &str = "registry";

type Reply = oneshot::Sender<Result<Outcome, RegistryError>>;

pub struct Job {
    command: Command,
    reply: Reply,
}

/// The writer's door. When the last clone is gone the writer ends and closes the store.
#[derive(Clone)]
pub struct WriterHandle {
    queue: mpsc::Sender<Job>,
}

impl WriterHandle {
    /// Returns when the command is durable or refused.
    ///
    /// # Errors
    /// The refusal, or [`RegistryError::Store`] when the log could not be written.
    pub async fn submit(&self, command: Command) -> Result<Outcome, RegistryError> {
        let closed = || RegistryError::Store("the registry is shutting down".to_owned());
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Job { command, reply })
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// What the writer owns.
pub struct Writer {
    store: Store,
    source: Arc<Source>,
    health: Health,
    schema_count: Gauge,
    unknown_records: Gauge,
}

impl Writer {
    /// Starts the writer's thread. The receiver answers when the thread has ended and the store is closed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        store: Store,
        source: Arc<Source>,
        health: Health,
    ) -> std::io::Result<(WriterHandle, oneshot::Receiver<()>)> {
        let (queue, mut jobs) = mpsc::channel(QUEUE);
        let (ended, closed) = oneshot::channel();
        let schema_count = metrics::gauge!("schema_registry_schema_count");
        let unknown_records = metrics::gauge!("schema_registry_unknown_records");
        // The only writer of its file.
        metrics::gauge!("schema_registry_leader").set(1.0);
        let mut writer = Self {
            store,
            source,
            health,
            schema_count,
            unknown_records,
        };
        std::thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || {
                writer.count(&writer.source.state());
                while let Some(first) = jobs.blocking_recv() {
                    let mut batch = vec![first];
                    while batch.len() < BATCH
                        && let Ok(job) = jobs.try_recv()
                    {
                        batch.push(job);
                    }
                    writer.carry_out(batch);
                }
                drop(writer);
                let _ = ended.send(());
            })?;
        Ok((WriterHandle { queue }, closed))
    }

    fn carry_out(&mut self, batch: Vec<Job>) {
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let mut next: Option<State> = None;
        let mut records: Vec<Record> = Vec::new();
        let mut touched = Touched::default();
        let mut answers: Vec<(Reply, Result<Outcome, RegistryError>)> = Vec::with_capacity(batch.len());
        let current = self.source.state();
        for job in batch {
            let decided = decide(next.as_ref().unwrap_or(&current), &job.command);
            let answer = decided.map(|decision| {
                if !decision.records.is_empty() {
                    let state = next.get_or_insert_with(|| State::clone(&current));
                    for record in &decision.records {
                        state.apply(record.clone(), now_ms, &mut touched);
                    }
                    records.extend(decision.records);
                }
                decision.outcome
            });
            answers.push((job.reply, answer));
        }
        let written = match next {
            Some(next) => self.publish(next, &records, now_ms, &touched),
            None => Ok(()),
        };
        for (reply, answer) in answers {
            // What was decided on records that are not in the log has not happened. An answer without records of
            // its own may have leant on others of its batch, so it falls with them.
            let _ = reply.send(written.clone().and(answer));
        }
    }

    fn count(&self, state: &State) {
        self.schema_count.set(state.live_versions() as f64);
        let unknown: u64 = state.unknown_records().values().sum();
        self.unknown_records.set(unknown as f64);
    }

    fn publish(
        &mut self,
        next: State,
        records: &[Record],
        now_ms: i64,
        touched: &Touched,
    ) -> Result<(), RegistryError> {
        if let Err(error) = self.store.append(records, now_ms) {
            let error = error.to_string();
            tracing::error!(%error, "the registry's log cannot be written; reads go on");
            self.health
                .fail(CHECK, format!("the registry's log cannot be written: {error}"));
            return Err(RegistryError::Store(error));
        }
        self.health.pass(CHECK);
        self.count(&next);
        self.source.publish(Arc::new(next), touched);
        Ok(())
    }
}
