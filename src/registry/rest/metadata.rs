//! `/`, `/v1/metadata`, `/metrics`.

use super::App;
use super::body::{Answer, json};
use crate::telemetry;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json as value;

pub async fn root() -> Answer {
    json(&value!({}))
}

pub async fn cluster_id(State(core): State<App>) -> Answer {
    json(&value!({
        "scope": {
            "path": [],
            "clusters": { "kafka-cluster": core.cluster_id, "schema-registry-cluster": "schema-registry" }
        }
    }))
}

pub async fn server_version() -> Answer {
    json(&value!({ "version": concat!(env!("CARGO_PKG_VERSION"), "-portcullis"), "commitId": "" }))
}

/// What Confluent says of how it is deployed: nothing, unless it is a part of something else.
pub async fn deployment() -> Answer {
    json(&value!({ "attributes": [] }))
}

pub async fn metrics() -> Response {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        telemetry::metrics::render(),
    )
        .into_response()
}
