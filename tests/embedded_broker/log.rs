//! Produce, Fetch, ListOffsets: what a partition takes, keeps and gives.

use crate::peer::{
    Client, batch, broker, broker_with_topic, fetch, fetched, produce, produce_one, text, topic,
};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, FetchResponse, InitProducerIdRequest, ListOffsetsRequest,
};
use portcullis::demo::{BrokerOptions, EmbeddedBroker};
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::Compression;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_batch_is_given_back_as_it_came_but_for_its_offset_and_epoch() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    let codecs = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for (index, codec) in (0..).zip(codecs) {
        let sent = batch(&["one", "two", "three"], codec, None);
        let answer = produce_one(&mut client, "t", sent.clone()).await;
        assert_eq!((answer.error_code, answer.base_offset), (0, index * 3));
        assert_eq!(broker.produced("t", 0)[index as usize], sent);
        // From the middle of a batch the whole batch is given.
        let got = fetched(&client.ask(12, &fetch("t", index * 3 + 1, 0)).await.unwrap());
        assert_eq!(got[..8], (index * 3).to_be_bytes());
        assert_eq!(got[8..12], sent[8..12]);
        assert_eq!(got[12..16], [0; 4]);
        assert_eq!(got[16..], sent[16..]);
    }
    assert_eq!(broker.high_watermark("t", 0), Some(15));
}

#[tokio::test]
async fn a_fetch_waits_for_the_next_append_and_no_longer() {
    let broker = broker_with_topic("t").await;
    let (mut consumer, mut producer) = (Client::connect(&broker).await, Client::connect(&broker).await);
    let started = Instant::now();
    consumer.send(12, &fetch("t", 0, 4_000)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    produce_one(&mut producer, "t", batch(&["late"], Compression::None, None)).await;
    let response: FetchResponse = consumer.receive(12).await.unwrap();
    assert!(!fetched(&response).is_empty());
    assert!((100..2_000).contains(&started.elapsed().as_millis()));
    // Nothing comes: empty when the time is over.
    let started = Instant::now();
    assert!(fetched(&consumer.ask(12, &fetch("t", 1, 200)).await.unwrap()).is_empty());
    assert!((200..2_000).contains(&started.elapsed().as_millis()));
    // Beyond the end is an error at once.
    let response = consumer.ask(12, &fetch("t", 9, 4_000)).await.unwrap();
    assert_eq!(
        response.responses[0].partitions[0].error_code,
        ResponseError::OffsetOutOfRange.code()
    );
}

#[tokio::test]
async fn a_retried_batch_is_appended_once_and_a_gap_is_refused() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    let id = client
        .ask(4, &InitProducerIdRequest::default().with_transactional_id(None))
        .await
        .unwrap()
        .producer_id
        .0;
    let first = batch(&["a", "b"], Compression::None, Some((id, 0, 0)));
    assert_eq!(produce_one(&mut client, "t", first.clone()).await.base_offset, 0);
    let gap = produce_one(
        &mut client,
        "t",
        batch(&["d"], Compression::None, Some((id, 0, 3))),
    )
    .await;
    assert_eq!(gap.error_code, ResponseError::OutOfOrderSequenceNumber.code());
    assert_eq!(
        produce_one(
            &mut client,
            "t",
            batch(&["c"], Compression::None, Some((id, 0, 2)))
        )
        .await
        .base_offset,
        2
    );
    let retry = produce_one(&mut client, "t", first).await;
    assert_eq!((retry.error_code, retry.base_offset), (0, 0));
    assert_eq!(broker.high_watermark("t", 0), Some(3));
}

