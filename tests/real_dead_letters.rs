//! A bad record leaves its batch: the producer sees success, the topic holds the good ones in order, and the dead-letter
//! topic the bad one, once, as it was, with what is known of it in headers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::disallowed_methods, reason = "threads, with no runtime to block")]

mod support;

use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::Compression;
use std::sync::LazyLock;
use std::thread::{scope, sleep};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::clients::{Client, How, administer, create_topics, java, read_to_end};
use support::conversation::Conversation;
use support::gateway::{Portcullis, Setup};
use support::kafka::{Extras, Kafka};
use support::payloads::Language;
use support::process::{eventually, run};
use support::records::{Consumed, Outcome, Record, hex};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// The log of decisions.
const LOG: &str = "__portcullis_decisions";
const READ_COMMITTED: &[&str] = &["isolation.level=read_committed"];
/// NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT and what else a client tries again after.
const RETRIABLE: [i16; 5] = [3, 5, 6, 7, 19];

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(3));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| {
    let policies = "- { topics: [\"named-*\"], action: { dead_letter: { topic: bad-orders } } }
- { topics: [\"*\"], action: dead_letter }
";
    Setup::new(&KAFKA.bootstrap()).policies(policies).start()
});

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as i64
}

/// Orders of partition 0 with all that a record can have; every fifth is bad, and three in a row.
fn mixed(topic: &str, schema: u32, count: i32) -> Vec<Record> {
    let time = now_ms() - 3_600_000;
    (0..count)
        .map(|number| Record {
            timestamp_ms: Some(time + i64::from(number)),
            key: (number % 3 > 0).then(|| format!("key-{number}").into_bytes()),
            headers: vec![
                ("trace".to_owned(), Some(vec![number as u8, 0xff])),
                ("trace".to_owned(), None),
                (String::from("empty"), Some(Vec::new())),
            ],
            ..Record::new(topic, 0, &order(schema, number))
        })
        .collect()
}

fn is_bad(number: i32) -> bool {
    number % 5 == 2 || (20..23).contains(&number)
}

fn order(schema: u32, number: i32) -> Vec<u8> {
    if is_bad(number) {
        Language::Avro.bad(schema, number)
    } else {
        Language::Avro.good(schema, number)
    }
}

fn register(topic: &str) -> u32 {
    GATEWAY.register(&format!("{topic}-value"), "AVRO", Language::Avro.schema())
}

/// The good and the bad of `records`, with their places among them.
fn split(records: &[Record]) -> [Vec<(usize, &Record)>; 2] {
    let (bad, good) = records
        .iter()
        .enumerate()
        .partition(|(index, _)| is_bad(*index as i32));
    [good, bad]
}

/// What `topic` and its dead-letter topic hold, read from the brokers once all of it is there.
fn both(kafka: &Kafka, topic: &str, good: usize, bad: usize) -> [Vec<Consumed>; 2] {
    let letters = format!("{topic}.dlq");
    eventually_holds(kafka, &letters, bad);
    let read = Client::Java.consume(&kafka.bootstrap(), &[topic, &letters], good + bad, READ_COMMITTED);
    let (letters, records) = read.into_iter().partition(|record| record.topic == letters);
    [records, letters]
}

fn eventually_holds(kafka: &Kafka, topic: &str, wanted: usize) {
    eventually(&format!("{topic} holds {wanted}"), || {
        read_to_end(&kafka.bootstrap(), topic).len() >= wanted
    });
}

/// Who sent a batch, as far as a dead letter says it.
#[derive(Clone, Copy)]
struct Sender<'a> {
    numbered: bool,
    transactional_id: Option<&'a str>,
    client_id: &'a str,
}

const fn numbered(client_id: &str) -> Sender<'_> {
    Sender {
        numbered: true,
        transactional_id: None,
        client_id,
    }
}

fn own<'a>(letter: &'a Consumed, name: &str) -> Option<&'a str> {
    let name = format!("__portcullis.{name}");
    let mut found = letter.headers.iter().filter(|(key, _)| *key == name);
    let first = found.next().map(|(_, value)| value.as_deref().unwrap());
    assert!(found.next().is_none(), "{name} comes twice: {letter:#?}");
    first
}

