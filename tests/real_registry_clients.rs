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

use portcullis::registry::access::users;
use serde_json::Value;
use std::sync::LazyLock;
use support::clients::create_topics;
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::places::{fetched, project, scratch};
use support::process::run;
use support::registry_clients::{
    Connection, Verdict, go_client, node_clients, python_client, python_of_old, python_serializers,
};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

#[test]
fn every_client_works_with_the_file_store() {
    let registry = start(|_| {});
    let connection = Connection::new(&format!("http://{}", registry.registry));
    clients_work(&registry, &connection, "plain");
}

#[test]
fn every_client_works_with_the_kafka_store() {
    let registry = start(|setup| {
        "{ kafka: { topic: _schemas-of-clients, replication_factor: 1 } }".clone_into(&mut setup.store);
    });
    let connection = Connection::new(&format!("http://{}", registry.registry));
    clients_work(&registry, &connection, "kafka");
}

/// No colon in it: `confluent_kafka.avro` cuts a password at one.
#[test]
fn every_client_works_through_tls_with_a_password() {
    let folder = scratch();
    let users = folder.path().join("users");
    let line = users::line("client", "pass word/%", &["clients".to_owned()]).unwrap();
    std::fs::write(&users, line).unwrap();
    let (registry, connection) = secured(
        "",
        &format!("basic: {{ users: {} }}", users.display()),
        "group:clients",
    );
    let connection = connection.with("user", "client").with("password", "pass word/%");
    clients_work(&registry, &connection, "password");
    used(&registry, "basic", "client");
}

/// But for `confluent_kafka.avro`, which knows no tokens.
#[test]
fn every_client_works_through_tls_with_a_token() {
    let folder = scratch();
    let program = project("tests/registry_security/tokens.py");
    let python = fetched("venv").join("bin/python");
    let ran = run(&[
        python.to_str().unwrap().to_owned(),
        program.to_str().unwrap().to_owned(),
        "https://idp.example.com/".to_owned(),
        "schema-registry".to_owned(),
    ]);
    let made: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:#?}"));
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, made["keys"].to_string()).unwrap();
    let bearer = format!(
        "bearer: {{ jwks_file: {}, issuer: \"https://idp.example.com/\", audience: schema-registry }}",
        keys.display()
    );
    let (registry, connection) = secured("", &bearer, "user:alice");
    let connection = connection.with("token", made["good"]["ES256"].as_str().unwrap());
    clients_but_the_old_one_work(&connection);
    used(&registry, "bearer", "alice");
}

#[test]
fn every_client_works_through_tls_with_a_certificate() {
    let client = KAFKA.authority.sign("client", &["client"]);
    let (registry, connection) = secured(
        ", client_ca: CA",
        "certificates: { principal: distinguished_name }",
        "user:CN=client",
    );
    let connection = connection
        .with("certificate", client.certificate.to_str().unwrap())
        .with("key", client.key.to_str().unwrap());
    clients_work(&registry, &connection, "certificate");
    used(&registry, "certificate", "CN=client");
}

/// A registry in TLS in which `who` may do everything and nobody else anything, and how it is reached. `tls`: further
/// keys of that section, where `CA` stands for the authority's certificate.
fn secured(tls: &str, security: &str, who: &str) -> (Portcullis, Connection) {
    let server = KAFKA.authority.sign("registry", &["127.0.0.1"]);
    let ca = KAFKA.authority.certificate();
    let ca = ca.to_str().unwrap();
    let registry = start(|setup| {
        setup.registry_extra = format!(
            "tls: {{ certificate: {}, key: {}{} }}
security:
  {security}
  rules: [ {{ subjects: [\"*\"], admin: [\"{who}\"] }} ]
  audit: {{ file: audit.jsonl }}
",
            server.certificate.display(),
            server.key.display(),
            tls.replace("CA", ca)
        );
    });
    let connection = Connection::new(&format!("https://{}", registry.registry)).with("ca", ca);
    (registry, connection)
}

/// Every write was done by this principal, who said so in this way, and none of its requests was refused access.
fn used(registry: &Portcullis, method: &str, principal: &str) {
    let audit = registry.file("audit.jsonl");
    assert!(audit.lines().count() > 100, "{audit}");
    for line in audit.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&line["method"], &line["principal"]),
            (&method.into(), &principal.into()),
            "{line}"
        );
        assert!(![401, 403].map(Value::from).contains(&line["status"]), "{line}");
    }
}

fn start(change: impl FnOnce(&mut Setup)) -> Portcullis {
    let mut setup = Setup::new(&KAFKA.bootstrap());
    "BACKWARD".clone_into(&mut setup.compatibility);
    change(&mut setup);
    setup.start()
}

/// One after another: some of them change the global level and mode for a moment. `name`: of a topic of theirs.
fn clients_work(registry: &Portcullis, connection: &Connection, name: &str) {
    clients_but_the_old_one_work(connection);
    // Sends through the gateway, whose policy asks the same registry about every record.
    let topic = format!("old-avro-{name}");
    create_topics(&KAFKA.bootstrap(), &[&topic], 1);
    let old = python_of_old(connection, &registry.bootstrap, &topic);
    found(&old, 15, &[]);
}

fn clients_but_the_old_one_work(connection: &Connection) {
    found(&python_client(connection, "sync"), 180, &[]);
    found(&python_client(connection, "async"), 180, &[]);
    found(&python_serializers(connection), 45, &[]);
    found(&go_client(connection), 50, &[]);
    found(&node_clients(connection), 42, &[]);
}

/// At least so many checks passed, and exactly these failed.
fn found(verdict: &Verdict, passed_min: u64, failed: &[&str]) {
    assert_eq!(verdict.failed, failed, "{}", verdict.lines);
    assert!(verdict.passed >= passed_min, "only {} checks", verdict.passed);
}
