//! The fold and the decisions, rule by rule.

use super::*;
use crate::registry::errors::RegistryError;
use crate::schema::{CompatibilityLevel, SchemaId, SchemaType, Version};
use std::sync::Arc;

pub(super) fn content(text: &str, references: &[(&str, u32)]) -> Arc<SchemaContent> {
    let reference = |(subject, version): &(&str, u32)| Reference {
        name: format!("{subject}.{version}"),
        subject: (*subject).to_owned(),
        version: *version,
    };
    Arc::new(SchemaContent {
        schema_type: SchemaType::Avro,
        text: text.into(),
        references: references.iter().map(reference).collect(),
        metadata: None,
        rule_set: None,
    })
}

pub(super) fn register(state: &State, subject: &str, content: Arc<SchemaContent>) -> Command {
    Command::Register(Register {
        subject: subject.into(),
        content,
        id: None,
        version: WantedVersion::Any,
        checked: state.revision(subject),
    })
}

fn empty() -> State {
    State::new(CompatibilityLevel::Backward)
}

/// Decides and applies, through the records' bytes.
pub(super) fn carry_out(state: &mut State, command: &Command) -> Result<Outcome, RegistryError> {
    let decision = decide(state, command)?;
    for record in decision.records {
        let (key, value) = record.encode().unwrap();
        let read = Record::decode(&key, value.as_deref());
        assert_eq!(read, record, "a record reads back as it was written");
        state.apply(read, 1_000, &mut Touched::default());
    }
    Ok(decision.outcome)
}

fn add(state: &mut State, subject: &str, text: &str, references: &[(&str, u32)]) -> (u32, u32) {
    let command = register(state, subject, content(text, references));
    match carry_out(state, &command).unwrap() {
        Outcome::Registered { id, version } => (id.0, version.0),
        other => panic!("{other:?}"),
    }
}

fn delete_version(
    state: &mut State,
    subject: &str,
    version: u32,
    permanent: bool,
) -> Result<Outcome, RegistryError> {
    let version = VersionId::Number(Version(version));
    carry_out(
        state,
        &Command::DeleteVersion {
            subject: subject.into(),
            version,
            permanent,
        },
    )
}

fn delete_subject(state: &mut State, subject: &str, permanent: bool) -> Result<Outcome, RegistryError> {
    carry_out(
        state,
        &Command::DeleteSubject {
            subject: subject.into(),
            permanent,
        },
    )
}

fn level_update(level: CompatibilityLevel) -> Box<ConfigUpdate> {
    Box::new(ConfigUpdate {
        compatibility: Change::Set(level),
        ..ConfigUpdate::default()
    })
}

fn set_mode(
    state: &mut State,
    subject: Option<&str>,
    mode: Mode,
    force: bool,
) -> Result<Outcome, RegistryError> {
    carry_out(
        state,
        &Command::SetMode {
            subject: subject.map(Into::into),
            mode: Some(mode),
            force,
        },
    )
}

#[test]
fn one_schema_has_one_id_in_every_subject() {
    let mut state = empty();
    assert_eq!(add(&mut state, "a", "A", &[]), (1, 1));
    assert_eq!(add(&mut state, "b", "B", &[]), (2, 1));
    assert_eq!(add(&mut state, "b", "A", &[]), (1, 2));
    assert_eq!(
        add(&mut state, "a", "A", &[]),
        (1, 1),
        "registering again changes nothing"
    );
    assert_eq!(state.sequence(), 3);
    assert_eq!(
        add(&mut state, "b", "A", &[("a", 1)]),
        (3, 3),
        "references are part of the identity"
    );
}

#[test]
fn a_soft_deleted_version_comes_back_under_the_next_number_and_its_old_one_goes() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    add(&mut state, "a", "B", &[]);
    delete_version(&mut state, "a", 1, false).unwrap();
    assert_eq!(add(&mut state, "a", "A", &[]), (1, 3));
    let versions: Vec<_> = state.subject("a").unwrap().versions.keys().map(|v| v.0).collect();
    assert_eq!(versions, [2, 3]);
}

#[test]
fn a_soft_deleted_version_that_is_referenced_stays_when_its_schema_comes_back() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    let referring = add(&mut state, "b", "B", &[("a", 1)]);
    assert_eq!(referring, (2, 1));
    delete_version(&mut state, "b", 1, false).unwrap();
    delete_version(&mut state, "a", 1, false).unwrap();
    assert_eq!(add(&mut state, "a", "A", &[]), (1, 2));
    assert_eq!(state.subject("a").unwrap().versions.len(), 2);
}

