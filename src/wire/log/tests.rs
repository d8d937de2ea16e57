use super::super::batch::CRC_AT;
use super::super::batch_writer::{NewRecord, ProducerStamp, write_batch};
use super::super::compression::compress;
use super::*;

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 1 << 20,
    ratio_max: 1_000,
};

type Owned = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn records(bytes: &[u8]) -> (Vec<Owned>, Walked) {
    let mut found = Vec::new();
    let walked = walk(bytes, &mut Decompressor::default(), LIMITS, &mut |record| {
        found.push((
            record.offset,
            record.timestamp_ms,
            record.key.map(<[u8]>::to_vec),
            record.value.map(<[u8]>::to_vec),
        ));
    });
    (found, walked)
}

fn offsets(bytes: &[u8]) -> (Vec<i64>, Walked) {
    let (found, walked) = records(bytes);
    (found.into_iter().map(|record| record.0).collect(), walked)
}

/// A batch of `count` records at `base_offset`, as a broker has numbered it.
fn batch(base_offset: i64, count: usize, compression: Compression) -> Vec<u8> {
    let records: Vec<_> = (0..count)
        .map(|number| NewRecord {
            timestamp_ms: 1_000 + number as i64,
            key: Some(b"key"),
            value: (number % 2 == 0).then_some(&b"value"[..]),
            headers: Vec::new(),
        })
        .collect();
    let mut bytes = Vec::new();
    write_batch(&records, compression, None, &mut bytes).unwrap();
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes
}

fn seal(batch: &mut [u8]) {
    let crc = crc32c(&batch[CRC_FROM..]);
    batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
}

const PRODUCER: ProducerStamp = ProducerStamp {
    producer_id: 9,
    producer_epoch: 2,
    base_sequence: -1,
    transactional: true,
};

/// What a transaction coordinator has a broker write.
fn control(base_offset: i64, key: Option<&[u8]>) -> Vec<u8> {
    let record = NewRecord {
        key,
        value: Some(&[0, 0, 0, 0, 0, 5]),
        ..NewRecord::default()
    };
    let mut bytes = Vec::new();
    write_batch(&[record], Compression::None, Some(PRODUCER), &mut bytes).unwrap();
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[22] |= 0x20;
    seal(&mut bytes);
    bytes
}

/// A batch's base offset, and either its records' offsets or its marker.
type Seen = (i64, Result<Vec<i64>, Option<Marker>>);

fn batches(bytes: &[u8]) -> (Vec<Seen>, Walked) {
    let mut found = Vec::new();
    let walked = walk_batches(bytes, &mut Decompressor::default(), LIMITS, &mut |batch| {
        found.push(match batch {
            LogBatch::Data { header, records } => (
                header.base_offset,
                Ok(records.map(|record| record.offset).collect()),
            ),
            LogBatch::Control { header, marker } => {
                assert!(header.is_transactional());
                assert_eq!((header.producer_id, header.producer_epoch), (9, 2));
                (header.base_offset, Err(marker))
            }
        });
    });
    (found, walked)
}

fn message(offset: i64, magic: i8, attributes: u8, value: Option<&[u8]>) -> Vec<u8> {
    let mut covered = vec![magic as u8, attributes];
    if magic == 1 {
        covered.extend(77i64.to_be_bytes());
    }
    covered.extend(1i32.to_be_bytes());
    covered.push(b'k');
    match value {
        None => covered.extend((-1i32).to_be_bytes()),
        Some(value) => {
            covered.extend((value.len() as i32).to_be_bytes());
            covered.extend(value);
        }
    }
    let crc = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, &covered) as u32;
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend((covered.len() as i32 + 4).to_be_bytes());
    bytes.extend(crc.to_be_bytes());
    bytes.extend(covered);
    bytes
}

#[test]
fn every_record_of_every_codec_has_its_offset_and_time() {
    for codec in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let log = [batch(40, 3, codec), batch(43, 1, Compression::None)].concat();
        let (found, walked) = records(&log);
        let key = Some(b"key".to_vec());
        let value = Some(b"value".to_vec());
        assert_eq!(
            found,
            [
                (40, 1_000, key.clone(), value.clone()),
                (41, 1_001, key.clone(), None),
                (42, 1_002, key.clone(), value.clone()),
                (43, 1_000, key, value),
            ]
        );
        assert_eq!((walked.next_offset, walked.failed), (Some(44), None));
        assert_eq!(end_of(&log), Some(44));
    }
}

