//! `/schemas` (`SchemasResource.java`).

use super::App;
use super::body::{Answer, Query, SchemaJson, SchemaStringJson, json, qualified_references, text};
use crate::registry::access::Visible;
use crate::registry::errors::RegistryError;
use crate::registry::state::qualified::{DEFAULT_CONTEXT, QualifiedSubject, context_of};
use crate::registry::state::{self, DeletedFilter, Digest, IdState, SubjectState, VersionState};
use crate::schema::{SchemaId, Version};
use axum::extract::{Path, State};
use serde_json::json as value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Without a prefix those of the default context.
pub async fn list(State(core): State<App>, visible: Visible, query: Query) -> Answer {
    let prefix = query.text("subjectPrefix").unwrap_or_default();
    let filter = DeletedFilter::of(query.flag("deleted"), false);
    let latest_only = query.flag("latestOnly");
    // Nothing has an association here, so a listing by associations is of those without, if they are asked for.
    let by_association = ["resourceType", "associationType", "lifecycle"];
    let by_association = by_association.iter().any(|name| query.text(name).is_some());
    if by_association && query.text("lifecycle") != Some("NONE") {
        return json(&[(); 0]);
    }
    let rule_type = query.text("ruleType").filter(|name| !name.is_empty());
    let state = core.state();
    let aliases = if query.flag("aliases") {
        aliases(&state, prefix, &visible)
    } else {
        BTreeMap::new()
    };
    let mut subjects: BTreeMap<&str, &SubjectState> = state
        .subjects_with_prefix(prefix)
        .map(|(name, subject)| (name.as_ref(), subject))
        .collect();
    for subject in aliases.keys() {
        if let Some(found) = state.subject(subject) {
            subjects.insert(subject, found);
        }
    }
    subjects.retain(|name, _| visible.subject(name));
    let shown = subjects.iter().flat_map(|(name, subject)| {
        let newest = subject
            .versions
            .iter()
            .rev()
            .find(|(_, version)| filter.shows(version));
        let newest = newest.map(|(number, _)| *number);
        let has_rule = move |version: &VersionState| {
            let rules = version.content.rule_set.as_ref();
            rule_type.is_none_or(|name| rules.is_some_and(|rules| rules.has_rules_of_type(name)))
        };
        let names = aliases.get(*name).map_or(&[][..], Vec::as_slice);
        subject
            .versions
            .iter()
            .filter(move |(number, version)| {
                filter.shows(version) && (!latest_only || newest == Some(**number)) && has_rule(version)
            })
            .map(move |(number, version)| SchemaJson {
                aliases: names,
                ..SchemaJson::of(name, *number, version)
            })
    });
    json(&query.page()?.of_schemas(shown))
}

/// By subject, the names under which it goes besides: those of the configurations with the prefix that have an alias.
fn aliases(state: &state::State, prefix: &str, visible: &Visible) -> BTreeMap<String, Vec<String>> {
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, _) in state.subjects_with_prefix(prefix) {
        if let Cow::Owned(subject) = state.without_alias(name)
            && visible.subject(name)
        {
            aliases.entry(subject).or_default().push(name.to_string());
        }
    }
    aliases
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

/// An id where it was found: the version that stands for it.
struct Found<'a> {
    subject: &'a str,
    number: Version,
    version: &'a VersionState,
}

/// The version that stands for an id in a context: of the subject that was named, or of any.
fn in_context<'a>(
    state: &'a state::State,
    context: &str,
    id: SchemaId,
    subject: Option<&str>,
    visible: &Visible,
) -> Option<Found<'a>> {
    let id_state: &IdState = state.id(context, id)?;
    let newest = |with_deleted: bool| {
        let mut uses = state
            .uses(id_state, with_deleted)
            .filter(|(name, _)| subject.is_none_or(|subject| subject == name.as_ref()))
            .filter(|(name, _)| visible.subject(name));
        // Of the first subject the newest version.
        let (first, number) = uses.next()?;
        let last = uses.take_while(|(name, _)| *name == first).last();
        Some((first, last.map_or(number, |(_, number)| number)))
    };
    let (name, number) = newest(false).or_else(|| newest(true))?;
    let version = state.subject(name)?.versions.get(&number)?;
    Some(Found {
        subject: name,
        number,
        version,
    })
}

/// Where an id is looked for (`getSchemaKeyUsingContexts`): without a subject in the default context; with one that
/// names its context, only there; with another under that name, in the default context and then in the others, and at
/// last under any name in the default context.
fn by_subject<'a>(
    state: &'a state::State,
    id: SchemaId,
    subject: &str,
    visible: &Visible,
) -> Option<Found<'a>> {
    let parts = QualifiedSubject::of(subject);
    if parts.is_context() {
        return in_context(state, parts.context, id, None, visible);
    }
    if !parts.is_in_default_context() {
        return in_context(state, parts.context, id, Some(subject), visible);
    }
    state
        .places(parts.subject)
        .find_map(|place| in_context(state, context_of(&place), id, Some(&place), visible))
        .or_else(|| in_context(state, DEFAULT_CONTEXT, id, None, visible))
}

