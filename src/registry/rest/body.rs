//! Bodies in and out.

use crate::registry::errors::RegistryError;
use crate::registry::state::{Metadata, Reference, VersionState};
use crate::schema::Version;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

/// The largest body that is read. The schema languages have limits of their own below it.
const BODY_BYTES_MAX: usize = 10 << 20;
/// A body that trickles in is given up.
const BODY_TIME_MAX: Duration = Duration::from_mins(1);

pub const V1_JSON: &str = "application/vnd.schemaregistry.v1+json";

/// What a resource answers.
pub type Answer = Result<Response, RegistryError>;

/// # Errors
/// Only if the serialiser fails.
pub fn json<T: Serialize>(value: &T) -> Answer {
    let body = serde_json::to_vec(value).map_err(|_| RegistryError::INTERNAL)?;
    Ok(([(header::CONTENT_TYPE, V1_JSON)], body).into_response())
}

/// A schema's own text, as it is stored.
#[must_use]
pub fn text(text: &str) -> Response {
    ([(header::CONTENT_TYPE, V1_JSON)], text.to_owned()).into_response()
}

#[derive(Serialize)]
struct ErrorMessage<'a> {
    error_code: u32,
    message: &'a str,
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = self.to_string();
        let body = serde_json::to_vec(&ErrorMessage {
            error_code: self.error_code(),
            message: &message,
        });
        (
            status,
            [(header::CONTENT_TYPE, V1_JSON)],
            body.unwrap_or_default(),
        )
            .into_response()
    }
}

/// A request's JSON, whatever content type it has been given (`outside` looks at that).
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = RegistryError;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, RegistryError> {
        let reading = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
        let bytes = tokio::time::timeout(BODY_TIME_MAX, reading)
            .await
            .map_err(|_| RegistryError::Http(408, "Request Timeout"))?
            .map_err(|_| RegistryError::BODY_TOO_LARGE)?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(RegistryError::EmptyBody);
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| RegistryError::MalformedBody(format!("Malformed JSON body: {error}")))
    }
}

/// A query as JAX-RS reads it: `true` in any case is true, anything else false.
pub struct Query(HashMap<String, String>);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Query {
    type Rejection = RegistryError;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _state: &S,
    ) -> Result<Self, RegistryError> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|_| RegistryError::NOT_FOUND)
    }
}

impl Query {
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `offset` and `limit`; a negative limit is none.
    ///
    /// # Errors
    /// As JAX-RS has it, 404 for what is no number.
    pub fn page(&self) -> Result<Page, RegistryError> {
        let number = |name: &str, default: i64| match self.text(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<i32>()
                .map(i64::from)
                .map_err(|_| RegistryError::NOT_FOUND),
        };
        Ok(Page {
            offset: usize::try_from(number("offset", 0)?).unwrap_or(0),
            limit: usize::try_from(number("limit", -1)?).ok(),
        })
    }
}

#[derive(Clone, Copy)]
pub struct Page {
    offset: usize,
    limit: Option<usize>,
}

impl Page {
    pub fn of<T>(self, items: impl Iterator<Item = T>) -> Vec<T> {
        items
            .skip(self.offset)
            .take(self.limit.unwrap_or(usize::MAX))
            .collect()
    }

    /// No more than `max`, whatever is asked for.
    #[must_use]
    pub fn at_most(self, max: usize) -> Self {
        Self {
            limit: Some(self.limit.unwrap_or(max).min(max)),
            ..self
        }
    }
}

/// A version as Confluent's `Schema`, `SchemaString` and `RegisterSchemaResponse` show it; what is not set is left
/// out.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct SchemaJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    pub guid: String,
    pub schema_type: &'static str,
    #[serde(skip_serializing_if = "<[Reference]>::is_empty")]
    pub references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a Metadata>,
    pub schema: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
}

impl<'a> SchemaJson<'a> {
    #[must_use]
    pub fn of(subject: &'a str, version: Version, state: &'a VersionState) -> Self {
        Self {
            subject: Some(subject),
            version: Some(version.0),
            id: Some(state.id.0),
            guid: state.digest.to_string(),
            schema_type: state.content.schema_type.as_str(),
            references: &state.content.references,
            metadata: state.content.metadata.as_ref(),
            schema: Cow::Borrowed(&state.content.text),
            max_id: None,
            ts: Some(state.timestamp_ms),
            deleted: Some(state.deleted),
        }
    }
}
