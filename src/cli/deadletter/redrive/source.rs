//! The dead letters of one partition that a filter takes, some at a time.

use super::super::letter::{Filter, Found};
use super::super::{Stop, reading};
use super::persistently;
use super::report::Report;
use crate::deadletter::redrive::original::Original;
use crate::kafka::client::{Fetched, OffsetAt, Partition};
use crate::kafka::{Client, ClientError};
use crate::wire::compression::Decompressor;
use kafka_protocol::ResponseError;

/// Letters in memory, unless one alone is more.
const HELD_BYTES_MAX: usize = 8 << 20;
const HELD_MAX: usize = 20_000;

/// A letter that waits to be redriven.
pub struct Waiting {
    pub offset: i64,
    pub original: Original,
}

pub struct Source<'a> {
    partition: Partition<'a>,
    next: i64,
    end: i64,
    decompressor: Decompressor,
    /// What is not handed out yet.
    fetched: Option<Fetched>,
}

impl<'a> Source<'a> {
    /// From the beginning to what is committed now.
    pub async fn open(client: &mut Client, partition: Partition<'a>) -> Result<Self, Stop> {
        let next = persistently(async || client.offset(partition, OffsetAt::Earliest).await).await?;
        let end = persistently(async || client.offset(partition, OffsetAt::LatestStable).await).await?;
        Ok(Self {
            partition,
            next,
            end,
            decompressor: Decompressor::default(),
            fetched: None,
        })
    }

    /// Where it reads on.
    pub fn next(&self) -> i64 {
        self.next
    }

    pub fn end(&self) -> i64 {
        self.end
    }

    /// The next letters, in their order; none at the end.
    pub async fn read(
        &mut self,
        client: &mut Client,
        filter: &Filter,
        report: &mut Report,
    ) -> Result<Vec<Waiting>, Stop> {
        let (mut letters, mut bytes) = (Vec::new(), 0);
        while self.next < self.end {
            let fetched = match self.fetched.take() {
                Some(fetched) => fetched,
                None => match self.fetch(client).await? {
                    Some(fetched) => fetched,
                    None => continue,
                },
            };
            report.reading(self.partition, self.next, self.end);
            let end = self.end;
            let mut each = |found: Found| {
                if found.offset >= end {
                    return false;
                }
                if let Some(letter) = wanted(found, filter, report) {
                    bytes += letter.original.record.length();
                    letters.push(letter);
                }
                bytes < HELD_BYTES_MAX && letters.len() < HELD_MAX
            };
            let taken = reading::take(
                &fetched,
                self.partition,
                self.next,
                &mut self.decompressor,
                &mut each,
            )?;
            self.next = taken.next;
            if !taken.more {
                self.fetched = Some(fetched);
                break;
            }
        }
        Ok(letters)
    }

    /// `None`: what was to be read has been deleted meanwhile, as its retention wants it.
    async fn fetch(&mut self, client: &mut Client) -> Result<Option<Fetched>, Stop> {
        let (partition, next) = (self.partition, self.next);
        let fetch = async || client.fetch_committed(partition, next, reading::FETCH).await;
        match persistently(fetch).await {
            Ok(fetched) => Ok(Some(fetched)),
            Err(error) if is_out_of_range(&error) => {
                let earliest = persistently(async || client.offset(partition, OffsetAt::Earliest).await);
                let earliest = earliest.await?;
                if earliest <= self.next {
                    return Err(error.into());
                }
                self.next = earliest;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn is_out_of_range(error: &ClientError) -> bool {
    error.code() == Some(ResponseError::OffsetOutOfRange)
}

fn wanted(found: Found, filter: &Filter, report: &mut Report) -> Option<Waiting> {
    let takes = filter.takes(&found);
    let Some(original) = Original::of(found.letter) else {
        report.no_dead_letter();
        return None;
    };
    if !takes {
        report.left_out();
        return None;
    }
    Some(Waiting {
        offset: found.offset,
        original,
    })
}
