//! Record batches mean to us what they mean to another library, in every codec; and no bytes whatever make the
//! walk panic, read on, or disagree with a plain one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    self, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use portcullis::wire::batch::{Batch, Headers, Records};
use portcullis::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use portcullis::wire::compression::{Compression, DecompressionLimits, Decompressor, compress};
use portcullis::wire::error_code::ErrorCode;
use portcullis::wire::reader::Reader;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 16 << 20,
    ratio_max: 128,
};

/// A record's own content, apart from either library's type.
#[derive(Clone, Debug)]
struct Content {
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    /// Each key once: the other library cannot hold duplicates.
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Content {
    fn new_record(&self) -> NewRecord<'_> {
        NewRecord {
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self
                .headers
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_deref()))
                .collect(),
        }
    }
}

fn contents() -> impl Strategy<Value = Vec<Content>> {
    up_to(40)
}

fn up_to(count_max: usize) -> impl Strategy<Value = Vec<Content>> {
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

fn codecs() -> impl Strategy<Value = Compression> {
    select(Compression::ALL.to_vec())
}

fn stamps() -> impl Strategy<Value = ProducerStamp> {
    (0..i64::MAX, 0..i16::MAX, 0..i32::MAX / 2, any::<bool>()).prop_map(
        |(producer_id, producer_epoch, base_sequence, transactional)| ProducerStamp {
            producer_id,
            producer_epoch,
            base_sequence,
            transactional,
        },
    )
}

fn theirs_of(contents: &[Content], stamp: ProducerStamp) -> Vec<records::Record> {
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

fn their_codec(codec: Compression) -> records::Compression {
    match codec {
        Compression::None => records::Compression::None,
        Compression::Gzip => records::Compression::Gzip,
        Compression::Snappy => records::Compression::Snappy,
        Compression::Lz4 => records::Compression::Lz4,
        Compression::Zstd => records::Compression::Zstd,
    }
}

/// The codecs themselves have their second opinion in `wire_compression.rs`; here they are ours on both sides.
fn encoded(theirs: &[records::Record], codec: Compression) -> Vec<u8> {
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

fn decoded(bytes: &[u8], codec: Compression) -> Vec<records::Record> {
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

fn assert_reads(bytes: &[u8], codec: Compression, contents: &[Content], stamp: ProducerStamp) {
    let batch = Batch::read(bytes).unwrap();
    assert_eq!(batch.compression, codec);
    assert_eq!(batch.is_transactional(), stamp.transactional);
    let header = batch.header;
    assert_eq!(
        (header.producer_id, header.producer_epoch, header.base_sequence),
        (stamp.producer_id, stamp.producer_epoch, stamp.base_sequence)
    );
    assert_eq!(header.record_count as usize, contents.len());
    assert_eq!(
        Some(header.max_timestamp_ms),
        contents.iter().map(|content| content.timestamp_ms).max()
    );
    let mut decompressor = Decompressor::default();
    let plain = decompressor.decompress(codec, batch.records, LIMITS).unwrap();
    let mut walk = Records::new(plain, header.record_count);
    for (index, content) in contents.iter().enumerate() {
        let record = walk.next().unwrap().unwrap();
        assert_eq!(record.offset_delta as usize, index);
        assert_eq!(
            header.first_timestamp_ms + record.timestamp_delta_ms,
            content.timestamp_ms
        );
        assert_eq!(
            (record.key, record.value),
            (content.key.as_deref(), content.value.as_deref())
        );
        let headers = content
            .headers
            .iter()
            .map(|(key, value)| (key.as_bytes(), value.as_deref()));
        assert!(
            record
                .headers
                .iter()
                .map(|header| (header.key, header.value))
                .eq(headers)
        );
    }
    assert!(walk.next().is_none());
}

/// Offset delta, timestamp delta, key, value, header count.
type Walked = (i32, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize);

/// A record walk as plain as can be, over the same `Reader` that reads everything else.
fn plain_walk(bytes: &[u8], count: i32) -> Option<Vec<Walked>> {
    /// Refused, null, or bytes.
    #[allow(clippy::option_option)]
    fn nullable(reader: &mut Reader<'_>) -> Option<Option<Vec<u8>>> {
        match reader.varint().ok()? {
            -1 => Some(None),
            length => Some(Some(reader.take(usize::try_from(length).ok()?).ok()?.to_vec())),
        }
    }
    let mut reader = Reader::new(bytes);
    let mut records = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(reader.varint().ok()?).ok()?;
        let mut body = Reader::new(reader.take(length).ok()?);
        body.u8().ok()?;
        let (timestamp, offset) = (body.varlong().ok()?, body.varint().ok()?);
        let (key, value) = (nullable(&mut body)?, nullable(&mut body)?);
        let headers = usize::try_from(body.varint().ok()?).ok()?;
        for _ in 0..headers {
            nullable(&mut body)??;
            nullable(&mut body)?;
        }
        body.finish().ok()?;
        records.push((offset, timestamp, key, value, headers));
    }
    reader.finish().ok()?;
    Some(records)
}

fn our_walk(bytes: &[u8], count: i32) -> Option<Vec<Walked>> {
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    Records::new(bytes, count)
        .map(|record| {
            let record = record.ok()?;
            let Headers { count, .. } = record.headers;
            assert_eq!(record.headers.iter().count(), count as usize);
            let (key, value) = (own(record.key), own(record.value));
            Some((
                record.offset_delta,
                record.timestamp_delta_ms,
                key,
                value,
                count as usize,
            ))
        })
        .collect()
}

/// The records part alone, without compression.
fn plain_records(contents: &[Content]) -> Vec<u8> {
    let new: Vec<_> = contents.iter().map(Content::new_record).collect();
    let mut out = Vec::new();
    write_batch(&new, Compression::None, None, &mut out).unwrap();
    Batch::read(&out).unwrap().records.to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_batch_that_another_library_wrote_is_read_whole(
        contents in contents(), codec in codecs(), stamp in stamps(),
    ) {
        let bytes = encoded(&theirs_of(&contents, stamp), codec);
        assert_reads(&bytes, codec, &contents, stamp);
    }

    #[test]
    fn a_batch_that_we_wrote_is_read_by_another_library(
        contents in contents(), codec in codecs(), stamp in stamps(),
    ) {
        let new: Vec<_> = contents.iter().map(Content::new_record).collect();
        let mut out = b"before".to_vec();
        write_batch(&new, codec, Some(stamp), &mut out).unwrap();
        let bytes = out.strip_prefix(b"before").unwrap();
        prop_assert_eq!(decoded(bytes, codec), theirs_of(&contents, stamp));
        assert_reads(bytes, codec, &contents, stamp);
    }

    #[test]
    fn the_fast_walk_agrees_with_a_plain_one_on_damaged_records(
        contents in contents(),
        damage in vec((any::<Index>(), any::<u8>()), 0..3),
        count_off in -1..=1_i32,
    ) {
        let mut bytes = plain_records(&contents);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let count = contents.len() as i32 + count_off;
        prop_assert_eq!(our_walk(&bytes, count), plain_walk(&bytes, count));
    }

    #[test]
    fn the_fast_walk_agrees_with_a_plain_one_on_any_bytes(bytes in vec(any::<u8>(), 0..64), count in 0..4_i32) {
        prop_assert_eq!(our_walk(&bytes, count), plain_walk(&bytes, count));
    }

    #[test]
    fn records_cut_anywhere_are_refused(contents in up_to(4)) {
        let bytes = plain_records(&contents);
        let count = contents.len() as i32;
        for cut in 0..bytes.len() {
            prop_assert!(our_walk(&bytes[..cut], count).is_none(), "cut at {}", cut);
        }
    }

    #[test]
    fn a_damaged_batch_is_refused_with_a_brokers_code(
        contents in contents(), codec in codecs(), damage in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let new: Vec<_> = contents.iter().map(Content::new_record).collect();
        let mut bytes = Vec::new();
        write_batch(&new, codec, None, &mut bytes).unwrap();
        let sound = bytes.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        match Batch::read(&bytes) {
            // The base offset, the leader epoch and the length are not under the CRC.
            Ok(batch) => prop_assert_eq!(&bytes[21..], &sound[21..], "{:?}", batch.header),
            Err(error) => prop_assert!(
                [ErrorCode::CORRUPT_MESSAGE, ErrorCode::INVALID_RECORD].contains(&error.error_code()),
                "{}", error
            ),
        }
    }

    #[test]
    fn a_header_of_any_content_never_panics_and_says_one_of_three_codes(
        attributes in any::<i16>(), delta in any::<i32>(), count in any::<i32>(), records in vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = vec![0; 61];
        bytes[8..12].copy_from_slice(&(49 + records.len() as i32).to_be_bytes());
        bytes[16] = 2;
        bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
        bytes[23..27].copy_from_slice(&delta.to_be_bytes());
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
        bytes.extend_from_slice(&records);
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        match Batch::read(&bytes) {
            Ok(batch) => {
                let mut decompressor = Decompressor::default();
                if let Ok(plain) = decompressor.decompress(batch.compression, batch.records, LIMITS) {
                    let walked = Records::new(plain, batch.header.record_count).count();
                    prop_assert!(walked <= plain.len() + 1);
                }
            }
            Err(error) => prop_assert!([
                ErrorCode::CORRUPT_MESSAGE,
                ErrorCode::INVALID_RECORD,
                ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            ].contains(&error.error_code())),
        }
    }
}