#[test]
fn hard_delete_comes_only_after_soft_delete() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    let not_soft = RegistryError::VersionNotSoftDeleted {
        subject: "a".to_owned(),
        version: 1,
    };
    assert_eq!(delete_version(&mut state, "a", 1, true), Err(not_soft));
    assert_eq!(
        delete_subject(&mut state, "a", true),
        Err(RegistryError::SubjectNotSoftDeleted("a".to_owned()))
    );
    assert_eq!(
        delete_subject(&mut state, "a", false),
        Ok(Outcome::DeletedSubject(vec![Version(1)]))
    );
    assert_eq!(
        delete_subject(&mut state, "a", false),
        Err(RegistryError::SubjectSoftDeleted("a".to_owned()))
    );
    let soft = RegistryError::VersionSoftDeleted {
        subject: "a".to_owned(),
        version: 1,
    };
    assert_eq!(delete_version(&mut state, "a", 1, false), Err(soft));
    assert_eq!(
        delete_subject(&mut state, "a", true),
        Ok(Outcome::DeletedSubject(vec![Version(1)]))
    );
    assert_eq!(
        delete_subject(&mut state, "a", true),
        Err(RegistryError::SubjectNotFound("a".to_owned()))
    );
    assert!(state.id(".", SchemaId(1)).is_none());
}

#[test]
fn an_id_is_never_given_twice() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    delete_subject(&mut state, "a", false).unwrap();
    delete_subject(&mut state, "a", true).unwrap();
    assert_eq!(add(&mut state, "a", "A", &[]), (2, 1));
}

#[test]
fn a_referenced_version_cannot_be_deleted() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    add(&mut state, "b", "B", &[("a", 1)]);
    let refused = RegistryError::ReferenceExists("{magic=1,keytype=SCHEMA,subject=a,version=1}".to_owned());
    assert_eq!(delete_version(&mut state, "a", 1, false), Err(refused.clone()));
    assert_eq!(delete_subject(&mut state, "a", false), Err(refused.clone()));
    delete_subject(&mut state, "b", false).unwrap();
    delete_subject(&mut state, "a", false).unwrap();
    assert_eq!(
        delete_subject(&mut state, "a", true),
        Err(refused),
        "the referring version could come back"
    );
    delete_subject(&mut state, "b", true).unwrap();
    delete_subject(&mut state, "a", true).unwrap();
}

#[test]
fn a_subject_that_refers_to_itself_can_be_deleted() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    add(&mut state, "a", "B", &[("a", 1)]);
    delete_subject(&mut state, "a", false).unwrap();
    delete_subject(&mut state, "a", true).unwrap();
    assert_eq!(state.subjects().count(), 0);
}

#[test]
fn a_registration_checked_against_an_older_subject_is_stale() {
    let mut state = empty();
    let late = register(&state, "a", content("B", &[]));
    let elsewhere = register(&state, "b", content("B", &[]));
    add(&mut state, "a", "A", &[]);
    assert_eq!(carry_out(&mut state, &late), Ok(Outcome::Stale));
    assert!(matches!(
        carry_out(&mut state, &elsewhere),
        Ok(Outcome::Registered { .. })
    ));
    let before_config = register(&state, "a", content("C", &[]));
    let level = level_update(CompatibilityLevel::Full);
    carry_out(
        &mut state,
        &Command::SetConfig {
            subject: None,
            update: level,
        },
    )
    .unwrap();
    assert_eq!(carry_out(&mut state, &before_config), Ok(Outcome::Stale));
}

#[test]
fn a_read_only_registry_refuses_every_change_but_a_mode() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    set_mode(&mut state, None, Mode::ReadOnly, false).unwrap();
    let refused = Err(RegistryError::OperationNotPermitted(
        "Subject a in context  is in read-only mode".to_owned(),
    ));
    let command = register(&state, "a", content("B", &[]));
    assert_eq!(carry_out(&mut state, &command), refused);
    assert_eq!(delete_version(&mut state, "a", 1, false), refused);
    assert_eq!(delete_subject(&mut state, "a", false), refused);
    let config = Command::SetConfig {
        subject: Some("a".into()),
        update: Box::default(),
    };
    assert_eq!(carry_out(&mut state, &config), refused);
    let known = register(&state, "a", content("A", &[]));
    assert!(
        carry_out(&mut state, &known).is_ok(),
        "what is there can be registered again"
    );
    set_mode(&mut state, Some("a"), Mode::ReadWrite, false).unwrap();
    add(&mut state, "a", "B", &[]);
    set_mode(&mut state, None, Mode::ReadOnlyOverride, false).unwrap();
    add(&mut state, "a", "C", &[]);
    let elsewhere = register(&state, "b", content("C", &[]));
    assert!(
        carry_out(&mut state, &elsewhere).is_err(),
        "an override is read-only for those without a mode of their own"
    );
}

