//! Our own client against a real Kafka, and beside a Java client: what one writes, the other reads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{EndTxnRequest, ProducerId, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::RecordBatchDecoder;
use portcullis::kafka::client::{
    Client, CommittedOffset, CoordinatorKind, FetchLimits, GroupMember, NewTopic, OffsetAt, Partition,
    PartitionOffset, Producer, Transaction, TransactionError, TransactionalProducer,
};
use portcullis::kafka::group::{Assigned, Event, MemberOptions, Membership};
use portcullis::kafka::{ClientError, SaslOptions, TokenEndpoint, TokenSource};
use portcullis::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use portcullis::wire::committed::walk_committed;
use portcullis::wire::compression::{Compression, DecompressionLimits, Decompressor};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::clients::{Client as Program, java};
use support::kafka::{Extras, Kafka, upstream};
use support::places::scratch;
use support::process::Leashed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
/// Its coordinators know transactions v1 only, as those before Kafka 4.0.
static KAFKA_V1: LazyLock<Kafka> = LazyLock::new(|| {
    let features = &["transaction.version=1"][..];
    Kafka::start_with(
        1,
        Extras {
            features,
            ..Extras::default()
        },
    )
});

fn client(kafka: &Kafka) -> Client {
    Client::new(&upstream(&kafka.bootstrap())).unwrap()
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
            && serve(client, topic, partitions).await
        {
            return;
        }
        assert!(Instant::now() < deadline, "{topic} has no leaders");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether every leader knows by now that it is one.
async fn serve(client: &mut Client, topic: &str, partitions: i32) -> bool {
    for partition in 0..partitions {
        if client
            .offset(at(topic, partition), OffsetAt::Latest)
            .await
            .is_err()
        {
            return false;
        }
    }
    true
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
    the_marker_reaches_a_partition_that_was_only_added(&KAFKA_V1).await;
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

const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);

async fn transactional(kafka: &Kafka, id: &str) -> TransactionalProducer {
    TransactionalProducer::new(client(kafka), id, TRANSACTION_TIMEOUT, soon())
        .await
        .unwrap()
}

async fn produce(
    transaction: &mut Transaction<'_>,
    partition: Partition<'_>,
    values: &[&str],
) -> Result<i64, TransactionError> {
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .map(|value| NewRecord {
            timestamp_ms: 1_700_000_000_000,
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: vec![(b"header", Some(b"1"))],
        })
        .collect();
    let written = transaction
        .produce(partition, &records, Compression::Zstd, soon())
        .await?;
    Ok(written.base_offset.unwrap())
}

/// The values that a Java consumer reads of what is committed, in the order of their bytes.
fn committed(kafka: &Kafka, topic: &str, count: usize) -> Vec<String> {
    let settings = ["isolation.level=read_committed"];
    let read = Program::Java.consume(&kafka.bootstrap(), &[topic], count, &settings);
    let mut values: Vec<String> = read
        .iter()
        .map(|record| {
            let hex = record.value.as_deref().unwrap();
            let bytes =
                (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
            String::from_utf8(bytes.collect()).unwrap()
        })
        .collect();
    values.sort();
    values
}

fn offset<'a>(partition: Partition<'a>, offset: i64, metadata: &'a str) -> PartitionOffset<'a> {
    PartitionOffset {
        partition,
        offset,
        metadata,
    }
}

async fn batches_and_offsets_are_committed_together_or_not_at_all(kafka: &Kafka) {
    let mut client = client(kafka);
    create(&mut client, "together", 2).await;
    let mut producer = transactional(kafka, "together").await;
    let group = GroupMember::none("together");
    let source = at("together-source", 3);
    create(&mut client, "together-source", 4).await;

    let mut transaction = producer.begin(soon()).await.unwrap();
    for (partition, values) in [(0, &["a", "b"][..]), (1, &["c"]), (0, &["d"])] {
        produce(&mut transaction, at("together", partition), values)
            .await
            .unwrap();
    }
    let offsets = [offset(source, 7, "first")];
    transaction.commit_offsets(group, &offsets, soon()).await.unwrap();
    let shortly = Instant::now() + Duration::from_millis(300);
    let unstable = client
        .committed_offsets("together", "together-source", &[3], shortly)
        .await
        .unwrap_err();
    assert_eq!(unstable.code(), Some(ResponseError::UnstableOffsetCommit));
    transaction.commit(soon()).await.unwrap();

    let mut transaction = producer.begin(soon()).await.unwrap();
    produce(&mut transaction, at("together", 0), &["aborted"])
        .await
        .unwrap();
    let offsets = [
        offset(source, 8, "aborted"),
        offset(at("together-source", 1), 8, ""),
    ];
    transaction.commit_offsets(group, &offsets, soon()).await.unwrap();
    transaction.abort(soon()).await.unwrap();
    let expected = |offset, metadata: &str| {
        let metadata = metadata.to_owned();
        BTreeMap::from([(3, CommittedOffset { offset, metadata })])
    };
    let found = client
        .committed_offsets("together", "together-source", &[0, 1, 2, 3], soon())
        .await
        .unwrap();
    assert_eq!(found, expected(7, "first"));

    // Left open, as by a task that was cancelled: the next one aborts it.
    {
        let mut transaction = producer.begin(soon()).await.unwrap();
        produce(&mut transaction, at("together", 1), &["dropped"])
            .await
            .unwrap();
    }
    let epoch = producer.producer().epoch;
    let mut transaction = producer.begin(soon()).await.unwrap();
    produce(&mut transaction, at("together", 1), &["e"])
        .await
        .unwrap();
    transaction.commit(soon()).await.unwrap();
    producer
        .begin(soon())
        .await
        .unwrap()
        .commit(soon())
        .await
        .unwrap();
    assert_eq!(producer.producer().epoch, epoch, "nothing was in doubt");
    assert_eq!(committed(kafka, "together", 5), ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn batches_and_offsets_of_a_transaction_are_committed_together_or_not_at_all() {
    batches_and_offsets_are_committed_together_or_not_at_all(&KAFKA).await;
}

#[tokio::test]
async fn batches_and_offsets_of_a_transaction_v1_are_committed_together_or_not_at_all() {
    batches_and_offsets_are_committed_together_or_not_at_all(&KAFKA_V1).await;
}

async fn a_producer_goes_on_after_an_error(kafka: &Kafka) {
    let mut client = client(kafka);
    create(&mut client, "in-doubt", 1).await;
    let partition = at("in-doubt", 0);
    let mut producer = transactional(kafka, "in-doubt").await;
    let epoch = producer.producer().epoch;
    let mut transaction = producer.begin(soon()).await.unwrap();
    produce(&mut transaction, partition, &["before"]).await.unwrap();
    // Above the broker's million bytes, compressed too.
    let mut random = 1_u64;
    let mut noise = String::new();
    while noise.len() < 3_000_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        write!(noise, "{random:016x}").unwrap();
    }
    let error = produce(&mut transaction, partition, &[&noise]).await.unwrap_err();
    let TransactionError::Refused { error, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(error.code(), Some(ResponseError::MessageTooLarge), "{error}");
    // Nothing of it was appended: the sequences go on.
    produce(&mut transaction, partition, &["after"]).await.unwrap();
    transaction.commit(soon()).await.unwrap();
    assert_eq!(producer.producer().epoch, epoch);

    // Given up while it was under way: nobody knows what the broker has of it.
    let mut transaction = producer.begin(soon()).await.unwrap();
    let given_up = produce(&mut transaction, partition, &["given up"]);
    let waited = tokio::time::timeout(Duration::from_micros(100), given_up).await;
    assert!(waited.is_err(), "{waited:?}");
    let after = produce(&mut transaction, partition, &["behind"]).await;
    assert!(matches!(after, Err(TransactionError::Failed)), "{after:?}");
    transaction.abort(soon()).await.unwrap();
    let mut transaction = producer.begin(soon()).await.unwrap();
    produce(&mut transaction, partition, &["last"]).await.unwrap();
    transaction.commit(soon()).await.unwrap();
    assert_eq!(producer.producer().epoch, epoch + 1);
    assert_eq!(committed(kafka, "in-doubt", 3), ["after", "before", "last"]);
}

#[tokio::test]
async fn a_producer_goes_on_after_an_error_that_was_aborted() {
    a_producer_goes_on_after_an_error(&KAFKA).await;
}

#[tokio::test]
async fn a_producer_goes_on_after_an_error_that_was_aborted_in_transactions_v1() {
    a_producer_goes_on_after_an_error(&KAFKA_V1).await;
}

#[tokio::test]
async fn an_older_producer_of_a_transactional_id_is_fenced_and_its_transaction_aborted() {
    let mut client = client(&KAFKA);
    create(&mut client, "fenced", 1).await;
    let partition = at("fenced", 0);
    let mut older = transactional(&KAFKA, "fenced").await;
    let mut open = older.begin(soon()).await.unwrap();
    produce(&mut open, partition, &["of the older"]).await.unwrap();

    let mut newer = transactional(&KAFKA, "fenced").await;
    let mut transaction = newer.begin(soon()).await.unwrap();
    produce(&mut transaction, partition, &["of the newer"])
        .await
        .unwrap();
    let late = produce(&mut open, partition, &["late"]).await.unwrap_err();
    assert!(late.is_fenced(), "{late}");
    let error = open.abort(soon()).await.unwrap_err();
    assert!(error.is_fenced(), "{error}");
    let error = older.begin(soon()).await.err().expect("it is fenced");
    assert!(error.is_fenced(), "{error}");
    transaction.commit(soon()).await.unwrap();
    assert_eq!(committed(&KAFKA, "fenced", 1), ["of the newer"]);
}

#[tokio::test]
async fn committed_offsets_come_back_with_their_metadata() {
    let mut client = client(&KAFKA);
    create(&mut client, "noted", 3).await;
    let none = client
        .committed_offsets("noted", "noted", &[0, 1, 2], soon())
        .await
        .unwrap();
    assert_eq!(none, BTreeMap::new());
    let metadata = "x".repeat(4000) + "{\"ü\":1}";
    let offsets = [
        offset(at("noted", 0), 5, ""),
        offset(at("noted", 2), 6, &metadata),
    ];
    let group = GroupMember::none("noted");
    client.commit_offsets(group, &offsets, soon()).await.unwrap();
    let found = client
        .committed_offsets("noted", "noted", &[0, 1, 2], soon())
        .await
        .unwrap();
    let expected = |offset, metadata: &str| CommittedOffset {
        offset,
        metadata: metadata.to_owned(),
    };
    assert_eq!(
        found,
        BTreeMap::from([(0, expected(5, "")), (2, expected(6, &metadata))])
    );
    let long = "x".repeat(4097);
    let error = client
        .commit_offsets(group, &[offset(at("noted", 1), 1, &long)], soon())
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        Some(ResponseError::OffsetMetadataTooLarge),
        "{error}"
    );
    let stranger = GroupMember {
        generation: 3,
        member_id: "nobody",
        ..group
    };
    let error = client
        .commit_offsets(stranger, &offsets, soon())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error.code(),
            Some(ResponseError::IllegalGeneration | ResponseError::UnknownMemberId)
        ),
        "{error}"
    );
}

fn join(group_id: &str, topic: &str) -> Membership {
    let options = MemberOptions {
        group_id: group_id.to_owned(),
        topic: topic.to_owned(),
        session_timeout: Duration::from_secs(6),
        rebalance_timeout: Duration::from_secs(10),
    };
    Membership::join(client(&KAFKA), options)
}

async fn event(member: &mut Membership) -> Event {
    tokio::time::timeout(Duration::from_secs(30), member.next())
        .await
        .expect("nothing happens to the member")
}

/// Waits until each member owns as many partitions as `counts` says, all in one generation, and returns who owns what.
async fn share(members: &mut [&mut Membership], counts: &[usize]) -> Vec<Assigned> {
    let mut owned: Vec<Option<Assigned>> = vec![None; members.len()];
    let deadline = soon();
    loop {
        for (member, owned) in members.iter_mut().zip(&mut owned) {
            while let Ok(event) = tokio::time::timeout(Duration::from_millis(20), member.next()).await {
                match event {
                    Event::Assigned(assigned) => {
                        assert!(owned.is_none(), "it was not revoked before: {owned:?}");
                        *owned = Some(assigned);
                    }
                    Event::Revoked => *owned = None,
                }
            }
        }
        let all: Vec<Assigned> = owned.iter().flatten().cloned().collect();
        let mut found: Vec<usize> = all.iter().map(|owned| owned.partitions.len()).collect();
        found.sort_unstable();
        let one = all.windows(2).all(|two| two[0].generation == two[1].generation);
        if found == counts && one {
            let mut partitions: Vec<i32> = all.iter().flat_map(|owned| owned.partitions.clone()).collect();
            partitions.sort_unstable();
            let total = i32::try_from(counts.iter().sum::<usize>()).unwrap();
            assert_eq!(partitions, (0..total).collect::<Vec<i32>>());
            return all;
        }
        assert!(Instant::now() < deadline, "{owned:?} is not {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_share_a_topic_and_take_over_from_one_that_leaves_and_from_one_that_is_gone() {
    create(&mut client(&KAFKA), "shared", 6).await;
    let mut first = join("sharing", "shared");
    let Event::Assigned(alone) = event(&mut first).await else {
        panic!("nothing was owned")
    };
    assert_eq!(alone.partitions, [0, 1, 2, 3, 4, 5]);

    let (mut second, mut third) = (join("sharing", "shared"), join("sharing", "shared"));
    // The first has to stop before anybody else starts.
    assert_eq!(event(&mut first).await, Event::Revoked);
    let early = tokio::time::timeout(Duration::from_millis(200), second.next()).await;
    assert!(early.is_err(), "{early:?} before the first has stopped");
    let owned = share(&mut [&mut first, &mut second, &mut third], &[2, 2, 2]).await;
    assert!(owned[0].generation > alone.generation);

    let left = Instant::now();
    second.leave().await;
    share(&mut [&mut first, &mut third], &[3, 3]).await;
    let leaving = left.elapsed();
    assert!(
        leaving < Duration::from_secs(5),
        "a session was waited for: {leaving:?}"
    );

    // Dropped, as a process that was killed: its session has to end.
    drop(third);
    let owned = share(&mut [&mut first], &[6]).await;
    let member = GroupMember {
        group_id: "sharing",
        generation: owned[0].generation,
        member_id: &owned[0].member_id,
    };
    let mut client = client(&KAFKA);
    let offsets = [offset(at("shared", 5), 1, "")];
    client.commit_offsets(member, &offsets, soon()).await.unwrap();
    let mut producer = transactional(&KAFKA, "sharing").await;
    let mut transaction = producer.begin(soon()).await.unwrap();
    transaction
        .commit_offsets(member, &offsets, soon())
        .await
        .unwrap();
    transaction.commit(soon()).await.unwrap();
    let past = GroupMember {
        generation: alone.generation,
        ..member
    };
    let mut transaction = producer.begin(soon()).await.unwrap();
    let error = transaction
        .commit_offsets(past, &offsets, soon())
        .await
        .unwrap_err();
    let TransactionError::Client(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.code(), Some(ResponseError::IllegalGeneration), "{error}");
    transaction.abort(soon()).await.unwrap();
    first.leave().await;
}

/// A Java consumer takes part in the same group: it reads our subscription and our leader's assignment.
#[tokio::test(flavor = "multi_thread")]
async fn a_java_consumer_shares_a_topic_with_our_member() {
    let mut client = client(&KAFKA);
    create(&mut client, "beside-java", 4).await;
    let producer = client.init_idempotent_producer(soon()).await.unwrap();
    for partition in 0..4 {
        let stamp = ProducerStamp {
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            base_sequence: 0,
            transactional: false,
        };
        client
            .produce(
                at("beside-java", partition),
                &batch(&["value"], stamp),
                None,
                soon(),
            )
            .await
            .unwrap();
    }
    let mut member = join("beside-java", "beside-java");
    assert!(matches!(event(&mut member).await, Event::Assigned(_)));
    let reading = tokio::task::spawn_blocking(|| {
        let settings = [
            "group.id=beside-java",
            "group.protocol=classic",
            "partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor",
        ];
        Program::Java.consume(&KAFKA.bootstrap(), &["beside-java"], 2, &settings)
    });
    assert_eq!(event(&mut member).await, Event::Revoked);
    let Event::Assigned(half) = event(&mut member).await else {
        panic!("nothing was owned")
    };
    assert_eq!(half.partitions.len(), 2, "{half:?}");
    assert_eq!(event(&mut member).await, Event::Revoked);
    let Event::Assigned(all) = event(&mut member).await else {
        panic!("nothing was owned")
    };
    assert_eq!(all.partitions, [0, 1, 2, 3]);
    assert_eq!(reading.await.unwrap().len(), 2);
    member.leave().await;
}

/// The values of committed records from `offset` on, by our own reading.
async fn read_committed(client: &mut Client, partition: Partition<'_>, mut offset: i64) -> Vec<String> {
    let limits = DecompressionLimits {
        bytes_max: 1 << 20,
        ratio_max: 1000,
    };
    let end = client.offset(partition, OffsetAt::LatestStable).await.unwrap();
    let mut decompressor = Decompressor::default();
    let mut values = Vec::new();
    while offset < end {
        let fetched = client.fetch_committed(partition, offset, LIMITS).await.unwrap();
        assert_eq!(fetched.last_stable_offset, end);
        let walked = walk_committed(
            &fetched.records,
            &fetched.aborted,
            &mut decompressor,
            limits,
            &mut |record| {
                if record.offset >= offset {
                    values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
                }
            },
        );
        assert_eq!(walked.failed, None);
        offset = walked.next_offset.unwrap();
    }
    values
}

#[tokio::test]
async fn only_what_is_committed_is_read_up_to_the_first_transaction_that_is_open() {
    let mut client = client(&KAFKA);
    create(&mut client, "isolated", 1).await;
    let partition = at("isolated", 0);
    let mut first = transactional(&KAFKA, "isolated-1").await;
    let mut second = transactional(&KAFKA, "isolated-2").await;
    let mut aborted = first.begin(soon()).await.unwrap();
    let mut between = second.begin(soon()).await.unwrap();
    produce(&mut aborted, partition, &["a1", "a2"]).await.unwrap();
    let middle = produce(&mut between, partition, &["b1"]).await.unwrap();
    produce(&mut aborted, partition, &["a3"]).await.unwrap();
    produce(&mut between, partition, &["b2", "b3"]).await.unwrap();
    assert_eq!(client.offset(partition, OffsetAt::LatestStable).await.unwrap(), 0);
    aborted.abort(soon()).await.unwrap();
    between.commit(soon()).await.unwrap();
    let mut kept = first.begin(soon()).await.unwrap();
    produce(&mut kept, partition, &["c"]).await.unwrap();
    kept.commit(soon()).await.unwrap();
    let mut open = second.begin(soon()).await.unwrap();
    produce(&mut open, partition, &["open"]).await.unwrap();

    let stable = client.offset(partition, OffsetAt::LatestStable).await.unwrap();
    let latest = client.offset(partition, OffsetAt::Latest).await.unwrap();
    // Eight records and three markers.
    assert_eq!((stable, latest), (10, 11));
    assert_eq!(
        read_committed(&mut client, partition, 0).await,
        ["b1", "b2", "b3", "c"]
    );
    // From within the aborted transaction, too.
    assert_eq!(
        read_committed(&mut client, partition, middle + 1).await,
        ["b2", "b3", "c"]
    );

    // All records have one timestamp.
    let time = 1_700_000_000_000;
    let found = client.offset_at_time(partition, time).await.unwrap();
    assert_eq!(found, Some(0));
    assert_eq!(client.offset_at_time(partition, -5).await.unwrap(), Some(0));
    let far = client.offset_at_time(partition, i64::MAX).await.unwrap();
    assert_eq!(far, None);
    open.abort(soon()).await.unwrap();
}

/// Takes OAUTHBEARER on its SASL listener: tokens that nobody has signed, and a session of four seconds (KIP-368).
static KAFKA_OAUTH: LazyLock<Kafka> = LazyLock::new(|| {
    Kafka::start_with(
        1,
        Extras {
            properties: "listener.name.sasl.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.sasl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"broker\";
listener.name.sasl.oauthbearer.connections.max.reauth.ms=4000
",
            ..Extras::default()
        },
    )
});

/// An unsigned token (RFC 7519 section 6) that ends so many seconds from now.
fn token(ends_in: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let claims = format!(
        r#"{{"sub":"portcullis","iat":{},"exp":{}}}"#,
        now - 600,
        now + ends_in
    );
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims))
}

fn of_tokens(source: TokenSource) -> Client {
    let sasl = SaslOptions::Token(source);
    let mut options = upstream(&KAFKA_OAUTH.sasl_bootstrap());
    options.sasl = Some(sasl);
    Client::new(&options).unwrap()
}

#[tokio::test]
async fn a_token_of_a_file_opens_a_session_and_the_file_is_read_again_before_it_ends() {
    let folder = scratch();
    let file = folder.path().join("token");
    fs::write(&file, token(3600) + "\n").unwrap();
    let mut client = of_tokens(TokenSource::File(file.clone()));
    let began = Instant::now();
    create(&mut client, "by-token", 1).await;
    let partition = at("by-token", 0);
    client.offset(partition, OffsetAt::Latest).await.unwrap();

    // The connections that are open go on without a token; the next ones want a new one.
    fs::write(&file, token(-5)).unwrap();
    let within = client.offset(partition, OffsetAt::Latest).await;
    // On a slow machine the session has ended by now.
    assert!(
        within.is_ok() || began.elapsed() > Duration::from_secs(3),
        "{within:?}"
    );
    tokio::time::sleep(Duration::from_secs(5)).await;
    let error = client.offset(partition, OffsetAt::Latest).await.unwrap_err();
    assert!(matches!(error, ClientError::Sasl { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains("OAUTHBEARER") && said.contains(file.to_str().unwrap()) && !said.contains("eyJ"),
        "{said}"
    );

    fs::write(&file, token(3600)).unwrap();
    for _ in 0..6 {
        client.offset(partition, OffsetAt::Latest).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    fs::remove_file(&file).unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let error = client.offset(partition, OffsetAt::Latest).await.unwrap_err();
    assert!(
        error.is_retriable() && matches!(error, ClientError::Token { .. }),
        "{error}"
    );
}

/// Answers one request after another with `answers`, and returns what was asked.
async fn token_endpoint(answers: Vec<(u16, String)>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"scope=kafka%20write") {
                assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
            }
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all((head + &body).as_bytes()).await.unwrap();
            asked.push(String::from_utf8(request).unwrap());
        }
        asked
    });
    (url, serving)
}

