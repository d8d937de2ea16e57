//! What a schema is registered or looked up as: found among its subject's versions, or completed with what its subject
//! gives every schema (`KafkaSchemaRegistry.registerOrForward`, `AbstractSchemaRegistry.lookUpSchemaUnderSubject`,
//! `maybePopulateFromPrevious`). Pure, but slow: it parses schemas, so `admission` runs it on its threads.

use super::access::Visible;
use super::admission::{Admitted, Reading, ReferenceRequest, SchemaRequest, is_as_new, parse, parse_stored};
use super::errors::RegistryError;
use super::state::qualified::context_of;
use super::state::{ConfigValue, Metadata, Revision, RuleSet, SchemaContent, State, VersionId};
use super::state::{SubjectState, VersionState, WantedVersion};
use super::tagging::{propagated, tagged};
use crate::schema::{Schema, SchemaId, Version};
use std::sync::Arc;

/// Versions with references that are compared with a schema sent without any.
const RESOLVED_MAX: usize = 16;

/// A version that a schema was found as, or has become.
#[derive(Clone, PartialEq, Debug)]
pub struct Registered {
    /// Its subject: of another context than was asked for, when only that has it.
    pub subject: Arc<str>,
    pub id: SchemaId,
    pub version: Version,
    /// As the registry has it, or as it was sent: the two mean the same.
    pub content: Arc<SchemaContent>,
    /// When it was recorded and whether it is deleted, where the registry's own is shown.
    pub recorded: Option<(i64, bool)>,
}

/// A registration before it is compared with earlier versions.
pub enum Prepared {
    Found(Registered),
    New {
        admitted: Arc<Admitted>,
        /// What the state was when it was prepared.
        checked: Revision,
    },
}

/// What a registration asks for besides its schema.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub id: Option<SchemaId>,
    pub version: WantedVersion,
    pub normalize: bool,
}

/// Finds a schema among its subject's versions, or makes it ready to become one.
///
/// # Errors
/// [`RegistryError::InvalidSchema`] when it cannot be parsed within its limits.
pub fn prepare(
    state: &State,
    subject: &Arc<str>,
    request: &SchemaRequest,
    wanted: Wanted,
) -> Result<Prepared, RegistryError> {
    let config = state.config_in_scope(Some(subject));
    let import = state.mode_in_scope(Some(subject)).is_import();
    let reading = Reading {
        as_new: false,
        normalize: wanted.normalize && !import,
    };
    let as_sent = !request.changes_tags() && !request.propagate_schema_tags;
    let tagged = tagged(state, subject, request)?;
    let request = tagged.as_ref().unwrap_or(request);
    let mut admitted = None;
    if as_sent && !config.has_defaults_or_overrides() && !is_empty(request) {
        let read = parse(state, subject, request, reading)?;
        if let Some(found) = registered_already(state, subject, &read, wanted) {
            return Ok(Prepared::Found(found));
        }
        admitted = Some(read);
    }
    let completed = if import {
        None
    } else {
        completed(state, &config, subject, request, wanted)?
    };
    let as_new = wanted.id.is_none() && config.validate_new_schemas.unwrap_or(true);
    let admitted = match admitted {
        Some(admitted)
            if completed.is_none() && (!as_new || is_as_new(state, subject, request, &admitted)?) =>
        {
            admitted
        }
        _ => {
            let request = completed.as_ref().unwrap_or(request);
            parse(state, subject, request, Reading { as_new, ..reading })?
        }
    };
    Ok(Prepared::New {
        admitted: Arc::new(admitted),
        checked: state.revision(subject),
    })
}

fn is_empty(request: &SchemaRequest) -> bool {
    request
        .schema
        .as_deref()
        .is_none_or(|text| text.trim().is_empty())
}

