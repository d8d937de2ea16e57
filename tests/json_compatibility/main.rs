//! Which changes of a JSON Schema are compatible: a table of documented cases, `*.txt` beside this file, each in both
//! directions and in every draft that it names, with the kind and the place of every reason. The rules are those of
//! `docs/compatibility-json.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../compatibility_table/mod.rs"]
mod compatibility_table;
#[path = "../registry_api/mod.rs"]
mod registry_api;

mod hostile;
mod levels;
mod soundness;

use compatibility_table::{Row, compare, rows};
use portcullis::schema::{ReferencedSchema, Schema, SchemaType};
use std::collections::HashSet;

const TABLES: &[(&str, &str)] = &[
    ("types", include_str!("types.txt")),
    ("strings", include_str!("strings.txt")),
    ("numbers", include_str!("numbers.txt")),
    ("values", include_str!("values.txt")),
    ("objects", include_str!("objects.txt")),
    ("arrays", include_str!("arrays.txt")),
    ("combined", include_str!("combined.txt")),
    ("references", include_str!("references.txt")),
];

#[derive(Default)]
struct Case {
    name: String,
    drafts: Vec<&'static str>,
    old: &'static str,
    new: &'static str,
    old_reference: Option<&'static str>,
    new_reference: Option<&'static str>,
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
                "drafts" => case.drafts = value.split(' ').collect(),
                "old" => case.old = value,
                "new" => case.new = value,
                "old r.json" => case.old_reference = Some(value),
                "new r.json" => case.new_reference = Some(value),
                "backward" => case.backward = value,
                "forward" => case.forward = value,
                other => panic!("{}: {other}?", case.name),
            }
        }
        case
    };
    rows(TABLES).into_iter().map(case).collect()
}

/// The text with its draft's `$schema`.
fn text_of(draft: &str, text: &str) -> String {
    let meta_schema = match draft {
        "2019" => "https://json-schema.org/draft/2019-09/schema".to_owned(),
        "2020" => "https://json-schema.org/draft/2020-12/schema".to_owned(),
        earlier => format!("http://json-schema.org/draft-0{earlier}/schema#"),
    };
    let members = text.strip_prefix('{').unwrap();
    let comma = if members == "}" { "" } else { ", " };
    format!("{{\"$schema\": \"{meta_schema}\"{comma}{members}")
}

fn parse(draft: &str, text: &str, reference: Option<&str>) -> Schema {
    let references: Vec<_> = reference
        .map(|text| ReferencedSchema {
            name: "r.json".to_owned(),
            text: text.to_owned(),
        })
        .into_iter()
        .collect();
    let text = text_of(draft, text);
    Schema::parse(SchemaType::Json, &text, &references).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_documented_change_has_its_verdict_in_both_directions_and_every_draft() {
    let mut wrong = Vec::new();
    for case in cases() {
        for draft in &case.drafts {
            let old = parse(draft, case.old, case.old_reference);
            let new = parse(draft, case.new, case.new_reference);
            let what = format!("{}, draft {draft}", case.name);
            compare(&what, [&old, &new], [case.backward, case.forward], &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_documented_kind_comes_in_the_table() {
    let document = include_str!("../../docs/compatibility-json.md");
    let (_, kinds) = document.split_once("## Kinds").unwrap();
    let (kinds, _) = kinds.split_once("## ").unwrap();
    let met: HashSet<&str> = TABLES
        .iter()
        .flat_map(|(_, text)| text.split([' ', ',', '\n']))
        .collect();
    let documented = kinds.split('`').skip(1).step_by(2).filter(|code| {
        code.contains('_') && code.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase())
    });
    let missing: Vec<&str> = documented.filter(|kind| !met.contains(kind)).collect();
    // Hostile pairs come to it.
    assert_eq!(missing, ["SCHEMA_TOO_COMPLEX"]);
}

#[test]
fn a_schema_is_compatible_with_itself_and_with_its_canonical_text() {
    for case in cases() {
        for draft in &case.drafts {
            for (text, reference) in [(case.old, case.old_reference), (case.new, case.new_reference)] {
                let schema = parse(draft, text, reference);
                let again = parse(draft, text, reference);
                assert_eq!(schema.incompatibilities(&again), [], "{text}");
                let canonical = parse(draft, &schema.canonical(), reference);
                assert_eq!(schema.incompatibilities(&canonical), [], "{text}");
            }
        }
    }
}

#[test]
fn no_pair_of_the_table_is_too_complex_or_has_more_reasons_than_the_limit() {
    let cases = cases();
    let schemas: Vec<Schema> = cases
        .iter()
        .map(|case| parse(case.drafts[0], case.new, case.new_reference))
        .collect();
    for reader in &schemas {
        for writer in &schemas {
            let reasons = reader.incompatibilities(writer);
            assert!(reasons.len() <= 100);
            assert!(reasons.iter().all(|reason| reason.kind != "SCHEMA_TOO_COMPLEX"));
        }
    }
}

#[test]
fn a_message_names_the_kind_and_the_place_in_confluents_words() {
    let old = parse(
        "7",
        r#"{"properties": {"a": {"maxLength": 5}, "b": {"pattern": "x"}, "c": {}}, "additionalProperties": false}"#,
        None,
    );
    let new = parse(
        "7",
        r#"{"properties": {"a": {"maxLength": 4}, "b": {"pattern": "y"}}, "additionalProperties": false, "minProperties": 1}"#,
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
            "{errorType:\"MAX_LENGTH_DECREASED\", description:\"The value at path '#/properties/a/maxLength' in the new schema is less than its value in the old schema'}",
            "{errorType:\"PATTERN_CHANGED\", description:\"The value at path '#/properties/b/pattern' is different between the new and old schema'}",
            "{errorType:\"PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL\", description:\"The new has a closed content model and is missing a property or item present at path '#/properties/c' in the old schema'}",
            "{errorType:\"MIN_PROPERTIES_ADDED\", description:\"The keyword at path '#/minProperties' in the new schema is not present in the old schema'}",
        ]
    );
}
