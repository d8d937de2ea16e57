//! The projector against a real Kafka: owners are killed, and each dead letter is there once, in order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use bytes::Bytes;
use portcullis::deadletter::decisions::{BatchKey, DeadLetterTopic, Decision, Entry, ProducerPartition};
use portcullis::deadletter::letter::Letter;
use portcullis::deadletter::log::{self, DecisionLog, DecisionLogOptions};
use portcullis::deadletter::projector::{self, ProjectorOptions};
use portcullis::kafka::client::{Client, NewTopic, Partition, TransactionalProducer};
use portcullis::telemetry::health::Health;
use portcullis::wire::batch_writer::NewRecord;
use portcullis::wire::compression::Compression;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::clients::{Client as Program, administer};
use support::kafka::{Kafka, upstream};
use support::records::Consumed;
use tokio::time::{Instant, sleep};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn start_log(topic: &str) -> (DecisionLog, log::Running) {
    let options = DecisionLogOptions {
        topic: topic.to_owned(),
        partitions: 4,
        replication_factor: 1,
        data: None,
    };
    log::start(options, &upstream(&KAFKA.bootstrap()), Health::default()).unwrap()
}

fn project(topic: &str, health: &Health) -> projector::Running {
    let options = ProjectorOptions {
        topic: topic.to_owned(),
    };
    projector::start(options, &upstream(&KAFKA.bootstrap()), health.clone()).unwrap()
}

async fn create(topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut client = Client::new(&upstream(&KAFKA.bootstrap())).unwrap();
    let new = NewTopic {
        name: topic,
        partitions,
        replication_factor: -1,
        configs,
    };
    client.create_topic(&new, Duration::from_secs(30)).await.unwrap();
}

/// xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// An hour ago: brokers delete by the records' own timestamps, and one of years ago would not outlive the test.
static TIMESTAMP_MS: LazyLock<i64> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap() - 3_600_000
});

fn letter(text: &str) -> Letter {
    Letter {
        timestamp_ms: *TIMESTAMP_MS,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::copy_from_slice(text.as_bytes())),
        headers: vec![(Bytes::from_static(b"own"), Some(Bytes::from_static(b"1")))],
    }
}

/// One producer's way through the log.
struct Producing {
    of: ProducerPartition,
    epoch: i16,
    next_sequence: i32,
    target: DeadLetterTopic,
}

impl Producing {
    fn new(id: i64, topic: &str, partition: i32, target: &str) -> Self {
        Self {
            of: ProducerPartition {
                producer_id: id,
                topic: topic.into(),
                partition,
            },
            epoch: 0,
            next_sequence: 0,
            target: DeadLetterTopic {
                name: target.into(),
                retention_ms: Some(86_400_000),
            },
        }
    }

    async fn decide(&mut self, log: &DecisionLog, texts: &[String], transactional: bool) -> i64 {
        let decision = Entry::Decision(Decision {
            of: self.of.clone(),
            batch: BatchKey {
                producer_epoch: self.epoch,
                base_sequence: self.next_sequence,
                record_count: 10,
                crc: 7,
            },
            dropped: (0..).zip(texts).map(|(index, _)| index).collect(),
            transactional,
            target: self.target.clone(),
        });
        self.next_sequence += 10;
        let letters = texts.iter().map(|text| letter(text)).collect();
        log.append(&self.of, decision, letters, true).await.unwrap()
    }

    async fn confirm(&self, log: &DecisionLog, decision: i64) {
        let of = self.of.clone();
        let entry = Entry::Confirmed { of, decision };
        log.append(&self.of, entry, Vec::new(), false).await.unwrap();
    }

    async fn revoke(&self, log: &DecisionLog, decision: i64) {
        let of = self.of.clone();
        let entry = Entry::Revoked { of, decision };
        log.append(&self.of, entry, Vec::new(), false).await.unwrap();
    }
}

fn texts(name: &str, step: u64, random: &mut Random) -> Vec<String> {
    (0..=random.below(4))
        .map(|index| format!("{name}/{step:06}/{index}"))
        .collect()
}

