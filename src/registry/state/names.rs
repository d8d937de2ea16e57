//! What has a name on the outside: subjects, compatibility levels, modes, schema types.

use crate::registry::errors::RegistryError;
use crate::schema::{CompatibilityLevel, SchemaType};

/// Confluent's `storage/Mode.java`, without FORWARD, which belongs to its cluster linking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    ReadWrite,
    ReadOnly,
    /// Set globally it overrides the subjects' own modes.
    ReadOnlyOverride,
    /// Registrations bring their own ids; no compatibility checks.
    Import,
}

impl Mode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
            Self::ReadOnlyOverride => "READONLY_OVERRIDE",
            Self::Import => "IMPORT",
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
        ]
        .into_iter()
        .find(|mode| mode.as_str().eq_ignore_ascii_case(name))
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

/// The prefix of a subject that is written with the default context (Confluent's `QualifiedSubject`).
const DEFAULT_CONTEXT_PREFIX: &str = ":.:";

/// A subject's name without the default context's prefix.
///
/// # Errors
/// [`RegistryError::InvalidSubject`] for an empty name, one with control characters, and the two names that
/// Confluent keeps for itself.
pub fn subject_name(name: &str) -> Result<&str, RegistryError> {
    let subject = name.strip_prefix(DEFAULT_CONTEXT_PREFIX).unwrap_or(name);
    if subject.is_empty()
        || subject.chars().any(char::is_control)
        || subject == "__GLOBAL"
        || subject == "__EMPTY"
    {
        return Err(RegistryError::InvalidSubject(name.to_owned()));
    }
    Ok(subject)
}
