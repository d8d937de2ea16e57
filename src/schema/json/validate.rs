//! The payload's door: one quick pass; when that does not say yes, scan and walk; and only on a no walk again for
//! the reason.

use super::compile::Programs;
use super::path::path_to;
use super::program::Program;
use super::single_pass::SinglePass;
use super::tape::{MAX_DEPTH, MAX_NODES, ScanError, Tape};
use super::walk::{Scratch, Walk};
use crate::schema::{Formats, Mismatch, MismatchKind};
use std::cell::Cell;

/// A compiled JSON Schema.
pub struct JsonValidator {
    programs: Programs,
}

/// What a check reuses from the one before it on the same thread.
#[derive(Default)]
pub(super) struct Reused {
    tape: Tape,
    scratch: Scratch,
}

thread_local! {
    static REUSED: Cell<Option<Box<Reused>>> = const { Cell::new(None) };
}

/// A tape longer than this (1.3 MB) is not kept for the next payload.
const KEPT_NODES: usize = 1 << 16;
/// Nor is any other buffer beyond this.
const KEPT_BYTES: usize = 1 << 20;

impl JsonValidator {
    pub(super) fn new(programs: Programs) -> Self {
        Self { programs }
    }

    /// Checks one JSON text; `format` is an annotation ([`Formats::Annotate`]).
    ///
    /// # Errors
    /// As [`Self::validate_with`].
    pub fn validate(&self, payload: &[u8]) -> Result<(), Mismatch> {
        self.validate_with(payload, Formats::Annotate)
    }

    /// Checks one JSON text.
    ///
    /// # Errors
    /// [`MismatchKind::NotJson`] when it is not JSON (RFC 8259), [`MismatchKind::Payload`] when it does not match
    /// the schema, [`MismatchKind::OverLimit`] when it is too deep, too large, or too much work.
    pub fn validate_with(&self, payload: &[u8], formats: Formats) -> Result<(), Mismatch> {
        let program = self.program(formats);
        let mut reused = REUSED.take().unwrap_or_default();
        let result = check(program, payload, &mut reused);
        if reused.tape.nodes.capacity() <= KEPT_NODES && reused.scratch.size() <= KEPT_BYTES {
            REUSED.set(Some(reused));
        }
        result
    }

    /// What each of the two ways says, the single pass and the walk over a tape, without the other: for fuzzing. The
    /// first may leave a valid payload to the second.
    #[doc(hidden)]
    #[must_use]
    pub fn both_ways(&self, payload: &[u8], formats: Formats) -> (bool, Result<(), Mismatch>) {
        let program = self.program(formats);
        let mut reused = Reused::default();
        (
            accepts_at_once(program, payload, &mut reused),
            check_by_tape(program, payload, &mut reused),
        )
    }

    pub(super) fn program(&self, formats: Formats) -> &Program {
        match formats {
            Formats::Annotate => &self.programs.annotating,
            Formats::Assert => &self.programs.asserting,
        }
    }
}

fn check(program: &Program, payload: &[u8], reused: &mut Reused) -> Result<(), Mismatch> {
    if accepts_at_once(program, payload, reused) {
        return Ok(());
    }
    check_by_tape(program, payload, reused)
}

pub(super) fn accepts_at_once(program: &Program, payload: &[u8], reused: &mut Reused) -> bool {
    SinglePass::new(program, payload, &mut reused.tape, &mut reused.scratch).accepts()
}

pub(super) fn check_by_tape(program: &Program, payload: &[u8], reused: &mut Reused) -> Result<(), Mismatch> {
    reused.tape.scan(payload).map_err(scan_mismatch)?;
    let nodes = &reused.tape.nodes;
    let mut walk = Walk::new(program, payload, nodes, &mut reused.scratch);
    if walk.check::<false>(program.root, 0) && walk.stopped.is_none() {
        return Ok(());
    }
    let stopped = walk.stopped;
    if let Some(limit) = stopped {
        return Err(over_limit("$".to_owned(), limit.to_owned()));
    }
    let mut walk = Walk::new(program, payload, nodes, &mut reused.scratch);
    walk.check::<true>(program.root, 0);
    let (at, expected) = walk
        .failure
        .take()
        .unwrap_or((0, "expected what the schema says".to_owned()));
    Err(Mismatch {
        kind: MismatchKind::Payload,
        path: path_to(at, payload, nodes),
        expected,
    })
}

fn scan_mismatch(error: ScanError) -> Mismatch {
    let path = "$".to_owned();
    match error {
        ScanError::Malformed { at, expected } => Mismatch {
            kind: MismatchKind::NotJson,
            path,
            expected: format!("expected {expected} at byte {at}"),
        },
        ScanError::TooDeep { at } => over_limit(
            path,
            format!("expected at most {MAX_DEPTH} levels of nesting, exceeded at byte {at}"),
        ),
        ScanError::TooLarge => over_limit(path, format!("expected at most {MAX_NODES} JSON values")),
    }
}

fn over_limit(path: String, expected: String) -> Mismatch {
    Mismatch {
        kind: MismatchKind::OverLimit,
        path,
        expected,
    }
}