fn text(letter: &Consumed, name: &str) -> Option<String> {
    let hex = own(letter, name)?;
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    Some(String::from_utf8(bytes).unwrap())
}

/// Holds a dead letter against the record that it was, `sequence` of its producer, and to the letter of the interface.
fn assert_letter(letter: &Consumed, sent: &Record, sequence: usize, schema: u32, sender: Sender<'_>) {
    let plain = Consumed {
        topic: sent.topic.clone(),
        headers: letter
            .headers
            .iter()
            .filter(|(name, _)| !name.starts_with("__portcullis"))
            .cloned()
            .collect(),
        ..letter.clone()
    };
    assert!(plain.is(sent), "{letter:#?}\nis not {sent:#?}");
    let says = |name: &str| text(letter, name);
    let wanted = |name: &str| says(name).unwrap_or_else(|| panic!("no {name}: {letter:#?}"));
    let topic = sent.topic.as_str();
    assert_eq!(wanted("topic"), topic);
    assert_eq!(wanted("partition"), sent.partition.to_string());
    assert_eq!(wanted("code"), "PC-201");
    let reference = wanted("ref");
    let message = wanted("message");
    assert!(
        message.starts_with("PC-201 record ") && message.contains(" value: $."),
        "{message}"
    );
    let closing = format!("; schema {schema} ({topic}-value v1); ref {reference}");
    assert!(message.ends_with(&closing), "{message}");
    assert_eq!(wanted("schema_id"), schema.to_string());
    assert_eq!(wanted("subject"), format!("{topic}-value"));
    assert_eq!(wanted("version"), "1");
    if sender.numbered {
        assert!(wanted("producer_id").parse::<i64>().unwrap() >= 0);
        assert!(wanted("producer_epoch").parse::<i16>().unwrap() >= 0);
        assert_eq!(wanted("sequence"), sequence.to_string());
    } else {
        for name in ["producer_id", "producer_epoch", "sequence"] {
            assert_eq!(says(name), None);
        }
    }
    assert_eq!(says("transactional_id").as_deref(), sender.transactional_id);
    assert_eq!(wanted("client_id"), sender.client_id);
    assert!(wanted("client_address").starts_with("127.0.0.1:"));
    assert!(!wanted("gateway").is_empty());
    let age = now_ms() - wanted("time").parse::<i64>().unwrap();
    assert!((0..120_000).contains(&age), "{age} ms old");
}

/// Sends mixed records in every codec; the topic and its dead letters are what they must be.
fn arrive_apart(client: Client, name: &str, codec_setting: &str, settings: &[&str], sender: Sender<'_>) {
    let topics = CODECS.map(|codec| format!("{name}-{codec}"));
    create_topics(&KAFKA.bootstrap(), &topics.each_ref().map(String::as_str), 2);
    let sent: Vec<_> = CODECS
        .iter()
        .zip(&topics)
        .map(|(codec, topic)| {
            let schema = register(topic);
            let records = mixed(topic, schema, 40);
            let codec = format!("{codec_setting}={codec}");
            let settings = [&[codec.as_str()], settings].concat();
            let outcomes = client.produce(&GATEWAY.bootstrap, &records, How::Together, &settings);
            assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
            (topic, schema, records)
        })
        .collect();
    for (topic, schema, records) in &sent {
        let [good, bad] = split(records);
        let [read, letters] = both(&KAFKA, topic, good.len(), bad.len());
        assert_eq!(read.len(), good.len(), "{topic}: {read:#?}");
        for ((_, good), read) in good.iter().zip(&read) {
            assert!(read.is(good), "{topic}: {read:#?}\nis not {good:#?}");
        }
        assert_eq!(letters.len(), bad.len(), "{topic}: {letters:#?}");
        for ((sequence, bad), letter) in bad.iter().zip(&letters) {
            assert_letter(letter, bad, *sequence, *schema, sender);
        }
    }
}

