//! A schema that breaks its subject's level is refused, in each of the three languages.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use portcullis::registry;
use portcullis::schema::CompatibilityLevel;
use portcullis::telemetry::health::Health;
use registry_api::{Api, open};
use serde_json::{Value, json};

fn body(schema: &Value) -> Value {
    json!({ "schema": schema.to_string() })
}

/// A record with field `a`, and of the others those named: `b` with a default, `c` without.
fn avro(fields: &str) -> Value {
    let field = |name: char| match name {
        'b' => json!({ "name": "b", "type": "string", "default": "" }),
        other => json!({ "name": other.to_string(), "type": "string" }),
    };
    json!({ "type": "record", "name": "R", "fields": fields.chars().map(field).collect::<Vec<_>>() })
}

#[tokio::test]
async fn all_seven_levels_hold_on_registration() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    // Level; versions before; the next; whether it may follow.
    let cases = [
        ("NONE", vec!["a"], "c", true),
        ("BACKWARD", vec!["a"], "ab", true),
        ("BACKWARD", vec!["a"], "ac", false),
        ("BACKWARD", vec!["ac"], "a", true),
        ("BACKWARD", vec!["a", "ac"], "ac", true),
        ("FORWARD", vec!["a"], "ac", true),
        ("FORWARD", vec!["ac"], "a", false),
        ("FORWARD", vec!["ab"], "a", true),
        ("FULL", vec!["a"], "ab", true),
        ("FULL", vec!["a"], "ac", false),
        ("FULL", vec!["ac"], "a", false),
        // The latest alone would allow these; an earlier version does not.
        ("BACKWARD", vec!["a", "acd"], "ac", true),
        ("BACKWARD_TRANSITIVE", vec!["a", "acd"], "ac", false),
        ("FORWARD", vec!["acd", "a"], "ae", true),
        ("FORWARD_TRANSITIVE", vec!["acd", "a"], "ae", false),
        ("FULL", vec!["ac", "a"], "ab", true),
        ("FULL_TRANSITIVE", vec!["ac", "a"], "ab", false),
    ];
    for (number, (level, before, next, allowed)) in cases.into_iter().enumerate() {
        let subject = format!("s{number}");
        let config = format!("/config/{subject}");
        let versions = format!("/subjects/{subject}/versions");
        api.put(&config, json!({ "compatibility": "NONE" })).await;
        for fields in &before {
            assert_eq!(api.post(&versions, body(&avro(fields))).await.0, 200);
        }
        api.put(&config, json!({ "compatibility": level })).await;
        let asked = api
            .post(
                &format!("/compatibility{versions}?verbose=true"),
                body(&avro(next)),
            )
            .await;
        assert_eq!(
            asked.1["is_compatible"], allowed,
            "{level} {before:?} {next}: {}",
            asked.1
        );
        let (status, answer) = api.post(&versions, body(&avro(next))).await;
        // What is registered already is not compared again.
        let allowed = allowed || before.contains(&next);
        assert_eq!(
            status,
            if allowed { 200 } else { 409 },
            "{level} {before:?} {next}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_refusal_says_why_in_confluents_words() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.post("/subjects/s/versions", body(&avro("a"))).await;
    let (status, answer) = api.post("/subjects/s/versions", body(&avro("ac"))).await;
    assert_eq!((status, &answer["error_code"]), (409, &json!(409)));
    let message = answer["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "Schema being registered is incompatible with an earlier schema for subject \"s\", details: \
             [{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'c' at path '/fields/1' in the \
             new schema has no default value and is missing in the old schema', additionalInfo:'c'}, \
             {oldSchemaVersion: 1}, {oldSchema: '"
        ),
        "{message}"
    );
    assert!(
        message.ends_with("{validateFields: 'false', compatibility: 'BACKWARD'}]"),
        "{message}"
    );

    let path = "/compatibility/subjects/s/versions/latest";
    let quiet = api.post(path, body(&avro("ac"))).await;
    assert_eq!(quiet, (200, json!({ "is_compatible": false })));
    let one = api
        .post(
            "/compatibility/subjects/s/versions/1?verbose=true",
            body(&avro("ab")),
        )
        .await;
    assert_eq!(one, (200, json!({ "is_compatible": true, "messages": [] })));
    let nothing_there = api
        .post("/compatibility/subjects/t/versions/latest", body(&avro("a")))
        .await;
    assert_eq!(nothing_there, (200, json!({ "is_compatible": true })));
    let invalid = json!({ "schema": "{" });
    assert_eq!(api.post(path, invalid.clone()).await.1["error_code"], 42201);
    let verbose = api.post(&format!("{path}?verbose=true"), invalid).await;
    assert_eq!((verbose.0, &verbose.1["is_compatible"]), (200, &json!(false)));
}