/// What a registration need not write: the schema is there, under the id and version that it asks for.
fn registered_already(
    state: &State,
    subject: &Arc<str>,
    admitted: &Admitted,
    wanted: Wanted,
) -> Option<Registered> {
    let latest_only = wanted.version == WantedVersion::Latest;
    let found = find(state, subject, admitted, false, latest_only)?;
    match wanted.version {
        WantedVersion::Any | WantedVersion::Latest => {
            wanted.id.is_none_or(|id| id == found.id).then_some(found)
        }
        WantedVersion::Number(_) if wanted.id != Some(found.id) => None,
        WantedVersion::Number(number) if number == found.version => Some(found),
        WantedVersion::Number(number) => {
            let (_, older) = state.version(subject, VersionId::Number(number), false)?;
            let same = older.id == found.id && older.digest == found.content.digest();
            same.then(|| recorded(subject, number, older))
        }
    }
}

fn recorded(subject: &Arc<str>, version: Version, state: &VersionState) -> Registered {
    Registered {
        subject: subject.clone(),
        id: state.id,
        version,
        content: state.content.clone(),
        recorded: Some((state.timestamp_ms, state.deleted)),
    }
}

/// The newest version that is this very schema, or means it.
fn find(
    state: &State,
    subject: &Arc<str>,
    admitted: &Admitted,
    with_deleted: bool,
    latest_only: bool,
) -> Option<Registered> {
    let content = &admitted.content;
    let shown = |version: &VersionState| with_deleted || !version.deleted;
    let digest = content.digest();
    let versions = || {
        state
            .subject(subject)
            .into_iter()
            .flat_map(|s| s.versions.iter().rev())
    };
    if !latest_only && state.id_of(context_of(subject), digest).is_some() {
        let same = versions().find(|(_, version)| version.digest == digest && shown(version));
        if let Some((number, version)) = same {
            return Some(Registered {
                subject: subject.clone(),
                id: version.id,
                version: *number,
                content: content.clone(),
                recorded: None,
            });
        }
    }
    let looked_at = if latest_only { 1 } else { usize::MAX };
    let mut resolved_left = RESOLVED_MAX;
    versions()
        .filter(|(_, version)| shown(version) && !(latest_only && version.deleted))
        .take(looked_at)
        .find(|(number, version)| {
            content.means(&version.content, **number)
                || means_resolved(state, subject, admitted, **number, version, &mut resolved_left)
        })
        .map(|(number, version)| recorded(subject, *number, version))
}

/// Whether a schema that was sent without references is a version with all of its references written out.
fn means_resolved(
    state: &State,
    subject: &str,
    admitted: &Admitted,
    number: Version,
    version: &VersionState,
    left: &mut usize,
) -> bool {
    let content = &admitted.content;
    if !content.references.is_empty()
        || version.content.references.is_empty()
        || !content.agrees_besides_text(&version.content, number)
        || *left == 0
    {
        return false;
    }
    *left -= 1;
    let resolved = |schema: &Schema| match schema {
        Schema::Avro(schema) => schema.resolved().ok(),
        Schema::Protobuf(_) | Schema::Json(_) => None,
    };
    let previous = parse_stored(state, subject, &version.content).ok();
    match (resolved(&admitted.schema), previous.as_ref().and_then(resolved)) {
        (Some(sent), Some(previous)) => sent == previous,
        _ => false,
    }
}

/// A schema under a subject; one that names no context is looked for in the others, too
/// (`lookUpSchemaUnderSubjectUsingContexts`), as far as it may be read there with what it refers to.
///
/// # Errors
/// [`RegistryError::InvalidSchema`] when it cannot be parsed within its limits.
pub fn look_up(
    state: &State,
    subject: &str,
    request: &SchemaRequest,
    normalize: bool,
    with_deleted: bool,
    visible: &Visible,
) -> Result<Option<Registered>, RegistryError> {
    let references = request.references.as_deref();
    for (position, place) in state.places(subject).enumerate() {
        let elsewhere = position > 0;
        let shown = || visible.subject(&place) && visible.may_refer(&place, references).is_ok();
        if elsewhere && (state.subject(&place).is_none() || !shown()) {
            continue;
        }
        match look_up_in(
            state,
            &Arc::from(place.as_ref()),
            request,
            normalize,
            with_deleted,
        ) {
            Ok(None) => {}
            // What is no schema there may be one elsewhere: its references differ.
            Err(RegistryError::InvalidSchema(_)) if elsewhere => {}
            other => return other,
        }
    }
    Ok(None)
}

