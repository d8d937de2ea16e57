//! Messages in several pieces: required fields are asked for when they are merged.

use super::*;
use crate::schema::UnknownFields;
use std::fmt::Write;
use std::time::{Duration, Instant};

const PIECES: &str = r#"
syntax = "proto2";
message M {
  optional Pair pair = 1; repeated Pair pairs = 2; map<int32, Pair> by = 3; optional Outer outer = 4;
  oneof choice { Pair one = 5; Pair other = 6; int32 number = 7; E named = 8; group Two = 9 { required int32 a = 1; required int32 b = 2; } }
  optional group Part = 10 { required int32 a = 1; optional Pair pair = 2; }
  map<bool, Pair> flags = 11; map<string, Pair> words = 12; map<sfixed32, Pair> fixed = 13; optional M m = 14;
}
message Pair { required int32 a = 1; required int32 b = 2; }
message Outer { required int32 x = 1; optional Pair pair = 2; required Pair needed = 3; }
enum E { A = 1; }
"#;

const A: &[u8] = b"\x08\x01";
const B: &[u8] = b"\x10\x01";
const AB: &[u8] = b"\x08\x01\x10\x01";

/// A field with a length.
fn sized(number: u8, body: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, body.len() as u8], body].concat()
}

fn group(number: u8, body: &[u8]) -> Vec<u8> {
    [&[number << 3 | 3], body, &[number << 3 | 4]].concat()
}

fn is_valid(pieces: &[Vec<u8>]) {
    assert_eq!(check(PIECES, &pieces.concat()), Ok(()));
}

#[track_caller]
fn lacks(pieces: &[Vec<u8>], path: &str, expected: &str) {
    let found = mismatch(PIECES, &pieces.concat());
    assert_eq!(found, (path.to_owned(), expected.to_owned()));
}

#[test]
fn two_pieces_that_are_incomplete_make_a_message_that_is_not() {
    is_valid(&[sized(1, A), sized(1, B)]);
    let something_else = vec![7 << 3, 1];
    is_valid(&[sized(1, B), something_else, sized(1, b""), sized(1, A)]);
    lacks(
        &[sized(1, A), sized(1, b""), sized(1, A)],
        "$.pair.b",
        "required int32 b missing from the message that ends at byte 10",
    );
}

#[test]
fn pieces_merge_on_every_level() {
    let outer = |body: &[u8]| sized(4, body);
    let x = b"\x08\x01".to_vec();
    is_valid(&[
        outer(&sized(3, A)),
        outer(&[sized(3, B), sized(2, B)].concat()),
        outer(&sized(2, A)),
        outer(&x),
    ]);
    lacks(
        &[
            outer(&[sized(3, AB), x.clone()].concat()),
            outer(&sized(2, A)),
            outer(&sized(2, A)),
        ],
        "$.outer.pair.b",
        "required int32 b missing from the message that ends at byte 22",
    );
    lacks(
        &[outer(&x), outer(&sized(2, AB))],
        "$.outer.needed",
        "required message Pair needed missing from the message that ends at byte 12",
    );
}

#[test]
fn a_member_of_a_oneof_is_forgotten_when_another_comes() {
    is_valid(&[sized(5, A), sized(5, B)]);
    is_valid(&[sized(5, A), sized(6, AB)]);
    is_valid(&[sized(5, A), vec![7 << 3, 1]]);
    is_valid(&[sized(5, A), vec![8 << 3, 1]]);
    is_valid(&[sized(5, A), group(9, A), group(9, B)]);
    is_valid(&[group(9, A), sized(5, AB)]);
    lacks(
        &[sized(5, A), vec![7 << 3, 1], sized(5, b""), sized(5, B)],
        "$.one.a",
        "required int32 a missing from the message that ends at byte 12",
    );
    lacks(
        &[sized(5, A), sized(6, b""), sized(5, B)],
        "$.one.a",
        "required int32 a missing from the message that ends at byte 10",
    );
    // A number that the closed enum does not name is an unknown field, and no member.
    is_valid(&[sized(5, A), vec![8 << 3, 2], sized(5, B)]);
    lacks(
        &[sized(5, A), vec![8 << 3, 2]],
        "$.one.b",
        "required int32 b missing from the message that ends at byte 4",
    );
}

