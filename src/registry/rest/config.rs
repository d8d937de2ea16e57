//! `/config` (`ConfigResource.java`): of a subject, of a context (`:.billing:`), of all contexts (`:.__GLOBAL:`), and
//! without a name of the default context.

use super::App;
use super::body::{Answer, JsonBody, Query, json};
use crate::registry::errors::RegistryError;
use crate::registry::state::qualified::{is_valid, normalized};
use crate::registry::state::{
    Change, Command, CompatibilityPolicy, ConfigUpdate, ConfigValue, LevelKey, Outcome,
};
use crate::registry::state::{RuleSet, lenient, level_from_name};
use axum::extract::{Path, State};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;

type Settings = Map<String, Value>;

/// What a path's subject means for a setting: none is the default context.
pub fn scope_of(path: &str) -> Option<Arc<str>> {
    let scope = normalized(path);
    (!scope.is_empty()).then(|| scope.into())
}

/// The same where the setting is changed.
///
/// # Errors
/// [`RegistryError::InvalidSubject`] for a name that no subject may have.
pub fn changed_scope_of(path: &str) -> Result<Option<Arc<str>>, RegistryError> {
    if is_valid(path, true) {
        Ok(scope_of(path))
    } else {
        Err(RegistryError::InvalidSubject(path.to_owned()))
    }
}

fn shown(config: &ConfigValue) -> Answer {
    json(&config.shown(LevelKey::CompatibilityLevel))
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
        return shown(&state.config_in_scope(scope));
    }
    let own = state.config(scope);
    shown(
        &own.ok_or_else(|| RegistryError::CompatibilityNotConfigured(scope.unwrap_or_default().to_owned()))?,
    )
}

pub async fn put_global(State(core): State<App>, JsonBody(settings): JsonBody<Settings>) -> Answer {
    put(&core, None, settings).await
}

pub async fn put_subject(
    State(core): State<App>,
    Path(subject): Path<String>,
    JsonBody(settings): JsonBody<Settings>,
) -> Answer {
    put(&core, changed_scope_of(&subject)?, settings).await
}

/// One setting of a request.
fn take<T: DeserializeOwned>(settings: &mut Settings, name: &str) -> Result<Change<T>, RegistryError> {
    match settings.remove(name) {
        None => Ok(Change::Keep),
        Some(value) => serde_json::from_value(value)
            .map_err(|error| RegistryError::MalformedBody(format!("{name}: {error}"))),
    }
}

/// A setting that is text.
fn take_text(settings: &mut Settings, name: &str) -> Result<Change<String>, RegistryError> {
    let Some(value) = settings.remove(name) else {
        return Ok(Change::Keep);
    };
    lenient::text(value)
        .map(|text| text.map_or(Change::Clear, Change::Set))
        .map_err(|error| RegistryError::MalformedBody(format!("{name}: {error}")))
}

fn rule_set(settings: &mut Settings, name: &str) -> Result<Change<RuleSet>, RegistryError> {
    let read = take::<RuleSet>(settings, name)?;
    if let Change::Set(rule_set) = &read {
        rule_set.validate().map_err(RegistryError::InvalidRuleSet)?;
    }
    Ok(read)
}

fn update_of(mut settings: Settings) -> Result<ConfigUpdate, RegistryError> {
    let settings = &mut settings;
    let compatibility = match take_text(settings, "compatibility")? {
        Change::Keep => Change::Keep,
        Change::Clear => Change::Clear,
        Change::Set(name) => Change::Set(level_from_name(&name).ok_or(RegistryError::InvalidCompatibility)?),
    };
    // A policy of an unknown name is none, as in Confluent's registry.
    let compatibility_policy = match take_text(settings, "compatibilityPolicy")? {
        Change::Keep => Change::Keep,
        Change::Clear => Change::Clear,
        Change::Set(name) => CompatibilityPolicy::from_name(&name).map_or(Change::Clear, Change::Set),
    };
    Ok(ConfigUpdate {
        alias: take_text(settings, "alias")?,
        alias_for_deks: take_text(settings, "aliasForDeks")?,
        normalize: take(settings, "normalize")?,
        validate_fields: take(settings, "validateFields")?,
        validate_new_schemas: take(settings, "validateNewSchemas")?,
        validate_rules: take(settings, "validateRules")?,
        compatibility,
        compatibility_policy,
        compatibility_group: take_text(settings, "compatibilityGroup")?,
        default_metadata: take(settings, "defaultMetadata")?,
        override_metadata: take(settings, "overrideMetadata")?,
        default_rule_set: rule_set(settings, "defaultRuleSet")?,
        override_rule_set: rule_set(settings, "overrideRuleSet")?,
    })
}

async fn put(core: &App, subject: Option<Arc<str>>, settings: Settings) -> Answer {
    let update = Box::new(update_of(settings)?);
    match core.submit(Command::SetConfig { subject, update }).await? {
        Outcome::Config(config) => json(&config.shown(LevelKey::Compatibility)),
        _ => Err(RegistryError::INTERNAL),
    }
}

pub async fn delete_global(State(core): State<App>) -> Answer {
    delete(&core, None).await
}

pub async fn delete_subject(State(core): State<App>, Path(subject): Path<String>) -> Answer {
    delete(&core, scope_of(&subject)).await
}

async fn delete(core: &App, subject: Option<Arc<str>>) -> Answer {
    match core.submit(Command::DeleteConfig { subject }).await? {
        Outcome::Config(config) => shown(&config),
        _ => Err(RegistryError::INTERNAL),
    }
}
