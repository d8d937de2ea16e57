//! Which changes of a Protobuf schema are compatible: a table of documented cases, `*.txt` beside this file, each in both
//! directions, with the kind and the place of every reason. The rules are those of `docs/compatibility-protobuf.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../compatibility_table/mod.rs"]
mod compatibility_table;

use compatibility_table::{Row, compare, rows, verdict};
use portcullis::schema::{ReferencedSchema, Schema, SchemaType};
use std::collections::HashSet;
use std::fmt::Write as _;

const TABLES: &[(&str, &str)] = &[
    ("fields", include_str!("fields.txt")),
    ("scalars", include_str!("scalars.txt")),
    ("maps", include_str!("maps.txt")),
    ("messages", include_str!("messages.txt")),
    ("enums", include_str!("enums.txt")),
    ("oneofs", include_str!("oneofs.txt")),
    ("files", include_str!("files.txt")),
    ("references", include_str!("references.txt")),
];

#[derive(Default)]
struct Case {
    name: String,
    old: String,
    new: String,
    old_reference: Option<String>,
    new_reference: Option<String>,
    backward: &'static str,
    forward: &'static str,
}

fn cases() -> Vec<Case> {
    let case = |row: Row| {
        let mut case = Case {
            name: row.name,
            ..Case::default()
        };
        for (key, value) in row.lines {
            match key {
                "old" => case.old = text_of(value),
                "new" => case.new = text_of(value),
                "old r.proto" => case.old_reference = Some(text_of(value)),
                "new r.proto" => case.new_reference = Some(text_of(value)),
                "backward" => case.backward = value,
                "forward" => case.forward = value,
                other => panic!("{}: {other}?", case.name),
            }
        }
        case
    };
    rows(TABLES).into_iter().map(case).collect()
}

/// `proto3: …` is short for the syntax statement and the rest.
fn text_of(short: &str) -> String {
    let (syntax, rest) = short.split_once(": ").unwrap();
    format!("syntax = \"{syntax}\"; {}", rest.replace("\\n", "\n"))
}

fn parse(text: &str, reference: Option<&String>) -> Schema {
    let references: Vec<_> = reference
        .map(|text| ReferencedSchema {
            name: "r.proto".to_owned(),
            text: text.clone(),
        })
        .into_iter()
        .collect();
    Schema::parse(SchemaType::Protobuf, text, &references).unwrap()
}

