//! The walk over a serialized message, by the tables of [`Program`]. It builds nothing: a valid payload costs no
//! allocation. Rules: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! The same walk finds that a payload is bad and, run again with a [`Trace`] that remembers the way, says where. Of
//! required fields that one is silent: a message may come in several pieces, which `merged` puts together.

use super::program::{Field, Message, Program, REQUIRED_MAX, Shape};
use super::values::{NOWHERE, body, length, long_end, long_varint, varint_end};
use crate::schema::utf8::ends_in_text;

/// Messages and groups inside the first message, as in every official runtime.
pub(super) const DEPTH_MAX: usize = 100;

/// Longer tags, of whatever value, are errors in Protobuf's conformance tests (`BadTag_OverlongVarint`).
const TAG_BYTES_MAX: usize = 5;

/// The walk stopped. What and where went to the trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused;

/// Why the walk stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reason {
    /// The bytes end within a varint.
    VarintTruncated,
    /// More than ten bytes, or more than 64 bits.
    VarintTooLong,
    /// A tag over 32 bits, or over five bytes.
    TagTooLong,
    FieldNumberZero,
    WireType(u8),
    Truncated {
        needed: u64,
        left: usize,
    },
    PackedLength {
        length: usize,
        unit: usize,
    },
    NotUtf8,
    GroupUnterminated,
    /// An end-group tag of this field number where none, or another, was open.
    GroupMismatch(u32),
    TooDeep,
    /// The message has no such field, and the policy allows no other. Its number.
    UnknownField(u32),
    /// A closed enum does not name the number, and the policy allows no other.
    UnknownEnumValue,
}

/// Watches the walk. For `()` all of it disappears.
pub(super) trait Trace {
    /// Every field is walked thoroughly.
    const WATCHES: bool = true;
    /// A piece of a message without a required field is refused.
    const REQUIRES: bool = true;

    fn field(&mut self, _field: &Field) {}
    fn packed(&mut self, _field: &Field, _elements: usize) {}
    fn enter(&mut self, _field: &Field, _start: usize) {}
    fn leave(&mut self) {}
    fn refused(&mut self, _reason: Reason, _at: usize, _field: Option<&Field>) {}
}

impl Trace for () {
    const WATCHES: bool = false;
}

/// `REJECT`: what the schema does not know is refused. Without it none of that is compiled in.
pub(super) struct Walk<'p, T, const REJECT: bool> {
    pub(super) program: &'p Program,
    pub(super) payload: &'p [u8],
    pub(super) trace: T,
}

/// What one field came to.
enum Step {
    /// `required`: its bit in the message's required set.
    Next {
        end: usize,
        required: u64,
    },
    GroupEnd {
        end: usize,
    },
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

impl<T: Trace, const REJECT: bool> Walk<'_, T, REJECT> {
    /// Walks `bytes`, a part of the payload from its start on, from `at` as the message `id`, to the end of `bytes`,
    /// or for a `group` (its field number, else 0) to its end tag. Answers where it ended.
    pub(super) fn message(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        id: u32,
        depth: usize,
        group: u32,
    ) -> Result<usize, Refused> {
        let program = self.program;
        let (Some(message), Some(slots)) = (program.message(id), program.slots(id)) else {
            return Ok(bytes.len());
        };
        let start = at;
        let mut seen = 0u64;
        let mut predicted = 0usize;
        while let Some(&byte) = bytes.get(at) {
            let slot = slots.get(byte);
            if !T::WATCHES && slot.tag == byte {
                let end = match slot.shape {
                    Shape::Flat | Shape::Message if depth >= DEPTH_MAX => NOWHERE,
                    Shape::Flat => self.flat_run(bytes, at, slot.target),
                    Shape::Message => match body(bytes, at + 1) {
                        Some((from, inner)) => {
                            self.message(inner, from, slot.target, depth + 1, 0)?;
                            inner.len()
                        }
                        None => NOWHERE,
                    },
                    shape => self.value(bytes, at + 1, shape, slot.target),
                };
                if end <= bytes.len() {
                    seen |= 1 << (byte >> 3);
                    at = end;
                    continue;
                }
            }
            match self.thorough(message, bytes, at, depth, group, &mut predicted)? {
                Step::Next { end, required } => {
                    seen |= required;
                    at = end;
                }
                Step::GroupEnd { end } => {
                    self.required(message, bytes, start, at, seen)?;
                    return Ok(end);
                }
            }
        }
        if group != 0 {
            return Err(self.refuse(Reason::GroupUnterminated, at, None));
        }
        self.required(message, bytes, start, at, seen)?;
        Ok(at)
    }

