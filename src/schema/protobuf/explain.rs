//! Where and how a refused payload departs from its schema: the walk once more, with a trace, and when it finds nothing
//! but that required fields are missing, a look at the merged message. Only refusals, and required fields in several
//! pieces, pay for it. Nothing of the payload is quoted but map keys, which are part of a path.

use super::merged::{self, Missing};
use super::program::{Field, FieldLabel, Program};
use super::walk::{DEPTH_MAX, Reason, Refused, Trace, Walk};
use crate::schema::{Mismatch, MismatchKind};
use std::collections::HashMap;
use std::fmt::Write;

/// Characters of a map key that a path shows.
const KEY_CHARS_MAX: usize = 64;

/// Judges a payload that the walk has refused.
#[cold]
pub(super) fn look_again<const REJECT: bool>(
    program: &Program,
    message: u32,
    payload: &[u8],
) -> Result<(), Mismatch> {
    if let Some(mismatch) = trace::<REJECT>(program, message, payload, None) {
        return Err(mismatch);
    }
    let missing = match merged::missing(program, message, payload) {
        Ok(None) => return Ok(()),
        Ok(missing) => missing,
        // It reads what the walk has just read.
        Err(Refused) => None,
    };
    Err(
        trace::<REJECT>(program, message, payload, missing).unwrap_or_else(|| Mismatch {
            kind: MismatchKind::Payload,
            path: "$".to_owned(),
            expected: "expected a message of the schema".to_owned(),
        }),
    )
}

/// Walks to the first mismatch, or to what is `missing`.
fn trace<const REJECT: bool>(
    program: &Program,
    message: u32,
    payload: &[u8],
    missing: Option<Missing>,
) -> Option<Mismatch> {
    let mut trace = PathTrace {
        program,
        message,
        payload,
        missing,
        frames: vec![Frame::default()],
        found: None,
    };
    trace.look_for_missing(0);
    let mut walk = Walk::<_, REJECT> {
        program,
        payload,
        trace,
    };
    // What it refuses, the trace has found.
    let _ = walk.message(payload, 0, message, 0, 0);
    walk.trace.found
}

/// A message on the way.
#[derive(Default)]
struct Frame {
    /// The field that holds it, by label; none for the payload itself.
    field: Option<u32>,
    /// Which of a repeated field's values it is.
    index: usize,
    /// Where its body starts.
    start: usize,
    /// Values seen so far of each of its repeated fields.
    counts: HashMap<u32, usize>,
}

struct PathTrace<'a> {
    program: &'a Program,
    /// That of the payload.
    message: u32,
    payload: &'a [u8],
    missing: Option<Missing>,
    frames: Vec<Frame>,
    found: Option<Mismatch>,
}

impl Trace for PathTrace<'_> {
    const REQUIRES: bool = false;

    fn field(&mut self, field: &Field) {
        let repeated = self
            .program
            .label(field.label)
            .is_some_and(|label| label.repeated);
        if let Some(frame) = self.frames.last_mut().filter(|_| repeated) {
            *frame.counts.entry(field.label).or_default() += 1;
        }
    }

    fn packed(&mut self, field: &Field, elements: usize) {
        if let Some(count) = self
            .frames
            .last_mut()
            .and_then(|frame| frame.counts.get_mut(&field.label))
        {
            // The packed run was counted as one value.
            *count = (*count + elements).saturating_sub(1);
        }
    }

    fn enter(&mut self, field: &Field, start: usize) {
        let index = self.last_index(field.label).unwrap_or(0);
        self.frames.push(Frame {
            field: Some(field.label),
            index,
            start,
            counts: HashMap::new(),
        });
        self.look_for_missing(start);
    }

    fn leave(&mut self) {
        self.frames.pop();
    }

    fn refused(&mut self, reason: Reason, at: usize, field: Option<&Field>) {
        let label = field.and_then(|field| self.program.label(field.label));
        let mut path = self.path();
        if let (Some(label), Some(field)) = (label, field) {
            self.push_segment(&mut path, label, self.last_index(field.label), None);
        }
        let kind = if reason == Reason::TooDeep {
            MismatchKind::OverLimit
        } else {
            MismatchKind::Payload
        };
        self.found = Some(Mismatch {
            kind,
            path,
            expected: expectation(reason, at, label, &self.message_name()),
        });
    }
}

