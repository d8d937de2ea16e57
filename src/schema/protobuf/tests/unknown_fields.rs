//! The policy `unknown_fields: reject`: what the schema does not know is refused, wherever it stands.

use super::*;
use crate::schema::UnknownFields;

const SHOP: &str = r#"
syntax = "proto2";
package shop;
message Order {
  optional string id = 1;
  repeated Item items = 2;
  map<string, Item> by_name = 3;
  map<string, Status> statuses = 4;
  repeated group Part = 5 { optional int32 a = 1; }
  optional Status status = 6;
  repeated Status packed = 7 [packed = true];
  oneof contact { Status by_status = 8; string phone = 9; }
  extensions 100 to 200;
  optional int32 far = 5000;
}
message Item { optional string sku = 1; optional Order order = 2; }
enum Status { NEW = 1; PAID = 2; LOST = -1; }
extend Order { optional Status state = 100; }
"#;

/// Valid when unknown fields are allowed; refused with this path and expectation when they are not.
fn only_by_policy(text: &str, payload: &[u8]) -> (String, String) {
    let validator = validator(text);
    let first = validator.message([]).unwrap();
    assert_eq!(validator.validate(first, payload), Ok(()));
    assert_eq!(
        validator.validate_with(first, payload, UnknownFields::Allow),
        Ok(())
    );
    let mismatch = validator
        .validate_with(first, payload, UnknownFields::Reject)
        .unwrap_err();
    assert_eq!(mismatch.kind, MismatchKind::Payload);
    (mismatch.path, mismatch.expected)
}

fn check_strictly(text: &str, payload: &[u8]) -> Result<(), Mismatch> {
    let validator = validator(text);
    let first = validator.message([]).unwrap();
    validator.validate_with(first, payload, UnknownFields::Reject)
}

fn no_field(number: u32, message: &str) -> String {
    format!("no field with number {number} in {message} (unknown fields are refused by policy)")
}

fn unnamed(field: &str, at: usize) -> String {
    format!(
        "expected a number that the closed enum shop.Status {field} names, not so at byte {at} \
         (unknown fields are refused by policy)"
    )
}

#[test]
fn the_policy_is_to_allow_unless_said_otherwise() {
    assert_eq!(UnknownFields::default(), UnknownFields::Allow);
}

#[test]
fn a_payload_of_known_fields_passes_under_the_policy() {
    let payload = b"\x0a\x01a\x12\x03\x0a\x01s\x1a\x08\x0a\x01k\x12\x03\x0a\x01s\x22\x05\x0a\x01k\x10\x02\x2b\x08\x07\x2c\
        \x30\x01\x3a\x02\x01\x02\x38\x02\x40\x01\xa0\x06\x02\xc0\xb8\x02\x01";
    assert_eq!(check_strictly(SHOP, payload), Ok(()));
    assert_eq!(check_strictly(SHOP, b""), Ok(()));
}

#[test]
fn an_unknown_field_of_each_wire_type_is_refused() {
    for payload in [
        b"\x50\x01".as_slice(),
        b"\x51\0\0\0\0\0\0\0\0",
        b"\x52\x01a",
        b"\x53\x54",
        b"\x55\0\0\0\0",
    ] {
        let refused = only_by_policy(SHOP, payload);
        assert_eq!(refused, ("$".to_owned(), no_field(10, "message shop.Order")));
    }
}

#[test]
fn an_unknown_field_between_and_beyond_the_declared_numbers_is_refused() {
    for (payload, number) in [
        (b"\xc8\x01\x01".as_slice(), 25),
        (b"\xc8\xb8\x02\x01", 5001),
        (b"\xf8\xff\xff\xff\x0f\x01", (1 << 29) - 1),
    ] {
        assert_eq!(
            only_by_policy(SHOP, payload).1,
            no_field(number, "message shop.Order")
        );
    }
}

#[test]
fn an_unknown_field_in_a_nested_message_is_refused_at_that_message() {
    let (path, expected) = only_by_policy(SHOP, b"\x12\0\x12\x03\x0a\x01s\x12\x02\x48\x01");
    assert_eq!(path, "$.items[2]");
    assert_eq!(expected, no_field(9, "message shop.Item"));
    let (path, expected) = only_by_policy(SHOP, b"\x12\x04\x12\x02\x50\x01");
    assert_eq!(path, "$.items[0].order");
    assert_eq!(expected, no_field(10, "message shop.Order"));
}

#[test]
fn an_unknown_field_in_a_group_is_refused_at_that_group() {
    let (path, expected) = only_by_policy(SHOP, b"\x2b\x2c\x2b\x08\x01\x10\x01\x2c");
    assert_eq!(path, "$.part[1]");
    assert_eq!(expected, no_field(2, "group shop.Order.Part"));
}

