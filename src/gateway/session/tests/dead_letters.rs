//! Batches of topics that dead-letter, with a log that answers when the test says so.

use super::*;
use crate::contract::{Action, Policies};
use crate::deadletter::decisions::passed::Passed;
use crate::deadletter::decisions::{Entry, Fold};
use crate::deadletter::letter::Letter;
use crate::wire::batch::{Batch, Records};
use crate::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use crate::wire::compression::Compression;

pub const DECOMPRESSION: DecompressionLimits = DecompressionLimits {
    bytes_max: 1 << 20,
    ratio_max: 128,
};

/// Topics called `dl…` dead-letter.
pub fn rules_for(name: &str) -> TopicRules {
    let mut rules = Policies::default().rules_for(name);
    if name.starts_with("dl") {
        rules.action = Action::DeadLetter(crate::contract::DeadLetter::default());
        rules.dead_letter_topic = Some(format!("{name}.dlq").into());
    }
    rules
}

fn violation(record: u32) -> Violation {
    Violation {
        code: Code::Avro,
        record: record as i32,
        part: Part::Value,
        path: "$.total".to_owned(),
        expected: "expected double".to_owned(),
        schema: None,
        reference: Ulid::nil(),
    }
}

/// Values that begin with `bad` are.
pub fn check(records: &[u8]) -> BatchVerdict {
    let Ok(batch) = Batch::read(records) else {
        return BatchVerdict::Refused {
            records: 0,
            code: Code::Malformed,
            error_code: ErrorCode::CORRUPT_MESSAGE,
            line: "PC-302 batch".to_owned(),
        };
    };
    let values = Records::new(batch.records, batch.header.record_count).map(|record| record.unwrap().value);
    let bad: Vec<u32> = (0..)
        .zip(values)
        .filter(|(_, value)| value.unwrap().starts_with(b"bad"))
        .map(|(index, _)| index)
        .collect();
    let records = batch.header.record_count as u32;
    if bad.is_empty() {
        return BatchVerdict::Valid { records };
    }
    BatchVerdict::Violations {
        records,
        violations: bad.iter().map(|index| violation(*index)).collect(),
        bad_records: bad.into_iter().collect(),
        envelope: Envelope::default(),
    }
}

/// One partition of the log, which does what it is told.
#[derive(Default)]
pub struct FakeLog {
    pub fold: Fold,
    pub passed: Option<Passed>,
    pub letters: Vec<Letter>,
    pub operations: VecDeque<(OperationId, Operation)>,
    pub finished: VecDeque<(OperationId, Outcome)>,
    pub failed: Vec<String>,
    next: OperationId,
}

impl FakeLog {
    pub fn next_step(&mut self, path: &Path) -> Next {
        let passed = self.passed.get_or_insert_with(|| Passed::new(100));
        path.next(&self.fold, passed)
    }

    pub fn passed_whole(&mut self, path: &Path) {
        let passed = self.passed.get_or_insert_with(|| Passed::new(100));
        passed.insert(&path.of, path.batch);
    }

    pub fn start(&mut self, operation: Operation) -> OperationId {
        self.next += 1;
        self.operations.push_back((self.next, operation));
        self.next
    }

    /// Carries out the oldest operation, and names it.
    fn carry_out(&mut self) -> &'static str {
        let (id, operation) = self.operations.pop_front().expect("an operation under way");
        let (name, outcome) = match operation {
            Operation::CatchUp(_) => ("catch up", None),
            Operation::JoinTransaction { .. } => ("join transaction", None),
            Operation::Append { entry, letters, .. } => {
                assert_eq!(entry.records() as usize, letters.len());
                let offset = self.fold.next_offset();
                self.fold.apply(offset, 0, &entry);
                self.letters.extend(letters);
                let name = match entry {
                    Entry::Decision(_) => "decision",
                    Entry::Confirmed { .. } => "confirmed",
                    Entry::Revoked { .. } => "revoked",
                    Entry::Letters { .. } => "letters",
                };
                (name, Some(offset))
            }
        };
        self.finished.push_back((id, Ok(outcome)));
        name
    }

    fn fail(&mut self) {
        let (id, _) = self.operations.pop_front().expect("an operation under way");
        self.finished.push_back((id, Err(LogError::Closed)));
    }
}