#[test]
fn javas_bad_records_leave_their_batches_in_every_codec() {
    let settings = ["client.id=java-1"];
    arrive_apart(
        Client::Java,
        "java",
        "compression.type",
        &settings,
        numbered("java-1"),
    );
}

#[test]
fn librdkafkas_bad_records_leave_their_batches_in_every_codec() {
    let settings = ["client.id=python-1", "enable.idempotence=true"];
    let sender = numbered("python-1");
    arrive_apart(Client::Python, "python", "compression.codec", &settings, sender);
}

#[test]
fn bad_records_of_producers_without_sequence_numbers_leave_their_batches_too() {
    let sender = Sender {
        numbered: false,
        ..numbered("plain")
    };
    for (name, client, settings) in [
        (
            "plain-all",
            Client::Java,
            ["enable.idempotence=false", "acks=all"],
        ),
        (
            "plain-leader",
            Client::Java,
            ["enable.idempotence=false", "acks=1"],
        ),
        (
            "plain-nobody",
            Client::Java,
            ["enable.idempotence=false", "acks=0"],
        ),
        (
            "plain-python",
            Client::Python,
            ["enable.idempotence=false", "acks=1"],
        ),
        (
            "plain-python-nobody",
            Client::Python,
            ["enable.idempotence=false", "acks=0"],
        ),
    ] {
        create_topics(&KAFKA.bootstrap(), &[name], 1);
        let schema = register(name);
        let records = mixed(name, schema, 40);
        let settings = [&settings[..], &["client.id=plain"]].concat();
        let outcomes = client.produce(&GATEWAY.bootstrap, &records, How::Together, &settings);
        assert!(
            outcomes.iter().all(Outcome::is_acknowledged),
            "{name}: {outcomes:#?}"
        );
        let [good, bad] = split(&records);
        let [read, letters] = both(&KAFKA, name, good.len(), bad.len());
        assert_eq!(read.len(), good.len(), "{name}: {read:#?}");
        for ((_, good), read) in good.iter().zip(&read) {
            assert!(read.is(good), "{name}: {read:#?}\nis not {good:#?}");
        }
        assert_eq!(letters.len(), bad.len(), "{name}: {letters:#?}");
        for ((sequence, bad), letter) in bad.iter().zip(&letters) {
            assert_letter(letter, bad, *sequence, schema, sender);
        }
    }
}

#[test]
fn a_batch_that_loses_all_its_records_succeeds_without_an_offset_and_the_next_ones_arrive() {
    create_topics(&KAFKA.bootstrap(), &["whole"], 5);
    let schema = register("whole");
    // Each a batch of its own: bad, bad, good, bad, good.
    let numbers = [2, 7, 1, 12, 3];
    let records: Vec<Record> = numbers
        .iter()
        .map(|number| Record::new("whole", 4, &order(schema, *number)))
        .collect();
    let outcomes = Client::Java.produce(&GATEWAY.bootstrap, &records, How::Apart, &["client.id=whole"]);
    let offsets: Vec<i64> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Acknowledged { partition: 4, offset } => *offset,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(offsets, [-1, -1, 0, -1, 1]);
    let [read, letters] = both(&KAFKA, "whole", 2, 3);
    assert_eq!(read.len(), 2, "{read:#?}");
    assert!(read[0].is(&records[2]) && read[1].is(&records[4]), "{read:#?}");
    assert_eq!(letters.len(), 3, "{letters:#?}");
    for (letter, sequence) in letters.iter().zip([0, 1, 3]) {
        assert_letter(letter, &records[sequence], sequence, schema, numbered("whole"));
        assert_eq!(letter.partition, 4);
    }
    let topic = administer(&KAFKA.bootstrap(), &["topic:whole.dlq"], &[]);
    assert_eq!(topic[0]["leaders"].as_array().unwrap().len(), 5, "{topic:#?}");
}

