//! A mode says who may write what: nobody, clients, or an import that brings ids and versions of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use registry_api::{code, open, record};
use serde_json::json;

#[tokio::test]
async fn what_is_no_mode_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let invalid = json!({
        "error_code": 42204,
        "message": "Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD."
    });
    for body in [json!({ "mode": "SOMETIMES" }), json!({})] {
        assert_eq!(api.put("/mode", body).await, (422, invalid.clone()));
    }
    let forward = json!({ "mode": "FORWARD" });
    let refused = json!({ "error_code": 42204, "message": "Forward mode only supported on global level" });
    for path in ["/mode", "/mode/a", "/mode/:.c:"] {
        assert_eq!(
            api.put(path, forward.clone()).await,
            (422, refused.clone()),
            "{path}"
        );
    }
    assert_eq!(
        api.put("/mode/:.__GLOBAL:", forward.clone()).await,
        (200, forward.clone())
    );
    assert_eq!(api.get("/mode/:.c:a?defaultToGlobal=true").await.1, forward);
    assert_eq!(
        api.get("/mode").await.1,
        json!({ "mode": "READWRITE" }),
        "only where no other is set"
    );
    let body = json!({ "schema": record("A", &[]).to_string() });
    let refused = api.post("/subjects/a/versions", body.clone()).await.1;
    assert_eq!(
        refused["message"],
        "Subject a in context  is not in read-write mode"
    );
    let with_id = json!({ "schema": record("A", &[]).to_string(), "id": 77 });
    assert_eq!(
        api.post("/subjects/a/versions", with_id).await.1["id"],
        1,
        "what is forwarded is counted here"
    );
}

#[tokio::test]
async fn null_clears_a_mode_and_recursive_those_of_a_context() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let read_only = json!({ "mode": "READONLY" });
    for path in [
        "/mode/a",
        "/mode/:.c:a",
        "/mode/:.c:b",
        "/mode/:.c:",
        "/mode/:.d:a",
    ] {
        assert_eq!(api.put(path, read_only.clone()).await, (200, read_only.clone()));
    }
    assert_eq!(
        api.put("/mode/a", json!({ "mode": null })).await,
        (200, json!({ "mode": null }))
    );
    assert_eq!(code(&api.get("/mode/a").await), (404, 40409));
    assert_eq!(code(&api.delete("/mode/a").await), (404, 40401));
    assert_eq!(
        api.delete("/mode/:.c:?recursive=true").await,
        (200, read_only.clone())
    );
    for path in ["/mode/:.c:a", "/mode/:.c:b", "/mode/:.c:"] {
        assert_eq!(code(&api.get(path).await), (404, 40409), "{path}");
    }
    assert_eq!(api.get("/mode/:.d:a").await.1, read_only);
    assert_eq!(
        api.delete("/mode/:.c:?recursive=true").await,
        (200, json!({})),
        "there was none"
    );
    let api = api.restart(folder.path()).await;
    assert_eq!(code(&api.get("/mode/:.c:a").await), (404, 40409));
}

#[tokio::test]
async fn an_import_into_a_context_keeps_ids_versions_and_references() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.register("there", &record("There", &[])).await;
    let import = json!({ "mode": "IMPORT" });
    assert_eq!(code(&api.put("/mode", import.clone()).await), (422, 42205));
    assert_eq!(
        api.put("/mode/:.copy:", import.clone()).await.0,
        200,
        "that context is empty"
    );
    let put = async |subject: &str, body: serde_json::Value| {
        api.post(&format!("/contexts/.copy/subjects/{subject}/versions"), body)
            .await
    };
    let address = json!({ "schema": record("Address", &["a"]).to_string(), "id": 100, "version": 4 });
    let answer = put("address", address.clone()).await.1;
    assert_eq!((&answer["id"], &answer["version"]), (&json!(100), &json!(4)));
    assert_eq!(put("address", address).await.1["version"], 4, "twice is once");
    let person = json!({
        "schema": json!({ "type": "record", "name": "P", "fields": [{ "name": "a", "type": "Address" }] }).to_string(),
        "references": [{ "name": "Address", "subject": "address", "version": 4 }],
        "id": 101, "version": 9,
    });
    assert_eq!(put("person", person).await.0, 200);
    let incompatible = json!({ "schema": record("Address", &["b"]).to_string(), "id": 102, "version": 5 });
    assert_eq!(put("address", incompatible).await.0, 200, "nothing is compared");
    let earlier = json!({ "schema": record("Address", &["c"]).to_string(), "id": 50, "version": 2 });
    assert_eq!(
        put("address", earlier).await.0,
        200,
        "an earlier version may come later"
    );
    let other = json!({ "schema": record("Address", &["d"]).to_string(), "id": 100, "version": 6 });
    assert_eq!(
        put("address", other).await.1["message"],
        "Overwrite new schema with id 100 in context :.copy: is not permitted."
    );
    let without_id = json!({ "schema": record("Address", &["e"]).to_string() });
    assert_eq!(
        put("address", without_id).await.1["message"],
        "Subject :.copy:address in context :.copy: is not in read-write mode"
    );
    assert_eq!(
        api.get("/contexts/.copy/subjects/address/versions").await.1,
        json!([2, 4, 5])
    );
    api.put("/contexts/.copy/mode", json!({ "mode": "READWRITE" }))
        .await;
    let next = json!({ "schema": record("Address", &["b", "f"]).to_string() });
    api.put("/contexts/.copy/config", json!({ "compatibility": "NONE" }))
        .await;
    let next = api
        .post("/contexts/.copy/subjects/address/versions", next)
        .await
        .1;
    assert_eq!((&next["id"], &next["version"]), (&json!(103), &json!(6)));
}

#[tokio::test]
async fn entering_import_forgets_what_was_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.register("a", &record("A", &[])).await;
    assert_eq!(api.delete("/subjects/a").await.0, 200);
    assert_eq!(api.get("/subjects?deleted=true").await.1, json!(["a"]));
    assert_eq!(api.put("/mode/a", json!({ "mode": "IMPORT" })).await.0, 200);
    assert_eq!(api.get("/subjects?deleted=true").await.1, json!([]));
    let api = api.restart(folder.path()).await;
    assert_eq!(api.get("/subjects?deleted=true").await.1, json!([]));
    assert_eq!(api.get("/mode/a").await.1, json!({ "mode": "IMPORT" }));
}