#[test]
fn an_import_brings_its_own_ids_and_versions() {
    let mut state = empty();
    add(&mut state, "there", "T", &[]);
    let refused =
        RegistryError::OperationNotPermitted("Cannot import since found existing subjects".to_owned());
    assert_eq!(set_mode(&mut state, None, Mode::Import, false), Err(refused));
    set_mode(&mut state, Some("a"), Mode::Import, false).unwrap();
    let import = |state: &State, text: &str, id, version| {
        Command::Register(Register {
            subject: "a".into(),
            content: content(text, &[]),
            id: Some(SchemaId(id)),
            version: WantedVersion::Number(Version(version)),
            checked: state.revision("a"),
        })
    };
    let command = import(&state, "A", 50, 7);
    let outcome = carry_out(&mut state, &command);
    assert_eq!(
        outcome,
        Ok(Outcome::Registered {
            id: SchemaId(50),
            version: Version(7)
        })
    );
    let overwrite = import(&state, "B", 50, 8);
    let refused = "Overwrite new schema with id 50 in context  is not permitted.".to_owned();
    assert_eq!(
        carry_out(&mut state, &overwrite),
        Err(RegistryError::OperationNotPermitted(refused))
    );
    let without_id = register(&state, "a", content("C", &[]));
    let refused = "Subject a in context  is not in read-write mode".to_owned();
    assert_eq!(
        carry_out(&mut state, &without_id),
        Err(RegistryError::OperationNotPermitted(refused))
    );
    assert_eq!(
        add(&mut state, "b", "D", &[]),
        (51, 1),
        "new ids come after imported ones"
    );
}

#[test]
fn ids_are_for_imports_only() {
    let mut state = empty();
    let command = Command::Register(Register {
        subject: "a".into(),
        content: content("A", &[]),
        id: Some(SchemaId(5)),
        version: WantedVersion::Any,
        checked: state.revision("a"),
    });
    let refused = "Subject a in context  is not in import mode".to_owned();
    assert_eq!(
        carry_out(&mut state, &command),
        Err(RegistryError::OperationNotPermitted(refused))
    );
}

fn level_of(state: &State, subject: &str) -> Option<CompatibilityLevel> {
    state.config_in_scope(Some(subject)).compatibility
}

#[test]
fn a_subject_loses_its_settings_with_its_last_version() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    let level = level_update(CompatibilityLevel::None);
    let config = Command::SetConfig {
        subject: Some("a".into()),
        update: level,
    };
    carry_out(&mut state, &config).unwrap();
    assert_eq!(level_of(&state, "a"), Some(CompatibilityLevel::None));
    delete_version(&mut state, "a", 1, false).unwrap();
    assert_eq!(level_of(&state, "a"), Some(CompatibilityLevel::None));
    delete_version(&mut state, "a", 1, true).unwrap();
    assert_eq!(level_of(&state, "a"), Some(CompatibilityLevel::Backward));
    assert!(state.subject("a").is_none());
}

#[test]
fn references_resolve_dependencies_first_and_once() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    add(&mut state, "b", "B", &[("a", 1)]);
    add(&mut state, "c", "C", &[("a", 1), ("b", 1)]);
    let names: Vec<_> = resolve(&state, "", &content("D", &[("c", 1), ("b", 1)]))
        .unwrap()
        .into_iter()
        .map(|reference| (reference.name, reference.text))
        .collect();
    let expected = [("a.1", "A"), ("b.1", "B"), ("c.1", "C")].map(|(n, t)| (n.to_owned(), t.to_owned()));
    assert_eq!(names, expected);
    let missing = resolve(&state, "", &content("D", &[("c", 2)])).unwrap_err();
    assert_eq!(
        missing,
        "No schema reference found for subject \"c\" and version 2"
    );
}

#[test]
fn references_in_a_circle_and_too_deep_are_refused() {
    let mut state = empty();
    let mut put = |subject: &str, references: &[(&str, u32)]| {
        let id = SchemaId(state.id_max(".") + 1);
        let value = Some(SchemaValue {
            id,
            content: content(subject, references),
            md5: None,
            deleted: false,
        });
        let record = Record::Schema {
            subject: subject.into(),
            version: Version(1),
            value,
        };
        state.apply(record, 0, &mut Touched::default());
    };
    put("x", &[("y", 1)]);
    put("y", &[("x", 1)]);
    put("s000", &[]);
    for depth in 1..100 {
        put(&format!("s{depth:03}"), &[(&format!("s{:03}", depth - 1), 1)]);
    }
    let circle = resolve(&state, "", &content("Z", &[("x", 1)])).unwrap_err();
    assert!(circle.contains("circle"), "{circle}");
    let deep = resolve(&state, "", &content("Z", &[("s099", 1)])).unwrap_err();
    assert!(deep.contains("limit"), "{deep}");
    assert_eq!(
        resolve(&state, "", &content("Z", &[("s040", 1)])).unwrap().len(),
        41
    );
}

