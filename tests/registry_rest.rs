//! The registry answers as Confluent's does: every resource, every error code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use axum::body::Body;
use axum::http::{Request, header};
use portcullis::contract::{Lookup, Presence};
use portcullis::schema::SchemaId;
use registry_api::{JSON, code, open, record};
use serde_json::{Value, json};

#[tokio::test]
async fn a_schema_is_registered_looked_up_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    assert_eq!(api.get("/subjects").await, (200, json!([])));
    let user = record("User", &["name"]);
    let (status, answer) = api
        .post(
            "/subjects/users-value/versions",
            json!({ "schema": user.to_string() }),
        )
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["id"], &answer["version"]), (&json!(1), &json!(1)));
    assert_eq!(
        api.register("users-value", &user).await,
        1,
        "registering is idempotent"
    );
    assert_eq!(api.register("copies-value", &user).await, 1, "one schema, one id");
    assert_eq!(
        api.get("/subjects").await,
        (200, json!(["copies-value", "users-value"]))
    );
    assert_eq!(api.get("/subjects/users-value/versions").await, (200, json!([1])));

    let (status, latest) = api.get("/subjects/users-value/versions/latest").await;
    assert_eq!(status, 200);
    assert_eq!(latest["subject"], "users-value");
    assert_eq!(latest["schemaType"], "AVRO");
    assert_eq!(latest["deleted"], false);
    let (_, by_id) = api.get("/schemas/ids/1").await;
    assert_eq!(by_id["schema"], latest["schema"]);
    let (status, found) = api
        .post("/subjects/users-value", json!({ "schema": user.to_string() }))
        .await;
    assert_eq!((status, &found["version"]), (200, &json!(1)));

    assert_eq!(api.source.subject("users-value"), Presence::Present);
    assert_eq!(api.source.subject("users-key"), Presence::Absent);
    assert!(matches!(api.source.find("users-value", SchemaId(1)), Lookup::Found(g) if g.version.0 == 1));
    assert!(matches!(
        api.source.find("users-key", SchemaId(1)),
        Lookup::OtherSubject
    ));
    assert!(matches!(
        api.source.find("users-value", SchemaId(2)),
        Lookup::UnknownId
    ));

    let api = api.restart(folder.path()).await;
    assert_eq!(api.get("/schemas/ids/1").await, (200, by_id));
    assert!(matches!(
        api.source.find("users-value", SchemaId(1)),
        Lookup::Found(_)
    ));
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_confluents_words() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let user = record("User", &["name"]);
    api.register("users", &user).await;
    let schema = json!({ "schema": record("Other", &[]).to_string() });

    let answer = api.get("/subjects/none/versions").await;
    assert_eq!(
        answer,
        (
            404,
            json!({ "error_code": 40401, "message": "Subject 'none' not found." })
        )
    );
    assert_eq!(code(&api.get("/subjects/none/versions/1").await), (404, 40401));
    assert_eq!(
        code(&api.post("/subjects/none", schema.clone()).await),
        (404, 40401)
    );
    assert_eq!(code(&api.delete("/subjects/none").await), (404, 40401));
    assert_eq!(code(&api.delete("/subjects/none/versions/1").await), (404, 40401));
    let answer = api.get("/subjects/users/versions/9").await;
    assert_eq!(
        answer,
        (
            404,
            json!({ "error_code": 40402, "message": "Version 9 not found." })
        )
    );
    assert_eq!(
        code(&api.delete("/subjects/users/versions/9").await),
        (404, 40402)
    );
    assert_eq!(
        code(&api.get("/subjects/users/versions/9/schema").await),
        (404, 40402)
    );
    assert_eq!(
        code(&api.get("/subjects/users/versions/9/referencedby").await),
        (404, 40402)
    );
    let answer = api.post("/subjects/users", schema.clone()).await;
    assert_eq!(
        answer,
        (404, json!({ "error_code": 40403, "message": "Schema not found" }))
    );
    let answer = api.get("/schemas/ids/99").await;
    assert_eq!(
        answer,
        (
            404,
            json!({ "error_code": 40403, "message": "Schema 99 not found" })
        )
    );
    for path in ["schema", "subjects", "versions"] {
        assert_eq!(
            code(&api.get(&format!("/schemas/ids/99/{path}")).await),
            (404, 40403)
        );
    }
    assert_eq!(
        code(
            &api.get("/schemas/guids/00000000-0000-0000-0000-000000000000")
                .await
        ),
        (404, 40403)
    );
    assert_eq!(api.get("/schemas/guids/0/ids").await, (200, json!([])));
    assert_eq!(code(&api.get("/config/users").await), (404, 40408));
    assert_eq!(code(&api.get("/mode/users").await), (404, 40409));
    assert_eq!(code(&api.delete("/config/users").await), (404, 40401));
    assert_eq!(code(&api.delete("/mode/users").await), (404, 40401));
    assert_eq!(
        code(
            &api.post("/compatibility/subjects/users/versions/9", schema.clone())
                .await
        ),
        (404, 40402)
    );

    for path in [
        "/subjects/users/versions/0",
        "/subjects/users/versions/-2",
        "/subjects/users/versions/one",
    ] {
        assert_eq!(code(&api.get(path).await), (422, 42202), "{path}");
    }
    assert_eq!(
        code(&api.delete("/subjects/users/versions/0").await),
        (422, 42202)
    );
    let not_found = json!({ "error_code": 404, "message": "HTTP 404 Not Found" });
    for path in [
        "/nothing",
        "/schemas/ids/one",
        "/subjects/users/nothing",
        "/subjects/%ff/versions",
    ] {
        assert_eq!(api.get(path).await, (404, not_found.clone()), "{path}");
    }
    let answer = api.put("/subjects", json!({})).await;
    assert_eq!(
        answer,
        (
            405,
            json!({ "error_code": 405, "message": "HTTP 405 Method Not Allowed" })
        )
    );
}

