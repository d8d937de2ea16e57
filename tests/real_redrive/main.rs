//! Dead letters go back to where they were sent, as they were sent, each once and validated again: those that are still
//! bad stay, whatever is killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests are threads and processes, with no runtime to block"
)]

#[path = "../choices/mod.rs"]
mod choices;
mod killed;
#[path = "../support/mod.rs"]
mod support;

use portcullis::kafka::client::{Client as OwnClient, GroupMember, Partition, PartitionOffset};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::clients::{Client, How, administer, create_topics, read_to_end};
use support::gateway::{Portcullis, Setup};
use support::kafka::{Extras, Kafka, PASSWORD, USER, upstream};
use support::payloads::Language;
use support::places::scratch;
use support::process::{Ran, eventually, run};
use support::records::{Consumed, Outcome, Record, hex};

const READ_COMMITTED: &[&str] = &["isolation.level=read_committed"];

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| {
    let policies = "- { topics: [\"nulls\"], null_value: reject, action: dead_letter }
- { topics: [\"*\"], value: { level: payload }, action: dead_letter }
";
    Setup::new(&KAFKA.bootstrap()).policies(policies).start()
});
/// It lets everything through.
static LOOSE: LazyLock<Portcullis> = LazyLock::new(|| {
    let policies = "- { topics: [\"*\"], value: { level: off }, key: { level: off } }";
    Setup::new(&KAFKA.bootstrap()).policies(policies).start()
});

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as i64
}

fn command(via: &str, letters: &str, more: &[&str]) -> Vec<String> {
    let words = ["deadletter", "redrive", "--topic", letters, "--via", via];
    let words = words.iter().chain(more).chain(&["--output", "json"]);
    let mut command = vec![env!("CARGO_BIN_EXE_portcullis").to_owned()];
    command.extend(words.map(|word| (*word).to_owned()));
    command
}

fn redrive(via: &str, letters: &str, more: &[&str]) -> Redriven {
    Redriven::of(run(&command(via, letters, more)))
}

/// What a redrive said.
#[derive(Debug)]
struct Redriven {
    exit: Option<i32>,
    /// Of letters.
    lines: Vec<Value>,
    summary: Value,
    ran: Ran,
}

impl Redriven {
    fn of(ran: Ran) -> Self {
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {ran:#?}"));
        let mut lines: Vec<Value> = ran.out.lines().map(read).collect();
        let summary = lines.pop().unwrap_or_default();
        Self {
            exit: ran.status.code(),
            lines,
            summary,
            ran,
        }
    }

    /// Redriven, redriven before, and what stays by its code.
    fn is(&self, exit: i32, redriven: usize, before: usize, stay: &Value) {
        let wanted = json!([exit, redriven, before, stay]);
        let Value::Object(summary) = &self.summary else {
            panic!("{self:#?}")
        };
        let found = json!([
            self.exit,
            summary["redriven"],
            summary["redriven_before"],
            summary["stay_by_code"]
        ]);
        assert_eq!(found, wanted, "{self:#?}");
    }
}

/// What `topic` holds by now that is committed, once it is so many.
fn read(topic: &str, count: usize) -> Vec<Consumed> {
    eventually(&format!("{topic} holds {count}"), || {
        read_to_end(&KAFKA.bootstrap(), topic).len() >= count
    });
    let read = Client::Java.consume(&KAFKA.bootstrap(), &[topic], count, READ_COMMITTED);
    assert_eq!(read.len(), count, "{topic}: {read:#?}");
    read
}

/// Asserts that `topic` holds `sent`, each byte for byte and once, in any order.
fn holds<'a>(topic: &str, sent: impl IntoIterator<Item = &'a Record>) {
    let mut sent: Vec<&Record> = sent.into_iter().collect();
    for read in read(topic, sent.len()) {
        let found = sent.iter().position(|sent| read.is(sent));
        sent.remove(found.unwrap_or_else(|| panic!("nobody sent {read:#?}\nleft: {sent:#?}")));
    }
}

/// With all that a record can have, headers of the gateways' names too. In every fifth the payload is cut short.
fn orders(topic: &str, schema: u32, from: i32) -> Vec<Record> {
    let time = now_ms() - 3_600_000;
    (from..from + 30)
        .map(|number| {
            let value = if number % 5 == 2 {
                Language::Avro.bad(schema, number)
            } else {
                Language::Avro.good(schema, number)
            };
            let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
            let mut headers = vec![
                header("trace", Some(&[number as u8, 0xff])),
                header("trace", None),
                header("empty", Some(b"")),
            ];
            if number % 2 == 0 {
                headers.push(header("__portcullis.topic", Some(b"the producer's")));
                headers.push(header("__portcullis.code", None));
                headers.push(header("__portcullis.time", Some(b"1")));
            }
            Record {
                timestamp_ms: Some(time + i64::from(number)),
                key: (number % 3 > 0).then(|| format!("key-{number}").into_bytes()),
                headers,
                ..Record::new(topic, number % 3, &value)
            }
        })
        .collect()
}

