//! Confluent's own serializers, unmodified, against the embedded registry and through the gateway: what they send
//! passes, and what is made to look like it does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use serde_json::Value;
use std::sync::LazyLock;
use support::clients::{create_topics, python};
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::places::project;
use support::process::run;

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| Setup::new(&KAFKA.bootstrap()).start());

#[test]
fn avro_that_registers_itself() {
    serializes("avro", "auto");
}

#[test]
fn avro_that_is_registered_already() {
    serializes("avro", "registered");
}

#[test]
fn protobuf_that_registers_itself() {
    serializes("protobuf", "auto");
}

#[test]
fn protobuf_that_is_registered_already() {
    serializes("protobuf", "registered");
}

#[test]
fn protobuf_that_is_registered_as_text_and_taken_as_the_latest_version() {
    serializes("protobuf", "latest");
}

#[test]
fn json_schema_that_registers_itself() {
    serializes("json", "auto");
}

#[test]
fn json_schema_that_is_registered_already() {
    serializes("json", "registered");
}

/// Three orders are sent and read back as they were; three forgeries are refused by the broker's own error code.
fn serializes(language: &str, registration: &str) {
    let topic = format!("serialized-{language}-{registration}");
    create_topics(&KAFKA.bootstrap(), &[&topic], 1);
    let mut command = python("serializers.py");
    command.extend([
        format!("http://{}", GATEWAY.registry),
        GATEWAY.bootstrap.clone(),
        topic.clone(),
        language.to_owned(),
        registration.to_owned(),
        project("tests/real/python/order.proto")
            .to_str()
            .unwrap()
            .to_owned(),
    ]);
    let ran = run(&command);
    assert!(ran.status.success(), "{ran:#?}\n{}", GATEWAY.said());
    let lines = ran.json_lines();
    let of = |what: &str| -> Vec<&Value> { lines.iter().filter_map(|line| line.get(what)).collect() };
    let offsets: Vec<_> = of("sent").iter().map(|sent| sent["offset"].as_i64()).collect();
    assert_eq!(offsets, [Some(0), Some(1), Some(2)], "{lines:#?}");
    assert_eq!(of("as_sent"), [true, true, true], "{lines:#?}");
    for forgery in ["bad_magic", "bad_id", "bad_payload"] {
        // 87: INVALID_RECORD.
        assert_eq!(of(forgery)[0]["code"], 87, "{forgery}: {lines:#?}");
    }
}
