//! Whole conversations in memory, cut into pieces of any size.

use super::dead_letter::{Operation, OperationId, Outcome};
use super::world::{Fate, Judged, Place, Topic, World};
use super::*;
use crate::contract::{BatchVerdict, Checker, Code, Envelope, Part, TopicRules, Violation};
use crate::deadletter::decisions::{Next, Path};
use crate::deadletter::log::LogError;
use crate::wire::addresses::AddressMap;
use crate::wire::api::ApiKey;
use crate::wire::compression::DecompressionLimits;
use crate::wire::error_code::ErrorCode;
use crate::wire::produce_response::{PartitionResponse, ProduceResponse, TopicName};
use crate::wire::writer::Writer;
use dead_letters::FakeLog;
use proptest::prelude::*;
use std::collections::HashMap;
use ulid::Ulid;

mod amended;
mod dead_letters;

const LIMITS: SessionLimits = SessionLimits {
    frame_bytes_max: 1 << 20,
};

/// Records that contain `bad` are refused; topic ids are known when they are in `topic_names`.
#[derive(Default)]
struct FakeWorld {
    topic_names: HashMap<[u8; 16], Arc<str>>,
    asked_ids: Vec<[u8; 16]>,
    fates: Vec<(String, i32, Fate)>,
    reserved: usize,
    asks_for_sasl: bool,
    log: FakeLog,
    /// With it, batches are really checked.
    contract: Option<amended::Contract>,
}

impl World for FakeWorld {
    type Metrics = ();

    fn topic(&mut self, name: &str) -> Arc<Topic<()>> {
        Arc::new(Topic {
            name: name.into(),
            rules: match &self.contract {
                Some(contract) => contract.policies.rules_for(name),
                None => dead_letters::rules_for(name),
            },
            metrics: (),
        })
    }
    fn topic_name(&mut self, id: [u8; 16]) -> Option<Arc<str>> {
        let name = self.topic_names.get(&id).cloned();
        if name.is_none() {
            self.asked_ids.push(id);
        }
        name
    }
    fn check(&mut self, rules: &TopicRules, records: &[u8]) -> BatchVerdict {
        if let Some(contract) = &self.contract {
            let mut checker = Checker::new(dead_letters::DECOMPRESSION);
            return checker.check(rules, records, contract, &mut Ulid::nil);
        }
        if rules.dead_letter_topic.is_some() {
            return dead_letters::check(records);
        }
        if !records.windows(3).any(|window| window == b"bad") {
            return BatchVerdict::Valid { records: 1 };
        }
        BatchVerdict::Violations {
            records: 2,
            bad_records: [1].into_iter().collect(),
            violations: vec![Violation {
                code: Code::Avro,
                record: 1,
                part: Part::Value,
                path: "$.total".to_owned(),
                expected: "expected double".to_owned(),
                schema: None,
                reference: Ulid::nil(),
            }],
            envelope: Envelope::default(),
        }
    }
    fn amend(
        &mut self,
        rules: &TopicRules,
        records: &[u8],
        verdict: &BatchVerdict,
        length_max: usize,
    ) -> Result<Option<Vec<u8>>, BatchVerdict> {
        let mut checker = Checker::new(dead_letters::DECOMPRESSION);
        checker.amend(rules, records, verdict, length_max, &mut Ulid::nil)
    }
    fn judged(&mut self, judged: Judged<'_, ()>) {
        self.fates
            .push((judged.topic.name.to_string(), judged.partition, judged.fate));
    }
    fn next_step(&mut self, path: &Path) -> Next {
        self.log.next_step(path)
    }
    fn passed_whole(&mut self, path: &Path) {
        self.log.passed_whole(path);
    }
    fn start(&mut self, operation: Operation) -> OperationId {
        self.log.start(operation)
    }
    fn finished(&mut self) -> Option<(OperationId, Outcome)> {
        self.log.finished.pop_front()
    }
    fn dead_letter_failed(&mut self, topic: &str, _error: &LogError) {
        self.log.failed.push(topic.to_owned());
    }
    fn place(&mut self) -> Place {
        Place {
            client_address: "192.0.2.7:50000".to_owned(),
            principal: None,
            gateway: "gateway-1".into(),
            time_ms: 1_700_000_000_000,
        }
    }
    fn reference(&mut self) -> Ulid {
        Ulid::nil()
    }
    fn decompression_limits(&self) -> DecompressionLimits {
        dead_letters::DECOMPRESSION
    }
    fn addresses(&mut self) -> &mut dyn AddressMap {
        self
    }
    fn reserve(&mut self, bytes: usize) -> bool {
        self.reserved += bytes;
        true
    }
    fn release(&mut self, bytes: usize) {
        self.reserved -= bytes;
    }
    fn asks_for_sasl(&self) -> bool {
        self.asks_for_sasl
    }
    fn saw_sasl(&mut self) {
        self.asks_for_sasl = true;
    }
}

