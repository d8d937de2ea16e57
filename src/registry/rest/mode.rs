//! `/mode` (`ModeResource.java`), with the scopes of `/config`.
#![allow(clippy::option_option, reason = "not said, cleared and set are three")]

use super::App;
use super::body::{Answer, JsonBody, Query, json};
use super::config::{changed_scope_of, scope_of};
use crate::registry::errors::RegistryError;
use crate::registry::state::{Command, Mode, Outcome, QualifiedSubject};
use axum::extract::{Path, State};
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

/// Null clears a mode; without the field nothing is asked for.
#[derive(Serialize, Deserialize)]
pub struct ModeRequest {
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    mode: Option<Option<String>>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

fn shown(mode: Option<Mode>) -> Answer {
    json(&ModeRequest {
        mode: mode.map(|mode| Some(mode.as_str().to_owned())),
    })
}

fn invalid(why: &str) -> RegistryError {
    RegistryError::InvalidMode(why.to_owned())
}

pub async fn get_global(State(core): State<App>, query: Query) -> Answer {
    get(&core, None, &query)
}

pub async fn get_subject(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    get(&core, scope_of(&subject).as_deref(), &query)
}

fn get(core: &App, scope: Option<&str>, query: &Query) -> Answer {
    let state = core.state();
    if query.flag("defaultToGlobal") {
        return shown(Some(state.mode_in_scope(scope)));
    }
    let own = state.mode(scope);
    let own = own.ok_or_else(|| RegistryError::ModeNotConfigured(scope.unwrap_or_default().to_owned()))?;
    shown(Some(own))
}

pub async fn put_global(
    State(core): State<App>,
    query: Query,
    JsonBody(request): JsonBody<ModeRequest>,
) -> Answer {
    put(&core, None, &query, request).await
}

pub async fn put_subject(
    State(core): State<App>,
    Path(subject): Path<String>,
    query: Query,
    JsonBody(request): JsonBody<ModeRequest>,
) -> Answer {
    put(&core, changed_scope_of(&subject)?, &query, request).await
}

async fn put(core: &App, subject: Option<Arc<str>>, query: &Query, request: ModeRequest) -> Answer {
    const VALID: &str = "Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.";
    let mode = match &request.mode {
        None => return Err(invalid(VALID)),
        Some(None) => None,
        Some(Some(name)) => Some(Mode::from_name(name).ok_or_else(|| invalid(VALID))?),
    };
    let of_all = subject.as_deref().is_some_and(|scope| {
        let parts = QualifiedSubject::of(scope);
        parts.is_global() && parts.is_context()
    });
    if mode == Some(Mode::Forward) && !of_all {
        return Err(invalid("Forward mode only supported on global level"));
    }
    core.submit(Command::SetMode {
        subject,
        mode,
        force: query.flag("force"),
    })
    .await?;
    json(&request)
}

pub async fn delete_global(State(core): State<App>, query: Query) -> Answer {
    delete(&core, None, &query).await
}

pub async fn delete_subject(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    delete(&core, scope_of(&subject), &query).await
}

async fn delete(core: &App, subject: Option<Arc<str>>, query: &Query) -> Answer {
    let recursive = query.flag("recursive");
    match core.submit(Command::DeleteMode { subject, recursive }).await? {
        Outcome::Mode(mode) => shown(mode),
        _ => Err(RegistryError::INTERNAL),
    }
}
