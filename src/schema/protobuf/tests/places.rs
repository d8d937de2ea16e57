//! Where and what: the exact path and expectation deep inside repeated fields, maps, groups and oneofs.

use super::*;

const NESTED: &str = r#"
syntax = "proto2";
package p;
message Order {
  repeated group Part = 1 { map<string, Item> by = 2; oneof choice { Item one = 3; string text = 4; group Two = 6 { optional double d = 1; } } }
  map<int64, Bag> bags = 5;
  extensions 100 to 200;
}
message Item { repeated Bag bags = 1; optional fixed32 crc = 2; optional Order order = 3; }
message Bag { repeated sint32 n = 1 [packed = true]; repeated float f = 3; optional group G = 2 { required bool ok = 1; } }
extend Order { repeated Item extra = 100; }
"#;

/// A field with a length.
fn sized(number: u8, body: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, body.len() as u8], body].concat()
}

fn group(number: u8, body: &[u8]) -> Vec<u8> {
    [&[number << 3 | 3], body, &[number << 3 | 4]].concat()
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    [sized(1, key.as_bytes()), sized(2, value)].concat()
}

#[track_caller]
fn is_refused_at(payload: &[u8], path: &str, expected: &str) {
    assert_eq!(mismatch(NESTED, payload), (path.to_owned(), expected.to_owned()));
}

#[test]
fn an_element_of_a_packed_run_in_a_message_in_a_map_in_a_group() {
    let bag = [vec![0x08, 1], sized(1, &[2, 3, 0x80])].concat();
    let item = [sized(1, b""), sized(1, &bag)].concat();
    let payload = [group(1, b""), group(1, &sized(2, &entry("k", &item)))].concat();
    is_refused_at(
        &payload,
        "$.part[1].by[\"k\"].bags[1].n[3]",
        "expected varint for sint32 n, the bytes end within it at byte 20",
    );
}

#[test]
fn a_run_of_fixed_values_that_cuts_one_in_a_map_with_a_number_for_a_key() {
    let bag = [vec![0x1d, 0, 0, 0, 0], sized(3, &[0; 7])].concat();
    let payload = sized(5, &[vec![0x08, 7], sized(2, &bag)].concat());
    is_refused_at(
        &payload,
        "$.bags[7].f[1]",
        "expected packed float f in multiples of 4 bytes, 7 bytes found at byte 13",
    );
}

#[test]
fn a_member_of_a_oneof_in_a_repeated_group() {
    let item = [vec![0x15, 0, 0, 0, 0], vec![0x10, 1]].concat();
    let payload = [group(1, b""), group(1, b""), group(1, &sized(3, &item))].concat();
    is_refused_at(
        &payload,
        "$.part[2].one.crc",
        "expected 4 bytes for fixed32 crc, wire type 0 found at byte 12",
    );
    let payload = group(1, &group(6, &[0x09, 0, 0]));
    is_refused_at(
        &payload,
        "$.part[0].two.d",
        "expected 8 bytes for double d, 4 left at byte 3",
    );
}

#[test]
fn a_required_field_that_is_missing_in_a_group_in_a_map_in_a_recursive_message() {
    let inner = sized(5, &[vec![0x08, 1], sized(2, &group(2, b""))].concat());
    let payload = group(1, &sized(2, &entry("a", &sized(3, &inner))));
    is_refused_at(
        &payload,
        "$.part[0].by[\"a\"].order.bags[1].g.ok",
        "required bool ok missing from the message that ends at byte 17",
    );
}

#[test]
fn a_group_in_a_message_may_not_end_outside_of_it() {
    let bag = sized(1, &[0x13]);
    let payload = group(1, &sized(3, &bag));
    is_refused_at(
        &payload,
        "$.part[0].one.bags[0].g",
        "expected the end of a group, the bytes end at byte 6",
    );
}

#[test]
fn an_extension_that_is_repeated() {
    let extra = |body: &[u8]| [&[0xa2, 0x06, body.len() as u8], body].concat();
    let payload = [extra(b""), extra(&[0x12, 0])].concat();
    is_refused_at(
        &payload,
        "$.[p.extra][1].crc",
        "expected 4 bytes for fixed32 crc, wire type 2 found at byte 6",
    );
}

#[test]
fn an_entry_that_begins_with_its_value_has_no_name() {
    let payload = sized(5, &[sized(2, &[0x0d, 0, 0, 0, 0]), vec![0x08, 1]].concat());
    is_refused_at(
        &payload,
        "$.bags[?].n[0]",
        "expected varint or packed run for sint32 n, wire type 5 found at byte 4",
    );
}

#[test]
fn what_no_field_of_a_message_is_has_the_path_of_the_message() {
    let payload = group(1, &sized(2, &entry("k", &[0x79, 0])));
    is_refused_at(
        &payload,
        "$.part[0].by[\"k\"]",
        "expected 8 bytes for a field that the schema does not have, 1 left at byte 9",
    );
}