impl AddressMap for FakeWorld {
    fn advertise(&mut self, node_id: i32, _host: &str, _port: i32) -> Option<(String, u16)> {
        Some(("gateway".to_owned(), 9193 + node_id as u16))
    }
    fn learn_topic(&mut self, id: [u8; 16], name: &str) {
        self.topic_names.insert(id, name.into());
    }
}

/// A session, its world, and what has come out on each side.
struct Conversation {
    session: Session,
    world: FakeWorld,
    to_upstream: Vec<u8>,
    to_client: Vec<u8>,
}

impl Conversation {
    fn new() -> Self {
        Self {
            session: Session::new(LIMITS),
            world: FakeWorld::default(),
            to_upstream: Vec::new(),
            to_client: Vec::new(),
        }
    }

    fn flush(&mut self) {
        self.session.advance(&mut self.world);
        self.to_upstream.extend_from_slice(self.session.to_upstream());
        self.session.sent_upstream(self.session.to_upstream().len());
        self.to_client.extend_from_slice(self.session.to_client());
        self.session.sent_to_client(self.session.to_client().len());
    }

    /// Returns how many bytes the session took before it stopped reading.
    fn client(&mut self, bytes: &[u8], chunk: usize) -> usize {
        let mut taken = 0;
        for piece in bytes.chunks(chunk.max(1)) {
            let Some(buffer) = self.session.client_buffer(&mut self.world) else {
                break;
            };
            buffer.extend_from_slice(piece);
            self.session.client_read(piece.len());
            taken += piece.len();
            self.flush();
        }
        taken
    }

    fn broker(&mut self, bytes: &[u8], chunk: usize) {
        for piece in bytes.chunks(chunk.max(1)) {
            let Some(buffer) = self.session.upstream_buffer(&mut self.world) else {
                break;
            };
            buffer.extend_from_slice(piece);
            self.session.upstream_read(piece.len());
            self.flush();
        }
    }
}

fn frame(body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::frame(&mut out, body);
    out
}

fn request(api_key: ApiKey, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    request_of("test-client", api_key, version, correlation_id, body)
}

fn request_of(client_id: &str, api_key: ApiKey, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    frame(|writer| {
        writer.i16(api_key.0);
        writer.i16(version);
        writer.i32(correlation_id);
        writer.nullable_string(false, Some(client_id));
        if crate::wire::header::request_header_is_flexible(api_key, version) {
            writer.u8(0);
        }
        writer.raw(body);
    })
}

fn response(correlation_id: i32, body: &[u8]) -> Vec<u8> {
    frame(|writer| {
        writer.i32(correlation_id);
        writer.raw(body);
    })
}

/// Produce version 7: one topic entry a partition.
fn produce(correlation_id: i32, acks: i16, partitions: &[(&str, i32, &[u8])]) -> Vec<u8> {
    let body = produce_body(acks, partitions);
    request(ApiKey::PRODUCE, 7, correlation_id, &body)
}

