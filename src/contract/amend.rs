//! What goes into records on their way: the line of a bad one, the framing of one that conforms and has none.

use super::action::Action;
use super::check::{BatchVerdict, Checker, KEPT_BYTES_MAX, malformed, not_decompressed, refused};
use super::framing::{Envelope, Prefix};
use super::policy::TopicRules;
use super::violation::Code;
use crate::wire::batch::{Batch, Header};
use crate::wire::batch_rewrite::{Addition, RecordEdit, RewriteError, rewrite_batch};
use crate::wire::error_code::ErrorCode;
use crate::wire::record_indexes::RecordIndexes;
use ulid::Ulid;

/// The header of a marked record. It holds the record's one line and stands behind the record's own headers, so that
/// it is the last of its name whatever the client has sent.
pub const VIOLATION_HEADER: &str = "__portcullis.violation";

/// What a verdict puts into the records of its batch.
pub struct Additions<'v> {
    bad_records: Option<&'v RecordIndexes>,
    /// Of bad records, in their order; none but for [`Action::Mark`].
    lines: Vec<(u32, String)>,
    envelope: Envelope,
}

impl<'v> Additions<'v> {
    /// `None`: nothing; the batch goes on as it is, or not at all.
    #[must_use]
    pub fn of(rules: &TopicRules, verdict: &'v BatchVerdict) -> Option<Self> {
        match verdict {
            BatchVerdict::Violations {
                bad_records,
                violations,
                envelope,
                ..
            } if rules.action == Action::Mark => Some(Self {
                bad_records: Some(bad_records),
                lines: violations
                    .iter()
                    .map(|violation| (violation.record.cast_unsigned(), violation.to_string()))
                    .collect(),
                envelope: *envelope,
            }),
            _ => Self::framing(verdict),
        }
    }

    /// The framing of those that conform, and nothing else.
    #[must_use]
    pub fn framing(verdict: &'v BatchVerdict) -> Option<Self> {
        let (bad_records, envelope) = match verdict {
            BatchVerdict::ValidUnframed { envelope, .. } => (None, *envelope),
            BatchVerdict::Violations {
                bad_records,
                envelope,
                ..
            } => (Some(bad_records), *envelope),
            BatchVerdict::Unchecked { .. }
            | BatchVerdict::Valid { .. }
            | BatchVerdict::Refused { .. }
            | BatchVerdict::RegistryUnreachable { .. } => return None,
        };
        (!envelope.is_empty()).then_some(Self {
            bad_records,
            lines: Vec::new(),
            envelope,
        })
    }

    /// `record`: its index in the batch.
    #[must_use]
    pub fn edit(&self, record: u32) -> RecordEdit<'_> {
        let is_bad = self.bad_records.is_some_and(|bad| bad.contains(record));
        let addition = if is_bad {
            let Ok(at) = self.lines.binary_search_by_key(&record, |(of, _)| *of) else {
                return RecordEdit::Keep;
            };
            let line = self.lines.get(at).map(|(_, line)| line.as_bytes());
            Addition {
                header: Some(Header {
                    key: VIOLATION_HEADER.as_bytes(),
                    value: line,
                }),
                ..Addition::default()
            }
        } else {
            let Envelope { key, value } = &self.envelope;
            Addition {
                key_prefix: key.as_ref().map_or(&[], Prefix::as_bytes),
                value_prefix: value.as_ref().map_or(&[], Prefix::as_bytes),
                header: None,
            }
        };
        if addition == Addition::default() {
            return RecordEdit::Keep;
        }
        RecordEdit::Add(addition)
    }
}

impl Checker {
    /// The batch as its verdict wants it forwarded, when that is not as it is. `records`: what the verdict is about;
    /// `length_max`: the most bytes that there is room for.
    ///
    /// # Errors
    /// The verdict in place of that one: what is added makes the batch too large (MESSAGE_TOO_LARGE, upon which Java's
    /// producer splits it).
    pub fn amend(
        &mut self,
        rules: &TopicRules,
        records: &[u8],
        verdict: &BatchVerdict,
        length_max: usize,
        reference: &mut dyn FnMut() -> Ulid,
    ) -> Result<Option<Vec<u8>>, BatchVerdict> {
        let Some(additions) = Additions::of(rules, verdict) else {
            return Ok(None);
        };
        let batch = Batch::read(records).map_err(|error| malformed(0, &error, reference()))?;
        let count = batch.header.record_count.max(0).unsigned_abs();
        let plain = self
            .decompressor
            .decompress(batch.compression, batch.records, self.limits)
            .map_err(|error| not_decompressed(count, &error, reference()))?;
        let mut amended = Vec::with_capacity(records.len());
        let written = rewrite_batch(
            &batch,
            plain,
            batch.header.base_sequence,
            self.limits.bytes_max,
            |record| additions.edit(record),
            &mut amended,
        );
        self.decompressor.shrink(KEPT_BYTES_MAX);
        let too_large = ErrorCode::MESSAGE_TOO_LARGE;
        match written {
            Ok(written) if written.length <= length_max => Ok(Some(amended)),
            Ok(written) => {
                let why = format!(
                    "with what is added, its {} bytes are too many for the request",
                    written.length
                );
                Err(refused(count, Code::OverLimit, too_large, &why, reference()))
            }
            Err(error @ RewriteError::TooLarge { .. }) => {
                Err(refused(count, Code::OverLimit, too_large, &error, reference()))
            }
            Err(RewriteError::Compression(error)) => Err(not_decompressed(count, &error, reference())),
            Err(error @ (RewriteError::Batch(_) | RewriteError::NothingKept)) => {
                let error_code = ErrorCode::INVALID_RECORD;
                Err(refused(count, Code::Malformed, error_code, &error, reference()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
