//! The gateway's door: which schema is an id, or a version, under a subject of the default context, answered from memory.
//!
//! One snapshot holds the state and, beside it, what the hot path needs: by id the subjects with their newest live
//! version, each with a cell for the compiled schema. A call is one load of the snapshot, one hash look-up, one
//! binary search among the id's subjects, and the clone of an `Arc`.

use super::admission::parse_stored;
use super::state::qualified::DEFAULT_CONTEXT;
use super::state::{SchemaContent, State, Touched, VersionId};
use crate::contract::{Governing, GoverningVersion, Lookup, Presence, SchemaSource, SubjectLookup};
use crate::schema::{SchemaId, Subject, Validator, Version};
use crate::telemetry;
use arc_swap::ArcSwap;
use metrics::{Counter, Gauge};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// Publishes the state to all who read it.
pub struct Source {
    snapshot: ArcSwap<Snapshot>,
    hit: Counter,
    miss: Counter,
    negative: Counter,
    schema_count: Gauge,
    unknown_records: Gauge,
}

#[derive(Clone)]
struct Snapshot {
    state: Arc<State>,
    ids: HashMap<SchemaId, Arc<IdEntry>>,
    /// Those with a live version.
    subjects: HashSet<Arc<str>>,
}

struct IdEntry {
    compiled: Arc<Compiled>,
    /// In the order of their subjects.
    places: Box<[Place]>,
}

/// One subject's newest live version of an id.
#[derive(Clone)]
struct Place {
    subject: Arc<str>,
    version: Version,
    governing: OnceLock<GoverningOr>,
}

/// What governs, or why its schema cannot be compiled.
type GoverningOr = Result<Arc<Governing>, Arc<str>>;

/// One id's schema, compiled at first use and kept, failures too.
struct Compiled {
    content: Arc<SchemaContent>,
    result: OnceLock<Result<Arc<Validator>, Arc<str>>>,
}

impl Source {
    #[must_use]
    pub fn new(state: Arc<State>) -> Self {
        let touched = Touched {
            subjects: state.subjects().map(|(name, _)| name.clone()).collect(),
            ids: state.ids(DEFAULT_CONTEXT).map(|(id, _)| id).collect(),
        };
        let empty = Snapshot {
            state: state.clone(),
            ids: HashMap::new(),
            subjects: HashSet::new(),
        };
        let source = Self {
            snapshot: ArcSwap::from_pointee(empty),
            hit: telemetry::metrics::schema_cache("hit"),
            miss: telemetry::metrics::schema_cache("miss"),
            negative: telemetry::metrics::schema_cache("negative"),
            schema_count: metrics::gauge!("schema_registry_schema_count"),
            unknown_records: metrics::gauge!("schema_registry_unknown_records"),
        };
        source.publish(state, &touched);
        source
    }

    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.snapshot.load().state.clone()
    }

    /// Makes `state` what everybody reads. `touched` is what changed since the last one. Only the log calls it, one state at a time.
    pub fn publish(&self, state: Arc<State>, touched: &Touched) {
        let mut next = Snapshot::clone(&self.snapshot.load());
        next.state = state;
        for id in &touched.ids {
            match next.entry(*id) {
                Some(entry) => next.ids.insert(*id, Arc::new(entry)),
                None => next.ids.remove(id),
            };
        }
        for subject in &touched.subjects {
            if next.state.has_subject(subject, false) {
                next.subjects.insert(subject.clone());
            } else {
                next.subjects.remove(subject);
            }
        }
        self.schema_count.set(next.state.live_versions() as f64);
        let unknown: u64 = next.state.unknown_records().values().sum();
        self.unknown_records.set(unknown as f64);
        self.snapshot.store(Arc::new(next));
    }

    /// Compiles an id ahead of its first use. Takes the schema's compile time on the calling thread.
    pub fn warm(&self, id: SchemaId) {
        let snapshot = self.snapshot.load_full();
        if let Some(entry) = snapshot.ids.get(&id) {
            for place in &entry.places {
                place.governing.get_or_init(|| snapshot.compile(id, entry, place));
            }
        }
    }

    /// The ids that govern something, for warming up.
    #[must_use]
    pub fn live_ids(&self) -> BTreeSet<SchemaId> {
        let snapshot = self.snapshot.load();
        snapshot
            .ids
            .iter()
            .filter(|(_, entry)| !entry.places.is_empty())
            .map(|(id, _)| *id)
            .collect()
    }
}

