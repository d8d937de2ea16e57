//! From a partition's records to a verdict on each.
//!
//! A batch is decompressed once, and only when a rule wants its records. The whole of it is walked before a verdict:
//! a broker refuses a malformed batch as one, whatever its first records hold.

use super::framing::Envelope;
use super::part::{Fault, Finding, PartCheck};
use super::policy::{OnRegistryDown, TopicRules};
use super::schemas::SchemaSource;
use super::violation::{Code, Part, Violation};
use crate::schema::SchemaType;
use crate::wire::batch::{Batch, BatchError, Records};
use crate::wire::compression::{CompressionError, DecompressionLimits, Decompressor};
use crate::wire::error_code::ErrorCode;
use crate::wire::reader::Reader;
use crate::wire::record_indexes::RecordIndexes;
use std::fmt::Display;
use ulid::Ulid;

/// A buffer that one large batch has grown beyond this is not kept for the next.
pub(super) const KEPT_BYTES_MAX: usize = 4 << 20;

/// What was found about one partition's batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BatchVerdict {
    /// No rule wants this topic's records: forward as it is. Nothing in the batch was looked at but its count.
    Unchecked { records: u32 },
    /// Every record conforms.
    Valid { records: u32 },
    /// Every record conforms, and the policy wants framing around those that have none.
    ValidUnframed { records: u32, envelope: Envelope },
    /// `bad_records` of `records` do not conform. `violations` describe them in the batch's order, one a record: the
    /// first [`Checker::VIOLATIONS_MAX`], or all where the action needs every line. `envelope` is for the others.
    Violations {
        records: u32,
        bad_records: RecordIndexes,
        violations: Vec<Violation>,
        envelope: Envelope,
    },
    /// The batch as a whole is refused with the code that a broker would give: malformed (PC-302) or over a limit
    /// (PC-301). `line` is the one line about it.
    Refused {
        records: u32,
        code: Code,
        error_code: ErrorCode,
        line: String,
    },
    /// PC-401: a schema is not cached and the registry cannot be asked. Retriable.
    RegistryUnreachable { records: u32, line: String },
}

/// Checks batches, one after another, and keeps its buffers.
pub struct Checker {
    pub(super) decompressor: Decompressor,
    pub(super) limits: DecompressionLimits,
    format: Option<SchemaType>,
}

impl Checker {
    /// More than these are counted but not described, so that a hostile batch cannot blow up the answer. Not where
    /// the action needs every line.
    pub const VIOLATIONS_MAX: usize = 1000;

    /// What the descriptions of one batch may take where the action needs every line: some 150,000 of them. A batch
    /// of more is over a limit (PC-301): each bad record becomes a dead letter or a marked one with a header several
    /// times its own size, and a batch of 128 KiB, decompressed, can hold two million.
    pub const DESCRIPTIONS_BYTES_MAX: usize = 32 << 20;

    #[must_use]
    pub fn new(limits: DecompressionLimits) -> Self {
        Self {
            decompressor: Decompressor::default(),
            limits,
            format: None,
        }
    }

    /// The language of the schema that the last batch was held against, the value's before the key's; none when no
    /// schema was found. What `portcullis_validation_seconds{format}` is labelled by.
    #[must_use]
    pub fn format(&self) -> Option<SchemaType> {
        self.format
    }

    /// Checks one partition's `records` (what a Produce request of version ≥ 3 carries: one batch of magic 2).
    /// `reference` makes a fresh reference for each violation.
    pub fn check(
        &mut self,
        rules: &TopicRules,
        records: &[u8],
        schemas: &dyn SchemaSource,
        reference: &mut dyn FnMut() -> Ulid,
    ) -> BatchVerdict {
        self.format = None;
        let mut count = declared_count(records);
        let (value, key) = match parts(rules, schemas) {
            Ok(parts) => parts,
            Err(part) => return subject_unreachable(count, part, rules, reference()),
        };
        if value.is_off() && key.is_off() && rules.null_value_allowed {
            return BatchVerdict::Unchecked { records: count };
        }
        let batch = match Batch::read(records) {
            Ok(batch) => batch,
            Err(error) => return malformed(count, &error, reference()),
        };
        count = batch.header.record_count.max(0).unsigned_abs();
        let plain = match self
            .decompressor
            .decompress(batch.compression, batch.records, self.limits)
        {
            Ok(plain) => plain,
            Err(error) => return not_decompressed(count, &error, reference()),
        };
        let mut walk = Walk::new(rules, schemas, value, key);
        for record in Records::new(plain, batch.header.record_count) {
            match record {
                Ok(record) => walk.record(record.key, record.value, reference),
                Err(error) => return malformed(count, &error, reference()),
            }
        }
        self.format = walk.value.format().or(walk.key.format());
        let verdict = walk.verdict(count, reference);
        self.decompressor.shrink(KEPT_BYTES_MAX);
        verdict
    }
}

