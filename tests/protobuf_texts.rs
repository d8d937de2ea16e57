//! The texts of Protobuf schemas beside those that Confluent's own code made of them (`tests/golden/README.md`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use portcullis::schema::protobuf::ProtobufSchema;
use portcullis::schema::{ReferencedSchema, Schema, SchemaType};
use serde_json::Value;

/// A line of the table: what was registered, and the texts that Confluent's code gives.
struct Case {
    line: Value,
    references: Vec<ReferencedSchema>,
}

impl Case {
    fn name(&self) -> &str {
        self.line["name"].as_str().unwrap()
    }

    fn parse(&self, text: &str) -> ProtobufSchema {
        ProtobufSchema::parse(text, &self.references)
            .unwrap_or_else(|error| panic!("{}: {error}\n{text}", self.name()))
    }

    /// What is to be printed: Confluent's text, or ours where `why` says why it differs.
    fn expected(&self, form: &str) -> &str {
        let ours = self.line["ours"][form].as_str();
        ours.unwrap_or_else(|| self.line[form].as_str().unwrap())
    }
}

fn cases() -> Vec<Case> {
    let table = include_str!("golden/protobuf-texts.jsonl");
    let (imports, cases): (Vec<Value>, Vec<Value>) = table
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .partition(|line| line["import"].is_string());
    let references: Vec<ReferencedSchema> = imports
        .iter()
        .map(|import| ReferencedSchema {
            name: import["import"].as_str().unwrap().to_owned(),
            text: import["text"].as_str().unwrap().to_owned(),
        })
        .collect();
    let case = |line| Case {
        line,
        references: references.clone(),
    };
    cases.into_iter().map(case).collect()
}

fn compare(form: &str, text: impl Fn(&Schema) -> String) {
    let cases = cases();
    assert!(cases.len() >= 90, "{}", cases.len());
    for case in cases {
        let registered = case.line["text"].as_str().unwrap();
        let schema = Schema::Protobuf(Box::new(case.parse(registered)));
        assert_eq!(
            text(&schema),
            case.expected(form),
            "{}: {registered}",
            case.name()
        );
    }
}

#[test]
fn the_canonical_text_is_confluents() {
    compare("canonical", Schema::canonical);
}

#[test]
fn the_normalised_text_is_confluents() {
    compare("normalized", Schema::normalized);
}

#[test]
fn the_text_without_extensions_is_confluents() {
    compare("ignore_extensions", |schema| {
        schema.formatted("IGNORE_extensions")
    });
}

#[test]
fn a_departure_from_confluents_text_says_why() {
    for case in cases() {
        let departs = case.line["ours"].is_object();
        assert_eq!(departs, case.line["why"].is_string(), "{}", case.name());
    }
}

#[test]
fn texts_are_stable_and_say_the_same_schema() {
    for case in cases() {
        let schema = case.parse(case.line["text"].as_str().unwrap());
        let (canonical, normalized) = (schema.canonical(), schema.normalized());
        let again = case.parse(&canonical);
        assert_eq!(again.canonical(), canonical, "{}", case.name());
        assert_eq!(again.normalized(), normalized, "{}", case.name());
        assert_eq!(
            case.parse(&normalized).normalized(),
            normalized,
            "{}",
            case.name()
        );
        let schemas = [schema, again].map(|schema| Schema::Protobuf(Box::new(schema)));
        for pair in [(0, 1), (1, 0)] {
            assert_eq!(
                schemas[pair.0].incompatibilities(&schemas[pair.1]),
                vec![],
                "{}",
                case.name()
            );
        }
        assert_eq!(schemas[0].schema_type(), SchemaType::Protobuf);
    }
}
