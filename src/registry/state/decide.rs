//! From a command to the records that carry it out, or to the refusal (Confluent's `KafkaSchemaRegistry`).
//! Looks at the state, changes nothing.

use super::config::{ConfigUpdate, ConfigValue};
use super::content::SchemaContent;
use super::fold::{State, SubjectState, VersionState};
use super::names::Mode;
use super::qualified::{DEFAULT_CONTEXT, QualifiedSubject, beside, context_of, is_in_scope};
use super::record::{Record, SchemaValue, TENANT};
use super::view::VersionId;
use crate::registry::errors::RegistryError;
use crate::schema::{SchemaId, Version};
use std::sync::Arc;

/// What a subject looked like when a schema was checked against it. A registration whose subject has moved on since
/// is decided anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Revision {
    subject: u64,
    scope: u64,
}

impl State {
    #[must_use]
    pub fn revision(&self, subject: &str) -> Revision {
        Revision {
            subject: self.subject(subject).map_or(0, |s| s.changed),
            scope: self.scope_changed,
        }
    }
}

/// A registration, parsed and checked for compatibility.
#[derive(Clone, Debug)]
pub struct Register {
    pub subject: Arc<str>,
    pub content: Arc<SchemaContent>,
    /// Only in IMPORT and FORWARD mode.
    pub id: Option<SchemaId>,
    pub version: WantedVersion,
    /// What the compatibility check saw.
    pub checked: Revision,
}

/// The `version` of a registration's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WantedVersion {
    /// None or 0: whichever holds the schema, or else the next one.
    #[default]
    Any,
    /// -1: the newest, or else the next one.
    Latest,
    /// The next one; in IMPORT mode any.
    Number(Version),
}

