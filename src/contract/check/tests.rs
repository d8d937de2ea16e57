use super::*;
use crate::contract::{
    Action, DeadLetter, Framing, Governing, GoverningVersion, Level, Lookup, OnRegistryDown, Policies,
    Policy, Prefix, Presence, SubjectLookup, TopicPattern, ViolatedSchema,
};
use crate::schema::{Formats, Schema, SchemaId, Subject, UnknownFields, Version};
use crate::wire::batch_writer::{NewRecord, write_batch};
use crate::wire::compression::Compression;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const LIMITS: DecompressionLimits = DecompressionLimits {
    bytes_max: 1 << 20,
    ratio_max: 128,
};

/// A registry in memory: what `find` answers by subject and id, which subjects there are, and what was asked.
#[derive(Default)]
struct Fake {
    found: HashMap<(String, u32), Lookup>,
    otherwise: Option<Lookup>,
    subjects: HashMap<String, Presence>,
    /// What `governing` answers; the policy's version is not looked at.
    raw: Option<SubjectLookup>,
    asked: Mutex<Vec<(String, u32)>>,
}

impl SchemaSource for Fake {
    fn find(&self, subject: &str, id: SchemaId) -> Lookup {
        self.asked.lock().unwrap().push((subject.to_owned(), id.0));
        let known = self.found.get(&(subject.to_owned(), id.0)).cloned();
        known
            .or_else(|| self.otherwise.clone())
            .unwrap_or(Lookup::UnknownId)
    }
    fn subject(&self, subject: &str) -> Presence {
        self.subjects.get(subject).copied().unwrap_or(Presence::Absent)
    }
    fn governing(&self, subject: &str, version: GoverningVersion) -> SubjectLookup {
        let number = match version {
            GoverningVersion::Latest => 0,
            GoverningVersion::Pinned(version) => version.0,
        };
        self.asked.lock().unwrap().push((subject.to_owned(), number));
        self.raw.clone().unwrap_or(SubjectLookup::NoSubject)
    }
}

fn governing(schema_type: SchemaType, text: &str, id: u32, subject: &str) -> Lookup {
    let validator = Schema::parse(schema_type, text, &[])
        .unwrap()
        .validator()
        .unwrap();
    let subject = Subject(subject.into());
    Lookup::Found(Arc::new(Governing {
        id: SchemaId(id),
        subject,
        version: Version(3),
        validator: Arc::new(validator),
    }))
}

/// Schema 42 is `orders-value` v3, an Avro `long`; schema 7 is `orders-key` v3, an Avro `string`.
fn registry() -> Fake {
    let mut fake = Fake::default();
    let value = governing(SchemaType::Avro, "\"long\"", 42, "orders-value");
    let key = governing(SchemaType::Avro, "\"string\"", 7, "orders-key");
    fake.found.insert(("orders-value".into(), 42), value);
    fake.found.insert(("orders-key".into(), 7), key);
    fake.subjects.insert("orders-value".into(), Presence::Present);
    fake.subjects.insert("orders-key".into(), Presence::Present);
    fake
}

fn rules(value: Level, key: Level) -> TopicRules {
    let mut policy = Policy::default_policy();
    policy.topics = vec![TopicPattern::parse("*").unwrap()];
    policy.value.level = value;
    policy.key.level = key;
    Policies(vec![policy]).rules_for("orders")
}

fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), payload].concat()
}

fn good() -> Vec<u8> {
    framed(42, &[0x54])
}

type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

fn batch_of(pairs: &[Pair], compression: Compression) -> Vec<u8> {
    let records: Vec<NewRecord<'_>> = pairs
        .iter()
        .map(|(key, value)| NewRecord {
            key: key.as_deref(),
            value: value.as_deref(),
            ..NewRecord::default()
        })
        .collect();
    let mut bytes = Vec::new();
    write_batch(&records, compression, None, &mut bytes).unwrap();
    bytes
}

fn values(values: &[Vec<u8>]) -> Vec<u8> {
    let pairs: Vec<Pair> = values.iter().map(|value| (None, Some(value.clone()))).collect();
    batch_of(&pairs, Compression::None)
}