#[tokio::test]
async fn bodies_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let path = "/subjects/a/versions";
    for body in [
        json!({}),
        json!({ "schema": "" }),
        json!({ "schema": "{" }),
        json!({ "schema": "{\"type\":\"nothing\"}" }),
        json!({ "schema": "\"string\"", "schemaType": "XML" }),
        json!({ "schema": "\"string\"", "references": [{ "name": "a" }] }),
        json!({ "schema": "\"string\"", "references": [{ "name": "a", "subject": "none", "version": 1 }] }),
    ] {
        assert_eq!(code(&api.post(path, body.clone()).await), (422, 42201), "{body}");
        // Nothing is found by no schema at all.
        let empty = body["schema"].as_str().unwrap_or_default().is_empty();
        let expected = if empty { (404, 40401) } else { (422, 42201) };
        assert_eq!(
            code(&api.post("/subjects/a", body.clone()).await),
            expected,
            "{body}"
        );
    }
    let large = format!("\"{}\"", "a".repeat(5 << 20));
    assert_eq!(
        code(&api.post(path, json!({ "schema": large })).await),
        (422, 42201)
    );
    let too_large = json!({ "schema": "a".repeat(11 << 20) });
    assert_eq!(code(&api.post(path, too_large).await), (413, 413));

    let send = async |content_type: Option<&str>, body: Vec<u8>| {
        let mut request = Request::builder().method("POST").uri(path);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        api.raw(request.body(Body::from(body)).unwrap()).await.0
    };
    let good = br#"{"schema":"\"string\"","unknown":1}"#.to_vec();
    for content_type in [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("application/vnd.schemaregistry+json"),
        Some("application/octet-stream"),
    ] {
        assert_eq!(send(content_type, good.clone()).await, 200, "{content_type:?}");
    }
    assert_eq!(send(Some("text/plain"), good.clone()).await, 415);
    assert_eq!(send(None, b"{".to_vec()).await, 400);
    assert_eq!(send(None, b"{\"schema\":\"\xff\"}".to_vec()).await, 400);
    assert_eq!(send(None, vec![]).await, 422);
}

#[tokio::test]
async fn the_answer_has_the_type_that_the_client_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    for (accept, answer) in [
        ("*/*", JSON),
        ("application/json", "application/json"),
        ("application/vnd.schemaregistry.v1+json, application/json", JSON),
        (
            "text/html, application/vnd.schemaregistry+json;q=0.9",
            "application/vnd.schemaregistry+json",
        ),
    ] {
        for (method, path) in [("GET", "/subjects"), ("HEAD", "/subjects"), ("GET", "/nothing")] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::ACCEPT, accept);
            let (_, content_type, body) = api.raw(request.body(Body::empty()).unwrap()).await;
            assert_eq!(content_type, answer, "{accept}");
            assert_eq!(body.is_empty(), method == "HEAD");
        }
    }
}