/// Decides, confirms and revokes until `end`; returns the dead letters that come of it, in order.
async fn write_plain(log: DecisionLog, number: u64, end: &AtomicBool) -> (i32, Vec<String>) {
    let mut random = Random(number * 7919 + 1);
    let partition = i32::try_from(number % 3).unwrap();
    let mut producing = Producing::new(
        9_000_000 + number.cast_signed(),
        "orders",
        partition,
        "orders.dlq",
    );
    let name = format!("plain-{number}");
    let mut expected = Vec::new();
    let mut step = 0;
    while !end.load(Ordering::Relaxed) {
        // Several on their way at once, as a producer has them.
        let mut open = Vec::new();
        for _ in 0..=random.below(4) {
            step += 1;
            let texts = texts(&name, step, &mut random);
            open.push((producing.decide(&log, &texts, false).await, texts));
        }
        for (decision, texts) in open {
            if random.below(5) == 0 {
                producing.revoke(&log, decision).await;
            } else {
                producing.confirm(&log, decision).await;
                expected.extend(texts);
            }
        }
        sleep(Duration::from_millis(random.below(40))).await;
    }
    (partition, expected)
}

/// The same in transactions, which end either way.
async fn write_transactions(log: DecisionLog, number: u64, end: &AtomicBool) -> (i32, Vec<String>) {
    let mut random = Random(number * 104_729 + 1);
    let partition = i32::try_from(number % 3).unwrap();
    let id = format!("client-{number}");
    let client = Client::new(&upstream(&KAFKA.bootstrap())).unwrap();
    let mut producer = TransactionalProducer::new(client, &id, Duration::from_secs(30), soon())
        .await
        .unwrap();
    let of = producer.producer();
    let mut producing = Producing::new(of.id, "orders", partition, "orders.dlq");
    producing.epoch = of.epoch;
    let name = format!("transaction-{number}");
    let mut expected = Vec::new();
    let mut step = 0;
    while !end.load(Ordering::Relaxed) {
        let mut transaction = producer.begin(soon()).await.unwrap();
        let good = NewRecord {
            value: Some(b"good"),
            ..NewRecord::default()
        };
        let at = Partition {
            topic: "orders",
            index: partition,
        };
        transaction
            .produce(at, &[good], Compression::None, soon())
            .await
            .unwrap();
        log.join_transaction(&id, &producing.of, of.epoch).await.unwrap();
        let mut letters = Vec::new();
        for _ in 0..=random.below(3) {
            step += 1;
            let texts = texts(&name, step, &mut random);
            let decision = producing.decide(&log, &texts, true).await;
            producing.confirm(&log, decision).await;
            letters.extend(texts);
        }
        if random.below(2) == 0 {
            transaction.commit(soon()).await.unwrap();
            expected.extend(letters);
        } else {
            transaction.abort(soon()).await.unwrap();
        }
        assert_eq!(producer.producer(), of);
        sleep(Duration::from_millis(random.below(60))).await;
    }
    (partition, expected)
}

fn value(record: &Consumed) -> String {
    let hex = record.value.as_deref().unwrap();
    let bytes = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}

