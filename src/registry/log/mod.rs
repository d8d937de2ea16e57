//! The log that the state is a fold over: one local file, or Kafka's own topic. The writer asks it which state to
//! decide on, gives it what was decided, and is told when that is durable.

pub mod file;
pub mod kafka;

use self::file::FileLog;
use self::kafka::{KafkaLog, KafkaStoreOptions};
use super::errors::RegistryError;
use super::state::{Record, State, Touched};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the log is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreOptions {
    /// The folder of the local file.
    File(PathBuf),
    Kafka(KafkaStoreOptions),
}

impl From<PathBuf> for StoreOptions {
    fn from(folder: PathBuf) -> Self {
        Self::File(folder)
    }
}

impl std::fmt::Display for StoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(folder) => write!(f, "{}", folder.display()),
            Self::Kafka(options) => write!(f, "Kafka topic {}", options.topic),
        }
    }
}

/// What some commands make of the state that [`Log::state`] gave.
pub struct Proposal {
    pub records: Vec<Record>,
    /// The state with `records` folded in.
    pub state: State,
    pub touched: Touched,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// The records of a proposal are durable and folded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    /// On the state that they were decided on.
    AsDecided,
    /// Behind records that somebody else had written meanwhile: a registration may not mean what it meant.
    AfterOthers,
}

#[derive(Debug)]
pub enum CommitError {
    /// More than the log takes at once; nothing was written.
    TooLarge,
    /// Not written, or not known to be.
    Failed(RegistryError),
}

pub enum Log {
    File(FileLog),
    Kafka(Box<KafkaLog>),
}

impl Log {
    /// What the next commands are decided on.
    ///
    /// # Errors
    /// Why nothing can be written now: not the leader, or the log is out of reach.
    pub async fn state(&mut self) -> Result<Arc<State>, RegistryError> {
        match self {
            Self::File(log) => Ok(log.state()),
            Self::Kafka(log) => log.state().await,
        }
    }

    /// Writes and publishes what was decided on the last [`Self::state`].
    ///
    /// # Errors
    /// [`CommitError`]; the published state is then what the log is known to hold.
    pub async fn commit(&mut self, proposal: Proposal) -> Result<Committed, CommitError> {
        match self {
            Self::File(log) => log.commit(proposal),
            Self::Kafka(log) => log.commit(proposal).await,
        }
    }

    /// Returns when there is something for [`Self::attend`]. May be given up at any time.
    pub async fn wake(&mut self) {
        match self {
            Self::File(_) => std::future::pending().await,
            Self::Kafka(log) => log.wake().await,
        }
    }

    /// Follows the role, tries again what failed.
    pub async fn attend(&mut self) {
        if let Self::Kafka(log) = self {
            log.attend().await;
        }
    }
}
