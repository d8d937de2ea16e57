//! What is wrong with one record, and the one line that says so everywhere.

use crate::schema::{SchemaId, Subject, Version};
use std::fmt;
use ulid::Ulid;

/// The half of a record that a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    Key,
    Value,
}

/// Violation codes. Stable: a code is never given a second meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Code {
    NoFraming,
    UnknownSchema,
    OtherSubject,
    NoSchema,
    NoMessage,
    NullForbidden,
    Avro,
    Protobuf,
    JsonSchema,
    NotJson,
    OverLimit,
    Malformed,
    RegistryUnreachable,
}

impl Code {
    /// `PC-101` …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        todo!()
    }
}

/// The schema that a violation is about, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ViolatedSchema {
    pub id: SchemaId,
    /// The subject and version that govern; absent when the id is not one of the subject's.
    pub version: Option<(Subject, Version)>,
}

/// One bad record. Its `Display` is the line of `docs/reference.md`:
/// `PC-201 record 17 value: $.total: expected double, 3 bytes left; schema 42 (orders-value v3); ref 01JD…`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    pub code: Code,
    /// Index in the batch, from 0.
    pub record: i32,
    pub part: Part,
    pub path: String,
    pub expected: String,
    pub schema: Option<ViolatedSchema>,
    pub reference: Ulid,
}

impl fmt::Display for Violation {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
