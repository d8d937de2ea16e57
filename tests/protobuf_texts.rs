//! The texts of Protobuf schemas beside those that Confluent's own code made of them (`tests/golden/README.md`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use portcullis::schema::protobuf::ProtobufSchema;
use portcullis::schema::{ReferencedSchema, Schema, SchemaType};
use proptest::prelude::*;
use serde_json::Value;
use std::fmt::Write as _;

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

/// Statements of one message and one enum that have no order of their own.
fn statements() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let field = (
        prop::sample::select(vec!["int32", "string", "A.N", ".p.A.N", "E", "map<string, p.E>"]),
        any::<bool>(),
    );
    let fields = prop::collection::vec(field, 1..8);
    let values = prop::collection::vec(-20..20i32, 1..6);
    let reserved = prop::collection::vec(prop::bool::ANY, 0..5);
    (fields, values, reserved).prop_map(|(fields, values, reserved)| {
        let mut message: Vec<String> = Vec::new();
        for (index, (name, is_repeated)) in fields.iter().enumerate() {
            let label = match (name.starts_with("map"), is_repeated) {
                (true, _) => "",
                (false, true) => "repeated ",
                (false, false) => "optional ",
            };
            message.push(format!(
                "{label}{name} f{index} = {} [deprecated = true, json_name = \"j{index}\"];",
                index + 1
            ));
        }
        for (index, is_name) in reserved.iter().enumerate() {
            let number = 100 + 10 * index;
            message.push(if *is_name {
                format!("reserved \"r{index}\";")
            } else {
                format!("reserved {number}, {} to {};", number + 2, number + 2 + index)
            });
            message.push(format!("extensions {};", 1000 + index));
        }
        message.push("option deprecated = true;".to_owned());
        message.push("option no_standard_descriptor_accessor = false;".to_owned());
        let mut enumeration = vec![
            "option allow_alias = true;".to_owned(),
            "reserved 50, 60 to 70;".to_owned(),
        ];
        enumeration.extend(
            values
                .iter()
                .enumerate()
                .map(|(index, number)| format!("V{index} = {number};")),
        );
        enumeration.push("SAME = 30;".to_owned());
        enumeration.push("AS_THIS = 30;".to_owned());
        (message, enumeration)
    })
}

fn file(message: &[String], enumeration: &[String]) -> String {
    format!(
        "syntax = \"proto2\"; package p; message A {{ {} message N {{}} }} enum E {{ {} }}",
        message.join(" "),
        enumeration.join(" ")
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_that_differ_only_in_order_have_one_normalised_text(
        (one, other) in statements().prop_flat_map(|(message, enumeration)| (
            Just((message.clone(), enumeration.clone())),
            (Just(message).prop_shuffle(), Just(enumeration).prop_shuffle()),
        ))
    ) {
        let [one, other] = [one, other].map(|(message, enumeration)| file(&message, &enumeration));
        let schemas = [&one, &other].map(|text| ProtobufSchema::parse(text, &[]).unwrap());
        let normalized = schemas[0].normalized();
        prop_assert_eq!(schemas[1].normalized(), normalized.as_str(), "{}\n{}", one, other);
        for schema in &schemas {
            let again = ProtobufSchema::parse(&schema.canonical(), &[]).unwrap();
            prop_assert_eq!(again.canonical(), schema.canonical());
            prop_assert_eq!(again.descriptor().file_descriptor_proto(), schema.descriptor().file_descriptor_proto());
        }
        let again = ProtobufSchema::parse(&normalized, &[]).unwrap();
        prop_assert_eq!(again.normalized(), normalized);
    }
}

/// Statements of one option are merged for the normalised text, each value once.
#[test]
fn thousands_of_statements_of_one_option_are_normalised_in_time() {
    let mut text = "syntax = \"proto3\";\npackage p;\nmessage M {\n".to_owned();
    for number in 0..20_000 {
        let _ = writeln!(
            text,
            "  option (confluent.message_meta).tags = \"t{}\";",
            number / 2
        );
    }
    text.push_str("  string a = 1;\n}\n");
    let schema = Schema::parse(SchemaType::Protobuf, &text, &[]).unwrap();
    let started = std::time::Instant::now();
    let normalised = schema.normalized();
    assert_eq!(normalised.matches("\"t").count(), 10_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