#[test]
fn a_policy_may_name_the_topic_of_its_dead_letters() {
    create_topics(&KAFKA.bootstrap(), &["named-a", "named-b"], 1);
    for topic in ["named-a", "named-b"] {
        let schema = register(topic);
        let records = mixed(topic, schema, 10);
        let outcomes = Client::Java.produce(&GATEWAY.bootstrap, &records, How::Together, &[]);
        assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    }
    eventually_holds(&KAFKA, "bad-orders", 4);
    let letters = Client::Java.consume(&KAFKA.bootstrap(), &["bad-orders"], 4, READ_COMMITTED);
    let mut topics: Vec<_> = letters
        .iter()
        .map(|letter| text(letter, "topic").unwrap())
        .collect();
    topics.sort();
    assert_eq!(topics, ["named-a", "named-a", "named-b", "named-b"]);
}

#[test]
fn what_left_is_counted() {
    create_topics(&KAFKA.bootstrap(), &["counted"], 1);
    let schema = register("counted");
    let records = mixed("counted", schema, 40);
    let [good, bad] = split(&records);
    Client::Java.produce(&GATEWAY.bootstrap, &records, How::Together, &[]);
    let count = |name: &str, label: &str| GATEWAY.metric(name, &["topic=\"counted\"", label]);
    for (verdict, wanted) in [
        ("valid", good.len()),
        ("dead_lettered", bad.len()),
        ("rejected", 0),
    ] {
        let seen = count("portcullis_records_total", &format!("verdict=\"{verdict}\""));
        assert!(
            (seen - wanted as f64).abs() < 0.1,
            "{verdict}: {seen}, not {wanted}"
        );
    }
    let violations = count("portcullis_violations_total", "code=\"PC-201\"");
    assert!((violations - bad.len() as f64).abs() < 0.1, "{violations}");
    assert!(count("portcullis_batches_total", "path=\"trimmed\"") >= 1.0);
}

/// A batch of one record, without a producer.
fn batch(value: &[u8]) -> Vec<u8> {
    let record = NewRecord {
        timestamp_ms: now_ms(),
        value: Some(value),
        ..NewRecord::default()
    };
    let mut batch = Vec::new();
    write_batch(&[record], Compression::None, None, &mut batch).unwrap();
    batch
}

#[test]
fn while_a_broker_is_missing_dead_letters_wait_and_producers_are_told_to_try_again_and_nothing_is_lost() {
    let mut kafka = Kafka::start(2);
    let bootstrap = kafka.bootstrap();
    let gateway = Setup::new(&bootstrap)
        .policies("- { topics: [\"*\"], action: dead_letter }")
        .start();
    let commands = [
        "create:waiting:1:2",
        "create:waiting.dlq:1:2",
        "create:blocked:1:2",
        "alter:waiting.dlq:min.insync.replicas:2",
    ];
    administer(&bootstrap, &commands, &[]);
    kafka.kill(2);
    eventually("the other broker leads everything", || {
        let topics = ["waiting", "blocked", "waiting.dlq", LOG].map(|topic| format!("topic:{topic}"));
        let topics = administer(&bootstrap, &topics.each_ref().map(String::as_str), &[]);
        topics.iter().all(|topic| {
            let leaders = topic["leaders"].as_array().unwrap();
            leaders.iter().all(|leader| leader["id"] == 1)
        })
    });

    // The log can be written, the dead-letter topic cannot: the producer sees nothing of it.
    let schema = gateway.register("waiting-value", "AVRO", Language::Avro.schema());
    let waiting = mixed("waiting", schema, 40);
    let outcomes = Client::Java.produce(
        &gateway.bootstrap,
        &waiting,
        How::Together,
        &["client.id=waiting"],
    );
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    let ends =
        |topic: &str| administer(&bootstrap, &[&format!("offsets:{topic}")], &[])[0]["ends"][0].clone();
    assert_eq!(ends("waiting"), 30);
    assert_eq!(ends("waiting.dlq"), 0);

    // Nor can the log.
    administer(&bootstrap, &[&format!("alter:{LOG}:min.insync.replicas:2")], &[]);
    gateway.register("blocked-value", "AVRO", Language::Avro.schema());
    let mut raw = Conversation::with(&gateway.bootstrap);
    let refused = Language::Avro.bad(schema, 1000);
    let answer = raw.produce(&[("blocked", 0, &batch(&refused))]).unwrap();
    let said = answer[0].error_message.clone().unwrap_or_default();
    assert!(RETRIABLE.contains(&answer[0].error_code.0), "{answer:#?}");
    assert!(said.contains("PC-402"), "{answer:#?}");
    assert!(gateway.metric("portcullis_violations_total", &["code=\"PC-402\""]) >= 1.0);
    let good = batch(&Language::Avro.good(schema, 1001));
    let answer = raw.produce(&[("blocked", 0, &good)]).unwrap();
    assert_eq!(
        answer[0].error_code.0, 0,
        "what is good is forwarded: {answer:#?}"
    );
    let blocked = mixed("blocked", schema, 40);
    let settings = [
        "client.id=blocked",
        "delivery.timeout.ms=80000",
        "request.timeout.ms=15000",
    ];
    scope(|scope| {
        let producer =
            scope.spawn(|| Client::Java.produce(&gateway.bootstrap, &blocked, How::Together, &settings));
        sleep(Duration::from_secs(5));
        assert!(!producer.is_finished(), "it was told the end too early");
        assert_eq!(ends("blocked"), 1, "nothing goes before its decision");
        kafka.restart(2);
        let outcomes = producer.join().unwrap();
        assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    });

    for (topic, sent, before) in [("waiting", &waiting, 0), ("blocked", &blocked, 1)] {
        let [good, bad] = split(sent);
        let [read, mut letters] = both(&kafka, topic, before + good.len(), bad.len());
        // What was refused and not sent again is nobody's; it may be there once.
        let value = Some(hex(Some(&refused)));
        assert!(letters.iter().filter(|letter| letter.value == value).count() <= 1);
        letters.retain(|letter| letter.value != value);
        assert_eq!(read.len(), before + good.len(), "{topic}: {read:#?}");
        for ((_, good), read) in good.iter().zip(&read[before..]) {
            assert!(read.is(good), "{topic}: {read:#?}\nis not {good:#?}");
        }
        assert_eq!(letters.len(), bad.len(), "{topic}: {letters:#?}");
        for ((sequence, bad), letter) in bad.iter().zip(&letters) {
            assert_letter(letter, bad, *sequence, schema, numbered(topic));
        }
    }
}

