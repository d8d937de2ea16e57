//! The owner of one partition of the log: reads it, and projects what becomes certain.

use super::position::Position;
use super::progress::{Due, Progress};
use super::status::Status;
use super::targets::Targets;
use super::trouble::{Then, Trouble};
use crate::deadletter::batches::{Batches, Place, target_partition};
use crate::deadletter::letter::Letter;
use crate::deadletter::log::entries::{self, Item};
use crate::kafka::client::{
    FetchLimits, GroupMember, OffsetAt, Partition, PartitionOffset, Transaction, TransactionalProducer,
};
use crate::kafka::{Client, ClientError};
use crate::telemetry::metrics;
use crate::wire::compression::{Compression, Decompressor};
use kafka_protocol::ResponseError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, error, info, warn};

const LIMITS: FetchLimits = FetchLimits {
    bytes_max: 8 << 20,
    wait_max: Duration::from_secs(1),
};
/// Letters that wait for their decision's outcome in memory, a partition; more are read again from the log.
const HELD_MAX: usize = 64 << 20;
/// Letters that go in one transaction, unless one entry has more.
const ROUND_BYTES_MAX: usize = 4 << 20;
/// Below the default of `max.message.bytes`, 1 MiB.
const BATCH_BYTES_MAX: usize = 900_000;
/// Below it compression gains nothing.
const COMPRESSED_FROM: usize = 1024;
/// While nobody but a crashed owner holds a transaction open, readers of its topics wait.
const TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);
/// Each step of a transaction, retries and all.
const STEP_TIME_MAX: Duration = Duration::from_secs(30);
/// How often a position is committed with which nothing is projected.
const IDLE_COMMIT_INTERVAL: Duration = Duration::from_secs(5);
/// The log may be out of reach for so long before that is trouble.
const UNREAD_MAX: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_millis(200);
/// Between two tries; doubles up to the other.
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);

pub struct Owner {
    pub status: Arc<Status>,
    pub group_id: Arc<str>,
    pub topic: Arc<str>,
    pub partition: i32,
    /// As whom it commits.
    pub generation: i32,
    pub member_id: Arc<str>,
    pub stopped: watch::Receiver<bool>,
}

/// What an owner works with, from one take-over to the next.
struct Work {
    client: Client,
    producer: TransactionalProducer,
    targets: Targets,
    decompressor: Decompressor,
    progress: Progress,
    batch_bytes_max: usize,
    committed: Instant,
    /// When the log was last read.
    read: Instant,
}

/// For letters that are fetched from the log a second time.
struct Reread<'a> {
    client: &'a mut Client,
    decompressor: &'a mut Decompressor,
}

impl Owner {
    /// Until it is stopped.
    pub async fn run(mut self, mut client: Client) {
        let _unowned = Unowned(self.partition);
        let mut retry = RETRY_MIN;
        while !*self.stopped.borrow() {
            let began = Instant::now();
            match self.own(&mut client).await {
                Ok(()) => return,
                Err(trouble) => {
                    if began.elapsed() > RETRY_MAX {
                        retry = RETRY_MIN;
                    }
                    self.wait(&trouble, &mut retry).await;
                }
            }
        }
    }

    /// Takes over from whoever had the partition, and projects until it is stopped.
    async fn own(&mut self, client: &mut Client) -> Result<(), Trouble> {
        let id = format!("{}-{}", self.group_id, self.partition);
        let producer = TransactionalProducer::new(client.another(), &id, TRANSACTION_TIMEOUT, soon()).await;
        let producer = producer
            .map_err(|error| Trouble::anew(&format!("transactional id {id} cannot be had"), &error))?;
        let position = self.position(client).await?;
        info!(topic = %self.topic, partition = self.partition, cursor = position.cursor, replay = position.replay, "projecting this partition of the log");
        let mut work = Work {
            client: client.another(),
            producer,
            targets: Targets::new(client.another()),
            decompressor: Decompressor::default(),
            progress: Progress::new(position, HELD_MAX),
            batch_bytes_max: BATCH_BYTES_MAX,
            committed: Instant::now(),
            read: Instant::now(),
        };
        self.status.say(self.partition, None);
        loop {
            self.project_due(&mut work).await?;
            if work.committed.elapsed() >= IDLE_COMMIT_INTERVAL
                && let Some(position) = work.progress.idle()
            {
                self.commit_idle(&mut work, position).await?;
            }
            tokio::select! {
                _ = self.stopped.wait_for(|stopped| *stopped) => return Ok(()),
                read = read(&mut work, &self.topic, self.partition) => read?,
            }
        }
    }

