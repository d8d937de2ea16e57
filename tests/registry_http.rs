//! What surrounds the answers: request ids, compression, HEAD, and bytes in Confluent's order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use registry_api::{Api, open, record};
use serde_json::json;
use std::io::Read as _;
use tower::ServiceExt;

async fn send(api: &Api, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = api
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    (parts.status.as_u16(), parts.headers, bytes.to_vec())
}

#[tokio::test]
async fn an_answer_has_the_id_of_its_request_or_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let id = |headers: &HeaderMap| headers["x-request-id"].to_str().unwrap().to_owned();
    let (_, headers, _) = send(&api, "GET", "/subjects", &[("X-Request-ID", "mine")]).await;
    assert_eq!(id(&headers), "mine");
    let mut given = Vec::new();
    for ids in [
        &[][..],
        &[("X-Request-ID", " ")],
        &[("X-Request-ID", "a"), ("X-Request-ID", "b")],
    ] {
        let (status, headers, _) = send(&api, "GET", "/nothing/here", ids).await;
        assert_eq!(status, 404);
        assert_eq!(id(&headers).len(), 36, "a UUID");
        given.push(id(&headers));
    }
    given.dedup();
    assert_eq!(given.len(), 3);
}

#[tokio::test]
async fn an_answer_is_compressed_when_the_client_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    let fields: Vec<String> = (0..50).map(|number| format!("field{number}")).collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    api.register("wide", &record("Wide", &fields)).await;
    let path = "/subjects/wide/versions/1";
    let (_, headers, plain) = send(&api, "GET", path, &[]).await;
    assert!(headers.get("content-encoding").is_none());
    let (status, headers, small) = send(&api, "GET", path, &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(
        (status, headers["content-encoding"].to_str().unwrap()),
        (200, "gzip")
    );
    assert!(small.len() * 3 < plain.len());
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&small[..])
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.register("a", &record("A", &[])).await;
    for (path, expected) in [
        ("/subjects", 200),
        ("/schemas/ids/1", 200),
        ("/schemas/ids/9", 404),
    ] {
        let (status, headers, body) = send(&api, "HEAD", path, &[]).await;
        assert_eq!((status, body.len()), (expected, 0), "{path}");
        assert_eq!(headers["content-type"], registry_api::JSON);
    }
}

/// The fields of Confluent's `RegisterSchemaResponse`, `Schema`, `SchemaString` and `ErrorMessage` in Jackson's order.
#[tokio::test]
async fn bodies_have_confluents_fields_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let api = open(folder.path()).await;
    api.register("base", &record("Base", &[])).await;
    let body = json!({
        "schema": "\"string\"",
        "references": [{ "name": "Base", "subject": "base", "version": 1 }],
        "metadata": { "properties": { "k": "v" } },
        "ruleSet": { "domainRules": [{ "name": "r", "type": "CEL" }] },
    });
    let request = Request::builder().method("POST").uri("/subjects/s/versions");
    let (_, _, registered) = api.raw(request.body(Body::from(body.to_string())).unwrap()).await;
    let guid = serde_json::from_str::<serde_json::Value>(&registered).unwrap()["guid"].clone();
    let references = r#""references":[{"name":"Base","subject":"base","version":1}]"#;
    let metadata = r#""metadata":{"properties":{"k":"v"}}"#;
    let rules = r#""ruleSet":{"domainRules":[{"name":"r","kind":"TRANSFORM","mode":"WRITEREAD","type":"CEL","disabled":false}]}"#;
    let schema = r#""schema":"\"string\"""#;
    assert_eq!(
        registered,
        format!(
            r#"{{"id":2,"version":1,"guid":{guid},"schemaType":"AVRO",{references},{metadata},{rules},{schema}}}"#
        )
    );
    let timeless = |text: String| {
        let start = text.find(r#""ts":"#).unwrap() + 5;
        let end = start + text[start..].find(|c: char| !c.is_ascii_digit()).unwrap();
        assert!(end - start >= 13, "milliseconds: {text}");
        format!("{}0{}", &text[..start], &text[end..])
    };
    let (_, version) = api.raw_call("GET", "/subjects/s/versions/1").await;
    assert_eq!(
        timeless(version),
        format!(
            r#"{{"subject":"s","version":1,"id":2,"guid":{guid},"schemaType":"AVRO",{references},{metadata},{schema},"ts":0,"deleted":false,{rules}}}"#
        )
    );
    let (_, by_id) = api.raw_call("GET", "/schemas/ids/2?fetchMaxId=true").await;
    assert_eq!(
        timeless(by_id),
        format!(
            r#"{{"subject":"s","version":1,"guid":{guid},"schemaType":"AVRO",{schema},{references},{metadata},{rules},"maxId":2,"ts":0,"deleted":false}}"#
        )
    );
    let (_, error) = api.raw_call("GET", "/subjects/none/versions").await;
    assert_eq!(
        error,
        r#"{"error_code":40401,"message":"Subject 'none' not found."}"#
    );
}