#[test]
fn an_unknown_field_in_a_map_entry_or_its_value_is_refused() {
    let (path, expected) = only_by_policy(SHOP, b"\x1a\x05\x0a\x01k\x18\x01");
    assert_eq!(path, "$.by_name[\"k\"]");
    assert_eq!(expected, no_field(3, "message shop.Order.ByNameEntry"));
    let (path, expected) = only_by_policy(SHOP, b"\x1a\x07\x0a\x01k\x12\x02\x48\x01");
    assert_eq!(path, "$.by_name[\"k\"]");
    assert_eq!(expected, no_field(9, "message shop.Item"));
}

#[test]
fn an_undeclared_extension_is_refused_and_a_declared_one_is_not() {
    let (path, expected) = only_by_policy(SHOP, b"\xa8\x06\x01");
    assert_eq!(path, "$");
    assert_eq!(expected, no_field(101, "message shop.Order"));
    assert_eq!(check_strictly(SHOP, b"\xa0\x06\x01"), Ok(()));
}

#[test]
fn a_number_that_a_closed_enum_does_not_name_is_refused() {
    let refused = only_by_policy(SHOP, b"\x30\x63");
    assert_eq!(refused, ("$.status".to_owned(), unnamed("status", 1)));
    let refused = only_by_policy(SHOP, b"\x30\0");
    assert_eq!(refused, ("$.status".to_owned(), unnamed("status", 1)));
}

#[test]
fn a_closed_enums_number_is_the_low_32_bits() {
    assert_eq!(
        check_strictly(SHOP, b"\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Ok(()),
        "-1, in ten bytes"
    );
    assert_eq!(
        check_strictly(SHOP, b"\x30\xff\xff\xff\xff\x0f"),
        Ok(()),
        "-1, in five"
    );
    assert_eq!(
        check_strictly(SHOP, b"\x30\x81\x80\x80\x80\x10"),
        Ok(()),
        "1 and a bit over 32"
    );
    assert!(check_strictly(SHOP, b"\x30\xff\xff\xff\xff\x07").is_err());
}

#[test]
fn an_unnamed_number_in_a_packed_run_is_refused_at_its_element() {
    let refused = only_by_policy(SHOP, b"\x38\x01\x3a\x04\x01\x02\x63\x01");
    assert_eq!(refused, ("$.packed[3]".to_owned(), unnamed("packed", 6)));
    let refused = only_by_policy(SHOP, b"\x38\x01\x38\x63");
    assert_eq!(refused, ("$.packed[1]".to_owned(), unnamed("packed", 3)));
}

#[test]
fn an_unnamed_number_in_a_map_a_oneof_or_an_extension_is_refused() {
    let refused = only_by_policy(SHOP, b"\x22\x05\x0a\x01k\x10\x63");
    assert_eq!(
        refused,
        ("$.statuses[\"k\"].value".to_owned(), unnamed("value", 6))
    );
    let refused = only_by_policy(SHOP, b"\x40\x63");
    assert_eq!(refused, ("$.by_status".to_owned(), unnamed("by_status", 1)));
    let refused = only_by_policy(SHOP, b"\xa0\x06\x63");
    assert_eq!(refused, ("$.[shop.state]".to_owned(), unnamed("[shop.state]", 2)));
}

#[test]
fn an_open_enum_takes_any_number_under_the_policy() {
    let schema = "syntax = \"proto3\"; message M { E e = 1; repeated E es = 2; } enum E { A = 0; }";
    assert_eq!(check_strictly(schema, b"\x08\x63\x12\x01\x63\x10\x63"), Ok(()));
}

#[test]
fn an_enum_is_open_or_closed_by_the_file_that_defines_it() {
    let open = reference("e.proto", "syntax = \"proto3\"; package e; enum E { A = 0; }");
    let schema = ProtobufSchema::parse(
        "syntax = \"proto2\"; import \"e.proto\"; message M { optional e.E e = 1; }",
        &[open],
    )
    .unwrap();
    let validator = schema.validator().unwrap();
    let first = validator.message([]).unwrap();
    assert_eq!(
        validator.validate_with(first, b"\x08\x63", UnknownFields::Reject),
        Ok(())
    );
}

#[test]
fn what_is_refused_without_the_policy_is_refused_with_it_for_the_same_reason() {
    for payload in [
        b"\x0a\x05a".as_slice(),
        b"\x30\x80",
        b"\x57",
        b"\x54",
        b"\x00",
        b"\x3a\x01\x80",
    ] {
        let allowed = check(SHOP, payload).unwrap_err();
        assert_eq!(check_strictly(SHOP, payload), Err(allowed));
    }
}
