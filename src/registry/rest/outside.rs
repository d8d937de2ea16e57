//! What surrounds every request: what HTTP itself can refuse, the content type, the counters.

use super::body::V1_JSON;
use crate::registry::errors::RegistryError;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;
use ulid::Ulid;

/// Longer addresses are refused, as by the server that Confluent runs on.
const URI_BYTES_MAX: usize = 8 << 10;

/// What bodies may say they are (Confluent's `Versions.java`); the first is what answers are by default.
const MEDIA_TYPES: [&str; 4] = [
    V1_JSON,
    "application/vnd.schemaregistry+json",
    "application/json",
    "application/octet-stream",
];

struct Counters {
    successful: metrics::Counter,
    client_errors: metrics::Counter,
    server_errors: metrics::Counter,
}

static COUNTERS: LazyLock<Counters> = LazyLock::new(|| Counters {
    successful: metrics::counter!("schema_registry_successful_requests_total"),
    client_errors: metrics::counter!("schema_registry_error_requests_total", "status" => "4xx"),
    server_errors: metrics::counter!("schema_registry_error_requests_total", "status" => "5xx"),
});

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Every answer has the request's id; a request that brings none, or several, gets one (`RequestHeaderHandler.java`).
pub async fn request_id(mut request: Request, next: Next) -> Response {
    let mut given = request.headers().get_all(REQUEST_ID).iter();
    let id = match (given.next(), given.next()) {
        (Some(id), None) if !id.as_bytes().trim_ascii().is_empty() => Some(id.clone()),
        _ => HeaderValue::from_str(&new_id()).ok(),
    };
    if let Some(id) = &id {
        request.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn new_id() -> String {
    let random = Ulid::new().0.to_be_bytes();
    uuid::Builder::from_random_bytes(random).into_uuid().to_string()
}

/// Makes the counters exist, so that an alert sees the first refusal as a rise.
pub fn count_from_zero() {
    LazyLock::force(&COUNTERS);
}

pub async fn around(request: Request, next: Next) -> Response {
    let answer_type = answer_type(request.headers());
    let refused = refusal(&request);
    let mut response = match refused {
        Some(refusal) => refusal.into_response(),
        None => in_our_words(next.run(request).await),
    };
    let counters = &*COUNTERS;
    match response.status().as_u16() {
        500.. => counters.server_errors.increment(1),
        400..=499 => counters.client_errors.increment(1),
        _ => counters.successful.increment(1),
    }
    let headers = response.headers_mut();
    if headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == V1_JSON)
    {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer_type));
    }
    response
}

fn refusal(request: &Request) -> Option<RegistryError> {
    let address_bytes = request
        .uri()
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if address_bytes > URI_BYTES_MAX {
        return Some(RegistryError::URI_TOO_LONG);
    }
    let has_body = matches!(*request.method(), Method::POST | Method::PUT);
    let content_type = request.headers().get(header::CONTENT_TYPE)?;
    let known = content_type
        .to_str()
        .ok()
        .is_some_and(|value| media_type(value).is_some());
    (has_body && !known).then_some(RegistryError::UNSUPPORTED_MEDIA_TYPE)
}

fn media_type(value: &str) -> Option<&'static str> {
    let essence = value.split(';').next().unwrap_or_default().trim();
    MEDIA_TYPES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(essence))
}

/// The first of our types that the client would take; the newest when it would take none.
fn answer_type(headers: &HeaderMap) -> &'static str {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(media_type)
        .find(|known| *known != "application/octet-stream")
        .unwrap_or(V1_JSON)
}

/// Extractors refuse in plain text; clients expect an `error_code`.
fn in_our_words(response: Response) -> Response {
    let status = response.status();
    let ours = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == V1_JSON);
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    match status {
        // A path whose bytes are not UTF-8 names nothing.
        StatusCode::BAD_REQUEST => RegistryError::NOT_FOUND.into_response(),
        other => {
            RegistryError::Http(other.as_u16(), other.canonical_reason().unwrap_or("Error")).into_response()
        }
    }
}

/// A path that no resource has. An empty subject lands here, because the router matches no empty segment.
pub async fn no_such_path(uri: Uri) -> Response<Body> {
    const SUBJECTS_FOLLOW: [&str; 4] = ["/subjects//", "/compatibility/subjects//", "/config//", "/mode//"];
    if SUBJECTS_FOLLOW
        .iter()
        .any(|prefix| uri.path().starts_with(prefix))
    {
        return RegistryError::InvalidSubject(String::new()).into_response();
    }
    RegistryError::NOT_FOUND.into_response()
}

pub async fn no_such_method() -> Response {
    RegistryError::METHOD_NOT_ALLOWED.into_response()
}
