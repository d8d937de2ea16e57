//! `/subjects` (`SubjectsResource.java`).

use super::App;
use super::body::{Answer, JsonBody, Query, SchemaJson, json};
use crate::registry::access::Visible;
use crate::registry::admission::SchemaRequest;
use crate::registry::errors::RegistryError;
use crate::registry::state::qualified::{CONTEXT_WILDCARD, normalized};
use crate::registry::state::{self, Command, DeletedFilter, Outcome};
use axum::extract::{Path, State};
use std::sync::Arc;

/// Without a prefix those of all contexts.
pub async fn list(State(core): State<App>, visible: Visible, query: Query) -> Answer {
    let filter = DeletedFilter::of(query.flag("deleted"), query.flag("deletedOnly"));
    let prefix = query.text("subjectPrefix").unwrap_or(CONTEXT_WILDCARD);
    let state = core.state();
    let names = state
        .subjects_with_prefix(prefix)
        .filter(|(name, subject)| filter.shows_subject(subject) && visible.subject(name))
        .map(|(name, _)| name);
    json(&query.page()?.of(names))
}

fn nothing_found(state: &state::State, subject: &str, with_deleted: bool) -> RegistryError {
    if state.has_subjects(Some(subject), with_deleted) {
        RegistryError::SchemaNotFound
    } else {
        RegistryError::SubjectNotFound(subject.to_owned())
    }
}

pub async fn look_up(
    State(core): State<App>,
    Path(subject): Path<String>,
    visible: Visible,
    query: Query,
    JsonBody(request): JsonBody<SchemaRequest>,
) -> Answer {
    let subject: Arc<str> = normalized(&subject).into();
    visible.may_refer(&subject, request.references.as_deref())?;
    let with_deleted = query.flag("deleted");
    let state = core.state();
    let normalize = query.normalize(&state.config_in_scope(Some(&subject)));
    let found = core
        .look_up(
            state.clone(),
            subject.clone(),
            Arc::new(request),
            normalize,
            with_deleted,
            visible,
        )
        .await?;
    let found = found.ok_or_else(|| nothing_found(&state, &subject, with_deleted))?;
    let text = core
        .text_of(&found.subject, &found.content, query.text("format"))
        .await?;
    json(&SchemaJson {
        schema: text,
        ..SchemaJson::of_registered(&found)
    })
}

/// The newest version whose metadata has all of the `key` and `value` pairs.
pub async fn latest_with_metadata(
    State(core): State<App>,
    Path(subject): Path<String>,
    query: Query,
) -> Answer {
    let subject = normalized(&subject);
    let with_deleted = query.flag("deleted");
    let wanted: Vec<(String, String)> = query.all("key").into_iter().zip(query.all("value")).collect();
    let state = core.state();
    let filter = DeletedFilter::of(with_deleted, false);
    let found = state
        .subject(&subject)
        .into_iter()
        .flat_map(|s| s.versions.iter().rev())
        .find(|(_, version)| {
            let metadata = version.content.metadata.as_ref();
            filter.shows(version)
                && metadata.is_some_and(|metadata| {
                    wanted
                        .iter()
                        .all(|(key, value)| metadata.properties.get(key) == Some(value))
                })
        });
    let (number, version) = found.ok_or_else(|| nothing_found(&state, &subject, with_deleted))?;
    let text = core
        .text_of(&subject, &version.content, query.text("format"))
        .await?;
    json(&SchemaJson {
        schema: text,
        ..SchemaJson::of(&subject, *number, version)
    })
}

pub async fn delete(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    let command = Command::DeleteSubject {
        subject: normalized(&subject).into(),
        permanent: query.flag("permanent"),
    };
    match core.submit(command).await? {
        Outcome::DeletedSubject(versions) => {
            json(&versions.iter().map(|version| version.0).collect::<Vec<_>>())
        }
        _ => Err(RegistryError::INTERNAL),
    }
}