#[test]
fn a_batch_that_is_cut_off_anywhere_is_for_the_next_fetch() {
    let (first, second) = (batch(0, 2, Compression::None), batch(2, 2, Compression::None));
    for length in 0..second.len() {
        let log = [first.clone(), second[..length].to_vec()].concat();
        let (found, walked) = offsets(&log);
        assert_eq!(
            (found, walked.next_offset, walked.failed),
            (vec![0, 1], Some(2), None)
        );
        assert_eq!(end_of(&log), Some(2));
    }
    assert_eq!(offsets(&first[..first.len() - 1]), (vec![], Walked::default()));
}

#[test]
fn what_compaction_took_out_leaves_the_offsets_of_the_rest() {
    // Two of what were ten records.
    let mut compacted = batch(100, 2, Compression::None);
    compacted[23..27].copy_from_slice(&9i32.to_be_bytes());
    seal(&mut compacted);
    let (found, walked) = offsets(&compacted);
    assert_eq!((found, walked.next_offset), (vec![100, 101], Some(110)));
    // All of them.
    let mut empty = batch(100, 1, Compression::None)[..HEADER_LENGTH].to_vec();
    empty[8..12].copy_from_slice(&(HEADER_LENGTH as i32 - 12).to_be_bytes());
    empty[57..61].copy_from_slice(&0i32.to_be_bytes());
    seal(&mut empty);
    assert_eq!(offsets(&empty).1.next_offset, Some(101));
}

#[test]
fn the_ends_of_transactions_hold_no_records() {
    let mut control = batch(7, 1, Compression::None);
    control[22] |= 0x20;
    seal(&mut control);
    let (found, walked) = offsets(&control);
    assert_eq!((found, walked.next_offset), (vec![], Some(8)));
}

#[test]
fn the_ends_of_transactions_stand_among_the_batches_in_the_logs_order() {
    let mut compacted = control(8, Some(&[0, 0, 0, 1]))[..HEADER_LENGTH].to_vec();
    compacted[8..12].copy_from_slice(&(HEADER_LENGTH as i32 - 12).to_be_bytes());
    compacted[57..61].copy_from_slice(&0i32.to_be_bytes());
    seal(&mut compacted);
    let log = [
        batch(0, 2, Compression::Zstd),
        control(2, Some(&[0, 0, 0, 1])),
        batch(3, 1, Compression::None),
        control(4, Some(&[0, 0, 0, 0])),
        // A later version may be longer, and there are other types.
        control(5, Some(&[0, 3, 0, 1, 7])),
        control(6, Some(&[0, 0, 0, 2])),
        control(7, Some(&[0, 0, 0xff, 0xff])),
        compacted,
    ]
    .concat();
    let (found, walked) = batches(&log);
    assert_eq!(
        found,
        [
            (0, Ok(vec![0, 1])),
            (2, Err(Some(Marker::Commit))),
            (3, Ok(vec![3])),
            (4, Err(Some(Marker::Abort))),
            (5, Err(Some(Marker::Commit))),
            (6, Err(None)),
            (7, Err(None)),
            (8, Err(None)),
        ]
    );
    assert_eq!((walked.next_offset, walked.failed), (Some(9), None));
}

#[test]
fn a_control_record_whose_key_says_nothing_ends_the_walk_by_batches() {
    for key in [None, Some(&b""[..]), Some(&[0, 0, 0]), Some(&[0xff, 0xff, 0, 1])] {
        let log = [batch(0, 1, Compression::None), control(1, key)].concat();
        let (found, walked) = batches(&log);
        assert_eq!((found.len(), walked.next_offset), (1, Some(1)), "{key:?}");
        assert!(
            matches!(
                walked.failed,
                Some((1, Unreadable::Batch(BatchError::Malformed(_))))
            ),
            "{key:?}: {walked:?}"
        );
    }
}

#[test]
fn a_batch_with_a_flaw_at_its_end_is_handed_out_in_no_part() {
    let mut flawed = batch(2, 3, Compression::None);
    let end = flawed.len();
    flawed[end - 1] = 1; // The last record's header count.
    seal(&mut flawed);
    let log = [batch(0, 2, Compression::None), flawed].concat();
    let (found, walked) = batches(&log);
    assert_eq!((found, walked.next_offset), (vec![(0, Ok(vec![0, 1]))], Some(2)));
    assert!(matches!(walked.failed, Some((2, _))), "{walked:?}");
    // The walk by records hands out those before it.
    assert_eq!(offsets(&log).0, [0, 1, 2, 3]);
}

#[test]
fn messages_of_the_old_formats_are_no_batches() {
    for magic in [0, 1] {
        let (found, walked) = batches(&message(5, magic, 0, Some(b"a")));
        assert!(
            found.is_empty() && matches!(walked.failed, Some((5, _))),
            "{walked:?}"
        );
    }
}

