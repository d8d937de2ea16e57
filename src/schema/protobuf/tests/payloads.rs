//! Payloads: the wire format's rules and what hostile writers make of them.

use super::*;
use std::fmt::Write;

const ORDER: &str = r#"
syntax = "proto3";
package shop;
message Order {
  string id = 1;
  int64 quantity = 2;
  double total = 3;
  fixed32 crc = 4;
  bool paid = 5;
  Status status = 6;
  repeated Item items = 7;
  map<string, int32> labels = 8;
  repeated int32 samples = 9;
  repeated double weights = 10;
  bytes blob = 11;
  oneof contact { string email = 12; string phone = 13; }
  map<string, Item> by_name = 15;
  int32 far = 5000;
  string farther = 90000;
}
message Item { string sku = 1; int32 count = 2; Order nested = 3; }
enum Status { UNKNOWN = 0; OPEN = 1; }
"#;

fn repeat(prefix: &[u8], times: usize) -> Vec<u8> {
    prefix.repeat(times)
}

#[test]
fn an_empty_payload_is_a_valid_proto3_message() {
    assert_eq!(check(ORDER, &[]), Ok(()));
}

#[test]
fn each_scalar_is_accepted_in_its_wire_type() {
    let mut payload = b"\x0a\x02id\x10\x05\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\x28\x01\x30\x01".to_vec();
    payload.extend_from_slice(b"\x3a\x05\x0a\x01s\x10\x02\x42\x05\x0a\x01k\x10\x01\x5a\x01\xff\x62\x01e");
    payload.extend_from_slice(b"\xc0\xb8\x02\x01\x82\xfb\x2b\x01f");
    assert_eq!(check(ORDER, &payload), Ok(()));
}

#[test]
fn a_wire_type_that_is_not_the_fields_is_refused_at_its_byte() {
    let (path, expected) = mismatch(ORDER, b"\x0a\x02id\x12\x01a");
    assert_eq!(path, "$.quantity");
    assert_eq!(
        expected,
        "expected varint for int64 quantity, wire type 2 found at byte 4"
    );
}

#[test]
fn a_path_leads_through_repeated_messages() {
    let (path, expected) = mismatch(ORDER, b"\x3a\0\x3a\x02\x10\x01\x3a\x05\x0a\x03ab\xff");
    assert_eq!(path, "$.items[2].sku");
    assert_eq!(expected, "expected UTF-8 for string sku, not so at byte 12");
}

#[test]
fn a_path_names_a_map_entry_by_its_key() {
    let (path, _) = mismatch(ORDER, b"\x42\x07\x0a\x03a b\x15\0");
    assert_eq!(path, "$.labels[\"a b\"].value");
    let (path, _) = mismatch(ORDER, b"\x7a\x0a\x0a\x03a b\x12\x03\x0a\x01\xff");
    assert_eq!(path, "$.by_name[\"a b\"].sku");
}

#[test]
fn packed_and_unpacked_are_both_accepted_for_repeated_numbers() {
    assert_eq!(check(ORDER, b"\x4a\x03\x01\x96\x01\x48\x07\x4a\0"), Ok(()));
    assert_eq!(
        check(ORDER, b"\x52\x08\0\0\0\0\0\0\0\0\x51\0\0\0\0\0\0\0\0"),
        Ok(())
    );
}

#[test]
fn a_packed_run_is_refused_for_a_number_that_is_not_repeated() {
    assert_eq!(mismatch(ORDER, b"\x12\x01\x01").0, "$.quantity");
}

#[test]
fn a_packed_run_that_cuts_an_element_is_refused_at_the_element() {
    let (path, expected) = mismatch(ORDER, b"\x48\x01\x4a\x03\x01\x02\x80");
    assert_eq!(path, "$.samples[3]");
    assert_eq!(
        expected,
        "expected varint for int32 samples, the bytes end within it at byte 6"
    );
    let (path, expected) = mismatch(ORDER, b"\x52\x07\0\0\0\0\0\0\0");
    assert_eq!(path, "$.weights[0]");
    assert_eq!(
        expected,
        "expected packed double weights in multiples of 8 bytes, 7 bytes found at byte 2"
    );
}