#[derive(Clone, Debug)]
pub enum Command {
    Register(Register),
    DeleteVersion {
        subject: Arc<str>,
        version: VersionId,
        permanent: bool,
    },
    DeleteSubject {
        subject: Arc<str>,
        permanent: bool,
    },
    /// Without a subject the default context's.
    SetConfig {
        subject: Option<Arc<str>>,
        update: Box<ConfigUpdate>,
    },
    DeleteConfig {
        subject: Option<Arc<str>>,
    },
    SetMode {
        subject: Option<Arc<str>>,
        mode: Option<Mode>,
        force: bool,
    },
    /// `recursive`: those of a context's subjects, too.
    DeleteMode {
        subject: Option<Arc<str>>,
        recursive: bool,
    },
    /// Forgets a context that has no subjects; named as subjects begin (`:.billing:`).
    DeleteContext {
        prefix: Arc<str>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Registered {
        id: SchemaId,
        version: Version,
    },
    /// The subject has moved on since the check: check again.
    Stale,
    DeletedVersion(Version),
    DeletedSubject(Vec<Version>),
    Config(Box<ConfigValue>),
    /// None where none was set.
    Mode(Option<Mode>),
    DeletedContext,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// All of them are written, or none.
    pub records: Vec<Record>,
    pub outcome: Outcome,
}

/// # Errors
/// The refusal that the client gets.
pub fn decide(state: &State, command: &Command) -> Result<Decision, RegistryError> {
    match command {
        Command::Register(register) => decide_register(state, register),
        Command::DeleteVersion {
            subject,
            version,
            permanent,
        } => delete_version(state, subject, *version, *permanent),
        Command::DeleteSubject { subject, permanent } => delete_subject(state, subject, *permanent),
        Command::SetConfig { subject, update } => {
            refuse_read_only(state, subject.as_deref())?;
            let value = ConfigUpdate::clone(update).over(&state.stored_config(subject.as_deref()));
            let record = Record::Config {
                subject: subject.clone(),
                value: Some(Box::new(value.clone().without_empty_text())),
            };
            Ok(Decision {
                records: vec![record],
                outcome: Outcome::Config(Box::new(value)),
            })
        }
        Command::DeleteConfig { subject } => {
            let old = state
                .config(subject.as_deref())
                .ok_or_else(|| not_found(subject.as_deref()))?;
            refuse_read_only(state, subject.as_deref())?;
            let records = vec![Record::Config {
                subject: subject.clone(),
                value: None,
            }];
            Ok(Decision {
                records,
                outcome: Outcome::Config(Box::new(old)),
            })
        }
        Command::SetMode { subject, mode, force } => set_mode(state, subject.as_ref(), *mode, *force),
        Command::DeleteMode { subject, recursive } => delete_mode(state, subject.as_ref(), *recursive),
        Command::DeleteContext { prefix } => delete_context(state, prefix),
    }
}

fn not_found(subject: Option<&str>) -> RegistryError {
    RegistryError::SubjectNotFound(subject.unwrap_or_default().to_owned())
}

fn not_permitted(subject: Option<&str>, why: &str) -> RegistryError {
    // The default context has an empty name in Confluent's sentence: two spaces.
    let context = subject.map(|subject| QualifiedSubject::of(subject).prefix());
    RegistryError::OperationNotPermitted(format!(
        "Subject {} in context {} {why}",
        subject.unwrap_or("null"),
        context.unwrap_or_default()
    ))
}

fn refuse_read_only(state: &State, subject: Option<&str>) -> Result<(), RegistryError> {
    if state.mode_in_scope(subject).is_read_only() {
        return Err(not_permitted(subject, "is in read-only mode"));
    }
    Ok(())
}

fn version_key(subject: &str, version: Version) -> String {
    format!(
        "{{magic=1,keytype=SCHEMA,subject={subject},version={}}}",
        version.0
    )
}

fn decide_register(state: &State, register: &Register) -> Result<Decision, RegistryError> {
    let subject = &register.subject;
    let context = context_of(subject);
    if register.version == WantedVersion::Any
        && let Some((version, id)) = already_there(state, subject, &register.content, register.id)
    {
        return Ok(Decision {
            records: vec![],
            outcome: Outcome::Registered { id, version },
        });
    }
    let mode = state.mode_in_scope(Some(subject));
    refuse_read_only(state, Some(subject))?;
    match (register.id, mode) {
        (Some(_), Mode::Import | Mode::Forward) | (None, Mode::ReadWrite) => {}
        (Some(_), _) => return Err(not_permitted(Some(subject), "is not in import mode")),
        (None, _) => return Err(not_permitted(Some(subject), "is not in read-write mode")),
    }
    // In FORWARD mode the id says that the schema comes from elsewhere; it is counted here all the same.
    let wanted_id = register.id.filter(|_| mode == Mode::Import);
    let wanted_id = wanted_id.or_else(|| state.id_of(context, register.content.digest()));
    if register.checked != state.revision(subject) || !references_exist(state, register) {
        return Ok(Decision {
            records: vec![],
            outcome: Outcome::Stale,
        });
    }
    let id = match wanted_id {
        Some(id) => id,
        None => next_id(state, context)?,
    };
    if state
        .id(context, id)
        .is_some_and(|existing| *existing.content != *register.content)
    {
        return Err(RegistryError::OperationNotPermitted(format!(
            "Overwrite new schema with id {} in context {} is not permitted.",
            id.0,
            QualifiedSubject::of(subject).prefix()
        )));
    }
    let next = state.next_version(subject);
    let version = match register.version {
        WantedVersion::Number(version) => version,
        WantedVersion::Any | WantedVersion::Latest => next,
    };
    if version != next && !mode.is_import() {
        return Err(RegistryError::InvalidSchema(
            "Version is not one more than previous version".to_owned(),
        ));
    }
    let mut records = Vec::new();
    if context != DEFAULT_CONTEXT && !state.has_context(context) {
        records.push(Record::Context {
            tenant: TENANT.into(),
            context: context.into(),
            tombstone: false,
        });
    }
    records.extend(superseded(state, subject, id, version));
    let value = SchemaValue {
        id,
        content: register.content.clone(),
        md5: None,
        deleted: false,
    };
    records.push(Record::Schema {
        subject: subject.clone(),
        version,
        value: Some(value),
    });
    Ok(Decision {
        records,
        outcome: Outcome::Registered { id, version },
    })
}

impl State {
    /// The number that a subject's next version gets.
    #[must_use]
    pub fn next_version(&self, subject: &str) -> Version {
        let versions = self.subject(subject).map(|subject| &subject.versions);
        let newest = versions.and_then(|versions| versions.keys().next_back().copied());
        Version(newest.map_or(1, |newest| newest.0.saturating_add(1)))
    }
}

/// Registering is idempotent: the newest live version that is this schema, unless another id is asked for.
fn already_there(
    state: &State,
    subject: &str,
    content: &SchemaContent,
    wanted_id: Option<SchemaId>,
) -> Option<(Version, SchemaId)> {
    let digest = content.digest();
    let wanted = |version: &VersionState| wanted_id.is_none_or(|id| id == version.id);
    let same = state
        .subject(subject)?
        .live()
        .rev()
        .find(|(_, version)| version.digest == digest && wanted(version));
    let found = same.or_else(|| {
        let means = |(number, version): &(Version, &VersionState)| {
            wanted(version) && content.means(&version.content, *number)
        };
        state.subject(subject)?.live().rev().find(means)
    });
    found.map(|(number, version)| (number, version.id))
}

fn references_exist(state: &State, register: &Register) -> bool {
    register.content.references.iter().all(|reference| {
        let subject = beside(&register.subject, &reference.subject);
        let version = VersionId::Number(Version(reference.version));
        state.version(&subject, version, true).is_some()
    })
}

fn next_id(state: &State, context: &str) -> Result<SchemaId, RegistryError> {
    let id = state
        .id_max(context)
        .checked_add(1)
        .filter(|id| i32::try_from(*id).is_ok());
    id.map(SchemaId)
        .ok_or_else(|| RegistryError::Store("no schema id is left".to_owned()))
}

/// Soft-deleted versions of the same id go when it comes back under a new version, unless they are referenced.
fn superseded(state: &State, subject: &Arc<str>, id: SchemaId, version: Version) -> Vec<Record> {
    let versions = state.subject(subject).map(|s| &s.versions);
    versions
        .into_iter()
        .flatten()
        .filter(|(number, old)| old.deleted && old.id == id && **number < version)
        .filter(|(number, _)| state.referenced_by(subject, **number, true).is_empty())
        .map(|(number, _)| Record::Schema {
            subject: subject.clone(),
            version: *number,
            value: None,
        })
        .collect()
}

fn delete_version(
    state: &State,
    subject: &Arc<str>,
    version: VersionId,
    permanent: bool,
) -> Result<Decision, RegistryError> {
    let (number, found) = state.version_or_refusal(subject, version, true)?;
    if found.deleted && !permanent {
        return Err(RegistryError::VersionSoftDeleted {
            subject: subject.to_string(),
            version: version.number(),
        });
    }
    refuse_read_only(state, Some(subject))?;
    if !state.referenced_by(subject, number, permanent).is_empty() {
        return Err(RegistryError::ReferenceExists(version_key(subject, number)));
    }
    let outcome = Outcome::DeletedVersion(number);
    if !permanent {
        let records = vec![Record::Schema {
            subject: subject.clone(),
            version: number,
            value: Some(found.value(true)),
        }];
        return Ok(Decision { records, outcome });
    }
    if !found.deleted {
        return Err(RegistryError::VersionNotSoftDeleted {
            subject: subject.to_string(),
            version: number.0,
        });
    }
    let mut records = vec![Record::Schema {
        subject: subject.clone(),
        version: number,
        value: None,
    }];
    if let Some(state) = state.subject(subject).filter(|s| s.versions.len() == 1) {
        forget_settings(subject, state, &mut records);
    }
    Ok(Decision { records, outcome })
}

fn delete_subject(state: &State, subject: &Arc<str>, permanent: bool) -> Result<Decision, RegistryError> {
    if !state.has_subjects(Some(subject), true) {
        return Err(RegistryError::SubjectNotFound(subject.to_string()));
    }
    let empty = SubjectState::default();
    let found = state.subject(subject).unwrap_or(&empty);
    if !permanent && !state.has_subjects(Some(subject), false) {
        return Err(RegistryError::SubjectSoftDeleted(subject.to_string()));
    }
    refuse_read_only(state, Some(subject))?;
    let mut deleted = Vec::new();
    for (number, version) in &found.versions {
        if version.deleted && !permanent {
            continue;
        }
        let mut referencing = state.referencing_subjects(subject, *number, permanent);
        referencing.remove(subject);
        if !referencing.is_empty() {
            return Err(RegistryError::ReferenceExists(version_key(subject, *number)));
        }
        if permanent && !version.deleted {
            return Err(RegistryError::SubjectNotSoftDeleted(subject.to_string()));
        }
        deleted.push(*number);
    }
    let mut records = Vec::new();
    if permanent {
        // Newest first, because a version may refer to an older one of its own subject.
        records.extend(deleted.iter().rev().map(|version| Record::Schema {
            subject: subject.clone(),
            version: *version,
            value: None,
        }));
        forget_settings(subject, found, &mut records);
    } else if let Some(version) = deleted.last() {
        records.push(Record::DeleteSubject {
            subject: subject.clone(),
            version: Some(*version),
        });
    }
    Ok(Decision {
        records,
        outcome: Outcome::DeletedSubject(deleted),
    })
}

/// With its last version a subject loses its mode and its configuration.
fn forget_settings(name: &Arc<str>, subject: &SubjectState, records: &mut Vec<Record>) {
    if subject.mode.is_some() {
        records.push(Record::Mode {
            subject: Some(name.clone()),
            value: None,
        });
    }
    if subject.config.is_some() {
        records.push(Record::Config {
            subject: Some(name.clone()),
            value: None,
        });
    }
}

fn set_mode(
    state: &State,
    subject: Option<&Arc<str>>,
    mode: Option<Mode>,
    force: bool,
) -> Result<Decision, RegistryError> {
    let mut records = Vec::new();
    let entering_import =
        mode == Some(Mode::Import) && state.mode_in_scope(subject.map(AsRef::as_ref)) != Mode::Import;
    if entering_import && !force {
        clear_for_import(state, subject, &mut records)?;
    }
    records.push(Record::Mode {
        subject: subject.cloned(),
        value: mode,
    });
    Ok(Decision {
        records,
        outcome: Outcome::Mode(mode),
    })
}

/// An import starts from nothing: live versions stand in its way, soft-deleted ones are removed.
fn clear_for_import(
    state: &State,
    scope: Option<&Arc<str>>,
    records: &mut Vec<Record>,
) -> Result<(), RegistryError> {
    let matching = || {
        state
            .subjects()
            .filter(|(name, _)| scope.is_none_or(|scope| is_in_scope(name, scope)))
    };
    if matching().any(|(_, s)| s.live().next().is_some()) {
        return Err(RegistryError::OperationNotPermitted(
            "Cannot import since found existing subjects".to_owned(),
        ));
    }
    for (name, found) in matching() {
        for number in found.versions.keys() {
            if !state.referenced_by(name, *number, true).is_empty() {
                return Err(RegistryError::ReferenceExists(version_key(name, *number)));
            }
            records.push(Record::Schema {
                subject: name.clone(),
                version: *number,
                value: None,
            });
        }
    }
    records.push(Record::ClearSubject {
        subject: scope.cloned(),
        tombstone: false,
    });
    Ok(())
}

fn delete_mode(
    state: &State,
    subject: Option<&Arc<str>>,
    recursive: bool,
) -> Result<Decision, RegistryError> {
    let old = state.mode(subject.map(AsRef::as_ref));
    if old.is_none() && !recursive {
        return Err(not_found(subject.map(AsRef::as_ref)));
    }
    let gone = |subject: Option<&Arc<str>>| Record::Mode {
        subject: subject.cloned(),
        value: None,
    };
    let mut records = vec![gone(subject)];
    let context = QualifiedSubject::of(subject.map_or("", AsRef::as_ref));
    if recursive && context.is_context() {
        let inside = |name: &str| {
            let parts = QualifiedSubject::of(name);
            parts.context == context.context && !parts.is_context()
        };
        let with_mode = state
            .subjects()
            .filter(|(name, found)| found.mode.is_some() && inside(name));
        records.extend(with_mode.map(|(name, _)| gone(Some(name))));
    }
    Ok(Decision {
        records,
        outcome: Outcome::Mode(old),
    })
}

fn delete_context(state: &State, prefix: &Arc<str>) -> Result<Decision, RegistryError> {
    if state.has_subjects(Some(prefix), true) {
        return Err(RegistryError::ContextNotEmpty(prefix.to_string()));
    }
    let context = context_of(prefix);
    let records = if state.has_context(context) {
        vec![Record::Context {
            tenant: TENANT.into(),
            context: context.into(),
            tombstone: true,
        }]
    } else {
        vec![]
    };
    Ok(Decision {
        records,
        outcome: Outcome::DeletedContext,
    })
}