#[test]
fn elements_of_a_repeated_field_stay_alone() {
    is_valid(&[sized(2, AB), sized(1, A), sized(2, AB), sized(1, B)]);
    lacks(
        &[sized(2, AB), sized(2, A), sized(2, B)],
        "$.pairs[1].b",
        "required int32 b missing from the message that ends at byte 10",
    );
}

fn entry(number: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    sized(number, &[key.to_vec(), sized(2, value)].concat())
}

#[test]
fn the_last_entry_of_a_key_is_the_one_that_counts() {
    is_valid(&[entry(3, b"\x08\x05", A), entry(3, b"\x08\x05", AB)]);
    lacks(
        &[entry(3, b"\x08\x05", AB), entry(3, b"\x08\x05", A)],
        "$.by[5].b",
        "required int32 b missing from the message that ends at byte 18",
    );
    // Another key is another entry.
    lacks(
        &[entry(3, b"\x08\x05", A), entry(3, b"\x08\x06", AB)],
        "$.by[5].b",
        "required int32 b missing from the message that ends at byte 8",
    );
    lacks(
        &[entry(3, b"\x08\x05", AB), sized(3, b"\x08\x05")],
        "$.by[5].value",
        "required message Pair value missing from the message that ends at byte 14",
    );
}

#[test]
fn the_value_of_an_entry_merges_within_it_and_not_with_another() {
    is_valid(&[sized(
        3,
        &[sized(2, A), b"\x08\x05".to_vec(), sized(2, B)].concat(),
    )]);
    lacks(
        &[entry(3, b"\x08\x05", A), entry(3, b"\x08\x05", B)],
        "$.by[5].a",
        "required int32 a missing from the message that ends at byte 16",
    );
}

#[test]
fn keys_are_the_same_by_their_value_however_they_are_written() {
    let same: [(u8, &[u8], &[u8]); 10] = [
        (3, b"\x08\x05", b"\x08\x85\x80\x00"),
        (3, b"\x08\x05", b"\x08\x85\x80\x80\x80\x10"),
        (3, b"\x08\x00", b""),
        (3, b"\x08\x06", b"\x08\x05\x08\x06"),
        (3, b"\x08\x06", b"\x88\x00\x06"),
        (11, b"\x08\x01", b"\x08\x02"),
        (11, b"", b"\x08\x80\x00"),
        (12, b"\x0a\x01a", b"\x0a\x81\x00a"),
        (12, b"\x0a\x00", b""),
        (13, b"\x0d\0\0\0\0", b""),
    ];
    for (map, one, other) in same {
        is_valid(&[entry(map, one, A), entry(map, other, AB)]);
        is_valid(&[entry(map, other, A), entry(map, one, AB)]);
    }
    let different: [(u8, &[u8], &[u8]); 4] = [
        (3, b"\x08\x05", b"\x08\x85\x01"),
        (11, b"\x08\x01", b""),
        (12, b"\x0a\x01\0", b""),
        (13, b"\x0d\0\0\0\x01", b"\x0d\x01\0\0\0"),
    ];
    for (map, one, other) in different {
        check(PIECES, &[entry(map, one, A), entry(map, other, AB)].concat()).unwrap_err();
    }
}

#[test]
fn groups_merge_and_what_is_in_them() {
    is_valid(&[group(10, &sized(2, A)), group(10, A), group(10, &sized(2, B))]);
    is_valid(&[
        group(10, b"\x08\x01\x23\x08\x01\x24"),
        sized(14, &group(10, b"")),
        sized(14, &group(10, A)),
    ]);
    lacks(
        &[group(10, &sized(2, AB)), group(10, b"")],
        "$.part.a",
        "required int32 a missing from the message that ends at byte 9",
    );
}

#[test]
fn the_first_message_to_end_that_lacks_a_field_is_named() {
    lacks(
        &[sized(14, &sized(1, A)), sized(1, A), sized(14, b""), sized(2, A)],
        "$.m.pair.b",
        "required int32 b missing from the message that ends at byte 6",
    );
}

#[test]
fn what_else_is_wrong_is_said_before_what_is_missing() {
    let payload = [sized(1, A), sized(7, b"")].concat();
    assert_eq!(mismatch(PIECES, &payload).0, "$.number");
    let payload = [sized(1, A), sized(1, B), vec![0x78, 1]].concat();
    assert_eq!(check(PIECES, &payload), Ok(()));
    let validator = validator(PIECES);
    let first = validator.message([]).unwrap();
    let strictly = |payload: &[u8]| validator.validate_with(first, payload, UnknownFields::Reject);
    assert!(
        strictly(&payload)
            .unwrap_err()
            .expected
            .starts_with("no field with number 15 ")
    );
    assert_eq!(strictly(&[sized(1, A), sized(1, B)].concat()), Ok(()));
}