/// The numbers are `md5sum`'s; the layout was held against Confluent's golden data, Avro with and without references
/// and metadata.
#[test]
fn a_digest_is_the_md5_of_text_references_and_metadata() {
    let plain = content("\"string\"", &[]);
    assert_eq!(plain.digest().to_string(), "095d71cf-1255-6b9d-5e33-0ad575b3df5d");
    assert_eq!(
        Digest::from_guid(&plain.digest().to_string()),
        Some(plain.digest())
    );
    assert_eq!(Digest::from_guid("not a guid"), None);
    assert_eq!(Digest::from_guid("095d71cf-1255-6b9d-5e33-0ad575b3df5d00"), None);
    let metadata = Metadata {
        tags: [("team".to_owned(), ["red", "blue"].map(str::to_owned).into())].into(),
        properties: [("owner".to_owned(), "data".to_owned())].into(),
        sensitive: ["ssn".to_owned()].into(),
    };
    let full = SchemaContent {
        metadata: Some(metadata),
        ..(*content("\"string\"", &[("a", 1)])).clone()
    };
    assert_eq!(full.digest().to_string(), "0dc52b22-3816-133c-c8f6-038819eea0d0");
}

#[test]
fn subjects_are_what_confluent_takes() {
    for good in [
        "orders-value",
        "a/b",
        "a.b:c",
        "größe",
        "a b",
        ":.:orders",
        ":.c:orders",
        ":.c:",
    ] {
        assert!(subject_name(good).is_ok(), "{good}");
    }
    assert_eq!(subject_name(":.:orders").unwrap(), "orders");
    assert_eq!(subject_name(":.c:orders").unwrap(), ":.c:orders");
    for bad in [
        "",
        "a\0b",
        "line\n",
        ":.:",
        "__GLOBAL",
        "__EMPTY",
        "\u{7f}",
        ":.c:__EMPTY",
        ":.__GLOBAL:a",
    ] {
        assert_eq!(
            subject_name(bad),
            Err(RegistryError::InvalidSubject(bad.to_owned()))
        );
    }
}

#[test]
fn versions_are_numbers_from_one_or_latest() {
    assert_eq!(VersionId::parse("latest"), Ok(VersionId::Latest));
    assert_eq!(VersionId::parse("-1"), Ok(VersionId::Latest));
    assert_eq!(VersionId::parse("7"), Ok(VersionId::Number(Version(7))));
    for bad in ["0", "-2", "one", "", "2147483648", "1.0"] {
        assert!(
            matches!(VersionId::parse(bad), Err(RegistryError::InvalidVersion(_))),
            "{bad}"
        );
    }
}

fn put(state: &mut State, subject: &str, version: u32, id: u32, content: Arc<SchemaContent>, deleted: bool) {
    let record = Record::Schema {
        subject: subject.into(),
        version: Version(version),
        value: Some(SchemaValue {
            id: SchemaId(id),
            content,
            md5: None,
            deleted,
        }),
    };
    state.apply(record, 0, &mut Touched::default());
}

#[test]
fn a_context_is_declared_with_its_first_schema_and_counts_from_one() {
    let mut state = empty();
    add(&mut state, "a", "A", &[]);
    let command = register(&state, ":.c:a", content("A", &[]));
    let decision = decide(&state, &command).unwrap();
    let kinds: Vec<String> = decision
        .records
        .iter()
        .map(|record| String::from_utf8(record.encode().unwrap().0).unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            r#"{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}"#,
            r#"{"keytype":"SCHEMA","subject":":.c:a","version":1,"magic":1}"#,
        ]
    );
    assert_eq!(add(&mut state, ":.c:b", "B", &[]), (1, 1));
    assert_eq!(add(&mut state, ":.c:a", "A", &[]), (2, 1));
    let names: Vec<&str> = state.contexts().map(AsRef::as_ref).collect();
    assert_eq!(names, [".", ".c"]);
    assert_eq!(
        (state.id_max("."), state.id_max(".c"), state.id_max(".none")),
        (1, 2, 0)
    );
    let digest = content("A", &[]).digest();
    assert_eq!(state.id_of(".", digest), Some(SchemaId(1)));
    assert_eq!(state.id_of(".c", digest), Some(SchemaId(2)));
    let mut touched = Touched::default();
    let record = Record::Schema {
        subject: ":.c:a".into(),
        version: Version(1),
        value: None,
    };
    state.apply(record, 0, &mut touched);
    assert!(
        touched.ids.is_empty(),
        "the gateway's ids are the default context's"
    );
}

