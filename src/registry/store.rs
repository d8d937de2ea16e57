//! The local file store: the log in one redb file.
//!
//! ```text
//! registry.redb
//!   log   sequence number (u64, from 1) -> (milliseconds since the epoch, key, value or none)
//!   meta  "format" -> "1", "cluster-id" -> a ULID given when the file was made
//! ```
//! An append is one redb transaction with an fsync: all of its records are in the file, or none.

use super::state::{Record, RecordError, State, Touched};
use crate::schema::CompatibilityLevel;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::{Path, PathBuf};
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
    #[error("record {sequence} of the registry's store {} cannot be read: {source}", path.display())]
    Record {
        path: PathBuf,
        sequence: u64,
        source: RecordError,
    },
    #[error("the registry's store {} has a gap before record {sequence}: restore it from a copy", path.display())]
    Gap { path: PathBuf, sequence: u64 },
    #[error("{0}")]
    Write(#[source] Box<redb::Error>),
    #[error("a record cannot be written: {0}")]
    Encode(#[from] RecordError),
}

/// The open log. Every call blocks.
pub struct Store {
    database: Database,
    next_sequence: u64,
    cluster_id: String,
}

impl Store {
    /// Opens or makes the file in `folder` and folds its log.
    ///
    /// # Errors
    /// [`StoreError`] when the folder or file cannot be used, or a record in it is not understood.
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
            let record = Record::decode(key, value).map_err(|source| StoreError::Record {
                path: path.clone(),
                sequence,
                source,
            })?;
            state.apply(record, timestamp_ms, &mut Touched::default());
            next_sequence += 1;
        }
        drop(log);
        drop(transaction);
        Ok((
            Self {
                database,
                next_sequence,
                cluster_id,
            },
            state,
        ))
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
        let write_error = |error: redb::Error| StoreError::Write(Box::new(error));
        let transaction = self
            .database
            .begin_write()
            .map_err(|error| write_error(error.into()))?;
        let mut next_sequence = self.next_sequence;
        {
            let mut log = transaction
                .open_table(LOG)
                .map_err(|error| write_error(error.into()))?;
            for (key, value) in &encoded {
                log.insert(next_sequence, (timestamp_ms, key.as_slice(), value.as_deref()))
                    .map_err(|error| write_error(error.into()))?;
                next_sequence += 1;
            }
        }
        transaction.commit().map_err(|error| write_error(error.into()))?;
        self.next_sequence = next_sequence;
        Ok(())
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