#[tokio::test]
async fn what_a_broker_refuses_is_refused() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    let good = batch(&["value"], Compression::None, None);
    let mut flipped = good.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let mut miscounted = good.to_vec();
    miscounted[26] = 1; // last offset delta
    let crc = crc32c::crc32c(&miscounted[21..]);
    miscounted[17..21].copy_from_slice(&crc.to_be_bytes());
    for (records, error) in [
        (Bytes::from(flipped), ResponseError::CorruptMessage),
        (Bytes::from(miscounted), ResponseError::InvalidRecord),
        (
            Bytes::from([good.clone(), good.clone()].concat()),
            ResponseError::InvalidRecord,
        ),
    ] {
        assert_eq!(
            produce_one(&mut client, "t", records).await.error_code,
            error.code()
        );
    }
    let missing = client
        .ask(9, &produce("missing", 0, -1, good.clone()))
        .await
        .unwrap();
    assert_eq!(
        missing.responses[0].partition_responses[0].error_code,
        ResponseError::UnknownTopicOrPartition.code()
    );
    let acks = client.ask(9, &produce("t", 0, 2, good.clone())).await.unwrap();
    assert_eq!(
        acks.responses[0].partition_responses[0].error_code,
        ResponseError::InvalidRequiredAcks.code()
    );
    let large = "x".repeat(2 << 20);
    let large = produce_one(&mut client, "t", batch(&[&large], Compression::None, None)).await;
    assert_eq!(large.error_code, ResponseError::MessageTooLarge.code());
    assert_eq!(broker.high_watermark("t", 0), Some(0));
    // acks=0: no answer when it goes well, the end of the connection when it does not.
    client.send(9, &produce("t", 0, 0, good.clone())).await.unwrap();
    client.ask(3, &ApiVersionsRequest::default()).await.unwrap();
    assert_eq!(broker.high_watermark("t", 0), Some(1));
    client.send(9, &produce("missing", 0, 0, good)).await.unwrap();
    assert!(client.frame().await.is_err());
}

#[tokio::test]
async fn a_compacted_topic_refuses_keyless_records_by_their_index() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    let config = CreatableTopicConfig::default()
        .with_name(text("cleanup.policy"))
        .with_value(Some(text("compact")));
    let wanted = CreatableTopic::default()
        .with_name(topic("compacted"))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(vec![config]);
    client
        .ask(7, &CreateTopicsRequest::default().with_topics(vec![wanted]))
        .await
        .unwrap();
    let keyed = NewRecord {
        key: Some(b"k"),
        value: Some(b"v"),
        ..NewRecord::default()
    };
    let keyless = NewRecord {
        key: None,
        ..keyed.clone()
    };
    let mut records = Vec::new();
    write_batch(&[keyed, keyless], Compression::Zstd, None, &mut records).unwrap();
    let answer = produce_one(&mut client, "compacted", Bytes::from(records)).await;
    assert_eq!(answer.error_code, ResponseError::InvalidRecord.code());
    let indexes: Vec<i32> = answer
        .record_errors
        .iter()
        .map(|error| error.batch_index)
        .collect();
    assert_eq!(indexes, [1]);
}

#[tokio::test]
async fn offsets_are_found_by_time() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    // Two batches whose records are at 1000, 1001, 1002.
    for codec in [Compression::None, Compression::Gzip] {
        produce_one(&mut client, "t", batch(&["a", "b", "c"], codec, None)).await;
    }
    let mut offset_at = async |timestamp: i64| {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(topic("t"))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![topic]);
        let response = client.ask(7, &request).await.unwrap();
        (
            response.topics[0].partitions[0].offset,
            response.topics[0].partitions[0].timestamp,
        )
    };
    assert_eq!(offset_at(-1).await, (6, -1));
    assert_eq!(offset_at(-2).await, (0, -1));
    assert_eq!(offset_at(-3).await, (2, 1_002));
    assert_eq!(offset_at(1_001).await, (1, 1_001));
    assert_eq!(offset_at(1_003).await, (-1, -1));
}

#[tokio::test]
async fn the_oldest_batches_go_when_all_topics_hold_too_much() {
    let one = batch(&["value"], Compression::None, None);
    let retention_bytes = one.len() * 3;
    let broker = EmbeddedBroker::start(BrokerOptions {
        retention_bytes,
        ..BrokerOptions::default()
    })
    .await
    .unwrap();
    assert!(broker.create_topic("a", 1) && broker.create_topic("b", 1));
    let mut client = Client::connect(&broker).await;
    for name in ["a", "b", "a", "b", "b"] {
        produce_one(&mut client, name, one.clone()).await;
    }
    assert_eq!(
        (broker.produced("a", 0).len(), broker.produced("b", 0).len()),
        (1, 2)
    );
    let response = client.ask(12, &fetch("a", 0, 0)).await.unwrap();
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, ResponseError::OffsetOutOfRange.code());
    assert!(!fetched(&client.ask(12, &fetch("a", 1, 0)).await.unwrap()).is_empty());
}
