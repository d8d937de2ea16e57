//! The view and its rewriting, by hand-made bytes. The second opinion is in `tests/wire_produce.rs`.

use super::*;

/// A request by hand: two topics with two partitions each and, when flexible, unknown tagged fields everywhere.
fn request(version: i16) -> Vec<u8> {
    let form = Form::of(version);
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    let tags: &[u8] = if form.flexible { b"\x01\x05\x02tt" } else { b"" };
    writer.nullable_string(form.flexible, Some("tx"));
    writer.i16(-1);
    writer.i32(30_000);
    writer.array_length(form.flexible, Some(2));
    for topic in ["a", "b"] {
        if form.topic_ids {
            writer.raw(&[topic.as_bytes()[0]; 16]);
        } else {
            writer.string(form.flexible, topic);
        }
        writer.array_length(form.flexible, Some(2));
        for partition in [0, 1] {
            writer.i32(partition);
            writer.nullable_bytes(form.flexible, (partition == 0).then_some(topic.as_bytes()));
            writer.raw(tags);
        }
        writer.raw(tags);
    }
    writer.raw(tags);
    out
}

#[test]
fn every_version_is_seen_in_its_order() {
    for version in VERSION_MIN..=VERSION_MAX {
        let bytes = request(version);
        let request = ProduceRequest::read(&bytes, version).unwrap();
        assert_eq!(
            (request.transactional_id, request.acks, request.timeout_ms),
            (Some("tx"), -1, 30_000)
        );
        assert_eq!(request.partition_count, 4);
        let partitions: Vec<_> = request.partitions().collect();
        let topic = |name: &'static str| {
            if version >= 13 {
                TopicRef::Id([name.as_bytes()[0]; 16])
            } else {
                TopicRef::Name(name)
            }
        };
        let expected = [
            ("a", 0, Some(&b"a"[..])),
            ("a", 1, None),
            ("b", 0, Some(b"b")),
            ("b", 1, None),
        ];
        let expected = expected.map(|(name, partition, records)| PartitionData {
            topic: topic(name),
            partition,
            records,
        });
        assert_eq!(partitions, expected, "version {version}");
    }
}

#[test]
fn keeping_everything_gives_the_same_bytes_and_keeping_nothing_an_empty_request() {
    for version in VERSION_MIN..=VERSION_MAX {
        let bytes = request(version);
        let request = ProduceRequest::read(&bytes, version).unwrap();
        let mut all = Vec::new();
        request.write_edited(|_| PartitionEdit::Kept, &mut all);
        assert_eq!(all, bytes, "version {version}");
        let mut none = Vec::new();
        request.write_edited(|_| PartitionEdit::LeftOut, &mut none);
        assert_eq!(
            ProduceRequest::read(&none, version).unwrap().partitions().count(),
            0
        );
    }
}

/// Every way to keep, leave out or replace the four partitions.
#[test]
fn what_is_left_out_and_what_is_replaced_are_the_only_changes() {
    for version in VERSION_MIN..=VERSION_MAX {
        let bytes = request(version);
        let request = ProduceRequest::read(&bytes, version).unwrap();
        for edits in 0..81usize {
            let edit = |index: usize| match edits / 3usize.pow(index as u32) % 3 {
                0 => PartitionEdit::Kept,
                1 => PartitionEdit::LeftOut,
                _ => PartitionEdit::Replaced(b"other records"),
            };
            let mut out = Vec::new();
            request.write_edited(edit, &mut out);
            let rewritten = ProduceRequest::read(&out, version).unwrap();
            let expected = request.partitions().enumerate();
            let expected = expected.filter_map(|(index, data)| match edit(index) {
                PartitionEdit::Kept => Some(data),
                PartitionEdit::LeftOut => None,
                PartitionEdit::Replaced(records) => Some(PartitionData {
                    records: Some(records),
                    ..data
                }),
            });
            assert!(
                rewritten.partitions().eq(expected),
                "version {version}, edits {edits}"
            );
            assert_eq!(rewritten.transactional_id, Some("tx"));
        }
    }
}

#[test]
fn truncation_at_any_byte_and_a_byte_too_many_are_refused() {
    for version in VERSION_MIN..=VERSION_MAX {
        let mut bytes = request(version);
        for cut in 0..bytes.len() {
            assert!(
                ProduceRequest::read(&bytes[..cut], version).is_err(),
                "version {version} cut at {cut}"
            );
        }
        bytes.push(0);
        assert!(ProduceRequest::read(&bytes, version).is_err());
    }
}

#[test]
fn versions_beyond_the_range_are_refused() {
    for version in [-1, 0, 2, 14] {
        let refused = ProduceRequest::read(&request(3), version).unwrap_err();
        assert_eq!(
            refused,
            WireError::UnsupportedVersion {
                what: "Produce",
                version
            }
        );
    }
}

#[test]
fn an_array_longer_than_the_bytes_left_could_hold_is_refused_before_the_loop() {
    let body = b"\xff\xff\xff\xff\0\0\0\0\x7f\xff\xff\xff\0\0";
    assert!(matches!(
        ProduceRequest::read(body, 8),
        Err(WireError::BadLength { at: 8, .. })
    ));
    let body = b"\0\xff\xff\0\0\0\0\x81\x80\x80\x80\x08\0\0\0";
    assert!(matches!(
        ProduceRequest::read(body, 9),
        Err(WireError::BadLength { at: 7, .. })
    ));
}