#[test]
fn dead_letters_of_a_committed_transaction_appear_and_those_of_an_aborted_one_do_not() {
    create_topics(&KAFKA.bootstrap(), &["transactions"], 1);
    let schema = register("transactions");
    let mut wanted: [Vec<Record>; 2] = [Vec::new(), Vec::new()];
    for client in [Client::Java, Client::Python] {
        let name = format!("mixed-{client:?}");
        let settings = [format!("transactional.id={name}"), format!("client.id={name}")];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        for how in [How::Abort, How::Commit, How::Abort, How::Commit] {
            let records = mixed("transactions", schema, 30);
            let lines = client.produce_lines(&GATEWAY.bootstrap, &records, how, &settings);
            let ending = if how == How::Commit { "commit" } else { "abort" };
            assert_eq!(lines[30]["transaction"], ending, "{lines:#?}");
            if how == How::Commit {
                let outcomes: Vec<Outcome> = lines[..30].iter().map(Outcome::read).collect();
                assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
                for (wanted, part) in wanted.iter_mut().zip(split(&records)) {
                    wanted.extend(part.into_iter().map(|(_, record)| record.clone()));
                }
            }
        }
    }
    // What an aborted transaction left behind would come before this.
    let [read, letters] = both(&KAFKA, "transactions", wanted[0].len(), wanted[1].len());
    assert_eq!(read.len(), wanted[0].len(), "{read:#?}");
    assert!(read.iter().zip(&wanted[0]).all(|(read, sent)| read.is(sent)));
    assert_eq!(letters.len(), wanted[1].len(), "{letters:#?}");
    for (at, (letter, sent)) in letters.iter().zip(&wanted[1]).enumerate() {
        let client = if at < letters.len() / 2 {
            "mixed-Java"
        } else {
            "mixed-Python"
        };
        let sequence = text(letter, "sequence").unwrap().parse().unwrap();
        let sender = Sender {
            transactional_id: Some(client),
            ..numbered(client)
        };
        assert_letter(letter, sent, sequence, schema, sender);
    }
}