async fn committed(topic: &'static str, count: usize) -> Vec<Consumed> {
    let read = move || {
        let settings = ["isolation.level=read_committed"];
        Program::Java.consume(&KAFKA.bootstrap(), &[topic], count, &settings)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_killed_owners_leave_each_dead_letter_once_and_in_order() {
    static END: AtomicBool = AtomicBool::new(false);
    const KILLS: usize = 20;
    let topic = "__portcullis_decisions";
    create("orders", 3, &[]).await;
    let (log, running) = start_log(topic);
    let mut writers: Vec<_> = (0..6)
        .map(|number| tokio::spawn(write_plain(log.clone(), number, &END)))
        .collect();
    writers.extend((0..3).map(|number| tokio::spawn(write_transactions(log.clone(), number, &END))));
    let health = Health::default();
    let mut projectors = [project(topic, &health), project(topic, &health)].map(Some);
    let mut random = Random(4242);
    for kill in 0..KILLS {
        sleep(Duration::from_millis(500 + random.below(9000))).await;
        let victim = &mut projectors[kill % 2];
        victim.take().unwrap().kill();
        *victim = Some(project(topic, &health));
    }
    END.store(true, Ordering::Relaxed);
    let mut expected: BTreeMap<String, (i32, Vec<String>)> = BTreeMap::new();
    for writer in writers {
        let (partition, letters) = writer.await.unwrap();
        let name = letters[0].split('/').next().unwrap().to_owned();
        expected.insert(name, (partition, letters));
    }
    let total: usize = expected.values().map(|(_, letters)| letters.len()).sum();
    let read = committed("orders.dlq", total).await;
    println!(
        "{KILLS} owners killed, {total} dead letters expected, {} read",
        read.len()
    );
    let mut found: BTreeMap<String, (i32, Vec<String>)> = BTreeMap::new();
    for record in &read {
        let text = value(record);
        let name = text.split('/').next().unwrap().to_owned();
        let partition = i32::try_from(record.partition).unwrap();
        let (at, letters) = found.entry(name).or_insert((partition, Vec::new()));
        assert_eq!(*at, partition, "{record:?}");
        letters.push(text);
        assert_eq!(
            (record.timestamp_ms, record.key.as_deref(), record.headers.len()),
            (*TIMESTAMP_MS, Some("6b6579"), 1)
        );
    }
    for (name, (partition, letters)) in &expected {
        let (at, read) = &found[name];
        let differs = read.iter().zip(letters).find(|(read, letter)| read != letter);
        assert_eq!((differs, at), (None, partition), "{name}");
        assert_eq!(read.len(), letters.len(), "{name}");
    }
    assert_eq!(found.len(), expected.len());

    // As the source, and as the policy says.
    let mut client = Client::new(&upstream(&KAFKA.bootstrap())).unwrap();
    let view = client.metadata("orders.dlq").await.unwrap();
    assert_eq!(view.topic.unwrap().partitions.len(), 3);
    let keys = ["retention.ms", "message.timestamp.after.max.ms"];
    let configs = client.topic_configs("orders.dlq", &keys).await.unwrap();
    assert_eq!(configs["retention.ms"].as_deref(), Some("86400000"));
    assert_eq!(
        configs["message.timestamp.after.max.ms"].as_deref(),
        Some("9223372036854775807")
    );
    for projector in projectors.into_iter().flatten() {
        projector.stop().await;
    }
    running.stop().await;
}

/// A producer whose decisions go to `partition` of a log of four.
fn producing_in(partition: i32, topic: &str, target: &str) -> Producing {
    (7_000_000..7_000_100)
        .map(|id| Producing::new(id, topic, 0, target))
        .find(|producing| producing.of.log_partition(4) == partition)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_too_large_waits_untouched_while_other_partitions_go_on() {
    let topic = "__portcullis_decisions_large";
    create("large", 1, &[]).await;
    create("large.dlq", 1, &[("max.message.bytes", "2000")]).await;
    create("small.dlq", 1, &[]).await;
    let (log, running) = start_log(topic);
    let health = Health::default();
    let projector = project(topic, &health);
    let mut random = Random(99);
    let noise: String = (0..4000)
        .map(|_| char::from(b'!' + random.below(90) as u8))
        .collect();
    let mut blocked = producing_in(0, "large", "large.dlq");
    for text in ["first", noise.as_str(), "last"] {
        let decision = blocked.decide(&log, &[text.to_owned()], false).await;
        blocked.confirm(&log, decision).await;
    }
    let mut free = producing_in(1, "large", "small.dlq");
    let decision = free.decide(&log, &["free".to_owned()], false).await;
    free.confirm(&log, decision).await;
    let read = committed("small.dlq", 1).await;
    assert_eq!(read.iter().map(value).collect::<Vec<_>>(), ["free"]);
    let deadline = soon();
    while !health.report().contains("MessageTooLarge") {
        assert!(Instant::now() < deadline, "{}", health.report());
        sleep(Duration::from_millis(100)).await;
    }
    let before = committed("large.dlq", 1).await;
    assert_eq!(before.iter().map(value).collect::<Vec<_>>(), ["first"]);
    println!("{}", health.report());
    assert!(
        health
            .report()
            .starts_with("[+] projector (owns 0, 1, 2, 3 of the log; the dead letters of 0 wait: ")
    );
    assert!(health.is_ready());
    let settings = "alter:large.dlq:max.message.bytes:100000";
    let altered = tokio::task::spawn_blocking(move || administer(&KAFKA.bootstrap(), &[settings], &[]));
    altered.await.unwrap();
    let read = committed("large.dlq", 3).await;
    assert_eq!(
        read.iter().map(value).collect::<Vec<_>>(),
        ["first", &noise, "last"]
    );
    let deadline = soon();
    while health.report() != "[+] projector (owns 0, 1, 2, 3 of the log)\n" {
        assert!(Instant::now() < deadline, "{}", health.report());
        sleep(Duration::from_millis(100)).await;
    }
    projector.stop().await;
    running.stop().await;
}
