//! Differences that are compatible are found, and refused by nobody.

use super::super::compat::{differences, incompatibilities};
use super::parse;

/// What a writer had, what a reader has, and a difference between them.
const CASES: [(&str, &str, &str); 13] = [
    ("message M {}", "message M {} message N {}", "MESSAGE_ADDED #/N"),
    (
        "message M {}",
        "message M { message N {} }",
        "MESSAGE_ADDED #/M/N",
    ),
    ("message M {}", "message M {} enum E { A = 0; }", "ENUM_ADDED #/E"),
    (
        "message M {} enum E { A = 0; }",
        "message M {}",
        "ENUM_REMOVED #/E",
    ),
    (
        "enum E { A = 0; }",
        "enum E { A = 0; B = 1; }",
        "ENUM_CONST_ADDED #/E/1",
    ),
    (
        "enum E { A = 0; B = 1; }",
        "enum E { A = 0; }",
        "ENUM_CONST_REMOVED #/E/1",
    ),
    (
        "enum E { A = 0; }",
        "enum E { B = 0; }",
        "ENUM_CONST_CHANGED #/E/0",
    ),
    ("message M {}", "message M { string a = 1; }", "FIELD_ADDED #/M/1"),
    (
        "message M { string a = 1; }",
        "message M {}",
        "FIELD_REMOVED #/M/1",
    ),
    (
        "message M { string a = 1; }",
        "message M { string b = 1; }",
        "FIELD_NAME_CHANGED #/M/1",
    ),
    (
        "message M { optional string a = 1; }",
        "message M { repeated string a = 1; }",
        "FIELD_STRING_OR_BYTES_LABEL_CHANGED #/M/1",
    ),
    (
        "message M { string a = 1; }",
        "message M { string a = 1; oneof o { int32 b = 2; } }",
        "ONEOF_ADDED #/M/o",
    ),
    (
        "message M { oneof o { int32 b = 2; } }",
        "message M { oneof o { int32 b = 2; string c = 3; } }",
        "ONEOF_FIELD_ADDED #/M/o/3",
    ),
];

#[test]
fn a_compatible_change_has_a_name_and_is_refused_by_nobody() {
    for (writer, reader, expected) in CASES {
        let proto3 = |body: &str| parse(&format!("syntax = \"proto3\"; {body}"));
        let (reader, writer) = (proto3(reader), proto3(writer));
        let found: Vec<String> = differences(&reader, &writer)
            .iter()
            .map(|difference| format!("{} {}", difference.kind.name(), difference.path))
            .collect();
        assert!(
            found.iter().any(|found| found == expected),
            "{expected}: {found:?}"
        );
        assert_eq!(incompatibilities(&reader, &writer), []);
    }
}
