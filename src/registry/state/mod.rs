//! Subjects, versions, ids, configuration and modes as a fold over a log of records. Pure: records and commands
//! in, states and records out; the time comes with a record.

mod content;
mod decide;
mod fold;
mod names;
mod record;
mod references;
mod view;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use content::{Digest, Metadata, Reference, SchemaContent};
pub use decide::{Command, Decision, Outcome, Register, Revision, decide};
pub use fold::{IdState, State, SubjectState, Touched, VersionState};
pub use names::{Mode, level_from_name, level_name, schema_type_from_name, subject_name};
pub use record::{ConfigValue, Encoded, Record, RecordError, SchemaValue};
pub use references::resolve;
pub use view::{DeletedFilter, VersionId};
