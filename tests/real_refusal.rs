//! A bad record is refused with its index, its place and its schema; a good one is not held back by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::sync::LazyLock;
use support::clients::{Client, How, administer, create_topics};
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::payloads::{Language, framed};
use support::records::{Outcome, Record};

const POLICIES: &str = r#"
- topics: ["observed-*"]
  value: { level: payload }
  action: observe
- topics: ["/ids-[a-z]+/"]
  value: { level: schema_id }
- topics: ["strict-*"]
  value: { level: payload }
  null_value: reject
- topics: ["exact-*"]
  value: { level: payload }
  unknown_fields: reject
  formats: assert
- topics: ["off-*"]
  value: { level: "off" }
- topics: ["literal"]
  value: { level: payload, subject: orders-of-the-shop }
- topics: ["*"]
  value: { level: auto }
  key: { level: auto }
"#;

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| {
    Setup::new(&KAFKA.bootstrap())
        .policies(POLICIES.trim_start())
        .start()
});

#[test]
fn in_a_batch_of_many_each_bad_record_has_its_own_line_and_nothing_is_appended() {
    let mut records = Vec::new();
    let mut schemas = Vec::new();
    let languages = languages("many");
    for (language, topic) in &languages {
        let schema = subject_of(*language, topic);
        schemas.push(schema);
        records.extend((0..6).map(|number| match number {
            1 | 4 => Record::new(topic, 0, &language.bad(schema, number)),
            _ => Record::new(topic, 0, &language.good(schema, number)),
        }));
    }
    let outcomes = java(&records, How::Together);
    for ((language, topic), (schema, outcomes)) in
        languages.iter().zip(schemas.iter().zip(outcomes.chunks(6)))
    {
        for (index, outcome) in outcomes.iter().enumerate() {
            assert!(!outcome.is_acknowledged(), "{topic}: {outcome:?}");
            if index == 1 || index == 4 {
                is_refused(outcome, language.code(), index, "value");
                let message = outcome.message();
                assert!(message.contains(language.bad_path()), "{message}");
                assert!(
                    message.contains(&format!("; schema {schema} ({topic}-value v1); ref ")),
                    "{message}"
                );
            } else {
                assert!(!outcome.message().contains("PC-"), "{outcome:?}");
            }
        }
        assert_eq!(end_of(topic), 0, "{topic}");
    }
}

#[test]
fn in_batches_of_one_only_the_bad_are_refused() {
    for (language, topic) in languages("one") {
        let schema = subject_of(language, &topic);
        let records: Vec<Record> = (0..5)
            .map(|number| match number {
                1 | 3 => Record::new(&topic, 0, &language.bad(schema, number)),
                _ => Record::new(&topic, 0, &language.good(schema, number)),
            })
            .collect();
        let outcomes = java(&records, How::Apart);
        for (number, outcome) in outcomes.iter().enumerate() {
            match number {
                1 | 3 => is_refused(outcome, language.code(), 0, "value"),
                _ => assert!(outcome.is_acknowledged(), "{topic} {number}: {outcome:?}"),
            }
        }
        assert_eq!(end_of(&topic), 3, "{topic}");
        assert!((counted("portcullis_records_total", &topic, "rejected") - 2.0).abs() < 0.5);
        assert!((counted("portcullis_records_total", &topic, "valid") - 3.0).abs() < 0.5);
    }
}

#[test]
fn every_compression_is_opened() {
    create_topics(&KAFKA.bootstrap(), &["compressed"], 1);
    let schema = subject_of(Language::Avro, "compressed");
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let records: Vec<Record> = (0..50)
            .map(|number| Record::new("compressed", 0, &Language::Avro.good(schema, number)))
            .collect();
        let setting = format!("compression.type={codec}");
        let good = Client::Java.produce(&GATEWAY.bootstrap, &records, How::Together, &[&setting]);
        assert!(good.iter().all(Outcome::is_acknowledged), "{codec}: {good:#?}");
        let mut records = records;
        records[37].value = Some(Language::Avro.bad(schema, 37));
        let bad = Client::Java.produce(&GATEWAY.bootstrap, &records, How::Together, &[&setting]);
        is_refused(&bad[37], "PC-201", 37, "value");
    }
    assert_eq!(end_of("compressed"), 200);
}

