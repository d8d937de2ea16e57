//! From a partition's records to a verdict on each.

use super::policy::TopicRules;
use super::schemas::SchemaSource;
use super::violation::{Code, Violation};
use crate::wire::compression::{Decompressor, DecompressionLimits};
use crate::wire::error_code::ErrorCode;
use ulid::Ulid;

/// What was found about one partition's batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BatchVerdict {
    /// No rule wants this topic's records: forward as it is. Nothing in the batch was looked at but its count.
    Unchecked { records: u32 },
    /// Every record conforms.
    Valid { records: u32 },
    /// `bad_records` of `records` do not conform; the first [`Checker::VIOLATIONS_MAX`] of them are described,
    /// one violation a record, in the batch's order.
    Violations { records: u32, bad_records: u32, violations: Vec<Violation> },
    /// The batch as a whole is refused with the code that a broker would give: malformed (PC-302) or over a limit
    /// (PC-301). `line` is the one line about it.
    Refused { records: u32, code: Code, error_code: ErrorCode, line: String },
    /// PC-401: a schema is not cached and the registry cannot be asked. Retriable.
    RegistryUnreachable { records: u32, line: String },
}

/// Checks batches, one after another, and keeps its buffers.
pub struct Checker {
    decompressor: Decompressor,
    limits: DecompressionLimits,
}

impl Checker {
    /// More than these are counted but not described, so that a hostile batch cannot blow up the answer.
    pub const VIOLATIONS_MAX: usize = 1000;

    #[must_use]
    pub fn new(limits: DecompressionLimits) -> Self {
        Self { decompressor: Decompressor::default(), limits }
    }

    /// Checks one partition's `records` (what a Produce request of version ≥ 3 carries: one batch of magic 2).
    /// `reference` makes a fresh reference for each violation.
    pub fn check(
        &mut self,
        _rules: &TopicRules,
        _records: &[u8],
        _schemas: &dyn SchemaSource,
        _reference: &mut dyn FnMut() -> Ulid,
    ) -> BatchVerdict {
        let _ = (&self.decompressor, self.limits);
        todo!()
    }
}
