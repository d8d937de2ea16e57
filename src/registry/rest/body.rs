//! Bodies in and out.

use super::forward::NeedsLeader;
use crate::registry::access::audit::ErrorCode;
use crate::registry::access::guard::BodyLimit;
use crate::registry::errors::RegistryError;
use crate::registry::registration::Registered;
use crate::registry::state::qualified::beside;
use crate::registry::state::{
    ConfigValue, Metadata, QualifiedSubject, Reference, RuleSet, SchemaContent, VersionState,
};
use crate::schema::Version;
use crate::schema::tags::Tagged;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::time::Duration;

/// The largest body that is read. The schema languages have limits of their own below it.
const BODY_BYTES_MAX: usize = 10 << 20;
/// Confluent's `schema.search.max.limit`.
const SCHEMAS_LISTED_MAX: usize = 1_000;
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
        let mut response = (
            status,
            [(header::CONTENT_TYPE, V1_JSON)],
            body.unwrap_or_default(),
        )
            .into_response();
        if let Self::TooManyRequests { retry_after_s } = self {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, retry_after_s.into());
        }
        response.extensions_mut().insert(ErrorCode(self.error_code()));
        if matches!(self, Self::UnknownLeader) {
            response.extensions_mut().insert(NeedsLeader);
        }
        response
    }
}

/// The whole body of a request, as long as `limit` lets it be.
///
/// # Errors
/// 413 and 408.
pub async fn bytes(limit: Option<BodyLimit>, body: Body) -> Result<Bytes, RegistryError> {
    let bytes_max = limit.map_or(BODY_BYTES_MAX, |limit| limit.0.min(BODY_BYTES_MAX));
    let reading = axum::body::to_bytes(body, bytes_max);
    tokio::time::timeout(BODY_TIME_MAX, reading)
        .await
        .map_err(|_| RegistryError::Http(408, "Request Timeout"))?
        .map_err(|_| RegistryError::BODY_TOO_LARGE)
}

/// A request's JSON, whatever content type it has been given (`outside` looks at that).
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = RegistryError;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, RegistryError> {
        let bytes = bytes(request.extensions().get().copied(), request.into_body()).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Err(RegistryError::EmptyBody);
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| RegistryError::MalformedBody(format!("Malformed JSON body: {error}")))
    }
}

/// A query as JAX-RS reads it: `true` in any case is true, anything else false.
pub struct Query(Vec<(String, String)>);

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
        self.text(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The first of the name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self.0.iter().filter(|(key, _)| key == name);
        named.map(|(_, value)| value.clone()).collect()
    }

    /// Whether a schema's text is normalised: asked for, or configured.
    #[must_use]
    pub fn normalize(&self, config: &ConfigValue) -> bool {
        self.flag("normalize") || config.normalize.unwrap_or(false)
    }

    /// `offset` and `limit`; a limit below 1 is none.
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
            limit: usize::try_from(number("limit", -1)?)
                .ok()
                .filter(|limit| *limit > 0),
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

    /// A page of whole schemas has a limit of its own.
    pub fn of_schemas<T>(self, items: impl Iterator<Item = T>) -> Vec<T> {
        let limit = self.limit.filter(|limit| *limit <= SCHEMAS_LISTED_MAX);
        Self {
            limit: Some(limit.unwrap_or(SCHEMAS_LISTED_MAX)),
            ..self
        }
        .of(items)
    }
}

fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}

/// Confluent's `Schema` and `ExtendedSchema`: a version in its subject. What is not set is left out; the fields stand in
/// the order in which Jackson writes theirs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaJson<'a> {
    pub subject: &'a str,
    pub version: u32,
    pub id: u32,
    pub guid: String,
    pub schema_type: &'static str,
    #[serde(skip_serializing_if = "is_empty")]
    pub references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a Metadata>,
    pub schema: Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema_tags: Vec<Tagged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
    #[serde(skip_serializing_if = "is_empty")]
    pub aliases: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_set: Option<&'a RuleSet>,
}

