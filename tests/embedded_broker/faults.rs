//! Misbehaviour on demand.

use crate::peer::{Client, batch, broker, broker_with_topic, produce, produce_one};
use kafka_protocol::messages::ApiVersionsRequest;
use portcullis::demo::ResponseFault;
use portcullis::wire::api::ApiKey as Api;
use portcullis::wire::compression::Compression;
use portcullis::wire::error_code::ErrorCode;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn produce_errors_come_on_demand_for_so_many_partitions() {
    let broker = broker_with_topic("t").await;
    let mut client = Client::connect(&broker).await;
    broker.faults().fail_produce(ErrorCode::NOT_LEADER_OR_FOLLOWER, 2);
    let records = batch(&["a"], Compression::None, None);
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(produce_one(&mut client, "t", records.clone()).await.error_code);
    }
    assert_eq!(codes, [6, 6, 0]);
    assert_eq!(broker.high_watermark("t", 0), Some(1));
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_append_or_in_the_middle_of_the_answer() {
    let broker = broker_with_topic("t").await;
    for (fault, appended) in [
        (ResponseFault::ResetUnhandled, 0),
        (ResponseFault::ResetHandled, 1),
        (ResponseFault::ResetAfter(9), 2),
    ] {
        let mut client = Client::connect(&broker).await;
        broker.faults().on_next(Some(Api::PRODUCE), 1, fault);
        // Another API is not meant.
        client.ask(3, &ApiVersionsRequest::default()).await.unwrap();
        client
            .send(9, &produce("t", 0, -1, batch(&["a"], Compression::None, None)))
            .await
            .unwrap();
        let mut got = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(5), client.stream.read_to_end(&mut got))
            .await
            .unwrap();
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(
            got.len(),
            if let ResponseFault::ResetAfter(bytes) = fault {
                bytes
            } else {
                0
            }
        );
        assert_eq!(broker.high_watermark("t", 0), Some(appended));
    }
}

#[tokio::test]
async fn answers_can_be_late_dripped_or_missing() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    let started = Instant::now();
    broker
        .faults()
        .on_next(None, 1, ResponseFault::Delay(Duration::from_millis(150)));
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
    let started = Instant::now();
    broker.faults().on_next(
        None,
        1,
        ResponseFault::Drip {
            bytes: 10,
            pause: Duration::from_millis(5),
        },
    );
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(50));
    broker.faults().on_next(None, 1, ResponseFault::Swallow);
    client.send(0, &ApiVersionsRequest::default()).await.unwrap();
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
}

#[tokio::test]
async fn the_listener_closes_and_opens_and_open_connections_are_reset_on_demand() {
    let broker = broker().await;
    let mut client = Client::connect(&broker).await;
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    broker.faults().close_listener();
    wait_until(async || TcpStream::connect(broker.address).await.is_err()).await;
    client.ask(0, &ApiVersionsRequest::default()).await.unwrap();
    broker.faults().open_listener();
    wait_until(async || TcpStream::connect(broker.address).await.is_ok()).await;
    broker.faults().reset_connections();
    let end = tokio::time::timeout(Duration::from_secs(5), client.stream.read_u8())
        .await
        .unwrap();
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    broker.stop().await;
    assert!(TcpStream::connect(broker.address).await.is_err());
}

async fn wait_until(mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that");
}
