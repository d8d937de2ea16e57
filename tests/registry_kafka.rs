//! The registry's log in a topic of a real Kafka.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;
mod support;

use portcullis::kafka::{Client as KafkaClient, HostPort, UpstreamOptions};
use portcullis::registry;
use portcullis::registry::StoreOptions;
use portcullis::registry::log::kafka::KafkaStoreOptions;
use portcullis::schema::CompatibilityLevel;
use portcullis::telemetry::health::Health;
use registry_api::{Api, record};
use serde_json::{Value, json};
use std::sync::LazyLock;
use support::clients::Client;
use support::kafka::Kafka;
use support::records::Consumed;

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

fn upstream(bootstrap: &str) -> UpstreamOptions {
    let servers = bootstrap.split(',').map(|server| {
        let (host, port) = server.rsplit_once(':').unwrap();
        HostPort {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        }
    });
    UpstreamOptions {
        bootstrap_servers: servers.collect(),
        tls: None,
        sasl: None,
    }
}

fn store(topic: &str) -> StoreOptions {
    StoreOptions::Kafka(KafkaStoreOptions {
        upstream: upstream(&KAFKA.bootstrap()),
        topic: topic.to_owned(),
        replication_factor: 3,
    })
}

async fn open(topic: &str) -> Api {
    let opened = registry::open(store(topic), CompatibilityLevel::Backward, Health::default()).await;
    Api::over(opened.unwrap())
}

/// Every record of the topic as it stands there, keys and values as text.
fn raw(topic: &str, count: usize) -> Vec<(String, Option<String>)> {
    let text = |hex: String| {
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        String::from_utf8(bytes).unwrap()
    };
    let read = Client::Java.consume(&KAFKA.bootstrap(), &[topic], count, &[]);
    read.into_iter()
        .map(|Consumed { key, value, .. }| (text(key.unwrap()), value.map(text)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_cluster_gets_the_topic_and_everything_is_there_after_a_restart() {
    let topic = "_schemas";
    let api = open(topic).await;
    let mut kafka = KafkaClient::new(&upstream(&KAFKA.bootstrap())).unwrap();
    let view = kafka.metadata(topic).await.unwrap().topic.unwrap();
    assert_eq!(view.partitions.len(), 1);
    let configs = kafka.topic_configs(topic, &["cleanup.policy"]).await.unwrap();
    assert_eq!(configs["cleanup.policy"].as_deref(), Some("compact"));

    assert_eq!(api.register("orders-value", &record("Order", &["id"])).await, 1);
    let optional = json!({ "type": "record", "name": "Order", "fields": [
        { "name": "id", "type": "string" }, { "name": "note", "type": "string", "default": "" }] });
    assert_eq!(api.register("orders-value", &optional).await, 2);
    assert_eq!(api.register("gone-value", &record("Gone", &["id"])).await, 3);
    let put = api
        .put("/config/orders-value", json!({ "compatibility": "FULL" }))
        .await;
    assert_eq!(put.0, 200, "{put:?}");
    let put = api.put("/mode/gone-value", json!({ "mode": "READWRITE" })).await;
    assert_eq!(put.0, 200, "{put:?}");
    assert_eq!(api.delete("/subjects/gone-value").await.0, 200);
    assert_eq!(api.delete("/subjects/gone-value?permanent=true").await.0, 200);
    let before = everything(&api).await;
    api.close().await;

    let api = open(topic).await;
    assert_eq!(everything(&api).await, before);
    assert_eq!(api.register("orders-value", &optional).await, 2);
    api.close().await;
    let log = raw(topic, 12);
    assert_eq!(
        log[..2],
        [
            (r#"{"keytype":"NOOP","magic":0}"#.to_owned(), None),
            (
                r#"{"keytype":"SCHEMA","subject":"orders-value","version":1,"magic":1}"#.to_owned(),
                Some(
                    r#"{"subject":"orders-value","version":1,"id":1,"schemaType":"AVRO","schema":"{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"}]}","deleted":false}"#
                        .to_owned()
                )
            ),
        ]
    );
}

async fn everything(api: &Api) -> Vec<(u16, Value)> {
    let mut answers = Vec::new();
    for path in [
        "/subjects?deleted=true",
        "/schemas?deleted=true",
        "/subjects/orders-value/versions",
        "/config",
        "/config/orders-value",
        "/mode/gone-value",
        "/contexts",
        "/v1/metadata/id",
    ] {
        answers.push(api.get(path).await);
    }
    answers
}
