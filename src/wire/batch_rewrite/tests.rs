//! The model is a list of records; the second opinion is in `tests/wire_rewrite.rs`.

use super::*;
use crate::wire::batch::Records;
use crate::wire::batch_writer::{NewRecord, ProducerStamp, write_batch};
use crate::wire::compression::{Compression, DecompressionLimits, Decompressor};
use crate::wire::record_indexes::RecordIndexes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 16 << 20,
    ratio_max: 1_000,
};
const NO_LIMIT: usize = usize::MAX;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Content {
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn batch_of(contents: &[Content], codec: Compression, stamp: Option<ProducerStamp>) -> Vec<u8> {
    let new: Vec<_> = contents
        .iter()
        .map(|content| NewRecord {
            timestamp_ms: content.timestamp_ms,
            key: content.key.as_deref(),
            value: content.value.as_deref(),
            headers: content
                .headers
                .iter()
                .map(|(key, value)| (&key[..], value.as_deref()))
                .collect(),
        })
        .collect();
    let mut out = Vec::new();
    write_batch(&new, codec, stamp, &mut out).unwrap();
    out
}

fn contents_of(bytes: &[u8]) -> Vec<Content> {
    let batch = Batch::read(bytes).unwrap();
    let plain = plain_of(&batch);
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let records = Records::new(&plain, batch.header.record_count).enumerate();
    records
        .map(|(index, record)| {
            let record = record.unwrap();
            assert_eq!(record.offset_delta as usize, index);
            let headers = record.headers.iter();
            Content {
                timestamp_ms: batch
                    .header
                    .first_timestamp_ms
                    .wrapping_add(record.timestamp_delta_ms),
                key: own(record.key),
                value: own(record.value),
                headers: headers
                    .map(|header| (header.key.to_vec(), own(header.value)))
                    .collect(),
            }
        })
        .collect()
}

fn plain_of(batch: &Batch<'_>) -> Vec<u8> {
    let mut decompressor = Decompressor::default();
    let plain = decompressor.decompress(batch.compression, batch.records, LIMITS);
    plain.unwrap().to_vec()
}

/// The batch anew, after bytes that were there before.
fn rewritten<'e>(
    bytes: &[u8],
    base_sequence: i32,
    plain_length_max: usize,
    edit: impl FnMut(u32) -> RecordEdit<'e>,
) -> Result<Vec<u8>, RewriteError> {
    let batch = Batch::read(bytes).unwrap();
    let plain = plain_of(&batch);
    let mut out = b"before".to_vec();
    let written = rewrite_batch(&batch, &plain, base_sequence, plain_length_max, edit, &mut out);
    let out = out.strip_prefix(b"before").unwrap().to_vec();
    match written {
        Ok(written) => {
            let read = Batch::read(&out).unwrap();
            assert_eq!(
                (written.length, written.record_count as i32),
                (out.len(), read.header.record_count)
            );
            Ok(out)
        }
        Err(error) => {
            assert!(out.is_empty(), "{error}");
            Err(error)
        }
    }
}

fn dropping(dropped: &RecordIndexes) -> impl FnMut(u32) -> RecordEdit<'static> {
    |index| {
        if dropped.contains(index) {
            RecordEdit::Drop
        } else {
            RecordEdit::Keep
        }
    }
}

fn numbered(count: u8) -> Vec<Content> {
    (0..count)
        .map(|number| Content {
            timestamp_ms: 1_000 + i64::from(number),
            key: Some(vec![number]),
            value: Some(vec![number; 3]),
            headers: vec![(b"h".to_vec(), None), (b"h".to_vec(), Some(vec![number]))],
        })
        .collect()
}

const STAMP: ProducerStamp = ProducerStamp {
    producer_id: 77,
    producer_epoch: 3,
    base_sequence: 500,
    transactional: true,
};

