//! Subjects, versions, ids, configuration and modes as a fold over a log of records. Pure: records and commands
//! in, states and records out; the time comes with a record.

mod config;
mod content;
mod decide;
mod fold;
pub mod lenient;
mod names;
pub mod qualified;
mod record;
mod references;
mod rules;
mod settings;
mod view;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use config::{Change, ConfigJson, ConfigUpdate, ConfigValue, LevelKey};
pub use content::{Digest, Metadata, Reference, SchemaContent};
pub use decide::{Command, Decision, Outcome, Register, Revision, WantedVersion, decide};
pub use fold::{ContextId, ContextState, IdState, State, SubjectState, Touched, VersionState};
pub use names::{
    CompatibilityPolicy, Mode, level_from_name, level_name, schema_type_from_name, subject_name,
};
pub use qualified::QualifiedSubject;
pub use record::{Encoded, Record, RecordError, SchemaValue, UnknownRecord};
pub use references::{not_found, resolve};
pub use rules::{ExecutionEnvironment, Rule, RuleKind, RuleMode, RuleSet};
pub use view::{DeletedFilter, VersionId};