#[tokio::test]
async fn subjects_may_have_any_name_but_none_and_none_with_control_characters() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let schema = record("User", &["name"]);
    let names = [
        ("a%2Fb", "a/b"),
        ("a.b:c", "a.b:c"),
        ("gr%C3%B6%C3%9Fe", "größe"),
        ("a%20b+c", "a b+c"),
    ];
    for (path, name) in names {
        api.register(path, &schema).await;
        let (status, found) = api.get(&format!("/subjects/{path}/versions/1")).await;
        assert_eq!((status, &found["subject"]), (200, &json!(name)));
    }
    let (_, subjects) = api.get("/subjects").await;
    assert_eq!(subjects, json!(["a b+c", "a.b:c", "a/b", "größe"]));
    api.register(":.:a%2Fb", &schema).await;
    assert_eq!(
        api.get("/subjects").await.1,
        subjects,
        "the default context is no other subject"
    );
    assert_eq!(api.get("/subjects?subjectPrefix=a.").await.1, json!(["a.b:c"]));
    assert_eq!(
        api.get("/subjects?subjectPrefix=:*:gr%C3%B6").await.1,
        json!(["größe"])
    );
    assert_eq!(
        api.get("/subjects?offset=1&limit=2").await.1,
        json!(["a.b:c", "a/b"])
    );
    let body = json!({ "schema": schema.to_string() });
    for path in [
        "/subjects//versions",
        "/subjects/a%00b/versions",
        "/subjects/__GLOBAL/versions",
    ] {
        assert_eq!(code(&api.post(path, body.clone()).await), (422, 42208), "{path}");
    }
    let long = format!("/subjects/{}/versions", "a".repeat(64 << 10));
    assert!(
        Request::builder().uri(&long).body(()).is_err()
            || code(&api.post(&long, body.clone()).await).0 == 414
    );
    let long = format!("/subjects/{}/versions", "a".repeat(9_000));
    assert_eq!(code(&api.post(&long, body).await), (414, 414));
}

#[tokio::test]
async fn versions_are_deleted_softly_then_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.put("/config", json!({ "compatibility": "none" })).await;
    let (first, second) = (record("User", &["a"]), record("User", &["a", "b"]));
    api.register("s", &first).await;
    api.register("s", &second).await;
    assert_eq!(
        code(&api.delete("/subjects/s/versions/1?permanent=true").await),
        (404, 40407)
    );
    assert_eq!(
        code(&api.delete("/subjects/s?permanent=true").await),
        (404, 40405)
    );
    assert_eq!(api.delete("/subjects/s/versions/1").await, (200, json!(1)));
    assert_eq!(code(&api.delete("/subjects/s/versions/1").await), (404, 40406));
    assert_eq!(api.get("/subjects/s/versions").await.1, json!([2]));
    assert_eq!(
        api.get("/subjects/s/versions?deleted=true").await.1,
        json!([1, 2])
    );
    assert_eq!(
        api.get("/subjects/s/versions?deletedOnly=true").await.1,
        json!([1])
    );
    assert_eq!(
        api.get("/subjects/s/versions?deletedAsNegative=true").await.1,
        json!([-1, 2])
    );
    assert_eq!(code(&api.get("/subjects/s/versions/1").await), (404, 40402));
    assert_eq!(
        api.get("/subjects/s/versions/1?deleted=true").await.1["deleted"],
        true
    );
    assert_eq!(
        api.get("/schemas/ids/1").await.0,
        200,
        "records written with it can still be read"
    );
    assert!(matches!(api.source.find("s", SchemaId(1)), Lookup::OtherSubject));
    assert_eq!(api.get("/schemas/ids/1/subjects").await.1, json!([]));
    assert_eq!(
        api.get("/schemas/ids/1/subjects?deleted=true").await.1,
        json!(["s"])
    );
    let body = json!({ "schema": first.to_string() });
    assert_eq!(code(&api.post("/subjects/s", body.clone()).await), (404, 40403));
    assert_eq!(api.post("/subjects/s?deleted=true", body).await.1["version"], 1);

    api.register("s", &first).await;
    assert_eq!(
        api.get("/subjects/s/versions?deleted=true").await.1,
        json!([2, 3])
    );
    assert_eq!(api.delete("/subjects/s/versions/latest").await, (200, json!(3)));
    assert_eq!(api.delete("/subjects/s").await, (200, json!([2])));
    assert_eq!(code(&api.delete("/subjects/s").await), (404, 40404));
    assert_eq!(api.source.subject("s"), Presence::Absent);
    assert_eq!(api.get("/subjects").await.1, json!([]));
    assert_eq!(api.get("/subjects?deleted=true").await.1, json!(["s"]));
    assert_eq!(api.get("/subjects?deletedOnly=true").await.1, json!(["s"]));
    let api = api.restart(folder.path()).await;
    assert_eq!(api.get("/subjects?deletedOnly=true").await.1, json!(["s"]));
    assert_eq!(
        api.delete("/subjects/s/versions/2?permanent=true").await,
        (200, json!(2))
    );
    assert_eq!(api.delete("/subjects/s?permanent=true").await, (200, json!([3])));
    assert_eq!(api.get("/subjects?deleted=true").await.1, json!([]));
    assert_eq!(code(&api.get("/schemas/ids/1").await), (404, 40403));
    assert!(matches!(api.source.find("s", SchemaId(1)), Lookup::UnknownId));
}