impl Conversation {
    /// Lets the log do all that it was asked, and what that leads to.
    pub fn log(&mut self) -> Vec<&'static str> {
        let mut done = Vec::new();
        while !self.world.log.operations.is_empty() {
            done.push(self.world.log.carry_out());
            self.flush();
        }
        done
    }

    /// What the broker got: base sequence and values of each batch.
    fn forwarded(&self) -> Vec<(i32, Vec<String>)> {
        let mut out = Vec::new();
        for (_, _, records) in self.requests() {
            let batch = Batch::read(&records).unwrap();
            let values = Records::new(batch.records, batch.header.record_count)
                .map(|record| String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            out.push((batch.header.base_sequence, values.collect()));
        }
        out
    }

    fn requests(&self) -> Vec<(String, i32, Vec<u8>)> {
        let mut out = Vec::new();
        let mut rest = &self.to_upstream[..];
        while let Some((length, more)) = rest.split_first_chunk::<4>() {
            let (frame, more) = more.split_at(u32::from_be_bytes(*length) as usize);
            let (_, body) = crate::wire::header::read_request_header(frame).unwrap();
            let request = crate::wire::produce_request::ProduceRequest::read(body, 7).unwrap();
            for partition in request.partitions() {
                let crate::wire::produce_request::TopicRef::Name(name) = partition.topic else {
                    panic!()
                };
                out.push((
                    name.to_owned(),
                    partition.partition,
                    partition.records.unwrap().to_vec(),
                ));
            }
            rest = more;
        }
        out
    }

    /// Error code and base offset of each answer to the client, in order.
    fn answers(&self) -> Vec<(i32, i16, i64)> {
        frames(&self.to_client)
            .iter()
            .flat_map(|(id, body)| {
                let answer = ProduceResponse::read(body, 7).unwrap();
                let partitions: Vec<_> = answer
                    .topics
                    .into_iter()
                    .flat_map(|(_, partitions)| partitions)
                    .collect();
                partitions
                    .into_iter()
                    .map(|partition| (*id, partition.error_code.0, partition.base_offset))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn refused_by_broker(&mut self, correlation_id: i32, topic: &str, code: ErrorCode) {
        let answer = ProduceResponse {
            topics: vec![(
                TopicName::Name(topic.to_owned()),
                vec![partition_response(0, code, -1)],
            )],
            ..ProduceResponse::default()
        };
        let mut body = Vec::new();
        answer.write(7, &mut body);
        self.broker(&response(correlation_id, &body), 1000);
    }
}

fn batch(base_sequence: i32, values: &[&str]) -> Vec<u8> {
    batch_of(Some(base_sequence), values, false)
}

fn batch_of(base_sequence: Option<i32>, values: &[&str], transactional: bool) -> Vec<u8> {
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .map(|value| NewRecord {
            timestamp_ms: 1_700_000_000_000,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: vec![(b"trace", Some(b"1")), (b"trace", None)],
        })
        .collect();
    let stamp = base_sequence.map(|base_sequence| ProducerStamp {
        producer_id: 4000,
        producer_epoch: 2,
        base_sequence,
        transactional,
    });
    let mut bytes = Vec::new();
    write_batch(&records, Compression::None, stamp, &mut bytes).unwrap();
    bytes
}

fn send(talk: &mut Conversation, correlation_id: i32, records: &[u8]) {
    talk.client(&produce(correlation_id, -1, &[("dl", 0, records)]), 10_000);
}

#[test]
fn bad_records_leave_their_batch_and_later_ones_are_shifted() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(0, &["a", "bad1", "b", "bad2"]));
    assert!(talk.to_upstream.is_empty(), "nothing goes before it is decided");
    assert_eq!(talk.log(), ["catch up", "decision"]);
    send(&mut talk, 2, &batch(4, &["c", "d"]));
    assert_eq!(
        talk.forwarded(),
        [
            (0, vec!["a".to_owned(), "b".to_owned()]),
            (2, vec!["c".to_owned(), "d".to_owned()])
        ]
    );
    talk.broker(&produced(1, &[("dl", 0, 100)]), 10);
    assert!(
        talk.to_client.is_empty(),
        "the client hears it when the log has it"
    );
    assert_eq!(talk.log(), ["confirmed"]);
    talk.broker(&produced(2, &[("dl", 0, 102)]), 1000);
    assert_eq!(talk.answers(), [(1, 0, 100), (2, 0, 102)]);
    let fates: Vec<Fate> = talk.world.fates.iter().map(|(_, _, fate)| *fate).collect();
    assert_eq!(fates, [Fate::Trimmed, Fate::Forwarded]);
}

#[test]
fn a_dead_letter_is_the_record_and_says_where_it_comes_from() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(7, &["a", "bad1"]));
    talk.log();
    let letter = &talk.world.log.letters[0];
    assert_eq!(
        (letter.key.as_deref(), letter.value.as_deref()),
        (Some(&b"key"[..]), Some(&b"bad1"[..]))
    );
    assert_eq!(letter.timestamp_ms, 1_700_000_000_000);
    let headers: Vec<(String, Option<String>)> = letter
        .headers
        .iter()
        .map(|(name, value)| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(name), value.as_ref().map(|value| text(value)))
        })
        .collect();
    assert_eq!(
        headers[..2],
        [
            ("trace".to_owned(), Some("1".to_owned())),
            ("trace".to_owned(), None)
        ]
    );
    let own: Vec<String> = headers[2..]
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_deref().unwrap()))
        .collect();
    assert_eq!(
        own,
        [
            "__portcullis.topic=dl",
            "__portcullis.partition=0",
            "__portcullis.code=PC-201",
            "__portcullis.message=PC-201 record 1 value: $.total: expected double; ref 00000000000000000000000000",
            "__portcullis.ref=00000000000000000000000000",
            "__portcullis.producer_id=4000",
            "__portcullis.producer_epoch=2",
            "__portcullis.sequence=8",
            "__portcullis.client_id=test-client",
            "__portcullis.client_address=192.0.2.7:50000",
            "__portcullis.gateway=gateway-1",
            "__portcullis.time=1700000000000",
        ]
    );
}