#[test]
fn keys_are_checked_as_values_are() {
    create_topics(&KAFKA.bootstrap(), &["keyed"], 3);
    let key = GATEWAY.register("keyed-key", "JSON", r#"{"type":"integer"}"#);
    let value = subject_of(Language::Avro, "keyed");
    let record = |partition, key: Vec<u8>, value| Record::new("keyed", partition, value).with_key(&key);
    let good = Language::Avro.good(value, 1);
    let outcomes = java(
        &[
            record(0, framed(key, &[], b"7"), &good),
            record(1, framed(key, &[], b"\"seven\""), &good),
            record(2, framed(key, &[], b"7"), &Language::Avro.bad(value, 1)),
        ],
        How::Together,
    );
    assert!(outcomes[0].is_acknowledged(), "{outcomes:?}");
    is_refused(&outcomes[1], "PC-203", 0, "key");
    is_refused(&outcomes[2], "PC-201", 0, "value");
}

#[test]
fn the_other_partitions_of_a_request_succeed() {
    create_topics(&KAFKA.bootstrap(), &["half", "half-neighbour"], 3);
    let schema = subject_of(Language::Json, "half");
    let good = Language::Json.good(schema, 1);
    let outcomes = java(
        &[
            Record::new("half", 0, &good),
            Record::new("half", 1, &Language::Json.bad(schema, 1)),
            Record::new("half", 2, &good),
            Record::new("half-neighbour", 0, b"anything"),
        ],
        How::Together,
    );
    is_refused(&outcomes[1], "PC-203", 0, "value");
    for index in [0, 2, 3] {
        assert!(outcomes[index].is_acknowledged(), "{outcomes:#?}");
    }
    // The refused batch of an idempotent producer must not poison what it sends next.
    let again = java(&[Record::new("half", 1, &good)], How::Together);
    assert!(again[0].is_acknowledged(), "{again:?}");
}

#[test]
fn what_is_framed_wrongly_has_a_code_of_its_own() {
    create_topics(
        &KAFKA.bootstrap(),
        &["framing", "framing-protobuf", "ids-only"],
        6,
    );
    let schema = subject_of(Language::Avro, "framing");
    let protobuf = subject_of(Language::Protobuf, "framing-protobuf");
    let ids = subject_of(Language::Avro, "ids-only");
    let stranger = GATEWAY.register("framing-stranger", "JSON", r#"{"type":"object"}"#);
    let payload = &Language::Avro.good(schema, 1)[5..];
    let outcomes = java(
        &[
            Record::new("framing", 0, b"plain text"),
            Record::new("framing", 1, &framed(999_999, &[], payload)),
            Record::new("framing", 2, &framed(stranger, &[], b"{}")),
            Record::new("framing", 3, &[0, 0, 0]),
            Record::new("framing", 4, &framed(0, &[], payload)),
            Record::new("framing", 5, b""),
            // Message indexes [7]: one index, zig-zag.
            Record::new("framing-protobuf", 0, &framed(protobuf, &[2, 14], b"")),
            // Message indexes [1, 0]: Other.Inner.
            Record::new(
                "framing-protobuf",
                1,
                &framed(protobuf, &[4, 2, 0], b"\x0a\x02hi"),
            ),
            Record::new("ids-only", 0, &framed(ids, &[], b"no order at all")),
            Record::new("ids-only", 1, &framed(999_999, &[], payload)),
            Record::new("ids-only", 2, &framed(stranger, &[], b"{}")),
            Record::new("ids-only", 3, b"plain text"),
        ],
        How::Together,
    );
    for (index, code) in [
        (0, "PC-101"),
        (1, "PC-102"),
        (2, "PC-103"),
        (3, "PC-101"),
        (4, "PC-102"),
        (5, "PC-101"),
        (6, "PC-105"),
        (9, "PC-102"),
        (10, "PC-103"),
        (11, "PC-101"),
    ] {
        is_refused(&outcomes[index], code, 0, "value");
    }
    for index in [7, 8] {
        assert!(outcomes[index].is_acknowledged(), "{index}: {outcomes:#?}");
    }
}

#[test]
fn a_null_value_passes_unless_the_policy_forbids_it() {
    create_topics(&KAFKA.bootstrap(), &["lenient", "strict-one"], 1);
    subject_of(Language::Avro, "lenient");
    subject_of(Language::Avro, "strict-one");
    let null = |topic: &str| {
        Record {
            value: None,
            ..Record::new(topic, 0, b"")
        }
        .with_key(b"key")
    };
    let outcomes = java(&[null("lenient"), null("strict-one")], How::Together);
    assert!(outcomes[0].is_acknowledged(), "{outcomes:?}");
    is_refused(&outcomes[1], "PC-106", 0, "value");
}

#[test]
fn unknown_fields_and_formats_are_refused_where_the_policy_says_so() {
    create_topics(
        &KAFKA.bootstrap(),
        &["exact-protobuf", "exact-json", "loose-protobuf", "loose-json"],
        1,
    );
    let proto = "syntax = \"proto3\"; message Order { string id = 1; }";
    let json = r#"{"type":"object","properties":{"at":{"type":"string","format":"date-time"}}}"#;
    let record = |topic: &str, schema_type: &str, text: &str, indexes: &[u8], payload: &[u8]| {
        let schema = GATEWAY.register(&format!("{topic}-value"), schema_type, text);
        Record::new(topic, 0, &framed(schema, indexes, payload))
    };
    // Field 2 is none of the order's.
    let unknown = |topic: &str| record(topic, "PROTOBUF", proto, &[0], &[0x0a, 1, b'a', 0x10, 5]);
    let dated = |topic: &str, at: &str| {
        let payload = format!("{{\"at\":\"{at}\"}}");
        record(topic, "JSON", json, &[], payload.as_bytes())
    };
    let outcomes = java(
        &[
            unknown("exact-protobuf"),
            unknown("loose-protobuf"),
            dated("exact-json", "yesterday"),
            dated("exact-json", "2026-11-25T01:30:00Z"),
            dated("loose-json", "yesterday"),
        ],
        How::Apart,
    );
    is_refused(&outcomes[0], "PC-202", 0, "value");
    let message = outcomes[0].message();
    assert!(
        message.contains("no field with number 2 in message Order"),
        "{message}"
    );
    is_refused(&outcomes[2], "PC-203", 0, "value");
    assert!(outcomes[2].message().contains("$.at: "), "{outcomes:?}");
    for forwarded in [1, 3, 4] {
        assert!(outcomes[forwarded].is_acknowledged(), "{outcomes:?}");
    }
}

#[test]
fn json_that_is_not_json_says_so() {
    create_topics(&KAFKA.bootstrap(), &["no-json"], 1);
    let schema = subject_of(Language::Json, "no-json");
    let outcomes = java(
        &[Record::new("no-json", 0, &framed(schema, &[], b"{\"id\":"))],
        How::Together,
    );
    is_refused(&outcomes[0], "PC-204", 0, "value");
}

#[test]
fn a_schema_governs_from_its_registration_to_its_deletion() {
    create_topics(&KAFKA.bootstrap(), &["governed-later"], 1);
    let raw = Record::new("governed-later", 0, b"plain text");
    assert!(java(std::slice::from_ref(&raw), How::Together)[0].is_acknowledged());
    let schema = subject_of(Language::Json, "governed-later");
    is_refused(
        &java(std::slice::from_ref(&raw), How::Together)[0],
        "PC-101",
        0,
        "value",
    );
    let good = Record::new("governed-later", 0, &Language::Json.good(schema, 1));
    assert!(java(&[good], How::Together)[0].is_acknowledged());
    let deleted = support::http::request(
        "DELETE",
        &GATEWAY.registry,
        "/subjects/governed-later-value",
        None,
    );
    assert_eq!(deleted.expect("the registry answers").status, 200);
    assert!(java(&[raw], How::Together)[0].is_acknowledged());
}

#[test]
fn observe_forwards_and_counts() {
    create_topics(&KAFKA.bootstrap(), &["observed-one"], 1);
    let schema = subject_of(Language::Avro, "observed-one");
    let records = [
        Record::new("observed-one", 0, &Language::Avro.good(schema, 1)),
        Record::new("observed-one", 0, &Language::Avro.bad(schema, 2)),
        Record::new("observed-one", 0, b"plain text"),
    ];
    let outcomes = java(&records, How::Together);
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    let consumed = Client::Java.consume(&KAFKA.bootstrap(), &["observed-one"], 3, &[]);
    assert!(
        consumed.iter().zip(&records).all(|(found, sent)| found.is(sent)),
        "{consumed:#?}"
    );
    assert!((counted("portcullis_records_total", "observed-one", "observed") - 2.0).abs() < 0.5);
    assert!((GATEWAY.metric("portcullis_violations_total", &["observed-one", "PC-201"]) - 1.0).abs() < 0.5);
    assert!((GATEWAY.metric("portcullis_violations_total", &["observed-one", "PC-101"]) - 1.0).abs() < 0.5);
}

#[test]
fn off_passes_anything_and_a_literal_subject_governs() {
    create_topics(&KAFKA.bootstrap(), &["off-limits", "literal"], 2);
    subject_of(Language::Avro, "off-limits");
    let schema = GATEWAY.register("orders-of-the-shop", "PROTOBUF", Language::Protobuf.schema());
    let outcomes = java(
        &[
            Record::new("off-limits", 0, b"plain text"),
            Record::new("literal", 0, &Language::Protobuf.good(schema, 1)),
            Record::new("literal", 1, &Language::Protobuf.bad(schema, 1)),
        ],
        How::Together,
    );
    assert!(
        outcomes[0].is_acknowledged() && outcomes[1].is_acknowledged(),
        "{outcomes:#?}"
    );
    is_refused(&outcomes[2], "PC-202", 0, "value");
}

#[test]
fn librdkafka_and_kcat_see_the_refusal() {
    create_topics(&KAFKA.bootstrap(), &["seen"], 2);
    let schema = subject_of(Language::Json, "seen");
    let records = [
        Record::new("seen", 0, &Language::Json.good(schema, 1)),
        Record::new("seen", 1, &Language::Json.bad(schema, 2)),
    ];
    let outcomes = Client::Python.produce(&GATEWAY.bootstrap, &records, How::Together, &[]);
    assert!(outcomes[0].is_acknowledged(), "{outcomes:?}");
    assert!(
        matches!(&outcomes[1], Outcome::Failed { error, .. } if error.contains("INVALID_RECORD")),
        "{outcomes:?}"
    );
    let kcat = support::clients::kcat_produce(&GATEWAY.bootstrap, "seen", &["key:no framing"], &[]);
    assert!(kcat.err.contains("Broker failed to validate record"), "{kcat:#?}");
    assert_eq!(end_of("seen"), 1);
}

#[test]
fn a_bad_record_without_acknowledgement_closes_the_connection_and_is_not_appended() {
    create_topics(&KAFKA.bootstrap(), &["silent"], 1);
    let schema = subject_of(Language::Avro, "silent");
    let records = [
        Record::new("silent", 0, &Language::Avro.good(schema, 1)),
        Record::new("silent", 0, &Language::Avro.bad(schema, 2)),
        Record::new("silent", 0, &Language::Avro.good(schema, 3)),
    ];
    let settings = ["acks=0", "enable.idempotence=false"];
    Client::Java.produce(&GATEWAY.bootstrap, &records, How::Apart, &settings);
    let consumed = Client::Java.consume(&KAFKA.bootstrap(), &["silent"], 1, &[]);
    assert!(consumed.iter().all(|one| !one.is(&records[1])), "{consumed:#?}");
    assert!(consumed[0].is(&records[0]), "{consumed:#?}");
}

fn java(records: &[Record], how: How) -> Vec<Outcome> {
    Client::Java.produce(&GATEWAY.bootstrap, records, how, &[])
}

/// A topic of one partition for each language, created.
fn languages(test: &str) -> Vec<(Language, String)> {
    let all: Vec<_> = Language::ALL
        .iter()
        .map(|&language| {
            (
                language,
                format!("{test}-{}", language.schema_type().to_lowercase()),
            )
        })
        .collect();
    create_topics(
        &KAFKA.bootstrap(),
        &all.iter().map(|(_, topic)| topic.as_str()).collect::<Vec<_>>(),
        1,
    );
    all
}

/// Registers the language's order under `<topic>-value`.
fn subject_of(language: Language, topic: &str) -> u32 {
    GATEWAY.register(
        &format!("{topic}-value"),
        language.schema_type(),
        language.schema(),
    )
}

/// Asserts KIP-467's answer for one record: the exception's class, and the one line of the reference.
fn is_refused(outcome: &Outcome, code: &str, index: usize, part: &str) {
    let Outcome::Failed { error, message } = outcome else {
        panic!("{code} expected: {outcome:?}");
    };
    assert_eq!(error, "InvalidRecordException", "{message}");
    assert!(
        message.starts_with(&format!("{code} record {index} {part}: ")),
        "{code} {index} {part}: {message}"
    );
    assert!(message.contains("; ref 01"), "{message}");
}

/// How many records partition 0 of `topic` has had, asked of Kafka itself.
fn end_of(topic: &str) -> i64 {
    administer(&KAFKA.bootstrap(), &[&format!("offsets:{topic}")], &[])[0]["ends"][0]
        .as_i64()
        .unwrap()
}

fn counted(metric: &str, topic: &str, verdict: &str) -> f64 {
    GATEWAY.metric(
        metric,
        &[&format!("topic=\"{topic}\""), &format!("verdict=\"{verdict}\"")],
    )
}