#[test]
fn letters_go_back_as_they_were_sent_once_the_schema_is_mended_and_those_still_bad_stay() {
    create_topics(&KAFKA.bootstrap(), &["mended"], 3);
    // Another schema governs, so that not one of them is of it.
    let schema = GATEWAY.register("of-another-topic", "AVRO", Language::Avro.schema());
    GATEWAY.register("mended-value", "JSON", Language::Json.schema());
    let mut sent = orders("mended", schema, 0);
    let of_java = Client::Java.produce(&GATEWAY.bootstrap, &sent, How::Together, &[]);
    let python = orders("mended", schema, 30);
    let idempotent = ["enable.idempotence=true"];
    let of_python = Client::Python.produce(&GATEWAY.bootstrap, &python, How::Together, &idempotent);
    assert!(of_java.iter().chain(&of_python).all(Outcome::is_acknowledged));
    sent.extend(python);
    let letters = read("mended.dlq", sent.len());
    let via = &GATEWAY.bootstrap;
    let redrive = |more: &[&str]| redrive(via, "mended.dlq", more);

    let dry = redrive(&["--dry-run"]);
    dry.is(0, 60, 0, &json!({}));
    assert_eq!(dry.lines.len(), 60);
    assert_eq!(dry.lines[0]["result"], "would_redrive");
    assert_eq!(dry.summary["by_code"], json!({ "PC-103": 60 }), "{dry:#?}");
    let none = redrive(&["--code", "PC-999"]);
    none.is(0, 0, 0, &json!({}));
    assert_eq!(none.summary["left_out"], 60);
    // They would be dead-lettered again, and are refused instead.
    let stay = redrive(&[]);
    stay.is(65, 0, 0, &json!({ "PC-103": 60 }));
    let of = &stay.lines[0];
    assert!(
        of["message"].as_str().unwrap().starts_with("PC-103 record "),
        "{stay:#?}"
    );
    assert_eq!(read("mended.dlq", 60), letters);
    assert!(read_to_end(&KAFKA.bootstrap(), "mended").is_empty());

    assert_eq!(
        GATEWAY.register("mended-value", "AVRO", Language::Avro.schema()),
        schema
    );
    let reference = dry.lines[0]["ref"].as_str().unwrap();
    redrive(&["--ref", reference]).is(0, 1, 0, &json!({}));
    redrive(&["--ref", reference]).is(0, 0, 1, &json!({}));
    redrive(&["--original-topic", "mended", "--code", "PC-103"]).is(65, 47, 1, &json!({ "PC-201": 12 }));
    let again = redrive(&["--since", "1h"]);
    again.is(65, 0, 48, &json!({ "PC-201": 12 }));
    let of = &again.lines[0];
    assert_eq!(
        (&of["result"], &of["topic"], &of["code"]),
        (&json!("stays"), &json!("mended"), &json!("PC-201"))
    );
    assert!(of["message"].as_str().unwrap().contains(" value: $."), "{of}");
    let is_whole = |(number, _): &(usize, &Record)| number % 5 != 2;
    holds(
        "mended",
        sent.iter().enumerate().filter(is_whole).map(|(_, sent)| sent),
    );
    assert_eq!(read("mended.dlq", 60), letters, "nothing circles");

    // Another policy lets the rest through.
    self::redrive(&LOOSE.bootstrap, "mended.dlq", &[]).is(0, 12, 48, &json!({}));
    self::redrive(&LOOSE.bootstrap, "mended.dlq", &[]).is(0, 0, 60, &json!({}));
    holds("mended", &sent);
}

#[test]
fn records_without_a_value_come_back_as_such_those_of_transactions_too() {
    create_topics(&KAFKA.bootstrap(), &["nulls"], 2);
    let sent: Vec<Record> = (0..10)
        .map(|number| {
            let key = format!("key-{number}");
            Record {
                value: None,
                ..Record::new("nulls", number % 2, b"").with_key(key.as_bytes())
            }
        })
        .collect();
    let id = ["transactional.id=nulls"];
    Client::Java.produce_lines(&GATEWAY.bootstrap, &sent, How::Abort, &id);
    Client::Java.produce_lines(&GATEWAY.bootstrap, &sent, How::Commit, &id);
    read("nulls.dlq", 10);
    redrive(&GATEWAY.bootstrap, "nulls.dlq", &[]).is(65, 0, 0, &json!({ "PC-106": 10 }));
    redrive(&LOOSE.bootstrap, "nulls.dlq", &[]).is(0, 10, 0, &json!({}));
    holds("nulls", &sent);
}

