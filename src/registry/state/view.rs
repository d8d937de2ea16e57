//! What can be asked of a state.

use super::content::{Digest, SchemaContent};
use super::fold::{IdState, State, SubjectState, VersionState};
use super::names::Mode;
use super::record::ConfigValue;
use crate::registry::errors::RegistryError;
use crate::schema::{CompatibilityLevel, SchemaId, Version};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which versions a listing shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeletedFilter {
    Live,
    All,
    DeletedOnly,
}

impl DeletedFilter {
    /// When both are asked for, `deletedOnly` wins.
    #[must_use]
    pub fn of(deleted: bool, deleted_only: bool) -> Self {
        match (deleted, deleted_only) {
            (_, true) => Self::DeletedOnly,
            (true, false) => Self::All,
            (false, false) => Self::Live,
        }
    }

    #[must_use]
    pub fn shows(self, version: &VersionState) -> bool {
        match self {
            Self::Live => !version.deleted,
            Self::All => true,
            Self::DeletedOnly => version.deleted,
        }
    }
}

/// A version as it is asked for (Confluent's `VersionId.java`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionId {
    Latest,
    Number(Version),
}

impl VersionId {
    /// Reads `latest`, -1 or a number from 1.
    ///
    /// # Errors
    /// [`RegistryError::InvalidVersion`] for anything else.
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        let trimmed = text.trim();
        if trimmed.eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        match trimmed.parse::<i32>() {
            Ok(-1) => Ok(Self::Latest),
            Ok(number) => match u32::try_from(number) {
                Ok(number) if number > 0 => Ok(Self::Number(Version(number))),
                _ => Err(RegistryError::InvalidVersion(number.to_string())),
            },
            Err(_) => Err(RegistryError::InvalidVersion(text.to_owned())),
        }
    }

    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Number(version) => i64::from(version.0),
        }
    }
}

impl State {
    #[must_use]
    pub fn subject(&self, subject: &str) -> Option<&SubjectState> {
        self.subjects.get(subject).map(Arc::as_ref)
    }

    /// All subjects in their order, also those with nothing but a configuration.
    pub fn subjects(&self) -> impl Iterator<Item = (&Arc<str>, &SubjectState)> {
        self.subjects
            .iter()
            .map(|(name, subject)| (name, subject.as_ref()))
    }

    #[must_use]
    pub fn has_subject(&self, subject: &str, with_deleted: bool) -> bool {
        let filter = DeletedFilter::of(with_deleted, false);
        self.subject(subject)
            .is_some_and(|s| s.versions.values().any(|version| filter.shows(version)))
    }

    #[must_use]
    pub fn id(&self, id: SchemaId) -> Option<&Arc<IdState>> {
        self.ids.get(&id)
    }

    pub fn ids(&self) -> impl Iterator<Item = (SchemaId, &Arc<IdState>)> {
        self.ids.iter().map(|(id, state)| (*id, state))
    }

    #[must_use]
    pub fn id_of(&self, digest: Digest) -> Option<SchemaId> {
        self.id_by_digest.get(&digest).copied()
    }

    #[must_use]
    pub fn id_max(&self) -> u32 {
        self.id_max
    }

    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    #[must_use]
    pub fn live_versions(&self) -> usize {
        self.live_versions
    }

    /// One version of a subject. `Latest` is the newest live one, whatever `with_deleted` says.
    #[must_use]
    pub fn version(
        &self,
        subject: &str,
        version: VersionId,
        with_deleted: bool,
    ) -> Option<(Version, &VersionState)> {
        let subject = self.subject(subject)?;
        match version {
            VersionId::Latest => subject.live().next_back(),
            VersionId::Number(number) => subject
                .versions
                .get(&number)
                .filter(|found| with_deleted || !found.deleted)
                .map(|found| (number, found)),
        }
    }

    /// The same with Confluent's refusals.
    ///
    /// # Errors
    /// [`RegistryError::SubjectNotFound`] or [`RegistryError::VersionNotFound`].
    pub fn version_or_refusal(
        &self,
        subject: &str,
        version: VersionId,
        with_deleted: bool,
    ) -> Result<(Version, &VersionState), RegistryError> {
        self.version(subject, version, with_deleted).ok_or_else(|| {
            if self.has_subject(subject, with_deleted) {
                RegistryError::VersionNotFound(version.number())
            } else {
                RegistryError::SubjectNotFound(subject.to_owned())
            }
        })
    }

