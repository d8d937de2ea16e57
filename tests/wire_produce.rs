//! Produce requests and responses mean to us what they mean to another library, in every version; and no bytes
//! whatever make the reader panic or read on where they end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{self, TransactionalId};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use portcullis::wire::produce_request::{PartitionEdit, ProduceRequest, TopicRef, VERSION_MAX, VERSION_MIN};
use portcullis::wire::produce_response::{ProduceResponse, TopicName};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Tags = BTreeMap<i32, Bytes>;

fn versions() -> impl Strategy<Value = i16> {
    VERSION_MIN..=VERSION_MAX
}

fn bytes(length_max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=length_max).prop_map(Bytes::from)
}

fn text() -> impl Strategy<Value = StrBytes> {
    "[a-zé.-]{0,140}".prop_map(StrBytes::from_string)
}

/// Tags that no version knows, in flexible versions.
fn tags(version: i16) -> BoxedStrategy<Tags> {
    if version < 9 {
        Just(Tags::new()).boxed()
    } else {
        btree_map(5..300_i32, bytes(4), 0..3).boxed()
    }
}

fn partition(version: i16) -> impl Strategy<Value = PartitionProduceData> {
    (any::<i32>(), option::of(bytes(200)), tags(version)).prop_map(|(index, records, tags)| {
        PartitionProduceData::default()
            .with_index(index)
            .with_records(records)
            .with_unknown_tagged_fields(tags)
    })
}

fn request(version: i16) -> impl Strategy<Value = messages::ProduceRequest> {
    let topic = (
        text(),
        any::<[u8; 16]>(),
        vec(partition(version), 0..4),
        tags(version),
    )
        .prop_map(move |(name, id, partitions, tags)| {
            let topic = TopicProduceData::default().with_partition_data(partitions);
            let topic = topic.with_unknown_tagged_fields(tags);
            if version < 13 {
                topic.with_name(messages::TopicName(name))
            } else {
                topic.with_topic_id(id.to_vec().try_into().unwrap())
            }
        });
    (
        option::of(text()),
        any::<i16>(),
        any::<i32>(),
        vec(topic, 0..4),
        tags(version),
    )
        .prop_map(|(transactional_id, acks, timeout_ms, topics, tags)| {
            messages::ProduceRequest::default()
                .with_transactional_id(transactional_id.map(TransactionalId))
                .with_acks(acks)
                .with_timeout_ms(timeout_ms)
                .with_topic_data(topics)
                .with_unknown_tagged_fields(tags)
        })
}

fn encoded(message: &impl Encodable, version: i16) -> Vec<u8> {
    let mut out = BytesMut::new();
    message.encode(&mut out, version).unwrap();
    out.to_vec()
}

fn decoded<M: Decodable>(body: &[u8], version: i16) -> M {
    let mut body = Bytes::copy_from_slice(body);
    let message = M::decode(&mut body, version).unwrap();
    assert!(body.is_empty());
    message
}

fn versioned_request() -> impl Strategy<Value = (i16, messages::ProduceRequest)> {
    versions().prop_flat_map(|version| (Just(version), request(version)))
}

