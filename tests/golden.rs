//! Golden vectors: frames that real clients and a real broker sent (`tests/golden/README.md`), read by `wire`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use portcullis::wire::addresses::{AddressMap, MetadataView, rewrite};
use portcullis::wire::api::{ApiKey, client_api};
use portcullis::wire::api_versions;
use portcullis::wire::batch::{Batch, Records};
use portcullis::wire::batch_rewrite::{RecordEdit, rewrite_batch};
use portcullis::wire::compression::{Compression, DecompressionLimits, Decompressor};
use portcullis::wire::header::{read_request_header, response_header_is_flexible};
use portcullis::wire::produce_request::{PartitionEdit, ProduceRequest, TopicRef};
use std::fs;
use std::path::Path;

const CODECS: [(&str, Compression); 5] = [
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 1 << 20,
    ratio_max: 128,
};

/// A record in full: timestamp, key, value, headers.
type Whole = (
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(Vec<u8>, Option<Vec<u8>>)>,
);

#[test]
fn the_java_clients_records_are_the_same_in_every_codec() {
    for (name, codec) in CODECS {
        let frame = frame(&format!("java-4.4.0-produce-v13-{name}-request"));
        assert_eq!(records(&frame, codec), three_records(), "{name}");
    }
}

#[test]
fn librdkafkas_records_are_the_same_in_every_codec() {
    for (name, codec) in CODECS {
        let frame = frame(&format!("librdkafka-2.16-produce-v10-{name}-request"));
        assert_eq!(records(&frame, codec), three_records(), "{name}");
    }
}

#[test]
fn kcats_records_are_the_same_in_every_codec() {
    for (name, codec) in CODECS {
        let frame = frame(&format!("kcat-1.7.1-produce-v7-{name}-request"));
        let read = records(&frame, codec);
        assert_eq!(read.len(), 3, "{name}");
        for (number, (_, key, value, headers)) in read.into_iter().enumerate() {
            assert_eq!(key, Some(format!("k{number}").into_bytes()), "{name}");
            assert_eq!(value, Some(long_value()), "{name}");
            assert_eq!(headers, [(b"source".to_vec(), Some(b"kcat".to_vec()))], "{name}");
        }
    }
}