#[test]
fn another_base_sequence_changes_itself_and_the_crc_and_nothing_else() {
    for codec in Compression::ALL {
        let bytes = batch_of(&numbered(9), codec, Some(STAMP));
        let mut out = b"before".to_vec();
        with_base_sequence(&bytes, i32::MAX - 2, &mut out);
        let out = out.strip_prefix(b"before").unwrap();
        assert_eq!(Batch::read(out).unwrap().header.base_sequence, i32::MAX - 2);
        let mut expected = bytes.clone();
        expected[53..57].copy_from_slice(&out[53..57]);
        expected[17..21].copy_from_slice(&out[17..21]);
        assert_eq!(out, expected, "{codec:?}");
    }
}

#[test]
fn what_no_reader_of_records_sees_is_copied_too() {
    let mut bytes = batch_of(&[], Compression::None, Some(STAMP));
    // Attributes 0x55, offset deltas all 7; the second record's, and its key's length, take more bytes than they need.
    bytes.extend_from_slice(b"\x0c\x55\x02\x0e\x01\x01\x00");
    bytes.extend_from_slice(b"\x12\x55\x04\x8e\x00\x82\x00k\x01\x00");
    bytes.extend_from_slice(b"\x0e\x55\x06\x0e\x01\x02v\x00");
    bytes[21..23].copy_from_slice(&0x0650_i16.to_be_bytes());
    bytes[23..27].copy_from_slice(&2i32.to_be_bytes());
    bytes[57..61].copy_from_slice(&3i32.to_be_bytes());
    seal(&mut bytes, 0);
    let out = rewritten(&bytes, 500, NO_LIMIT, dropping(&[0].into_iter().collect())).unwrap();
    assert_eq!(
        out[61..],
        *b"\x10\x55\x04\x00\x82\x00k\x01\x00\x0e\x55\x06\x02\x01\x02v\x00"
    );
    assert_eq!(Batch::read(&out).unwrap().header.attributes, 0x0650);
}

#[test]
fn a_batch_that_keeps_everything_in_its_place_is_the_same_batch() {
    for codec in Compression::ALL {
        let bytes = batch_of(&numbered(100), codec, Some(STAMP));
        let out = rewritten(&bytes, STAMP.base_sequence, NO_LIMIT, |_| RecordEdit::Keep);
        assert_eq!(out, Ok(bytes), "{codec:?}");
    }
}

#[test]
fn a_batch_that_keeps_nothing_is_not_written() {
    let bytes = batch_of(&numbered(3), Compression::Lz4, Some(STAMP));
    let out = rewritten(&bytes, 0, NO_LIMIT, |_| RecordEdit::Drop);
    assert_eq!(out, Err(RewriteError::NothingKept));
}

#[test]
fn what_is_added_may_not_take_the_records_past_their_limit() {
    let bytes = batch_of(&numbered(3), Compression::Gzip, Some(STAMP));
    let plain_length = plain_of(&Batch::read(&bytes).unwrap()).len();
    let add = |_| {
        RecordEdit::Add(Addition {
            value_prefix: b"12345",
            ..Addition::default()
        })
    };
    let plain_length_max = plain_length + 3 * 5;
    assert!(rewritten(&bytes, 0, plain_length_max, add).is_ok());
    assert_eq!(
        rewritten(&bytes, 0, plain_length_max - 1, add),
        Err(RewriteError::TooLarge {
            plain_length_max: plain_length_max - 1
        })
    );
    assert!(rewritten(&bytes, 0, plain_length, |_| RecordEdit::Keep).is_ok());
}

#[test]
fn records_that_are_not_those_of_the_batch_are_refused() {
    let bytes = batch_of(&numbered(3), Compression::None, Some(STAMP));
    let batch = Batch::read(&bytes).unwrap();
    let mut out = Vec::new();
    for length in 0..batch.records.len() {
        let refused = rewrite_batch(
            &batch,
            &batch.records[..length],
            0,
            NO_LIMIT,
            |_| RecordEdit::Keep,
            &mut out,
        );
        assert!(matches!(refused, Err(RewriteError::Batch(_))), "{refused:?}");
    }
    let longer = [batch.records, b"\0"].concat();
    let refused = rewrite_batch(&batch, &longer, 0, NO_LIMIT, |_| RecordEdit::Keep, &mut out);
    assert!(matches!(refused, Err(RewriteError::Batch(_))), "{refused:?}");
    assert!(out.is_empty());
}

