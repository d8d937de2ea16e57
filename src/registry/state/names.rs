//! What has a name on the outside: compatibility levels and policies, modes, schema types, valid subjects.

use super::qualified::{is_valid, normalized};
use crate::registry::errors::RegistryError;
use crate::schema::{CompatibilityLevel, SchemaType};
use std::borrow::Cow;

/// Confluent's `storage/Mode.java`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    ReadWrite,
    ReadOnly,
    /// Another name of `READONLY` since 8.0: it overrides nothing any more.
    ReadOnlyOverride,
    /// Registrations bring their own ids; no compatibility checks.
    Import,
    /// Of all contexts only: writes are another cluster's, and come in as in `IMPORT`.
    Forward,
}

impl Mode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
            Self::ReadOnlyOverride => "READONLY_OVERRIDE",
            Self::Import => "IMPORT",
            Self::Forward => "FORWARD",
        }
    }

    /// Reads a mode's name in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::ReadWrite,
            Self::ReadOnly,
            Self::ReadOnlyOverride,
            Self::Import,
            Self::Forward,
        ]
        .into_iter()
        .find(|mode| mode.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether registrations bring their own ids and are not checked.
    #[must_use]
    pub fn is_import(self) -> bool {
        matches!(self, Self::Import | Self::Forward)
    }

    #[must_use]
    pub fn is_read_only(self) -> bool {
        matches!(self, Self::ReadOnly | Self::ReadOnlyOverride)
    }
}

const LEVELS: [(CompatibilityLevel, &str); 7] = [
    (CompatibilityLevel::None, "NONE"),
    (CompatibilityLevel::Backward, "BACKWARD"),
    (CompatibilityLevel::BackwardTransitive, "BACKWARD_TRANSITIVE"),
    (CompatibilityLevel::Forward, "FORWARD"),
    (CompatibilityLevel::ForwardTransitive, "FORWARD_TRANSITIVE"),
    (CompatibilityLevel::Full, "FULL"),
    (CompatibilityLevel::FullTransitive, "FULL_TRANSITIVE"),
];

#[must_use]
pub fn level_name(level: CompatibilityLevel) -> &'static str {
    LEVELS
        .iter()
        .find(|(known, _)| *known == level)
        .map_or("NONE", |(_, name)| name)
}

/// Reads a level's name in any case.
#[must_use]
pub fn level_from_name(name: &str) -> Option<CompatibilityLevel> {
    LEVELS
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(name))
        .map(|(level, _)| *level)
}

/// Reads a schema type's name as the REST API spells it.
#[must_use]
pub fn schema_type_from_name(name: &str) -> Option<SchemaType> {
    [SchemaType::Avro, SchemaType::Protobuf, SchemaType::Json]
        .into_iter()
        .find(|known| known.as_str() == name)
}

/// How far a compatibility check goes (`CompatibilityPolicy.java`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompatibilityPolicy {
    Logical,
    Strict,
    Lenient,
}

impl CompatibilityPolicy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logical => "LOGICAL",
            Self::Strict => "STRICT",
            Self::Lenient => "LENIENT",
        }
    }

    /// Reads a policy's name in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Logical, Self::Strict, Self::Lenient]
            .into_iter()
            .find(|policy| policy.as_str().eq_ignore_ascii_case(name))
    }
}

/// A subject as it is stored.
///
/// # Errors
/// [`RegistryError::InvalidSubject`] for no name at all, one with control characters, and the names that Confluent
/// keeps for itself.
pub fn subject_name(name: &str) -> Result<Cow<'_, str>, RegistryError> {
    let subject = normalized(name);
    if subject.is_empty() || !is_valid(name, false) {
        return Err(RegistryError::InvalidSubject(name.to_owned()));
    }
    Ok(subject)
}
