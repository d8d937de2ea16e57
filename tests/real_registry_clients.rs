//! Registry clients of other houses, unmodified, find Confluent's registry in ours: confluent-kafka-python (each of its
//! methods, in both styles), confluent-kafka-go (each method, and its serializers), `@confluentinc/schemaregistry`
//! (each method, and its serializers), `@kafkajs/confluent-schema-registry`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::sync::LazyLock;
use support::clients::create_topics;
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::registry_clients::{
    Connection, Verdict, go_client, node_clients, python_client, python_of_old, python_serializers,
};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

#[test]
fn every_client_works_with_the_file_store() {
    let registry = start(|_| {});
    create_topics(&KAFKA.bootstrap(), &["old-avro"], 1);
    clients_work(
        &registry,
        &Connection::new(&format!("http://{}", registry.registry)),
    );
}

fn start(change: impl FnOnce(&mut Setup)) -> Portcullis {
    let mut setup = Setup::new(&KAFKA.bootstrap());
    "BACKWARD".clone_into(&mut setup.compatibility);
    change(&mut setup);
    setup.start()
}

/// One after another: some of them change the global level and mode for a moment.
fn clients_work(registry: &Portcullis, connection: &Connection) {
    found(&python_client(connection, "sync"), 180, &[]);
    found(&python_client(connection, "async"), 180, &[]);
    found(&python_serializers(connection), 45, &[]);
    // Sends through the gateway, whose policy asks the same registry about every record.
    found(
        &python_of_old(connection, &registry.bootstrap, "old-avro"),
        15,
        &[],
    );
    found(&go_client(connection), 50, &[]);
    found(&node_clients(connection), 42, &[]);
}

/// At least so many checks passed, and exactly these failed.
fn found(verdict: &Verdict, passed_min: u64, failed: &[&str]) {
    assert_eq!(verdict.failed, failed, "{}", verdict.lines);
    assert!(verdict.passed >= passed_min, "only {} checks", verdict.passed);
}