#[test]
fn a_megabyte_of_packed_numbers_is_valid() {
    let mut payload = b"\x4a\x80\x80\x40".to_vec();
    payload.resize(4 + (1 << 20), 1);
    assert_eq!(check(ORDER, &payload), Ok(()));
    let mut payload = b"\x4a\x80\x80\x40".to_vec();
    payload.resize(4 + (1 << 20), 0x81);
    assert_eq!(mismatch(ORDER, &payload).0, "$.samples[0]");
}

#[test]
fn a_proto3_string_must_be_utf8_and_bytes_need_not() {
    assert!(check(ORDER, b"\x0a\x01\xff").is_err());
    assert!(check(ORDER, b"\x0a\x02\xed\xa0").is_err());
    assert_eq!(check(ORDER, "\x0a\x04ñé".as_bytes()), Ok(()));
    assert_eq!(check(ORDER, b"\x5a\x01\xff"), Ok(()));
}

#[test]
fn a_proto2_string_need_not_be_utf8() {
    let schema = "syntax = \"proto2\"; message M { optional string s = 1; }";
    assert_eq!(check(schema, b"\x0a\x01\xff"), Ok(()));
}

#[test]
fn a_varint_of_ten_bytes_is_read_for_any_integer_and_bool() {
    let minus_one = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    for tag in [b"\x10", b"\x28", b"\x30", b"\x48"] {
        assert_eq!(check(ORDER, &[tag.as_slice(), minus_one].concat()), Ok(()));
    }
}

