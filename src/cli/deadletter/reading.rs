//! Reads a dead-letter topic from its beginning to what is committed now.

use super::letter::Found;
use super::{Place, Stop};
use crate::cli::exit;
use crate::deadletter::log::entries::LIMITS;
use crate::kafka::Client;
use crate::kafka::client::{FetchLimits, Fetched, OffsetAt, Partition};
use crate::wire::committed::walk_committed;
use crate::wire::compression::Decompressor;
use std::time::Duration;

pub const FETCH: FetchLimits = FetchLimits {
    bytes_max: 4 << 20,
    wait_max: Duration::from_millis(500),
};

/// Hands out every record, partition by partition, until `each` wants no more.
pub async fn read(place: &Place, each: &mut dyn FnMut(Found) -> bool) -> Result<(), Stop> {
    let mut client = place.client()?;
    for index in partitions(&mut client, &place.topic).await? {
        let partition = Partition {
            topic: &place.topic,
            index,
        };
        if !read_partition(&mut client, partition, each).await? {
            break;
        }
    }
    Ok(())
}

/// The partitions of a topic that is there, in their order.
pub async fn partitions(client: &mut Client, topic: &str) -> Result<Vec<i32>, Stop> {
    let view = client.metadata(topic).await?.topic;
    let view = view.ok_or_else(|| Stop::new(exit::NO_INPUT, format!("there is no topic {topic}")))?;
    let mut partitions: Vec<i32> = view.partitions.iter().map(|partition| partition.index).collect();
    partitions.sort_unstable();
    Ok(partitions)
}

async fn read_partition(
    client: &mut Client,
    partition: Partition<'_>,
    each: &mut dyn FnMut(Found) -> bool,
) -> Result<bool, Stop> {
    let mut next = client.offset(partition, OffsetAt::Earliest).await?;
    let end = client.offset(partition, OffsetAt::LatestStable).await?;
    let mut decompressor = Decompressor::default();
    while next < end {
        let fetched = client.fetch_committed(partition, next, FETCH).await?;
        let taken = take(&fetched, partition, next, &mut decompressor, each)?;
        if !taken.more {
            return Ok(false);
        }
        next = taken.next;
    }
    Ok(true)
}

/// How far records were handed out.
pub struct Taken {
    /// The offset to go on from.
    pub next: i64,
    /// More were wanted.
    pub more: bool,
}

/// Hands out what was fetched from `next` on, until `each` wants no more.
pub fn take(
    fetched: &Fetched,
    partition: Partition<'_>,
    next: i64,
    decompressor: &mut Decompressor,
    each: &mut dyn FnMut(Found) -> bool,
) -> Result<Taken, Stop> {
    let mut last = None;
    let mut more = true;
    let walked = walk_committed(
        &fetched.records,
        &fetched.aborted,
        decompressor,
        LIMITS,
        &mut |record| {
            if more && record.offset >= next {
                last = Some(record.offset);
                more = each(Found::new(partition.index, &record));
            }
        },
    );
    if let (false, Some(last)) = (more, last) {
        return Ok(Taken {
            next: last.saturating_add(1),
            more,
        });
    }
    if let Some((offset, why)) = walked.failed {
        let Partition { topic, index } = partition;
        let why = format!("{topic}-{index} cannot be read at offset {offset}: {why}");
        return Err(Stop::new(exit::DATA, why));
    }
    let next = walked.next_offset.ok_or_else(|| {
        let why = format!("the broker has nothing at offset {next} of {}", partition.topic);
        Stop::new(exit::UNAVAILABLE, why)
    })?;
    Ok(Taken { next, more })
}