#[test]
fn the_max_timestamp_is_what_a_broker_would_work_out() {
    let with = |timestamps: &[i64]| -> Vec<Content> {
        let content = |timestamp_ms: &i64| Content {
            timestamp_ms: *timestamp_ms,
            ..Content::default()
        };
        timestamps.iter().map(content).collect()
    };
    for (timestamps, dropped, expected) in [
        (&[5, 9, 7][..], 1, 7),
        (&[5, 9, 7], 0, 9),
        (&[5, -1], 0, -1),
        // No client writes these; a broker begins at -1.
        (&[5, i64::MIN], 0, -1),
        (&[i64::MIN, i64::MAX, 3], 2, i64::MAX),
    ] {
        let bytes = batch_of(&with(timestamps), Compression::None, Some(STAMP));
        let dropped: RecordIndexes = [dropped].into_iter().collect();
        let out = rewritten(&bytes, 500, NO_LIMIT, dropping(&dropped)).unwrap();
        let header = Batch::read(&out).unwrap().header;
        assert_eq!(header.max_timestamp_ms, expected, "{timestamps:?}");
        assert_eq!(header.first_timestamp_ms, timestamps[0]);
    }
    // With LogAppendTime it is the time of every record, whatever their deltas.
    let mut bytes = batch_of(&with(&[5, 9, 7]), Compression::None, Some(STAMP));
    bytes[22] |= 0x08;
    seal(&mut bytes, 0);
    let out = rewritten(&bytes, 500, NO_LIMIT, dropping(&[1].into_iter().collect())).unwrap();
    assert_eq!(Batch::read(&out).unwrap().header.max_timestamp_ms, 9);
}

/// Text of words that come again and again, which a harder try gets smaller.
fn lines(count: usize) -> Vec<Content> {
    const WORDS: [&str; 8] = [
        "payment",
        "accepted",
        "warehouse",
        "of the",
        "customer",
        "is late",
        "returned",
        "order",
    ];
    let mut state = 1u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as usize
    };
    let mut line = || {
        let words: Vec<&str> = (0..next() % 20).map(|_| WORDS[next() % WORDS.len()]).collect();
        format!("{} {}", words.join(" "), next())
    };
    (0..count)
        .map(|_| Content {
            value: Some(line().into()),
            ..Content::default()
        })
        .collect()
}

#[test]
fn a_batch_that_was_compressed_harder_than_usual_does_not_grow_by_losing_a_record() {
    for codec in [Compression::Gzip, Compression::Zstd] {
        let contents = lines(3_000);
        let plain = batch_of(&contents, Compression::None, Some(STAMP));
        let (mut usual, mut hard) = (Vec::new(), Vec::new());
        compress(codec, &plain[61..], &mut usual).unwrap();
        assert!(compress_harder(codec, &plain[61..], &mut hard).unwrap());
        assert!(
            hard.len() + 100 < usual.len(),
            "{codec:?}: {} {}",
            hard.len(),
            usual.len()
        );
        let mut bytes = [&plain[..61], &hard].concat();
        bytes[22] |= codec.id();
        seal(&mut bytes, 0);

        let out = rewritten(&bytes, 500, NO_LIMIT, dropping(&[1_500].into_iter().collect())).unwrap();
        assert!(
            out.len() <= bytes.len(),
            "{codec:?}: {} {}",
            out.len(),
            bytes.len()
        );
        let mut expected = contents;
        expected.remove(1_500);
        assert_eq!(contents_of(&out), expected);
    }
}

fn contents() -> impl Strategy<Value = Vec<Content>> {
    let bytes = |length_max| option::of(vec(any::<u8>(), 0..length_max));
    let headers = vec((vec(any::<u8>(), 0..4), bytes(80)), 0..4);
    let timestamps = prop_oneof![any::<i64>(), 0..1_i64 << 41, Just(i64::MIN), Just(i64::MAX)];
    let content =
        (timestamps, bytes(90), bytes(200), headers).prop_map(|(timestamp_ms, key, value, headers)| {
            Content {
                timestamp_ms,
                key,
                value,
                headers,
            }
        });
    vec(content, 1..150)
}