proptest! {
    #[test]
    fn a_request_that_another_library_wrote_is_seen_whole((version, theirs) in versioned_request()) {
        let body = encoded(&theirs, version);
        let ours = ProduceRequest::read(&body, version).unwrap();
        prop_assert_eq!(ours.transactional_id, theirs.transactional_id.as_ref().map(|id| id.0.as_str()));
        prop_assert_eq!((ours.acks, ours.timeout_ms), (theirs.acks, theirs.timeout_ms));
        let mut partitions = ours.partitions();
        let mut count = 0;
        for topic in &theirs.topic_data {
            for expected in &topic.partition_data {
                let seen = partitions.next().unwrap();
                match seen.topic {
                    TopicRef::Name(name) => prop_assert_eq!(name, topic.name.0.as_str()),
                    TopicRef::Id(id) => prop_assert_eq!(&id, topic.topic_id.as_bytes()),
                }
                prop_assert_eq!(seen.partition, expected.index);
                prop_assert_eq!(seen.records, expected.records.as_deref());
                count += 1;
            }
        }
        prop_assert!(partitions.next().is_none());
        prop_assert_eq!(ours.partition_count, count);
    }

    #[test]
    fn writing_it_edited_is_filtering_and_replacing(
        (version, theirs) in versioned_request(), kept in any::<u16>(), replaced in any::<u16>(), records in bytes(300),
    ) {
        let keep = |index: usize| kept & (1 << index) != 0;
        let replace = |index: usize| replaced & (1 << index) != 0;
        let edit = |index: usize| match (keep(index), replace(index)) {
            (false, _) => PartitionEdit::LeftOut,
            (true, true) => PartitionEdit::Replaced(&records),
            (true, false) => PartitionEdit::Kept,
        };
        let body = encoded(&theirs, version);
        let mut out = b"before".to_vec();
        ProduceRequest::read(&body, version).unwrap().write_edited(edit, &mut out);
        let mut expected = theirs;
        let mut index = 0;
        for topic in &mut expected.topic_data {
            topic.partition_data.retain_mut(|partition| {
                if replace(index) {
                    partition.records = Some(records.clone());
                }
                index += 1;
                keep(index - 1)
            });
        }
        expected.topic_data.retain(|topic| !topic.partition_data.is_empty());
        let rewritten = out.strip_prefix(b"before").unwrap();
        prop_assert_eq!(&decoded::<messages::ProduceRequest>(rewritten, version), &expected);
        prop_assert_eq!(rewritten, encoded(&expected, version));
    }

    #[test]
    fn a_request_cut_anywhere_is_refused((version, theirs) in versioned_request()) {
        let body = encoded(&theirs, version);
        for cut in 0..body.len() {
            prop_assert!(ProduceRequest::read(&body[..cut], version).is_err(), "cut at {}", cut);
        }
    }

    #[test]
    fn a_damaged_request_is_refused_or_holds_together(
        (version, theirs) in versioned_request(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = encoded(&theirs, version);
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(request) = ProduceRequest::read(&body, version) {
            prop_assert_eq!(request.partitions().count(), request.partition_count);
            let mut out = Vec::new();
            request.write_edited(|_| PartitionEdit::Kept, &mut out);
            let again = ProduceRequest::read(&out, version).unwrap();
            prop_assert!(again.partitions().eq(request.partitions()));
        }
        // The same bytes as an answer: no panic, and what is read can be written and read again.
        if let Ok(response) = ProduceResponse::read(&body, version) {
            let mut out = Vec::new();
            response.write(version, &mut out);
            prop_assert_eq!(ProduceResponse::read(&out, version), Ok(response));
        }
    }
}

fn record_error() -> impl Strategy<Value = BatchIndexAndErrorMessage> {
    (any::<i32>(), option::of(text())).prop_map(|(index, message)| {
        BatchIndexAndErrorMessage::default()
            .with_batch_index(index)
            .with_batch_index_error_message(message)
    })
}

fn partition_response(version: i16) -> impl Strategy<Value = PartitionProduceResponse> {
    let numbers = (
        any::<i32>(),
        any::<i16>(),
        any::<i64>(),
        any::<i64>(),
        any::<i64>(),
    );
    let leader = option::of((0..i32::MAX, any::<i32>()));
    (numbers, vec(record_error(), 0..3), option::of(text()), leader).prop_map(
        move |((index, error_code, base_offset, append_time, start_offset), errors, message, leader)| {
            let mut response = PartitionProduceResponse::default()
                .with_index(index)
                .with_error_code(error_code)
                .with_base_offset(base_offset)
                .with_log_append_time_ms(append_time);
            if version >= 5 {
                response = response.with_log_start_offset(start_offset);
            }
            if version >= 8 {
                response = response.with_record_errors(errors).with_error_message(message);
            }
            if let (10.., Some((id, epoch))) = (version, leader) {
                let leader = LeaderIdAndEpoch::default()
                    .with_leader_id(id.into())
                    .with_leader_epoch(epoch);
                response = response.with_current_leader(leader);
            }
            response
        },
    )
}

fn response(version: i16) -> impl Strategy<Value = messages::ProduceResponse> {
    let topic = (text(), any::<[u8; 16]>(), vec(partition_response(version), 0..4)).prop_map(
        move |(name, id, partitions)| {
            let topic = TopicProduceResponse::default().with_partition_responses(partitions);
            if version < 13 {
                topic.with_name(messages::TopicName(name))
            } else {
                topic.with_topic_id(id.to_vec().try_into().unwrap())
            }
        },
    );
    let node = (any::<i32>(), text(), any::<i32>(), option::of(text())).prop_map(|(id, host, port, rack)| {
        NodeEndpoint::default()
            .with_node_id(id.into())
            .with_host(host)
            .with_port(port)
            .with_rack(rack)
    });
    (vec(topic, 0..4), any::<i32>(), vec(node, 0..3)).prop_map(move |(topics, throttle_time_ms, nodes)| {
        let response = messages::ProduceResponse::default()
            .with_responses(topics)
            .with_throttle_time_ms(throttle_time_ms);
        if version >= 10 {
            response.with_node_endpoints(nodes)
        } else {
            response
        }
    })
}

fn versioned_response() -> impl Strategy<Value = (i16, messages::ProduceResponse)> {
    versions().prop_flat_map(|version| (Just(version), response(version)))
}

/// Field by field, so that reading and writing wrongly in the same way does not pass.
fn assert_same(ours: &ProduceResponse, theirs: &messages::ProduceResponse, version: i16) {
    assert_eq!(ours.throttle_time_ms, theirs.throttle_time_ms);
    assert_eq!(ours.topics.len(), theirs.responses.len());
    for ((name, partitions), topic) in ours.topics.iter().zip(&theirs.responses) {
        match name {
            TopicName::Name(name) => assert_eq!(name, topic.name.0.as_str()),
            TopicName::Id(id) => assert_eq!(id, topic.topic_id.as_bytes()),
        }
        assert_eq!(partitions.len(), topic.partition_responses.len());
        for (ours, theirs) in partitions.iter().zip(&topic.partition_responses) {
            assert_eq!(
                (ours.partition, ours.error_code.0),
                (theirs.index, theirs.error_code)
            );
            assert_eq!(
                (ours.base_offset, ours.log_append_time_ms),
                (theirs.base_offset, theirs.log_append_time_ms)
            );
            assert_eq!(
                ours.log_start_offset,
                if version >= 5 { theirs.log_start_offset } else { -1 }
            );
            assert_eq!(ours.error_message.as_deref(), theirs.error_message.as_deref());
            let errors = theirs.record_errors.iter();
            let errors = errors.map(|error| (error.batch_index, error.batch_index_error_message.as_deref()));
            assert!(
                ours.record_errors
                    .iter()
                    .map(|e| (e.batch_index, e.message.as_deref()))
                    .eq(errors)
            );
            let leader = &theirs.current_leader;
            let leader =
                (*leader != LeaderIdAndEpoch::default()).then_some((leader.leader_id.0, leader.leader_epoch));
            assert_eq!(ours.current_leader, leader);
        }
    }
    let nodes = theirs.node_endpoints.iter();
    let nodes = nodes.map(|n| (n.node_id.0, n.host.as_str(), n.port, n.rack.as_deref()));
    assert!(
        ours.node_endpoints
            .iter()
            .map(|n| (n.node_id, n.host.as_str(), n.port, n.rack.as_deref()))
            .eq(nodes)
    );
}

proptest! {
    #[test]
    fn a_response_that_another_library_wrote_is_read_and_written_alike((version, theirs) in versioned_response()) {
        let body = encoded(&theirs, version);
        let ours = ProduceResponse::read(&body, version).unwrap();
        assert_same(&ours, &theirs, version);
        let mut out = Vec::new();
        ours.write(version, &mut out);
        prop_assert_eq!(&decoded::<messages::ProduceResponse>(&out, version), &theirs);
        prop_assert_eq!(out, body);
    }

    #[test]
    fn a_response_cut_anywhere_is_refused((version, theirs) in versioned_response()) {
        let body = encoded(&theirs, version);
        for cut in 0..body.len() {
            prop_assert!(ProduceResponse::read(&body[..cut], version).is_err(), "cut at {}", cut);
        }
    }
}