#[test]
fn a_request_whose_partitions_are_all_kept_is_written_as_it_came() {
    let mut seen = 0;
    for file in fs::read_dir(folder()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if !name.contains("-produce-") {
            continue;
        }
        let frame = fs::read(folder().join(&name)).unwrap();
        let (header, body) = read_request_header(&frame[4..]).unwrap();
        let request = ProduceRequest::read(body, header.head.api_version).unwrap();
        let mut written = Vec::new();
        request.write_edited(|_| PartitionEdit::Kept, &mut written);
        assert_eq!(written, body, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 15);
}

#[test]
fn a_real_clients_batch_loses_its_middle_record_and_nothing_else() {
    let clients = [
        "java-4.4.0-produce-v13",
        "librdkafka-2.16-produce-v10",
        "kcat-1.7.1-produce-v7",
    ];
    for client in clients {
        for (name, codec) in CODECS {
            let frame = frame(&format!("{client}-{name}-request"));
            let (header, body) = read_request_header(&frame[4..]).unwrap();
            let request = ProduceRequest::read(body, header.head.api_version).unwrap();
            let bytes = request.partitions().next().unwrap().records.unwrap();
            let batch = Batch::read(bytes).unwrap();
            let mut decompressor = Decompressor::default();
            let plain = decompressor.decompress(codec, batch.records, LIMITS).unwrap();
            let edit = |index| {
                if index == 1 {
                    RecordEdit::Drop
                } else {
                    RecordEdit::Keep
                }
            };
            let mut trimmed = Vec::new();
            let sequence = batch.header.base_sequence;
            let written = rewrite_batch(&batch, plain, sequence, plain.len(), edit, &mut trimmed).unwrap();
            assert!(written.length <= bytes.len(), "{client} {name}: {written:?}");

            let mut forwarded = frame[..frame.len() - body.len()].to_vec();
            request.write_edited(|_| PartitionEdit::Replaced(&trimmed), &mut forwarded);
            let mut expected = records(&frame, codec);
            expected.remove(1);
            assert_eq!(records(&forwarded, codec), expected, "{client} {name}");
        }
    }
}

#[test]
fn every_request_header_names_its_client_and_an_api_that_is_known() {
    for file in fs::read_dir(folder()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if !name.ends_with("-request.bin") {
            continue;
        }
        let frame = fs::read(folder().join(&name)).unwrap();
        let (header, _) = read_request_header(&frame[4..]).unwrap();
        assert_eq!(header.client_id, Some("golden"), "{name}");
        let api = client_api(header.head.api_key).unwrap();
        // Java 4.4 opens with ApiVersions 5, which Kafka 4.3 does not know either.
        let known = api.supports(header.head.api_version);
        assert_eq!(known, !name.contains("api-versions-v5"), "{name}");
    }
}

#[test]
fn a_brokers_api_versions_are_clipped_to_what_we_know_and_no_further() {
    for (name, version) in [
        ("java-4.4.0-api-versions-v4", 4),
        ("kcat-1.7.1-api-versions-v3", 3),
    ] {
        let frame = frame(&format!("{name}-response"));
        let (mut clipped, mut again) = (Vec::new(), Vec::new());
        api_versions::clip(version, &frame[8..], &mut clipped).unwrap();
        api_versions::clip(version, &clipped, &mut again).unwrap();
        assert_eq!(clipped, again, "{name}: clipping twice is clipping once");
        assert!(
            clipped.len() * 10 > (frame.len() - 8) * 9,
            "{name}: hardly anything is left"
        );
        // Kafka 4 says Produce 0 to 13 though it reads 3 to 13: older librdkafka looks for version 0 before it
        // compresses (KAFKA-18659).
        assert!(
            clipped.windows(6).any(|entry| entry == [0, 0, 0, 0, 0, 13]),
            "{name}"
        );
    }
}

#[test]
fn a_brokers_metadata_comes_out_with_another_address() {
    struct Gateway {
        topics: Vec<String>,
    }
    impl AddressMap for Gateway {
        fn advertise(&mut self, _: i32, host: &str, _: i32) -> Option<(String, u16)> {
            assert_eq!(host, "127.0.0.1");
            Some(("gateway.test".to_owned(), 9193))
        }
        fn learn_topic(&mut self, _: [u8; 16], name: &str) {
            self.topics.push(name.to_owned());
        }
    }
    let clients = [
        ("java-4.4.0-metadata-v13", 13),
        ("librdkafka-2.16-metadata-v13", 13),
        ("kcat-1.7.1-metadata-v4", 4),
    ];
    for (name, version) in clients {
        let frame = frame(&format!("{name}-response"));
        let header = if response_header_is_flexible(ApiKey::METADATA, version) {
            5
        } else {
            4
        };
        let body = &frame[4 + header..];
        let mut gateway = Gateway { topics: Vec::new() };
        let edit = rewrite(ApiKey::METADATA, version, body, &mut gateway)
            .unwrap()
            .unwrap();
        let mut rewritten = body.to_vec();
        rewritten.splice(edit.range, edit.with);
        let view = MetadataView::read(version, &rewritten).unwrap();
        let brokers: Vec<_> = view
            .brokers
            .iter()
            .map(|broker| (broker.node_id, broker.host, broker.port))
            .collect();
        assert_eq!(brokers, [(1, "gateway.test", 9193)], "{name}");
        assert!(
            !rewritten.windows(9).any(|window| window == b"127.0.0.1"),
            "{name}"
        );
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
}

fn frame(name: &str) -> Vec<u8> {
    let frame = fs::read(folder().join(format!("{name}.bin"))).unwrap();
    assert_eq!(
        u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize,
        frame.len() - 4,
        "{name}"
    );
    frame
}

/// The records of the one partition of a Produce request.
fn records(frame: &[u8], codec: Compression) -> Vec<Whole> {
    let (header, body) = read_request_header(&frame[4..]).unwrap();
    let request = ProduceRequest::read(body, header.head.api_version).unwrap();
    assert_eq!(request.acks, -1);
    let partitions: Vec<_> = request.partitions().collect();
    assert_eq!(partitions.len(), 1);
    match partitions[0].topic {
        TopicRef::Name(name) => assert_eq!(name, "golden"),
        TopicRef::Id(id) => assert_ne!(id, [0; 16]),
    }
    let batch = Batch::read(partitions[0].records.unwrap()).unwrap();
    assert_eq!(batch.compression, codec);
    let mut decompressor = Decompressor::default();
    let plain = decompressor.decompress(codec, batch.records, LIMITS).unwrap();
    Records::new(plain, batch.header.record_count)
        .map(|record| {
            let record = record.unwrap();
            let headers = record
                .headers
                .iter()
                .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)));
            (
                batch.header.first_timestamp_ms + record.timestamp_delta_ms,
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                headers.collect(),
            )
        })
        .collect()
}

fn long_value() -> Vec<u8> {
    b"a value long enough to be worth compressing ".repeat(4)
}

/// What `tests/real/capture.py` sends with Java and librdkafka.
fn three_records() -> Vec<Whole> {
    let source = b"source".to_vec();
    vec![
        (
            1_700_000_000_000,
            Some(b"k1".to_vec()),
            Some(long_value()),
            vec![(source.clone(), Some(b"golden".to_vec())), (source, None)],
        ),
        (1_700_000_000_001, None, Some(Vec::new()), Vec::new()),
        (
            1_700_000_000_002,
            Some(b"k3".to_vec()),
            None,
            vec![(b"empty".to_vec(), Some(Vec::new()))],
        ),
    ]
}