/// [`RecordEdit`], with what it borrows.
#[derive(Clone, Debug)]
enum Wanted {
    Keep,
    Drop,
    Add {
        key_prefix: Vec<u8>,
        value_prefix: Vec<u8>,
        header: Option<(Vec<u8>, Option<Vec<u8>>)>,
    },
}

impl Wanted {
    fn edit(&self) -> RecordEdit<'_> {
        match self {
            Self::Keep => RecordEdit::Keep,
            Self::Drop => RecordEdit::Drop,
            Self::Add {
                key_prefix,
                value_prefix,
                header,
            } => RecordEdit::Add(Addition {
                key_prefix,
                value_prefix,
                header: header.as_ref().map(|(key, value)| Header {
                    key,
                    value: value.as_deref(),
                }),
            }),
        }
    }

    fn of(&self, content: &Content) -> Option<Content> {
        let Self::Add {
            key_prefix,
            value_prefix,
            header,
        } = self
        else {
            return matches!(self, Self::Keep).then(|| content.clone());
        };
        let with = |prefix: &[u8], bytes: &Option<Vec<u8>>| Some([prefix, bytes.as_ref()?].concat());
        let own = content.headers.iter().chain(header);
        Some(Content {
            timestamp_ms: content.timestamp_ms,
            key: with(key_prefix, &content.key),
            value: with(value_prefix, &content.value),
            headers: own.cloned().collect(),
        })
    }
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let bytes = |length_max| vec(any::<u8>(), 0..length_max);
    let header = option::of((bytes(30), option::of(bytes(90))));
    prop_oneof![
        Just(Wanted::Keep),
        Just(Wanted::Drop),
        (bytes(70), bytes(70), header).prop_map(|(key_prefix, value_prefix, header)| Wanted::Add {
            key_prefix,
            value_prefix,
            header,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_rewritten_batch_reads_as_the_edited_list_of_its_records(
        contents in contents(),
        wanted in vec(wanted(), 150),
        codec in select(Compression::ALL.to_vec()),
        base_sequence in 0..=i32::MAX,
    ) {
        let bytes = batch_of(&contents, codec, Some(STAMP));
        let expected: Vec<Content> = contents
            .iter()
            .zip(&wanted)
            .filter_map(|(content, wanted)| wanted.of(content))
            .collect();
        let out = rewritten(&bytes, base_sequence, NO_LIMIT, |index| wanted[index as usize].edit());
        if expected.is_empty() {
            prop_assert_eq!(out, Err(RewriteError::NothingKept));
            return Ok(());
        }
        let out = out.unwrap();
        prop_assert_eq!(contents_of(&out), &expected[..]);
        let (before, after) = (Batch::read(&bytes).unwrap(), Batch::read(&out).unwrap());
        let count = expected.len() as i32;
        prop_assert_eq!(after.compression, codec);
        prop_assert_eq!(after.header, BatchHeader {
            length: after.header.length,
            crc: after.header.crc,
            last_offset_delta: count - 1,
            record_count: count,
            base_sequence,
            max_timestamp_ms: expected.iter().map(|content| content.timestamp_ms).max().unwrap().max(-1),
            ..before.header
        });
    }

    #[test]
    fn a_trimmed_batch_is_its_records_filtered_and_no_longer(
        contents in contents(), dropped in vec(0..150_u32, 0..150),
    ) {
        let dropped: RecordIndexes = dropped.into_iter().collect();
        let bytes = batch_of(&contents, Compression::None, Some(STAMP));
        let kept: Vec<Content> = (0..).zip(contents).filter_map(|(index, content)| {
            (!dropped.contains(index)).then_some(content)
        }).collect();
        match rewritten(&bytes, 0, bytes.len(), dropping(&dropped)) {
            Ok(out) => {
                prop_assert_eq!(contents_of(&out), kept);
                prop_assert!(out.len() <= bytes.len());
            }
            Err(error) => prop_assert_eq!((error, kept.len()), (RewriteError::NothingKept, 0)),
        }
    }
}
