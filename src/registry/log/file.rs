//! The local file store: the log in one redb file.
//!
//! ```text
//! registry.redb
//!   log   sequence number (u64, from 1) -> (milliseconds since the epoch, key, value or none)
//!   meta  "format" -> "1", "cluster-id" -> a ULID given when the file was made
//! ```
//! An append is one redb transaction with an fsync: all of its records are in the file, or none.

use super::{CommitError, Committed, Proposal};
use crate::registry::errors::RegistryError;
use crate::registry::source::Source;
use crate::registry::state::{Encoded, Record, RecordError, State, Touched};
use crate::registry::writer::CHECK;
use crate::schema::CompatibilityLevel;
use crate::telemetry::health::Health;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use ulid::Ulid;

type Entry<'a> = (i64, &'a [u8], Option<&'a [u8]>);
const LOG: TableDefinition<u64, Entry<'static>> = TableDefinition::new("log");
const META: TableDefinition<&str, &str> = TableDefinition::new("meta");
const FORMAT: &str = "1";
pub const FILE_NAME: &str = "registry.redb";

/// Why the store cannot be opened or written.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the registry's folder {} cannot be made: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the registry's store {} cannot be opened: {source}; if another process has it, stop that one; if the file is damaged, restore it from a copy", path.display())]
    Open { path: PathBuf, source: Box<redb::Error> },
    #[error("the registry's store {} is of format {found}, this version reads format {FORMAT}", path.display())]
    Format { path: PathBuf, found: String },
    #[error("the registry's store {} has a gap before record {sequence}: restore it from a copy", path.display())]
    Gap { path: PathBuf, sequence: u64 },
    #[error("{0}")]
    Write(#[source] Box<redb::Error>),
    #[error("a record cannot be written: {0}")]
    Encode(#[from] RecordError),
}

/// The open log. Every call blocks.
pub struct Store {
    path: PathBuf,
    /// `None` after a write that failed: the library then wants the file opened anew.
    database: Option<Database>,
    next_sequence: u64,
    cluster_id: String,
}

impl Store {
    /// Opens or makes the file in `folder` and folds its log.
    ///
    /// # Errors
    /// [`StoreError`] when the folder or file cannot be used.
    pub fn open(folder: &Path, default_level: CompatibilityLevel) -> Result<(Self, State), StoreError> {
        std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        let path = folder.join(FILE_NAME);
        let open_error = |source: redb::Error| StoreError::Open {
            path: path.clone(),
            source: Box::new(source),
        };
        let database = Database::create(&path).map_err(|error| open_error(error.into()))?;
        let (format, cluster_id) = prepare(&database).map_err(open_error)?;
        if format != FORMAT {
            return Err(StoreError::Format { path, found: format });
        }
        let mut state = State::new(default_level);
        let mut next_sequence = 1;
        let transaction = database.begin_read().map_err(|error| open_error(error.into()))?;
        let log = transaction
            .open_table(LOG)
            .map_err(|error| open_error(error.into()))?;
        for entry in log.iter().map_err(|error| open_error(error.into()))? {
            let (sequence, entry) = entry.map_err(|error| open_error(error.into()))?;
            let sequence = sequence.value();
            if sequence != next_sequence {
                return Err(StoreError::Gap { path, sequence });
            }
            let (timestamp_ms, key, value) = entry.value();
            state.apply(Record::decode(key, value), timestamp_ms, &mut Touched::default());
            next_sequence += 1;
        }
        drop(log);
        drop(transaction);
        let store = Self {
            path,
            database: Some(database),
            next_sequence,
            cluster_id,
        };
        Ok((store, state))
    }

    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Appends `records` and returns when they are durable.
    ///
    /// # Errors
    /// [`StoreError::Write`] when nothing was written.
    pub fn append(&mut self, records: &[Record], timestamp_ms: i64) -> Result<(), StoreError> {
        let encoded: Vec<_> = records.iter().map(Record::encode).collect::<Result<_, _>>()?;
        let written = match self.database.take() {
            Some(database) => self.write(database, &encoded, timestamp_ms),
            None => Database::open(&self.path)
                .map_err(redb::Error::from)
                .and_then(|database| self.write(database, &encoded, timestamp_ms)),
        };
        written.map_err(|error| StoreError::Write(Box::new(error)))
    }

    /// Keeps the database only when all went well.
    fn write(
        &mut self,
        database: Database,
        records: &[Encoded],
        timestamp_ms: i64,
    ) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        let mut next_sequence = self.next_sequence;
        {
            let mut log = transaction.open_table(LOG)?;
            // A commit that failed may have reached the disk all the same. Its clients were told that it has not.
            log.retain_in(next_sequence.., |_, _| false)?;
            for (key, value) in records {
                log.insert(next_sequence, (timestamp_ms, key.as_slice(), value.as_deref()))?;
                next_sequence += 1;
            }
        }
        transaction.commit()?;
        self.next_sequence = next_sequence;
        self.database = Some(database);
        Ok(())
    }
}

