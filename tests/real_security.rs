//! SASL is passed through, TLS is spoken to brokers and on a listener.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::sync::LazyLock;
use support::clients::{Client, How};
use support::gateway::{Portcullis, Setup};
use support::kafka::{Kafka, PASSWORD, USER};
use support::payloads::Language;
use support::process::run;
use support::records::Record;

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

#[test]
fn plain_and_scram_are_passed_through_and_records_are_checked_behind_them() {
    let gateway = Setup::new(&KAFKA.sasl_bootstrap()).start();
    let schema = gateway.register("behind-sasl-value", "AVRO", Language::Avro.schema());
    let good = Record::new("behind-sasl", 0, &Language::Avro.good(schema, 1));
    let bad = Record::new("behind-sasl", 1, &Language::Avro.bad(schema, 1));
    for (mechanism, module) in [
        ("PLAIN", "plain.PlainLoginModule"),
        ("SCRAM-SHA-512", "scram.ScramLoginModule"),
    ] {
        let mechanism = format!("sasl.mechanism={mechanism}");
        let login = format!(
            "sasl.jaas.config=org.apache.kafka.common.security.{module} required username=\"{USER}\" \
             password=\"{PASSWORD}\";"
        );
        let settings = ["security.protocol=SASL_PLAINTEXT", &mechanism, &login];
        checked(&gateway, Client::Java, &good, &bad, &settings);
        let (user, password) = (
            format!("sasl.username={USER}"),
            format!("sasl.password={PASSWORD}"),
        );
        checked(
            &gateway,
            Client::Python,
            &good,
            &bad,
            &["security.protocol=SASL_PLAINTEXT", &mechanism, &user, &password],
        );
    }
}

#[test]
fn a_wrong_password_is_refused_by_the_broker() {
    let gateway = Setup::new(&KAFKA.sasl_bootstrap()).start();
    let login = format!(
        "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{USER}\" \
         password=\"wrong\";"
    );
    let folder = support::places::scratch();
    let file = folder.path().join("records");
    std::fs::write(
        &file,
        support::records::file_text(&[Record::new("wrong", 0, b"x")]),
    )
    .unwrap();
    let ran = run(&[
        support::clients::java("Produce"),
        vec![
            file.to_str().unwrap().to_owned(),
            "together".to_owned(),
            format!("bootstrap.servers={}", gateway.bootstrap),
            "security.protocol=SASL_PLAINTEXT".to_owned(),
            "sasl.mechanism=PLAIN".to_owned(),
            login,
        ],
    ]
    .concat());
    assert!(!ran.status.success());
    assert!(ran.err.contains("SaslAuthenticationException"), "{ran:#?}");
}

#[test]
fn brokers_are_spoken_to_in_tls_with_their_certificate_verified() {
    let mut setup = Setup::new(&KAFKA.tls_bootstrap());
    setup.upstream_extra = format!("tls: {{ ca: {} }}", KAFKA.authority.certificate().display());
    let gateway = setup.start();
    let schema = gateway.register("behind-tls-value", "JSON", Language::Json.schema());
    let good = Record::new("behind-tls", 0, &Language::Json.good(schema, 1));
    let bad = Record::new("behind-tls", 1, &Language::Json.bad(schema, 1));
    checked(&gateway, Client::Java, &good, &bad, &[]);
    checked(&gateway, Client::Python, &good, &bad, &[]);
}

#[test]
fn clients_are_spoken_to_in_tls() {
    let identity = KAFKA.authority.sign("gateway", &["127.0.0.1", "localhost"]);
    let mut setup = Setup::new(&KAFKA.bootstrap());
    setup.listener_extra = format!(
        "tls: {{ certificate: {}, key: {} }}",
        identity.certificate.display(),
        identity.key.display()
    );
    let gateway = setup.start();
    let schema = gateway.register("in-tls-value", "PROTOBUF", Language::Protobuf.schema());
    let good = Record::new("in-tls", 0, &Language::Protobuf.good(schema, 1));
    let bad = Record::new("in-tls", 1, &Language::Protobuf.bad(schema, 1));
    let authority = KAFKA.authority.certificate();
    let truststore = format!("ssl.truststore.location={}", authority.display());
    checked(
        &gateway,
        Client::Java,
        &good,
        &bad,
        &["security.protocol=SSL", "ssl.truststore.type=PEM", &truststore],
    );
    let ca = format!("ssl.ca.location={}", authority.display());
    checked(
        &gateway,
        Client::Python,
        &good,
        &bad,
        &["security.protocol=SSL", &ca],
    );
}

#[test]
fn a_client_without_the_certificate_that_a_listener_wants_is_turned_away() {
    let identity = KAFKA.authority.sign("mutual-gateway", &["127.0.0.1"]);
    let client = KAFKA.authority.sign("mutual-client", &["client"]);
    let authority = KAFKA.authority.certificate();
    let mut setup = Setup::new(&KAFKA.bootstrap());
    setup.listener_extra = format!(
        "tls: {{ certificate: {}, key: {}, client_ca: {} }}",
        identity.certificate.display(),
        identity.key.display(),
        authority.display()
    );
    let gateway = setup.start();
    let record = [Record::new("mutual", 0, b"x")];
    let truststore = format!("ssl.truststore.location={}", authority.display());
    let keystore = format!("ssl.keystore.location={}", client.both.display());
    let settings = [
        "security.protocol=SSL",
        "ssl.truststore.type=PEM",
        &truststore,
        "ssl.keystore.type=PEM",
        &keystore,
    ];
    let with = Client::Java.produce(&gateway.bootstrap, &record, How::Together, &settings);
    assert!(with[0].is_acknowledged(), "{with:?}\n{}", gateway.said());
    let ca = format!("ssl.ca.location={}", authority.display());
    let settings = ["security.protocol=SSL", &ca, "message.timeout.ms=3000"];
    let without = Client::Python.produce(&gateway.bootstrap, &record, How::Together, &settings);
    assert!(!without[0].is_acknowledged(), "{without:?}");
}

/// The good record is acknowledged, the bad one refused.
fn checked(gateway: &Portcullis, client: Client, good: &Record, bad: &Record, settings: &[&str]) {
    let outcomes = client.produce(
        &gateway.bootstrap,
        &[good.clone(), bad.clone()],
        How::Together,
        settings,
    );
    assert!(
        outcomes[0].is_acknowledged(),
        "{client:?} {settings:?}: {outcomes:#?}\n{}",
        gateway.said()
    );
    assert!(
        !outcomes[1].is_acknowledged(),
        "{client:?} {settings:?}: {outcomes:#?}"
    );
    if client == Client::Java {
        assert!(outcomes[1].message().starts_with("PC-20"), "{outcomes:#?}");
    }
}
