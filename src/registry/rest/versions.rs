//! `/subjects/{subject}/versions` (`SubjectVersionsResource.java`).

use super::App;
use super::body::{Answer, JsonBody, Query, SchemaJson, json, text};
use crate::registry::admission::SchemaRequest;
use crate::registry::errors::RegistryError;
use crate::registry::state::{Command, DeletedFilter, Outcome, VersionId, subject_name};
use axum::extract::{Path, State};
use std::sync::Arc;

pub async fn list(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    let subject = subject_name(&subject)?;
    let (deleted, deleted_only) = (query.flag("deleted"), query.flag("deletedOnly"));
    let as_negative = query.flag("deletedAsNegative");
    let state = core.state();
    if !state.has_subject(subject, deleted || deleted_only) {
        return Err(RegistryError::SubjectNotFound(subject.to_owned()));
    }
    let filter = if as_negative {
        DeletedFilter::All
    } else {
        DeletedFilter::of(deleted, deleted_only)
    };
    let versions = state
        .subject(subject)
        .into_iter()
        .flat_map(|subject| &subject.versions);
    let numbers = versions
        .filter(|(_, version)| filter.shows(version))
        .map(|(number, version)| {
            let number = i64::from(number.0);
            if as_negative && version.deleted {
                -number
            } else {
                number
            }
        });
    json(&query.page()?.of(numbers))
}

pub async fn register(
    State(core): State<App>,
    Path(subject): Path<String>,
    query: Query,
    JsonBody(request): JsonBody<SchemaRequest>,
) -> Answer {
    let subject: Arc<str> = subject_name(&subject)?.into();
    let registered = core
        .register(&subject, Arc::new(request), query.flag("force"))
        .await?;
    let state = core.state();
    match state.version(&subject, VersionId::Number(registered.version), true) {
        Some((number, version)) if version.id == registered.id => json(&SchemaJson {
            subject: None,
            ..SchemaJson::of(&subject, number, version)
        }),
        // Deleted again meanwhile: it was registered all the same.
        _ => json(&serde_json::json!({ "id": registered.id.0, "version": registered.version.0 })),
    }
}

pub async fn get(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let subject = subject_name(&subject)?;
    let asked = VersionId::parse(&version)?;
    let state = core.state();
    let (number, version) = state.version_or_refusal(subject, asked, query.flag("deleted"))?;
    let mut shown = SchemaJson::of(subject, number, version);
    if let Some(formatted) = core.formatted(&version.content, query.text("format")).await? {
        shown.schema = formatted.into();
    }
    json(&shown)
}

pub async fn schema_only(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let subject = subject_name(&subject)?;
    let asked = VersionId::parse(&version)?;
    let state = core.state();
    let (_, version) = state.version_or_refusal(subject, asked, query.flag("deleted"))?;
    let formatted = core.formatted(&version.content, query.text("format")).await?;
    Ok(text(formatted.as_deref().unwrap_or(&version.content.text)))
}

pub async fn referenced_by(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let subject = subject_name(&subject)?;
    let asked = VersionId::parse(&version)?;
    let state = core.state();
    let (number, _) = state.version_or_refusal(subject, asked, true)?;
    let ids = state.referenced_by(subject, number, query.flag("deleted"));
    json(&query.page()?.of(ids.iter().map(|id| id.0)))
}

pub async fn delete(
    State(core): State<App>,
    Path((subject, version)): Path<(String, String)>,
    query: Query,
) -> Answer {
    let subject: Arc<str> = subject_name(&subject)?.into();
    let version = VersionId::parse(&version)?;
    let command = Command::DeleteVersion {
        subject,
        version,
        permanent: query.flag("permanent"),
    };
    match core.submit(command).await? {
        Outcome::DeletedVersion(version) => json(&version.0),
        _ => Err(RegistryError::INTERNAL),
    }
}
