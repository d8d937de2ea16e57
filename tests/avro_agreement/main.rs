//! Promise: of any schema and any payload we say what Java Avro and apache-avro say, but for the differences that
//! `docs/validation-avro.md` names; and what is a schema to Java is one to us, with the same text.
//!
//! `PORTCULLIS_CASES` is how many payloads are judged, `PORTCULLIS_SEED` repeats a run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod apache;
mod changes;
#[path = "../choices/mod.rs"]
mod choices;
mod compatibility;
mod evolutions;
mod java;
#[path = "../judge/mod.rs"]
mod judge;
mod known;
mod numbers;
mod payloads;
#[path = "../support/places.rs"]
#[allow(dead_code, reason = "only where things are, not what listens")]
mod places;
mod shapes;

use choices::Choices;
use java::Java;
use known::{Reason, Verdict};
use payloads::Sound;
use portcullis::schema::avro::AvroSchema;
use portcullis::schema::avro::validate::AvroValidator;
use portcullis::schema::{Mismatch, SchemaError};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

/// Disagreements that are shown before a run is given up.
const SHOWN: usize = 40;

#[test]
fn of_any_schema_and_any_payload_we_say_what_java_and_apache_avro_say() {
    let (cases, seed) = judge::cases_and_seed();
    // apache-avro goes as deep as the payload does.
    judge::with_stack(1 << 30, move || Run::new(seed).until(cases));
}

