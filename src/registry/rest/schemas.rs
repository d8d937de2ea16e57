//! `/schemas` (`SchemasResource.java`).

use super::App;
use super::body::{Answer, Query, SchemaJson, json, text};
use super::subjects::prefix_of;
use crate::registry::errors::RegistryError;
use crate::registry::state::{self, DeletedFilter, Digest, IdState, SchemaContent};
use crate::schema::{SchemaId, Version};
use axum::extract::{Path, State};
use serde_json::json as value;
use std::sync::Arc;

/// Confluent's `schema.search.max.limit`.
const LISTED_MAX: usize = 1_000;

pub async fn list(State(core): State<App>, query: Query) -> Answer {
    let prefix = prefix_of(query.text("subjectPrefix").unwrap_or_default());
    let filter = DeletedFilter::of(query.flag("deleted"), false);
    let latest_only = query.flag("latestOnly");
    let state = core.state();
    let shown = state
        .subjects()
        .filter(|(name, _)| name.starts_with(prefix))
        .flat_map(|(name, subject)| {
            let newest = subject
                .versions
                .iter()
                .rev()
                .find(|(_, version)| filter.shows(version));
            let newest = newest.map(|(number, _)| *number);
            subject
                .versions
                .iter()
                .filter(move |(number, version)| {
                    filter.shows(version) && (!latest_only || newest == Some(**number))
                })
                .map(move |(number, version)| SchemaJson::of(name, *number, version))
        });
    json(&query.page()?.at_most(LISTED_MAX).of(shown))
}

pub async fn types() -> Answer {
    json(&["JSON", "PROTOBUF", "AVRO"])
}

/// What is no number names no resource, as JAX-RS has it.
fn id_of(text: &str) -> Result<SchemaId, RegistryError> {
    let id = text.parse::<i32>().map_err(|_| RegistryError::NOT_FOUND)?;
    u32::try_from(id)
        .map(SchemaId)
        .map_err(|_| RegistryError::SchemaIdNotFound(id.to_string()))
}

fn any_use<'a>(
    state: &'a state::State,
    id: &'a IdState,
    subject: Option<&str>,
) -> Option<(&'a str, Version, &'a state::VersionState)> {
    let all = || state.uses(id, true);
    let (name, version) = all()
        .filter(|(name, _)| subject.is_some_and(|subject| subject == name.as_ref()))
        .last()
        .or_else(|| all().next())?;
    let found = state.subject(name)?.versions.get(&version)?;
    Some((name.as_ref(), version, found))
}

fn schema_string<'a>(
    state: &'a state::State,
    id: SchemaId,
    subject: Option<&str>,
) -> Result<(SchemaJson<'a>, &'a Arc<SchemaContent>), RegistryError> {
    let subject = subject.map(prefix_of).filter(|subject| !subject.is_empty());
    let found = state.id(id).and_then(|found| any_use(state, found, subject));
    let (name, number, version) = found.ok_or_else(|| RegistryError::SchemaIdNotFound(id.0.to_string()))?;
    let shown = SchemaJson {
        id: None,
        ..SchemaJson::of(name, number, version)
    };
    let shown = if subject.is_some() {
        shown
    } else {
        SchemaJson {
            subject: None,
            version: None,
            ..shown
        }
    };
    Ok((shown, &version.content))
}

pub async fn by_id(State(core): State<App>, Path(id): Path<String>, query: Query) -> Answer {
    let state = core.state();
    let (mut shown, content) = schema_string(&state, id_of(&id)?, query.text("subject"))?;
    if let Some(formatted) = core.formatted(content, query.text("format")).await? {
        shown.schema = formatted.into();
    }
    if query.flag("fetchMaxId") {
        shown.max_id = Some(state.id_max());
    }
    json(&shown)
}

pub async fn schema_only(State(core): State<App>, Path(id): Path<String>, query: Query) -> Answer {
    let state = core.state();
    let (shown, content) = schema_string(&state, id_of(&id)?, query.text("subject"))?;
    let formatted = core.formatted(content, query.text("format")).await?;
    Ok(text(formatted.as_deref().unwrap_or(&shown.schema)))
}

pub async fn subjects(State(core): State<App>, Path(id): Path<String>, query: Query) -> Answer {
    let state = core.state();
    let found = state.id(id_of(&id)?).ok_or(RegistryError::SchemaNotFound)?;
    let mut names: Vec<_> = state
        .uses(found, query.flag("deleted"))
        .map(|(name, _)| name)
        .collect();
    names.dedup();
    json(&query.page()?.of(names.into_iter()))
}

pub async fn versions(State(core): State<App>, Path(id): Path<String>, query: Query) -> Answer {
    let state = core.state();
    let found = state.id(id_of(&id)?).ok_or(RegistryError::SchemaNotFound)?;
    let uses = state
        .uses(found, query.flag("deleted"))
        .map(|(name, version)| value!({ "subject": name, "version": version.0 }));
    json(&query.page()?.of(uses))
}

/// `format` as for an id: Confluent's Protobuf deserialiser asks for `serialized` when a header carries the GUID.
pub async fn by_guid(State(core): State<App>, Path(guid): Path<String>, query: Query) -> Answer {
    let state = core.state();
    let id = Digest::from_guid(&guid).and_then(|digest| state.id_of(digest));
    let id = id.ok_or_else(|| RegistryError::SchemaIdNotFound(guid.clone()))?;
    let (mut shown, content) = schema_string(&state, id, None)?;
    if let Some(formatted) = core.formatted(content, query.text("format")).await? {
        shown.schema = formatted.into();
    }
    json(&shown)
}

pub async fn ids_of_guid(State(core): State<App>, Path(guid): Path<String>) -> Answer {
    let state = core.state();
    let id = Digest::from_guid(&guid).and_then(|digest| state.id_of(digest));
    json(
        &id.iter()
            .map(|id| value!({ "context": ".", "id": id.0 }))
            .collect::<Vec<_>>(),
    )
}