#[test]
fn headers_come_with_their_record_duplicates_and_nulls_too() {
    let headers = [
        (&b"trace"[..], Some(&b"1"[..])),
        (b"trace", None),
        (b"\xff\xfe", Some(b"")),
    ];
    let record = NewRecord {
        headers: headers.to_vec(),
        ..NewRecord::default()
    };
    let mut bytes = Vec::new();
    write_batch(
        &[record, NewRecord::default()],
        Compression::Gzip,
        None,
        &mut bytes,
    )
    .unwrap();
    let mut found = Vec::new();
    walk(&bytes, &mut Decompressor::default(), LIMITS, &mut |record| {
        let headers = record.headers.iter();
        found.push(
            headers
                .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                .collect::<Vec<_>>(),
        );
    });
    let expected = headers.map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec)));
    assert_eq!(found, [expected.to_vec(), Vec::new()]);
}

#[test]
fn a_flipped_bit_names_its_batch_and_keeps_those_before_it() {
    let mut second = batch(2, 1, Compression::None);
    *second.last_mut().unwrap() ^= 1;
    let log = [batch(0, 2, Compression::None), second].concat();
    let (found, walked) = offsets(&log);
    assert_eq!((found, walked.next_offset), (vec![0, 1], Some(2)));
    let (offset, why) = walked.failed.unwrap();
    assert_eq!(offset, 2);
    assert!(matches!(why, Unreadable::Batch(BatchError::Crc { .. })), "{why}");
}

#[test]
fn a_batch_that_grows_beyond_its_limit_is_not_read() {
    let zeros = vec![0; 2 << 20];
    let record = NewRecord {
        value: Some(&zeros),
        ..NewRecord::default()
    };
    let mut bomb = Vec::new();
    write_batch(&[record], Compression::Zstd, None, &mut bomb).unwrap();
    let (_, walked) = offsets(&bomb);
    assert!(
        matches!(
            walked.failed,
            Some((0, Unreadable::Compression(CompressionError::OverLimit { .. })))
        ),
        "{walked:?}"
    );
}

#[test]
fn messages_of_the_old_formats_are_read_compressed_too() {
    for magic in [0, 1] {
        let time = if magic == 0 { -1 } else { 77 };
        let plain = [message(5, magic, 0, Some(b"a")), message(6, magic, 0, None)].concat();
        let (found, walked) = records(&plain);
        let key = Some(b"k".to_vec());
        assert_eq!(
            found,
            [(5, time, key.clone(), Some(b"a".to_vec())), (6, time, key, None)]
        );
        assert_eq!((walked.next_offset, walked.failed), (Some(7), None));

        // The offsets of magic 1 are relative, and compaction has taken the second of three.
        let inner: [i64; 2] = if magic == 0 { [20, 22] } else { [0, 2] };
        let set = [
            message(inner[0], magic, 0, Some(b"a")),
            message(inner[1], magic, 0, Some(b"c")),
        ]
        .concat();
        let mut compressed = Vec::new();
        compress(Compression::Gzip, &set, &mut compressed).unwrap();
        let (found, walked) = offsets(&message(22, magic, 1, Some(&compressed)));
        assert_eq!((found, walked.next_offset), (vec![20, 22], Some(23)));
    }
}

#[test]
fn a_compressed_message_within_a_compressed_one_is_refused() {
    let mut innermost = Vec::new();
    compress(Compression::Gzip, &message(0, 1, 0, None), &mut innermost).unwrap();
    let mut inner = Vec::new();
    compress(Compression::Gzip, &message(0, 1, 1, Some(&innermost)), &mut inner).unwrap();
    let (found, walked) = offsets(&message(0, 1, 1, Some(&inner)));
    assert!(found.is_empty() && walked.failed.is_some(), "{walked:?}");
}

#[test]
fn any_bytes_end_the_walk_in_peace() {
    let log = batch(3, 4, Compression::Lz4);
    for at in 0..log.len() {
        for bit in 0..8 {
            let mut hostile = log.clone();
            hostile[at] ^= 1 << bit;
            let _ = offsets(&hostile);
            let _ = batches(&hostile);
            let _ = end_of(&hostile);
        }
    }
    for length in [i32::MIN, -1, 0, 13, i32::MAX] {
        let mut hostile = log.clone();
        hostile[8..12].copy_from_slice(&length.to_be_bytes());
        let (_, walked) = offsets(&hostile);
        assert_eq!(walked.next_offset, None, "length {length}");
    }
}
