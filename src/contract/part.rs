//! One half of a record, key or value, against the schema that governs it: framing, then schema, then payload.

use super::framing::{FRAME_LENGTH, Framed, MessageIndexes, Prefix};
use super::policy::{Framing, Level, OnRegistryDown, Strictness, TopicRules};
use super::schemas::{Governing, GoverningVersion, Lookup, Presence, SchemaSource, SubjectLookup};
use super::violation::{Code, Part, ViolatedSchema};
use crate::schema::{Mismatch, MismatchKind, SchemaId, SchemaType, Subject, Validator};
use std::borrow::Cow;
use std::sync::Arc;

/// What is wrong with a key or a value.
pub(super) struct Fault {
    pub code: Code,
    pub path: String,
    pub expected: Cow<'static, str>,
    pub schema: Option<ViolatedSchema>,
}

pub(super) enum Finding {
    Good,
    /// Boxed, so that the finding of a good record fits into registers.
    Bad(Box<Fault>),
    /// The schema of this id is not cached and the registry cannot be asked.
    Unreachable(u32),
}

impl Finding {
    #[cold]
    pub fn bad(fault: Fault) -> Self {
        Self::Bad(Box::new(fault))
    }
}

/// How much is checked, once `auto` is worked out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Off,
    SchemaId,
    Payload,
}

/// The check of one batch's keys, or of its values.
pub(super) struct PartCheck<'a> {
    depth: Depth,
    strictness: Strictness,
    subject: &'a Subject,
    /// A batch is mostly of one schema: the last frame that named one and the answer, so that it is asked for once.
    last: Option<([u8; FRAME_LENGTH], Lookup)>,
    /// Asked for only when an id is not found.
    presence: Option<Presence>,
    /// Set when records name no schema.
    raw: Option<Raw>,
}

/// What governs records without framing.
struct Raw {
    version: GoverningVersion,
    envelope: bool,
    lookup: SubjectLookup,
}

impl<'a> PartCheck<'a> {
    /// `None`: the subject must be known before any record is looked at, and cannot be asked for.
    pub fn new(part: Part, rules: &'a TopicRules, schemas: &dyn SchemaSource) -> Option<Self> {
        let (level, framing, subject) = match part {
            Part::Value => (rules.value, rules.value_framing, &rules.value_subject),
            Part::Key => (rules.key, rules.key_framing, &rules.key_subject),
        };
        let passes = rules.on_registry_down == OnRegistryDown::Pass;
        let mut presence = None;
        let mut depth = match level {
            Level::Off => Depth::Off,
            Level::SchemaId => Depth::SchemaId,
            Level::Payload => Depth::Payload,
            Level::Auto => match *presence.insert(schemas.subject(&subject.0)) {
                Presence::Present => Depth::Payload,
                Presence::Absent => Depth::Off,
                Presence::Unreachable if passes => Depth::Off,
                Presence::Unreachable => return None,
            },
        };
        let raw = match framing {
            Framing::Raw { version, envelope } if depth != Depth::Off => Some(Raw {
                version,
                envelope,
                lookup: schemas.governing(&subject.0, version),
            }),
            Framing::Raw { .. } | Framing::Confluent => None,
        };
        if let Some(Raw {
            lookup: SubjectLookup::Unreachable,
            ..
        }) = raw
        {
            if !passes {
                return None;
            }
            depth = Depth::Off;
        }
        Some(Self {
            depth,
            strictness: rules.strictness,
            subject,
            last: None,
            presence,
            raw,
        })
    }

    pub fn is_off(&self) -> bool {
        self.depth == Depth::Off
    }

    /// The language of the last schema that was found.
    pub fn format(&self) -> Option<SchemaType> {
        let governing = match (&self.raw, &self.last) {
            (Some(raw), _) => raw.governing(),
            (None, Some((_, Lookup::Found(governing)))) => Some(governing),
            (None, _) => None,
        };
        governing.map(|governing| governing.validator.schema_type())
    }