    /// Where the one before came to. What it had under way is aborted by now, or committed.
    async fn position(&self, client: &mut Client) -> Result<Position, Trouble> {
        let failed =
            |error: ClientError| Trouble::anew("it is not known how far the partition is projected", &error);
        let committed = client
            .committed_offsets(&self.group_id, &self.topic, &[self.partition], soon())
            .await
            .map_err(failed)?;
        let earliest = client
            .offset(self.at(), OffsetAt::Earliest)
            .await
            .map_err(failed)?;
        let end = client.offset(self.at(), OffsetAt::Latest).await.map_err(failed)?;
        let Some(committed) = committed.get(&self.partition) else {
            return Ok(Position::at(earliest));
        };
        if committed.offset > end {
            warn!(topic = %self.topic, partition = self.partition, committed = committed.offset, end, "the log ends before what was projected of it: it was made anew, and is read from its beginning");
            return Ok(Position::at(earliest));
        }
        if committed.offset < earliest {
            metrics::projector_error("lost");
            error!(topic = %self.topic, partition = self.partition, committed = committed.offset, earliest, "the log has been cut off before it was projected: dead letters that became certain in between are lost");
            return Ok(Position::at(earliest));
        }
        let position = Position::read(committed.offset, &committed.metadata).unwrap_or(Position {
            cursor: committed.offset,
            replay: earliest,
        });
        Ok(Position {
            replay: position.replay.max(earliest),
            ..position
        })
    }

    async fn project_due(&mut self, work: &mut Work) -> Result<(), Trouble> {
        let mut retry = RETRY_MIN;
        loop {
            // Letter by letter it is one entry's that has to wait, and what stands before it goes.
            let alone = work.batch_bytes_max == 0;
            let round = work.progress.round(if alone { 0 } else { ROUND_BYTES_MAX });
            if round.is_empty() || *self.stopped.borrow() {
                return Ok(());
            }
            let Err(trouble) = self.project(work, &round).await else {
                work.progress.projected(&round);
                work.committed = Instant::now();
                work.batch_bytes_max = BATCH_BYTES_MAX;
                let entries: usize = round.iter().map(|due| due.entries.len()).sum();
                metrics::decisions("projected", entries as u64);
                self.status.say(self.partition, None);
                retry = RETRY_MIN;
                continue;
            };
            match trouble.then {
                Then::Anew => return Err(trouble),
                Then::Soon => {
                    debug!(topic = %self.topic, partition = self.partition, "again: {}", trouble.why);
                    sleep(SOON).await;
                }
                // Alone is as small as they get.
                Then::Smaller if work.batch_bytes_max > 0 => work.batch_bytes_max = 0,
                Then::Smaller | Then::Wait => {
                    work.targets.forget();
                    self.wait(&trouble, &mut retry).await;
                    self.report_lag(work).await;
                }
            }
        }
    }

