//! `/subjects` (`SubjectsResource.java`).

use super::App;
use super::body::{Answer, JsonBody, Query, SchemaJson, json};
use crate::registry::admission::SchemaRequest;
use crate::registry::errors::RegistryError;
use crate::registry::state::{Command, DeletedFilter, Outcome, subject_name};
use axum::extract::{Path, State};
use std::sync::Arc;

/// What Confluent calls "all contexts".
const CONTEXT_WILDCARD: &str = ":*:";

/// A `subjectPrefix` without the contexts, of which there is one.
pub fn prefix_of(text: &str) -> &str {
    text.strip_prefix(CONTEXT_WILDCARD)
        .or_else(|| text.strip_prefix(":.:"))
        .unwrap_or(text)
}

pub async fn list(State(core): State<App>, query: Query) -> Answer {
    let filter = DeletedFilter::of(query.flag("deleted"), query.flag("deletedOnly"));
    let prefix = prefix_of(query.text("subjectPrefix").unwrap_or_default());
    let state = core.state();
    let names = state
        .subjects()
        .filter(|(name, _)| name.starts_with(prefix))
        .filter(|(_, subject)| subject.versions.values().any(|version| filter.shows(version)))
        .map(|(name, _)| name);
    json(&query.page()?.of(names))
}

pub async fn look_up(
    State(core): State<App>,
    Path(subject): Path<String>,
    query: Query,
    JsonBody(request): JsonBody<SchemaRequest>,
) -> Answer {
    let subject = subject_name(&subject)?;
    let with_deleted = query.flag("deleted");
    let state = core.state();
    let admitted = core
        .admission
        .parse(state.clone(), Arc::new(request), false)
        .await?;
    let found = state.look_up(subject, admitted.content.digest(), with_deleted);
    match found {
        Some((number, version)) => json(&SchemaJson::of(subject, number, version)),
        None if state.has_subject(subject, with_deleted) => Err(RegistryError::SchemaNotFound),
        None => Err(RegistryError::SubjectNotFound(subject.to_owned())),
    }
}

/// The newest version whose metadata has all of the `key` and `value` pairs.
pub async fn latest_with_metadata(
    State(core): State<App>,
    Path(subject): Path<String>,
    query: Query,
    axum::extract::Query(pairs): axum::extract::Query<Vec<(String, String)>>,
) -> Answer {
    let subject = subject_name(&subject)?;
    let with_deleted = query.flag("deleted");
    let of = |name: &'static str| {
        pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value)
    };
    let wanted: Vec<(&String, &String)> = of("key").zip(of("value")).collect();
    let state = core.state();
    let filter = DeletedFilter::of(with_deleted, false);
    let found = state
        .subject(subject)
        .into_iter()
        .flat_map(|s| s.versions.iter().rev())
        .find(|(_, version)| {
            let properties = version
                .content
                .metadata
                .as_ref()
                .and_then(|metadata| metadata.properties.as_ref());
            filter.shows(version)
                && properties
                    .is_some_and(|has| wanted.iter().all(|(key, value)| has.get(*key) == Some(*value)))
        });
    match found {
        Some((number, version)) => json(&SchemaJson::of(subject, *number, version)),
        None if state.has_subject(subject, with_deleted) => Err(RegistryError::SchemaNotFound),
        None => Err(RegistryError::SubjectNotFound(subject.to_owned())),
    }
}

pub async fn delete(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    let subject: Arc<str> = subject_name(&subject)?.into();
    let command = Command::DeleteSubject {
        subject,
        permanent: query.flag("permanent"),
    };
    match core.submit(command).await? {
        Outcome::DeletedSubject(versions) => {
            json(&versions.iter().map(|version| version.0).collect::<Vec<_>>())
        }
        _ => Err(RegistryError::INTERNAL),
    }
}