/// One batch's records on their way to a verdict.
struct Walk<'a> {
    rules: &'a TopicRules,
    schemas: &'a dyn SchemaSource,
    value: PartCheck<'a>,
    key: PartCheck<'a>,
    records: u32,
    bad_records: RecordIndexes,
    violations: Vec<Violation>,
    /// What `violations` take, with those that were too much.
    description_bytes: usize,
    unreachable: Option<Unreachable>,
}

/// The first record whose schema could not be had.
struct Unreachable {
    record: u32,
    part: Part,
    schema_id: u32,
}

impl<'a> Walk<'a> {
    fn new(
        rules: &'a TopicRules,
        schemas: &'a dyn SchemaSource,
        value: PartCheck<'a>,
        key: PartCheck<'a>,
    ) -> Self {
        Self {
            rules,
            schemas,
            value,
            key,
            records: 0,
            bad_records: RecordIndexes::default(),
            violations: Vec::new(),
            description_bytes: 0,
            unreachable: None,
        }
    }

    #[inline]
    fn record(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, reference: &mut dyn FnMut() -> Ulid) {
        let index = self.records;
        self.records += 1;
        let found = match key {
            Some(bytes) => self.key.check(bytes, self.schemas),
            None => Finding::Good,
        };
        if !matches!(found, Finding::Good) && self.judge(index, Part::Key, key, found, reference) {
            return;
        }
        let found = match value {
            Some(bytes) => self.value.check(bytes, self.schemas),
            None if self.rules.null_value_allowed => Finding::Good,
            None => Finding::bad(Fault::null_forbidden()),
        };
        if !matches!(found, Finding::Good) {
            self.judge(index, Part::Value, value, found, reference);
        }
    }

    /// Takes in what was found of one half of a record. True when the record is bad: one violation a record.
    #[cold]
    fn judge(
        &mut self,
        record: u32,
        part: Part,
        bytes: Option<&[u8]>,
        finding: Finding,
        reference: &mut dyn FnMut() -> Ulid,
    ) -> bool {
        let fault = match finding {
            Finding::Good => return false,
            Finding::Unreachable(schema_id) => {
                if self.rules.on_registry_down == OnRegistryDown::Refuse && self.unreachable.is_none() {
                    self.unreachable = Some(Unreachable {
                        record,
                        part,
                        schema_id,
                    });
                }
                return false;
            }
            Finding::Bad(fault) => *fault,
        };
        self.bad_records.insert(record);
        if !self.rules.action.needs_every_line() && self.violations.len() >= Checker::VIOLATIONS_MAX {
            return true;
        }
        let mut expected = fault.expected.into_owned();
        if let (true, Some(bytes)) = (self.rules.include_payload, bytes) {
            quote(bytes, &mut expected);
        }
        self.description_bytes += size_of::<Violation>() + fault.path.len() + expected.len();
        if self.describes_too_much() {
            self.violations = Vec::new();
            return true;
        }
        self.violations.push(Violation {
            code: fault.code,
            record: i32::try_from(record).unwrap_or(i32::MAX),
            part,
            path: fault.path,
            expected,
            schema: fault.schema,
            reference: reference(),
        });
        true
    }

    fn describes_too_much(&self) -> bool {
        self.rules.action.needs_every_line() && self.description_bytes > Checker::DESCRIPTIONS_BYTES_MAX
    }