#[tokio::test]
async fn another_language_never_follows() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.post("/subjects/s/versions", body(&avro("a"))).await;
    let other = json!({ "schema": "{\"type\":\"object\"}", "schemaType": "JSON" });
    assert_eq!(api.post("/subjects/s/versions", other.clone()).await.0, 409);
    api.put("/config/s", json!({ "compatibility": "NONE" })).await;
    assert_eq!(api.post("/subjects/s/versions", other).await.0, 200);
}

#[tokio::test]
async fn the_code_of_an_incompatible_schema_is_what_the_configuration_says() {
    for (code, opened) in [(409, None), (40901, Some(40901))] {
        let folder = tempfile::tempdir().unwrap();
        let (path, level) = (folder.path().to_owned(), CompatibilityLevel::Backward);
        let opened = match opened {
            None => registry::open(path, level, Health::default()).await,
            Some(code) => registry::open_with(path, level, code, Health::default()).await,
        };
        let api = Api::over(opened.unwrap());
        api.post("/subjects/s/versions", body(&avro("a"))).await;
        let (status, answer) = api.post("/subjects/s/versions", body(&avro("c"))).await;
        assert_eq!((status, &answer["error_code"]), (409, &json!(code)));
    }
}

/// A closed object with the properties named.
fn json_object(properties: &str) -> Value {
    let properties = properties
        .chars()
        .map(|name| (name.to_string(), json!({ "type": "string" })));
    let schema = json!({
        "type": "object",
        "properties": properties.collect::<serde_json::Map<_, _>>(),
        "additionalProperties": false,
    });
    json!({ "schema": schema.to_string(), "schemaType": "JSON" })
}

#[tokio::test]
async fn all_seven_levels_hold_for_json_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    // Level; versions before; the next; the version that it breaks with, if any. A closed object reads what has fewer
    // properties, and not what has others.
    let cases = [
        ("NONE", vec!["a"], "b", None),
        ("BACKWARD", vec!["a"], "ab", None),
        ("BACKWARD", vec!["ab"], "a", Some(1)),
        ("FORWARD", vec!["ab"], "a", None),
        ("FORWARD", vec!["a"], "ab", Some(1)),
        ("FULL", vec!["a"], "ab", Some(1)),
        ("FULL", vec!["ab"], "a", Some(1)),
        // The latest alone would allow these; an earlier version does not.
        ("BACKWARD", vec!["ac", "a"], "ab", None),
        ("BACKWARD_TRANSITIVE", vec!["ac", "a"], "ab", Some(1)),
        ("FORWARD", vec!["a", "abc"], "ab", None),
        ("FORWARD_TRANSITIVE", vec!["a", "abc"], "ab", Some(1)),
        ("FULL", vec!["ab", "a"], "b", Some(2)),
        ("FULL_TRANSITIVE", vec!["ab", "a"], "ab", Some(2)),
    ];
    for (number, (level, before, next, broken)) in cases.into_iter().enumerate() {
        let subject = format!("j{number}");
        let config = format!("/config/{subject}");
        let versions = format!("/subjects/{subject}/versions");
        api.put(&config, json!({ "compatibility": "NONE" })).await;
        for properties in &before {
            assert_eq!(api.post(&versions, json_object(properties)).await.0, 200);
        }
        api.put(&config, json!({ "compatibility": level })).await;
        let path = format!("/compatibility{versions}?verbose=true");
        let asked = api.post(&path, json_object(next)).await;
        let what = format!("{level} {before:?} {next}: {}", asked.1);
        assert_eq!(asked.1["is_compatible"], broken.is_none(), "{what}");
        let messages = asked.1["messages"].as_array().unwrap();
        assert_eq!(messages.is_empty(), broken.is_none(), "{what}");
        if let Some(version) = broken {
            assert!(
                messages.contains(&json!(format!("{{oldSchemaVersion: {version}}}"))),
                "{what}"
            );
            assert!(what.contains(&format!("compatibility: '{level}'")), "{what}");
        }
        let (status, answer) = api.post(&versions, json_object(next)).await;
        // What is registered already is not compared again.
        let taken = broken.is_none() || before.contains(&next);
        assert_eq!(status, if taken { 200 } else { 409 }, "{what} {answer}");
    }
}

