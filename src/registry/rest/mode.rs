//! `/mode` (`ModeResource.java`).

use super::App;
use super::body::{Answer, JsonBody, Query, json};
use super::config::scope_of;
use crate::registry::errors::RegistryError;
use crate::registry::state::{Command, Mode, Outcome};
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
pub struct ModeRequest {
    #[serde(default)]
    mode: Option<String>,
}

fn shown(mode: Mode) -> Answer {
    json(&ModeRequest {
        mode: Some(mode.as_str().to_owned()),
    })
}

pub async fn get_global(State(core): State<App>) -> Answer {
    shown(core.state().mode_in_scope(None))
}

pub async fn get_subject(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    let state = core.state();
    let Some(subject) = scope_of(&subject)? else {
        return shown(state.mode_in_scope(None));
    };
    if query.flag("defaultToGlobal") {
        return shown(state.mode_in_scope(Some(&subject)));
    }
    shown(
        state
            .mode(Some(&subject))
            .ok_or_else(|| RegistryError::ModeNotConfigured(subject.to_string()))?,
    )
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
    put(&core, scope_of(&subject)?, &query, request).await
}

async fn put(core: &App, subject: Option<Arc<str>>, query: &Query, request: ModeRequest) -> Answer {
    let mode = match request.mode.as_deref() {
        None => None,
        Some(name) => Some(Mode::from_name(name).ok_or_else(|| {
            RegistryError::InvalidMode(
                "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE and IMPORT."
                    .to_owned(),
            )
        })?),
    };
    core.submit(Command::SetMode {
        subject,
        mode,
        force: query.flag("force"),
    })
    .await?;
    json(&request)
}

pub async fn delete_global(State(core): State<App>) -> Answer {
    delete(&core, None).await
}

pub async fn delete_subject(State(core): State<App>, Path(subject): Path<String>) -> Answer {
    delete(&core, scope_of(&subject)?).await
}

async fn delete(core: &App, subject: Option<Arc<str>>) -> Answer {
    match core.submit(Command::DeleteMode { subject }).await? {
        Outcome::Mode(mode) => shown(mode),
        _ => Err(RegistryError::INTERNAL),
    }
}
