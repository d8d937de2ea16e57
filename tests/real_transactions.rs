//! Transactions, consumer groups of every kind, and administration go through the gateway as if it were not there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use std::sync::LazyLock;
use support::clients::{Client, How, administer, create_topics, java};
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::payloads::Language;
use support::process::run;
use support::records::{Consumed, Outcome, Record};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| Setup::new(&KAFKA.bootstrap()).start());

#[test]
fn a_committed_transaction_is_read_and_an_aborted_one_is_not() {
    create_topics(&KAFKA.bootstrap(), &["in-transactions"], 2);
    let schema = GATEWAY.register("in-transactions-value", "AVRO", Language::Avro.schema());
    let records = |from: i32| -> Vec<Record> {
        (from..from + 10)
            .map(|number| {
                Record::new(
                    "in-transactions",
                    number % 2,
                    &Language::Avro.good(schema, number),
                )
            })
            .collect()
    };
    for (client, from) in [(Client::Java, 0), (Client::Python, 100)] {
        let id = format!("transactional.id=portcullis-{client:?}");
        let committed = client.produce_lines(&GATEWAY.bootstrap, &records(from), How::Commit, &[&id]);
        assert_eq!(committed[10]["transaction"], "commit", "{committed:#?}");
        let aborted = client.produce_lines(&GATEWAY.bootstrap, &records(from + 50), How::Abort, &[&id]);
        assert_eq!(aborted[10]["transaction"], "abort", "{aborted:#?}");
    }
    let sent: Vec<Record> = [records(0), records(100)].concat();
    for bootstrap in [&KAFKA.bootstrap(), &GATEWAY.bootstrap] {
        let read = Client::Java.consume(
            bootstrap,
            &["in-transactions"],
            20,
            &["isolation.level=read_committed"],
        );
        assert_eq!(read.len(), 20, "{bootstrap}");
        assert!(
            sent.iter().all(|sent| read.iter().any(|read| read.is(sent))),
            "{read:#?}"
        );
    }
}

#[test]
fn a_bad_record_in_a_transaction_cannot_be_committed() {
    create_topics(&KAFKA.bootstrap(), &["bad-transaction"], 1);
    let schema = GATEWAY.register("bad-transaction-value", "AVRO", Language::Avro.schema());
    let records = [Record::new("bad-transaction", 0, &Language::Avro.bad(schema, 1))];
    let id = ["transactional.id=portcullis-bad"];
    let lines = Client::Java.produce_lines(&GATEWAY.bootstrap, &records, How::Commit, &id);
    assert!(
        lines[0]["message"]
            .as_str()
            .unwrap()
            .starts_with("PC-201 record 0"),
        "{lines:#?}"
    );
    assert!(lines[1]["transaction"].is_null(), "{lines:#?}");
    // The same producer's next transaction is as good as any.
    let good = [Record::new("bad-transaction", 0, &Language::Avro.good(schema, 2))];
    let lines = Client::Java.produce_lines(&GATEWAY.bootstrap, &good, How::Commit, &id);
    assert_eq!(lines[1]["transaction"], "commit", "{lines:#?}");
    let read = Client::Java.consume(
        &KAFKA.bootstrap(),
        &["bad-transaction"],
        1,
        &["isolation.level=read_committed"],
    );
    assert_eq!(read.len(), 1);
    assert!(read[0].is(&good[0]));
}

#[test]
fn consume_transform_produce_copies_each_record_once() {
    create_topics(&KAFKA.bootstrap(), &["copied-from", "copied-to"], 2);
    let records: Vec<Record> = (0..40)
        .map(|number: u8| Record::new("copied-from", i32::from(number % 2), &[number; 20]))
        .collect();
    let outcomes = Client::Java.produce(&GATEWAY.bootstrap, &records, How::Together, &[]);
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:#?}");
    let arguments = ["copied-from", "copied-to", "40"].map(str::to_owned).to_vec();
    let server = vec![format!("bootstrap.servers={}", GATEWAY.bootstrap)];
    let ran = run(&[java("CopyInTransactions"), arguments, server].concat());
    let lines = ran.json_lines();
    assert_eq!(lines[0]["copied"], 40, "{ran:#?}");
    assert_eq!(lines[0]["aborted"], 1);
    assert_eq!(lines[0]["offsets"], 40);
    let copies = Client::Java.consume(
        &KAFKA.bootstrap(),
        &["copied-to"],
        40,
        &["isolation.level=read_committed"],
    );
    assert_eq!(copies.len(), 40, "{copies:#?}");
    for sent in &records {
        let wanted = Record {
            topic: "copied-to".to_owned(),
            ..sent.clone()
        };
        assert_eq!(
            copies.iter().filter(|copy| copy.is(&wanted)).count(),
            1,
            "{wanted:?}"
        );
    }
}

#[test]
fn groups_of_every_protocol_read_and_commit() {
    create_topics(&KAFKA.bootstrap(), &["grouped"], 3);
    let records: Vec<Record> = (0..9)
        .map(|number: u8| Record::new("grouped", i32::from(number % 3), &[number]))
        .collect();
    Client::Java.produce(&GATEWAY.bootstrap, &records, How::Together, &[]);
    for protocol in ["classic", "consumer"] {
        let settings = [
            format!("group.id=grouped-{protocol}"),
            format!("group.protocol={protocol}"),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let read = Client::Java.consume(&GATEWAY.bootstrap, &["grouped"], 9, &settings);
        all_read(&read, &records);
        let again = Client::Java.consume(&GATEWAY.bootstrap, &["grouped"], 0, &settings);
        assert!(
            again.is_empty(),
            "{protocol}: committed, so read once: {again:#?}"
        );
        let committed = administer(
            &KAFKA.bootstrap(),
            &[&format!("committed:grouped-{protocol}")],
            &[],
        );
        assert_eq!(committed[0]["committed"], 9);
    }
    let arguments = [
        "grouped".to_owned(),
        "9".to_owned(),
        format!("bootstrap.servers={}", GATEWAY.bootstrap),
    ]
    .to_vec();
    let shared = run(&[java("ConsumeShared"), arguments].concat());
    let mut read: Vec<Consumed> = shared.json_lines().iter().map(Consumed::read).collect();
    read.sort();
    all_read(&read, &records);
}

#[test]
fn administration_sees_the_cluster_at_the_gateways_address() {
    let through = administer(
        &GATEWAY.bootstrap,
        &[
            "create:administered:2",
            "cluster",
            "topic:administered",
            "groups",
            "quorum",
            "offsets:administered",
        ],
        &[],
    );
    assert_eq!(through[0]["created"], "administered");
    let node = &through[1]["nodes"][0];
    assert_eq!(node["id"], 1);
    assert_eq!(node["host"], "127.0.0.1");
    assert!(node["port"].as_u64().unwrap() > u64::from(GATEWAY.bootstrap_port));
    assert_eq!(&through[2]["leaders"][1], node);
    assert!(through[3]["groups"].is_array());
    assert_eq!(through[4]["leader"], 1);
    assert_eq!(through[5]["ends"], serde_json::json!([0, 0]));
}

fn all_read(read: &[Consumed], sent: &[Record]) {
    assert_eq!(read.len(), sent.len(), "{read:#?}");
    assert!(
        sent.iter().all(|sent| read.iter().any(|read| read.is(sent))),
        "{read:#?}"
    );
}