/// What a gateway has made of an order of `topic`.
fn letter(letters: &str, topic: &str, partition: i32, value: &[u8]) -> Record {
    let headers = [
        ("topic", topic),
        ("partition", &partition.to_string()),
        ("code", "PC-201"),
        ("message", "PC-201 record 0"),
        ("ref", "01JD8Z3N5W9Q7M2K4T6V8X0YAB"),
        ("time", "1000"),
    ];
    let mut letter = Record::new(letters, 0, value).with_key(topic.as_bytes());
    letter.timestamp_ms = Some(now_ms());
    letter.headers = headers
        .iter()
        .map(|(name, value)| {
            let value = value.as_bytes().to_vec();
            (format!("__portcullis.{name}"), Some(value))
        })
        .collect();
    letter
}

fn write(letters: &[Record]) {
    let outcomes = Client::Java.produce(&KAFKA.bootstrap(), letters, How::Together, &[]);
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
}

#[test]
fn what_cannot_go_back_stays_with_the_reason_and_the_others_go() {
    let commands = [
        "create:odd.dlq:1",
        "create:odd:2",
        "create:narrow:1",
        "alter:narrow:max.message.bytes:2000",
        "create:compacted:1",
        "alter:compacted:cleanup.policy:compact",
        "alter:odd.dlq:message.timestamp.after.max.ms:9223372036854775807",
    ];
    administer(&KAFKA.bootstrap(), &commands, &[]);
    let noise: Vec<u8> = (0..5000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let of = |topic: &str, partition| letter("odd.dlq", topic, partition, b"value");
    let mut late = of("odd", 0);
    late.timestamp_ms = Some(now_ms() + 48 * 3_600_000);
    let mut without_key = of("compacted", 0);
    without_key.key = None;
    let letters = [
        Record::new("odd.dlq", 0, b"somebody else's"),
        of("__consumer_offsets", 0),
        of("odd.dlq", 0),
        of("gone", 0),
        letter("odd.dlq", "narrow", 0, &noise),
        of("narrow", 0),
        of("odd", 7),
        late,
        without_key,
        of("compacted", 0),
        of("odd", 0),
    ];
    write(&letters);
    let first = redrive(&LOOSE.bootstrap, "odd.dlq", &[]);
    let stay = json!({
        "forbidden": 2, "UnknownTopicOrPartition": 1, "MessageTooLarge": 1, "InvalidTimestamp": 1, "InvalidRecord": 1,
    });
    first.is(65, 4, 0, &stay);
    assert_eq!(first.summary["no_dead_letters"], 1);
    assert_eq!(
        first.summary["by_topic"],
        json!({ "narrow": 1, "compacted": 1, "odd": 2 })
    );
    let offsets: BTreeMap<i64, &Value> = first
        .lines
        .iter()
        .map(|line| (line["offset"].as_i64().unwrap(), &line["message"]))
        .collect();
    assert_eq!(offsets.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 7, 8]);
    assert_eq!(offsets[&3], "there is no topic gone");
    // Partition 7 of two: its number modulo their count.
    let mut places: Vec<i64> = read("odd", 2).iter().map(|read| read.partition).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 1]);

    create_topics(&KAFKA.bootstrap(), &["gone"], 1);
    let second = redrive(&LOOSE.bootstrap, "odd.dlq", &["--original-topic", "gone"]);
    second.is(0, 1, 0, &json!({}));
    let text = [
        env!("CARGO_BIN_EXE_portcullis"),
        "deadletter",
        "redrive",
        "--topic",
        "odd.dlq",
        "--via",
        &LOOSE.bootstrap,
        "--until",
        "0",
    ];
    let text = run(&text.map(str::to_owned));
    let summary = "0 redriven\n0 redriven before\n0 stay\n10 left out by the filter\n1 no dead letters\n";
    assert_eq!((text.status.code(), &*text.out), (Some(0), summary), "{text:#?}");
}