struct Run {
    seed: u64,
    java: Java,
    /// Payloads that all three judged.
    cases: u64,
    valid: u64,
    /// Payloads of schemas that apache-avro does not read.
    of_two: u64,
    schemas: u64,
    refused_schemas: u64,
    reasons: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

impl Run {
    fn new(seed: u64) -> Self {
        apache_avro::util::max_allocation_bytes(1 << 18);
        Self {
            seed,
            java: Java::start(),
            cases: 0,
            valid: 0,
            of_two: 0,
            schemas: 0,
            refused_schemas: 0,
            reasons: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    fn until(mut self, cases: u64) {
        let start = Instant::now();
        while self.cases < cases && self.wrong.len() < SHOWN {
            let mut choices = Choices::new(self.seed.wrapping_add(self.schemas));
            let mut choices = Choices::new(choices.next());
            self.schemas += 1;
            if self.schemas.is_multiple_of(4) {
                self.changed_schema(&mut choices);
            } else {
                self.schema(&mut choices);
            }
        }
        println!(
            "{} cases judged by all three ({} valid), {} by two, of {} schemas ({} refused), in {:.1?}",
            self.cases,
            self.valid,
            self.of_two,
            self.schemas,
            self.refused_schemas,
            start.elapsed()
        );
        for (reason, count) in &self.reasons {
            println!("{count:>9} {reason}");
        }
        assert!(
            self.wrong.is_empty(),
            "{} disagreements, seed {}:\n{}",
            self.wrong.len(),
            self.seed,
            self.wrong.join("\n")
        );
    }

    fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    fn count(&mut self, with: &str, reason: impl std::fmt::Debug) {
        *self.reasons.entry(format!("{with}: {reason:?}")).or_default() += 1;
    }

    /// A generated schema with sound, changed and arbitrary payloads.
    fn schema(&mut self, choices: &mut Choices) {
        let schema = shapes::schema(choices);
        let text = schema.text.to_string();
        let Some(ours) = self.parsed(&text) else {
            if matches!(AvroSchema::parse(&text, &[]), Err(SchemaError::Invalid(_))) {
                self.wrong(format!("a generated schema is refused: {text}"));
            }
            return;
        };
        let heights = payloads::heights(&schema);
        let mut list = Vec::new();
        let mut sound = 0;
        if !payloads::is_endless(&schema, &heights) {
            let validator = ours.validator().unwrap();
            for _ in 0..14 {
                let (payload, expected) = payloads::sound(&schema, &heights, choices);
                let says = validator.validate(&payload);
                let kept = match expected {
                    Sound::Valid => says.is_ok(),
                    Sound::TooDeep => known::is_depth(&says) || ours_is_bytes(&schema),
                    Sound::Deep => says.is_ok() || known::is_depth(&says),
                };
                if !kept {
                    self.wrong(format!(
                        "a sound payload ({expected:?}): {says:?}\n  {}\n  {text}",
                        hex(&payload)
                    ));
                }
                if expected == Sound::Valid
                    && list.len() < 3
                    && payload.len() < 200
                    && !ours_is_bytes(&schema)
                {
                    self.ends_where_it_ends(&validator, &payload, &text);
                }
                list.push(payload);
            }
            sound = list.len();
        }
        for _ in 0..24 {
            let mut payload = if sound > 0 {
                list[choices.below(sound)].clone()
            } else {
                payloads::arbitrary(choices)
            };
            for _ in 0..=choices.below(3) {
                payloads::change(&mut payload, choices);
            }
            list.push(payload);
        }
        list.extend((0..10).map(|_| payloads::arbitrary(choices)));
        let endless = payloads::holds_endless(&heights);
        self.payloads(&ours, &text, endless, ours_is_bytes(&schema), &list);
    }

    /// A payload less its last bytes is not valid, nor is one with a byte more.
    fn ends_where_it_ends(&mut self, validator: &AvroValidator, payload: &[u8], text: &str) {
        let longer = [payload, &[0]].concat();
        let kept = (0..payload.len())
            .map(|length| &payload[..length])
            .chain([&longer[..]]);
        for other in kept {
            if validator.validate(other).is_ok() {
                self.wrong(format!(
                    "{} is valid, and so is {}\n  {text}",
                    hex(payload),
                    hex(other)
                ));
            }
        }
    }

    /// A schema's text with changes; if it still is one, some payloads.
    fn changed_schema(&mut self, choices: &mut Choices) {
        let schema = shapes::schema(choices);
        let text = changes::changed(schema.text, choices);
        let Some(ours) = self.parsed(&text) else {
            return;
        };
        let list: Vec<Vec<u8>> = (0..10).map(|_| payloads::arbitrary(choices)).collect();
        let canonical: serde_json::Value = serde_json::from_str(&ours.canonical()).unwrap();
        let root_is_bytes = canonical == "bytes" || canonical["type"] == "bytes";
        // What the changes made of its records is not known here.
        self.payloads(&ours, &text, true, root_is_bytes, &list);
    }

    /// Our schema and Java's, or none when both refuse.
    fn parsed(&mut self, text: &str) -> Option<AvroSchema> {
        let java = self.java.schema(text);
        let ours = AvroSchema::parse(text, &[]);
        let new = ours.clone().and_then(|ours| ours.check_as_new());
        let held = ours.as_ref().map(drop).map_err(Clone::clone);
        self.schema_verdict("a held schema", text, &held, java.held, &java.says);
        self.schema_verdict("a new schema", text, &new, java.new, &java.why_not_new);
        let Ok(ours) = ours else {
            self.refused_schemas += 1;
            return None;
        };
        if !java.held {
            return None;
        }
        if ours.canonical() != java.says {
            self.wrong(format!(
                "texts differ\n  ours {}\n  Java {}\n  of   {text}",
                ours.canonical(),
                java.says
            ));
        }
        let again = AvroSchema::parse(&ours.canonical(), &[]).map(|again| again.canonical());
        if again.as_ref() != Ok(&ours.canonical()) {
            self.wrong(format!("{again:?} of {}", ours.canonical()));
        }
        Some(ours)
    }

    fn schema_verdict(
        &mut self,
        with: &str,
        text: &str,
        ours: &Result<(), SchemaError>,
        java: bool,
        says: &str,
    ) {
        if ours.is_ok() == java {
            return;
        }
        match known::of_schema(text, ours, says) {
            Some(reason) => self.count(with, reason),
            None => self.wrong(format!("{with}: ours {ours:?}, Java {java}: {says}\n  {text}")),
        }
    }

    fn payloads(
        &mut self,
        ours: &AvroSchema,
        text: &str,
        endless: bool,
        root_is_bytes: bool,
        list: &[Vec<u8>],
    ) {
        let validator = ours.validator().unwrap();
        let java = self.java.payloads(list);
        let apache = match apache::schema(text) {
            Ok(schema) => Some(schema),
            Err(error) => {
                match known::to_apache_avro(text, &error) {
                    Some(reason) => self.count("a schema to apache-avro", reason),
                    None => self.wrong(format!("apache-avro does not read: {error}\n  {text}")),
                }
                None
            }
        };
        for (payload, java) in list.iter().zip(java) {
            let ours = validator.validate(payload);
            if let Err(Mismatch { path, expected, .. }) = &ours {
                assert!(
                    path.starts_with('$') && !expected.is_empty(),
                    "{path}: {expected}"
                );
            }
            if ours.is_ok() != (java == Verdict::Valid) {
                if let Some(reason) = known::with_java(&ours, java, root_is_bytes) {
                    self.count("Java", reason);
                } else {
                    let why = self.java.why(payload);
                    self.wrong(format!(
                        "ours {ours:?}, Java {java:?} {why}\n  {}\n  {text}",
                        hex(payload)
                    ));
                }
            }
            let Some(apache) = &apache else {
                self.of_two += 1;
                continue;
            };
            if endless || known::is_depth(&ours) {
                self.count("apache-avro", Reason::NotAsked);
                self.of_two += 1;
                continue;
            }
            self.cases += 1;
            self.valid += u64::from(ours.is_ok());
            let theirs = apache::payload(apache, payload);
            if ours.is_ok() != theirs.is_ok() {
                match known::with_apache_avro(
                    &ours,
                    text,
                    payload,
                    theirs.as_ref().err().map(String::as_str),
                    root_is_bytes,
                ) {
                    Some(reason) => self.count("apache-avro", reason),
                    None => self.wrong(format!(
                        "ours {ours:?}, apache-avro {theirs:?}\n  {}\n  {text}",
                        hex(payload)
                    )),
                }
            }
        }
    }
}

fn ours_is_bytes(schema: &shapes::Schema) -> bool {
    matches!(schema.shapes[schema.root], shapes::Shape::Bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