impl<'a> SchemaJson<'a> {
    #[must_use]
    pub fn of(subject: &'a str, version: Version, state: &'a VersionState) -> Self {
        let content = &state.content;
        Self {
            subject,
            version: version.0,
            id: state.id.0,
            guid: state.digest.to_string(),
            schema_type: content.schema_type.as_str(),
            references: &content.references,
            metadata: content.metadata.as_ref(),
            schema: Cow::Borrowed(&content.text),
            schema_tags: vec![],
            ts: Some(state.timestamp_ms),
            deleted: Some(state.deleted),
            aliases: &[],
            rule_set: content.rule_set.as_ref(),
        }
    }

    #[must_use]
    pub fn of_registered(found: &'a Registered) -> Self {
        let content = &found.content;
        Self {
            subject: &found.subject,
            version: found.version.0,
            id: found.id.0,
            guid: content.digest().to_string(),
            schema_type: content.schema_type.as_str(),
            references: &content.references,
            metadata: content.metadata.as_ref(),
            schema: Cow::Borrowed(&content.text),
            schema_tags: vec![],
            ts: found.recorded.map(|(at, _)| at),
            deleted: found.recorded.map(|(_, deleted)| deleted),
            aliases: &[],
            rule_set: content.rule_set.as_ref(),
        }
    }
}

/// Confluent's `SchemaString`: a schema by its id.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaStringJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    pub guid: String,
    pub schema_type: &'static str,
    pub schema: Cow<'a, str>,
    #[serde(skip_serializing_if = "is_empty")]
    pub references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_set: Option<&'a RuleSet>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema_tags: Vec<Tagged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_id: Option<u32>,
    pub ts: i64,
    pub deleted: bool,
}

impl<'a> SchemaStringJson<'a> {
    #[must_use]
    pub fn of(state: &'a VersionState) -> Self {
        let content = &state.content;
        Self {
            subject: None,
            version: None,
            guid: state.digest.to_string(),
            schema_type: content.schema_type.as_str(),
            schema: Cow::Borrowed(&content.text),
            references: &content.references,
            metadata: content.metadata.as_ref(),
            rule_set: content.rule_set.as_ref(),
            schema_tags: vec![],
            max_id: None,
            ts: state.timestamp_ms,
            deleted: state.deleted,
        }
    }
}

/// Confluent's `RegisterSchemaResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisteredJson<'a> {
    id: u32,
    version: u32,
    guid: String,
    schema_type: &'static str,
    #[serde(skip_serializing_if = "is_empty")]
    references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a RuleSet>,
    schema: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
}

impl<'a> RegisteredJson<'a> {
    #[must_use]
    pub fn of(registered: &'a Registered, schema: Cow<'a, str>) -> Self {
        let content = &registered.content;
        Self {
            id: registered.id.0,
            version: registered.version.0,
            guid: content.digest().to_string(),
            schema_type: content.schema_type.as_str(),
            references: &content.references,
            metadata: content.metadata.as_ref(),
            rule_set: content.rule_set.as_ref(),
            schema,
            ts: registered.recorded.map(|(at, _)| at),
            deleted: registered.recorded.map(|(_, deleted)| deleted),
        }
    }
}

/// A schema's references as `referenceFormat` wants them: `qualified` names their contexts, if the schema is not in the
/// default one.
#[must_use]
pub fn qualified_references<'a>(
    subject: &str,
    content: &'a SchemaContent,
    format: Option<&str>,
) -> Cow<'a, [Reference]> {
    if format != Some("qualified") || QualifiedSubject::of(subject).is_in_default_context() {
        return Cow::Borrowed(&content.references);
    }
    let qualified = |reference: &Reference| Reference {
        subject: beside(subject, &reference.subject).into_owned(),
        ..reference.clone()
    };
    content.references.iter().map(qualified).collect()
}