    /// What the policy wants before each record that conforms.
    pub fn prefix(&self) -> Option<Prefix> {
        let raw = self.raw.as_ref().filter(|raw| raw.envelope)?;
        let governing = raw.governing()?;
        Some(Prefix::new(governing.id, governing.validator.schema_type()))
    }

    #[inline]
    pub fn check(&mut self, bytes: &[u8], schemas: &dyn SchemaSource) -> Finding {
        if self.depth == Depth::Off {
            return Finding::Good;
        }
        if let Some((known, Lookup::Found(governing))) = &self.last
            && let Some((frame, rest)) = bytes.split_first_chunk()
            && frame == known
        {
            return self.governed(governing, rest);
        }
        self.check_anew(bytes, schemas)
    }

    /// What is framed by a schema's id, by the schema that governs it.
    #[inline]
    fn governed(&self, governing: &Governing, bytes: &[u8]) -> Finding {
        match self.depth {
            Depth::Payload => payload(governing, bytes, self.strictness),
            // Registered, and nobody asks for more.
            Depth::SchemaId | Depth::Off => Finding::Good,
        }
    }

    /// The check of a record whose frame is not the last one's, or named no schema that governs.
    fn check_anew(&mut self, bytes: &[u8], schemas: &dyn SchemaSource) -> Finding {
        if let Some(raw) = &self.raw {
            return raw.check(bytes, self.subject, self.strictness);
        }
        let framed = match Framed::read(bytes) {
            Ok(framed) => framed,
            Err(why) => return Finding::bad(Fault::new(Code::NoFraming, why, None)),
        };
        let Some(id) = u32::try_from(framed.id).ok().filter(|id| *id > 0).map(SchemaId) else {
            let schema = None;
            let why = format!("{} is no schema id: they are positive", framed.id);
            return Finding::bad(self.not_found(Code::UnknownSchema, why.into(), schema, schemas));
        };
        let frame = framed.frame();
        if !matches!(&self.last, Some((known, _)) if *known == frame) {
            self.last = Some((frame, schemas.find(&self.subject.0, id)));
        }
        let unversioned = Some(ViolatedSchema { id, version: None });
        match self.last.as_ref().map(|(_, lookup)| lookup) {
            Some(Lookup::Found(governing)) => self.governed(governing, framed.rest),
            Some(Lookup::NotCompilable(_)) if self.depth == Depth::SchemaId => Finding::Good,
            Some(Lookup::NotCompilable(why)) => {
                let why = format!("the schema cannot be compiled: {why}");
                Finding::bad(Fault::new(Code::OverLimit, why, unversioned))
            }
            Some(Lookup::UnknownId) => {
                let why = "no schema has this id".into();
                Finding::bad(self.not_found(Code::UnknownSchema, why, unversioned, schemas))
            }
            Some(Lookup::OtherSubject) => {
                let why = format!("the schema is not a live version of subject {}", self.subject.0);
                Finding::bad(self.not_found(Code::OtherSubject, why.into(), unversioned, schemas))
            }
            Some(Lookup::Unreachable) | None => Finding::Unreachable(id.0),
        }
    }

    /// An id that does not govern is a smaller matter than a subject without any schema: that is said instead.
    fn not_found(
        &mut self,
        code: Code,
        expected: Cow<'static, str>,
        schema: Option<ViolatedSchema>,
        schemas: &dyn SchemaSource,
    ) -> Fault {
        let presence = *self
            .presence
            .get_or_insert_with(|| schemas.subject(&self.subject.0));
        if presence == Presence::Absent {
            let why = format!("subject {} has no schema", self.subject.0);
            return Fault::new(Code::NoSchema, why, schema);
        }
        Fault::new(code, expected, schema)
    }
}

impl Raw {
    fn governing(&self) -> Option<&Arc<Governing>> {
        match &self.lookup {
            SubjectLookup::Found(governing) => Some(governing),
            _ => None,
        }
    }

