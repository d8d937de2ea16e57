//! Kafbat UI's own calls to a registry, one by one: its contract (`kafka-sr-api.yaml`) and the service that makes the
//! calls (`SchemaRegistryService`). The fields that the console cannot do without are checked as it declares them.
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
use registry_api::{Api, open};
use serde_json::{Value, json};

struct Console(Api);

impl Console {
    /// As its generated client asks: plain JSON in both directions.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let (status, content_type, text) = self.0.raw(request.body(body).unwrap()).await;
        assert_eq!(content_type, "application/json", "{path}");
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// A subject's page: `SchemaSubject`, whose five fields are required, and the level that it shows beside it.
    async fn page(&self, subject: &str, version: &str) -> (Value, String) {
        let path = format!("/subjects/{subject}/versions/{version}?deleted=false");
        let shown = self.ok("GET", &path, None).await;
        for field in ["subject", "schema", "schemaType"] {
            assert!(shown[field].is_string(), "{field}: {shown}");
        }
        for field in ["id", "version"] {
            assert!(shown[field].is_u64(), "{field}: {shown}");
        }
        let config = self
            .ok("GET", &format!("/config/{subject}?defaultToGlobal=true"), None)
            .await;
        (shown, config["compatibilityLevel"].as_str().unwrap().to_owned())
    }
}

fn avro(fields: &[&str]) -> Value {
    let fields: Vec<Value> = fields
        .iter()
        .map(|name| json!({ "name": name, "type": "string" }))
        .collect();
    let text = json!({ "type": "record", "name": "Order", "fields": fields }).to_string();
    // NewSubject: the schema's type is required, and references are null when there are none.
    json!({ "schema": text, "schemaType": "AVRO", "references": null })
}

#[tokio::test]
async fn the_console_lists_shows_registers_checks_and_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let console = Console(open(folder.path()).await);
    // Its list begins with the names, and with an empty registry.
    assert_eq!(
        console.ok("GET", "/subjects?deleted=false", None).await,
        json!([])
    );

    let registered = console
        .ok("POST", "/subjects/orders-value/versions", Some(avro(&["id"])))
        .await;
    assert!(registered["id"].is_u64(), "{registered}");
    let (shown, level) = console.page("orders-value", "latest").await;
    assert_eq!((&shown["id"], &shown["version"]), (&registered["id"], &json!(1)));
    assert_eq!(level, "BACKWARD");
    assert_eq!(
        console.ok("GET", "/subjects?deleted=false", None).await,
        json!(["orders-value"])
    );

    // "Check compatibility" asks for the reasons, and shows whether it is.
    let path = "/compatibility/subjects/orders-value/versions/latest?verbose=true";
    let verdict = console.ok("POST", path, Some(avro(&["id", "more"]))).await;
    assert_eq!(verdict["is_compatible"], false, "{verdict}");
    // It tells an incompatible schema (409) from a bad one (422), whose body it shows.
    let path = "/subjects/orders-value/versions";
    assert_eq!(
        console.call("POST", path, Some(avro(&["id", "more"]))).await.0,
        409
    );
    let bad = json!({ "schema": "{", "schemaType": "AVRO" });
    let (status, answer) = console.call("POST", path, Some(bad)).await;
    assert_eq!((status, answer["message"].is_string()), (422, true));

    // Both levels.
    let none = json!({ "compatibility": "NONE" });
    assert_eq!(
        console
            .ok("PUT", "/config/orders-value", Some(none.clone()))
            .await,
        none
    );
    assert_eq!(
        console.ok("GET", "/config", None).await["compatibilityLevel"],
        "BACKWARD"
    );
    let full = json!({ "compatibility": "FULL" });
    assert_eq!(console.ok("PUT", "/config", Some(full.clone())).await, full);
    console.ok("POST", path, Some(avro(&["id", "more"]))).await;
    assert_eq!(console.page("orders-value", "2").await.1, "NONE");
    console.ok("DELETE", "/config/orders-value", None).await;
    assert_eq!(console.page("orders-value", "2").await.1, "FULL");

    // A subject's versions are read one by one, then deleted: one, the latest, all.
    assert_eq!(console.ok("GET", path, None).await, json!([1, 2]));
    console
        .ok(
            "DELETE",
            "/subjects/orders-value/versions/latest?permanent=false",
            None,
        )
        .await;
    assert_eq!(console.page("orders-value", "latest").await.0["version"], 1);
    console
        .ok("DELETE", "/subjects/orders-value?permanent=false", None)
        .await;
    let (status, _) = console
        .call(
            "GET",
            "/subjects/orders-value/versions/latest?deleted=false",
            None,
        )
        .await;
    assert_eq!(status, 404);
    assert_eq!(
        console
            .call("DELETE", "/subjects/orders-value?permanent=false", None)
            .await
            .0,
        404
    );
}
