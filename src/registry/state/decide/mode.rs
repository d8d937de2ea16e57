//! Modes, and contexts that are done with.

use super::{Decision, Outcome, not_found, version_key};
use crate::registry::errors::RegistryError;
use crate::registry::state::fold::State;
use crate::registry::state::names::Mode;
use crate::registry::state::qualified::{QualifiedSubject, context_of, is_in_scope};
use crate::registry::state::record::{Record, TENANT};
use std::sync::Arc;

pub(super) fn set_mode(
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

pub(super) fn delete_mode(
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

pub(super) fn delete_context(state: &State, prefix: &Arc<str>) -> Result<Decision, RegistryError> {
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
