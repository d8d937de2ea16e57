//! What the gateway is told while the registry changes under it.

use super::*;
use crate::registry::state::{Record, SchemaValue};
use crate::schema::{CompatibilityLevel, SchemaType};

struct Log {
    state: State,
    source: Source,
}

impl Log {
    fn new() -> Self {
        let state = State::new(CompatibilityLevel::Backward);
        Self {
            source: Source::new(Arc::new(state.clone())),
            state,
        }
    }

    fn write(&mut self, record: Record) {
        let mut touched = Touched::default();
        self.state.apply(record, 0, &mut touched);
        self.source.publish(Arc::new(self.state.clone()), &touched);
    }

    fn put(&mut self, subject: &str, version: u32, id: u32, text: &str, deleted: bool) {
        let content = SchemaContent::new(SchemaType::Avro, text);
        let value = Some(SchemaValue {
            id: SchemaId(id),
            content: Arc::new(content),
            md5: None,
            deleted,
        });
        self.write(Record::Schema {
            subject: subject.into(),
            version: Version(version),
            value,
        });
    }

    fn find(&self, subject: &str, id: u32) -> Lookup {
        self.source.find(subject, SchemaId(id))
    }

    fn governing(&self, subject: &str, version: GoverningVersion) -> Result<Arc<Governing>, &'static str> {
        match self.source.governing(subject, version) {
            SubjectLookup::Found(governing) => Ok(governing),
            SubjectLookup::NoSubject => Err("no subject"),
            SubjectLookup::NoVersion => Err("no version"),
            SubjectLookup::NotCompilable(_) => Err("not compilable"),
            SubjectLookup::Unreachable => Err("unreachable"),
        }
    }

    /// The version and id that govern.
    fn latest(&self, subject: &str) -> Result<(u32, u32), &'static str> {
        let found = self.governing(subject, GoverningVersion::Latest)?;
        Ok((found.version.0, found.id.0))
    }

    fn pinned(&self, subject: &str, version: u32) -> Result<(u32, u32), &'static str> {
        let found = self.governing(subject, GoverningVersion::Pinned(Version(version)))?;
        Ok((found.version.0, found.id.0))
    }

    fn version(&self, subject: &str, id: u32) -> Option<u32> {
        match self.find(subject, id) {
            Lookup::Found(governing) => Some(governing.version.0),
            _ => None,
        }
    }
}

#[test]
fn an_id_governs_as_its_newest_live_version() {
    let mut log = Log::new();
    log.put("a", 1, 7, "\"string\"", false);
    log.put("a", 2, 8, "\"int\"", false);
    log.put("a", 3, 7, "\"string\"", false);
    assert_eq!((log.version("a", 7), log.version("a", 8)), (Some(3), Some(2)));
    log.put("a", 3, 7, "\"string\"", true);
    assert_eq!(log.version("a", 7), Some(1));
    log.write(Record::DeleteSubject {
        subject: "a".into(),
        version: Some(Version(3)),
    });
    assert!(matches!(log.find("a", 7), Lookup::OtherSubject));
    assert_eq!(log.source.subject("a"), Presence::Absent);
    for version in 1..=3 {
        log.write(Record::Schema {
            subject: "a".into(),
            version: Version(version),
            value: None,
        });
    }
    assert!(matches!(log.find("a", 7), Lookup::UnknownId));
}

#[test]
fn one_compiled_schema_serves_all_subjects_and_outlives_changes_elsewhere() {
    let mut log = Log::new();
    log.put("a", 1, 7, "\"string\"", false);
    let Lookup::Found(before) = log.find("a", 7) else {
        panic!("not found")
    };
    log.put("b", 1, 7, "\"string\"", false);
    log.put("a", 2, 8, "\"int\"", false);
    let (Lookup::Found(after), Lookup::Found(other)) = (log.find("a", 7), log.find("b", 7)) else {
        panic!("not found")
    };
    assert!(
        Arc::ptr_eq(&before, &after),
        "nothing about a's version of it has changed"
    );
    assert!(Arc::ptr_eq(&before.validator, &other.validator));
    assert_eq!(other.subject, Subject("b".into()));
}

#[test]
fn a_schema_that_cannot_be_compiled_says_why_every_time() {
    let mut log = Log::new();
    log.put("a", 1, 7, "{", false);
    let (Lookup::NotCompilable(first), Lookup::NotCompilable(second)) = (log.find("a", 7), log.find("a", 7))
    else {
        panic!("compiled")
    };
    assert!(Arc::ptr_eq(&first, &second), "found out once");
    assert_eq!(log.source.subject("a"), Presence::Present);
}

#[test]
fn warming_compiles_for_all_subjects_before_the_first_record() {
    let mut log = Log::new();
    log.put("a", 1, 7, "\"string\"", false);
    log.put("b", 1, 7, "\"string\"", false);
    assert_eq!(log.source.live_ids(), [SchemaId(7)].into());
    log.source.warm(SchemaId(7));
    let snapshot = log.source.snapshot.load();
    assert!(
        snapshot.ids[&SchemaId(7)]
            .places
            .iter()
            .all(|place| place.governing.get().is_some())
    );
}

#[test]
fn a_new_latest_version_governs_at_once_and_a_deleted_one_no_longer() {
    let mut log = Log::new();
    assert_eq!(log.latest("a"), Err("no subject"));
    log.put("a", 1, 7, "\"string\"", false);
    assert_eq!(log.latest("a"), Ok((1, 7)));
    log.put("a", 2, 8, "\"int\"", false);
    assert_eq!(log.latest("a"), Ok((2, 8)));
    assert_eq!((log.pinned("a", 1), log.pinned("a", 2)), (Ok((1, 7)), Ok((2, 8))));
    assert_eq!(log.pinned("a", 3), Err("no version"));
    log.put("a", 2, 8, "\"int\"", true);
    assert_eq!(log.latest("a"), Ok((1, 7)));
    assert_eq!(log.pinned("a", 2), Err("no version"));
    log.put("a", 1, 7, "\"string\"", true);
    assert_eq!(
        (log.latest("a"), log.pinned("a", 1)),
        (Err("no subject"), Err("no subject"))
    );
}

#[test]
fn a_schema_registered_twice_governs_under_the_version_that_is_pinned() {
    let mut log = Log::new();
    log.put("a", 1, 7, "\"string\"", false);
    log.put("a", 2, 8, "\"int\"", false);
    log.put("a", 3, 7, "\"string\"", false);
    assert_eq!(
        (log.latest("a"), log.pinned("a", 1), log.pinned("a", 3)),
        (Ok((3, 7)), Ok((1, 7)), Ok((3, 7)))
    );
    let first = log.governing("a", GoverningVersion::Pinned(Version(1))).unwrap();
    let latest = log.governing("a", GoverningVersion::Latest).unwrap();
    assert!(Arc::ptr_eq(&first.validator, &latest.validator), "compiled once");
    let Lookup::Found(by_id) = log.find("a", 7) else {
        panic!("not found")
    };
    assert!(
        Arc::ptr_eq(&by_id, &latest),
        "by id and by version it is the same"
    );
}

#[test]
fn what_governs_no_subject_of_the_default_context_is_none() {
    let mut log = Log::new();
    log.put(":.other:a", 1, 7, "\"string\"", false);
    log.put("b", 1, 7, "\"int\"", false);
    log.put("c", 1, 9, "{", false);
    assert_eq!(log.latest(":.other:a"), Err("no subject"));
    assert_eq!(log.latest("b"), Ok((1, 7)));
    assert_eq!(log.latest("c"), Err("not compilable"));
}
