//! Letters go in rounds, each a transaction: the letters to their topics, and that they are redriven to the groups.

use super::super::Stop;
use super::progress::Progress;
use super::report::Report;
use super::soon;
use super::source::Waiting;
use super::targets::Targets;
use crate::cli::exit;
use crate::deadletter::letter::Letter;
use crate::deadletter::redrive::progress::{Chunk, chunk_of};
use crate::deadletter::redrive::refusal::Refusal;
use crate::deadletter::redrive::writing::{Attempt, Writing};
use crate::deadletter::redrive::{group_id, transactional_id};
use crate::kafka::client::{
    GroupMember, Partition, PartitionOffset, Transaction, TransactionError, TransactionalProducer, Written,
};
use crate::kafka::{Client, ClientError};
use crate::wire::compression::Compression;
use kafka_protocol::ResponseError as E;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const LETTERS_MAX: usize = 2_000;
/// Unless one letter has more.
const BYTES_MAX: usize = 4 << 20;
/// Each takes a group's commit.
pub const CHUNKS_MAX: usize = 16;
/// Readers of the topics wait for so long when this process is killed, unless it is run again.
const TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);
/// Below it compression gains nothing.
const COMPRESSED_FROM: usize = 1024;
/// A letter that went with no others is not compressed below this: a limit on the ratio may have been what was wrong.
const ALONE_COMPRESSED_FROM: usize = 900_000;
const ENDING_TIME_MAX: Duration = Duration::from_secs(5);

/// A letter and where it goes.
pub type Ready = (Waiting, (Arc<str>, i32));

pub struct Rounds {
    dead_letters: String,
    producer: TransactionalProducer,
}

impl Rounds {
    /// Takes over from any other redrive of the topic. What that had under way is aborted when this returns.
    pub async fn begin(client: &Client, dead_letters: &str) -> Result<Self, Stop> {
        let id = transactional_id(dead_letters);
        let producer = TransactionalProducer::new(client.another(), &id, TRANSACTION_TIMEOUT, soon()).await?;
        Ok(Self {
            dead_letters: dead_letters.to_owned(),
            producer,
        })
    }

    /// Redrives letters of one partition, in their order.
    pub async fn redrive(
        &mut self,
        progress: &mut Progress<'_>,
        targets: &mut Targets,
        report: &mut Report,
        letters: Vec<Ready>,
    ) -> Result<(), Stop> {
        let mut rest = &letters[..];
        while !rest.is_empty() {
            let (round, behind) = rest.split_at_checked(round_length(rest)).unwrap_or((rest, &[]));
            self.round(progress, targets, report, round).await?;
            rest = behind;
        }
        Ok(())
    }

    async fn round(
        &mut self,
        progress: &mut Progress<'_>,
        targets: &mut Targets,
        report: &mut Report,
        round: &[Ready],
    ) -> Result<(), Stop> {
        let letters = round.iter().enumerate();
        let mut writing =
            Writing::new(letters.map(|(at, (letter, to))| (at, to.clone(), letter.original.record.length())));
        let stop = |error| stopped(&self.dead_letters, error);
        let transaction = self.producer.begin(soon()).await;
        let mut transaction = transaction.map_err(|error| stop(error.into()))?;
        if let Err(error) = write_all(&mut transaction, targets, round, &mut writing).await {
            // Readers of the topics do not go beyond an open one.
            let _ = transaction.abort(soon()).await;
            return Err(stop(error));
        }
        let written = writing.written.iter().filter_map(|at| round.get(*at));
        let changed = progress.with(written.map(|(letter, _)| letter.offset));
        end(transaction, progress.partition, &changed)
            .await
            .map_err(stop)?;
        progress.changed(changed);
        for (letter, _) in writing.written.iter().filter_map(|at| round.get(*at)) {
            report.redriven(letter);
        }
        writing.stays.sort_by_key(|(at, _)| *at);
        for (at, why) in &writing.stays {
            if let Some((letter, _)) = round.get(*at) {
                report.stays(progress.partition.index, letter, why);
            }
        }
        Ok(())
    }

    /// Commits anew what earlier redrives have committed.
    pub async fn renew(&mut self, progress: &mut Progress<'_>) -> Result<(), Stop> {
        let earlier = progress.take_earlier();
        if earlier.is_empty() {
            return Ok(());
        }
        let stop = |error| stopped(&self.dead_letters, error);
        let transaction = self.producer.begin(soon()).await;
        let transaction = transaction.map_err(|error| stop(error.into()))?;
        end(transaction, progress.partition, &earlier).await.map_err(stop)
    }

