//! What can be asked of a state.

use super::content::Digest;
use super::fold::{ContextId, IdState, State, SubjectState, VersionState};
use super::qualified::{CONTEXT_WILDCARD, DEFAULT_CONTEXT, QualifiedSubject, is_in_scope};
use crate::registry::errors::RegistryError;
use crate::schema::{SchemaId, Version};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
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

    /// Whether a listing of subjects shows one: the deleted ones are those of which nothing is left.
    #[must_use]
    pub fn shows_subject(self, subject: &SubjectState) -> bool {
        let live = subject.live().next().is_some();
        match self {
            Self::Live => live,
            Self::All => !subject.versions.is_empty(),
            Self::DeletedOnly => !live && !subject.versions.is_empty(),
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

    /// Subjects whose names begin with `prefix`, in their order. `:*:` is any context (`allVersions`): alone all subjects,
    /// before more the subjects of every context that go on so.
    pub fn subjects_with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> Box<dyn Iterator<Item = (&'a Arc<str>, &'a SubjectState)> + 'a> {
        match prefix.strip_prefix(CONTEXT_WILDCARD) {
            Some("") => Box::new(self.subjects()),
            Some(rest) => Box::new(
                self.subjects()
                    .filter(move |(name, _)| QualifiedSubject::of(name).subject.starts_with(rest)),
            ),
            None => {
                let from = (Bound::Included(prefix), Bound::Unbounded);
                Box::new(
                    self.subjects
                        .range::<str, _>(from)
                        .take_while(move |(name, _)| name.starts_with(prefix))
                        // A prefix that names no context is one of the default context's subjects.
                        .filter(move |(name, _)| {
                            prefix.starts_with(":.") || QualifiedSubject::of(name).is_in_default_context()
                        })
                        .map(|(name, subject)| (name, subject.as_ref())),
                )
            }
        }
    }

    /// The default context, then those that a record has declared, by name.
    pub fn contexts(&self) -> impl Iterator<Item = &Arc<str>> {
        let is_default = |name: &&Arc<str>| name.as_ref() == DEFAULT_CONTEXT;
        let declared = self.contexts.iter().filter(|(_, context)| context.declared);
        self.contexts.keys().filter(is_default).chain(
            declared
                .map(|(name, _)| name)
                .filter(move |name| !is_default(name)),
        )
    }

    #[must_use]
    pub fn has_context(&self, context: &str) -> bool {
        self.contexts.get(context).is_some_and(|context| context.declared)
    }

    #[must_use]
    pub fn id(&self, context: &str, id: SchemaId) -> Option<&Arc<IdState>> {
        self.contexts.get(context)?.ids.get(&id)
    }

    /// The ids of a context.
    pub fn ids(&self, context: &str) -> impl Iterator<Item = (SchemaId, &Arc<IdState>)> {
        self.contexts
            .get(context)
            .into_iter()
            .flat_map(|context| context.ids.iter().map(|(id, state)| (*id, state)))
    }

    #[must_use]
    pub fn id_of(&self, context: &str, digest: Digest) -> Option<SchemaId> {
        self.contexts.get(context)?.id_by_digest.get(&digest).copied()
    }

    /// The largest id that a context has ever had.
    #[must_use]
    pub fn id_max(&self, context: &str) -> u32 {
        self.contexts.get(context).map_or(0, |context| context.id_max)
    }

    /// How many records of each key type were not understood.
    #[must_use]
    pub fn unknown_records(&self) -> &BTreeMap<String, u64> {
        &self.unknown
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

    /// The schemas that refer to a version; those with soft-deleted versions only are left out unless wanted.
    #[must_use]
    pub fn referenced_by(&self, subject: &str, version: Version, with_deleted: bool) -> BTreeSet<ContextId> {
        self.referrers(subject, version)
            .filter(|(_, id)| with_deleted || self.uses(id, false).next().is_some())
            .map(|(context_id, _)| context_id.clone())
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
        self.referrers(subject, version)
            .flat_map(|(_, id)| self.uses(id, with_deleted).map(|(name, _)| name))
            .collect()
    }

    fn referrers(&self, subject: &str, version: Version) -> impl Iterator<Item = (&ContextId, &IdState)> {
        self.subject(subject)
            .and_then(|subject| subject.referrers.get(&version))
            .into_iter()
            .flat_map(BTreeMap::keys)
            .filter_map(|context_id| Some((context_id, self.id(&context_id.0, context_id.1)?.as_ref())))
    }

    /// The contexts that may hold what an unqualified subject names, with its name there: the default one first
    /// (`getUsingContexts`). A subject that names a context is looked for in it alone.
    pub fn places<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        let parts = QualifiedSubject::of(subject);
        let others = parts.is_in_default_context().then(|| {
            self.contexts()
                .filter(|name| name.as_ref() != DEFAULT_CONTEXT)
                .map(move |name| Cow::Owned(format!(":{name}:{subject}")))
        });
        std::iter::once(Cow::Borrowed(subject)).chain(others.into_iter().flatten())
    }

    /// Whether a subject, or any subject of a context, has versions (`LookupCache.hasSubjects`).
    #[must_use]
    pub fn has_subjects(&self, scope: Option<&str>, with_deleted: bool) -> bool {
        if let Some(subject) = scope.filter(|scope| !QualifiedSubject::of(scope).is_context()) {
            return self.has_subject(subject, with_deleted);
        }
        let filter = DeletedFilter::of(with_deleted, false);
        self.subjects().any(|(name, subject)| {
            scope.is_none_or(|scope| is_in_scope(name, scope))
                && subject.versions.values().any(|version| filter.shows(version))
        })
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
}