    /// Writes the letters of `round` and commits its position with them.
    async fn project(&self, work: &mut Work, round: &[Due]) -> Result<(), Trouble> {
        let Some(last) = round.last() else {
            return Ok(());
        };
        let mut partitions = Vec::new();
        for entry in round.iter().flat_map(|due| &due.entries) {
            let Some(pending) = work.progress.pending(*entry) else {
                // It stands before the replay's start, which `Position` rules out unless the log was cut off.
                metrics::projector_error("lost");
                error!(topic = %self.topic, partition = self.partition, offset = entry, "a confirmed decision is not in the log any more: its dead letters are lost");
                continue;
            };
            let count = work.targets.partitions(&pending.target, &pending.topic).await?;
            partitions.push((*entry, count));
        }
        let Work {
            producer,
            progress,
            batch_bytes_max,
            client,
            decompressor,
            ..
        } = work;
        let transaction = producer.begin(soon()).await;
        let mut transaction =
            transaction.map_err(|error| Trouble::anew("no transaction can be begun", &error))?;
        let mut reread = Reread { client, decompressor };
        let filled = async {
            // First, because it is what a member that is none any more is refused.
            self.commit_position(&mut transaction, last.then).await?;
            self.write_all(
                &mut transaction,
                progress,
                &mut reread,
                &partitions,
                *batch_bytes_max,
            )
            .await
        };
        let written = match filled.await {
            Ok(written) => written,
            Err(trouble) => {
                // Readers of the topics do not go beyond an open one.
                let _ = transaction.abort(soon()).await;
                return Err(trouble);
            }
        };
        let committed = transaction.commit(soon()).await;
        committed.map_err(|error| Trouble::committing(&error))?;
        metrics::dead_letters(written as u64);
        Ok(())
    }

    /// `entries`: each with the partitions that its topic has. Returns how many letters were written.
    async fn write_all(
        &self,
        transaction: &mut Transaction<'_>,
        progress: &Progress,
        reread: &mut Reread<'_>,
        entries: &[(i64, i32)],
        batch_bytes_max: usize,
    ) -> Result<usize, Trouble> {
        let mut batches = Batches::new(batch_bytes_max, usize::MAX);
        let mut written = 0;
        for (entry, partitions) in entries {
            let Some(pending) = progress.pending(*entry) else {
                continue;
            };
            let letters = match &pending.letters {
                Some(letters) => letters.clone(),
                None => self.letters_in_log(reread, *entry).await?,
            };
            let place: Place = (
                pending.target.name.clone(),
                target_partition(pending.partition, *partitions),
            );
            written += letters.len();
            for letter in letters {
                let length = letter.length();
                if let Some((place, batch)) = batches.add(place.clone(), letter, length) {
                    write(transaction, &place, &batch).await?;
                }
            }
        }
        for (place, batch) in batches.rest() {
            write(transaction, &place, &batch).await?;
        }
        Ok(written)
    }

    async fn commit_idle(&self, work: &mut Work, position: Position) -> Result<(), Trouble> {
        let transaction = work.producer.begin(soon()).await;
        let mut transaction =
            transaction.map_err(|error| Trouble::anew("no transaction can be begun", &error))?;
        work.committed = Instant::now();
        match self.commit_position(&mut transaction, position).await {
            Ok(()) => {}
            Err(trouble) if trouble.then == Then::Anew => return Err(trouble),
            // It can wait.
            Err(trouble) => {
                let _ = transaction.abort(soon()).await;
                debug!(topic = %self.topic, partition = self.partition, "later: {}", trouble.why);
                return Ok(());
            }
        }
        let committed = transaction.commit(soon()).await;
        committed.map_err(|error| Trouble::committing(&error))?;
        work.progress.committed(position);
        Ok(())
    }

    async fn commit_position(
        &self,
        transaction: &mut Transaction<'_>,
        position: Position,
    ) -> Result<(), Trouble> {
        let member = GroupMember {
            group_id: &self.group_id,
            generation: self.generation,
            member_id: &self.member_id,
        };
        let metadata = position.metadata();
        let offset = PartitionOffset {
            partition: self.at(),
            offset: position.cursor,
            metadata: &metadata,
        };
        let committed = transaction.commit_offsets(member, &[offset], soon()).await;
        committed.map_err(|error| {
            let what = format!("the position in group {} cannot be committed", self.group_id);
            Trouble::in_transaction(&what, &error)
        })
    }

