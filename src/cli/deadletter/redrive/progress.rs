//! What is redriven of one partition, as the groups have it.
//!
//! Brokers forget a group's offset when nobody has committed it for a week (`offsets.retention.minutes`), and what it
//! covers would be redriven again: each redrive commits all of them anew, whatever it takes from the topic.

use super::super::Stop;
use super::soon;
use crate::cli::exit;
use crate::deadletter::redrive::group_id;
use crate::deadletter::redrive::progress::{Chunk, chunk_of};
use crate::kafka::Client;
use crate::kafka::client::Partition;
use std::collections::BTreeMap;

pub struct Progress<'a> {
    pub partition: Partition<'a>,
    /// Where the partition ends.
    end: i64,
    /// Of letters that are under way.
    chunks: BTreeMap<i64, Chunk>,
    /// Those that were committed by an earlier redrive and not by this one.
    earlier: BTreeMap<i64, Chunk>,
    /// Chunks before it were asked for.
    next: i64,
}

impl<'a> Progress<'a> {
    /// Of what stands from `start` up to `end`.
    pub fn new(partition: Partition<'a>, start: i64, end: i64) -> Self {
        Self {
            partition,
            end,
            chunks: BTreeMap::new(),
            earlier: BTreeMap::new(),
            next: chunk_of(start),
        }
    }

    /// To be asked of each letter in their order.
    pub async fn is_redriven(&mut self, client: &mut Client, offset: i64) -> Result<bool, Stop> {
        let number = chunk_of(offset);
        if !self.chunks.contains_key(&number) {
            let committed = self.committed(client, number).await?;
            if let Some(chunk) = &committed {
                self.earlier.insert(number, chunk.clone());
            }
            let chunk = committed.unwrap_or_else(|| Chunk::new(number));
            self.chunks.insert(number, chunk);
        }
        let chunk = self.chunks.get(&number);
        Ok(chunk.is_some_and(|chunk| chunk.is_redriven(offset)))
    }

    /// The chunks of these offsets, with them redriven.
    pub fn with(&self, offsets: impl IntoIterator<Item = i64>) -> BTreeMap<i64, Chunk> {
        let mut changed = BTreeMap::new();
        for offset in offsets {
            let number = chunk_of(offset);
            let chunk = changed.entry(number).or_insert_with(|| {
                let known = self.chunks.get(&number);
                known.cloned().unwrap_or_else(|| Chunk::new(number))
            });
            chunk.redriven(offset);
        }
        changed
    }

    pub fn changed(&mut self, changed: BTreeMap<i64, Chunk>) {
        self.earlier.retain(|number, _| !changed.contains_key(number));
        self.chunks.extend(changed);
    }

    /// Looks for what is committed of the chunks before that of `offset`, where no letter asked, until so many are to be
    /// committed anew. Whether there may be more.
    pub async fn look_before(
        &mut self,
        client: &mut Client,
        offset: i64,
        count: usize,
    ) -> Result<bool, Stop> {
        while self.next < chunk_of(offset) {
            if self.earlier.len() >= count {
                return Ok(true);
            }
            if !self.chunks.contains_key(&self.next)
                && let Some(chunk) = self.committed(client, self.next).await?
            {
                self.earlier.insert(self.next, chunk);
            }
            self.next += 1;
        }
        self.forget_before(offset);
        Ok(false)
    }

    /// No letter before `offset` will be asked for.
    pub fn forget_before(&mut self, offset: i64) {
        self.chunks = self.chunks.split_off(&chunk_of(offset));
    }

    /// What is to be committed anew.
    pub fn take_earlier(&mut self) -> BTreeMap<i64, Chunk> {
        std::mem::take(&mut self.earlier)
    }

    async fn committed(&self, client: &mut Client, number: i64) -> Result<Option<Chunk>, Stop> {
        let Partition { topic, index } = self.partition;
        let group = group_id(topic, number);
        let committed = client.committed_offsets(&group, topic, &[index], soon()).await?;
        let Some(committed) = committed.get(&index) else {
            return Ok(None);
        };
        let unknown = |why: String| {
            let why = format!(
                "what is redriven of {topic}-{index} is not known: group {group} holds {why}. Delete the group to redrive \
                 all that it covers again"
            );
            Stop::new(exit::DATA, why)
        };
        let chunk = Chunk::read(number, committed.offset, &committed.metadata)
            .map_err(|error| unknown(format!("an offset that no redrive has committed: {error}")))?;
        match chunk.last_redriven() {
            Some(last) if last >= self.end => Err(unknown(format!(
                "offset {last} as redriven, and the partition ends at {}: the topic was made anew",
                self.end
            ))),
            _ => Ok(Some(chunk)),
        }
    }
}