    /// The newest version of a subject that holds this very schema.
    #[must_use]
    pub fn look_up(
        &self,
        subject: &str,
        digest: Digest,
        with_deleted: bool,
    ) -> Option<(Version, &VersionState)> {
        let filter = DeletedFilter::of(with_deleted, false);
        self.subject(subject)?
            .versions
            .iter()
            .rev()
            .find(|(_, version)| version.digest == digest && filter.shows(version))
            .map(|(number, version)| (*number, version))
    }

    /// The ids whose schemas refer to a version; those with soft-deleted versions only are left out unless wanted.
    #[must_use]
    pub fn referenced_by(&self, subject: &str, version: Version, with_deleted: bool) -> BTreeSet<SchemaId> {
        self.ids
            .iter()
            .filter(|(_, id)| refers_to(&id.content, subject, version))
            .filter(|(_, id)| with_deleted || self.live_uses(id).next().is_some())
            .map(|(id, _)| *id)
            .collect()
    }

    /// The subjects that have a version which refers to this one.
    #[must_use]
    pub fn referencing_subjects(
        &self,
        subject: &str,
        version: Version,
        with_deleted: bool,
    ) -> BTreeSet<&Arc<str>> {
        self.ids
            .values()
            .filter(|id| refers_to(&id.content, subject, version))
            .flat_map(|id| self.uses(id, with_deleted).map(|(name, _)| name))
            .collect()
    }

    /// The subjects and versions that have an id.
    pub fn uses<'a>(
        &'a self,
        id: &'a IdState,
        with_deleted: bool,
    ) -> impl Iterator<Item = (&'a Arc<str>, Version)> {
        let filter = DeletedFilter::of(with_deleted, false);
        id.uses.iter().flat_map(move |(subject, versions)| {
            let state = self.subject(subject);
            versions.iter().filter_map(move |number| {
                let version = state?.versions.get(number)?;
                filter.shows(version).then_some((subject, *number))
            })
        })
    }

    fn live_uses<'a>(&'a self, id: &'a IdState) -> impl Iterator<Item = (&'a Arc<str>, Version)> {
        self.uses(id, false)
    }

    /// The configuration of a subject, or the global one with its default.
    #[must_use]
    pub fn config(&self, subject: Option<&str>) -> Option<ConfigValue> {
        let global = ConfigValue {
            compatibility: Some(
                self.config
                    .and_then(|c| c.compatibility)
                    .unwrap_or(self.default_level),
            ),
            normalize: self.config.and_then(|c| c.normalize),
        };
        match subject {
            None => Some(global),
            Some(subject) => self.subject(subject)?.config,
        }
    }

    /// The configuration that holds for a subject: its own, else the global one.
    #[must_use]
    pub fn config_in_scope(&self, subject: &str) -> ConfigValue {
        let global = self.config(None).unwrap_or_default();
        let own = self.config(Some(subject)).unwrap_or_default();
        ConfigValue {
            compatibility: own.compatibility.or(global.compatibility),
            normalize: own.normalize.or(global.normalize),
        }
    }

    #[must_use]
    pub fn level(&self, subject: &str) -> CompatibilityLevel {
        self.config_in_scope(subject)
            .compatibility
            .unwrap_or(self.default_level)
    }

    #[must_use]
    pub fn mode(&self, subject: Option<&str>) -> Option<Mode> {
        match subject {
            None => Some(self.mode.unwrap_or(Mode::ReadWrite)),
            Some(subject) => self.subject(subject)?.mode,
        }
    }

    #[must_use]
    pub fn mode_in_scope(&self, subject: Option<&str>) -> Mode {
        let global = self.mode.unwrap_or(Mode::ReadWrite);
        if global == Mode::ReadOnlyOverride {
            return global;
        }
        subject
            .and_then(|subject| self.mode(Some(subject)))
            .unwrap_or(global)
    }
}

fn refers_to(content: &SchemaContent, subject: &str, version: Version) -> bool {
    content
        .references
        .iter()
        .any(|r| r.version == version.0 && r.subject == subject)
}