#[test]
fn a_required_closed_enum_without_a_name_in_one_piece_may_have_one_in_another() {
    let schema = "syntax = \"proto2\"; message M { optional N n = 1; } message N { required E e = 1; } enum E { A = 1; }";
    assert_eq!(check(schema, b"\x0a\x02\x08\x02\x0a\x02\x08\x01"), Ok(()));
    assert_eq!(check(schema, b"\x0a\x02\x08\x01\x0a\x02\x08\x02"), Ok(()));
    assert_eq!(mismatch(schema, b"\x0a\x02\x08\x02\x0a\x02\x08\x02").0, "$.n.e");
}

#[test]
fn more_required_fields_than_a_word_has_bits_merge_too() {
    let numbers = 1..=200u32;
    let mut schema = "syntax = \"proto2\"; message M { optional N n = 1; } message N {".to_owned();
    for number in numbers.clone() {
        write!(schema, "required int32 f{number} = {number};").unwrap();
    }
    schema.push('}');
    let piece = |number: u32| {
        if number < 16 {
            sized(1, &[(number << 3) as u8, 1])
        } else {
            sized(1, &[(number << 3) as u8 | 0x80, (number >> 4) as u8, 1])
        }
    };
    let mut pieces: Vec<_> = numbers.map(piece).collect();
    pieces.reverse();
    assert_eq!(check(&schema, &pieces.concat()), Ok(()));
    pieces.remove(77);
    assert_eq!(mismatch(&schema, &pieces.concat()).0, "$.n.f123");
}

/// A length of any size.
fn long_sized(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = body.len();
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(body);
    out
}

/// Generous, for a debug build: they take some tenths of a second.
const BOUND: Duration = Duration::from_secs(20);

/// What this thread has computed, so that what runs beside it does not count; where the system does not tell that, the
/// time of day.
fn spent(began: Instant) -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = spent.and_then(|spent| spent.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| began.elapsed(), Duration::from_nanos)
}

#[test]
fn a_megabyte_of_pieces_is_merged_in_bounded_time() {
    let began = Instant::now();
    let piece = |number: u8| sized(number, b"").repeat(500_000);
    assert_eq!(mismatch(PIECES, &piece(1)).0, "$.pair.a");
    assert_eq!(mismatch(PIECES, &piece(2)).0, "$.pairs[0].a");
    assert_eq!(mismatch(PIECES, &piece(3)).0, "$.by[?].value");
    assert_eq!(
        mismatch(PIECES, &[sized(5, b""), sized(6, b"")].concat().repeat(250_000)).0,
        "$.other.a"
    );
    let complete = [piece(1), sized(1, AB)].concat();
    assert_eq!(check(PIECES, &complete), Ok(()));
    let keys = (0..100_000u32).flat_map(|key| sized(13, &[&[0x0d], key.to_le_bytes().as_slice()].concat()));
    assert_eq!(mismatch(PIECES, &keys.collect::<Vec<_>>()).0, "$.fixed[?].value");
    assert!(spent(began) < BOUND, "{:?}", spent(began));
}

#[test]
fn pieces_a_hundred_levels_deep_are_merged_in_bounded_time() {
    let began = Instant::now();
    let nest = |inner: Vec<u8>| (0..98).fold(inner, |inner, _| long_sized(14, &inner));
    let many = |piece: &[u8]| nest(piece.repeat(250_000));
    let path = format!("${}.pair", ".m".repeat(98));
    assert_eq!(mismatch(PIECES, &many(&sized(1, b""))).0, format!("{path}.a"));
    assert_eq!(check(PIECES, &many(&[sized(1, A), sized(1, B)].concat())), Ok(()));
    // A piece on every level, again and again.
    let tower = nest(sized(1, A));
    let towers = tower.repeat(1_000_000 / tower.len());
    assert_eq!(mismatch(PIECES, &towers).0, format!("{path}.b"));
    assert_eq!(check(PIECES, &[towers, nest(sized(1, B))].concat()), Ok(()));
    assert!(spent(began) < BOUND, "{:?}", spent(began));
}