fn found<'a>(
    state: &'a state::State,
    id: SchemaId,
    visible: &Visible,
    query: &Query,
) -> Result<Found<'a>, RegistryError> {
    found_or_not(state, id, visible, query)?.ok_or_else(|| RegistryError::SchemaIdNotFound(id.0.to_string()))
}

/// # Errors
/// [`RegistryError::Forbidden`] when it is only where the client may not read. Ids are given one after the other:
/// that there is one tells nothing.
fn found_or_not<'a>(
    state: &'a state::State,
    id: SchemaId,
    visible: &Visible,
    query: &Query,
) -> Result<Option<Found<'a>>, RegistryError> {
    let subject = query.text("subject").unwrap_or_default();
    let found = by_subject(state, id, subject, visible);
    if found.is_none() && by_subject(state, id, subject, &Visible::default()).is_some() {
        return Err(visible.denied(format!("Schema: {}", id.0)));
    }
    Ok(found)
}

pub async fn by_id(
    State(core): State<App>,
    Path(id): Path<String>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let found = found(&state, id_of(&id)?, &visible, &query)?;
    let content = &found.version.content;
    let references = qualified_references(found.subject, content, query.text("referenceFormat"));
    let max_id = query
        .flag("fetchMaxId")
        .then(|| state.id_max(context_of(found.subject)));
    let schema_tags = core
        .tags_of(found.subject, content, query.all("findTags"))
        .await?;
    json(&SchemaStringJson {
        schema_tags,
        // Confluent's alias filter gives every look-up by id a subject, so its answer always names one.
        subject: Some(found.subject),
        version: Some(found.number.0),
        schema: core.text_of(found.subject, content, query.text("format")).await?,
        references: &references,
        max_id,
        ..SchemaStringJson::of(found.version)
    })
}

pub async fn schema_only(
    State(core): State<App>,
    Path(id): Path<String>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let found = found(&state, id_of(&id)?, &visible, &query)?;
    let schema = core
        .text_of(found.subject, &found.version.content, query.text("format"))
        .await?;
    Ok(text(&schema))
}

/// The subjects and versions that have an id, in the context where it was found.
fn uses<'a>(
    state: &'a state::State,
    id: &str,
    visible: &'a Visible,
    query: &Query,
) -> Result<impl Iterator<Item = (&'a Arc<str>, Version)>, RegistryError> {
    let id = id_of(id)?;
    let found = found_or_not(state, id, visible, query)?;
    let found = found.ok_or(RegistryError::SchemaNotFound)?;
    let id_state = state
        .id(context_of(found.subject), id)
        .ok_or(RegistryError::SchemaNotFound)?;
    let uses = state.uses(id_state, query.flag("deleted"));
    Ok(uses.filter(|(name, _)| visible.subject(name)))
}

pub async fn subjects(
    State(core): State<App>,
    Path(id): Path<String>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let mut names: Vec<_> = uses(&state, &id, &visible, &query)?
        .map(|(name, _)| name)
        .collect();
    names.dedup();
    json(&query.page()?.of(names.into_iter()))
}

pub async fn versions(
    State(core): State<App>,
    Path(id): Path<String>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let uses = uses(&state, &id, &visible, &query)?
        .map(|(name, version)| value!({ "subject": name, "version": version.0 }));
    json(&query.page()?.of(uses))
}

/// `format` as for an id: Confluent's Protobuf deserialiser asks for `serialized` when a header carries the GUID.
/// One that the client may not read is not there: a GUID is its schema's digest, so that a refusal would confirm a guess.
pub async fn by_guid(
    State(core): State<App>,
    Path(guid): Path<String>,
    visible: Visible,
    query: Query,
) -> Answer {
    let state = core.state();
    let found = ids_in_contexts(&state, &guid)
        .find_map(|(context, id)| in_context(&state, context, id, None, &visible));
    let found = found.ok_or(RegistryError::SchemaIdNotFound(guid))?;
    let schema = core
        .text_of(found.subject, &found.version.content, query.text("format"))
        .await?;
    json(&SchemaStringJson {
        schema,
        ..SchemaStringJson::of(found.version)
    })
}

/// Where a GUID has an id: the default context first.
fn ids_in_contexts<'a>(
    state: &'a state::State,
    guid: &str,
) -> impl Iterator<Item = (&'a Arc<str>, SchemaId)> {
    let digest = Digest::from_guid(guid);
    state.contexts().filter_map(move |context| {
        let id = state.id_of(context, digest?)?;
        Some((context, id))
    })
}

pub async fn ids_of_guid(State(core): State<App>, Path(guid): Path<String>, visible: Visible) -> Answer {
    let state = core.state();
    let ids: Vec<_> = ids_in_contexts(&state, &guid)
        .filter(|(context, id)| in_context(&state, context, *id, None, &visible).is_some())
        .map(|(context, id)| value!({ "context": context, "id": id.0 }))
        .collect();
    json(&ids)
}
