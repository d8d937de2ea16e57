//! The client programs, directly against Kafka: what they report is what happened, so that the tests through the
//! gateway can believe them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::sync::LazyLock;
use support::clients::{Client, How, administer, create_topics, kcat_consume, kcat_produce};
use support::kafka::Kafka;
use support::records::{Outcome, Record};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

#[test]
fn each_client_reads_what_the_other_wrote() {
    for (writer, reader, topic) in [
        (Client::Java, Client::Python, "java"),
        (Client::Python, Client::Java, "python"),
    ] {
        let records: Vec<Record> = (0..5)
            .map(|number| Record {
                timestamp_ms: Some(1_700_000_000_000 + i64::from(number)),
                key: (number != 2).then(|| vec![0, number as u8, 0xff]),
                value: (number != 3).then(|| vec![number as u8; 10]),
                headers: vec![("twice".to_owned(), Some(vec![1])), ("twice".to_owned(), None)],
                ..Record::new(topic, number % 3, b"")
            })
            .collect();
        let outcomes = writer.produce(&KAFKA.bootstrap(), &records, How::Together, &[]);
        assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
        let consumed = reader.consume(&KAFKA.bootstrap(), &[topic], 5, &[]);
        assert_eq!(consumed.len(), 5);
        for record in &records {
            assert_eq!(
                consumed.iter().filter(|one| one.is(record)).count(),
                1,
                "{record:?} in {consumed:#?}"
            );
        }
    }
}

#[test]
fn kcat_reads_what_it_wrote() {
    let ran = kcat_produce(
        &KAFKA.bootstrap(),
        "kcat",
        &["a:1", "b:2"],
        &["compression.codec=zstd"],
    );
    assert!(ran.status.success(), "{ran:#?}");
    let read = kcat_consume(&KAFKA.bootstrap(), "kcat", &[]);
    assert_eq!(read.out, "0 a 1 from=kcat\n1 b 2 from=kcat\n", "{read:#?}");
}

#[test]
fn a_refusal_by_kafka_itself_is_reported_with_its_record() {
    create_topics(&KAFKA.bootstrap(), &["tiny"], 1);
    let records = [Record::new("tiny", 0, &vec![7; 2_000_000])];
    let outcomes = Client::Java.produce(
        &KAFKA.bootstrap(),
        &records,
        How::Together,
        &["max.request.size=3000000"],
    );
    assert!(
        matches!(&outcomes[0], Outcome::Failed { error, .. } if error == "RecordTooLargeException"),
        "{outcomes:?}"
    );
}

#[test]
fn the_administrator_describes_the_cluster() {
    let lines = administer(&KAFKA.bootstrap(), &["cluster", "quorum", "groups"], &[]);
    assert_eq!(lines[0]["nodes"][0]["host"], KAFKA.nodes[0].host.as_str());
    assert_eq!(lines[1]["leader"], 1);
    assert!(lines[2]["groups"].is_array());
}

#[test]
fn kafka_asks_for_a_password_and_shows_a_certificate_where_it_should() {
    let record = [Record::new("secured", 0, b"x")];
    let scram = "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
                 username=\"alice\" password=\"alice-secret\";";
    let sasl = [
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=SCRAM-SHA-512",
        scram,
    ];
    assert!(
        Client::Java.produce(&KAFKA.sasl_bootstrap(), &record, How::Together, &sasl)[0].is_acknowledged()
    );
    let location = format!(
        "ssl.truststore.location={}",
        KAFKA.authority.certificate().display()
    );
    let tls = ["security.protocol=SSL", "ssl.truststore.type=PEM", &location];
    assert!(Client::Java.produce(&KAFKA.tls_bootstrap(), &record, How::Together, &tls)[0].is_acknowledged());
}