#[tokio::test]
async fn levels_are_set_read_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    assert_eq!(
        api.get("/config").await,
        (200, json!({ "compatibilityLevel": "BACKWARD" }))
    );
    assert_eq!(
        api.put("/config", json!({ "compatibility": "full" })).await.1,
        json!({ "compatibility": "FULL" })
    );
    assert_eq!(
        api.get("/config").await.1,
        json!({ "compatibilityLevel": "FULL" })
    );
    for body in [json!({ "compatibility": "some" }), json!({ "compatibility": 1 })] {
        assert_eq!(code(&api.put("/config", body).await), (422, 42203));
    }
    assert_eq!(
        api.get("/config/s?defaultToGlobal=true").await.1,
        json!({ "compatibilityLevel": "FULL" })
    );
    let answer = api
        .put("/config/s", json!({ "compatibility": "NONE", "normalize": true }))
        .await;
    assert_eq!(
        answer,
        (200, json!({ "normalize": true, "compatibility": "NONE" }))
    );
    assert_eq!(
        api.get("/config/s").await.1,
        json!({ "normalize": true, "compatibilityLevel": "NONE" })
    );
    assert_eq!(
        code(&api.put("/config/a%00", json!({ "compatibility": "NONE" })).await),
        (422, 42208)
    );
    let api = api.restart(folder.path()).await;
    assert_eq!(api.get("/config/s").await.1["compatibilityLevel"], "NONE");
    assert_eq!(api.delete("/config/s").await.1["compatibilityLevel"], "NONE");
    assert_eq!(code(&api.get("/config/s").await), (404, 40408));
    assert_eq!(
        api.delete("/config").await,
        (200, json!({ "compatibilityLevel": "FULL" }))
    );
    assert_eq!(
        api.get("/config").await.1,
        json!({ "compatibilityLevel": "BACKWARD" })
    );
}

#[tokio::test]
async fn modes_are_enforced() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let schema = record("User", &["a"]);
    let body = json!({ "schema": schema.to_string() });
    assert_eq!(api.get("/mode").await, (200, json!({ "mode": "READWRITE" })));
    assert_eq!(
        code(&api.put("/mode", json!({ "mode": "SOMETIMES" })).await),
        (422, 42204)
    );
    assert_eq!(
        api.put("/mode", json!({ "mode": "READONLY" })).await,
        (200, json!({ "mode": "READONLY" }))
    );
    assert_eq!(
        code(&api.post("/subjects/s/versions", body.clone()).await),
        (422, 42205)
    );
    assert_eq!(
        code(&api.put("/config", json!({ "compatibility": "NONE" })).await),
        (422, 42205)
    );
    assert_eq!(api.put("/mode/s", json!({ "mode": "READWRITE" })).await.0, 200);
    assert_eq!(api.post("/subjects/s/versions", body.clone()).await.0, 200);
    assert_eq!(api.get("/mode/s").await.1, json!({ "mode": "READWRITE" }));
    assert_eq!(
        api.get("/mode/t?defaultToGlobal=true").await.1,
        json!({ "mode": "READONLY" })
    );
    assert_eq!(api.delete("/mode/s").await, (200, json!({ "mode": "READWRITE" })));
    assert_eq!(code(&api.delete("/subjects/s").await), (422, 42205));
    assert_eq!(api.delete("/mode").await, (200, json!({ "mode": "READONLY" })));

    let import = json!({ "mode": "IMPORT" });
    assert_eq!(
        code(&api.put("/mode", import.clone()).await),
        (422, 42205),
        "there are schemas"
    );
    let with_id = json!({ "schema": schema.to_string(), "id": 100, "version": 5 });
    assert_eq!(
        code(&api.post("/subjects/t/versions", with_id.clone()).await),
        (422, 42205)
    );
    assert_eq!(api.put("/mode?force=true", import).await.0, 200);
    let (status, answer) = api.post("/subjects/t/versions", with_id).await;
    assert_eq!(
        (status, &answer["id"], &answer["version"]),
        (200, &json!(100), &json!(5))
    );
    let other = json!({ "schema": record("Other", &[]).to_string(), "id": 100 });
    assert_eq!(code(&api.post("/subjects/t/versions", other).await), (422, 42205));
}