impl PathTrace<'_> {
    /// A message's body starts at `start`: it may be the one that lacks a field.
    fn look_for_missing(&mut self, start: usize) {
        let Some(missing) = self.missing.filter(|missing| missing.start == start) else {
            return;
        };
        let Some(label) = self.program.label(missing.label) else {
            return;
        };
        let mut path = self.path();
        self.push_segment(&mut path, label, None, None);
        let expected = format!(
            "required {} {} missing from the message that ends at byte {}",
            label.type_name, label.name, missing.end
        );
        self.found = Some(Mismatch {
            kind: MismatchKind::Payload,
            path,
            expected,
        });
    }

    fn last_index(&self, label: u32) -> Option<usize> {
        let count = self.frames.last()?.counts.get(&label)?;
        count.checked_sub(1)
    }

    /// `message shop.Item` or `group shop.Order.Part`: the one that is being walked.
    fn message_name(&self) -> String {
        let holder = self.frames.last().and_then(|frame| frame.field);
        match holder.and_then(|label| self.program.label(label)) {
            Some(label) => label.type_name.to_string(),
            None => format!("message {}", self.program.message_name(self.message)),
        }
    }

    fn path(&self) -> String {
        let mut path = "$".to_owned();
        let mut in_entry = false;
        for frame in &self.frames {
            let Some(label) = frame.field.and_then(|label| self.program.label(label)) else {
                continue;
            };
            // `$.labels["a"]` is the value: that it is called `value` in the entry says nothing.
            if !in_entry {
                self.push_segment(&mut path, label, Some(frame.index), Some(frame.start));
            }
            in_entry = label.map;
        }
        path
    }

    fn push_segment(
        &self,
        path: &mut String,
        label: &FieldLabel,
        index: Option<usize>,
        start: Option<usize>,
    ) {
        // Writing to a String cannot fail.
        let _ = write!(path, ".{}", label.name);
        match (start, index) {
            (Some(start), _) if label.map => self.push_key(path, start),
            (_, Some(index)) if label.repeated && !label.map => {
                let _ = write!(path, "[{index}]");
            }
            _ => {}
        }
    }

    /// The key of the map entry whose body starts at `start`. Writers put it first; else the entry has no name.
    fn push_key(&self, path: &mut String, start: usize) {
        let entry = self.payload.get(start..).unwrap_or_default();
        let key = match entry {
            [0x0a, length, rest @ ..] if *length < 0x80 => rest
                .get(..usize::from(*length))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .map(|text| format!("{:?}", text.chars().take(KEY_CHARS_MAX).collect::<String>())),
            [0x08, value, ..] if *value < 0x80 => Some(value.to_string()),
            _ => None,
        };
        let _ = write!(path, "[{}]", key.as_deref().unwrap_or("?"));
    }
}

fn expectation(reason: Reason, at: usize, label: Option<&FieldLabel>, message: &str) -> String {
    let what = match label {
        Some(label) => format!("{} {}", label.type_name, label.name),
        None => "a field that the schema does not have".to_owned(),
    };
    match reason {
        Reason::VarintTruncated if label.is_none() => {
            format!("expected a field's tag or varint, the bytes end within it at byte {at}")
        }
        Reason::VarintTruncated => {
            format!("expected varint for {what}, the bytes end within it at byte {at}")
        }
        Reason::VarintTooLong => format!("expected varint of at most 64 bits for {what} at byte {at}"),
        Reason::TagTooLong => format!("expected a field's tag of at most 32 bits in five bytes at byte {at}"),
        Reason::FieldNumberZero => format!("expected a field number from 1, 0 found at byte {at}"),
        Reason::WireType(found) => match label {
            Some(label) => {
                format!(
                    "expected {} for {what}, wire type {found} found at byte {at}",
                    wire_name(label)
                )
            }
            None => format!("expected wire type 0 to 5, {found} found at byte {at}"),
        },
        Reason::Truncated { needed, left } => {
            format!("expected {needed} bytes for {what}, {left} left at byte {at}")
        }
        Reason::PackedLength { length, unit } => {
            format!("expected packed {what} in multiples of {unit} bytes, {length} bytes found at byte {at}")
        }
        Reason::NotUtf8 => format!("expected UTF-8 for {what}, not so at byte {at}"),
        Reason::GroupUnterminated => format!("expected the end of a group, the bytes end at byte {at}"),
        Reason::GroupMismatch(number) => {
            format!("end of group {number} at byte {at}, where no such group is open")
        }
        Reason::UnknownField(number) => {
            format!("no field with number {number} in {message} (unknown fields are refused by policy)")
        }
        Reason::UnknownEnumValue => {
            format!(
                "expected a number that the closed {what} names, not so at byte {at} (unknown fields are refused by policy)"
            )
        }
        Reason::TooDeep => format!("messages nest more than {DEPTH_MAX} deep at byte {at}"),
    }
}

fn wire_name(label: &FieldLabel) -> &'static str {
    let scalar = match &*label.type_name {
        "double" | "fixed64" | "sfixed64" => "8 bytes",
        "float" | "fixed32" | "sfixed32" => "4 bytes",
        "string" | "bytes" => return "a length",
        name if name.starts_with("message ") => return "a length",
        name if name.starts_with("group ") => return "a group",
        _ => "varint",
    };
    match (scalar, label.repeated) {
        ("varint", true) => "varint or packed run",
        ("8 bytes", true) => "8 bytes or packed run",
        ("4 bytes", true) => "4 bytes or packed run",
        _ => scalar,
    }
}