    fn check(&self, bytes: &[u8], subject: &Subject, strictness: Strictness) -> Finding {
        let subject = &subject.0;
        let no_schema = |why: String| Finding::bad(Fault::new(Code::NoSchema, why, None));
        match &self.lookup {
            SubjectLookup::Found(governing) => raw_payload(governing, bytes, strictness),
            SubjectLookup::NoSubject => no_schema(format!("subject {subject} has no schema")),
            SubjectLookup::NoVersion => no_schema(match self.version {
                GoverningVersion::Latest => format!("subject {subject} has no schema"),
                GoverningVersion::Pinned(version) => {
                    format!(
                        "subject {subject} has no version {}, which the policy pins",
                        version.0
                    )
                }
            }),
            SubjectLookup::NotCompilable(why) => {
                let why = format!("the schema of subject {subject} cannot be compiled: {why}");
                Finding::bad(Fault::new(Code::OverLimit, why, None))
            }
            // The policy lets such records pass, or none is looked at.
            SubjectLookup::Unreachable => Finding::Good,
        }
    }
}

/// What names no message of a Protobuf schema is its first.
fn raw_payload(governing: &Governing, bytes: &[u8], strictness: Strictness) -> Finding {
    let Validator::Protobuf(validator) = &*governing.validator else {
        return payload(governing, bytes, strictness);
    };
    let Some(id) = validator.message([0]) else {
        return Finding::bad(Fault::governed(
            Code::NoMessage,
            "the schema has no message",
            governing,
        ));
    };
    match validator.validate_with(id, bytes, strictness.unknown_fields) {
        Ok(()) => Finding::Good,
        Err(mismatch) => Finding::bad(Fault::mismatch(Code::Protobuf, mismatch, governing)),
    }
}

#[allow(
    clippy::inline_always,
    reason = "measured: the frame's check and the payload's are one step"
)]
#[inline(always)]
fn payload(governing: &Governing, bytes: &[u8], strictness: Strictness) -> Finding {
    let (code, outcome) = match &*governing.validator {
        Validator::Avro(validator) => (Code::Avro, validator.validate(bytes)),
        Validator::Json(validator) => (
            Code::JsonSchema,
            validator.validate_with(bytes, strictness.formats),
        ),
        Validator::Protobuf(validator) => {
            let (indexes, message) = match MessageIndexes::read(bytes) {
                Ok(read) => read,
                Err(why) => return Finding::bad(Fault::governed(Code::NoMessage, why, governing)),
            };
            let Some(id) = validator.message(indexes.iter()) else {
                let indexes: Vec<i64> = indexes.iter().collect();
                let why = format!("message indexes {indexes:?} point at no message");
                return Finding::bad(Fault::governed(Code::NoMessage, why, governing));
            };
            (
                Code::Protobuf,
                validator.validate_with(id, message, strictness.unknown_fields),
            )
        }
    };
    match outcome {
        Ok(()) => Finding::Good,
        Err(mismatch) => Finding::bad(Fault::mismatch(code, mismatch, governing)),
    }
}

impl Fault {
    fn new(code: Code, expected: impl Into<Cow<'static, str>>, schema: Option<ViolatedSchema>) -> Self {
        Self {
            code,
            path: String::new(),
            expected: expected.into(),
            schema,
        }
    }

    fn governed(code: Code, expected: impl Into<Cow<'static, str>>, governing: &Governing) -> Self {
        let version = Some((governing.subject.clone(), governing.version));
        Self::new(
            code,
            expected,
            Some(ViolatedSchema {
                id: governing.id,
                version,
            }),
        )
    }

    fn mismatch(language: Code, mismatch: Mismatch, governing: &Governing) -> Self {
        let code = match mismatch.kind {
            MismatchKind::Payload => language,
            MismatchKind::NotJson => Code::NotJson,
            MismatchKind::OverLimit => Code::OverLimit,
        };
        Self {
            path: mismatch.path,
            ..Self::governed(code, mismatch.expected, governing)
        }
    }

    pub fn null_forbidden() -> Self {
        Self::new(Code::NullForbidden, "null, which the policy forbids", None)
    }
}
