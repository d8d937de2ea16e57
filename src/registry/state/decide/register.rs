//! A registration: which id and version a schema gets.

use super::{Decision, Outcome, Register, WantedVersion, not_permitted, refuse_read_only};
use crate::registry::errors::RegistryError;
use crate::registry::state::content::SchemaContent;
use crate::registry::state::fold::{State, VersionState};
use crate::registry::state::names::Mode;
use crate::registry::state::qualified::{DEFAULT_CONTEXT, QualifiedSubject, beside, context_of};
use crate::registry::state::record::{Record, SchemaValue, TENANT};
use crate::registry::state::view::VersionId;
use crate::schema::{SchemaId, Version};
use std::sync::Arc;

pub(super) fn decide_register(state: &State, register: &Register) -> Result<Decision, RegistryError> {
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