#[tokio::test]
async fn references_are_resolved_and_hold_what_they_refer_to() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.register("address", &record("Address", &["street"])).await;
    let user = json!({
        "type": "record", "name": "User", "fields": [{ "name": "home", "type": "Address" }]
    });
    let body = json!({
        "schema": user.to_string(),
        "references": [{ "name": "Address", "subject": "address", "version": -1 }]
    });
    let (status, answer) = api.post("/subjects/user/versions", body.clone()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        answer["references"],
        json!([{ "name": "Address", "subject": "address", "version": 1 }])
    );
    assert_eq!(api.post("/subjects/user", body).await.1["version"], 1);
    let alone = json!({ "schema": user.to_string() });
    assert_eq!(
        code(&api.post("/subjects/other/versions", alone).await),
        (422, 42201)
    );
    assert_eq!(
        api.get("/subjects/address/versions/1/referencedby").await.1,
        json!([2])
    );
    assert!(matches!(api.source.find("user", SchemaId(2)), Lookup::Found(_)));
    let refused = api.delete("/subjects/address/versions/1").await;
    let message =
        "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=address,version=1}.";
    assert_eq!(refused, (422, json!({ "error_code": 42206, "message": message })));
    assert_eq!(code(&api.delete("/subjects/address").await), (422, 42206));
    api.delete("/subjects/user").await;
    assert_eq!(
        api.get("/subjects/address/versions/1/referencedby").await.1,
        json!([])
    );
    assert_eq!(api.delete("/subjects/address").await, (200, json!([1])));
    let api = api.restart(folder.path()).await;
    assert_eq!(
        code(&api.delete("/subjects/address?permanent=true").await),
        (422, 42206)
    );
}

#[tokio::test]
async fn schemas_are_shown_by_id_guid_and_all_together() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.put("/config", json!({ "compatibility": "NONE" })).await;
    api.register("a", &record("A", &[])).await;
    api.register("a", &record("A", &["x"])).await;
    api.register("b", &record("A", &[])).await;
    assert_eq!(
        api.get("/schemas/types").await.1,
        json!(["JSON", "PROTOBUF", "AVRO"])
    );
    let (_, all) = api.get("/schemas").await;
    let places = |all: &Value| -> Vec<(String, u64)> {
        let all = all.as_array().unwrap().iter();
        all.map(|s| {
            (
                s["subject"].as_str().unwrap().to_owned(),
                s["version"].as_u64().unwrap(),
            )
        })
        .collect()
    };
    assert_eq!(
        places(&all),
        [("a".to_owned(), 1), ("a".to_owned(), 2), ("b".to_owned(), 1)]
    );
    let (_, latest) = api.get("/schemas?latestOnly=true&subjectPrefix=a").await;
    assert_eq!(places(&latest), [("a".to_owned(), 2)]);
    assert_eq!(
        places(&api.get("/schemas?offset=2&limit=1").await.1),
        [("b".to_owned(), 1)]
    );
    assert_eq!(api.get("/schemas/ids/1/subjects").await.1, json!(["a", "b"]));
    let versions = json!([{ "subject": "a", "version": 1 }, { "subject": "b", "version": 1 }]);
    assert_eq!(api.get("/schemas/ids/1/versions").await.1, versions);
    let (_, by_id) = api.get("/schemas/ids/1?fetchMaxId=true").await;
    assert_eq!(by_id["maxId"], 2);
    assert_eq!(by_id["subject"], "a", "as Confluent's alias filter has it");
    assert_eq!(api.get("/schemas/ids/1?subject=b").await.1["subject"], "b");
    let guid = by_id["guid"].as_str().unwrap();
    assert_eq!(
        api.get(&format!("/schemas/guids/{guid}")).await.1["schema"],
        by_id["schema"]
    );
    assert_eq!(
        api.get(&format!("/schemas/guids/{guid}/ids")).await.1,
        json!([{ "context": ".", "id": 1 }])
    );
    let text: Value = serde_json::from_str(by_id["schema"].as_str().unwrap()).unwrap();
    assert_eq!(
        api.get("/schemas/ids/1/schema").await.1,
        text,
        "the schema itself, not a string of it"
    );
    assert_eq!(api.get("/subjects/a/versions/1/schema").await.1, text);
}