#[tokio::test]
async fn a_token_is_had_for_client_credentials_from_an_endpoint() {
    let answers = vec![
        (401, r#"{"error":"invalid_client"}"#.to_owned()),
        (200, r#"{"token_type":"bearer"}"#.to_owned()),
        (
            200,
            format!(
                r#"{{"access_token":"{}","token_type":"bearer","expires_in":60}}"#,
                token(60)
            ),
        ),
    ];
    let (url, serving) = token_endpoint(answers).await;
    let endpoint = TokenEndpoint {
        url: url.clone(),
        client_id: "portcullis".to_owned(),
        client_secret: "hidden".to_owned(),
        scope: Some("kafka write".to_owned()),
        ca: Some(KAFKA_OAUTH.authority.certificate()),
    };
    let mut client = of_tokens(TokenSource::Endpoint(Box::new(endpoint)));
    for why in ["401 Unauthorized: invalid_client", "holds no access_token"] {
        let error = client.metadata("nothing").await.unwrap_err();
        let said = error.to_string();
        assert!(error.is_retriable(), "{said}");
        assert!(
            said.contains(&url) && said.contains(why) && !said.contains("hidden"),
            "{said}"
        );
    }
    let view = client.metadata("nothing").await.unwrap();
    assert_eq!(view.brokers.len(), 1);
    for asked in serving.await.unwrap() {
        let (head, body) = asked.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
        // portcullis:hidden
        assert!(head.contains("Basic cG9ydGN1bGxpczpoaWRkZW4="), "{head}");
        assert_eq!(body, "grant_type=client_credentials&scope=kafka%20write");
    }
}
