//! A bad record may go on with its line in a header, and a good one without framing may get it: neither changes how
//! many records there are, nor their order, nor what else is in them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};
use support::clients::{Client, How, create_topics, python};
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::payloads::{Language, framed};
use support::places::project;
use support::process::run;
use support::records::{Consumed, Outcome, Record, hex};

const POLICIES: &str = r#"
- topics: ["marked-*"]
  value: { level: payload }
  action: mark
- topics: ["raw-pinned"]
  value: { level: payload, framing: raw, subject: raw-latest-value, version: 1, envelope: true }
- topics: ["raw-*", "serialized-*-raw"]
  value: { level: payload, framing: raw }
  envelope: true
- topics: ["both"]
  value: { level: payload, framing: raw, envelope: true }
  key: { level: payload, framing: raw, envelope: true }
  action: mark
"#;

const HEADER: &str = "__portcullis.violation";

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| {
    Setup::new(&KAFKA.bootstrap())
        .policies(POLICIES.trim_start())
        .start()
});

/// The bad ones among the orders of these tests.
fn is_bad(number: usize) -> bool {
    number % 7 == 3
}

/// Orders of one language, with keys, headers and times of their own.
fn orders(topic: &str, language: Language, count: usize) -> Vec<Record> {
    let schema = GATEWAY.register(
        &format!("{topic}-value"),
        language.schema_type(),
        language.schema(),
    );
    // What is older than the broker keeps, it deletes under the reader.
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    (0..count)
        .map(|number| {
            let value = if is_bad(number) {
                language.bad(schema, number as i32)
            } else {
                language.good(schema, number as i32)
            };
            let mut record = Record::new(topic, 0, &value).with_key(format!("key-{number}").as_bytes());
            record.timestamp_ms = Some(now_ms + number as i64 % 5);
            record.headers = vec![
                ("trace".to_owned(), Some(vec![number as u8])),
                ("none".to_owned(), None),
            ];
            record
        })
        .collect()
}