impl Snapshot {
    /// What the state says about an id, with what was compiled before.
    fn entry(&self, id: SchemaId) -> Option<IdEntry> {
        let in_state = self.state.id(DEFAULT_CONTEXT, id)?;
        let old = self
            .ids
            .get(&id)
            .filter(|old| *old.compiled.content == *in_state.content);
        let compiled = old.map_or_else(
            || {
                Arc::new(Compiled {
                    content: in_state.content.clone(),
                    result: OnceLock::new(),
                })
            },
            |old| old.compiled.clone(),
        );
        let mut places: Vec<Place> = Vec::new();
        for (subject, version) in self.state.uses(in_state, false) {
            match places.last_mut() {
                // Versions come in ascending order: the newest stays.
                Some(last) if last.subject == *subject => last.version = version,
                _ => places.push(Place {
                    subject: subject.clone(),
                    version,
                    governing: OnceLock::new(),
                }),
            }
        }
        for place in &mut places {
            let before = old.and_then(|old| old.place(&place.subject));
            if let Some(before) = before.filter(|before| before.version == place.version) {
                place.governing = before.governing.clone();
            }
        }
        Some(IdEntry {
            compiled,
            places: places.into(),
        })
    }

    fn compile(&self, id: SchemaId, entry: &IdEntry, place: &Place) -> GoverningOr {
        let compiled = &entry.compiled;
        let compiled = compiled
            .result
            .get_or_init(|| compile(&self.state, &compiled.content));
        compiled.clone().map(|validator| {
            Arc::new(Governing {
                id,
                subject: Subject(place.subject.clone()),
                version: place.version,
                validator,
            })
        })
    }
}

impl IdEntry {
    fn place(&self, subject: &str) -> Option<&Place> {
        let position = self
            .places
            .binary_search_by(|place| place.subject.as_ref().cmp(subject))
            .ok()?;
        self.places.get(position)
    }
}

fn compile(state: &State, content: &Arc<SchemaContent>) -> Result<Arc<Validator>, Arc<str>> {
    let schema = parse_stored(state, "", content)?;
    schema
        .validator()
        .map(Arc::new)
        .map_err(|error| error.to_string().into())
}

impl Source {
    fn governing_at(&self, snapshot: &Snapshot, id: SchemaId, entry: &IdEntry, place: &Place) -> GoverningOr {
        if let Some(governing) = place.governing.get() {
            self.hit.increment(1);
            return governing.clone();
        }
        self.miss.increment(1);
        place
            .governing
            .get_or_init(|| snapshot.compile(id, entry, place))
            .clone()
    }
}

impl SchemaSource for Source {
    fn find(&self, subject: &str, id: SchemaId) -> Lookup {
        let snapshot = self.snapshot.load();
        let Some(entry) = snapshot.ids.get(&id) else {
            self.negative.increment(1);
            return Lookup::UnknownId;
        };
        let Some(place) = entry.place(subject) else {
            self.negative.increment(1);
            return Lookup::OtherSubject;
        };
        match self.governing_at(&snapshot, id, entry, place) {
            Ok(governing) => Lookup::Found(governing),
            Err(why) => Lookup::NotCompilable(why),
        }
    }

    fn subject(&self, subject: &str) -> Presence {
        if self.snapshot.load().subjects.contains(subject) {
            Presence::Present
        } else {
            Presence::Absent
        }
    }

    fn governing(&self, subject: &str, version: GoverningVersion) -> SubjectLookup {
        let snapshot = self.snapshot.load();
        let asked = match version {
            GoverningVersion::Latest => VersionId::Latest,
            GoverningVersion::Pinned(version) => VersionId::Number(version),
        };
        let found = snapshot.state.version(subject, asked, false);
        let placed = found.and_then(|(version, stored)| {
            let entry = snapshot.ids.get(&stored.id)?;
            // None: a subject of another context, whose ids are not these.
            Some((version, stored.id, entry, entry.place(subject)?))
        });
        let Some((version, id, entry, newest)) = placed else {
            self.negative.increment(1);
            return match found {
                None if snapshot.subjects.contains(subject) => SubjectLookup::NoVersion,
                _ => SubjectLookup::NoSubject,
            };
        };
        let governing = if newest.version == version {
            self.governing_at(&snapshot, id, entry, newest)
        } else {
            // The same schema again under a newer number: only the number is another one.
            let pinned = Place {
                subject: newest.subject.clone(),
                version,
                governing: OnceLock::new(),
            };
            self.governing_at(&snapshot, id, entry, &pinned)
        };
        match governing {
            Ok(governing) => SubjectLookup::Found(governing),
            Err(why) => SubjectLookup::NotCompilable(why),
        }
    }
}

#[cfg(test)]
mod tests;
