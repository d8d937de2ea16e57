//! The one writer: takes commands from a bounded queue, decides them one after another, makes their records durable
//! (those that queue up meanwhile in one commit), and publishes the state they make.

use super::errors::RegistryError;
use super::log::{CommitError, Committed, Log, Proposal};
use super::state::{Command, Outcome, Record, State, Touched, decide};
use crate::kafka::now_ms;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// Commands that wait; beyond it clients wait to queue.
const QUEUE: usize = 256;
/// Commands that share one commit.
const BATCH: usize = 64;
/// The readiness check that the log speaks for.
pub const CHECK: &str = "registry";

type Reply = oneshot::Sender<Result<Outcome, RegistryError>>;

pub struct Job {
    command: Command,
    reply: Reply,
}

/// The writer's door. When the last clone is gone the writer ends and closes the log.
#[derive(Clone)]
pub struct WriterHandle {
    queue: mpsc::Sender<Job>,
}

impl WriterHandle {
    /// Returns when the command is durable or refused.
    ///
    /// # Errors
    /// The refusal, or why the log cannot be written.
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
    log: Log,
}

impl Writer {
    /// Starts the writer on a thread of its own: deciding takes time, and a file's log blocks. The receiver answers when
    /// the thread has ended and the log is closed.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(log: Log) -> std::io::Result<(WriterHandle, oneshot::Receiver<()>)> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (ended, closed) = oneshot::channel();
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("registry-writer".to_owned())
            .spawn(move || {
                runtime.block_on(Self { log }.run(jobs));
                let _ = ended.send(());
            })?;
        Ok((WriterHandle { queue }, closed))
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            tokio::select! {
                () = self.log.wake() => self.log.attend().await,
                first = jobs.recv() => {
                    let Some(first) = first else { return };
                    let mut batch = vec![first];
                    while batch.len() < BATCH
                        && let Ok(job) = jobs.try_recv()
                    {
                        batch.push(job);
                    }
                    self.carry_out(batch).await;
                }
            }
        }
    }

    async fn carry_out(&mut self, batch: Vec<Job>) {
        // Too much together may be little enough for each.
        for job in self.attempt(batch).await {
            let _ = self.attempt(vec![job]).await;
        }
    }

    /// Answers all of them, or gives them back when they are too large for one commit. One alone is always answered.
    async fn attempt(&mut self, batch: Vec<Job>) -> Vec<Job> {
        let current = match self.log.state().await {
            Ok(current) => current,
            Err(error) => {
                for job in batch {
                    let _ = job.reply.send(Err(error.clone()));
                }
                return Vec::new();
            }
        };
        let now_ms = now_ms();
        let mut next: Option<State> = None;
        let mut records: Vec<Record> = Vec::new();
        let mut touched = Touched::default();
        let mut answers: Vec<Result<Outcome, RegistryError>> = Vec::with_capacity(batch.len());
        for job in &batch {
            let decided = decide(next.as_ref().unwrap_or(&current), &job.command);
            answers.push(decided.map(|decision| {
                if !decision.records.is_empty() {
                    let state = next.get_or_insert_with(|| State::clone(&current));
                    for record in &decision.records {
                        state.apply(record.clone(), now_ms, &mut touched);
                    }
                    records.extend(decision.records);
                }
                decision.outcome
            }));
        }
        let written = match next {
            None => Ok(Committed::AsDecided),
            Some(state) => {
                let proposal = Proposal {
                    records,
                    state,
                    touched,
                    timestamp_ms: now_ms,
                };
                self.log.commit(proposal).await
            }
        };
        let written = match written {
            Ok(committed) => Ok(committed),
            Err(CommitError::TooLarge) if batch.len() > 1 => return batch,
            Err(CommitError::TooLarge) => Err(RegistryError::SchemaTooLarge),
            Err(CommitError::Failed(error)) => Err(error),
        };
        for (job, answer) in batch.into_iter().zip(answers) {
            // What was decided on records that are not in the log has not happened. An answer without records of
            // its own may have leant on others of its batch, so it falls with them.
            let answer = match &written {
                Err(error) => Err(error.clone()),
                Ok(Committed::AsDecided) => answer,
                // The id or version may have been given to somebody else's: the registration looks for itself.
                Ok(Committed::AfterOthers) => answer.map(|outcome| match outcome {
                    Outcome::Registered { .. } => Outcome::Stale,
                    other => other,
                }),
            };
            let _ = job.reply.send(answer);
        }
        Vec::new()
    }
}
