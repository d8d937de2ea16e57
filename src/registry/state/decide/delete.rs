//! Deletions: softly first, then for good, and never of what is referred to.

use super::{Decision, Outcome, refuse_read_only, version_key};
use crate::registry::errors::RegistryError;
use crate::registry::state::fold::{State, SubjectState};
use crate::registry::state::record::Record;
use crate::registry::state::view::VersionId;
use std::sync::Arc;

pub(super) fn delete_version(
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

pub(super) fn delete_subject(
    state: &State,
    subject: &Arc<str>,
    permanent: bool,
) -> Result<Decision, RegistryError> {
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
