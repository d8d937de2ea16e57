//! The state that a log of records makes, one record at a time (`KafkaStoreMessageHandler.java`, `InMemoryCache.java`).

use super::config::ConfigValue;
use super::content::{Digest, Reference, SchemaContent};
use super::names::Mode;
use super::qualified::{DEFAULT_CONTEXT, QualifiedSubject, beside, context_of, is_in_scope};
use super::record::{Record, SchemaValue};
use crate::schema::{CompatibilityLevel, SchemaId, Version};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Key types of unknown records that are counted by name; the rest are counted together.
const UNKNOWN_KINDS_MAX: usize = 32;

/// Everything the registry knows. A clone shares what does not change, so that readers keep a snapshot while the
/// writer makes the next one.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    pub(super) subjects: BTreeMap<Arc<str>, Arc<SubjectState>>,
    /// By name, the default context `.` too.
    pub(super) contexts: BTreeMap<Arc<str>, Arc<ContextState>>,
    /// Of the default context: without a subject in the log.
    pub(super) config: Option<Arc<ConfigValue>>,
    pub(super) mode: Option<Mode>,
    pub(super) default_level: CompatibilityLevel,
    /// How many records were applied; counts up with every change.
    pub(super) sequence: u64,
    /// The sequence of the last CONFIG or MODE record of more than one subject.
    pub(super) scope_changed: u64,
    pub(super) live_versions: usize,
    /// How many records were not understood, by their key type.
    pub(super) unknown: BTreeMap<String, u64>,
}

/// The ids of one context.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ContextState {
    pub(super) ids: HashMap<SchemaId, Arc<IdState>>,
    /// Only ids that still have a version.
    pub(super) id_by_digest: HashMap<Digest, SchemaId>,
    pub(super) id_max: u32,
    /// Whether a CONTEXT record says that there is one.
    pub(super) declared: bool,
}

/// A schema's id and the context that counts it.
pub type ContextId = (Arc<str>, SchemaId);

/// One subject: its versions, soft-deleted ones too, its own configuration, and who refers to it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SubjectState {
    pub versions: BTreeMap<Version, VersionState>,
    pub config: Option<Arc<ConfigValue>>,
    pub mode: Option<Mode>,
    /// By version of this subject, the schemas that refer to it and by how many of their versions.
    pub(super) referrers: BTreeMap<Version, BTreeMap<ContextId, u32>>,
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
    /// Of the default context: the only one that the gateway looks into.
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

impl VersionState {
    /// The value that a record of this version has.
    #[must_use]
    pub fn value(&self, deleted: bool) -> SchemaValue {
        SchemaValue {
            id: self.id,
            content: self.content.clone(),
            md5: Some(self.digest).filter(|digest| *digest != self.content.digest()),
            deleted,
        }
    }
}

impl Touched {
    fn id(&mut self, context: &str, id: SchemaId) {
        if context == DEFAULT_CONTEXT {
            self.ids.insert(id);
        }
    }
}