fn look_up_in(
    state: &State,
    subject: &Arc<str>,
    request: &SchemaRequest,
    normalize: bool,
    with_deleted: bool,
) -> Result<Option<Registered>, RegistryError> {
    if is_empty(request) {
        return Ok(None);
    }
    let reading = Reading {
        as_new: false,
        normalize: normalize && !state.mode_in_scope(Some(subject)).is_import(),
    };
    let admitted = parse(state, subject, request, reading)?;
    if let Some(found) = find(state, subject, &admitted, with_deleted, false) {
        return Ok(Some(found));
    }
    let Some((_, latest)) = state.version(subject, VersionId::Latest, false) else {
        return Ok(None);
    };
    let config = state.config_in_scope(Some(subject));
    let (metadata, rule_set) = settled(&config, request, Some(&latest.content));
    if metadata.is_none() && rule_set.is_none()
        || metadata == request.metadata && rule_set == request.rule_set
    {
        return Ok(None);
    }
    let completed = Admitted {
        content: Arc::new(SchemaContent {
            metadata,
            rule_set,
            ..(*admitted.content).clone()
        }),
        schema: admitted.schema,
    };
    Ok(find(state, subject, &completed, with_deleted, false))
}

/// The metadata and the rule set that a schema has: its own, or else the previous version's, over the configured
/// defaults, under the configured overrides.
fn settled(
    config: &ConfigValue,
    request: &SchemaRequest,
    previous: Option<&SchemaContent>,
) -> (Option<Metadata>, Option<RuleSet>) {
    let own = request.metadata.as_ref().or_else(|| previous?.metadata.as_ref());
    let metadata = Metadata::merged(config.default_metadata.as_ref(), own);
    let metadata = Metadata::merged(metadata.as_ref(), config.override_metadata.as_ref());
    let own = request.rule_set.as_ref().or_else(|| previous?.rule_set.as_ref());
    let rule_set = RuleSet::merged(config.default_rule_set.as_ref(), own);
    let rule_set = RuleSet::merged(rule_set.as_ref(), config.override_rule_set.as_ref());
    (metadata, rule_set)
}

/// The request as it is registered, if it is to be registered differently than it was sent: without a text it is the
/// previous version's, and metadata and rules are settled. A version that was asked for by its number, or whose metadata
/// has it already, says it in `confluent:version`.
fn completed(
    state: &State,
    config: &ConfigValue,
    subject: &str,
    request: &SchemaRequest,
    wanted: Wanted,
) -> Result<Option<SchemaRequest>, RegistryError> {
    let previous = state
        .subject(subject)
        .and_then(|s| SubjectState::live(s).next_back());
    let previous = previous.map(|(_, version)| &version.content);
    let mut complete = request.clone();
    if is_empty(request) {
        let previous = previous.ok_or_else(|| RegistryError::InvalidSchema("Empty schema".to_owned()))?;
        complete.schema = Some(previous.text.to_string());
        complete.schema_type = Some(previous.schema_type.as_str().to_owned());
        complete.references = Some(previous.references.iter().map(ReferenceRequest::from).collect());
    }
    if request.propagate_schema_tags
        && let Some(previous) = previous
        && let Some(text) = propagated(state, subject, &complete, previous)?
    {
        complete.schema = Some(text);
    }
    let (mut metadata, rule_set) = settled(config, request, previous.map(|previous| &**previous));
    let says_version = metadata.as_ref().is_some_and(Metadata::has_confluent_version);
    if wanted.version != WantedVersion::Any || says_version {
        metadata
            .get_or_insert_default()
            .set_confluent_version(state.next_version(subject).0.into());
    }
    if metadata.is_some() || rule_set.is_some() {
        complete.metadata = metadata;
        complete.rule_set = rule_set;
    }
    Ok((complete != *request).then_some(complete))
}
