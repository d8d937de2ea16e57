//! The texts of JSON Schemas beside those that Confluent's own code made of them (`tests/golden/README.md`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use portcullis::schema::json::JsonSchema;
use serde_json::Value;

fn compare(form: &str, text: impl Fn(&JsonSchema) -> String) {
    let table = include_str!("golden/json-texts.jsonl");
    let mut compared = 0;
    for line in table.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let registered = case["text"].as_str().unwrap();
        let schema =
            JsonSchema::parse(registered, &[]).unwrap_or_else(|error| panic!("{error}: {registered}"));
        assert_eq!(text(&schema), case[form].as_str().unwrap(), "{registered}");
        compared += 1;
    }
    assert!(compared >= 250, "{compared}");
}

#[test]
fn the_canonical_text_is_confluents() {
    compare("canonical", JsonSchema::canonical);
}

#[test]
fn the_normalised_text_is_confluents() {
    compare("normalized", JsonSchema::normalized);
}

#[test]
fn the_normalised_text_is_its_own_normalised_text() {
    compare("normalized", |schema| {
        JsonSchema::parse(&schema.normalized(), &[]).unwrap().normalized()
    });
}