    /// Letters that there was no room for in memory.
    async fn letters_in_log(&self, reread: &mut Reread<'_>, entry: i64) -> Result<Vec<Letter>, Trouble> {
        let fetched = match reread.client.fetch(self.at(), entry, LIMITS).await {
            Ok(fetched) => fetched,
            Err(error) if error.code() == Some(ResponseError::OffsetOutOfRange) => {
                metrics::projector_error("lost");
                error!(topic = %self.topic, partition = self.partition, offset = entry, "the log has been cut off before it was projected: the dead letters of this entry are lost");
                return Ok(Vec::new());
            }
            Err(error) => {
                let what = format!("the dead letters at offset {entry} of the log cannot be read");
                return Err(Trouble::reading(&what, &error));
            }
        };
        let mut found = None;
        entries::walk(&fetched.records, reread.decompressor, &mut |item| {
            if let Item::Entry { offset, letters, .. } = item
                && offset == entry
            {
                found = Some(letters.iter().map(Letter::from_log).collect());
            }
        });
        found.ok_or_else(|| Trouble::unreadable(entry, "there is no entry"))
    }

    /// Says what is wrong and waits, not longer than until it is stopped.
    async fn wait(&mut self, trouble: &Trouble, retry: &mut Duration) {
        metrics::projector_error(trouble.kind);
        warn!(topic = %self.topic, partition = self.partition, "dead letters wait in the log: {}", trouble.why);
        self.status.say(self.partition, Some(&trouble.why));
        tokio::select! {
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
            () = sleep(*retry) => {}
        }
        *retry = (*retry * 2).min(RETRY_MAX);
    }

    async fn report_lag(&self, work: &mut Work) {
        if let Ok(end) = work.client.offset(self.at(), OffsetAt::Latest).await {
            metrics::projector_lag(self.partition, end - work.progress.cursor());
        }
    }

    fn at(&self) -> Partition<'_> {
        Partition {
            topic: &self.topic,
            index: self.partition,
        }
    }
}

/// Reads on, waiting a moment for something to be there.
async fn read(work: &mut Work, topic: &str, partition: i32) -> Result<(), Trouble> {
    let at = Partition {
        topic,
        index: partition,
    };
    let offset = work.progress.next_offset();
    let fetched = match work.client.fetch(at, offset, LIMITS).await {
        Ok(fetched) => fetched,
        // A broker that is restarted is no trouble yet.
        Err(error) if error.is_retriable() && work.read.elapsed() < UNREAD_MAX => {
            debug!(topic, partition, %error, "the log is not read");
            sleep(RETRY_MIN).await;
            return Ok(());
        }
        Err(error) => return Err(Trouble::anew("the log cannot be read", &error)),
    };
    work.read = Instant::now();
    let progress = &mut work.progress;
    let walked = entries::walk(&fetched.records, &mut work.decompressor, &mut |item| {
        if let Item::Unknown { offset, why } = &item
            && *offset >= progress.next_offset()
        {
            warn!(
                topic,
                partition, offset, "the log holds a record that is not read: {why}"
            );
        }
        progress.take(&item);
    });
    if let Some(next) = walked.next_offset {
        progress.advance_to(next);
    }
    metrics::decisions("dropped", progress.take_dropped());
    metrics::projector_lag(partition, fetched.high_watermark - progress.cursor());
    match walked.failed {
        Some((offset, why)) if walked.next_offset.is_none() => {
            Err(Trouble::unreadable(offset, &why.to_string()))
        }
        _ => Ok(()),
    }
}

async fn write(transaction: &mut Transaction<'_>, place: &Place, letters: &[Letter]) -> Result<(), Trouble> {
    let (topic, index) = place;
    let records: Vec<_> = letters.iter().map(Letter::as_new).collect();
    let compression = if letters.iter().map(Letter::length).sum::<usize>() > COMPRESSED_FROM {
        Compression::Lz4
    } else {
        Compression::None
    };
    let partition = Partition { topic, index: *index };
    let written = transaction
        .produce(partition, &records, compression, soon())
        .await;
    written.map(|_| ()).map_err(|error| {
        let which = match letters {
            [letter] => format!("the dead letter{}", letter.reference()),
            _ => format!("{} dead letters", letters.len()),
        };
        Trouble::in_transaction(&format!("{which} cannot be written to {topic}-{index}"), &error)
    })
}

fn soon() -> Instant {
    Instant::now() + STEP_TIME_MAX
}

/// The lag of a partition is another's to tell when its owner is gone.
struct Unowned(i32);

impl Drop for Unowned {
    fn drop(&mut self) {
        metrics::projector_lag(self.0, 0);
    }
}
