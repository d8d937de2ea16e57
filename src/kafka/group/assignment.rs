//! What members of type `consumer` tell each other (KIP-98's clients' `ConsumerProtocol`), in version 0, which every
//! client and tool reads. Big-endian:
//!
//! ```text
//! subscription  version i16 · topics: count i32, (length i16, bytes)* · user data: length i32, -1 is null
//! assignment    version i16 · topics: count i32, (name as above, partitions: count i32, i32*)* · user data
//! ```
//! Later versions add fields at the end.

use crate::wire::reader::{Reader, WireError};
use crate::wire::writer::Writer;
use std::sync::Arc;

const VERSION: i16 = 0;

/// This member reads `topic`.
pub fn subscription(topic: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.i16(VERSION);
    writer.i32(1);
    writer.string(false, topic);
    writer.nullable_bytes(false, None);
    out
}

/// Whether a member's subscription names `topic`. One that cannot be read does not.
fn subscribes(subscription: &[u8], topic: &str) -> bool {
    let names = || {
        let mut reader = Reader::new(subscription);
        let _version = reader.i16()?;
        for _ in 0..reader.array_length_not_null(false, 2, "topics")? {
            if reader.string(false)? == topic {
                return Ok(true);
            }
        }
        Ok::<bool, WireError>(false)
    };
    names().unwrap_or(false)
}

fn assignment(topic: &str, partitions: &[i32]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.i16(VERSION);
    writer.i32(i32::from(!partitions.is_empty()));
    if !partitions.is_empty() {
        writer.string(false, topic);
        writer.i32(partitions.len() as i32);
        for partition in partitions {
            writer.i32(*partition);
        }
    }
    writer.nullable_bytes(false, None);
    out
}

/// The partitions of `topic` in an assignment. An empty one assigns none: the leader left this member out.
pub fn assigned(assignment: &[u8], topic: &str) -> Result<Vec<i32>, WireError> {
    let mut partitions = Vec::new();
    if assignment.is_empty() {
        return Ok(partitions);
    }
    let mut reader = Reader::new(assignment);
    let _version = reader.i16()?;
    for _ in 0..reader.array_length_not_null(false, 6, "topics")? {
        let ours = reader.string(false)? == topic;
        for _ in 0..reader.array_length_not_null(false, 4, "partitions")? {
            let partition = reader.i32()?;
            if ours {
                partitions.push(partition);
            }
        }
    }
    Ok(partitions)
}

/// Shares `partitions` among the members that read `topic`, as evenly as can be, each a range
/// (`RangeAssignor`); by member id, so that it makes no difference who does it.
pub fn share(members: &[(Arc<str>, Vec<u8>)], topic: &str, partitions: &[i32]) -> Vec<(Arc<str>, Vec<u8>)> {
    let mut readers: Vec<&Arc<str>> = members
        .iter()
        .filter(|(_, subscription)| subscribes(subscription, topic))
        .map(|(id, _)| id)
        .collect();
    readers.sort_unstable();
    let mut rest = partitions;
    let mut shares = Vec::with_capacity(members.len());
    for (at, id) in readers.iter().enumerate() {
        // As many for each that is left, rounded up.
        let share = rest.len().div_ceil(readers.len() - at);
        let (own, after) = rest.split_at_checked(share).unwrap_or((rest, &[]));
        shares.push((Arc::clone(id), assignment(topic, own)));
        rest = after;
    }
    for (id, subscription) in members {
        if !subscribes(subscription, topic) {
            shares.push((id.clone(), assignment(topic, &[])));
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
    use kafka_protocol::protocol::Decodable;
    use proptest::prelude::*;

    fn shared(members: &[(&str, &str)], partitions: i32) -> Vec<(String, Vec<i32>)> {
        let members: Vec<(Arc<str>, Vec<u8>)> = members
            .iter()
            .map(|(id, topic)| ((*id).into(), subscription(topic)))
            .collect();
        let partitions: Vec<i32> = (0..partitions).collect();
        let mut shares: Vec<_> = share(&members, "t", &partitions)
            .into_iter()
            .map(|(id, bytes)| (id.to_string(), assigned(&bytes, "t").unwrap()))
            .collect();
        shares.sort();
        shares
    }

    #[test]
    fn partitions_are_shared_as_evenly_as_can_be_whoever_joined_first() {
        let expected = [
            ("a".to_owned(), vec![0, 1, 2]),
            ("b".to_owned(), vec![3, 4]),
            ("c".to_owned(), vec![5, 6]),
        ];
        assert_eq!(shared(&[("c", "t"), ("a", "t"), ("b", "t")], 7), expected);
        assert_eq!(shared(&[("b", "t"), ("c", "t"), ("a", "t")], 7), expected);
        let few = shared(&[("a", "t"), ("b", "t"), ("c", "t")], 2);
        assert_eq!(
            few.iter().map(|(_, own)| own.len()).collect::<Vec<_>>(),
            [1, 1, 0]
        );
    }

    #[test]
    fn who_reads_another_topic_gets_nothing_and_holds_up_nobody() {
        let shares = shared(&[("a", "other"), ("b", "t")], 2);
        assert_eq!(shares, [("a".to_owned(), vec![]), ("b".to_owned(), vec![0, 1])]);
    }

    #[test]
    fn bytes_are_those_that_every_client_reads() {
        let bytes = subscription("t");
        let mut body = bytes::Bytes::copy_from_slice(&bytes[2..]);
        let read = ConsumerProtocolSubscription::decode(&mut body, 0).unwrap();
        assert_eq!((read.topics[0].as_str(), body.len()), ("t", 0));
        let bytes = assignment("t", &[4, 2]);
        let mut body = bytes::Bytes::copy_from_slice(&bytes[2..]);
        let read = ConsumerProtocolAssignment::decode(&mut body, 0).unwrap();
        assert_eq!(read.assigned_partitions[0].topic.as_str(), "t");
        assert_eq!(read.assigned_partitions[0].partitions, [4, 2]);
        assert!(body.is_empty());
        assert_eq!(assigned(&bytes, "another"), Ok(vec![]));
        assert_eq!(assigned(b"", "t"), Ok(vec![]));
        // A later version has more after what is read.
        let mut later = subscription("t");
        later[1] = 3;
        later.extend([1, 2, 3]);
        assert!(subscribes(&later, "t"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_assignment_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = assigned(&bytes, "t");
            let _ = subscribes(&bytes, "t");
        }

        #[test]
        fn every_partition_has_one_owner(members in 1_usize..9, partitions in 0_i32..40) {
            let members: Vec<(Arc<str>, Vec<u8>)> =
                (0..members).map(|id| (id.to_string().into(), subscription("t"))).collect();
            let all: Vec<i32> = (0..partitions).collect();
            let mut owned: Vec<i32> = share(&members, "t", &all)
                .iter()
                .flat_map(|(_, bytes)| assigned(bytes, "t").unwrap())
                .collect();
            owned.sort_unstable();
            prop_assert_eq!(owned, all);
        }
    }
}