#[test]
fn what_a_redrive_sends_is_refused_where_it_would_be_dead_lettered_and_nothing_waits_for_the_log() {
    let mut talk = Conversation::new();
    let bytes = batch(0, &["a", "bad1", "b", "bad2"]);
    let good = batch(0, &["a", "b"]);
    let redriven = |correlation_id, topic, records: &[u8]| {
        let body = produce_body(-1, &[(topic, 0, records)]);
        request_of(
            crate::deadletter::redrive::CLIENT_ID,
            ApiKey::PRODUCE,
            7,
            correlation_id,
            &body,
        )
    };
    talk.client(&redriven(1, "dl", &bytes), 10_000);
    assert!(talk.to_upstream.is_empty() && talk.world.log.operations.is_empty());
    talk.client(&redriven(2, "dl", &good), 10_000);
    assert_eq!(talk.to_upstream, redriven(2, "dl", &good), "as it is");
    talk.client(&redriven(3, "__portcullis_redrive", &good), 10_000);
    talk.broker(&produced(2, &[("dl", 0, 100)]), 1000);
    let refused = ErrorCode::INVALID_RECORD.0;
    let not_permitted = ErrorCode::TOPIC_AUTHORIZATION_FAILED.0;
    assert_eq!(
        talk.answers(),
        [(1, refused, -1), (2, 0, 100), (3, not_permitted, -1)]
    );
    let fates: Vec<Fate> = talk.world.fates.iter().map(|(_, _, fate)| *fate).collect();
    assert_eq!(fates, [Fate::Refused, Fate::Forwarded]);
    // Anybody else's are dead-lettered still, on the same connection.
    send(&mut talk, 4, &bytes);
    assert_eq!(talk.log(), ["catch up", "decision"]);
}

