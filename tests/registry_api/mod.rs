//! A registry without a socket: requests go straight into its router.

#![allow(dead_code, reason = "each test uses its part of it")]

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use portcullis::contract::SchemaSource;
use portcullis::registry::{self, Opened};
use portcullis::schema::CompatibilityLevel;
use portcullis::telemetry::health::Health;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tower::ServiceExt;

pub const JSON: &str = "application/vnd.schemaregistry.v1+json";

pub struct Api {
    pub router: Router,
    pub source: Arc<dyn SchemaSource>,
    store_closed: tokio::sync::oneshot::Receiver<()>,
}

pub async fn open(folder: &Path) -> Api {
    let level = CompatibilityLevel::Backward;
    let opened = registry::open(folder.to_owned(), level, Health::default()).await;
    Api::over(opened.unwrap())
}

impl Api {
    pub fn over(opened: Opened) -> Self {
        Self {
            router: registry::rest::router(opened.core),
            source: opened.source,
            store_closed: opened.store_closed,
        }
    }

    pub async fn raw(&self, request: Request<Body>) -> (u16, String, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let bytes = axum::body::to_bytes(response.into_body(), 64 << 20)
            .await
            .unwrap();
        (status, content_type, String::from_utf8(bytes.to_vec()).unwrap())
    }

    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, JSON);
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let (status, _, text) = self.raw(request.body(body).unwrap()).await;
        let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{method} {path}: {text}"));
        (status, value)
    }

    /// The status and the body as it is.
    pub async fn raw_call(&self, method: &str, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path);
        let (status, _, text) = self.raw(request.body(Body::empty()).unwrap()).await;
        (status, text)
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("PUT", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.call("DELETE", path, None).await
    }

    pub async fn register(&self, subject: &str, schema: &Value) -> u64 {
        let body = json!({ "schema": schema.to_string() });
        let (status, answer) = self.post(&format!("/subjects/{subject}/versions"), body).await;
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_u64().unwrap()
    }

    /// Closes the store and opens it again.
    pub async fn restart(self, folder: &Path) -> Self {
        self.close().await;
        open(folder).await
    }

    pub async fn close(self) {
        drop(self.router);
        self.store_closed.await.unwrap();
    }
}

pub fn record(name: &str, fields: &[&str]) -> Value {
    let fields: Vec<_> = fields
        .iter()
        .map(|f| json!({ "name": f, "type": "string" }))
        .collect();
    json!({ "type": "record", "name": name, "fields": fields })
}

pub fn code(answer: &(u16, Value)) -> (u16, u64) {
    (
        answer.0,
        answer.1["error_code"]
            .as_u64()
            .unwrap_or_else(|| panic!("no error: {}", answer.1)),
    )
}
