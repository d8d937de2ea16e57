//! From a command to the records that carry it out, or to the refusal (Confluent's `KafkaSchemaRegistry`).
//! Looks at the state, changes nothing.

mod delete;
mod mode;
mod register;

use self::delete::{delete_subject, delete_version};
use self::mode::{delete_context, delete_mode, set_mode};
use self::register::decide_register;
use super::config::{ConfigUpdate, ConfigValue};
use super::content::SchemaContent;
use super::fold::State;
use super::names::Mode;
use super::qualified::QualifiedSubject;
use super::record::Record;
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