fn check(rules: &TopicRules, batch: &[u8], fake: &Fake) -> BatchVerdict {
    let next = Cell::new(0);
    Checker::new(LIMITS).check(rules, batch, fake, &mut || {
        next.set(next.get() + 1);
        Ulid::from_parts(0, next.get())
    })
}

fn lines(verdict: BatchVerdict) -> Vec<String> {
    match verdict {
        BatchVerdict::Violations { violations, .. } => violations.iter().map(Violation::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// The only violation's line, without its reference.
fn line(rules: &TopicRules, batch: &[u8], fake: &Fake) -> String {
    let lines = lines(check(rules, batch, fake));
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    line.strip_suffix("; ref 00000000000000000000000001")
        .unwrap()
        .to_owned()
}

#[test]
fn a_valid_batch_passes_in_every_compression_and_asks_once_a_schema() {
    for compression in Compression::ALL {
        let fake = registry();
        let pairs = vec![(Some(framed(7, &[4, b'i', b'd'])), Some(good())); 100];
        let batch = batch_of(&pairs, compression);
        let verdict = check(&rules(Level::Payload, Level::Payload), &batch, &fake);
        assert_eq!(verdict, BatchVerdict::Valid { records: 100 }, "{compression:?}");
        let asked = fake.asked.into_inner().unwrap();
        assert_eq!(
            asked,
            [("orders-key".to_owned(), 7), ("orders-value".to_owned(), 42)]
        );
    }
}

#[test]
fn a_bad_payload_is_named_by_record_place_and_schema() {
    let batch = values(&[good(), framed(42, &[])]);
    let line = line(&rules(Level::Payload, Level::Off), &batch, &registry());
    assert!(
        line.starts_with("PC-201 record 1 value: $: expected long"),
        "{line}"
    );
    assert!(line.ends_with("; schema 42 (orders-value v3)"), "{line}");
}

#[test]
fn only_the_first_of_key_and_value_is_a_records_violation() {
    let pairs = [
        (Some(b"raw".to_vec()), Some(b"raw".to_vec())),
        (None, Some(b"raw".to_vec())),
    ];
    let batch = batch_of(&pairs, Compression::None);
    let verdict = check(&rules(Level::Payload, Level::Payload), &batch, &registry());
    let BatchVerdict::Violations {
        records,
        bad_records,
        violations,
        ..
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert_eq!((records, bad_records.to_string().as_str()), (2, "0-1"));
    let parts: Vec<_> = violations.iter().map(|v| (v.record, v.part, v.code)).collect();
    assert_eq!(
        parts,
        [(0, Part::Key, Code::NoFraming), (1, Part::Value, Code::NoFraming)]
    );
}

#[test]
fn what_has_no_framing_says_what_it_looks_like() {
    let rules = rules(Level::Payload, Level::Off);
    for (value, expected) in [
        (&b""[..], "PC-101 record 0 value: no Confluent framing: empty"),
        (
            &[0, 0, 0, 0],
            "PC-101 record 0 value: no Confluent framing: shorter than",
        ),
        (
            b"{\"total\":1}",
            "PC-101 record 0 value: no Confluent framing: begins like JSON text",
        ),
        (
            &[1, 0, 0, 0, 42, 0],
            "PC-101 record 0 value: no Confluent framing: the first byte",
        ),
    ] {
        let line = line(&rules, &values(&[value.to_vec()]), &registry());
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn an_id_that_does_not_govern_has_its_own_code_for_each_reason() {
    let rules = rules(Level::Payload, Level::Off);
    let mut fake = registry();
    fake.found
        .insert(("orders-value".into(), 8), Lookup::OtherSubject);
    fake.found.insert(
        ("orders-value".into(), 9),
        Lookup::NotCompilable("too deep".into()),
    );
    for (id, expected) in [
        (0, "PC-102 record 0 value: 0 is no schema id: they are positive"),
        (
            u32::MAX,
            "PC-102 record 0 value: -1 is no schema id: they are positive",
        ),
        (5, "PC-102 record 0 value: no schema has this id; schema 5"),
        (
            8,
            "PC-103 record 0 value: the schema is not a live version of subject orders-value; schema 8",
        ),
        (
            9,
            "PC-301 record 0 value: the schema cannot be compiled: too deep; schema 9",
        ),
    ] {
        assert_eq!(line(&rules, &values(&[framed(id, &[0])]), &fake), expected);
    }
}

#[test]
fn a_subject_without_any_schema_is_said_instead_of_the_id() {
    let expected = "PC-104 record 0 value: subject orders-value has no schema; schema 42";
    for level in [Level::Payload, Level::SchemaId] {
        assert_eq!(
            line(&rules(level, Level::Off), &values(&[good()]), &Fake::default()),
            expected
        );
    }
}

#[test]
fn the_schema_id_level_looks_no_further_than_the_id() {
    let mut fake = registry();
    fake.found.insert(
        ("orders-value".into(), 9),
        Lookup::NotCompilable("too deep".into()),
    );
    let rules = rules(Level::SchemaId, Level::Off);
    let batch = values(&[framed(42, b"no long"), framed(9, b"")]);
    assert_eq!(check(&rules, &batch, &fake), BatchVerdict::Valid { records: 2 });
    assert!(line(&rules, &values(&[framed(5, &[])]), &fake).starts_with("PC-102"));
}

#[test]
fn auto_checks_where_the_subject_exists_and_only_there() {
    let rules = rules(Level::Auto, Level::Auto);
    let batch = values(&[b"raw".to_vec()]);
    assert!(line(&rules, &batch, &registry()).starts_with("PC-101"));
    assert_eq!(
        check(&rules, &batch, &Fake::default()),
        BatchVerdict::Unchecked { records: 1 }
    );
    let mut only_key = registry();
    only_key.subjects.remove("orders-value");
    assert_eq!(
        check(&rules, &batch, &only_key),
        BatchVerdict::Valid { records: 1 }
    );
}

#[test]
fn with_both_levels_off_nothing_but_the_count_is_looked_at() {
    let rules = rules(Level::Off, Level::Off);
    let mut batch = values(&[b"raw".to_vec(), b"raw".to_vec()]);
    batch[17] ^= 1; // The CRC.
    let fake = Fake::default();
    assert_eq!(
        check(&rules, &batch, &fake),
        BatchVerdict::Unchecked { records: 2 }
    );
    assert_eq!(
        check(&rules, &batch[..60], &fake),
        BatchVerdict::Unchecked { records: 0 }
    );
    batch[57..61].copy_from_slice(&(-5i32).to_be_bytes());
    assert_eq!(
        check(&rules, &batch, &fake),
        BatchVerdict::Unchecked { records: 0 }
    );
    assert!(fake.asked.into_inner().unwrap().is_empty());
}

#[test]
fn a_tombstone_passes_unless_the_policy_forbids_it_at_any_level() {
    let batch = batch_of(&[(None, None)], Compression::None);
    for level in [Level::Payload, Level::Off] {
        let mut rules = rules(level, Level::Off);
        let passed = check(&rules, &batch, &registry());
        assert!(
            matches!(
                passed,
                BatchVerdict::Valid { .. } | BatchVerdict::Unchecked { .. }
            ),
            "{passed:?}"
        );
        rules.null_value_allowed = false;
        let line = line(&rules, &batch, &registry());
        assert_eq!(line, "PC-106 record 0 value: null, which the policy forbids");
    }
}

#[test]
fn a_schema_that_cannot_be_had_makes_the_batch_retriable_whatever_else_is_wrong() {
    let mut fake = registry();
    fake.otherwise = Some(Lookup::Unreachable);
    let mut rules = rules(Level::Payload, Level::Off);
    let batch = values(&[b"raw".to_vec(), framed(5, &[])]);
    let BatchVerdict::RegistryUnreachable { records: 2, line } = check(&rules, &batch, &fake) else {
        panic!("not retriable")
    };
    assert!(
        line.starts_with("PC-401 record 1 value: schema 5 is not cached"),
        "{line}"
    );
    rules.on_registry_down = OnRegistryDown::Pass;
    assert_eq!(
        lines(check(&rules, &batch, &fake)).len(),
        1,
        "the raw record is still bad"
    );
    let warm = values(&[good()]);
    assert_eq!(check(&rules, &warm, &fake), BatchVerdict::Valid { records: 1 });
}

#[test]
fn auto_with_an_unknown_subject_and_no_registry_follows_the_policy() {
    let mut fake = Fake::default();
    fake.subjects.insert("orders-value".into(), Presence::Unreachable);
    let mut rules = rules(Level::Auto, Level::Off);
    let batch = values(&[b"raw".to_vec()]);
    let BatchVerdict::RegistryUnreachable { records: 1, line } = check(&rules, &batch, &fake) else {
        panic!("not retriable")
    };
    assert!(
        line.starts_with("PC-401 value: subject orders-value is not cached"),
        "{line}"
    );
    rules.on_registry_down = OnRegistryDown::Pass;
    assert_eq!(
        check(&rules, &batch, &fake),
        BatchVerdict::Unchecked { records: 1 }
    );
}

fn refused(verdict: BatchVerdict) -> (Code, ErrorCode, String) {
    match verdict {
        BatchVerdict::Refused {
            code,
            error_code,
            line,
            ..
        } => (code, error_code, line),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_malformed_batch_is_refused_as_one_with_a_brokers_code() {
    let rules = rules(Level::Payload, Level::Off);
    let mut batch = values(&[good()]);
    batch[20] ^= 1;
    let (code, error_code, line) = refused(check(&rules, &batch, &registry()));
    assert_eq!((code, error_code), (Code::Malformed, ErrorCode::CORRUPT_MESSAGE));
    assert!(line.starts_with("PC-302 batch: CRC is "), "{line}");
    assert!(line.ends_with("; ref 00000000000000000000000001"), "{line}");
    let (code, ..) = refused(check(&rules, &[], &registry()));
    assert_eq!(code, Code::Malformed);
}

#[test]
fn a_batch_that_breaks_off_is_malformed_even_when_earlier_records_are_bad() {
    // Three records are promised and two are there, the CRC made right again.
    let mut batch = values(&[b"raw".to_vec(), b"raw".to_vec()]);
    batch[23..27].copy_from_slice(&2i32.to_be_bytes());
    batch[57..61].copy_from_slice(&3i32.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let (code, error_code, _) = refused(check(&rules(Level::Payload, Level::Off), &batch, &registry()));
    assert_eq!((code, error_code), (Code::Malformed, ErrorCode::INVALID_RECORD));
}

#[test]
fn a_batch_that_grows_beyond_the_cap_is_over_a_limit() {
    let pairs = vec![(None, Some(vec![b'x'; 3 << 20]))];
    let batch = batch_of(&pairs, Compression::Gzip);
    let (code, error_code, line) = refused(check(&rules(Level::Payload, Level::Off), &batch, &registry()));
    assert_eq!((code, error_code), (Code::OverLimit, ErrorCode::INVALID_RECORD));
    assert!(line.starts_with("PC-301 batch: "), "{line}");
}

#[test]
fn compressed_bytes_that_are_none_are_refused_for_good() {
    let mut batch = batch_of(&[(None, Some(good()))], Compression::Zstd);
    let end = batch.len();
    batch[61..end].fill(0xff);
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let (code, error_code, _) = refused(check(&rules(Level::Payload, Level::Off), &batch, &registry()));
    assert_eq!((code, error_code), (Code::Malformed, ErrorCode::INVALID_RECORD));
}

const PROTO: &str =
    "syntax = \"proto3\"; message Order { string name = 1; message Line { int32 count = 1; } }";
const JSON_SCHEMA: &str =
    r#"{"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}"#;

/// A registry whose schema 42 is of another language.
fn registry_of(schema_type: SchemaType, text: &str) -> Fake {
    let mut fake = registry();
    let value = governing(schema_type, text, 42, "orders-value");
    fake.found.insert(("orders-value".into(), 42), value);
    fake
}

#[test]
fn protobuf_is_checked_as_the_message_that_its_indexes_name() {
    let fake = registry_of(SchemaType::Protobuf, PROTO);
    let rules = rules(Level::Payload, Level::Off);
    // Order { name: "a" } by the short and the long form, then Order.Line { count: 5 }.
    let good = [
        &[0, 0x0a, 1, b'a'][..],
        &[2, 0, 0x0a, 1, b'a'],
        &[4, 0, 0, 0x08, 5],
    ];
    let batch = values(&good.map(|payload| framed(42, payload)));
    assert_eq!(check(&rules, &batch, &fake), BatchVerdict::Valid { records: 3 });
    for (payload, expected) in [
        (
            &[][..],
            "PC-105 record 0 value: message indexes cut short; schema 42 (orders-value v3)",
        ),
        (
            &[6, 0],
            "PC-105 record 0 value: message indexes with a count that cannot be; schema 42",
        ),
        (
            &[2, 2, 0],
            "PC-105 record 0 value: message indexes [1] point at no message; schema 42",
        ),
        (
            &[2, 1, 0],
            "PC-105 record 0 value: message indexes [-1] point at no message; schema 42",
        ),
        (&[0, 0x0a, 1, 0xff], "PC-202 record 0 value: $.name: "),
        (&[4, 0, 0, 0x08], "PC-202 record 0 value: $"),
    ] {
        let line = line(&rules, &values(&[framed(42, payload)]), &fake);
        assert!(line.starts_with(expected), "{line}");
    }
}

#[test]
fn the_policy_may_ask_more_than_the_language_does() {
    let protobuf = registry_of(SchemaType::Protobuf, PROTO);
    let unknown_field = values(&[framed(42, &[0, 0x10, 5])]);
    let json = registry_of(
        SchemaType::Json,
        r#"{"properties": {"at": {"format": "date-time"}}}"#,
    );
    let no_date = values(&[framed(42, br#"{"at": "yesterday"}"#)]);
    let mut rules = rules(Level::Payload, Level::Off);
    for (batch, fake) in [(&unknown_field, &protobuf), (&no_date, &json)] {
        assert_eq!(check(&rules, batch, fake), BatchVerdict::Valid { records: 1 });
    }
    rules.strictness.unknown_fields = UnknownFields::Reject;
    let found = line(&rules, &unknown_field, &protobuf);
    assert!(found.starts_with("PC-202 record 0 value: $"), "{found}");
    assert_eq!(check(&rules, &no_date, &json), BatchVerdict::Valid { records: 1 });
    rules.strictness.formats = Formats::Assert;
    let found = line(&rules, &no_date, &json);
    assert!(
        found.starts_with("PC-203 record 0 value: $.at: ") && found.contains("date-time"),
        "{found}"
    );
}

#[test]
fn json_that_does_not_match_and_what_is_no_json_have_codes_of_their_own() {
    let fake = registry_of(SchemaType::Json, JSON_SCHEMA);
    let rules = rules(Level::Payload, Level::Off);
    let good = values(&[framed(42, b"{\"total\": 1.5}")]);
    assert_eq!(check(&rules, &good, &fake), BatchVerdict::Valid { records: 1 });
    let deep = [
        b"{\"total\": 1, \"x\": ".to_vec(),
        vec![b'['; 5000],
        vec![b']'; 5000],
        b"}".to_vec(),
    ]
    .concat();
    for (payload, expected) in [
        (&b"{\"total\": \"x\"}"[..], "PC-203 record 0 value: $.total: "),
        (b"{\"total\": 1,}", "PC-204 record 0 value: "),
        (b"", "PC-204 record 0 value: "),
        (&deep, "PC-301 record 0 value: "),
    ] {
        let line = line(&rules, &values(&[framed(42, payload)]), &fake);
        assert!(line.starts_with(expected), "{line}");
        assert!(line.ends_with("; schema 42 (orders-value v3)"), "{line}");
    }
}

#[test]
fn more_bad_records_than_are_described_are_still_counted() {
    let batch = values(&vec![b"raw".to_vec(); Checker::VIOLATIONS_MAX + 7]);
    let verdict = check(&rules(Level::Payload, Level::Off), &batch, &registry());
    let BatchVerdict::Violations {
        bad_records,
        violations,
        ..
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert_eq!(
        (bad_records.len() as usize, violations.len()),
        (Checker::VIOLATIONS_MAX + 7, Checker::VIOLATIONS_MAX)
    );
}

fn dead_lettering() -> TopicRules {
    let mut policy = Policy::default_policy();
    policy.topics = vec![TopicPattern::parse("*").unwrap()];
    policy.value.level = Level::Payload;
    policy.action = Action::DeadLetter(DeadLetter::default());
    Policies(vec![policy]).rules_for("orders")
}

#[test]
fn every_bad_record_is_described_where_it_gets_a_header_of_its_own() {
    let mut of_two = vec![good(); 2 * Checker::VIOLATIONS_MAX + 14];
    of_two
        .iter_mut()
        .step_by(2)
        .for_each(|value| *value = b"raw".to_vec());
    let mut rules = dead_lettering();
    for action in [rules.action.clone(), Action::Mark] {
        rules.action = action;
        let BatchVerdict::Violations {
            bad_records,
            violations,
            ..
        } = check(&rules, &values(&of_two), &registry())
        else {
            panic!("no violations")
        };
        assert_eq!(violations.len(), Checker::VIOLATIONS_MAX + 7);
        assert!(bad_records.iter().eq((0..of_two.len() as u32).step_by(2)));
        assert!(
            bad_records
                .iter()
                .eq(violations.iter().map(|violation| violation.record as u32))
        );
    }
}

#[test]
fn a_batch_that_would_be_all_headers_is_over_a_limit() {
    let batch = batch_of(&vec![(None, Some(Vec::new())); 300_000], Compression::Zstd);
    let limits = DecompressionLimits {
        bytes_max: 16 << 20,
        ratio_max: 128,
    };
    let check = |rules: &TopicRules| Checker::new(limits).check(rules, &batch, &registry(), &mut Ulid::nil);
    let (code, error_code, line) = refused(check(&dead_lettering()));
    assert_eq!((code, error_code), (Code::OverLimit, ErrorCode::INVALID_RECORD));
    assert!(
        line.starts_with("PC-301 batch: its 300000 bad records take more than 32 MiB to describe"),
        "{line}"
    );
    let rejected = check(&rules(Level::Payload, Level::Off));
    assert_eq!(
        lines(rejected).len(),
        Checker::VIOLATIONS_MAX,
        "told in a few lines"
    );
}

fn raw_rules(version: GoverningVersion, envelope: bool) -> TopicRules {
    let mut rules = rules(Level::Payload, Level::Off);
    rules.value_framing = Framing::Raw { version, envelope };
    rules
}

/// Schema 42 governs records without framing.
fn raw_registry(schema_type: SchemaType, text: &str) -> Fake {
    let Lookup::Found(governing) = governing(schema_type, text, 42, "orders-value") else {
        unreachable!()
    };
    let mut fake = registry();
    fake.raw = Some(SubjectLookup::Found(governing));
    fake
}

#[test]
fn records_without_framing_are_held_against_the_schema_that_governs_their_subject() {
    for (schema_type, text, good, bad, expected) in [
        (
            SchemaType::Avro,
            "\"long\"",
            &[0x54][..],
            &[][..],
            "PC-201 record 1 value: $",
        ),
        (
            SchemaType::Protobuf,
            PROTO,
            &[0x0a, 1, b'a'],
            &[0x0a, 1, 0xff],
            "PC-202 record 1 value: $.name",
        ),
        (
            SchemaType::Json,
            JSON_SCHEMA,
            b"{\"total\": 1}",
            b"{}",
            "PC-203 record 1 value: $",
        ),
    ] {
        let fake = raw_registry(schema_type, text);
        let batch = values(&[good.to_vec(), bad.to_vec(), good.to_vec()]);
        let line = line(&raw_rules(GoverningVersion::Latest, false), &batch, &fake);
        assert!(
            line.starts_with(expected) && line.ends_with("; schema 42 (orders-value v3)"),
            "{line}"
        );
        let asked = fake.asked.into_inner().unwrap();
        assert_eq!(asked, [("orders-value".to_owned(), 0)], "once a batch");
    }
}

#[test]
fn keys_without_framing_are_checked_like_values() {
    let fake = raw_registry(SchemaType::Avro, "\"long\"");
    let mut rules = rules(Level::Off, Level::Payload);
    rules.key_framing = Framing::Raw {
        version: GoverningVersion::Latest,
        envelope: true,
    };
    let batch = batch_of(
        &[(Some(vec![0x54]), None), (Some(Vec::new()), None), (None, None)],
        Compression::None,
    );
    let verdict = check(&rules, &batch, &fake);
    let BatchVerdict::Violations {
        violations, envelope, ..
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert_eq!((violations[0].record, violations[0].part), (1, Part::Key));
    assert_eq!(envelope.key, Some(Prefix::new(SchemaId(42), SchemaType::Avro)));
    assert_eq!(envelope.value, None);
}

#[test]
fn a_framed_record_is_no_better_where_none_is_wanted() {
    let fake = raw_registry(SchemaType::Avro, "\"long\"");
    let line = line(
        &raw_rules(GoverningVersion::Latest, false),
        &values(&[good()]),
        &fake,
    );
    assert!(line.starts_with("PC-201 record 0 value: "), "{line}");
}

#[test]
fn without_a_schema_that_governs_no_record_conforms_but_tombstones() {
    let mut fake = registry();
    let batch = batch_of(&[(None, Some(vec![0x54])), (None, None)], Compression::None);
    let latest = raw_rules(GoverningVersion::Latest, true);
    let pinned = raw_rules(GoverningVersion::Pinned(Version(9)), true);
    assert_eq!(
        line(&latest, &batch, &fake),
        "PC-104 record 0 value: subject orders-value has no schema"
    );
    fake.raw = Some(SubjectLookup::NoVersion);
    assert_eq!(
        line(&pinned, &batch, &fake),
        "PC-104 record 0 value: subject orders-value has no version 9, which the policy pins"
    );
    fake.raw = Some(SubjectLookup::NotCompilable("too large".into()));
    assert_eq!(
        line(&latest, &batch, &fake),
        "PC-301 record 0 value: the schema of subject orders-value cannot be compiled: too large"
    );
    fake.raw = Some(SubjectLookup::Unreachable);
    let BatchVerdict::RegistryUnreachable { line, .. } = check(&latest, &batch, &fake) else {
        panic!("not retriable")
    };
    assert!(
        line.starts_with("PC-401 value: subject orders-value is not cached"),
        "{line}"
    );
    let mut passing = latest;
    passing.on_registry_down = OnRegistryDown::Pass;
    assert_eq!(
        check(&passing, &batch, &fake),
        BatchVerdict::Unchecked { records: 2 }
    );
}

#[test]
fn a_subject_that_does_not_exist_yet_leaves_auto_off_without_framing_too() {
    let mut fake = Fake::default();
    let mut rules = raw_rules(GoverningVersion::Latest, true);
    rules.value = Level::Auto;
    let batch = values(&[vec![0x54]]);
    assert_eq!(
        check(&rules, &batch, &fake),
        BatchVerdict::Unchecked { records: 1 }
    );
    fake = raw_registry(SchemaType::Avro, "\"long\"");
    let verdict = check(&rules, &batch, &fake);
    assert!(
        matches!(verdict, BatchVerdict::ValidUnframed { records: 1, .. }),
        "{verdict:?}"
    );
}

#[test]
fn an_envelope_names_the_governing_schema_and_for_protobuf_its_first_message() {
    for (schema_type, text, payload, prefix) in [
        (SchemaType::Avro, "\"long\"", &[0x54][..], &[0, 0, 0, 0, 42][..]),
        (
            SchemaType::Protobuf,
            PROTO,
            &[0x0a, 1, b'a'],
            &[0, 0, 0, 0, 42, 0],
        ),
        (
            SchemaType::Json,
            JSON_SCHEMA,
            b"{\"total\": 1}",
            &[0, 0, 0, 0, 42],
        ),
    ] {
        let fake = raw_registry(schema_type, text);
        let batch = values(&[payload.to_vec()]);
        let verdict = check(&raw_rules(GoverningVersion::Latest, true), &batch, &fake);
        let BatchVerdict::ValidUnframed { records: 1, envelope } = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(envelope.value.as_ref().map(Prefix::as_bytes), Some(prefix));
        assert_eq!(envelope.key, None);
        let unchanged = check(&raw_rules(GoverningVersion::Latest, false), &batch, &fake);
        assert_eq!(unchanged, BatchVerdict::Valid { records: 1 });
        // What was forwarded so is what the framed check takes.
        let framed = values(&[[prefix, payload].concat()]);
        let found = governing(schema_type, text, 42, "orders-value");
        let mut framed_registry = registry();
        framed_registry.found.insert(("orders-value".into(), 42), found);
        let verdict = check(&rules(Level::Payload, Level::Off), &framed, &framed_registry);
        assert_eq!(verdict, BatchVerdict::Valid { records: 1 });
    }
}

#[test]
fn the_payload_is_quoted_only_when_the_policy_says_so_and_never_whole() {
    let mut rules = rules(Level::Payload, Level::Off);
    let mut secret = b"\n<secret>".to_vec();
    secret.extend([b'x'; 100]);
    let batch = values(&[secret]);
    assert!(!line(&rules, &batch, &registry()).contains("secret"));
    rules.include_payload = true;
    let line = line(&rules, &batch, &registry());
    assert!(line.contains(" payload \\n<secret>x"), "{line}");
    assert!(!line.contains('\n'));
    assert!(line.ends_with('x') && line.len() < 180, "{line}");
}

#[test]
fn the_format_of_the_last_batch_is_known() {
    let mut checker = Checker::new(LIMITS);
    let fake = registry();
    checker.check(
        &rules(Level::Payload, Level::Off),
        &values(&[good()]),
        &fake,
        &mut Ulid::nil,
    );
    assert_eq!(checker.format(), Some(SchemaType::Avro));
    checker.check(
        &rules(Level::Off, Level::Off),
        &values(&[good()]),
        &fake,
        &mut Ulid::nil,
    );
    assert_eq!(checker.format(), None);
}

#[test]
fn a_violation_knows_its_schema_as_a_value() {
    let verdict = check(
        &rules(Level::Payload, Level::Off),
        &values(&[framed(42, &[])]),
        &registry(),
    );
    let BatchVerdict::Violations { violations, .. } = verdict else {
        panic!("{verdict:?}")
    };
    let version = Some((Subject("orders-value".into()), Version(3)));
    assert_eq!(
        violations[0].schema,
        Some(ViolatedSchema {
            id: SchemaId(42),
            version
        })
    );
}

proptest! {
    #[test]
    fn any_bytes_get_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&rules(Level::Payload, Level::Payload), &bytes, &registry());
    }

    #[test]
    fn any_keys_and_values_get_one_violation_at_most(
        pairs in proptest::collection::vec(
            (
                proptest::option::of(proptest::collection::vec(any::<u8>(), 0..12)),
                proptest::option::of(proptest::collection::vec(prop_oneof![Just(0u8), Just(42), any::<u8>()], 0..12)),
            ),
            1..20,
        ),
    ) {
        let batch = batch_of(&pairs, Compression::Lz4);
        match check(&rules(Level::Payload, Level::Payload), &batch, &registry()) {
            BatchVerdict::Valid { records } => prop_assert_eq!(records as usize, pairs.len()),
            BatchVerdict::Violations { records, bad_records, violations, .. } => {
                prop_assert_eq!(records as usize, pairs.len());
                prop_assert!(bad_records.iter().eq(violations.iter().map(|violation| violation.record as u32)));
                prop_assert!(violations.windows(2).all(|pair| pair[0].record < pair[1].record));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_batch_with_a_flipped_bit_never_gets_a_verdict_on_its_payload(
        at in 21usize..70, bit in 0u8..8,
    ) {
        let mut batch = values(&[good(), good()]);
        let at = at.min(batch.len() - 1);
        batch[at] ^= 1 << bit;
        let verdict = check(&rules(Level::Payload, Level::Off), &batch, &registry());
        prop_assert!(matches!(verdict, BatchVerdict::Refused { .. }), "{:?}", verdict);
    }
}