    /// Where a message ends, whose tag is at `at`, and those that follow with the same tag. They have nothing but values
    /// behind tags of one byte. After the end of `bytes`: look again, thoroughly.
    #[inline(never)]
    fn flat_run(&self, bytes: &[u8], mut at: usize, id: u32) -> usize {
        let (Some(slots), Some(&tag)) = (self.program.slots(id), bytes.get(at)) else {
            return NOWHERE;
        };
        let mut end = NOWHERE;
        loop {
            let Some((mut inner, body)) = body(bytes, at + 1) else {
                return end;
            };
            while let Some(&byte) = body.get(inner) {
                let slot = slots.get(byte);
                if slot.tag != byte {
                    return end;
                }
                inner = self.value(body, inner + 1, slot.shape, slot.target);
            }
            if inner != body.len() {
                return end;
            }
            at = inner;
            end = at;
            if bytes.get(at) != Some(&tag) {
                return end;
            }
        }
    }

    /// Where the value at `at` ends, for what is neither message nor group. After the end of `bytes`: look again,
    /// thoroughly.
    #[allow(clippy::inline_always, reason = "measured: calls cost a fifth of the walk")]
    #[inline(always)]
    fn value(&self, bytes: &[u8], at: usize, shape: Shape, target: u32) -> usize {
        match shape {
            Shape::Text => match length(bytes, at) {
                Some((from, to)) if is_text(self.payload, from, to) => to,
                _ => NOWHERE,
            },
            Shape::Varint if REJECT && target != 0 => NOWHERE,
            Shape::Varint => match bytes.get(at) {
                Some(byte) if *byte < 0x80 => at + 1,
                _ => long_end(self.payload, at),
            },
            Shape::Fixed => at + target as usize,
            // Bytes: no other shape has a slot.
            _ => length(bytes, at).map_or(NOWHERE, |(_, to)| to),
        }
    }

    /// One field of any kind, with its reason when it is refused.
    #[inline(never)]
    fn thorough(
        &mut self,
        message: &Message,
        bytes: &[u8],
        tag_at: usize,
        depth: usize,
        group: u32,
        predicted: &mut usize,
    ) -> Result<Step, Refused> {
        let (tag, at) = self.tag(bytes, tag_at)?;
        let field = match message.dense.get((tag >> 3) as usize) {
            Some(field) => field,
            None => beyond_dense(&message.sparse, tag >> 3, predicted),
        };
        self.trace.field(field);
        if tag != field.tag {
            return self.other(bytes, at, tag_at, tag, field, depth, group);
        }
        if depth >= DEPTH_MAX && matches!(field.shape, Shape::Message | Shape::Group) {
            return Err(self.refuse(Reason::TooDeep, tag_at, Some(field)));
        }
        let end = match field.shape {
            Shape::Text => self.text(bytes, at, field)?,
            Shape::Varint if REJECT && field.target != 0 => self.closed_enum(bytes, at, field)?,
            Shape::Varint => self.varint(bytes, at, field)?,
            Shape::Fixed64 => self.fixed(bytes, at, 8, Some(field))?,
            Shape::Fixed32 => self.fixed(bytes, at, 4, Some(field))?,
            Shape::Bytes => self.sized(bytes, at, Some(field))?.1,
            Shape::Message => {
                let (from, to) = self.sized(bytes, at, Some(field))?;
                self.trace.enter(field, from);
                let inner = bytes.get(..to).unwrap_or_default();
                self.message(inner, from, field.target, depth + 1, 0)?;
                self.trace.leave();
                to
            }
            Shape::Group => {
                self.trace.enter(field, at);
                let end = self.message(bytes, at, field.target, depth + 1, tag >> 3)?;
                self.trace.leave();
                end
            }
            Shape::RequiredEnum => {
                let end = self.varint(bytes, at, field)?;
                if !self.is_named(bytes, at, field) {
                    if REJECT {
                        return Err(self.refuse(Reason::UnknownEnumValue, at, Some(field)));
                    }
                    return Ok(Step::Next { end, required: 0 });
                }
                end
            }
            Shape::Unknown | Shape::Flat | Shape::Fixed => at,
        };
        Ok(Step::Next {
            end,
            required: field.required,
        })
    }

