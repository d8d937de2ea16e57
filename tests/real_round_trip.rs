//! What a client sends through the gateway is what Kafka holds, byte for byte, in every compression, checked or not;
//! and a consumer reads through the gateway what it would read directly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::disallowed_methods, reason = "a thread, with no runtime to block")]

mod support;

use std::sync::LazyLock;
use std::time::{Duration, Instant};
use support::clients::{Client, How, Sending, create_topics, kcat_consume, kcat_produce};
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::payloads::Language;
use support::records::{Consumed, Outcome, Record};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Key and value.
type Content<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| Setup::new(&KAFKA.bootstrap()).start());

#[test]
fn javas_records_arrive_as_they_were_sent() {
    arrive_as_sent(Client::Java, "java", "compression.type");
}

#[test]
fn librdkafkas_records_arrive_as_they_were_sent() {
    arrive_as_sent(Client::Python, "python", "compression.codec");
}

#[test]
fn kcats_records_arrive_as_they_were_sent() {
    for codec in CODECS {
        let topic = format!("kcat-{codec}");
        let value = "worth compressing ".repeat(20);
        let lines = [format!("a:{value}"), "b:".to_owned(), format!(":{value}")];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let setting = format!("compression.codec={codec}");
        let sent = kcat_produce(&GATEWAY.bootstrap, &topic, &lines, &[&setting]);
        assert!(sent.status.success(), "{codec}: {sent:#?}\n{}", GATEWAY.said());
        let directly = kcat_consume(&KAFKA.bootstrap(), &topic, &[]);
        assert_eq!(directly.out.lines().count(), 3, "{codec}: {directly:#?}");
        assert!(
            directly
                .out
                .starts_with(&format!("0 a {value} from=kcat\n1 b  from=kcat\n")),
            "{codec}: {directly:#?}"
        );
        let through = kcat_consume(&GATEWAY.bootstrap, &topic, &[]);
        assert_eq!(through.out, directly.out, "{codec}: {through:#?}");
    }
}

#[test]
fn records_without_acknowledgement_arrive_too() {
    create_topics(&KAFKA.bootstrap(), &["fire-and-forget"], 1);
    let records: Vec<Record> = (0..20)
        .map(|number| Record::new("fire-and-forget", 0, &[number; 50]))
        .collect();
    for client in [Client::Java, Client::Python] {
        client.produce(
            &GATEWAY.bootstrap,
            &records,
            How::Together,
            &["acks=0", "enable.idempotence=false"],
        );
    }
    let consumed = Client::Python.consume(&KAFKA.bootstrap(), &["fire-and-forget"], 40, &[]);
    assert_eq!(consumed.len(), 40);
}

#[test]
fn a_restart_in_mid_stream_loses_nothing_and_doubles_nothing() {
    create_topics(&KAFKA.bootstrap(), &["restarted"], 1);
    let mut gateway = Setup::new(&KAFKA.bootstrap()).start();
    let schema = gateway.register("restarted-value", "AVRO", Language::Avro.schema());
    let records: Vec<Record> = (0..100_000)
        .map(|number| Record::new("restarted", 0, &Language::Avro.good(schema, number)))
        .collect();
    let sending = Sending::start(&gateway.bootstrap, &records);
    // The gateway's counters start again with it: these are of what it checked, so the schema is there as well.
    let goes_on = |gateway: &Portcullis| {
        let deadline = Instant::now() + Duration::from_mins(1);
        while gateway.metric("portcullis_records_total", &["restarted", "valid"]) < 100.0 {
            assert!(Instant::now() < deadline, "goes on: {}", gateway.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    for _ in 0..2 {
        goes_on(&gateway);
        let status = gateway.restart();
        assert!(status.success(), "drained: {status}");
    }
    goes_on(&gateway);
    let outcomes = sending.stop();
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    let found = Client::Java.consume(&KAFKA.bootstrap(), &["restarted"], outcomes.len(), &[]);
    assert_eq!(found.len(), outcomes.len());
    assert!(found.iter().zip(&records).all(|(found, sent)| found.is(sent)));
}

/// Sends to an unchecked and a checked topic in each compression, and reads all of them directly and through the
/// gateway.
fn arrive_as_sent(client: Client, prefix: &str, compression: &str) {
    let mut topics = Vec::new();
    for codec in CODECS {
        topics.extend([
            format!("{prefix}-plain-{codec}"),
            format!("{prefix}-checked-{codec}"),
        ]);
    }
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    create_topics(&KAFKA.bootstrap(), &topics, 3);
    let mut sent: Vec<Record> = Vec::new();
    for (codec, pair) in CODECS.iter().zip(topics.chunks(2)) {
        let schema = GATEWAY.register(&format!("{}-value", pair[1]), "AVRO", Language::Avro.schema());
        let mut records = awkward_records(pair[0]);
        records.extend(
            (0..30).map(|number| Record::new(pair[1], number % 3, &Language::Avro.good(schema, number))),
        );
        let setting = format!("{compression}={codec}");
        let outcomes = client.produce(&GATEWAY.bootstrap, &records, How::Together, &[&setting]);
        assert!(
            outcomes.iter().all(Outcome::is_acknowledged),
            "{codec}: {outcomes:#?}\n{}",
            GATEWAY.said()
        );
        sent.extend(records);
    }
    let directly = Client::Java.consume(&KAFKA.bootstrap(), &topics, sent.len(), &[]);
    assert_eq!(directly.len(), sent.len());
    for topic in &topics {
        for partition in 0..3 {
            let wanted: Vec<&Record> = sent
                .iter()
                .filter(|one| one.topic == *topic && one.partition == partition)
                .collect();
            let found: Vec<&Consumed> = directly
                .iter()
                .filter(|one| one.topic == *topic && one.partition == i64::from(partition))
                .collect();
            assert_eq!(wanted.len(), found.len(), "{topic} {partition}");
            for (wanted, found) in wanted.iter().zip(found) {
                assert!(found.is(wanted), "{found:#?} is not {wanted:#?}");
            }
        }
    }
    let through = client.consume(&GATEWAY.bootstrap, &topics, sent.len(), &[]);
    assert_eq!(through, directly);
}

/// Null and empty keys and values, repeated and null headers, bytes that are no text, one large record.
fn awkward_records(topic: &str) -> Vec<Record> {
    let noise: Vec<u8> = (0..100_000u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();

    let contents: [Content<'_>; 6] = [
        (None, Some(b"value")),
        (Some(b""), Some(b"")),
        (Some(b"key"), None),
        (Some(&[0xff, 0, 0xfe]), Some(&[0, 0xc3, 0x28])),
        (Some(b"large"), Some(&noise)),
        (Some(b"same"), Some(&[7; 5000])),
    ];
    (0i32..)
        .zip(contents)
        .map(|(number, (key, value))| Record {
            topic: topic.to_owned(),
            partition: number % 3,
            timestamp_ms: Some(1_700_000_000_000 + i64::from(number) * 1000),
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: vec![
                ("twice".to_owned(), Some(vec![1])),
                ("empty".to_owned(), Some(Vec::new())),
                ("twice".to_owned(), None),
                ("twice".to_owned(), Some(vec![1])),
            ],
        })
        .collect()
}
