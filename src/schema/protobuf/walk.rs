//! The walk over a serialized message, by the tables of [`Program`]. It builds nothing: a valid payload costs no
//! allocation. Rules: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! The same walk finds that a payload is bad and, run again with a [`Trace`] that remembers the way, says where.

use super::program::{Field, Message, Program, REQUIRED_FAST, REQUIRED_MAX, Shape};

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
    fn field(&mut self, _field: &Field) {}
    fn packed(&mut self, _field: &Field, _elements: usize) {}
    fn enter(&mut self, _field: &Field, _start: usize) {}
    fn leave(&mut self) {}
    fn refused(&mut self, _reason: Reason, _at: usize, _field: Option<&Field>) {}
    /// The required field with this label is missing in the message that ends at `at`.
    fn missing(&mut self, _label: u32, _at: usize) {}
}

impl Trace for () {}

/// `REJECT`: what the schema does not know is refused. Without it none of that is compiled in.
pub(super) struct Walk<'p, T, const REJECT: bool> {
    pub(super) program: &'p Program,
    pub(super) trace: T,
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const START_GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

impl<T: Trace, const REJECT: bool> Walk<'_, T, REJECT> {
    /// Walks `bytes` from `at` as the message `id`, to the end of `bytes`, or for a `group` (its field number, else
    /// 0) to its end tag. Answers where it ended.
    pub(super) fn message(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        id: u32,
        depth: usize,
        group: u32,
    ) -> Result<usize, Refused> {
        let program = self.program;
        let Some(message) = program.message(id) else {
            return Ok(bytes.len());
        };
        let start = at;
        let mut seen = 0u64;
        let mut predicted = 0usize;
        while at < bytes.len() {
            let tag_at = at;
            let tag;
            (tag, at) = self.tag(bytes, at)?;
            let field = match message.dense.get((tag >> 3) as usize) {
                Some(field) => field,
                None => beyond_dense(&message.sparse, tag >> 3, &mut predicted),
            };
            self.trace.field(field);
            if tag != field.tag {
                let Some(end) = self.other(bytes, at, tag_at, tag, field, depth, group)? else {
                    self.required(message, bytes, start, tag_at, seen)?;
                    return Ok(at);
                };
                at = end;
                continue;
            }
            // Not before: the end of a group may have the number of a required field in it.
            seen |= field.required;
            at = match field.shape {
                Shape::Text => self.text(bytes, at, field)?,
                Shape::Varint if REJECT && field.target != 0 => self.closed_enum(bytes, at, field)?,
                Shape::Varint => self.varint(bytes, at, field)?,
                Shape::Fixed64 => self.fixed(bytes, at, 8, field)?,
                Shape::Fixed32 => self.fixed(bytes, at, 4, field)?,
                Shape::Bytes => self.sized(bytes, at, Some(field))?.1,
                Shape::Message => {
                    let (from, to) = self.sized(bytes, at, Some(field))?;
                    if depth >= DEPTH_MAX {
                        return Err(self.refuse(Reason::TooDeep, tag_at, Some(field)));
                    }
                    self.trace.enter(field, from);
                    let inner = bytes.get(..to).unwrap_or_default();
                    self.message(inner, from, field.target, depth + 1, 0)?;
                    self.trace.leave();
                    to
                }
                Shape::Group => {
                    if depth >= DEPTH_MAX {
                        return Err(self.refuse(Reason::TooDeep, tag_at, Some(field)));
                    }
                    self.trace.enter(field, at);
                    let end = self.message(bytes, at, field.target, depth + 1, tag >> 3)?;
                    self.trace.leave();
                    end
                }
                Shape::RequiredEnum => {
                    let (end, bit) = self.required_enum(bytes, at, field)?;
                    seen |= bit;
                    end
                }
                Shape::Unknown => at,
            };
        }
        if group != 0 {
            return Err(self.refuse(Reason::GroupUnterminated, at, None));
        }
        self.required(message, bytes, start, at, seen)?;
        Ok(at)
    }

    /// A tag that is not the field's own: a packed run, an unknown field, the end of `group` (`None`), or a refusal.
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
    ) -> Result<Option<usize>, Refused> {
        match (field.shape, tag & 7) {
            (_, END_GROUP) if group != 0 && tag >> 3 == group => Ok(None),
            (_, END_GROUP) => Err(self.refuse(Reason::GroupMismatch(tag >> 3), tag_at, None)),
            (Shape::Unknown, VARINT..=FIXED32) if REJECT => {
                Err(self.refuse(Reason::UnknownField(tag >> 3), tag_at, None))
            }
            (Shape::Unknown, _) => self.unknown(bytes, tag_at, at, tag, depth).map(Some),
            (Shape::Varint, LENGTH) if field.packable => self.packed_varints(bytes, at, field).map(Some),
            (Shape::Fixed64, LENGTH) if field.packable => self.packed_fixed(bytes, at, 8, field).map(Some),
            (Shape::Fixed32, LENGTH) if field.packable => self.packed_fixed(bytes, at, 4, field).map(Some),
            (_, wire) => Err(self.refuse(Reason::WireType(wire as u8), tag_at, Some(field))),
        }
    }

    #[inline]
    fn tag(&mut self, bytes: &[u8], at: usize) -> Result<(u32, usize), Refused> {
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

    /// Where the number ends, and the field's bit when the enum names it.
    #[inline(never)]
    fn required_enum(&mut self, bytes: &[u8], at: usize, field: &Field) -> Result<(usize, u64), Refused> {
        let end = self.varint(bytes, at, field)?;
        if self.is_named(bytes, at, field) {
            let position = self.program.label(field.label).and_then(|label| label.required);
            return Ok((
                end,
                position.map_or(0, |position| 1u64.checked_shl(position).unwrap_or(0)),
            ));
        }
        if REJECT {
            return Err(self.refuse(Reason::UnknownEnumValue, at, Some(field)));
        }
        Ok((end, 0))
    }

    /// Whether the closed enum of `field` names the number at `at`, of which parsers take the low 32 bits.
    fn is_named(&self, bytes: &[u8], at: usize, field: &Field) -> bool {
        long_varint(bytes, at).is_ok_and(|(number, _)| self.program.is_named(field.target, number as i32))
    }

    #[inline]
    fn fixed(&mut self, bytes: &[u8], at: usize, width: usize, field: &Field) -> Result<usize, Refused> {
        let left = bytes.len() - at;
        if left < width {
            let reason = Reason::Truncated {
                needed: width as u64,
                left,
            };
            return Err(self.refuse(reason, at, Some(field)));
        }
        Ok(at + width)
    }

    /// A length and that many bytes: where they start and end.
    #[inline]
    fn sized(&mut self, bytes: &[u8], at: usize, field: Option<&Field>) -> Result<(usize, usize), Refused> {
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
        let text = bytes.get(from..to).unwrap_or_default();
        if is_ascii(text) {
            return Ok(to);
        }
        match std::str::from_utf8(text) {
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
    fn unknown(
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
            FIXED64 => self.skip_fixed(bytes, at, 8),
            FIXED32 => self.skip_fixed(bytes, at, 4),
            LENGTH => Ok(self.sized(bytes, at, None)?.1),
            wire => Err(self.refuse(Reason::WireType(wire as u8), tag_at, None)),
        }
    }

    fn skip_fixed(&mut self, bytes: &[u8], at: usize, width: usize) -> Result<usize, Refused> {
        let left = bytes.len() - at;
        if left < width {
            return Err(self.refuse(
                Reason::Truncated {
                    needed: width as u64,
                    left,
                },
                at,
                None,
            ));
        }
        Ok(at + width)
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
        let missing = message.required & !seen;
        if missing != 0 {
            let position = missing.trailing_zeros() as usize;
            return Err(self.missing(message, position, end));
        }
        if message.required_labels.len() > REQUIRED_FAST {
            self.wide_required(message, bytes, start, end)?;
        }
        Ok(())
    }

    #[cold]
    fn missing(&mut self, message: &Message, position: usize, at: usize) -> Refused {
        if let Some(label) = message.required_labels.get(position) {
            self.trace.missing(*label, at);
        }
        Refused
    }

    /// The required fields after the 64th: a second pass over a body that is already known to be well formed.
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
        for position in REQUIRED_FAST..message.required_labels.len() {
            let word = seen.get(position / 64).copied().unwrap_or(0);
            if word & (1 << (position % 64)) == 0 {
                return Err(self.missing(message, position, end));
            }
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

/// Fields mostly come in order of their numbers: the one after the last is tried first.
#[inline(never)]
fn beyond_dense<'a>(sparse: &'a [Field], number: u32, predicted: &mut usize) -> &'a Field {
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

/// Most texts are short and ASCII: a few wide loads, which may overlap, instead of a call.
#[inline]
fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const HIGH_WIDE: u128 = (HIGH as u128) << 64 | HIGH as u128;
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        if text.len() <= 32 {
            return (u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last)) & HIGH_WIDE == 0;
        }
        return text.is_ascii();
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & HIGH == 0;
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return (u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last)) & HIGH as u32 == 0;
    }
    text.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// Where the varint at `at` ends. One of up to eight bytes is found by its end's clear bit in a single word.
#[inline]
fn varint_end(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    if let Some(word) = word {
        let ends = !u64::from_le_bytes(*word) & 0x8080_8080_8080_8080;
        if ends != 0 {
            return Ok(at + ends.trailing_zeros() as usize / 8 + 1);
        }
    }
    long_varint(bytes, at).map(|(_, end)| end)
}

/// A varint of any length: its value and where it ends.
#[inline(never)]
fn long_varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Reason> {
    let mut value = 0u64;
    for (index, byte) in bytes.get(at..).unwrap_or_default().iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            // The tenth byte has room for one bit.
            if index == 9 && *byte > 1 {
                return Err(Reason::VarintTooLong);
            }
            return Ok((value, at + index + 1));
        }
    }
    if bytes.len() - at.min(bytes.len()) < 10 {
        return Err(Reason::VarintTruncated);
    }
    Err(Reason::VarintTooLong)
}