    /// A tag that is not the field's own: a packed run, an unknown field, the end of `group`, or a refusal.
    #[allow(
        clippy::too_many_arguments,
        reason = "the hot loop's variables, kept out of it"
    )]
    #[inline(never)]
    fn other(
        &mut self,
        bytes: &[u8],
        at: usize,
        tag_at: usize,
        tag: u32,
        field: &Field,
        depth: usize,
        group: u32,
    ) -> Result<Step, Refused> {
        let end = match (field.shape, tag & 7) {
            (_, END_GROUP) if group != 0 && tag >> 3 == group => return Ok(Step::GroupEnd { end: at }),
            (_, END_GROUP) => return Err(self.refuse(Reason::GroupMismatch(tag >> 3), tag_at, None)),
            (Shape::Unknown, VARINT..=FIXED32) if REJECT => {
                return Err(self.refuse(Reason::UnknownField(tag >> 3), tag_at, None));
            }
            (Shape::Unknown, _) => self.unknown(bytes, tag_at, at, tag, depth)?,
            (Shape::Varint, LENGTH) if field.packable => self.packed_varints(bytes, at, field)?,
            (Shape::Fixed64, LENGTH) if field.packable => self.packed_fixed(bytes, at, 8, field)?,
            (Shape::Fixed32, LENGTH) if field.packable => self.packed_fixed(bytes, at, 4, field)?,
            (_, wire) => return Err(self.refuse(Reason::WireType(wire as u8), tag_at, Some(field))),
        };
        Ok(Step::Next {
            end,
            required: field.required,
        })
    }

    #[inline]
    pub(super) fn tag(&mut self, bytes: &[u8], at: usize) -> Result<(u32, usize), Refused> {
        match bytes.get(at) {
            // Below 8 the field number is 0.
            Some(&byte) if (8..0x80).contains(&byte) => Ok((u32::from(byte), at + 1)),
            _ => self.long_tag(bytes, at),
        }
    }

    #[inline(never)]
    fn long_tag(&mut self, bytes: &[u8], at: usize) -> Result<(u32, usize), Refused> {
        let (value, end) = long_varint(bytes, at).map_err(|reason| self.refuse(reason, at, None))?;
        match u32::try_from(value) {
            Ok(tag) if tag >> 3 == 0 => Err(self.refuse(Reason::FieldNumberZero, at, None)),
            Ok(tag) if end - at <= TAG_BYTES_MAX => Ok((tag, end)),
            _ => Err(self.refuse(Reason::TagTooLong, at, None)),
        }
    }

    #[inline]
    fn varint(&mut self, bytes: &[u8], at: usize, field: &Field) -> Result<usize, Refused> {
        match bytes.get(at) {
            Some(byte) if *byte < 0x80 => Ok(at + 1),
            _ => match varint_end(bytes, at) {
                Ok(end) => Ok(end),
                Err(reason) => Err(self.refuse(reason, at, Some(field))),
            },
        }
    }

    #[inline(never)]
    fn closed_enum(&mut self, bytes: &[u8], at: usize, field: &Field) -> Result<usize, Refused> {
        let end = self.varint(bytes, at, field)?;
        if self.is_named(bytes, at, field) {
            return Ok(end);
        }
        Err(self.refuse(Reason::UnknownEnumValue, at, Some(field)))
    }

    /// Whether the closed enum of `field` names the number at `at`, of which parsers take the low 32 bits.
    pub(super) fn is_named(&self, bytes: &[u8], at: usize, field: &Field) -> bool {
        long_varint(bytes, at).is_ok_and(|(number, _)| self.program.is_named(field.target, number as i32))
    }

    #[inline]
    fn fixed(
        &mut self,
        bytes: &[u8],
        at: usize,
        width: usize,
        field: Option<&Field>,
    ) -> Result<usize, Refused> {
        let left = bytes.len() - at;
        if left < width {
            let reason = Reason::Truncated {
                needed: width as u64,
                left,
            };
            return Err(self.refuse(reason, at, field));
        }
        Ok(at + width)
    }

    /// A length and that many bytes: where they start and end.
    #[inline]
    pub(super) fn sized(
        &mut self,
        bytes: &[u8],
        at: usize,
        field: Option<&Field>,
    ) -> Result<(usize, usize), Refused> {
        let (length, from) = match bytes.get(at) {
            Some(byte) if *byte < 0x80 => (u64::from(*byte), at + 1),
            _ => match long_varint(bytes, at) {
                Ok(read) => read,
                Err(reason) => return Err(self.refuse(reason, at, field)),
            },
        };
        let left = bytes.len() - from;
        if length > left as u64 {
            return Err(self.refuse(Reason::Truncated { needed: length, left }, from, field));
        }
        Ok((from, from + length as usize))
    }

    #[inline]
    fn text(&mut self, bytes: &[u8], at: usize, field: &Field) -> Result<usize, Refused> {
        let (from, to) = self.sized(bytes, at, Some(field))?;
        if is_text(bytes, from, to) {
            return Ok(to);
        }
        match std::str::from_utf8(bytes.get(from..to).unwrap_or_default()) {
            Ok(_) => Ok(to),
            Err(error) => Err(self.refuse(Reason::NotUtf8, from + error.valid_up_to(), Some(field))),
        }
    }

    fn packed_fixed(
        &mut self,
        bytes: &[u8],
        at: usize,
        unit: usize,
        field: &Field,
    ) -> Result<usize, Refused> {
        let (from, to) = self.sized(bytes, at, Some(field))?;
        let length = to - from;
        if !length.is_multiple_of(unit) {
            return Err(self.refuse(Reason::PackedLength { length, unit }, from, Some(field)));
        }
        self.trace.packed(field, length / unit);
        Ok(to)
    }

    fn packed_varints(&mut self, bytes: &[u8], at: usize, field: &Field) -> Result<usize, Refused> {
        let (from, to) = self.sized(bytes, at, Some(field))?;
        let run = bytes.get(..to).unwrap_or_default();
        let mut at = from;
        let mut elements = 0;
        while at < to {
            let end = match run.get(at) {
                Some(byte) if *byte < 0x80 => Ok(at + 1),
                _ => varint_end(run, at),
            };
            let end = end.and_then(|end| {
                let is_closed = REJECT && field.target != 0;
                if is_closed && !self.is_named(run, at, field) {
                    return Err(Reason::UnknownEnumValue);
                }
                Ok(end)
            });
            match end {
                Ok(end) => at = end,
                Err(reason) => {
                    self.trace.packed(field, elements + 1);
                    return Err(self.refuse(reason, at, Some(field)));
                }
            }
            elements += 1;
        }
        self.trace.packed(field, elements);
        Ok(to)
    }

    /// Skips a field that the schema does not have, groups with all that is in them.
    #[inline(never)]
    pub(super) fn unknown(
        &mut self,
        bytes: &[u8],
        tag_at: usize,
        at: usize,
        tag: u32,
        depth: usize,
    ) -> Result<usize, Refused> {
        if tag & 7 != START_GROUP {
            return self.skip(bytes, tag_at, at, tag);
        }
        // Field numbers of the open groups; a loop, for groups nest as deep as the sender likes.
        let mut open = [0u32; DEPTH_MAX + 1];
        let mut count = 0usize;
        let (mut tag, mut tag_at, mut at) = (tag, tag_at, at);
        loop {
            match tag & 7 {
                START_GROUP => {
                    if depth + count >= DEPTH_MAX {
                        return Err(self.refuse(Reason::TooDeep, tag_at, None));
                    }
                    if let Some(slot) = open.get_mut(count) {
                        *slot = tag >> 3;
                    }
                    count += 1;
                }
                END_GROUP => {
                    count -= 1;
                    if open.get(count) != Some(&(tag >> 3)) {
                        return Err(self.refuse(Reason::GroupMismatch(tag >> 3), tag_at, None));
                    }
                    if count == 0 {
                        return Ok(at);
                    }
                }
                _ => at = self.skip(bytes, tag_at, at, tag)?,
            }
            if at >= bytes.len() {
                return Err(self.refuse(Reason::GroupUnterminated, at, None));
            }
            tag_at = at;
            (tag, at) = self.tag(bytes, at)?;
        }
    }

    fn skip(&mut self, bytes: &[u8], tag_at: usize, at: usize, tag: u32) -> Result<usize, Refused> {
        match tag & 7 {
            VARINT => match varint_end(bytes, at) {
                Ok(end) => Ok(end),
                Err(reason) => Err(self.refuse(reason, at, None)),
            },
            FIXED64 => self.fixed(bytes, at, 8, None),
            FIXED32 => self.fixed(bytes, at, 4, None),
            LENGTH => Ok(self.sized(bytes, at, None)?.1),
            wire => Err(self.refuse(Reason::WireType(wire as u8), tag_at, None)),
        }
    }

    /// proto2: every required field was there. `start..end` is the message's body.
    #[inline]
    fn required(
        &mut self,
        message: &Message,
        bytes: &[u8],
        start: usize,
        end: usize,
        seen: u64,
    ) -> Result<(), Refused> {
        if !T::REQUIRES {
            return Ok(());
        }
        if message.required & !seen != 0 {
            return Err(Self::missing());
        }
        if message.is_wide {
            self.wide_required(message, bytes, start, end)?;
        }
        Ok(())
    }

    #[cold]
    fn missing() -> Refused {
        Refused
    }

    /// More required fields than there are bits: a second pass over a body that is already known to be well formed.
    #[cold]
    fn wide_required(
        &mut self,
        message: &Message,
        bytes: &[u8],
        start: usize,
        end: usize,
    ) -> Result<(), Refused> {
        let program = self.program;
        let mut seen = [0u64; REQUIRED_MAX / 64];
        let mut at = start;
        let mut predicted = 0;
        let body = bytes.get(..end).unwrap_or_default();
        while at < end {
            let tag_at = at;
            let tag;
            (tag, at) = self.tag(body, at)?;
            let number = tag >> 3;
            let field = match message.dense.get(number as usize) {
                Some(field) => field,
                None => beyond_dense(&message.sparse, number, &mut predicted),
            };
            let is_set = field.shape != Shape::RequiredEnum || self.is_named(body, at, field);
            if let Some(position) = program.label(field.label).and_then(|label| label.required)
                && is_set
                && let Some(word) = seen.get_mut(position as usize / 64)
            {
                *word |= 1 << (position % 64);
            }
            at = self.unknown(body, tag_at, at, tag, 0)?;
        }
        let count: u32 = seen.iter().map(|word| word.count_ones()).sum();
        if (count as usize) < message.required_labels.len() {
            return Err(Self::missing());
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn refuse(&mut self, reason: Reason, at: usize, field: Option<&Field>) -> Refused {
        self.trace.refused(reason, at, field);
        Refused
    }
}

/// Whether `bytes[from..to]` is UTF-8; it is not where it goes past the end.
#[allow(clippy::inline_always, reason = "measured: calls cost a fifth of the walk")]
#[inline(always)]
fn is_text(bytes: &[u8], from: usize, to: usize) -> bool {
    bytes
        .get(..to)
        .is_some_and(|bytes| ends_in_text(bytes, to - from))
}

/// Fields mostly come in order of their numbers: the one after the last is tried first.
#[inline(never)]
pub(super) fn beyond_dense<'a>(sparse: &'a [Field], number: u32, predicted: &mut usize) -> &'a Field {
    let index = match sparse.get(*predicted) {
        Some(field) if field.number() == number => *predicted,
        _ => match sparse.binary_search_by_key(&number, Field::number) {
            Ok(index) => index,
            Err(_) => return Field::UNKNOWN,
        },
    };
    *predicted = index + 1;
    sparse.get(index).unwrap_or(Field::UNKNOWN)
}
