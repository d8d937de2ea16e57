//! A large registry is loaded, listed and written to in time that grows with what is asked, not with what is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

#[path = "registry_api/mod.rs"]
mod registry_api;

use portcullis::registry::state::{
    Command, Encoded, Record, Reference, SchemaContent, SchemaValue, State, Touched,
};
use portcullis::registry::state::{VersionId, decide};
use portcullis::schema::{CompatibilityLevel, SchemaId, SchemaType, Version};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SCHEMAS: u32 = 100_000;
const SUBJECTS: u32 = 10_000;
/// What an unoptimised build may take longer.
const PATIENCE: u32 = if cfg!(debug_assertions) { 10 } else { 1 };

/// 10,000 subjects of ten versions, 500 bytes each; every tenth schema refers to the first.
fn log() -> Vec<Encoded> {
    let padding = "x".repeat(380);
    (0..SCHEMAS)
        .map(|number| {
            let text = format!(
                r#"{{"type":"record","name":"R{number}","doc":"{padding}","fields":[{{"name":"a","type":"string"}}]}}"#
            );
            let mut content = SchemaContent::new(SchemaType::Avro, &text);
            if number > 0 && number % 10 == 0 {
                content.references.push(Reference {
                    name: "R0".to_owned(),
                    subject: "subject-00000".to_owned(),
                    version: 1,
                });
            }
            let record = Record::Schema {
                subject: format!("subject-{:05}", number % SUBJECTS).into(),
                version: Version(number / SUBJECTS + 1),
                value: Some(SchemaValue {
                    id: SchemaId(number + 1),
                    content: Arc::new(content),
                    md5: None,
                    deleted: false,
                }),
            };
            record.encode().unwrap()
        })
        .collect()
}

fn fold(log: &[Encoded]) -> State {
    let mut state = State::new(CompatibilityLevel::Backward);
    let mut touched = Touched::default();
    for (key, value) in log {
        state.apply(Record::decode(key, value.as_deref()), 0, &mut touched);
    }
    state
}

fn took(what: &str, started: Instant, limit: Duration) {
    let took = started.elapsed();
    eprintln!("{what}: {took:?}");
    assert!(took < limit * PATIENCE, "{what} took {took:?}");
}

#[test]
fn a_hundred_thousand_schemas_are_folded_in_seconds_and_asked_in_moments() {
    let log = log();
    let started = Instant::now();
    let state = fold(&log);
    took("fold 100,000 schemas", started, Duration::from_secs(2));
    assert_eq!((state.live_versions(), state.id_max(".")), (100_000, SCHEMAS));

    let started = Instant::now();
    let names: Vec<_> = state.subjects_with_prefix(":*:").map(|(name, _)| name).collect();
    let body = serde_json::to_vec(&names).unwrap();
    took("list 10,000 subjects", started, Duration::from_millis(20));
    assert!(body.len() > 100_000);

    let started = Instant::now();
    assert_eq!(
        state.referenced_by("subject-00000", Version(1), false).len(),
        9_999
    );
    took("who refers to one", started, Duration::from_millis(20));

    let started = Instant::now();
    for number in 1..1_000u32 {
        let delete = Command::DeleteVersion {
            subject: format!("subject-{number:05}").into(),
            version: VersionId::Number(Version(3)),
            permanent: false,
        };
        decide(&state, &delete).unwrap();
    }
    took("decide 1,000 deletions", started, Duration::from_millis(50));

    let started = Instant::now();
    for _ in 0..10 {
        let mut next = state.clone();
        let (key, value) = &log[0];
        next.apply(Record::decode(key, value.as_deref()), 1, &mut Touched::default());
    }
    took("10 commits beside readers", started, Duration::from_millis(500));
}