#[test]
fn every_documented_change_has_its_verdict_in_both_directions() {
    let mut wrong = Vec::new();
    for case in cases() {
        let old = parse(&case.old, case.old_reference.as_ref());
        let new = parse(&case.new, case.new_reference.as_ref());
        compare(
            &case.name,
            [&old, &new],
            [case.backward, case.forward],
            &mut wrong,
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_kind_that_is_not_compatible() {
    let met: HashSet<&str> = TABLES
        .iter()
        .flat_map(|(_, text)| text.split([' ', ',', '\n']))
        .collect();
    for kind in [
        "PACKAGE_CHANGED",
        "MESSAGE_REMOVED",
        "FIELD_KIND_CHANGED",
        "FIELD_SCALAR_KIND_CHANGED",
        "FIELD_NAMED_TYPE_CHANGED",
        "FIELD_NUMERIC_LABEL_CHANGED",
        "REQUIRED_FIELD_ADDED",
        "REQUIRED_FIELD_REMOVED",
        "ONEOF_FIELD_REMOVED",
        "MULTIPLE_FIELDS_MOVED_TO_ONEOF",
        "FIELD_MOVED_TO_EXISTING_ONEOF",
    ] {
        assert!(met.contains(kind), "{kind}");
    }
}

#[test]
fn a_schema_is_compatible_with_itself() {
    for case in cases() {
        for (text, reference) in [(&case.old, &case.old_reference), (&case.new, &case.new_reference)] {
            let schema = parse(text, reference.as_ref());
            let again = parse(text, reference.as_ref());
            assert_eq!(schema.incompatibilities(&again), [], "{text}");
        }
    }
}

#[test]
fn a_schema_is_compatible_with_its_normalised_and_its_canonical_text() {
    for case in cases() {
        let schema = parse(&case.new, case.new_reference.as_ref());
        for text in [schema.canonical(), schema.normalized()] {
            let other = parse(&text, case.new_reference.as_ref());
            assert_eq!(schema.incompatibilities(&other), [], "{text}");
            assert_eq!(other.incompatibilities(&schema), [], "{text}");
        }
    }
}

#[test]
fn no_pair_of_the_table_has_more_reasons_than_the_limit() {
    let cases = cases();
    let schemas: Vec<Schema> = cases
        .iter()
        .map(|case| parse(&case.new, case.new_reference.as_ref()))
        .collect();
    for reader in &schemas {
        for writer in &schemas {
            assert!(reader.incompatibilities(writer).len() <= 100);
        }
    }
}

#[test]
fn a_message_names_the_kind_and_the_place_in_confluents_words() {
    let old = parse(
        "syntax = \"proto3\"; package a; message M { int32 a = 1; } message N {}",
        None,
    );
    let new = parse(
        "syntax = \"proto3\"; package b; message M { string a = 1; }",
        None,
    );
    let messages: Vec<String> = new
        .incompatibilities(&old)
        .iter()
        .map(|reason| reason.confluent_message("new", "old"))
        .collect();
    assert_eq!(
        messages,
        [
            "{errorType:\"PACKAGE_CHANGED\", description:\"The package at '#/' in the new schema does not match the package in the old schema\"}",
            "{errorType:\"FIELD_SCALAR_KIND_CHANGED\", description:\"The kind of a SCALAR field at path '#/M/1' in the new schema does not match its kind in the old schema\"}",
            "{errorType:\"MESSAGE_REMOVED\", description:\"The new schema is missing a MESSAGE type at path '#/N' in the old schema\"}",
        ]
    );
}

/// Messages that all refer to each other: to compare them anew wherever they are referred to would not end.
#[test]
fn a_web_of_referenced_messages_is_answered_soon() {
    let web = |last: &str| {
        let mut text = String::from("syntax = \"proto3\";");
        for message in 0..60 {
            write!(text, "message W{message} {{").unwrap();
            for field in 0..60 {
                write!(text, "W{field} f{field} = {};", field + 1).unwrap();
            }
            write!(text, "{last} last = 61; }}").unwrap();
        }
        text
    };
    let root = "syntax = \"proto3\"; import \"r.proto\"; message M { W0 w = 1; }";
    let old = parse(root, Some(&web("int32")));
    let same = parse(root, Some(&web("int64")));
    let other = parse(root, Some(&web("string")));
    let start = std::time::Instant::now();
    assert_eq!(same.incompatibilities(&old), []);
    let reasons = other.incompatibilities(&old);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert_eq!(reasons.len(), 100);
    assert!(
        reasons
            .iter()
            .any(|reason| reason.kind == "FIELD_SCALAR_KIND_CHANGED")
    );
}

/// A chain longer than any stack is answered, too.
#[test]
fn a_long_chain_of_referenced_messages_is_followed_to_its_end() {
    let chain = |last: &str| {
        let mut text = String::from("syntax = \"proto3\";");
        for message in 0..3000 {
            write!(text, "message C{message} {{ C{} c = 1; }}", message + 1).unwrap();
        }
        text + &format!("message C3000 {{ {last} a = 1; }}")
    };
    let root = "syntax = \"proto3\"; import \"r.proto\"; message M { C0 c = 1; }";
    let old = parse(root, Some(&chain("int32")));
    let new = parse(root, Some(&chain("string")));
    let same = parse(root, Some(&chain("bool")));
    assert_eq!(same.incompatibilities(&old), []);
    let reasons = verdict(&new.incompatibilities(&old));
    assert!(
        reasons.contains("FIELD_SCALAR_KIND_CHANGED #/C3000/1"),
        "{reasons}"
    );
}