#[tokio::test]
async fn metadata_is_kept_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let schema = record("A", &[]).to_string();
    let owned = |by: &str| json!({ "schema": schema, "metadata": { "properties": { "owner": by } } });
    assert_eq!(api.post("/subjects/a/versions", owned("us")).await.1["id"], 1);
    assert_eq!(
        api.post("/subjects/a/versions", owned("them")).await.1["id"],
        2,
        "part of the identity"
    );
    let (_, found) = api.get("/subjects/a/metadata?key=owner&value=us").await;
    assert_eq!(
        (&found["version"], &found["metadata"]["properties"]["owner"]),
        (&json!(1), &json!("us"))
    );
    assert_eq!(
        code(&api.get("/subjects/a/metadata?key=owner&value=nobody").await),
        (404, 40403)
    );
}

#[tokio::test]
async fn the_registry_says_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    assert_eq!(api.get("/").await, (200, json!({})));
    assert_eq!(api.get("/contexts").await, (200, json!(["."])));
    let (_, id) = api.get("/v1/metadata/id").await;
    assert!(id["scope"]["clusters"]["kafka-cluster"].is_string());
    assert!(api.get("/v1/metadata/version").await.1["version"].is_string());
    assert_eq!(
        api.get("/v1/metadata/deployment").await.1,
        json!({ "attributes": [] })
    );
    let api = api.restart(folder.path()).await;
    assert_eq!(api.get("/v1/metadata/id").await.1, id);
}

/// Python's Protobuf serializer and deserializer ask for schemas in this form.
#[tokio::test]
async fn a_protobuf_schema_is_given_serialized_and_taken_back_as_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let text = "syntax = \"proto3\";\npackage shop;\nmessage Order {\n  string id = 1;\n}\n";
    let body = json!({ "schemaType": "PROTOBUF", "schema": text });
    let (status, answer) = api.post("/subjects/p/versions", body.clone()).await;
    assert_eq!(status, 200, "{answer}");
    let (_, plain) = api.get("/subjects/p/versions/latest").await;
    for path in [
        "/subjects/p/versions/latest?format=serialized",
        "/schemas/ids/1?format=serialized",
    ] {
        let (status, answer) = api.get(path).await;
        assert_eq!(status, 200, "{answer}");
        assert_ne!(answer["schema"], plain["schema"], "{path}");
        // The form is one that the registry itself reads: the same schema comes out.
        let body = json!({ "schemaType": "PROTOBUF", "schema": answer["schema"] });
        let (status, found) = api.post("/subjects/p", body).await;
        assert_eq!((status, &found["id"]), (200, &json!(1)), "{path}: {found}");
    }
    let (_, unknown) = api.get("/schemas/ids/1?format=nonsense").await;
    assert_eq!(unknown["schema"], plain["schema"]);
}

#[tokio::test]
async fn a_new_avro_schema_needs_defaults_that_fit_their_types() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let field = json!({ "name": "total", "type": "int", "default": "none" });
    let schema = json!({ "type": "record", "name": "Order", "fields": [field] }).to_string();
    let (status, answer) = api
        .post("/subjects/a/versions", json!({ "schema": schema }))
        .await;
    assert_eq!((status, &answer["error_code"]), (422, &json!(42201)), "{answer}");
    // Only asked about, it is a schema that nobody has registered.
    let (status, answer) = api.post("/subjects/a", json!({ "schema": schema })).await;
    assert_eq!((status, &answer["error_code"]), (404, &json!(40401)), "{answer}");
}
