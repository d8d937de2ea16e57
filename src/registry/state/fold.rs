//! The state that a log of records makes, one record at a time.

use super::content::{Digest, SchemaContent};
use super::names::Mode;
use super::record::{ConfigValue, Record, SchemaValue};
use crate::schema::{CompatibilityLevel, SchemaId, Version};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Everything the registry knows. A clone shares what does not change, so that readers keep a snapshot while the
/// writer makes the next one.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    pub(super) subjects: BTreeMap<Arc<str>, Arc<SubjectState>>,
    pub(super) ids: HashMap<SchemaId, Arc<IdState>>,
    /// Only ids that still have a version.
    pub(super) id_by_digest: HashMap<Digest, SchemaId>,
    pub(super) id_max: u32,
    pub(super) config: Option<ConfigValue>,
    pub(super) mode: Option<Mode>,
    pub(super) default_level: CompatibilityLevel,
    /// How many records were applied; counts up with every change.
    pub(super) sequence: u64,
    /// The sequence of the last global CONFIG or MODE record.
    pub(super) scope_changed: u64,
    pub(super) live_versions: usize,
}

/// One subject: its versions, soft-deleted ones too, and its own configuration.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SubjectState {
    pub versions: BTreeMap<Version, VersionState>,
    pub config: Option<ConfigValue>,
    pub mode: Option<Mode>,
    /// The sequence of the last record about this subject.
    pub changed: u64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct VersionState {
    pub id: SchemaId,
    pub content: Arc<SchemaContent>,
    pub digest: Digest,
    pub deleted: bool,
    /// Milliseconds since the epoch, of the record that said so last.
    pub timestamp_ms: i64,
}

/// One id: its schema, and the versions that have it.
#[derive(Clone, PartialEq, Debug)]
pub struct IdState {
    pub content: Arc<SchemaContent>,
    pub digest: Digest,
    pub uses: BTreeMap<Arc<str>, BTreeSet<Version>>,
}

/// What one or more records changed, so that caches beside the state can follow.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    pub subjects: BTreeSet<Arc<str>>,
    pub ids: BTreeSet<SchemaId>,
}

impl SubjectState {
    pub fn live(&self) -> impl DoubleEndedIterator<Item = (Version, &VersionState)> {
        self.versions
            .iter()
            .filter(|(_, version)| !version.deleted)
            .map(|(number, version)| (*number, version))
    }
}

impl State {
    /// The state of an empty log. `default_level` is the global level until a CONFIG record sets another.
    #[must_use]
    pub fn new(default_level: CompatibilityLevel) -> Self {
        Self {
            subjects: BTreeMap::new(),
            ids: HashMap::new(),
            id_by_digest: HashMap::new(),
            id_max: 0,
            config: None,
            mode: None,
            default_level,
            sequence: 0,
            scope_changed: 0,
            live_versions: 0,
        }
    }

    /// Applies the log's next record, written at `timestamp_ms`.
    pub fn apply(&mut self, record: Record, timestamp_ms: i64, touched: &mut Touched) {
        self.sequence += 1;
        match record {
            Record::Schema {
                subject,
                version,
                value: Some(value),
            } => {
                self.put_version(&subject, version, &value, timestamp_ms, touched);
            }
            Record::Schema {
                subject,
                version,
                value: None,
            } => {
                self.remove_version(&subject, version, touched);
                self.forget_if_empty(&subject);
            }
            Record::DeleteSubject { subject, version } => self.delete_up_to(&subject, version, touched),
            Record::Config { subject: None, value } => {
                self.config = value;
                self.scope_changed = self.sequence;
            }
            Record::Mode { subject: None, value } => {
                self.mode = value;
                self.scope_changed = self.sequence;
            }
            Record::Config {
                subject: Some(subject),
                value,
            } => {
                self.subject_mut(&subject).config = value;
                self.forget_if_empty(&subject);
            }
            Record::Mode {
                subject: Some(subject),
                value,
            } => {
                self.subject_mut(&subject).mode = value;
                self.forget_if_empty(&subject);
            }
            Record::Ignored => {}
        }
    }

    fn subject_mut(&mut self, subject: &Arc<str>) -> &mut SubjectState {
        let sequence = self.sequence;
        let entry = Arc::make_mut(self.subjects.entry(subject.clone()).or_default());
        entry.changed = sequence;
        entry
    }

    /// A subject with neither versions nor configuration is as if it had never been.
    fn forget_if_empty(&mut self, subject: &Arc<str>) {
        let empty = self
            .subjects
            .get(subject)
            .is_some_and(|s| s.versions.is_empty() && s.config.is_none() && s.mode.is_none());
        if empty {
            self.subjects.remove(subject);
        }
    }

    fn put_version(
        &mut self,
        subject: &Arc<str>,
        version: Version,
        value: &SchemaValue,
        timestamp_ms: i64,
        touched: &mut Touched,
    ) {
        // An import may write over a version that is there.
        self.remove_version(subject, version, touched);
        let digest = value.content.digest();
        let id_state = self.ids.entry(value.id).or_insert_with(|| {
            Arc::new(IdState {
                content: value.content.clone(),
                digest,
                uses: BTreeMap::new(),
            })
        });
        let id_state = Arc::make_mut(id_state);
        id_state.uses.entry(subject.clone()).or_default().insert(version);
        // One text for one id, however often it is registered.
        let content = id_state.content.clone();
        let digest = id_state.digest;
        self.id_by_digest.insert(digest, value.id);
        self.id_max = self.id_max.max(value.id.0);
        self.live_versions += usize::from(!value.deleted);
        let entry = VersionState {
            id: value.id,
            content,
            digest,
            deleted: value.deleted,
            timestamp_ms,
        };
        self.subject_mut(subject).versions.insert(version, entry);
        touched.subjects.insert(subject.clone());
        touched.ids.insert(value.id);
    }

    fn remove_version(&mut self, subject: &Arc<str>, version: Version, touched: &mut Touched) {
        if !self
            .subjects
            .get(subject)
            .is_some_and(|s| s.versions.contains_key(&version))
        {
            return;
        }
        let Some(old) = self.subject_mut(subject).versions.remove(&version) else {
            return;
        };
        self.live_versions -= usize::from(!old.deleted);
        touched.subjects.insert(subject.clone());
        touched.ids.insert(old.id);
        let Some(id_state) = self.ids.get_mut(&old.id) else {
            return;
        };
        let id_state = Arc::make_mut(id_state);
        if let Some(versions) = id_state.uses.get_mut(subject) {
            versions.remove(&version);
            if versions.is_empty() {
                id_state.uses.remove(subject);
            }
        }
        if id_state.uses.is_empty() {
            let digest = id_state.digest;
            self.ids.remove(&old.id);
            if self.id_by_digest.get(&digest) == Some(&old.id) {
                self.id_by_digest.remove(&digest);
            }
        }
    }

    fn delete_up_to(&mut self, subject: &Arc<str>, up_to: Version, touched: &mut Touched) {
        if !self.subjects.contains_key(subject) {
            return;
        }
        let mut deleted = 0;
        for (_, version) in self.subject_mut(subject).versions.range_mut(..=up_to) {
            if !version.deleted {
                version.deleted = true;
                deleted += 1;
                touched.ids.insert(version.id);
            }
        }
        self.live_versions -= deleted;
        touched.subjects.insert(subject.clone());
    }
}