/// Transactions in which nothing is good, each of its own producer, and one after them.
fn empty_transactions(kafka: &Kafka, gateway: &Portcullis, topic: &str) {
    create_topics(&kafka.bootstrap(), &[topic], 1);
    let schema = gateway.register(&format!("{topic}-value"), "AVRO", Language::Avro.schema());
    let bad = |from: i32| -> Vec<Record> {
        (from..from + 5)
            .map(|number| Record::new(topic, 0, &Language::Avro.bad(schema, number)))
            .collect()
    };
    let mut wanted = Vec::new();
    for (client, from) in [(Client::Java, 0), (Client::Python, 100)] {
        let id = format!("transactional.id={topic}-{client:?}");
        for (how, from) in [
            (How::Commit, from),
            (How::Abort, from + 10),
            (How::Commit, from + 20),
        ] {
            let records = bad(from);
            let lines = client.produce_lines(&gateway.bootstrap, &records, how, &[&id]);
            let ending = if how == How::Commit { "commit" } else { "abort" };
            assert_eq!(lines[5]["transaction"], ending, "{lines:#?}\n{}", gateway.said());
            if how == How::Commit {
                wanted.extend(records);
            }
        }
        let good = [Record::new(topic, 0, &Language::Avro.good(schema, from))];
        let lines = client.produce_lines(&gateway.bootstrap, &good, How::Commit, &[&id]);
        assert_eq!(lines[1]["transaction"], "commit", "{lines:#?}");
    }
    let [read, letters] = both(kafka, topic, 2, wanted.len());
    assert_eq!(read.len(), 2, "{read:#?}");
    let values: Vec<_> = letters.iter().map(|letter| letter.value.clone()).collect();
    let wanted: Vec<_> = wanted
        .iter()
        .map(|record| Some(hex(record.value.as_deref())))
        .collect();
    assert_eq!(values, wanted);
}

#[test]
fn a_transaction_that_loses_all_its_records_commits() {
    empty_transactions(&KAFKA, &GATEWAY, "all-bad");
}

#[test]
fn so_it_does_where_brokers_have_transactions_of_the_first_version() {
    let extras = Extras {
        features: &["transaction.version=1"],
        ..Extras::default()
    };
    let kafka = Kafka::start_with(1, extras);
    let gateway = Setup::new(&kafka.bootstrap())
        .policies("- { topics: [\"*\"], action: dead_letter }")
        .start();
    empty_transactions(&kafka, &gateway, "all-bad-of-old");
}

#[test]
fn consume_transform_produce_parts_good_from_bad_once() {
    create_topics(&KAFKA.bootstrap(), &["parted-from", "parted-to"], 2);
    let schema = register("parted-to");
    let records: Vec<Record> = (0..40)
        .map(|number| {
            let name = format!("order-{number}");
            Record::new("parted-from", number % 2, &order(schema, number)).with_key(name.as_bytes())
        })
        .collect();
    let outcomes = Client::Java.produce(&KAFKA.bootstrap(), &records, How::Together, &[]);
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    let arguments = ["parted-from", "parted-to", "40"].map(str::to_owned).to_vec();
    let server = vec![format!("bootstrap.servers={}", GATEWAY.bootstrap)];
    let command = [java("CopyInTransactions"), arguments, server].concat();
    let lines = run(&command).json_lines();
    assert_eq!(lines[0]["copied"], 40, "{lines:#?}");
    assert_eq!(lines[0]["aborted"], 1);
    assert_eq!(lines[0]["offsets"], 40);
    let [good, bad] = split(&records);
    let [read, letters] = both(&KAFKA, "parted-to", good.len(), bad.len());
    for (read, sent) in [(&read, &good), (&letters, &bad)] {
        let mut keys: Vec<_> = read.iter().map(|record| record.key.clone()).collect();
        let mut wanted: Vec<_> = sent
            .iter()
            .map(|(_, record)| Some(hex(record.key.as_deref())))
            .collect();
        keys.sort();
        wanted.sort();
        assert_eq!(keys, wanted);
    }
}
