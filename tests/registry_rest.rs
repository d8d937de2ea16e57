//! The registry answers as Confluent's does: every resource, every error code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use portcullis::contract::{Lookup, Presence, SchemaSource};
use portcullis::registry::{self, Opened};
use portcullis::schema::{CompatibilityLevel, SchemaId};
use portcullis::telemetry::health::Health;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tower::ServiceExt;

const JSON: &str = "application/vnd.schemaregistry.v1+json";

struct Api {
    router: Router,
    source: Arc<dyn SchemaSource>,
    store_closed: tokio::sync::oneshot::Receiver<()>,
}

async fn open(folder: &Path) -> Api {
    let Opened {
        core,
        source,
        store_closed,
    } = registry::open(folder.to_owned(), CompatibilityLevel::Backward, Health::default())
        .await
        .unwrap();
    Api {
        router: registry::rest::router(core),
        source,
        store_closed,
    }
}

impl Api {
    async fn raw(&self, request: Request<Body>) -> (u16, String, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let content_type = response.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        let bytes = axum::body::to_bytes(response.into_body(), 64 << 20)
            .await
            .unwrap();
        (status, content_type, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, JSON);
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let (status, _, text) = self.raw(request.body(body).unwrap()).await;
        let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{method} {path}: {text}"));
        (status, value)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, Some(body)).await
    }

    async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("PUT", path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        self.call("DELETE", path, None).await
    }

    async fn register(&self, subject: &str, schema: &Value) -> u64 {
        let body = json!({ "schema": schema.to_string() });
        let (status, answer) = self.post(&format!("/subjects/{subject}/versions"), body).await;
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_u64().unwrap()
    }

    /// Closes the store and opens it again.
    async fn restart(self, folder: &Path) -> Self {
        drop(self.router);
        self.store_closed.await.unwrap();
        open(folder).await
    }
}

fn record(name: &str, fields: &[&str]) -> Value {
    let fields: Vec<_> = fields
        .iter()
        .map(|f| json!({ "name": f, "type": "string" }))
        .collect();
    json!({ "type": "record", "name": name, "fields": fields })
}

fn code(answer: &(u16, Value)) -> (u16, u64) {
    (
        answer.0,
        answer.1["error_code"]
            .as_u64()
            .unwrap_or_else(|| panic!("no error: {}", answer.1)),
    )
}

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
