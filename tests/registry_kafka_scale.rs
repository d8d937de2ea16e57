//! A log of a hundred thousand schemas in a real Kafka is loaded in seconds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

mod support;

use portcullis::kafka::client::{NewTopic, Partition};
use portcullis::kafka::{Client, HostPort, UpstreamOptions};
use portcullis::registry::log::kafka::KafkaStoreOptions;
use portcullis::registry::state::{Record, SchemaContent, SchemaValue};
use portcullis::registry::{self, StoreOptions};
use portcullis::schema::{CompatibilityLevel, SchemaId, SchemaType, Version};
use portcullis::telemetry::health::Health;
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::Compression;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::kafka::Kafka;
use tokio::time;

const SCHEMAS: u32 = 100_000;
const SUBJECTS: u32 = 10_000;
const BATCH: u32 = 1_000;
/// What an unoptimised build may take longer.
const PATIENCE: u32 = if cfg!(debug_assertions) { 20 } else { 1 };

/// 500 bytes each, ten versions a subject.
fn record(number: u32) -> (Vec<u8>, Option<Vec<u8>>) {
    let padding = "x".repeat(380);
    let text = format!(
        r#"{{"type":"record","name":"R{number}","doc":"{padding}","fields":[{{"name":"a","type":"string"}}]}}"#
    );
    let record = Record::Schema {
        subject: format!("subject-{:05}", number % SUBJECTS).into(),
        version: Version(number / SUBJECTS + 1),
        value: Some(SchemaValue {
            id: SchemaId(number + 1),
            content: Arc::new(SchemaContent::new(SchemaType::Avro, &text)),
            md5: None,
            deleted: false,
        }),
    };
    record.encode().unwrap()
}

async fn fill(client: &mut Client, topic: &str) {
    let new = NewTopic {
        name: topic,
        partitions: 1,
        replication_factor: 1,
        configs: &[("cleanup.policy", "compact")],
    };
    client.create_topic(&new, Duration::from_secs(30)).await.unwrap();
    for first in (0..SCHEMAS).step_by(BATCH as usize) {
        let records: Vec<_> = (first..first + BATCH).map(record).collect();
        let new: Vec<_> = records
            .iter()
            .map(|(key, value)| NewRecord {
                timestamp_ms: 1,
                key: Some(key),
                value: value.as_deref(),
                headers: Vec::new(),
            })
            .collect();
        let mut batch = Vec::new();
        write_batch(&new, Compression::None, None, &mut batch).unwrap();
        let deadline = time::Instant::now() + Duration::from_secs(30);
        let partition = Partition { topic, index: 0 };
        client
            .produce(partition, &batch.into(), None, deadline)
            .await
            .unwrap();
    }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_schemas_are_loaded_from_the_topic_in_five_seconds() {
    let kafka = Kafka::start(1);
    let bootstrap = kafka.bootstrap();
    let (host, port) = bootstrap.rsplit_once(':').unwrap();
    let upstream = UpstreamOptions {
        bootstrap_servers: vec![HostPort {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        }],
        tls: None,
        sasl: None,
    };
    fill(&mut Client::new(&upstream).unwrap(), "_schemas").await;
    let before = resident();
    let started = Instant::now();
    let store = StoreOptions::Kafka(KafkaStoreOptions {
        upstream,
        topic: "_schemas".to_owned(),
        replication_factor: 1,
        election: None,
    });
    let health = Health::default();
    let opened = registry::open(store, CompatibilityLevel::Backward, health.clone()).await;
    let took = started.elapsed();
    let opened = opened.unwrap();
    let grown = resident().saturating_sub(before);
    eprintln!(
        "load {SCHEMAS} schemas: {took:?}; {} bytes resident a schema",
        grown / u64::from(SCHEMAS)
    );
    assert_eq!(opened.core.state().live_versions(), SCHEMAS as usize);
    assert!(took < Duration::from_secs(5) * PATIENCE, "{took:?}");
    assert!(grown / u64::from(SCHEMAS) < 4_096, "{grown} bytes");

    let deadline = Instant::now() + Duration::from_mins(1);
    while !health.is_ready() {
        assert!(Instant::now() < deadline, "it does not lead: {}", health.report());
        time::sleep(Duration::from_millis(50)).await;
    }

    // A write beside readers: what one commit costs when there is this much.
    let started = Instant::now();
    for number in 0..20 {
        let request = registry::admission::SchemaRequest {
            schema: Some(format!(r#"{{"type":"record","name":"New{number}","fields":[]}}"#)),
            ..Default::default()
        };
        let subject: Arc<str> = format!("new-{number}").into();
        opened
            .core
            .register(&subject, Arc::new(request), false, false)
            .await
            .unwrap();
    }
    eprintln!("a registration: {:?}", started.elapsed() / 20);
}