#[test]
fn what_comes_behind_a_batch_that_is_decided_on_waits() {
    let mut talk = Conversation::new();
    let all = [
        produce(1, -1, &[("dl", 0, &batch(0, &["bad1", "a"]))]),
        request(ApiKey(3), 9, 2, b"metadata"),
        produce(3, -1, &[("dl", 0, &batch(2, &["b"]))]),
    ];
    talk.client(&all.concat(), 10_000);
    assert!(talk.to_upstream.is_empty());
    talk.log();
    assert!(
        talk.to_upstream
            .ends_with(&produce(3, -1, &[("dl", 0, &batch(1, &["b"]))]))
    );
}

#[test]
fn a_batch_that_loses_everything_is_taken_without_the_broker() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(0, &["bad1", "bad2"]));
    assert_eq!(talk.log(), ["catch up", "decision", "confirmed"]);
    assert!(talk.to_upstream.is_empty());
    assert_eq!(talk.answers(), [(1, 0, -1)]);
    send(&mut talk, 2, &batch(2, &["a"]));
    assert_eq!(
        talk.forwarded(),
        [(0, vec!["a".to_owned()])],
        "the broker's first is 0"
    );
}

#[test]
fn a_retry_gets_the_same_decision_whatever_the_policy_says_now() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(0, &["a", "bad1"]));
    talk.log();
    let log = std::mem::take(&mut talk.world.log);
    let mut retry = Conversation::new();
    retry.world.log = FakeLog {
        fold: log.fold,
        ..FakeLog::default()
    };
    send(&mut retry, 1, &batch(0, &["a", "bad1"]));
    assert_eq!(retry.log(), ["catch up"], "it is decided");
    assert_eq!(retry.forwarded(), talk.forwarded());
}

#[test]
fn a_refusal_revokes_the_decision_before_the_client_hears_of_it() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(0, &["a", "bad1"]));
    talk.log();
    talk.refused_by_broker(1, "dl", ErrorCode::MESSAGE_TOO_LARGE);
    assert!(talk.to_client.is_empty());
    assert_eq!(talk.log(), ["revoked"]);
    assert_eq!(talk.answers(), [(1, 10, -1)]);
    // Java splits it: the same base sequence, fewer records.
    send(&mut talk, 2, &batch(0, &["a"]));
    talk.log();
    send(&mut talk, 3, &batch(1, &["bad1"]));
    talk.log();
    talk.broker(&produced(2, &[("dl", 0, 7)]), 1000);
    assert_eq!(talk.log(), ["confirmed"]);
    assert_eq!(talk.answers()[1..], [(2, 0, 7), (3, 0, -1)]);
    assert_eq!(talk.forwarded()[1..], [(0, vec!["a".to_owned()])]);
}

#[test]
fn an_answer_that_says_nothing_leaves_the_decision_open() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(0, &["a", "bad1"]));
    talk.log();
    talk.refused_by_broker(1, "dl", ErrorCode::REQUEST_TIMED_OUT);
    assert_eq!(talk.log(), [""; 0]);
    assert_eq!(talk.answers(), [(1, 7, -1)]);
    send(&mut talk, 2, &batch(0, &["a", "bad1"]));
    assert_eq!(talk.log(), ["catch up"]);
    assert_eq!(talk.forwarded()[0], talk.forwarded()[1]);
}

#[test]
fn a_batch_dropped_whole_behind_one_that_was_not_taken_is_to_be_sent_again() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(0, &["a"]));
    talk.log();
    send(&mut talk, 2, &batch(1, &["bad1"]));
    talk.log();
    assert!(talk.to_client.is_empty());
    talk.refused_by_broker(1, "dl", ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(talk.log(), [""; 0]);
    assert_eq!(talk.answers(), [(1, 10, -1), (2, 20, -1)]);
}

