//! The door through which schemas come in: implemented by the embedded registry, and by the client of an outside one.

use crate::schema::{SchemaId, Subject, Validator, Version};
use std::sync::Arc;

/// A schema as it governs one subject, compiled.
pub struct Governing {
    pub id: SchemaId,
    pub subject: Subject,
    pub version: Version,
    /// Shared by all subjects that have this id.
    pub validator: Arc<Validator>,
}

/// The answer to "which schema is `id` under `subject`?".
#[derive(Clone)]
pub enum Lookup {
    Found(Arc<Governing>),
    /// No schema has this id (PC-102).
    UnknownId,
    /// The schema exists, but is not a live version of this subject (PC-103).
    OtherSubject,
    /// Registered, but cannot be compiled into a validator; the text says why (PC-301).
    NotCompilable(Arc<str>),
    /// Not cached, and the registry cannot be asked (PC-401, retriable).
    Unreachable,
}

/// The answer to "does `subject` have a live version?".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    Present,
    Absent,
    Unreachable,
}

/// Which version of its subject governs a record that does not say which schema wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoverningVersion {
    /// The newest live one.
    Latest,
    Pinned(Version),
}

/// The answer to "which schema governs `subject`?".
#[derive(Clone)]
pub enum SubjectLookup {
    Found(Arc<Governing>),
    /// No live version at all (PC-104).
    NoSubject,
    /// Not the one that is pinned (PC-104).
    NoVersion,
    /// As in [`Lookup`].
    NotCompilable(Arc<str>),
    Unreachable,
}

/// Schemas by subject and id. Answers from memory at once: an implementation never blocks.
pub trait SchemaSource: Send + Sync {
    fn find(&self, subject: &str, id: SchemaId) -> Lookup;
    fn subject(&self, subject: &str) -> Presence;
    fn governing(&self, subject: &str, version: GoverningVersion) -> SubjectLookup;
}
