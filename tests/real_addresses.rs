//! No response to any client holds a broker's own address; clients find every broker through the gateway, also when
//! one goes away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::disallowed_methods, reason = "a thread, with no runtime to block")]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use support::clients::{Client, How, Sending, administer, java, kcat_consume, kcat_produce};
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::payloads::Language;
use support::process::run;
use support::records::{Outcome, Record};
use support::relay::Relay;

/// Where the gateway tells clients to go: the relay listens there.
const RELAYED: &str = "127.0.0.2";

/// One test, since all of it looks at the same cluster: three brokers are dear on a small machine.
#[test]
fn brokers_are_reached_through_the_gateway_only() {
    let mut kafka = Kafka::start(3);
    let mut setup = Setup::new(&kafka.bootstrap());
    setup.advertised_host = RELAYED.to_owned();
    let gateway = setup.start();
    let ports = gateway.bootstrap_port..gateway.bootstrap_port + 9;
    let relay = Relay::start(RELAYED, "127.0.0.1", ports);
    administer(
        &kafka.bootstrap(),
        &["create:spread:6:3", "create:checked:6:3", "create:copy:6:3"],
        &[],
    );

    every_client_talks(&gateway);
    the_cluster_is_seen_behind_one_host(&gateway);
    nothing_leaked(&kafka, &relay);

    leaders_move_under_a_producer(&mut kafka, &gateway);
    nothing_leaked(&kafka, &relay);
}

/// Everything that clients do: produce (valid, refused, in a transaction), consume (alone, in each kind of group),
/// administer.
fn every_client_talks(gateway: &Portcullis) {
    let bootstrap = &gateway.bootstrap;
    let schema = gateway.register("checked-value", "AVRO", Language::Avro.schema());
    let mut records: Vec<Record> = (0..6)
        .map(|partition| Record::new("spread", partition, b"anything"))
        .collect();
    records.extend(
        (0..6).map(|partition| Record::new("checked", partition, &Language::Avro.good(schema, partition))),
    );
    for client in [Client::Java, Client::Python] {
        let outcomes = client.produce(bootstrap, &records, How::Together, &[]);
        assert!(
            outcomes.iter().all(Outcome::is_acknowledged),
            "{client:?}: {outcomes:#?}\n{}",
            gateway.said()
        );
        let id = format!("transactional.id=addresses-{client:?}");
        let outcomes = client.produce(bootstrap, &records, How::Commit, &[&id]);
        assert!(
            outcomes.iter().all(Outcome::is_acknowledged),
            "{client:?}: {outcomes:#?}"
        );
    }
    let bad: Vec<Record> = (0..6)
        .map(|partition| Record::new("checked", partition, b"bad"))
        .collect();
    let refused = Client::Java.produce(bootstrap, &bad, How::Together, &[]);
    assert!(
        refused
            .iter()
            .all(|outcome| outcome.message().starts_with("PC-101")),
        "{refused:#?}"
    );
    for settings in [
        &[][..],
        &["group.id=classic"],
        &["group.id=new", "group.protocol=consumer"],
    ] {
        assert_eq!(
            Client::Java
                .consume(bootstrap, &["spread", "checked"], 48, settings)
                .len(),
            48,
            "{settings:?}"
        );
    }
    assert_eq!(
        Client::Python
            .consume(bootstrap, &["spread", "checked"], 48, &[])
            .len(),
        48
    );
    let shared = [
        "spread".to_owned(),
        "24".to_owned(),
        format!("bootstrap.servers={bootstrap}"),
    ]
    .to_vec();
    assert_eq!(
        run(&[java("ConsumeShared"), shared].concat()).json_lines().len(),
        24
    );
    let copying = ["spread", "copy", "24"].map(str::to_owned).to_vec();
    let server = vec![format!("bootstrap.servers={bootstrap}")];
    let copied = run(&[java("CopyInTransactions"), copying, server].concat());
    assert_eq!(copied.json_lines()[0]["copied"], 24, "{copied:#?}");
    assert!(
        kcat_produce(bootstrap, "spread", &["kcat:was here"], &[])
            .status
            .success()
    );
    assert!(
        kcat_consume(bootstrap, "spread", &[])
            .out
            .contains("kcat was here")
    );
}

