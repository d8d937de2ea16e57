//! Our own client against a real Kafka, and beside a Java client: what one writes, the other reads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{EndTxnRequest, ProducerId, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::RecordBatchDecoder;
use portcullis::kafka::client::{
    Client, CoordinatorKind, FetchLimits, NewTopic, OffsetAt, Partition, Producer,
};
use portcullis::kafka::{HostPort, UpstreamOptions};
use portcullis::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use portcullis::wire::compression::Compression;
use std::fs;
use std::sync::LazyLock;
use std::time::Duration;
use support::clients::java;
use support::kafka::{Extras, Kafka};
use support::places::scratch;
use support::process::Leashed;
use tokio::time::Instant;

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

fn client(kafka: &Kafka) -> Client {
    let servers = kafka.bootstrap();
    let servers = servers.split(',').map(|server| {
        let (host, port) = server.rsplit_once(':').unwrap();
        HostPort {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        }
    });
    let options = UpstreamOptions {
        bootstrap_servers: servers.collect(),
        tls: None,
        sasl: None,
    };
    Client::new(&options).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn at(topic: &str, index: i32) -> Partition<'_> {
    Partition { topic, index }
}

/// Creates `topic` with the broker's replication factor.
async fn create(client: &mut Client, topic: &str, partitions: i32) {
    let new = NewTopic {
        name: topic,
        partitions,
        replication_factor: -1,
        configs: &[],
    };
    client.create_topic(&new, Duration::from_secs(30)).await.unwrap();
    let deadline = soon();
    loop {
        let views = client.topics(&[topic]).await.unwrap();
        if let Some(Ok(view)) = views.get(topic)
            && view.partitions.iter().all(|partition| partition.leader.is_some())
        {
            return;
        }
        assert!(Instant::now() < deadline, "{topic} has no leaders");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const LIMITS: FetchLimits = FetchLimits {
    bytes_max: 1 << 20,
    wait_max: Duration::from_millis(500),
};

/// Every record of a partition as it stands there, those that end transactions too.
async fn records(client: &mut Client, partition: Partition<'_>) -> Vec<kafka_protocol::records::Record> {
    let end = client.offset(partition, OffsetAt::Latest).await.unwrap();
    let mut all = Vec::new();
    while let next = all
        .last()
        .map_or(0, |record: &kafka_protocol::records::Record| record.offset + 1)
        && next < end
    {
        let mut bytes = client.fetch(partition, next, LIMITS).await.unwrap().records;
        all.extend(RecordBatchDecoder::decode(&mut bytes).unwrap().records);
    }
    all
}

fn batch(values: &[&str], stamp: ProducerStamp) -> bytes::Bytes {
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .map(|value| NewRecord {
            timestamp_ms: 1_700_000_000_000,
            key: None,
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        })
        .collect();
    let mut bytes = Vec::new();
    write_batch(&records, Compression::None, Some(stamp), &mut bytes).unwrap();
    bytes.into()
}

/// `ControlRecordType`: version 0, then 0 for ABORT and 1 for COMMIT.
const ABORT: &[u8] = &[0, 0, 0, 0];
const COMMIT: &[u8] = &[0, 0, 0, 1];

async fn the_marker_reaches_a_partition_that_was_only_added(kafka: &Kafka) {
    for (how, marker) in [("commit", COMMIT), ("abort", ABORT)] {
        let mut client = client(kafka);
        let (held, decisions) = (format!("held-{how}"), format!("decisions-{how}"));
        create(&mut client, &held, 1).await;
        create(&mut client, &decisions, 2).await;
        let folder = scratch();
        let (end, id) = (folder.path().join("end"), format!("hold-{how}"));
        let arguments = [
            held.clone(),
            how.to_owned(),
            end.to_str().unwrap().to_owned(),
            format!("bootstrap.servers={}", kafka.bootstrap()),
            format!("transactional.id={id}"),
        ];
        let command = [java("HoldTransaction"), arguments.to_vec()].concat();
        let mut java = Leashed::start("KILL", command, folder.path(), &folder.path().join("log"));
        java.wait_until("the transaction", Duration::from_secs(30), || true);
        let deadline = soon();
        while !java.said().contains("open") {
            assert!(Instant::now() < deadline, "{}", java.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let first = records(&mut client, at(&held, 0)).await.remove(0);
        assert!(first.transactional, "{first:?}");
        let producer = Producer {
            id: first.producer_id,
            epoch: first.producer_epoch,
        };
        // Twice: as two gateways may, or one that did not hear the answer.
        for _ in 0..2 {
            client
                .add_partitions_to_transaction(&id, producer, &[at(&decisions, 1)], soon())
                .await
                .unwrap();
        }
        assert_eq!(records(&mut client, at(&decisions, 1)).await, []);
        fs::write(&end, "").unwrap();
        let deadline = soon();
        while java.ended().is_none() {
            assert!(Instant::now() < deadline, "{}", java.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(
            java.said().contains(&format!("\"transaction\":\"{how}\"")),
            "{}",
            java.said()
        );
        let markers = records(&mut client, at(&decisions, 1)).await;
        let [written] = &markers[..] else {
            panic!("{markers:?}")
        };
        println!("{how}: producer {producer:?}, marker {written:?}");
        assert!(written.control && written.transactional, "{written:?}");
        assert_eq!(written.producer_id, producer.id);
        // Transactions v2 bump the epoch with the marker (KIP-890).
        assert!(
            (0..=1).contains(&(written.producer_epoch - producer.epoch)),
            "{written:?}"
        );
        assert_eq!(written.key.as_deref(), Some(marker));
        assert_eq!(records(&mut client, at(&decisions, 0)).await, []);
        // The held record, its marker, the next transaction's: the producer was not disturbed.
        let held = records(&mut client, at(&held, 0)).await;
        let control: Vec<bool> = held.iter().map(|record| record.control).collect();
        assert_eq!(control, [false, true, false, true], "{held:?}");
    }
}

#[tokio::test]
async fn the_marker_of_somebody_elses_transaction_reaches_a_partition_that_was_only_added_to_it() {
    the_marker_reaches_a_partition_that_was_only_added(&KAFKA).await;
}

#[tokio::test]
async fn the_marker_reaches_it_in_transactions_v1_as_well() {
    let features = &["transaction.version=1"][..];
    let kafka = Kafka::start_with(
        1,
        Extras {
            features,
            ..Extras::default()
        },
    );
    the_marker_reaches_a_partition_that_was_only_added(&kafka).await;
}

/// As a Java client would end it whose every batch was answered on the broker's behalf.
#[tokio::test]
async fn a_transaction_to_which_nothing_was_written_can_be_committed_once_a_partition_was_added() {
    let mut client = client(&KAFKA);
    create(&mut client, "nothing-written", 1).await;
    let id = "nothing-written";
    let mut producer = client
        .init_producer_id(id, Duration::from_secs(30), None, soon())
        .await
        .unwrap();
    for round in 1..=2 {
        client
            .add_partitions_to_transaction(id, producer, &[at("nothing-written", 0)], soon())
            .await
            .unwrap();
        let broker = client
            .coordinator(CoordinatorKind::Transaction, id)
            .await
            .unwrap();
        let mut connection = client.open(&broker.address).await.unwrap();
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(StrBytes::from_static_str("nothing-written")))
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_committed(true);
        // From 5 on: transactions v2.
        let answer = connection
            .send(&request, 5, Duration::from_secs(10))
            .await
            .unwrap();
        assert_eq!(answer.error_code, 0);
        let before = producer;
        producer = Producer {
            id: answer.producer_id.0,
            epoch: answer.producer_epoch,
        };
        assert!(producer.epoch > before.epoch, "{producer:?}");
        // A late one for the transaction that has ended opens none.
        let late = client
            .add_partitions_to_transaction(id, before, &[at("nothing-written", 0)], soon())
            .await
            .unwrap_err();
        assert_eq!(late.code(), Some(ResponseError::ProducerFenced), "{late}");
        let markers = records(&mut client, at("nothing-written", 0)).await;
        assert_eq!(markers.len(), round, "{markers:?}");
        assert!(
            markers
                .iter()
                .all(|marker| marker.control && marker.key.as_deref() == Some(COMMIT))
        );
    }
}

#[tokio::test]
async fn a_partition_that_is_not_there_is_not_added_and_another_id_is_refused() {
    let mut client = client(&KAFKA);
    create(&mut client, "refused", 1).await;
    let id = "refused";
    let producer = client
        .init_producer_id(id, Duration::from_secs(30), None, soon())
        .await
        .unwrap();
    let shortly = Instant::now() + Duration::from_secs(1);
    let absent = [at("refused", 0), at("refused", 7)];
    let error = client
        .add_partitions_to_transaction(id, producer, &absent, shortly)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(ResponseError::UnknownTopicOrPartition),
        "{error}"
    );
    let stranger = Producer {
        id: producer.id + 1000,
        ..producer
    };
    let error = client
        .add_partitions_to_transaction(id, stranger, &[at("refused", 0)], soon())
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(ResponseError::InvalidProducerIdMapping),
        "{error}"
    );
}

#[tokio::test]
async fn a_batch_with_a_sequence_is_written_once_however_often_it_is_sent() {
    let mut client = client(&KAFKA);
    create(&mut client, "sequenced", 1).await;
    let producer = client.init_idempotent_producer(soon()).await.unwrap();
    let another = client.init_idempotent_producer(soon()).await.unwrap();
    assert_ne!(producer.id, another.id);
    let stamp = |base_sequence| ProducerStamp {
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        base_sequence,
        transactional: false,
    };
    let batches: Vec<_> = (0..7)
        .map(|sequence| batch(&["value"], stamp(sequence)))
        .collect();
    for (offset, batch) in (0..).zip(&batches) {
        for _ in 0..2 {
            let written = client
                .produce(at("sequenced", 0), batch, None, soon())
                .await
                .unwrap();
            assert_eq!(written.base_offset, Some(offset));
        }
    }
    // Older than the five that a broker remembers: Kafka 4.3 does not know that it has had it.
    let forgotten = client
        .produce(at("sequenced", 0), &batches[0], None, soon())
        .await
        .unwrap_err();
    assert_eq!(
        forgotten.error.code(),
        Some(ResponseError::OutOfOrderSequenceNumber)
    );
    assert_eq!(records(&mut client, at("sequenced", 0)).await.len(), 7);
    let gap = client
        .produce(at("sequenced", 0), &batch(&["value"], stamp(9)), None, soon())
        .await
        .unwrap_err();
    assert_eq!(gap.error.code(), Some(ResponseError::OutOfOrderSequenceNumber));
}

#[tokio::test]
async fn several_topics_are_described_at_once_and_one_that_is_not_there_is_left_out() {
    let mut client = client(&KAFKA);
    create(&mut client, "described-2", 2).await;
    // As many partitions as the broker's configuration says.
    create(&mut client, "described-default", -1).await;
    let views = client
        .topics(&["described-2", "described-absent", "described-default"])
        .await
        .unwrap();
    let mut counts: Vec<(&str, usize)> = views
        .iter()
        .map(|(name, view)| (name.as_str(), view.as_ref().unwrap().partitions.len()))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [("described-2", 2), ("described-default", 3)]);
}