#[tokio::test]
async fn a_refused_json_schema_is_told_where_why_and_with_which_version() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let part = |kind: &str| json!({ "schema": json!({ "type": kind }).to_string(), "schemaType": "JSON" });
    let whole = |version: u32| {
        json!({
            "schema": r#"{"type":"object","properties":{"a":{"$ref":"part.json"}}}"#,
            "schemaType": "JSON",
            "references": [{ "name": "part.json", "subject": "part", "version": version }],
        })
    };
    api.put("/config/part", json!({ "compatibility": "NONE" })).await;
    for kind in ["string", "integer"] {
        assert_eq!(api.post("/subjects/part/versions", part(kind)).await.0, 200);
    }
    assert_eq!(api.post("/subjects/whole/versions", whole(1)).await.0, 200);
    let (status, answer) = api.post("/subjects/whole/versions", whole(2)).await;
    assert_eq!((status, &answer["error_code"]), (409, &json!(409)));
    assert_eq!(
        answer["message"].as_str().unwrap(),
        "Schema being registered is incompatible with an earlier schema for subject \"whole\", details: \
         [{errorType:\"TYPE_CHANGED\", description:\"A type at path '#/properties/a' is different between the new schema \
         and the old schema'}, {oldSchemaVersion: 1}, {oldSchema: '{\"type\":\"object\",\"properties\":{\"a\":\
         {\"$ref\":\"part.json\"}}}'}, {validateFields: 'false', compatibility: 'BACKWARD'}]"
    );
    let quiet = api
        .post("/compatibility/subjects/whole/versions/latest", whole(2))
        .await;
    assert_eq!(quiet, (200, json!({ "is_compatible": false })));
}

#[tokio::test]
async fn protobuf_changes_are_refused_by_confluents_rules() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let of_type = |of: &str| {
        let schema = format!("syntax = \"proto3\"; message M {{ {of} a = 1; }}");
        json!({ "schema": schema, "schemaType": "PROTOBUF" })
    };
    let first = api.post("/subjects/p/versions", of_type("int32")).await;
    assert_eq!(first.0, 200, "{}", first.1);
    let wider = api.post("/subjects/p/versions", of_type("int64")).await;
    assert_eq!(wider.0, 200, "{}", wider.1);
    let other = api.post("/subjects/p/versions", of_type("string")).await;
    assert_eq!((other.0, &other.1["error_code"]), (409, &json!(409)));
    let message = other.1["message"].as_str().unwrap();
    assert!(message.contains("FIELD_SCALAR_KIND_CHANGED"), "{message}");
    assert!(message.contains("#/M/1"), "{message}");
}