fn the_cluster_is_seen_behind_one_host(gateway: &Portcullis) {
    let lines = administer(
        &gateway.bootstrap,
        &["cluster", "topic:spread", "groups", "quorum", "offsets:spread"],
        &[],
    );
    let nodes = lines[0]["nodes"].as_array().unwrap();
    assert_eq!(
        nodes
            .iter()
            .filter_map(|node| node["id"].as_i64())
            .collect::<BTreeSet<_>>(),
        (1..=3).collect()
    );
    assert!(nodes.iter().all(|node| node["host"] == RELAYED), "{nodes:#?}");
    assert_eq!(
        nodes
            .iter()
            .filter_map(|node| node["port"].as_u64())
            .collect::<BTreeSet<_>>()
            .len(),
        3
    );
    for leader in lines[1]["leaders"].as_array().unwrap() {
        assert!(nodes.contains(leader), "{leader} in {nodes:#?}");
    }
}

/// Greps every byte that the gateway has sent. Connections that are still open are not in yet: client programs have
/// ended by now, and a moment lets the relay see it.
fn nothing_leaked(kafka: &Kafka, relay: &Relay) {
    std::thread::sleep(Duration::from_millis(500));
    let seen = relay.seen();
    assert!(
        seen.len() > 10_000,
        "only {} bytes went through the relay",
        seen.len()
    );
    let count = |needle: &[u8]| {
        seen.windows(needle.len())
            .filter(|window| *window == needle)
            .count()
    };
    assert!(
        count(RELAYED.as_bytes()) > 10,
        "the gateway's own address is there, so addresses would be found"
    );
    assert_eq!(count(b"127.77.83."), 0, "a broker's host");
    for node in &kafka.nodes {
        // Ports are INT32 in every response that has them.
        for port in [node.plaintext, node.sasl, node.tls] {
            assert_eq!(
                count(&u32::from(port).to_be_bytes()),
                0,
                "port {port} of broker {}",
                node.id
            );
        }
    }
}

/// A broker crashes, comes back, and leads again, while a producer sends: it is told of new leaders in its Produce
/// answers (KIP-951), and has every record acknowledged once.
fn leaders_move_under_a_producer(kafka: &mut Kafka, gateway: &Portcullis) {
    administer(&kafka.bootstrap(), &["create:moving:6:3"], &[]);
    let records: Vec<Record> = (0..100_000)
        .map(|number: i32| Record::new("moving", number % 6, &number.to_be_bytes()))
        .collect();
    let sending = Sending::start(&gateway.bootstrap, &records);
    let sent = || gateway.metric("portcullis_records_total", &["\"moving\""]);
    goes_on(sent);
    kafka.kill(3);
    goes_on(sent);
    kafka.restart(3);
    goes_on(sent);
    let deadline = Instant::now() + Duration::from_secs(40);
    // Broker 3 may lead again only once it has caught up.
    while administer(&kafka.bootstrap(), &["elect"], &[])[0]["elected"] == 0 {
        assert!(Instant::now() < deadline, "broker 3 never leads again");
    }
    goes_on(sent);
    let outcomes = sending.stop();
    assert!(
        outcomes.iter().all(Outcome::is_acknowledged),
        "{}",
        gateway.said()
    );
    let found = Client::Java.consume(&kafka.bootstrap(), &["moving"], outcomes.len(), &[]);
    let values: BTreeSet<_> = found.iter().map(|record| record.value.clone()).collect();
    assert_eq!((found.len(), values.len()), (outcomes.len(), outcomes.len()));
}

/// Waits until a hundred more have been sent.
fn goes_on(sent: impl Fn() -> f64) {
    let before = sent();
    let deadline = Instant::now() + Duration::from_mins(1);
    while sent() < before + 100.0 {
        assert!(Instant::now() < deadline, "{} sent, then no more", sent());
        std::thread::sleep(Duration::from_millis(50));
    }
}