fn produce_body(acks: i16, partitions: &[(&str, i32, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.nullable_string(false, None);
    writer.i16(acks);
    writer.i32(30_000);
    writer.array_length(false, Some(partitions.len()));
    for (topic, partition, records) in partitions {
        writer.string(false, topic);
        writer.array_length(false, Some(1));
        writer.i32(*partition);
        writer.nullable_bytes(false, Some(records));
    }
    body
}

fn partition_response(partition: i32, error_code: ErrorCode, base_offset: i64) -> PartitionResponse {
    PartitionResponse {
        partition,
        error_code,
        base_offset,
        log_append_time_ms: -1,
        log_start_offset: 0,
        record_errors: Vec::new(),
        error_message: None,
        current_leader: None,
    }
}

fn produced(correlation_id: i32, topics: &[(&str, i32, i64)]) -> Vec<u8> {
    let answer = ProduceResponse {
        topics: topics
            .iter()
            .map(|(topic, partition, offset)| {
                let partition = partition_response(*partition, ErrorCode::NONE, *offset);
                (TopicName::Name((*topic).to_owned()), vec![partition])
            })
            .collect(),
        ..ProduceResponse::default()
    };
    let mut body = Vec::new();
    answer.write(7, &mut body);
    response(correlation_id, &body)
}

/// Splits a stream of frames into (correlation id, body).
fn frames(mut bytes: &[u8]) -> Vec<(i32, Vec<u8>)> {
    let mut out = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let (id, body) = frame.split_first_chunk::<4>().unwrap();
        out.push((i32::from_be_bytes(*id), body.to_vec()));
        bytes = rest;
    }
    out
}

#[test]
fn a_valid_produce_request_is_forwarded_byte_for_byte() {
    for chunk in [1, 7, 10_000] {
        let mut talk = Conversation::new();
        let sent = produce(5, 1, &[("orders", 0, b"good"), ("orders", 1, b"fine")]);
        talk.client(&sent, chunk);
        assert_eq!(talk.to_upstream, sent);
        let answer = produced(5, &[("orders", 0, 17)]);
        talk.broker(&answer, chunk);
        assert_eq!(talk.to_client, answer);
        assert!(talk.session.closing().is_none());
    }
}

#[test]
fn a_refused_partition_does_not_fail_the_others_of_its_request() {
    let mut talk = Conversation::new();
    talk.client(
        &produce(
            5,
            -1,
            &[("orders", 0, b"good"), ("orders", 1, b"bad"), ("pay", 0, b"good")],
        ),
        9,
    );
    assert_eq!(
        talk.to_upstream,
        produce(5, -1, &[("orders", 0, b"good"), ("pay", 0, b"good")])
    );
    assert!(talk.to_client.is_empty());
    talk.broker(&produced(5, &[("orders", 0, 17), ("pay", 0, 3)]), 5);
    let answers = frames(&talk.to_client);
    assert_eq!(answers.len(), 1);
    let answer = ProduceResponse::read(&answers[0].1, 7).unwrap();
    let find = |topic: &str, partition: i32| {
        let name = TopicName::Name(topic.to_owned());
        let (_, partitions) = answer.topics.iter().find(|(topic, _)| *topic == name).unwrap();
        partitions
            .iter()
            .find(|answer| answer.partition == partition)
            .unwrap()
            .error_code
    };
    assert_eq!(find("orders", 0), ErrorCode::NONE);
    assert_eq!(find("orders", 1), ErrorCode::INVALID_RECORD);
    assert_eq!(find("pay", 0), ErrorCode::NONE);
    assert_eq!(talk.world.fates[1], ("orders".to_owned(), 1, Fate::Refused));
}

#[test]
fn our_own_answer_waits_for_the_answers_before_it() {
    let mut talk = Conversation::new();
    talk.client(&produce(1, 1, &[("orders", 0, b"good")]), 1000);
    talk.client(&produce(2, 1, &[("orders", 0, b"bad")]), 1000);
    talk.client(&produce(3, 1, &[("orders", 0, b"good")]), 1000);
    assert_eq!(
        frames(&talk.to_upstream).len(),
        2,
        "the refused batch is not forwarded"
    );
    assert!(talk.to_client.is_empty());
    talk.broker(&produced(1, &[("orders", 0, 1)]), 1000);
    talk.broker(&produced(3, &[("orders", 0, 2)]), 1000);
    let order: Vec<i32> = frames(&talk.to_client).iter().map(|(id, _)| *id).collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn a_refusal_without_an_answer_closes_the_connection_after_the_good_partitions() {
    let mut talk = Conversation::new();
    talk.client(
        &produce(1, 0, &[("orders", 0, b"good"), ("orders", 1, b"bad")]),
        1000,
    );
    assert_eq!(talk.to_upstream, produce(1, 0, &[("orders", 0, b"good")]));
    assert_eq!(talk.session.closing(), Some(&CloseReason::RefusedWithoutAnswer));
    assert!(talk.session.is_over());
}

#[test]
fn requests_without_an_answer_are_not_waited_for() {
    let mut talk = Conversation::new();
    talk.client(&produce(1, 0, &[("orders", 0, b"good")]), 1000);
    talk.client(&produce(2, 1, &[("orders", 0, b"good")]), 1000);
    let answer = produced(2, &[("orders", 0, 9)]);
    talk.broker(&answer, 1000);
    assert_eq!(talk.to_client, answer);
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let mut talk = Conversation::new();
    talk.client(&request(ApiKey::API_VERSIONS, 99, 7, b"anything"), 3);
    assert!(talk.to_upstream.is_empty());
    let answers = frames(&talk.to_client);
    let (min, max) = (
        0i16,
        crate::wire::api::client_api(ApiKey::API_VERSIONS)
            .unwrap()
            .version_max,
    );
    let expected = [
        &35i16.to_be_bytes()[..],
        &1i32.to_be_bytes(),
        &18i16.to_be_bytes(),
        &min.to_be_bytes(),
        &max.to_be_bytes(),
    ];
    assert_eq!(answers, [(7, expected.concat())]);
}

#[test]
fn what_is_not_offered_to_clients_closes_the_connection() {
    for (key, version) in [(4, 0), (27, 0), (999, 0), (-1, 0), (0, 2), (0, 14), (1, 3)] {
        let mut talk = Conversation::new();
        talk.client(&request(ApiKey(key), version, 7, b""), 1000);
        assert!(
            matches!(talk.session.closing(), Some(CloseReason::UnsupportedApi { .. })),
            "key {key} version {version}"
        );
        assert!(talk.to_upstream.is_empty());
    }
}

#[test]
fn a_length_out_of_range_closes_the_connection_and_takes_no_memory() {
    for length in [-1, 0, 7, LIMITS.frame_bytes_max as i32 + 1, i32::MAX, i32::MIN] {
        let mut talk = Conversation::new();
        talk.client(&length.to_be_bytes(), 1000);
        assert!(
            matches!(talk.session.closing(), Some(CloseReason::FrameLength { .. })),
            "length {length}"
        );
        assert_eq!(talk.world.reserved, 0);
    }
}

#[test]
fn foreign_protocols_are_named() {
    for (bytes, name) in [
        (&b"GET / HTTP/1.1\r\n"[..], "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01", "TLS"),
    ] {
        let mut talk = Conversation::new();
        talk.client(bytes, 1000);
        let reason = talk.session.closing().unwrap().to_string();
        assert!(reason.contains(name), "{reason}");
    }
}

#[test]
fn an_answer_nobody_asked_for_closes_the_connection() {
    let mut talk = Conversation::new();
    talk.client(&produce(1, 1, &[("orders", 0, b"good")]), 1000);
    talk.broker(&produced(2, &[("orders", 0, 1)]), 1000);
    assert_eq!(
        talk.session.closing(),
        Some(&CloseReason::OutOfStep {
            expected: Some(1),
            actual: 2
        })
    );
    assert!(talk.to_client.is_empty());
}

#[test]
fn brokers_addresses_are_replaced_in_metadata() {
    let mut talk = Conversation::new();
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.array_length(false, Some(1));
    writer.i32(2);
    writer.string(false, "secret-broker");
    writer.i32(9092);
    writer.nullable_string(false, Some("rack-1"));
    writer.i32(2); // controller
    writer.array_length(false, Some(0));
    talk.client(&request(ApiKey::METADATA, 1, 1, &0i32.to_be_bytes()), 1000);
    talk.broker(&response(1, &body), 4);
    let answer = frames(&talk.to_client);
    let view = crate::wire::addresses::MetadataView::read(1, &answer[0].1).unwrap();
    assert_eq!(view.brokers[0].host, "gateway");
    assert_eq!(view.brokers[0].port, 9195);
    assert_eq!(view.brokers[0].rack, Some("rack-1"));
}

/// Version 13 names topics by id.
fn produce_by_id(correlation_id: i32, topic_id: [u8; 16], records: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body);
    writer.nullable_string(true, None);
    writer.i16(-1);
    writer.i32(30_000);
    writer.array_length(true, Some(1));
    writer.raw(&topic_id);
    writer.array_length(true, Some(1));
    writer.i32(0);
    writer.nullable_bytes(true, Some(records));
    writer.raw(&[0, 0, 0]);
    request(ApiKey::PRODUCE, 13, correlation_id, &body)
}

#[test]
fn a_topic_id_that_is_not_known_is_never_let_through() {
    let mut talk = Conversation::new();
    talk.client(&produce_by_id(1, [7; 16], b"good"), 1000);
    assert!(talk.to_upstream.is_empty());
    assert_eq!(talk.world.asked_ids, [[7; 16]]);
    let answers = frames(&talk.to_client);
    let answer = ProduceResponse::read(&answers[0].1[1..], 13).unwrap();
    assert_eq!(answer.topics[0].0, TopicName::Id([7; 16]));
    assert_eq!(answer.topics[0].1[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);

    talk.world.learn_topic([7; 16], "orders");
    let sent = produce_by_id(2, [7; 16], b"good");
    talk.client(&sent, 1000);
    assert_eq!(talk.to_upstream, sent);
}

#[test]
fn raw_sasl_tokens_pass_after_handshake_version_0_and_requests_follow() {
    let mut talk = Conversation::new();
    let mut body = Vec::new();
    Writer::new(&mut body).string(false, "PLAIN");
    let handshake = request(ApiKey::SASL_HANDSHAKE, 0, 1, &body);
    let token = frame(|writer| writer.raw(b"\0user\0secret"));
    let after = produce(2, 1, &[("orders", 0, b"good")]);
    talk.client(&handshake, 1000);
    // A client in a hurry: the token must not be read as a request.
    talk.client(&token, 1000);
    assert_eq!(talk.to_upstream, handshake);
    let agreed = response(1, &[0, 0, 0, 0, 0, 0]);
    talk.broker(&agreed, 1);
    assert_eq!(talk.to_upstream, [&handshake[..], &token].concat());
    talk.broker(&frame(|_| {}), 1);
    talk.client(&after, 11);
    assert_eq!(talk.to_upstream, [&handshake[..], &token, &after].concat());
    assert_eq!(talk.to_client, [&agreed[..], &[0; 4]].concat());
    assert!(talk.world.asks_for_sasl);
}

#[test]
fn memory_is_small_before_authentication() {
    let mut talk = Conversation::new();
    talk.world.asks_for_sasl = true;
    talk.client(&(600i32 << 10).to_be_bytes(), 4);
    assert!(
        matches!(talk.session.closing(), Some(CloseReason::FrameLength { max, .. }) if *max == 512 << 10)
    );
}

#[test]
fn a_client_that_reads_no_answers_is_not_read_from() {
    let mut talk = Conversation::new();
    let one = request(ApiKey::API_VERSIONS, 0, 1, b"");
    let many = one.repeat(1000);
    let taken = talk.client(&many, one.len());
    let forwarded = talk.to_upstream.len() / one.len();
    assert_eq!(forwarded, PENDING_MAX);
    assert!(taken < many.len());
    assert!(talk.session.client_buffer(&mut talk.world).is_none());
}

#[test]
fn a_draining_session_ends_when_what_is_under_way_is_answered() {
    let mut talk = Conversation::new();
    talk.client(&produce(1, 1, &[("orders", 0, b"good")]), 1000);
    talk.session.drain();
    talk.flush();
    assert!(!talk.session.is_over());
    talk.broker(&produced(1, &[("orders", 0, 1)]), 1000);
    assert!(talk.session.is_over());
    assert_eq!(frames(&talk.to_client).len(), 1);
}

#[test]
fn an_idle_session_holds_nothing() {
    let mut talk = Conversation::new();
    let large = vec![b'x'; 500_000];
    talk.client(&produce(1, 1, &[("orders", 0, &large)]), 4096);
    assert!(talk.world.reserved > 0);
    talk.broker(&produced(1, &[("orders", 0, 1)]), 1000);
    talk.session.relax(&mut talk.world);
    assert_eq!(talk.world.reserved, 0);
    assert_eq!(talk.session.reserved_bytes(), 0);
}

/// One step of a script: what the client asks, and what the broker will answer to what reaches it.
#[derive(Clone, Debug)]
enum Step {
    Produce { partitions: Vec<bool>, acks: i16 },
    Fetch { body: Vec<u8> },
    UnknownApiVersions,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (
            proptest::collection::vec(any::<bool>(), 1..4),
            prop_oneof![Just(1i16), Just(-1)]
        )
            .prop_map(|(partitions, acks)| Step::Produce { partitions, acks }),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(|body| Step::Fetch { body }),
        Just(Step::UnknownApiVersions),
    ]
}

proptest! {
    /// Whatever the pieces, and however requests and answers interleave: every request is answered once, in order,
    /// with what belongs to it.
    #[test]
    fn answers_come_in_request_order_whoever_makes_them(
        steps in proptest::collection::vec(step(), 1..20),
        chunks in proptest::collection::vec(1usize..40, 1..8),
        turns in proptest::collection::vec(any::<bool>(), 1..40),
    ) {
        let mut talk = Conversation::new();
        let mut script = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let id = index as i32;
            script.extend(match step {
                Step::Produce { partitions, acks } => {
                    let partitions: Vec<(&str, i32, &[u8])> = partitions
                        .iter()
                        .enumerate()
                        .map(|(at, good)| ("orders", at as i32, if *good { &b"good"[..] } else { b"bad" }))
                        .collect();
                    produce(id, *acks, &partitions)
                }
                Step::Fetch { body } => request(ApiKey::FETCH, 4, id, body),
                Step::UnknownApiVersions => request(ApiKey::API_VERSIONS, 77, id, b""),
            });
        }
        let mut answered = 0;
        let mut client_at = 0;
        let mut turn = 0;
        let mut broker_bytes: Vec<u8> = Vec::new();
        while client_at < script.len() || answered < frames_whole(&talk.to_upstream) || !broker_bytes.is_empty() {
            let chunk = chunks[turn % chunks.len()];
            let clients_turn = turns[turn % turns.len()];
            turn += 1;
            if (clients_turn && client_at < script.len()) || (broker_bytes.is_empty() && answered >= frames_whole(&talk.to_upstream)) {
                let end = (client_at + chunk).min(script.len());
                client_at += talk.client(&script[client_at..end], chunk);
            } else {
                while answered < frames_whole(&talk.to_upstream) {
                    let reached = frames_of_requests(&talk.to_upstream)[answered].clone();
                    broker_bytes.extend(broker_answer(&reached));
                    answered += 1;
                }
                let taken = chunk.min(broker_bytes.len());
                let piece: Vec<u8> = broker_bytes.drain(..taken).collect();
                talk.broker(&piece, chunk);
            }
        }
        prop_assert!(talk.session.closing().is_none(), "{:?}", talk.session.closing());
        let answers = frames(&talk.to_client);
        prop_assert_eq!(answers.len(), steps.len());
        for (index, (step, (id, body))) in steps.iter().zip(&answers).enumerate() {
            prop_assert_eq!(*id, index as i32);
            match step {
                Step::Produce { partitions, .. } => {
                    let answer = ProduceResponse::read(body, 7).unwrap();
                    let mut codes: Vec<(i32, i16)> = answer.topics.iter().flat_map(|(_, partitions)| partitions)
                        .map(|partition| (partition.partition, partition.error_code.0)).collect();
                    codes.sort_unstable();
                    let expected: Vec<(i32, i16)> = partitions.iter().enumerate()
                        .map(|(at, good)| (at as i32, if *good { 0 } else { 87 })).collect();
                    prop_assert_eq!(codes, expected);
                }
                Step::Fetch { body: sent } => prop_assert_eq!(body, sent),
                Step::UnknownApiVersions => prop_assert_eq!(&body[..2], &35i16.to_be_bytes()),
            }
        }
    }
}

fn frames_of_requests(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = bytes;
    let mut out = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if rest.len() < length {
            break;
        }
        let (frame, rest) = rest.split_at(length);
        out.push(frame.to_vec());
        bytes = rest;
    }
    out
}

fn frames_whole(bytes: &[u8]) -> usize {
    frames_of_requests(bytes).len()
}

/// A broker that stores everything, and answers a Fetch with the bytes that it was asked with.
fn broker_answer(request: &[u8]) -> Vec<u8> {
    let (header, body) = crate::wire::header::read_request_header(request).unwrap();
    if header.head.api_key != ApiKey::PRODUCE {
        return response(header.head.correlation_id, body);
    }
    let produce = crate::wire::produce_request::ProduceRequest::read(body, 7).unwrap();
    let partitions: Vec<(&str, i32, i64)> = produce
        .partitions()
        .map(|partition| ("orders", partition.partition, 1))
        .collect();
    produced(header.head.correlation_id, &partitions)
}