    /// Aborts what is under way.
    pub async fn end(mut self) {
        // When nobody answers, the coordinator aborts it after its timeout.
        let _ = tokio::time::timeout(ENDING_TIME_MAX, self.producer.begin(soon())).await;
    }
}

/// How many of the first letters go in one round.
fn round_length(letters: &[Ready]) -> usize {
    let (mut bytes, mut chunks, mut last) = (0, 0, None);
    for (at, (letter, _)) in letters.iter().enumerate().take(LETTERS_MAX) {
        bytes += letter.original.record.length();
        let chunk = Some(chunk_of(letter.offset));
        chunks += usize::from(chunk != last);
        last = chunk;
        if at > 0 && (bytes > BYTES_MAX || chunks > CHUNKS_MAX) {
            return at;
        }
    }
    letters.len().min(LETTERS_MAX)
}

/// Commits what is written, with the chunks as they are then; aborts when nothing is.
async fn end(
    mut transaction: Transaction<'_>,
    dead_letters: Partition<'_>,
    chunks: &BTreeMap<i64, Chunk>,
) -> Result<(), TransactionError> {
    if chunks.is_empty() {
        return Ok(transaction.abort(soon()).await?);
    }
    for (number, chunk) in chunks {
        let group = group_id(dead_letters.topic, *number);
        let metadata = chunk.metadata();
        let offset = PartitionOffset {
            partition: dead_letters,
            offset: chunk.first_open(),
            metadata: &metadata,
        };
        let committed = transaction
            .commit_offsets(GroupMember::none(&group), &[offset], soon())
            .await;
        if let Err(error) = committed {
            let _ = transaction.abort(soon()).await;
            return Err(error);
        }
    }
    transaction.commit(soon()).await
}

/// Until every letter is written or stays.
async fn write_all(
    transaction: &mut Transaction<'_>,
    targets: &mut Targets,
    round: &[Ready],
    writing: &mut Writing,
) -> Result<(), TransactionError> {
    while let Some(attempt) = writing.next_attempt() {
        let Err(error) = write(transaction, round, &attempt).await else {
            writing.succeeded(attempt);
            continue;
        };
        match Refusal::of(&error, attempt.letters.len()) {
            Some(refusal) => {
                if let Refusal::Topic(why) = &refusal {
                    targets.close(&attempt.to.0, why.clone());
                }
                writing.refused(attempt, refusal);
            }
            None => return Err(error),
        }
    }
    Ok(())
}

async fn write(
    transaction: &mut Transaction<'_>,
    round: &[Ready],
    attempt: &Attempt,
) -> Result<Written, TransactionError> {
    let letters = attempt.letters.iter().filter_map(|at| round.get(*at));
    let letters: Vec<&Letter> = letters.map(|(letter, _)| &letter.original.record).collect();
    let records: Vec<_> = letters.iter().map(|letter| letter.as_new()).collect();
    let length: usize = letters.iter().map(|letter| letter.length()).sum();
    let from = if attempt.alone {
        ALONE_COMPRESSED_FROM
    } else {
        COMPRESSED_FROM
    };
    let compression = if length > from {
        Compression::Lz4
    } else {
        Compression::None
    };
    let (topic, index) = &attempt.to;
    let partition = Partition { topic, index: *index };
    transaction
        .produce(partition, &records, compression, soon())
        .await
}

/// The transaction cannot be gone on with. Run again, it begins where the last that was committed ended.
fn stopped(dead_letters: &str, error: TransactionError) -> Stop {
    let overtaken = error.is_fenced()
        || matches!(
            error.client_error().and_then(ClientError::code),
            Some(E::InvalidTxnState | E::InvalidProducerIdMapping)
        );
    if overtaken {
        let why = format!(
            "another redrive of {dead_letters} has taken over, or a transaction was open for more than a minute; the same \
             command goes on ({error})"
        );
        return Stop::new(exit::TRY_AGAIN, why);
    }
    match error {
        TransactionError::Client(error) | TransactionError::Refused { error, .. } => error.into(),
        error => Stop::new(exit::DATA, error.to_string()),
    }
}
