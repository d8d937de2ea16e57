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
    DeadLetterNotWritten,
}

impl Code {
    /// Every code, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::NoFraming,
        Self::UnknownSchema,
        Self::OtherSubject,
        Self::NoSchema,
        Self::NoMessage,
        Self::NullForbidden,
        Self::Avro,
        Self::Protobuf,
        Self::JsonSchema,
        Self::NotJson,
        Self::OverLimit,
        Self::Malformed,
        Self::RegistryUnreachable,
        Self::DeadLetterNotWritten,
    ];

    /// `PC-101` …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoFraming => "PC-101",
            Self::UnknownSchema => "PC-102",
            Self::OtherSubject => "PC-103",
            Self::NoSchema => "PC-104",
            Self::NoMessage => "PC-105",
            Self::NullForbidden => "PC-106",
            Self::Avro => "PC-201",
            Self::Protobuf => "PC-202",
            Self::JsonSchema => "PC-203",
            Self::NotJson => "PC-204",
            Self::OverLimit => "PC-301",
            Self::Malformed => "PC-302",
            Self::RegistryUnreachable => "PC-401",
            Self::DeadLetterNotWritten => "PC-402",
        }
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

impl Part {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} record {} {}: ", self.code, self.record, self.part)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.expected)?;
        if let Some(schema) = &self.schema {
            write!(f, "; schema {}", schema.id.0)?;
            if let Some((subject, version)) = &schema.version {
                write!(f, " ({} v{})", subject.0, version.0)?;
            }
        }
        write!(f, "; ref {}", self.reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation() -> Violation {
        Violation {
            code: Code::Avro,
            record: 17,
            part: Part::Value,
            path: "$.total".to_owned(),
            expected: "expected double, 3 bytes left".to_owned(),
            schema: Some(ViolatedSchema {
                id: SchemaId(42),
                version: Some((Subject("orders-value".into()), Version(3))),
            }),
            reference: Ulid::from_parts(1, 1),
        }
    }

    #[test]
    fn a_violation_is_one_line_with_all_that_is_known() {
        assert_eq!(
            violation().to_string(),
            "PC-201 record 17 value: $.total: expected double, 3 bytes left; schema 42 (orders-value v3); \
             ref 00000000010000000000000001"
        );
    }

    #[test]
    fn what_is_not_known_is_left_out_of_the_line() {
        let mut violation = violation();
        violation.code = Code::UnknownSchema;
        violation.part = Part::Key;
        violation.path.clear();
        violation.expected = "no schema has this id".to_owned();
        violation.schema = Some(ViolatedSchema {
            id: SchemaId(42),
            version: None,
        });
        assert_eq!(
            violation.to_string(),
            "PC-102 record 17 key: no schema has this id; schema 42; ref 00000000010000000000000001"
        );
        violation.schema = None;
        assert_eq!(
            violation.to_string(),
            "PC-102 record 17 key: no schema has this id; ref 00000000010000000000000001"
        );
    }

    #[test]
    fn codes_are_distinct_and_in_the_order_of_their_numbers() {
        assert!(
            Code::ALL
                .windows(2)
                .all(|pair| pair[0].as_str() < pair[1].as_str())
        );
    }
}