/// Asserts that `consumed` are `sent`, the bad ones with their line behind their own headers.
fn are_marked(consumed: &[Consumed], sent: &[Record], code: &str) {
    assert_eq!(consumed.len(), sent.len(), "{}", sent[0].topic);
    for (number, (found, sent)) in consumed.iter().zip(sent).enumerate() {
        let mut found = found.clone();
        if is_bad(number) {
            let (name, line) = found.headers.pop().unwrap();
            let line = String::from_utf8(from_hex(&line.unwrap())).unwrap();
            assert_eq!(name, HEADER);
            assert!(line.starts_with(&format!("{code} record ")), "{line}");
            assert!(line.contains("; ref 01"), "{line}");
        }
        assert!(found.is(sent), "{number}: {found:#?}\n{sent:#?}");
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn consume(topic: &str, count: usize) -> Vec<Consumed> {
    Client::Java.consume(&KAFKA.bootstrap(), &[topic], count, &[])
}

#[test]
fn a_marked_record_arrives_with_its_line_and_the_others_as_they_were_sent() {
    let mut sent: Vec<(String, Language, Vec<Record>)> = Vec::new();
    for (client, word) in [(Client::Java, "java"), (Client::Python, "python")] {
        for (language, codec) in [
            (Language::Avro, "none"),
            (Language::Protobuf, "gzip"),
            (Language::Json, "snappy"),
            (Language::Avro, "lz4"),
            (Language::Json, "zstd"),
        ] {
            let topic = format!("marked-{word}-{codec}");
            create_topics(&KAFKA.bootstrap(), &[&topic], 1);
            let records = orders(&topic, language, 100);
            let settings = [&*format!("compression.type={codec}"), "enable.idempotence=true"];
            let outcomes = client.produce(&GATEWAY.bootstrap, &records, How::Together, &settings);
            for (number, outcome) in outcomes.iter().enumerate() {
                let expected = Outcome::Acknowledged {
                    partition: 0,
                    offset: number as i64,
                };
                assert_eq!(*outcome, expected, "{topic}");
            }
            let counted = |verdict: &str| {
                let labels = [&*format!("topic=\"{topic}\""), &*format!("verdict=\"{verdict}\"")];
                GATEWAY.metric("portcullis_records_total", &labels)
            };
            let bad = (0..100).filter(|number| is_bad(*number)).count() as f64;
            assert!((counted("observed") - bad).abs() < 0.5, "{topic}");
            assert!((counted("valid") - (100.0 - bad)).abs() < 0.5, "{topic}");
            sent.push((topic, language, records));
        }
    }
    let topics: Vec<&str> = sent.iter().map(|(topic, ..)| topic.as_str()).collect();
    for reader in [Client::Java, Client::Python] {
        let consumed = reader.consume(&KAFKA.bootstrap(), &topics, 1000, &[]);
        for (topic, language, records) in &sent {
            let of_topic: Vec<Consumed> = consumed
                .iter()
                .filter(|found| found.topic == *topic)
                .cloned()
                .collect();
            are_marked(&of_topic, records, language.code());
        }
    }
}

#[test]
fn a_producer_that_sends_on_keeps_its_sequence() {
    create_topics(&KAFKA.bootstrap(), &["marked-apart"], 1);
    let records = orders("marked-apart", Language::Json, 30);
    let outcomes = Client::Java.produce(
        &GATEWAY.bootstrap,
        &records,
        How::Apart,
        &["enable.idempotence=true"],
    );
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    are_marked(&consume("marked-apart", 30), &records, "PC-203");
}

#[test]
fn marked_records_stay_in_their_transaction() {
    create_topics(&KAFKA.bootstrap(), &["marked-committed", "marked-aborted"], 1);
    let committed = orders("marked-committed", Language::Avro, 20);
    let aborted = orders("marked-aborted", Language::Avro, 20);
    for (records, how) in [(&committed, How::Commit), (&aborted, How::Abort)] {
        let settings = [&*format!("transactional.id=mark-{how:?}")];
        let lines = Client::Java.produce_lines(&GATEWAY.bootstrap, records, how, &settings);
        assert!(lines.last().unwrap()["transaction"].is_string(), "{lines:#?}");
    }
    let topics = ["marked-committed", "marked-aborted"];
    let settings = ["isolation.level=read_committed"];
    let consumed = Client::Java.consume(&KAFKA.bootstrap(), &topics, 20, &settings);
    are_marked(&consumed, &committed, "PC-201");
}

#[test]
fn without_acknowledgement_too() {
    create_topics(&KAFKA.bootstrap(), &["marked-silent"], 1);
    let records = orders("marked-silent", Language::Avro, 20);
    let settings = ["acks=0", "enable.idempotence=false"];
    Client::Java.produce(&GATEWAY.bootstrap, &records, How::Together, &settings);
    are_marked(&consume("marked-silent", 20), &records, "PC-201");
}

#[test]
fn confluents_deserializers_read_what_was_sent_without_framing() {
    for language in ["avro", "protobuf", "json"] {
        let topic = format!("serialized-{language}-raw");
        create_topics(&KAFKA.bootstrap(), &[&topic], 1);
        let mut command = python("serializers.py");
        command.extend([
            format!("http://{}", GATEWAY.registry),
            GATEWAY.bootstrap.clone(),
            topic,
            language.to_owned(),
            "raw".to_owned(),
            project("tests/real/python/order.proto")
                .to_str()
                .unwrap()
                .to_owned(),
        ]);
        let ran = run(&command);
        assert!(ran.status.success(), "{ran:#?}\n{}", GATEWAY.said());
        let lines = ran.json_lines();
        let as_sent: Vec<_> = lines.iter().filter_map(|line| line.get("as_sent")).collect();
        assert_eq!(as_sent, [true, true, true], "{lines:#?}");
        // 87: INVALID_RECORD.
        let bad = lines.iter().find_map(|line| line.get("bad_payload"));
        assert_eq!(bad.unwrap()["code"], 87, "{lines:#?}");
    }
}

#[test]
fn a_new_latest_version_governs_at_once_and_a_pinned_one_as_before() {
    create_topics(&KAFKA.bootstrap(), &["raw-latest", "raw-pinned"], 1);
    let schema = |required: &str| format!(r#"{{"type":"object","required":["{required}"]}}"#);
    let send = |topic: &str, value: &[u8]| {
        let record = Record::new(topic, 0, value).with_key(b"key");
        Client::Java.produce(&GATEWAY.bootstrap, &[record], How::Together, &[])
    };
    let nothing = &send("raw-latest", b"{\"a\":1}")[0];
    assert!(
        nothing
            .message()
            .contains("PC-104 record 0 value: subject raw-latest-value has no schema")
    );
    let first = GATEWAY.register("raw-latest-value", "JSON", &schema("a"));
    assert!(send("raw-latest", b"{\"a\":1}")[0].is_acknowledged());
    assert!(send("raw-pinned", b"{\"a\":1}")[0].is_acknowledged());
    let second = GATEWAY.register("raw-latest-value", "JSON", &schema("b"));
    let refused = &send("raw-latest", b"{\"a\":1}")[0];
    assert!(
        refused.message().starts_with("PC-203 record 0 value: $"),
        "{refused:?}"
    );
    assert!(refused.message().contains("(raw-latest-value v2)"), "{refused:?}");
    assert!(send("raw-latest", b"{\"b\":1}")[0].is_acknowledged());
    assert!(send("raw-pinned", b"{\"a\":2}")[0].is_acknowledged());
    assert!(!send("raw-pinned", b"{\"b\":2}")[0].is_acknowledged());
    let values = |topic: &str| -> Vec<String> {
        consume(topic, 2)
            .iter()
            .filter_map(|found| found.value.clone())
            .collect()
    };
    let of = |schema: u32, text: &[u8]| hex(Some(&framed(schema, &[], text)));
    assert_eq!(
        values("raw-latest"),
        [of(first, b"{\"a\":1}"), of(second, b"{\"b\":1}")]
    );
    assert_eq!(
        values("raw-pinned"),
        [of(first, b"{\"a\":1}"), of(first, b"{\"a\":2}")]
    );
}

#[test]
fn keys_and_values_are_framed_by_their_own_schemas_and_what_is_null_or_bad_is_not() {
    create_topics(&KAFKA.bootstrap(), &["both"], 1);
    let key = GATEWAY.register("both-key", "AVRO", "\"string\"");
    let value = GATEWAY.register("both-value", "AVRO", "\"long\"");
    let good = Record::new("both", 0, &[0x54]).with_key(b"\x04id");
    let mut tombstone = good.clone();
    tombstone.value = None;
    let mut keyless = good.clone();
    keyless.key = None;
    let bad = Record::new("both", 0, &[]).with_key(b"\x04id");
    let records = [good, tombstone, keyless, bad];
    for client in [Client::Java, Client::Python] {
        let outcomes = client.produce(
            &GATEWAY.bootstrap,
            &records,
            How::Together,
            &["compression.type=zstd"],
        );
        assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    }
    let framed_key = Some(hex(Some(&framed(key, &[], b"\x04id"))));
    let framed_value = Some(hex(Some(&framed(value, &[], &[0x54]))));
    let consumed = consume("both", 8);
    assert_eq!(consumed.len(), 8);
    for four in consumed.chunks(4) {
        let pairs: Vec<_> = four
            .iter()
            .map(|found| (found.key.clone(), found.value.clone()))
            .collect();
        assert_eq!(
            pairs,
            [
                (framed_key.clone(), framed_value.clone()),
                (framed_key.clone(), None),
                (None, framed_value.clone()),
                (Some(hex(Some(b"\x04id"))), Some(String::new())),
            ]
        );
        let marked: Vec<usize> = four.iter().map(|found| found.headers.len()).collect();
        assert_eq!(marked, [0, 0, 0, 1]);
    }
}
