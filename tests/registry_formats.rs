//! `format=` and `normalize`: the texts in which a schema is given, and when two texts are one schema.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use registry_api::{Api, open};
use serde_json::{Value, json};

async fn register(api: &Api, path: &str, schema_type: &str, text: &str) -> Value {
    let body = json!({ "schemaType": schema_type, "schema": text });
    let (status, answer) = api.post(path, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

const ORDERED: &str = "syntax = \"proto3\"; package shop; import \"confluent/meta.proto\"; import \"google/protobuf/descriptor.proto\"; \
    message Order { string id = 1 [(hint) = 1, (confluent.field_meta).doc = \"d\"]; Item item = 2; reserved 4, 9; } message Item {} \
    extend google.protobuf.FieldOptions { int32 hint = 50001; }";
const SHUFFLED: &str = "syntax = \"proto3\"; import \"google/protobuf/descriptor.proto\"; import \"confluent/meta.proto\"; package shop; \
    extend .google.protobuf.FieldOptions { int32 hint = 50001; } \
    message Order { reserved 9; .shop.Item item = 2; string id = 1 [(confluent.field_meta) = { doc: \"d\" }, (shop.hint) = 0x1]; reserved 4; } \
    message Item {}";

#[tokio::test]
async fn protobuf_texts_that_differ_only_in_order_are_one_schema_when_normalised() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let id = register(&api, "/subjects/s/versions?normalize=true", "PROTOBUF", ORDERED).await["id"].clone();
    let again = register(&api, "/subjects/s/versions?normalize=true", "PROTOBUF", SHUFFLED).await;
    assert_eq!(again["id"], id);
    let found = register(&api, "/subjects/s?normalize=true", "PROTOBUF", SHUFFLED).await;
    assert_eq!((&found["id"], &found["version"]), (&id, &json!(1)));
    // Not normalised they are two.
    let other = register(&api, "/subjects/s/versions", "PROTOBUF", SHUFFLED).await;
    assert_ne!(other["id"], id);
    // As the subject is configured.
    api.put("/config/t", json!({ "normalize": true })).await;
    for text in [ORDERED, SHUFFLED] {
        assert_eq!(
            register(&api, "/subjects/t/versions", "PROTOBUF", text).await["id"],
            id,
            "{text}"
        );
    }
    assert_eq!(api.get("/subjects/t/versions").await.1, json!([1]));
}

#[tokio::test]
async fn json_schemas_that_differ_only_in_the_order_of_keys_are_one_schema_when_normalised() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let one = r#"{"type":"object","properties":{"b":{"type":"string","title":"t"},"a":{}}}"#;
    let other = r#"{"properties":{"a":{},"b":{"title":"t","type":"string"}},"type":"object"}"#;
    let id = register(&api, "/subjects/s/versions?normalize=true", "JSON", one).await["id"].clone();
    assert_eq!(
        register(&api, "/subjects/s/versions?normalize=true", "JSON", other).await["id"],
        id
    );
    assert_eq!(
        api.get("/schemas/ids/1/schema").await.1,
        serde_json::from_str::<Value>(other).unwrap()
    );
    assert_ne!(
        register(&api, "/subjects/s/versions", "JSON", one).await["id"],
        id
    );
}

#[tokio::test]
async fn every_route_gives_a_protobuf_schema_in_the_form_that_format_names_in_either_case() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    register(&api, "/subjects/s/versions", "PROTOBUF", ORDERED).await;
    let (_, stored) = api.get("/subjects/s/versions/1").await;
    let guid = stored["guid"].as_str().unwrap();
    let form = async |path: &str, format: &str| {
        let (status, answer) = api.get(&format!("{path}?format={format}")).await;
        assert_eq!(status, 200, "{answer}");
        answer["schema"].as_str().unwrap().to_owned()
    };
    for path in [
        "/schemas/ids/1",
        "/subjects/s/versions/1",
        "/subjects/s/versions/latest",
        &format!("/schemas/guids/{guid}"),
    ] {
        for format in ["ignore_extensions", "IGNORE_EXTENSIONS"] {
            let text = form(path, format).await;
            assert!(
                text.contains("string id = 1 [(confluent.field_meta).doc = \"d\"];"),
                "{path}: {text}"
            );
            assert!(!text.contains("hint"), "{path}: {text}");
        }
        assert_eq!(form(path, "Serialized").await, form(path, "serialized").await);
        assert!(!form(path, "serialized").await.contains('{'));
        // What a language does not know means its own text.
        for format in ["default", "resolved", "nonsense"] {
            assert_eq!(form(path, format).await, stored["schema"], "{path} {format}");
        }
    }
    // Asked for by the one who registers or looks up.
    for path in ["/subjects/s/versions", "/subjects/s"] {
        let answer = register(
            &api,
            &format!("{path}?format=ignore_extensions"),
            "PROTOBUF",
            ORDERED,
        )
        .await;
        assert!(
            !answer["schema"].as_str().unwrap().contains("hint"),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_descriptor_is_given_back_as_the_text_that_confluents_registry_makes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    register(
        &api,
        "/subjects/s/versions",
        "PROTOBUF",
        "syntax = \"proto3\"; package p; message M { map<string, M> m = 1; }",
    )
    .await;
    let (_, given) = api.get("/schemas/ids/1?format=serialized").await;
    let serialized = given["schema"].as_str().unwrap();
    let id = register(&api, "/subjects/t/versions", "PROTOBUF", serialized).await["id"].clone();
    let (_, stored) = api.get(&format!("/schemas/ids/{id}")).await;
    let expected = "syntax = \"proto3\";\npackage p;\n\nmessage M {\n  repeated .p.M.MEntry m = 1;\n\n  message MEntry {\n    \
        option map_entry = true;\n  \n    string key = 1;\n    .p.M value = 2;\n  }\n}\n";
    assert_eq!(stored["schema"], expected);
    // Normalised, it is the text's schema.
    let normalized = register(
        &api,
        "/subjects/u/versions?normalize=true",
        "PROTOBUF",
        serialized,
    )
    .await["id"]
        .clone();
    let text = "syntax = \"proto3\"; package p; message M { map<string, M> m = 1; }";
    assert_eq!(
        register(&api, "/subjects/u/versions?normalize=true", "PROTOBUF", text).await["id"],
        normalized
    );
}