impl State {
    /// The state of an empty log. `default_level` is the global level until a CONFIG record sets another.
    #[must_use]
    pub fn new(default_level: CompatibilityLevel) -> Self {
        Self {
            subjects: BTreeMap::new(),
            contexts: BTreeMap::from([(DEFAULT_CONTEXT.into(), Arc::default())]),
            config: None,
            mode: None,
            default_level,
            sequence: 0,
            scope_changed: 0,
            live_versions: 0,
            unknown: BTreeMap::new(),
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
            } => self.put_version(&subject, version, value, timestamp_ms, touched),
            Record::Schema {
                subject,
                version,
                value: None,
            } => {
                self.remove_version(&subject, version, touched);
                self.forget_if_empty(&subject);
            }
            Record::DeleteSubject { subject, version } => {
                self.delete_up_to(&subject, version.unwrap_or(Version(0)), touched);
            }
            Record::ClearSubject {
                subject,
                tombstone: false,
            } => self.clear(subject.as_deref(), touched),
            Record::Config { subject, value } => self.configure(subject, value.map(|value| Arc::new(*value))),
            Record::Mode { subject, value } => self.set_mode(subject, value),
            Record::Context {
                context, tombstone, ..
            } => {
                self.context_mut(&context).declared = !tombstone;
            }
            Record::ClearSubject { .. } | Record::Noop => {}
            Record::Unknown(unknown) => {
                let room = self.unknown.len() < UNKNOWN_KINDS_MAX || self.unknown.contains_key(&unknown.kind);
                let kind = if room { unknown.kind } else { "other".to_owned() };
                *self.unknown.entry(kind).or_default() += 1;
            }
        }
    }

    fn configure(&mut self, subject: Option<Arc<str>>, value: Option<Arc<ConfigValue>>) {
        self.note_scope(subject.as_deref());
        match subject {
            None => self.config = value,
            Some(subject) => {
                self.subject_mut(&subject).config = value;
                self.forget_if_empty(&subject);
            }
        }
    }

    fn set_mode(&mut self, subject: Option<Arc<str>>, value: Option<Mode>) {
        self.note_scope(subject.as_deref());
        match subject {
            None => self.mode = value,
            Some(subject) => {
                self.subject_mut(&subject).mode = value;
                self.forget_if_empty(&subject);
            }
        }
    }

    fn note_scope(&mut self, subject: Option<&str>) {
        if subject.is_none_or(|subject| QualifiedSubject::of(subject).is_context()) {
            self.scope_changed = self.sequence;
        }
    }

    fn context_mut(&mut self, context: &str) -> &mut ContextState {
        // Looked up first, so that a name is copied only when it is new.
        if !self.contexts.contains_key(context) {
            self.contexts.insert(context.into(), Arc::default());
        }
        Arc::make_mut(self.contexts.entry(context.into()).or_default())
    }

    fn subject_mut(&mut self, subject: &Arc<str>) -> &mut SubjectState {
        let sequence = self.sequence;
        let entry = Arc::make_mut(self.subjects.entry(subject.clone()).or_default());
        entry.changed = sequence;
        entry
    }

    /// A subject with neither versions nor configuration, to which nothing refers, is as if it had never been.
    fn forget_if_empty(&mut self, subject: &Arc<str>) {
        let empty = self.subjects.get(subject).is_some_and(|s| {
            s.versions.is_empty() && s.config.is_none() && s.mode.is_none() && s.referrers.is_empty()
        });
        if empty {
            self.subjects.remove(subject);
        }
    }

    fn put_version(
        &mut self,
        subject: &Arc<str>,
        version: Version,
        value: SchemaValue,
        timestamp_ms: i64,
        touched: &mut Touched,
    ) {
        let context = context_of(subject);
        let known = self
            .contexts
            .get(context)
            .and_then(|context| context.ids.get(&value.id));
        if known.is_some_and(|known| known.content.text != value.content.text) {
            // An id never means two schemas: the first stays, as in Confluent's registry.
            return;
        }
        // An import may write over a version that is there.
        let context: Arc<str> = context.into();
        self.remove_version(subject, version, touched);
        let digest = value.md5.unwrap_or_else(|| value.content.digest());
        let in_context = self.context_mut(&context);
        let id_state = in_context.ids.entry(value.id).or_insert_with(|| {
            Arc::new(IdState {
                content: value.content.clone(),
                digest,
                uses: BTreeMap::new(),
            })
        });
        let id_state = Arc::make_mut(id_state);
        id_state.uses.entry(subject.clone()).or_default().insert(version);
        // One text in memory for one schema, however often it is registered.
        let content = if *id_state.content == *value.content {
            id_state.content.clone()
        } else {
            value.content
        };
        in_context.id_by_digest.insert(digest, value.id);
        in_context.id_max = in_context.id_max.max(value.id.0);
        self.live_versions += usize::from(!value.deleted);
        self.refer(subject, &context, value.id, &content.references, true);
        let entry = VersionState {
            id: value.id,
            content,
            digest,
            deleted: value.deleted,
            timestamp_ms,
        };
        self.subject_mut(subject).versions.insert(version, entry);
        touched.subjects.insert(subject.clone());
        touched.id(&context, value.id);
    }

    fn remove_version(&mut self, subject: &Arc<str>, version: Version, touched: &mut Touched) {
        let there = self
            .subjects
            .get(subject)
            .is_some_and(|s| s.versions.contains_key(&version));
        if !there {
            return;
        }
        let Some(old) = self.subject_mut(subject).versions.remove(&version) else {
            return;
        };
        self.live_versions -= usize::from(!old.deleted);
        let context: Arc<str> = context_of(subject).into();
        touched.subjects.insert(subject.clone());
        touched.id(&context, old.id);
        self.refer(subject, &context, old.id, &old.content.references, false);
        let in_context = self.context_mut(&context);
        let Some(id_state) = in_context.ids.get_mut(&old.id) else {
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
            for digest in [id_state.digest, old.digest] {
                if in_context.id_by_digest.get(&digest) == Some(&old.id) {
                    in_context.id_by_digest.remove(&digest);
                }
            }
            in_context.ids.remove(&old.id);
        }
    }

    /// Counts a version of `subject` in or out among those that refer to what its schema refers to.
    fn refer(
        &mut self,
        subject: &str,
        context: &Arc<str>,
        id: SchemaId,
        references: &[Reference],
        add: bool,
    ) {
        for reference in references {
            let target: Arc<str> = beside(subject, &reference.subject).into();
            let version = Version(reference.version);
            let referrers = &mut Arc::make_mut(self.subjects.entry(target.clone()).or_default()).referrers;
            let of_version = referrers.entry(version).or_default();
            let count = of_version.entry((context.clone(), id)).or_default();
            *count = if add { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                of_version.remove(&(context.clone(), id));
                if of_version.is_empty() {
                    referrers.remove(&version);
                }
                self.forget_if_empty(&target);
            }
        }
    }

    fn delete_up_to(&mut self, subject: &Arc<str>, up_to: Version, touched: &mut Touched) {
        if !self.subjects.contains_key(subject) {
            return;
        }
        let context = context_of(subject);
        let mut deleted = 0;
        for (_, version) in self.subject_mut(subject).versions.range_mut(..=up_to) {
            if !version.deleted {
                version.deleted = true;
                deleted += 1;
                touched.id(context, version.id);
            }
        }
        self.live_versions -= deleted;
        touched.subjects.insert(subject.clone());
    }

    fn clear(&mut self, scope: Option<&str>, touched: &mut Touched) {
        let mut gone = Vec::new();
        for (name, subject) in &self.subjects {
            if scope.is_none_or(|scope| is_in_scope(name, scope)) {
                let deleted = subject.versions.iter().filter(|(_, version)| version.deleted);
                gone.extend(deleted.map(|(number, _)| (name.clone(), *number)));
            }
        }
        for (subject, version) in gone {
            self.remove_version(&subject, version, touched);
            self.forget_if_empty(&subject);
        }
    }
}
