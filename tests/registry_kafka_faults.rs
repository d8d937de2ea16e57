//! The registry's log in a Kafka whose brokers go away and come back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(
    clippy::disallowed_methods,
    reason = "most of it is threads and processes, with no runtime to block"
)]

mod support;

use portcullis::kafka::{HostPort, UpstreamOptions};
use portcullis::registry::log::kafka::KafkaStoreOptions;
use portcullis::registry::{self, RegistryOptions, StoreOptions};
use portcullis::schema::CompatibilityLevel;
use portcullis::telemetry::health::Health;
use serde_json::Value;
use std::time::{Duration, Instant};
use support::gateway::{Portcullis, Setup};
use support::http::{self, Answer};
use support::kafka::Kafka;

fn start(kafka: &Kafka) -> Portcullis {
    let mut setup = Setup::new(&kafka.bootstrap());
    "{ kafka: { topic: _schemas, replication_factor: 3 } }".clone_into(&mut setup.store);
    setup.start()
}

fn post(address: &str, subject: &str, schema: &str) -> Answer {
    let body = serde_json::json!({ "schema": schema }).to_string();
    let path = format!("/subjects/{subject}/versions");
    http::request("POST", address, &path, Some(&body)).expect("the registry answers")
}

fn code(answer: &Answer) -> u64 {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["error_code"]
        .as_u64()
        .unwrap_or_else(|| panic!("no error: {answer:?}"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within 90 s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn while_the_brokers_are_away_reads_go_on_writes_are_refused_and_all_comes_back_by_itself() {
    let mut kafka = Kafka::start(1);
    let mut registry = start(&kafka);
    assert_eq!(registry.register("a", "AVRO", "\"int\""), 1);
    assert!((registry.metric("schema_registry_leader", &[]) - 1.0).abs() < 0.1);
    kafka.kill(1);
    // The first one tries for a while, and is not told that it was written.
    let refused = post(&registry.registry, "b", "\"string\"");
    assert_eq!(refused.status, 500, "{refused:?}");
    assert!(matches!(code(&refused), 50001 | 50002), "{refused:?}");
    // Without its group nobody leads: the registry's own session has run out.
    until("writes are refused for want of a leader", || {
        code(&post(&registry.registry, "b", "\"string\"")) == 50004
    });
    let read = http::get(&registry.registry, "/subjects/a/versions/1").unwrap();
    assert_eq!(read.status, 200, "{read:?}");
    let ready = http::get(&registry.admin, "/readyz?verbose").unwrap();
    assert_eq!(ready.status, 503);
    assert!(
        ready.body.contains("[-] registry: the registry's log cannot be"),
        "{}",
        ready.body
    );
    assert!(registry.metric("schema_registry_leader", &[]) < 0.1);

    kafka.restart(1);
    until("it is ready", || {
        http::get(&registry.admin, "/readyz").is_some_and(|answer| answer.status == 200)
    });
    let id = registry.register("b", "AVRO", "\"string\"");
    assert_eq!(registry.register("c", "AVRO", "\"long\""), id + 1);
    assert_eq!(registry.register("b", "AVRO", "\"string\""), id);
    assert!((registry.metric("schema_registry_leader", &[]) - 1.0).abs() < 0.1);
    assert!(registry.restart().success());
    let subjects = http::get(&registry.registry, "/subjects").unwrap().body;
    assert_eq!(subjects, r#"["a","b","c"]"#);
    assert_eq!(registry.register("c", "AVRO", "\"long\""), id + 1);
}

/// Three brokers, and the log's leader among them dies: the others have all of it.
#[test]
fn a_leader_of_the_log_that_dies_is_followed_by_another_and_nothing_acknowledged_is_lost() {
    let mut kafka = Kafka::start(3);
    let registry = start(&kafka);
    let mut given = Vec::new();
    for number in 0..5 {
        given.push(registry.register(&format!("s{number}"), "AVRO", &schema(number)));
    }
    // The first node is the controller.
    for (node, from) in [(3, 5), (2, 10)] {
        kafka.kill(node);
        let started = Instant::now();
        for number in from..from + 5 {
            until("it is written", || {
                let answer = post(&registry.registry, &format!("s{number}"), &schema(number));
                if answer.status == 200 {
                    let body: Value = serde_json::from_str(&answer.body).unwrap();
                    given.push(u32::try_from(body["id"].as_u64().unwrap()).unwrap());
                }
                answer.status == 200
            });
        }
        assert!(started.elapsed() < Duration::from_mins(1));
        kafka.restart(node);
    }
    assert_eq!(given, (1..=15).collect::<Vec<u32>>());
    for (number, id) in given.iter().enumerate() {
        let answer = http::get(&registry.registry, &format!("/schemas/ids/{id}/schema")).unwrap();
        let (found, wanted): (Value, Value) = (
            serde_json::from_str(&answer.body).unwrap(),
            serde_json::from_str(&schema(number)).unwrap(),
        );
        assert_eq!(found, wanted);
    }
}

fn schema(number: usize) -> String {
    format!(r#"{{"type":"record","name":"R{number}","fields":[]}}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_before_its_brokers_it_says_that_it_is_loading_and_then_serves() {
    let mut kafka = Kafka::start(1);
    let bootstrap = kafka.bootstrap();
    let (host, port) = bootstrap.rsplit_once(':').unwrap();
    kafka.kill(1);
    let listen = format!("127.0.0.1:{}", support::places::free_port("127.0.0.1"));
    let options = RegistryOptions {
        listen: listen.parse().unwrap(),
        store: StoreOptions::Kafka(KafkaStoreOptions {
            upstream: UpstreamOptions {
                bootstrap_servers: vec![HostPort {
                    host: host.to_owned(),
                    port: port.parse().unwrap(),
                }],
                tls: None,
                sasl: None,
            },
            topic: "_schemas".to_owned(),
            replication_factor: 1,
            election: None,
        }),
        compatibility: CompatibilityLevel::Backward,
        incompatible_code: 409,
        tls: None,
        security: None,
    };
    let health = Health::default();
    let starting = tokio::spawn(registry::start(options, health.clone()));
    let ask = async |path: &'static str| {
        let listen = listen.clone();
        tokio::task::spawn_blocking(move || http::get(&listen, path))
            .await
            .unwrap()
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        assert!(Instant::now() < deadline, "nobody answers");
        match ask("/subjects").await {
            Some(answer) if health.report().contains("loading") => break answer,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert_eq!((answer.status, code(&answer)), (503, 503));
    assert!(!health.is_ready() && !starting.is_finished());
    let kafka = tokio::task::spawn_blocking(move || {
        kafka.restart(1);
        kafka
    });
    let kafka = kafka.await.unwrap();
    let registry = starting.await.unwrap().unwrap();
    let answer = ask("/subjects").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "[]"));
    registry.stop().await;
    drop(kafka);
}
