//! Reads a dead-letter topic from its beginning to what is committed now.

use super::letter::Found;
use super::{Place, Stop};
use crate::cli::exit;
use crate::deadletter::log::entries::LIMITS;
use crate::kafka::Client;
use crate::kafka::client::{FetchLimits, OffsetAt, Partition};
use crate::wire::committed::walk_committed;
use crate::wire::compression::Decompressor;
use std::time::Duration;

const FETCH: FetchLimits = FetchLimits {
    bytes_max: 4 << 20,
    wait_max: Duration::from_millis(500),
};

/// Hands out every record, partition by partition, until `each` wants no more.
pub async fn read(place: &Place, each: &mut dyn FnMut(Found) -> bool) -> Result<(), Stop> {
    let mut client = place.client()?;
    let view = client.metadata(&place.topic).await?;
    let topic = view
        .topic
        .ok_or_else(|| Stop::new(exit::NO_INPUT, format!("there is no topic {}", place.topic)))?;
    let mut partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).collect();
    partitions.sort_unstable();
    for index in partitions {
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

async fn read_partition(
    client: &mut Client,
    partition: Partition<'_>,
    each: &mut dyn FnMut(Found) -> bool,
) -> Result<bool, Stop> {
    let mut next = client.offset(partition, OffsetAt::Earliest).await?;
    let end = client.offset(partition, OffsetAt::LatestStable).await?;
    let mut decompressor = Decompressor::default();
    let mut more = true;
    while next < end && more {
        let fetched = client.fetch_committed(partition, next, FETCH).await?;
        let walked = walk_committed(
            &fetched.records,
            &fetched.aborted,
            &mut decompressor,
            LIMITS,
            &mut |record| {
                if more && record.offset >= next {
                    more = each(Found::new(partition.index, &record));
                }
            },
        );
        if let Some((offset, why)) = walked.failed {
            let Partition { topic, index } = partition;
            let why = format!("{topic}-{index} cannot be read at offset {offset}: {why}");
            return Err(Stop::new(exit::DATA, why));
        }
        let Some(after) = walked.next_offset else {
            let why = format!("the broker has nothing at offset {next} of {}", partition.topic);
            return Err(Stop::new(exit::UNAVAILABLE, why));
        };
        next = after;
    }
    Ok(more)
}
