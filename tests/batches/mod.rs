//! Record batches for two libraries, ours and another, and what is asked of both.
#![allow(dead_code, reason = "each test file takes what it needs")]

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    self, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use portcullis::wire::batch_writer::{NewRecord, ProducerStamp};
use portcullis::wire::compression::{Compression, DecompressionLimits, Decompressor, compress};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 16 << 20,
    ratio_max: 128,
};

/// A record's own content, apart from either library's type.
#[derive(Clone, Debug)]
pub struct Content {
    pub timestamp_ms: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Each key once: the other library cannot hold duplicates.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Content {
    pub fn new_record(&self) -> NewRecord<'_> {
        NewRecord {
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self
                .headers
                .iter()
                .map(|(key, value)| (key.as_bytes(), value.as_deref()))
                .collect(),
        }
    }
}

pub fn contents() -> impl Strategy<Value = Vec<Content>> {
    up_to(40)
}

pub fn up_to(count_max: usize) -> impl Strategy<Value = Vec<Content>> {
    let bytes = || option::of(vec(any::<u8>(), 0..200));
    let headers = btree_map("[a-z]{0,70}", option::of(vec(any::<u8>(), 0..80)), 0..4);
    let record =
        (0..1_i64 << 50, bytes(), bytes(), headers).prop_map(|(timestamp_ms, key, value, headers)| {
            let headers = headers.into_iter().collect();
            Content {
                timestamp_ms,
                key,
                value,
                headers,
            }
        });
    vec(record, 1..=count_max)
}

pub fn codecs() -> impl Strategy<Value = Compression> {
    select(Compression::ALL.to_vec())
}

pub fn stamps() -> impl Strategy<Value = ProducerStamp> {
    (0..i64::MAX, 0..i16::MAX, 0..i32::MAX / 2, any::<bool>()).prop_map(
        |(producer_id, producer_epoch, base_sequence, transactional)| ProducerStamp {
            producer_id,
            producer_epoch,
            base_sequence,
            transactional,
        },
    )
}

pub fn theirs_of(contents: &[Content], stamp: ProducerStamp) -> Vec<records::Record> {
    let record = |(index, content): (usize, &Content)| records::Record {
        transactional: stamp.transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: stamp.producer_id,
        producer_epoch: stamp.producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: index as i64,
        sequence: stamp.base_sequence + index as i32,
        timestamp: content.timestamp_ms,
        key: content.key.clone().map(Bytes::from),
        value: content.value.clone().map(Bytes::from),
        headers: content
            .headers
            .iter()
            .map(|(key, value)| (StrBytes::from_string(key.clone()), value.clone().map(Bytes::from)))
            .collect::<IndexMap<_, _>>(),
    };
    contents.iter().enumerate().map(record).collect()
}

pub fn their_codec(codec: Compression) -> records::Compression {
    match codec {
        Compression::None => records::Compression::None,
        Compression::Gzip => records::Compression::Gzip,
        Compression::Snappy => records::Compression::Snappy,
        Compression::Lz4 => records::Compression::Lz4,
        Compression::Zstd => records::Compression::Zstd,
    }
}

/// The codecs themselves have their second opinion in `wire_compression.rs`; here they are ours on both sides.
pub fn encoded(theirs: &[records::Record], codec: Compression) -> Vec<u8> {
    let options = RecordEncodeOptions {
        version: 2,
        compression: their_codec(codec),
    };
    let mut out = BytesMut::new();
    let compressor = |plain: &mut BytesMut, out: &mut BytesMut, _| {
        let mut compressed = Vec::new();
        compress(codec, plain, &mut compressed).unwrap();
        out.extend_from_slice(&compressed);
        Ok(())
    };
    RecordBatchEncoder::encode_with_custom_compression(&mut out, theirs, &options, Some(compressor)).unwrap();
    out.to_vec()
}

pub fn decoded(bytes: &[u8], codec: Compression) -> Vec<records::Record> {
    let decompressor = |compressed: &mut Bytes, _| {
        let mut decompressor = Decompressor::default();
        Ok(Bytes::copy_from_slice(
            decompressor.decompress(codec, compressed, LIMITS).unwrap(),
        ))
    };
    let mut bytes = Bytes::copy_from_slice(bytes);
    let set = RecordBatchDecoder::decode_with_custom_compression(&mut bytes, Some(decompressor)).unwrap();
    assert!(bytes.is_empty());
    set.records
}
