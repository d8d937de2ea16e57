//! One half of a record, key or value, against the schema that governs it: framing, then schema, then payload.

use super::framing::{FRAME_LENGTH, Framed, MessageIndexes};
use super::policy::{Level, OnRegistryDown, Strictness, TopicRules};
use super::schemas::{Governing, Lookup, Presence, SchemaSource};
use super::violation::{Code, ViolatedSchema};
use crate::schema::{Mismatch, MismatchKind, SchemaId, SchemaType, Subject, Validator};
use std::borrow::Cow;

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
}

impl<'a> PartCheck<'a> {
    /// `None`: the level is `auto`, and whether the subject exists cannot be known.
    pub fn new(
        level: Level,
        subject: &'a Subject,
        schemas: &dyn SchemaSource,
        rules: &TopicRules,
    ) -> Option<Self> {
        let mut presence = None;
        let depth = match level {
            Level::Off => Depth::Off,
            Level::SchemaId => Depth::SchemaId,
            Level::Payload => Depth::Payload,
            Level::Auto => match *presence.insert(schemas.subject(&subject.0)) {
                Presence::Present => Depth::Payload,
                Presence::Absent => Depth::Off,
                Presence::Unreachable if rules.on_registry_down == OnRegistryDown::Pass => Depth::Off,
                Presence::Unreachable => return None,
            },
        };
        Some(Self {
            depth,
            strictness: rules.strictness,
            subject,
            last: None,
            presence,
        })
    }

    pub fn is_off(&self) -> bool {
        self.depth == Depth::Off
    }

    /// The language of the last schema that was found.
    pub fn format(&self) -> Option<SchemaType> {
        match &self.last {
            Some((_, Lookup::Found(governing))) => Some(governing.validator.schema_type()),
            _ => None,
        }
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