#[test]
fn the_other_partitions_of_a_request_go_the_same_way_at_the_same_time() {
    let mut talk = Conversation::new();
    let whole = batch(0, &["bad1"]);
    let part = batch(0, &["a", "bad1"]);
    let good = batch(0, &["b"]);
    let sent = produce(
        1,
        -1,
        &[
            ("orders", 0, b"bad"),
            ("dl", 0, &whole),
            ("dl", 1, &part),
            ("dl2", 0, &good),
        ],
    );
    talk.client(&sent, 10_000);
    assert_eq!(
        talk.log(),
        ["catch up", "catch up", "catch up", "decision", "decision"]
    );
    let reached: Vec<(String, i32)> = talk
        .requests()
        .into_iter()
        .map(|(topic, partition, _)| (topic, partition))
        .collect();
    assert_eq!(reached, [("dl".to_owned(), 1), ("dl2".to_owned(), 0)]);
    talk.broker(&produced(1, &[("dl", 1, 5), ("dl2", 0, 6)]), 1000);
    assert_eq!(talk.log(), ["confirmed", "confirmed"]);
    let mut answers = talk.answers();
    answers.sort_unstable();
    assert_eq!(answers, [(1, 0, -1), (1, 0, 5), (1, 0, 6), (1, 87, -1)]);
}

#[test]
fn without_sequence_numbers_the_dead_letters_are_written_before_the_rest_goes_on() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch_of(None, &["a", "bad1"], false));
    assert!(talk.to_upstream.is_empty());
    assert_eq!(talk.log(), ["letters"]);
    assert_eq!(talk.forwarded(), [(-1, vec!["a".to_owned()])]);
    talk.broker(&produced(1, &[("dl", 0, 5)]), 1000);
    assert_eq!(talk.answers(), [(1, 0, 5)]);
    send(&mut talk, 2, &batch_of(None, &["bad1"], false));
    assert_eq!(talk.log(), ["letters"]);
    assert_eq!(talk.answers()[1..], [(2, 0, -1)]);
}

#[test]
fn without_an_answer_to_come_a_decision_is_confirmed_first() {
    let mut talk = Conversation::new();
    talk.client(&produce(1, 0, &[("dl", 0, &batch(0, &["a", "bad1"]))]), 1000);
    assert_eq!(talk.log(), ["catch up", "decision", "confirmed"]);
    assert_eq!(talk.forwarded(), [(0, vec!["a".to_owned()])]);
    talk.client(&produce(2, 0, &[("dl", 0, &batch(2, &["bad1"]))]), 1000);
    assert_eq!(talk.log(), ["decision", "confirmed"]);
    assert!(talk.session.closing().is_none() && talk.to_client.is_empty());
}

#[test]
fn when_the_log_cannot_be_written_the_client_is_told_to_try_again() {
    let mut talk = Conversation::new();
    send(&mut talk, 1, &batch(0, &["a", "bad1"]));
    talk.world.log.carry_out();
    talk.flush();
    talk.world.log.fail();
    talk.flush();
    assert!(talk.to_upstream.is_empty());
    assert_eq!(talk.answers(), [(1, 19, -1)]);
    send(&mut talk, 2, &batch(0, &["a", "bad1"]));
    assert_eq!(talk.log(), ["catch up", "decision"]);
    talk.broker(&produced(2, &[("dl", 0, 5)]), 1000);
    talk.world.log.fail();
    talk.flush();
    assert_eq!(talk.answers()[1..], [(2, 20, -1)], "appended, and not confirmed");
    assert_eq!(talk.world.log.failed, ["dl", "dl"]);
}

#[test]
fn nobody_writes_the_gateways_own_topics() {
    let mut talk = Conversation::new();
    talk.client(
        &produce(1, -1, &[("__portcullis_decisions", 0, b"anything")]),
        1000,
    );
    assert!(talk.to_upstream.is_empty());
    assert_eq!(talk.answers(), [(1, 29, -1)]);
}
