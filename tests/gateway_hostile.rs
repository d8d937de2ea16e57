//! Malformed frames, batches and payloads close or refuse, while another client goes on being served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod embedded;

use embedded::{Client, FRAME_BYTES_MAX, House, batch, compressed_batch, good, house, house_with, request};
use portcullis::wire::api::ApiKey;
use portcullis::wire::compression::Compression;
use portcullis::wire::error_code::ErrorCode;
use tokio::io::AsyncWriteExt;

/// Another client's good batch goes through.
async fn others_are_served(house: &House) {
    let mut other = Client::connect(house.address).await;
    let answer = other
        .produce(-1, &[("orders", 0, batch(&[good("fine")]))])
        .await
        .unwrap();
    assert_eq!(answer.topics[0].1[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn bytes_that_are_no_request_close_their_connection_only() {
    let house = house().await;
    let lengths = [-1, 0, 3, 7, FRAME_BYTES_MAX as i32 + 1, i32::MAX, i32::MIN];
    let mut hostile: Vec<(String, Vec<u8>)> = lengths
        .iter()
        .map(|length| (format!("length {length}"), length.to_be_bytes().to_vec()))
        .collect();
    hostile.push(("HTTP".to_owned(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()));
    hostile.push((
        "TLS".to_owned(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
    ));
    hostile.push(("unknown API key".to_owned(), request(ApiKey(999), 0, 1, b"")));
    hostile.push(("an API between brokers".to_owned(), request(ApiKey(4), 0, 1, b"")));
    hostile.push((
        "a version nobody has".to_owned(),
        request(ApiKey::METADATA, 99, 1, b""),
    ));
    hostile.push((
        "a Produce request without a body".to_owned(),
        request(ApiKey::PRODUCE, 9, 1, b""),
    ));
    let mut array = vec![0, 0xff, 0xff, 0, 0, 0, 1];
    array.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    hostile.push((
        "an array of 2^31 topics".to_owned(),
        request(ApiKey::PRODUCE, 9, 1, &array),
    ));
    let mut array = vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1];
    array.extend_from_slice(&i32::MAX.to_be_bytes());
    hostile.push((
        "the same, not compact".to_owned(),
        request(ApiKey::PRODUCE, 7, 1, &array),
    ));
    for (name, bytes) in hostile {
        let mut client = Client::connect(house.address).await;
        client.stream.write_all(&bytes).await.unwrap();
        assert!(client.is_closed().await, "{name}");
        others_are_served(&house).await;
    }
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_and_the_connection_lives() {
    let house = house().await;
    let mut client = Client::connect(house.address).await;
    client
        .stream
        .write_all(&request(ApiKey::API_VERSIONS, 50, -7, b"whatever"))
        .await
        .unwrap();
    let frame = client.receive().await.unwrap();
    assert_eq!(
        frame[..6],
        [&(-7i32).to_be_bytes()[..], &35i16.to_be_bytes()].concat()
    );
    client.ask(ApiKey::API_VERSIONS, 0, b"").await.unwrap();
}

/// Bytes of a batch changed at a place, its CRC made right again or not.
fn damaged(change: impl FnOnce(&mut Vec<u8>), keep_crc: bool) -> Vec<u8> {
    let mut bytes = batch(&[good("one"), good("two")]);
    change(&mut bytes);
    if !keep_crc && bytes.len() > 21 {
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes
}

#[tokio::test]
async fn malformed_batches_are_answered_as_a_broker_would_and_harm_nobody() {
    let house = house().await;
    let cases: Vec<(&str, Vec<u8>, &[ErrorCode])> = vec![
        (
            "CRC flipped",
            damaged(|bytes| bytes[20] ^= 1, true),
            &[ErrorCode::CORRUPT_MESSAGE],
        ),
        (
            "a count too high",
            damaged(|bytes| bytes[60] = 3, false),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "a count of zero",
            damaged(|bytes| bytes[60] = 0, false),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "a negative count",
            damaged(|bytes| bytes[57] = 0xff, false),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "last offset delta off",
            damaged(|bytes| bytes[26] = 9, false),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "magic 1",
            damaged(|bytes| bytes[16] = 1, true),
            &[ErrorCode::INVALID_RECORD, ErrorCode::CORRUPT_MESSAGE],
        ),
        (
            "the control bit",
            damaged(|bytes| bytes[22] |= 0x20, false),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "a record of negative length",
            damaged(|bytes| bytes[61] = 1, false),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "an unknown codec",
            damaged(|bytes| bytes[22] |= 7, false),
            &[
                ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
                ErrorCode::INVALID_RECORD,
                ErrorCode::CORRUPT_MESSAGE,
            ],
        ),
        (
            "truncated",
            {
                let mut bytes = batch(&[good("one")]);
                bytes.truncate(70);
                bytes
            },
            &[ErrorCode::CORRUPT_MESSAGE, ErrorCode::INVALID_RECORD],
        ),
        (
            "two batches",
            [batch(&[good("one")]), batch(&[good("two")])].concat(),
            &[ErrorCode::INVALID_RECORD],
        ),
        (
            "no batch",
            Vec::new(),
            &[ErrorCode::INVALID_RECORD, ErrorCode::CORRUPT_MESSAGE],
        ),
        (
            "gzip that is none",
            damaged(|bytes| bytes[22] |= 1, false),
            &[ErrorCode::CORRUPT_MESSAGE, ErrorCode::INVALID_RECORD],
        ),
    ];
    for (name, bytes, allowed) in cases {
        let mut client = Client::connect(house.address).await;
        let answer = client
            .produce(-1, &[("orders", 0, bytes), ("orders", 1, batch(&[good("fine")]))])
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let code = |wanted: i32| {
            answer
                .topics
                .iter()
                .flat_map(|(_, partitions)| partitions)
                .find(|p| p.partition == wanted)
                .unwrap()
                .error_code
        };
        assert!(allowed.contains(&code(0)), "{name}: {:?}", code(0));
        assert_eq!(code(1), ErrorCode::NONE, "{name}: the other partition");
        assert!(
            house.broker.produced("orders", 0).is_empty(),
            "{name} reached the broker"
        );
    }
}

#[tokio::test]
async fn a_bomb_is_refused_at_the_cap() {
    let house = house().await;
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let bytes = compressed_batch(&[good(&"x".repeat(3 << 20))], codec);
        let mut client = Client::connect(house.address).await;
        let answer = client.produce(-1, &[("orders", 0, bytes)]).await.unwrap();
        let partition = &answer.topics[0].1[0];
        assert_eq!(partition.error_code, ErrorCode::INVALID_RECORD, "{codec:?}");
        let line = partition.error_message.as_deref().unwrap();
        assert!(line.starts_with("PC-301"), "{line}");
    }
    assert!(house.broker.produced("orders", 0).is_empty());
}

#[tokio::test]
async fn a_pipeline_without_reading_is_held_back_and_answered_in_order() {
    let house = house().await;
    let mut client = Client::connect(house.address).await;
    let (mut reading, mut writing) = client.stream.into_split();
    let writer = tokio::spawn(async move {
        for id in 0..1000 {
            // Repeated and negative correlation ids.
            let id = if id % 2 == 0 { -5 } else { id };
            if writing
                .write_all(&request(ApiKey::API_VERSIONS, 0, id, b""))
                .await
                .is_err()
            {
                break;
            }
        }
        writing
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    others_are_served(&house).await;
    for id in 0..1000 {
        use tokio::io::AsyncReadExt;
        let length = reading.read_u32().await.unwrap();
        let mut frame = vec![0; length as usize];
        reading.read_exact(&mut frame).await.unwrap();
        let expected = if id % 2 == 0 { -5 } else { id };
        assert_eq!(frame[..4], i32::to_be_bytes(expected), "answer {id}");
    }
    client.stream = writer.await.unwrap().reunite(reading).unwrap();
    client.ask(ApiKey::API_VERSIONS, 0, b"").await.unwrap();
}

#[tokio::test]
async fn the_memory_budget_holds_back_and_drops_nothing() {
    let house = house_with(|options| options.limits.memory_bytes_max = 700 << 10).await;
    let sending = (0..8u8).map(|number| {
        let address = house.address;
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            let value = vec![number; 500 << 10];
            client.produce(-1, &[("free", 0, batch(&[value]))]).await.unwrap()
        })
    });
    for sent in sending.collect::<Vec<_>>() {
        assert_eq!(sent.await.unwrap().topics[0].1[0].error_code, ErrorCode::NONE);
    }
    assert_eq!(house.broker.high_watermark("free", 0), Some(8));
}

#[tokio::test]
async fn random_bytes_after_a_valid_length_harm_nobody() {
    let house = house().await;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..60 {
        let mut client = Client::connect(house.address).await;
        let mut bytes: Vec<u8> = (0..200)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        bytes[..4].copy_from_slice(&196i32.to_be_bytes());
        if round % 2 == 0 {
            // A Produce header, so that the body's parser sees the rest.
            bytes[4..14].copy_from_slice(&[0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff]);
        }
        client.stream.write_all(&bytes).await.unwrap();
        client.stream.shutdown().await.unwrap();
        drop(client);
    }
    others_are_served(&house).await;
}