#[test]
fn a_record_that_gives_an_id_a_second_text_is_left_out() {
    let mut state = empty();
    put(&mut state, "a", 1, 7, content("A", &[]), false);
    put(&mut state, "b", 1, 7, content("B", &[]), false);
    assert!(state.subject("b").is_none());
    put(&mut state, ":.c:b", 1, 7, content("B", &[]), false);
    assert!(
        state.subject(":.c:b").is_some(),
        "another context is another count"
    );
    put(&mut state, "b", 1, 7, content("A", &[("a", 1)]), false);
    let shown = state.version("b", VersionId::Latest, false).unwrap().1;
    assert_eq!(
        shown.content.references.len(),
        1,
        "the same text may come with other references"
    );
    assert_eq!(state.referenced_by("a", Version(1), false).len(), 1);
}

#[test]
fn clearing_forgets_what_was_deleted_in_its_scope() {
    let mut state = empty();
    for subject in ["a", "b", ":.c:a", ":.c:b", ":.d:a"] {
        put(&mut state, subject, 1, 1, content("A", &[]), true);
        put(&mut state, subject, 2, 2, content("B", &[]), false);
    }
    let deleted = |state: &State| -> Vec<String> {
        let with_deleted = |(name, s): (&Arc<str>, &SubjectState)| {
            s.versions.values().any(|v| v.deleted).then(|| name.to_string())
        };
        state.subjects().filter_map(with_deleted).collect()
    };
    let clear = |state: &mut State, subject: Option<&str>| {
        let record = Record::ClearSubject {
            subject: subject.map(Into::into),
            tombstone: false,
        };
        state.apply(record, 0, &mut Touched::default());
    };
    clear(&mut state, Some(":.c:a"));
    assert_eq!(deleted(&state), [":.c:b", ":.d:a", "a", "b"]);
    clear(&mut state, Some(":.c:"));
    assert_eq!(deleted(&state), [":.d:a", "a", "b"]);
    clear(&mut state, Some(":.__GLOBAL:"));
    assert_eq!(deleted(&state), [""; 0]);
    assert_eq!(state.live_versions(), 5);
}

#[test]
fn what_refers_is_known_until_its_last_version_has_gone() {
    let mut state = empty();
    let referring = || content("R", &[("a", 1)]);
    put(&mut state, "r", 1, 2, referring(), false);
    assert_eq!(
        state.referenced_by("a", Version(1), false).len(),
        1,
        "before there is one"
    );
    assert_eq!(
        state
            .subjects_with_prefix("a")
            .filter(|(_, s)| !s.versions.is_empty())
            .count(),
        0
    );
    put(&mut state, "a", 1, 1, content("A", &[]), false);
    put(&mut state, "r", 2, 2, referring(), false);
    put(&mut state, "s", 1, 2, referring(), true);
    for (subject, version) in [("r", 1), ("r", 2)] {
        let gone = Record::Schema {
            subject: subject.into(),
            version: Version(version),
            value: None,
        };
        state.apply(gone, 0, &mut Touched::default());
        assert_eq!(state.referenced_by("a", Version(1), true).len(), 1);
    }
    assert!(
        state.referenced_by("a", Version(1), false).is_empty(),
        "only a deleted one is left"
    );
    put(&mut state, "s", 1, 3, content("S", &[]), false);
    assert!(state.referenced_by("a", Version(1), true).is_empty());
    assert!(state.subject("r").is_none());
    assert!(state.subject("a").unwrap().referrers.is_empty());
}

#[test]
fn unknown_records_are_counted_by_kind_and_bounded() {
    let mut state = empty();
    for number in 0..100 {
        for key in [
            format!(r#"{{"keytype":"KIND{number}"}}"#),
            r#"{"keytype":"ASSOC"}"#.to_owned(),
        ] {
            state.apply(Record::decode(key.as_bytes(), None), 0, &mut Touched::default());
        }
    }
    assert_eq!(state.unknown_records()["ASSOC"], 100);
    assert!(state.unknown_records().len() <= 33);
    assert_eq!(state.unknown_records().values().sum::<u64>(), 200);
    assert_eq!(state.sequence(), 200);
}
