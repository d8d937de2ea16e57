//! From a command to the records that carry it out, or to the refusal (Confluent's `KafkaSchemaRegistry`).
//! Looks at the state, changes nothing.

use super::content::SchemaContent;
use super::fold::{State, SubjectState};
use super::names::Mode;
use super::record::{ConfigValue, Record, SchemaValue};
use super::view::VersionId;
use crate::registry::errors::RegistryError;
use crate::schema::{CompatibilityLevel, SchemaId, Version};
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
    /// Only in IMPORT mode.
    pub id: Option<SchemaId>,
    /// In IMPORT mode any; else the next one or none.
    pub version: Option<Version>,
    /// What the compatibility check saw.
    pub checked: Revision,
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
    /// An inner `None` clears what is set; an outer one leaves it as it is.
    SetConfig {
        subject: Option<Arc<str>>,
        compatibility: Option<Option<CompatibilityLevel>>,
        normalize: Option<Option<bool>>,
    },
    DeleteConfig {
        subject: Option<Arc<str>>,
    },
    SetMode {
        subject: Option<Arc<str>>,
        mode: Option<Mode>,
        force: bool,
    },
    DeleteMode {
        subject: Option<Arc<str>>,
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
    Config(ConfigValue),
    Mode(Mode),
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
        Command::SetConfig {
            subject,
            compatibility,
            normalize,
        } => {
            refuse_read_only(state, subject.as_deref())?;
            let old = match subject {
                None => state.config,
                Some(subject) => state.subject(subject).and_then(|s| s.config),
            }
            .unwrap_or_default();
            let value = ConfigValue {
                compatibility: compatibility.unwrap_or(old.compatibility),
                normalize: normalize.unwrap_or(old.normalize),
            };
            let records = vec![Record::Config {
                subject: subject.clone(),
                value: Some(value),
            }];
            Ok(Decision {
                records,
                outcome: Outcome::Config(value),
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
                outcome: Outcome::Config(old),
            })
        }
        Command::SetMode { subject, mode, force } => set_mode(state, subject.as_ref(), *mode, *force),
        Command::DeleteMode { subject } => {
            let old = state
                .mode(subject.as_deref())
                .ok_or_else(|| not_found(subject.as_deref()))?;
            let records = vec![Record::Mode {
                subject: subject.clone(),
                value: None,
            }];
            Ok(Decision {
                records,
                outcome: Outcome::Mode(old),
            })
        }
    }
}

fn not_found(subject: Option<&str>) -> RegistryError {
    RegistryError::SubjectNotFound(subject.unwrap_or_default().to_owned())
}

fn not_permitted(subject: Option<&str>, why: &str) -> RegistryError {
    // The default context has an empty name in Confluent's sentence: two spaces.
    RegistryError::OperationNotPermitted(format!("Subject {} in context  {why}", subject.unwrap_or("null")))
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
    let digest = register.content.digest();
    if let Some((version, found)) = already_there(state, register) {
        return Ok(Decision {
            records: vec![],
            outcome: Outcome::Registered { id: found, version },
        });
    }
    let mode = state.mode_in_scope(Some(subject));
    refuse_read_only(state, Some(subject))?;
    match (register.id, mode) {
        (Some(_), Mode::Import) | (None, Mode::ReadWrite) => {}
        (Some(_), _) => return Err(not_permitted(Some(subject), "is not in import mode")),
        (None, _) => return Err(not_permitted(Some(subject), "is not in read-write mode")),
    }
    if register.checked != state.revision(subject) {
        return Ok(Decision {
            records: vec![],
            outcome: Outcome::Stale,
        });
    }
    for reference in &register.content.references {
        let version = VersionId::Number(Version(reference.version));
        if state.version(&reference.subject, version, true).is_none() {
            return Ok(Decision {
                records: vec![],
                outcome: Outcome::Stale,
            });
        }
    }
    let id = match register.id {
        Some(id) => id,
        None => match state.id_of(digest) {
            Some(id) => id,
            None => next_id(state)?,
        },
    };
    if state.id(id).is_some_and(|existing| existing.digest != digest) {
        return Err(RegistryError::OperationNotPermitted(format!(
            "Overwrite new schema with id {} in context  is not permitted.",
            id.0
        )));
    }
    let newest = state
        .subject(subject)
        .and_then(|s| s.versions.keys().next_back().copied());
    let next = Version(newest.map_or(1, |newest| newest.0.saturating_add(1)));
    let version = register.version.unwrap_or(next);
    if version != next && mode != Mode::Import {
        return Err(RegistryError::InvalidSchema(
            "Version is not one more than previous version".to_owned(),
        ));
    }
    let mut records = superseded(state, subject, id, version);
    let value = SchemaValue {
        id,
        content: register.content.clone(),
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

/// Registering is idempotent: the newest live version that holds this schema, unless another id or version is asked
/// for.
fn already_there(state: &State, register: &Register) -> Option<(Version, SchemaId)> {
    let digest = register.content.digest();
    let subject = state.subject(&register.subject)?;
    subject
        .live()
        .rev()
        .find(|(number, version)| {
            version.digest == digest
                && register.id.is_none_or(|id| id == version.id)
                && register.version.is_none_or(|asked| asked == *number)
        })
        .map(|(number, version)| (number, version.id))
}

fn next_id(state: &State) -> Result<SchemaId, RegistryError> {
    let id = state
        .id_max()
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
        let value = SchemaValue {
            id: found.id,
            content: found.content.clone(),
            deleted: true,
        };
        let records = vec![Record::Schema {
            subject: subject.clone(),
            version: number,
            value: Some(value),
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
    let Some(found) = state.subject(subject).filter(|s| !s.versions.is_empty()) else {
        return Err(RegistryError::SubjectNotFound(subject.to_string()));
    };
    if !permanent && found.live().next().is_none() {
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
            version: *version,
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
        outcome: Outcome::Mode(mode.unwrap_or(Mode::ReadWrite)),
    })
}

/// An import starts from nothing: live versions stand in its way, soft-deleted ones are removed.
fn clear_for_import(
    state: &State,
    subject: Option<&Arc<str>>,
    records: &mut Vec<Record>,
) -> Result<(), RegistryError> {
    let matching = || {
        state
            .subjects()
            .filter(|(name, _)| subject.is_none_or(|subject| subject == *name))
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
    Ok(())
}
