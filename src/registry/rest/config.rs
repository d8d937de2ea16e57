//! `/config` (`ConfigResource.java`). Of Confluent's settings `compatibility` and `normalize` are kept.

use super::App;
use super::body::{Answer, JsonBody, Query, json};
use crate::registry::errors::RegistryError;
use crate::registry::state::{Command, ConfigValue, Outcome, level_from_name, level_name, subject_name};
use axum::extract::{Path, State};
use serde_json::{Map, Value};
use std::sync::Arc;

type Settings = Map<String, Value>;

/// `:.:` is the default context, that is, the global configuration.
pub fn scope_of(path: &str) -> Result<Option<Arc<str>>, RegistryError> {
    if path == ":.:" {
        Ok(None)
    } else {
        subject_name(path).map(|subject| Some(subject.into()))
    }
}

/// A level is `compatibilityLevel` where it is read and `compatibility` where it is written.
fn shown(level_key: &str, config: ConfigValue) -> Answer {
    let mut settings = Settings::new();
    if let Some(normalize) = config.normalize {
        settings.insert("normalize".to_owned(), normalize.into());
    }
    if let Some(level) = config.compatibility {
        settings.insert(level_key.to_owned(), level_name(level).into());
    }
    json(&settings)
}

pub async fn get_global(State(core): State<App>) -> Answer {
    shown(
        "compatibilityLevel",
        core.state().config(None).unwrap_or_default(),
    )
}

pub async fn get_subject(State(core): State<App>, Path(subject): Path<String>, query: Query) -> Answer {
    let state = core.state();
    let Some(subject) = scope_of(&subject)? else {
        return shown("compatibilityLevel", state.config(None).unwrap_or_default());
    };
    if query.flag("defaultToGlobal") {
        return shown("compatibilityLevel", state.config_in_scope(&subject));
    }
    let own = state.config(Some(&subject));
    let own = own.ok_or_else(|| RegistryError::CompatibilityNotConfigured(subject.to_string()))?;
    shown("compatibilityLevel", own)
}

pub async fn put_global(State(core): State<App>, JsonBody(settings): JsonBody<Settings>) -> Answer {
    put(&core, None, &settings).await
}

pub async fn put_subject(
    State(core): State<App>,
    Path(subject): Path<String>,
    JsonBody(settings): JsonBody<Settings>,
) -> Answer {
    put(&core, scope_of(&subject)?, &settings).await
}

async fn put(core: &App, subject: Option<Arc<str>>, settings: &Settings) -> Answer {
    let compatibility = match settings.get("compatibility") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(name)) => Some(Some(
            level_from_name(name).ok_or(RegistryError::InvalidCompatibility)?,
        )),
        Some(_) => return Err(RegistryError::InvalidCompatibility),
    };
    let normalize = match settings.get("normalize") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::Bool(normalize)) => Some(Some(*normalize)),
        Some(_) => {
            return Err(RegistryError::MalformedBody(
                "normalize is true or false".to_owned(),
            ));
        }
    };
    for (name, value) in settings {
        if !value.is_null() && !matches!(name.as_str(), "compatibility" | "normalize") {
            tracing::warn!(setting = %name, subject = subject.as_deref(), "a setting that is not supported was ignored");
        }
    }
    match core
        .submit(Command::SetConfig {
            subject,
            compatibility,
            normalize,
        })
        .await?
    {
        Outcome::Config(config) => shown("compatibility", config),
        _ => Err(RegistryError::INTERNAL),
    }
}

pub async fn delete_global(State(core): State<App>) -> Answer {
    delete(&core, None).await
}

pub async fn delete_subject(State(core): State<App>, Path(subject): Path<String>) -> Answer {
    delete(&core, scope_of(&subject)?).await
}

async fn delete(core: &App, subject: Option<Arc<str>>) -> Answer {
    match core.submit(Command::DeleteConfig { subject }).await? {
        Outcome::Config(config) => shown("compatibilityLevel", config),
        _ => Err(RegistryError::INTERNAL),
    }
}