/// The open log and who is told of what it holds.
pub struct FileLog {
    store: Store,
    source: Arc<Source>,
    health: Health,
}

impl FileLog {
    #[must_use]
    pub fn new(store: Store, source: Arc<Source>, health: Health) -> Self {
        // The only writer of its file.
        metrics::gauge!("schema_registry_leader").set(1.0);
        health.pass(CHECK);
        Self {
            store,
            source,
            health,
        }
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.source.state()
    }

    pub(super) fn commit(&mut self, proposal: Proposal) -> Result<Committed, CommitError> {
        if let Err(error) = self.store.append(&proposal.records, proposal.timestamp_ms) {
            let error = error.to_string();
            tracing::error!(%error, "the registry's log cannot be written; reads go on");
            self.health
                .fail(CHECK, format!("the registry's log cannot be written: {error}"));
            return Err(CommitError::Failed(RegistryError::Store(error)));
        }
        self.health.pass(CHECK);
        self.source.publish(Arc::new(proposal.state), &proposal.touched);
        Ok(Committed::AsDecided)
    }
}

/// Makes what a new file lacks; gives the format and the cluster's id.
fn prepare(database: &Database) -> Result<(String, String), redb::Error> {
    {
        let transaction = database.begin_read()?;
        if let Ok(meta) = transaction.open_table(META)
            && let (Some(format), Some(id)) = (meta.get("format")?, meta.get("cluster-id")?)
        {
            return Ok((format.value().to_owned(), id.value().to_owned()));
        }
    }
    let transaction = database.begin_write()?;
    let cluster_id = Ulid::new().to_string();
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", FORMAT)?;
        meta.insert("cluster-id", cluster_id.as_str())?;
        transaction.open_table(LOG)?;
    }
    transaction.commit()?;
    Ok((FORMAT.to_owned(), cluster_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::state::Mode;

    fn mode(subject: &str) -> Record {
        Record::Mode {
            subject: Some(subject.into()),
            value: Some(Mode::ReadOnly),
        }
    }

    fn subjects(folder: &Path) -> Vec<String> {
        let (_, state) = Store::open(folder, CompatibilityLevel::None).unwrap();
        state.subjects().map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn a_commit_that_was_reported_as_failed_is_not_in_the_log_that_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path(), CompatibilityLevel::None).unwrap();
        store.append(&[mode("kept")], 1).unwrap();
        let next_sequence = store.next_sequence;
        store.append(&[mode("refused"), mode("refused too")], 2).unwrap();
        // As after an fsync that failed: the file has them, the clients were told that it has not.
        store.next_sequence = next_sequence;
        store.database = None;
        store.append(&[mode("later")], 3).unwrap();
        drop(store);
        assert_eq!(subjects(folder.path()), ["kept", "later"]);
    }

    #[test]
    fn a_store_whose_file_is_gone_refuses_to_write_and_makes_no_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path(), CompatibilityLevel::None).unwrap();
        store.append(&[mode("kept")], 1).unwrap();
        store.database = None;
        let file = folder.path().join(FILE_NAME);
        let aside = folder.path().join("aside");
        std::fs::rename(&file, &aside).unwrap();
        assert!(store.append(&[mode("lost")], 2).is_err());
        assert!(!file.exists());
        std::fs::rename(&aside, &file).unwrap();
        store.append(&[mode("back")], 3).unwrap();
        drop(store);
        assert_eq!(subjects(folder.path()), ["back", "kept"]);
    }
}