#[test]
fn only_a_gateway_and_a_progress_that_is_understood_will_do() {
    create_topics(&KAFKA.bootstrap(), &["unknown", "unknown.dlq"], 1);
    write(&[letter("unknown.dlq", "unknown", 0, b"value")]);
    let brokers = redrive(&KAFKA.bootstrap(), "unknown.dlq", &[]);
    assert_eq!(brokers.exit, Some(64), "{brokers:#?}");
    assert!(
        brokers.ran.err.contains("is no Portcullis gateway"),
        "{brokers:#?}"
    );
    let via = &LOOSE.bootstrap;
    assert_eq!(redrive(via, "absent.dlq", &[]).exit, Some(66));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut client = OwnClient::new(&upstream(&KAFKA.bootstrap())).unwrap();
    let group = "portcullis-redrive-unknown.dlq-0";
    let mut commit = |offset, metadata| {
        let at = PartitionOffset {
            partition: Partition {
                topic: "unknown.dlq",
                index: 0,
            },
            offset,
            metadata,
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        runtime
            .block_on(client.commit_offsets(GroupMember::none(group), &[at], deadline))
            .unwrap();
    };
    // As a tool resets offsets; and of a topic that was longer than this one.
    for (offset, metadata, why) in [(0, "", "of no version"), (0, "v1 bits AAg", "made anew")] {
        commit(offset, metadata);
        for more in [&[][..], &["--dry-run"]] {
            let stopped = redrive(via, "unknown.dlq", more);
            assert_eq!(stopped.exit, Some(65), "{stopped:#?}");
            let said = &stopped.ran.err;
            assert!(said.contains(why) && said.contains(group), "{said}");
        }
    }
    assert!(read_to_end(&KAFKA.bootstrap(), "unknown").is_empty());
    commit(0, "v1 bits ");
    redrive(via, "unknown.dlq", &[]).is(0, 1, 0, &json!({}));
}

/// A group's offsets are forgotten a minute after they were committed last.
#[test]
fn each_redrive_keeps_what_the_brokers_would_forget() {
    const STEP: Duration = Duration::from_secs(40);
    let extras = Extras {
        properties: "offsets.retention.minutes=1\noffsets.retention.check.interval.ms=2000\n",
        ..Extras::default()
    };
    let kafka = Kafka::start_with(1, extras);
    let gateway = Setup::new(&kafka.bootstrap())
        .policies("- { topics: [\"*\"], value: { level: off } }")
        .start();
    create_topics(&kafka.bootstrap(), &["kept", "kept.dlq", "left.dlq"], 1);
    let letters = ["kept.dlq", "left.dlq"].map(|letters| letter(letters, "kept", 0, b"value"));
    Client::Java.produce(&kafka.bootstrap(), &letters, How::Together, &[]);
    let redrive = |letters: &str, more: &[&str]| redrive(&gateway.bootstrap, letters, more);
    for letters in ["kept.dlq", "left.dlq"] {
        redrive(letters, &[]).is(0, 1, 0, &json!({}));
    }
    // Whatever its filter takes.
    sleep(STEP);
    redrive("kept.dlq", &["--code", "PC-999"]).is(0, 0, 0, &json!({}));
    sleep(STEP);
    redrive("kept.dlq", &[]).is(0, 0, 1, &json!({}));
    // Where none was run meanwhile.
    redrive("left.dlq", &["--dry-run"]).is(0, 1, 0, &json!({}));
}

#[test]
fn a_listener_with_tls_and_brokers_with_sasl_are_reached_as_a_file_says() {
    let identity = KAFKA.authority.sign("redrive-gateway", &["127.0.0.1"]);
    let mut setup =
        Setup::new(&KAFKA.sasl_bootstrap()).policies("- { topics: [\"*\"], value: { level: off } }");
    let sasl = format!("sasl: {{ mechanism: SCRAM-SHA-512, username: {USER}, password: {PASSWORD} }}\n");
    setup.upstream_extra.clone_from(&sasl);
    setup.listener_extra = format!(
        "tls: {{ certificate: {}, key: {} }}",
        identity.certificate.display(),
        identity.key.display()
    );
    let gateway = setup.start();
    create_topics(&KAFKA.bootstrap(), &["sealed", "sealed.dlq"], 1);
    write(&[letter("sealed.dlq", "sealed", 0, b"value")]);
    let folder = scratch();
    let file = folder.path().join("redrive.yaml");
    let text = format!(
        "upstream:\n  bootstrap_servers: [\"not-used:9092\"]\n  tls: {{ ca: {} }}\n  {sasl}",
        KAFKA.authority.certificate().display()
    );
    std::fs::write(&file, text).unwrap();
    let file = ["--config", file.to_str().unwrap()];
    redrive(&gateway.bootstrap, "sealed.dlq", &file).is(0, 1, 0, &json!({}));
    let read = read("sealed", 1);
    assert_eq!(read[0].value, Some(hex(Some(b"value"))));
}