#[test]
fn a_varint_over_64_bits_or_ten_bytes_is_refused() {
    let (path, expected) = mismatch(ORDER, b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
    assert_eq!(path, "$.quantity");
    assert_eq!(
        expected,
        "expected varint of at most 64 bits for int64 quantity at byte 1"
    );
    assert!(check(ORDER, b"\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01").is_err());
    assert_eq!(
        check(ORDER, b"\x10\x80\x80\0"),
        Ok(()),
        "overlong but within ten bytes"
    );
}

#[test]
fn an_enum_value_that_the_schema_does_not_name_is_valid() {
    assert_eq!(check(ORDER, b"\x30\x63"), Ok(()));
    let closed = "syntax = \"proto2\"; message M { optional E e = 1; } enum E { A = 1; }";
    assert_eq!(check(closed, b"\x08\x63"), Ok(()));
}

#[test]
fn a_field_number_that_the_schema_does_not_have_is_skipped() {
    assert_eq!(
        check(
            ORDER,
            b"\xa0\x06\x01\xa1\x06\0\0\0\0\0\0\0\0\xa2\x06\x01a\xa5\x06\0\0\0\0"
        ),
        Ok(())
    );
    assert_eq!(
        check(ORDER, b"\xf8\xff\xff\xff\x0f\x01"),
        Ok(()),
        "the largest number"
    );
}

#[test]
fn an_unknown_field_is_walked_to_its_end() {
    for cut in [
        b"\xa0\x06\x80".as_slice(),
        b"\xa1\x06\0\0",
        b"\xa2\x06\x05a",
        b"\xa5\x06\0",
        b"\xa0",
    ] {
        assert_eq!(mismatch(ORDER, cut).0, "$");
    }
}

#[test]
fn field_number_0_is_refused() {
    for payload in [b"\x00\x01".as_slice(), b"\x07", b"\x80\x00\x01"] {
        let (path, expected) = mismatch(ORDER, payload);
        assert_eq!(path, "$");
        assert_eq!(expected, "expected a field number from 1, 0 found at byte 0");
    }
}

#[test]
fn a_tag_over_32_bits_is_refused() {
    let (_, expected) = mismatch(ORDER, b"\x80\x80\x80\x80\x10\x01");
    assert_eq!(
        expected,
        "expected a field's tag of at most 32 bits in five bytes at byte 0"
    );
}

#[test]
fn a_tag_in_more_than_five_bytes_is_refused_whatever_its_value() {
    assert_eq!(check(ORDER, b"\x90\x80\x80\x80\0\x01"), Ok(()));
    let (path, expected) = mismatch(ORDER, b"\x90\x80\x80\x80\x80\0\x01");
    assert_eq!(path, "$");
    assert_eq!(
        expected,
        "expected a field's tag of at most 32 bits in five bytes at byte 0"
    );
    assert!(check(ORDER, b"\xa3\x06\x90\x80\x80\x80\x80\0\x01\xa4\x06").is_err());
}

#[test]
fn wire_types_6_and_7_are_refused_for_known_and_unknown_fields() {
    let (path, expected) = mismatch(ORDER, b"\x16");
    assert_eq!(
        (path.as_str(), expected.as_str()),
        (
            "$.quantity",
            "expected varint for int64 quantity, wire type 6 found at byte 0"
        )
    );
    let (path, expected) = mismatch(ORDER, b"\xa7\x06");
    assert_eq!(
        (path.as_str(), expected.as_str()),
        ("$", "expected wire type 0 to 5, 7 found at byte 0")
    );
}

#[test]
fn a_length_past_the_end_is_refused() {
    let (path, expected) = mismatch(ORDER, b"\x0a\x05ab");
    assert_eq!(path, "$.id");
    assert_eq!(expected, "expected 5 bytes for string id, 2 left at byte 2");
    assert!(check(ORDER, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").is_err());
    // A nested message may not reach beyond the one that holds it.
    let (path, _) = mismatch(ORDER, b"\x3a\x03\x0a\x05abcdefgh");
    assert_eq!(path, "$.items[0].sku");
}

#[test]
fn every_truncation_of_a_valid_payload_is_judged_without_a_panic() {
    let payload = b"\x0a\x02id\x19\0\0\0\0\0\0\0\0\x3a\x05\x0a\x01s\x10\x02\x42\x05\x0a\x01k\x10\x01\xa3\x06\x08\x01\xa4\x06";
    assert_eq!(check(ORDER, payload), Ok(()));
    let mut refused = 0;
    for end in 0..payload.len() {
        refused += usize::from(check(ORDER, &payload[..end]).is_err());
    }
    assert!(refused > payload.len() / 2);
}

#[test]
fn messages_nest_a_hundred_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let mut payload = Vec::new();
        for level in 0..depth {
            let mut outer = vec![if level % 2 == 0 { 0x1a } else { 0x3a }];
            let mut length = payload.len();
            while length >= 0x80 {
                outer.push(length as u8 | 0x80);
                length >>= 7;
            }
            outer.push(length as u8);
            outer.append(&mut payload);
            payload = outer;
        }
        payload
    };
    assert_eq!(check(ORDER, &nested(100)), Ok(()));
    let (path, expected) = over_limit(ORDER, &nested(102));
    assert!(path.starts_with("$.items[0].nested.items[0].nested."), "{path}");
    assert!(
        expected.starts_with("messages nest more than 100 deep at byte"),
        "{expected}"
    );
    over_limit(ORDER, &nested(10_000));
}

#[test]
fn a_message_of_plain_values_counts_for_the_depth_too() {
    let schema =
        "syntax = \"proto3\"; message M { M m = 1; repeated Leaf leaf = 2; } message Leaf { int32 a = 1; }";
    let nested = |levels: usize| {
        (0..levels).fold(b"\x12\x02\x08\x01".to_vec(), |inner, _| {
            let (low, high) = (inner.len() as u8 & 0x7f | 0x80, (inner.len() >> 7) as u8);
            [&[0x0a, low, high], inner.as_slice()].concat()
        })
    };
    assert_eq!(check(schema, &nested(99)), Ok(()));
    let (path, _) = over_limit(schema, &nested(100));
    assert!(path.ends_with(".m.leaf[0]"), "{path}");
}

#[test]
fn a_value_may_not_reach_beyond_its_message_into_the_next() {
    let schema = "syntax = \"proto3\"; message M { repeated Leaf l = 1; bytes rest = 2; } \
        message Leaf { string s = 1; fixed64 f = 2; int64 n = 3; }";
    let rest = [b"\x12\x40".as_slice(), &[b'a'; 64]].concat();
    for (leaf, field) in [
        (b"\x0a\x04\x0a\x03ab".as_slice(), "s"),
        (b"\x0a\x05\x11\0\0\0\0", "f"),
        (b"\x0a\x02\x18\x80", "n"),
        (b"\x0a\x0a\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80", "n"),
    ] {
        let (path, _) = mismatch(schema, &[b"\x0a\0", leaf, &rest].concat());
        assert_eq!(path, format!("$.l[1].{field}"));
    }
}

#[test]
fn unknown_groups_nest_a_hundred_deep_and_no_deeper() {
    let nested = |depth| [repeat(b"\xa3\x06", depth), repeat(b"\xa4\x06", depth)].concat();
    assert_eq!(check(ORDER, &nested(100)), Ok(()));
    over_limit(ORDER, &nested(101));
    over_limit(ORDER, &repeat(b"\xa3\x06", 500_000));
}

#[test]
fn an_unknown_group_must_end_with_its_own_number() {
    assert_eq!(
        mismatch(ORDER, b"\xa3\x06\x08\x01").1,
        "expected the end of a group, the bytes end at byte 4"
    );
    assert_eq!(
        mismatch(ORDER, b"\xa3\x06\xac\x06").1,
        "end of group 101 at byte 2, where no such group is open"
    );
    assert_eq!(
        mismatch(ORDER, b"\xa4\x06").1,
        "end of group 100 at byte 0, where no such group is open"
    );
}

const GROUPS: &str = r#"
syntax = "proto2";
message M {
  repeated group Part = 1 { required int32 a = 2; optional group Inner = 3 { optional string s = 1; } }
  optional int32 after = 4;
}
"#;

#[test]
fn a_declared_group_is_walked_by_its_fields() {
    assert_eq!(
        check(GROUPS, b"\x0b\x10\x01\x1b\x0a\x01x\x1c\x0c\x20\x01"),
        Ok(())
    );
    let (path, expected) = mismatch(GROUPS, b"\x0b\x10\x01\x0c\x0b\x12\x01\x01\x0c");
    assert_eq!(path, "$.part[1].a");
    assert_eq!(
        expected,
        "expected varint for int32 a, wire type 2 found at byte 5"
    );
}

#[test]
fn a_declared_group_must_end_and_hold_what_is_required() {
    assert_eq!(
        mismatch(GROUPS, b"\x0b\x10\x01").1,
        "expected the end of a group, the bytes end at byte 3"
    );
    assert_eq!(
        mismatch(GROUPS, b"\x0b\x10\x01\x1c\x0c").1,
        "end of group 3 at byte 3, where no such group is open"
    );
    let (path, expected) = mismatch(GROUPS, b"\x0b\x0c");
    assert_eq!(path, "$.part[0].a");
    assert_eq!(
        expected,
        "required int32 a missing from the message that ends at byte 1"
    );
}

/// Found at random once.
#[test]
fn the_end_of_a_group_is_not_the_required_field_with_its_number() {
    let schema = "syntax = \"proto2\"; message M { optional group G = 4 { required double d = 4; } }";
    assert_eq!(check(schema, b"\x23\x21\0\0\0\0\0\0\0\0\x24"), Ok(()));
    let (path, expected) = mismatch(schema, b"\x23\x24");
    assert_eq!(path, "$.g.d");
    assert_eq!(
        expected,
        "required double d missing from the message that ends at byte 1"
    );
}

#[test]
fn declared_groups_count_for_the_depth() {
    let schema = "syntax = \"proto2\"; message M { optional group G = 1 { optional M m = 2; } }";
    let nested = |levels: usize| {
        (0..levels).fold(Vec::new(), |inner, _| {
            let (low, high) = (inner.len() as u8 & 0x7f | 0x80, (inner.len() >> 7) as u8);
            [&[0x0b, 0x12, low, high], inner.as_slice(), &[0x0c]].concat()
        })
    };
    assert_eq!(check(schema, &nested(50)), Ok(()));
    over_limit(schema, &nested(51));
}

#[test]
fn a_missing_required_field_is_refused_by_name() {
    let schema = "syntax = \"proto2\"; message M { required string a = 1; optional N n = 2; repeated N ns = 3; } \
        message N { required int32 x = 1; required int32 far = 70000; }";
    assert_eq!(check(schema, b"\x0a\x01a"), Ok(()));
    assert_eq!(mismatch(schema, b"").0, "$.a");
    let (path, expected) = mismatch(
        schema,
        b"\x0a\x01a\x1a\x06\x08\x01\x80\x97\x22\x05\x1a\x02\x08\x01",
    );
    assert_eq!(path, "$.ns[1].far");
    assert_eq!(
        expected,
        "required int32 far missing from the message that ends at byte 15"
    );
}

#[test]
fn required_fields_beyond_the_64th_are_checked_too() {
    let mut schema = "syntax = \"proto2\"; message M {".to_owned();
    let mut payload = Vec::new();
    for number in 1..=200u32 {
        write!(schema, "required int32 f{number} = {number};").unwrap();
        let tag = number << 3;
        if tag < 0x80 {
            payload.extend_from_slice(&[tag as u8, 1]);
        } else {
            payload.extend_from_slice(&[tag as u8 | 0x80, (tag >> 7) as u8, 1]);
        }
    }
    schema.push('}');
    assert_eq!(check(&schema, &payload), Ok(()));
    assert_eq!(mismatch(&schema, &payload[..payload.len() - 3]).0, "$.f200");
    assert_eq!(mismatch(&schema, &payload[2..]).0, "$.f1");
}

#[test]
fn a_required_closed_enum_with_a_number_it_does_not_name_is_missing() {
    let schema = "syntax = \"proto2\"; message M { required E e = 1; optional int32 x = 2; } enum E { A = 1; B = -1; }";
    assert_eq!(check(schema, b"\x08\x01"), Ok(()));
    assert_eq!(
        check(schema, b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Ok(())
    );
    let (path, expected) = mismatch(schema, b"\x08\x02\x10\x01");
    assert_eq!(path, "$.e");
    assert_eq!(
        expected,
        "required enum E e missing from the message that ends at byte 4"
    );
    assert_eq!(
        check(schema, b"\x08\x02\x08\x01"),
        Ok(()),
        "the second one counts"
    );
    assert_eq!(check(schema, b"\x08\x01\x08\x02"), Ok(()), "the first one stays");
    let open = "syntax = \"proto3\"; message M { E e = 1; } enum E { A = 0; }";
    assert_eq!(check(open, b"\x08\x02"), Ok(()));
}

#[test]
fn a_required_closed_enum_beyond_the_64th_required_field_must_have_a_name_too() {
    let mut schema = "syntax = \"proto2\"; enum E { A = 1; } message M {".to_owned();
    let mut payload = Vec::new();
    for number in 16..=85u32 {
        let kind = if number == 85 { "E" } else { "int32" };
        write!(schema, "required {kind} f{number} = {number};").unwrap();
        payload.extend_from_slice(&[(number << 3) as u8 | 0x80, (number >> 4) as u8, 1]);
    }
    schema.push('}');
    assert_eq!(check(&schema, &payload), Ok(()));
    *payload.last_mut().unwrap() = 7;
    assert_eq!(mismatch(&schema, &payload).0, "$.f85");
}

#[test]
fn a_declared_extension_is_checked_and_an_undeclared_one_skipped() {
    let schema = "syntax = \"proto2\"; package p; message M { extensions 100 to 200; } extend M { optional int32 x = 100; }";
    assert_eq!(check(schema, b"\xa0\x06\x01\xaa\x06\x01a"), Ok(()));
    let (path, expected) = mismatch(schema, b"\xa2\x06\x01a");
    assert_eq!(path, "$.[p.x]");
    assert_eq!(
        expected,
        "expected varint for int32 [p.x], wire type 2 found at byte 0"
    );
}

#[test]
fn a_field_may_come_twice_and_in_any_order() {
    assert_eq!(
        check(ORDER, b"\x10\x01\x0a\x01a\x10\x02\x62\x01a\x6a\x01b"),
        Ok(())
    );
}

#[test]
fn packed_and_unpacked_are_both_accepted_whatever_the_schema_says() {
    let schema = "syntax = \"proto2\"; message M { repeated sint32 a = 1; repeated fixed32 b = 2 [packed = true]; \
        repeated E e = 3 [packed = true]; } enum E { A = 1; }";
    let payload = b"\x0a\x02\x01\x02\x08\x01\x15\0\0\0\0\x12\x04\0\0\0\0\x18\x01\x1a\x01\x01";
    assert_eq!(check(schema, payload), Ok(()));
    let schema = "syntax = \"proto3\"; message M { repeated int32 a = 1 [packed = false]; }";
    assert_eq!(check(schema, b"\x0a\x02\x01\x02\x08\x01"), Ok(()));
}

#[test]
fn a_map_entry_may_have_its_value_first_twice_and_with_unknown_fields() {
    assert_eq!(check(ORDER, b"\x42\x09\x10\x01\x0a\x01k\x10\x02\x18\x07"), Ok(()));
    // What a path says of an entry that does not begin with its key.
    assert_eq!(
        mismatch(ORDER, b"\x42\x05\x10\x01\x0a\x01\xff").0,
        "$.labels[?].key"
    );
}

#[test]
fn a_map_key_is_a_string_like_any_other() {
    let schema = |syntax| format!("syntax = \"{syntax}\"; message M {{ map<string, int32> m = 1; }}");
    assert_eq!(check(&schema("proto2"), b"\x0a\x03\x0a\x01\xff"), Ok(()));
    assert_eq!(
        mismatch(&schema("proto3"), b"\x0a\x03\x0a\x01\xff").0,
        "$.m[?].key"
    );
}

#[test]
fn a_well_known_type_is_an_ordinary_message() {
    let schema = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/any.proto\"; \
        message M { google.protobuf.Timestamp at = 1; google.protobuf.Any any = 2; }";
    let beyond_a_second = b"\x0a\x06\x10\xff\xff\xff\xff\x07";
    assert_eq!(
        check(schema, beyond_a_second),
        Ok(()),
        "its range is for its JSON form"
    );
    assert_eq!(
        check(schema, b"\x12\x06\x0a\x01x\x12\x01\xff"),
        Ok(()),
        "what is packed is not looked into"
    );
    let (path, expected) = mismatch(schema, b"\x0a\x02\x0a\0");
    assert_eq!(path, "$.at.seconds");
    assert_eq!(
        expected,
        "expected varint for int64 seconds, wire type 2 found at byte 2"
    );
}

#[test]
fn a_map_entry_may_lack_its_key_or_value() {
    assert_eq!(check(ORDER, b"\x42\0\x42\x02\x10\x01\x42\x03\x0a\x01k"), Ok(()));
}

#[test]
fn message_indexes_count_messages_as_they_are_written() {
    let validator = validator(
        "syntax = \"proto3\"; message A { map<string, B> m = 1; message X { message Y { fixed32 y = 1; } } \
         message Z { fixed64 z = 1; } } enum E { E0 = 0; } message B { double b = 1; }",
    );
    let at = |indexes: &[i64]| validator.message(indexes.iter().copied());
    let is = |indexes: &[i64], payload: &[u8]| validator.validate(at(indexes).unwrap(), payload).is_ok();
    assert!(is(&[1], b"\x09\0\0\0\0\0\0\0\0") && !is(&[1], b"\x0d\0\0\0\0"));
    assert!(is(&[0, 0, 0], b"\x0d\0\0\0\0") && !is(&[0, 0, 0], b"\x09\0\0\0\0\0\0\0\0"));
    assert!(is(&[0, 1], b"\x09\0\0\0\0\0\0\0\0"));
    assert_eq!(at(&[]), at(&[0]));
    for wrong in [
        &[-1][..],
        &[2],
        &[0, 2],
        &[0, -1],
        &[1, 0],
        &[i64::MAX],
        &[i64::MIN],
        &[0, 0, 0, 0],
    ] {
        assert_eq!(at(wrong), None, "{wrong:?}");
    }
}
