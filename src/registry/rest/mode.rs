//! `/mode` (`ModeResource.java`), with the scopes of `/config`.

use super::App;
use super::body::{Answer, JsonBody, Query, json};
use super::config::{changed_scope_of, scope_of};
use crate::registry::errors::RegistryError;
use crate::registry::state::{Change, Command, Mode, Outcome, QualifiedSubject};
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Null clears a mode; without the field nothing is asked for.
#[derive(Deserialize)]
pub struct ModeRequest {
    #[serde(default)]
    mode: Change<String>,
}

/// The mode as it was asked for, null too.
#[derive(Serialize)]
struct Asked {
    mode: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
}

fn shown(mode: Option<Mode>) -> Answer {
    json(&Shown {
        mode: mode.map(Mode::as_str),
    })
}

fn invalid(why: &str) -> RegistryError {
    RegistryError::InvalidMode(why.to_owned())
}

pub async fn get_global(state: State<App>, query: Query) -> Answer {
    get(&state.0, None, &query)
}

pub async fn get_subject(state: State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    get(&state.0, scope_of(&subject).as_deref(), &query)
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
    let asked = Asked {
        mode: match request.mode {
            Change::Keep => return Err(invalid(VALID)),
            Change::Clear => None,
            Change::Set(name) => Some(name),
        },
    };
    let mode = match &asked.mode {
        None => None,
        Some(name) => Some(Mode::from_name(name).ok_or_else(|| invalid(VALID))?),
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
    json(&asked)
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
