//! Record batches mean to us what they mean to another library, in every codec; and no bytes whatever make the
//! walk panic, read on, or disagree with a plain one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod batches;

use batches::{Content, LIMITS, codecs, contents, decoded, encoded, stamps, theirs_of, up_to};
use portcullis::wire::batch::{Batch, Headers, Records};
use portcullis::wire::batch_writer::{ProducerStamp, write_batch};
use portcullis::wire::compression::{Compression, Decompressor};
use portcullis::wire::error_code::ErrorCode;
use portcullis::wire::reader::Reader;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

fn assert_reads(bytes: &[u8], codec: Compression, contents: &[Content], stamp: ProducerStamp) {
    let batch = Batch::read(bytes).unwrap();
    assert_eq!(batch.compression, codec);
    assert_eq!(batch.header.is_transactional(), stamp.transactional);
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