    fn verdict(self, records: u32, reference: &mut dyn FnMut() -> Ulid) -> BatchVerdict {
        // Before the violations: which records are bad is not known until every schema is.
        if let Some(Unreachable {
            record,
            part,
            schema_id,
        }) = self.unreachable
        {
            let code = Code::RegistryUnreachable;
            let line = format!(
                "{code} record {record} {part}: schema {schema_id} is not cached and the registry cannot be \
                 reached; ref {}",
                reference()
            );
            return BatchVerdict::RegistryUnreachable { records, line };
        }
        if self.describes_too_much() {
            let why = format!(
                "its {} bad records take more than {} MiB to describe; send smaller batches",
                self.bad_records.len(),
                Checker::DESCRIPTIONS_BYTES_MAX >> 20
            );
            return refused(
                records,
                Code::OverLimit,
                ErrorCode::INVALID_RECORD,
                &why,
                reference(),
            );
        }
        let envelope = Envelope {
            key: self.key.prefix(),
            value: self.value.prefix(),
        };
        match (self.bad_records.is_empty(), envelope.is_empty()) {
            (true, true) => BatchVerdict::Valid { records },
            (true, false) => BatchVerdict::ValidUnframed { records, envelope },
            (false, _) => BatchVerdict::Violations {
                records,
                bad_records: self.bad_records,
                violations: self.violations,
                envelope,
            },
        }
    }
}

/// The checks of value and key with their subjects looked up, or the part whose subject could not be asked for.
fn parts<'a>(
    rules: &'a TopicRules,
    schemas: &dyn SchemaSource,
) -> Result<(PartCheck<'a>, PartCheck<'a>), Part> {
    let check = |part| PartCheck::new(part, rules, schemas).ok_or(part);
    Ok((check(Part::Value)?, check(Part::Key)?))
}

/// The record count of a batch's header (bytes 57 to 61), before anything else of the batch is believed.
fn declared_count(records: &[u8]) -> u32 {
    const COUNT_AT: usize = 57;
    let mut reader = Reader::new(records);
    let count = reader.take(COUNT_AT).and_then(|_| reader.i32());
    count.map_or(0, |count| count.max(0).unsigned_abs())
}

fn subject_unreachable(records: u32, part: Part, rules: &TopicRules, reference: Ulid) -> BatchVerdict {
    let subject = match part {
        Part::Value => &rules.value_subject.0,
        Part::Key => &rules.key_subject.0,
    };
    let code = Code::RegistryUnreachable;
    let line = format!(
        "{code} {part}: subject {subject} is not cached and the registry cannot be reached; ref {reference}"
    );
    BatchVerdict::RegistryUnreachable { records, line }
}

pub(super) fn malformed(records: u32, error: &BatchError, reference: Ulid) -> BatchVerdict {
    refused(records, Code::Malformed, error.error_code(), error, reference)
}

/// INVALID_RECORD in both cases. A broker answers data that its codec cannot read with UNKNOWN_SERVER_ERROR (the
/// `KafkaException` of `DefaultRecordBatch`), as definitive but mute; CORRUPT_MESSAGE would make the client send
/// the same bytes for ever, for their CRC was right.
pub(super) fn not_decompressed(records: u32, error: &CompressionError, reference: Ulid) -> BatchVerdict {
    let code = match error {
        CompressionError::OverLimit { .. } => Code::OverLimit,
        CompressionError::Malformed { .. } => Code::Malformed,
    };
    refused(records, code, ErrorCode::INVALID_RECORD, error, reference)
}

pub(super) fn refused(
    records: u32,
    code: Code,
    error_code: ErrorCode,
    why: &dyn Display,
    reference: Ulid,
) -> BatchVerdict {
    let line = format!("{code} batch: {why}; ref {reference}");
    BatchVerdict::Refused {
        records,
        code,
        error_code,
        line,
    }
}

/// The first bytes of a payload, printable, for a policy that allows it.
fn quote(bytes: &[u8], line: &mut String) {
    const QUOTED_BYTES_MAX: usize = 64;
    let quoted = bytes.get(..QUOTED_BYTES_MAX).unwrap_or(bytes);
    line.push_str(" payload ");
    line.extend(quoted.escape_ascii().map(char::from));
}

#[cfg(test)]
mod tests;
