//! The payload walk: runs a [`Program`] over Avro's binary encoding (specification, "Binary Encoding"). It builds no
//! value and allocates nothing. It only says yes or no; when it says no, `explain` walks again, slowly, to say where.
use super::explain;
use super::model::{Kind, Model, TypeId};
use super::program::{Op, Program};
use crate::schema::Mismatch;
use crate::schema::utf8::ends_in_text;
use std::sync::Arc;

/// Records, arrays and maps inside each other in a payload. Keeps the walk's stack small; Java's own decoder
/// overflows its stack at some thousands.
pub const DEPTH_MAX: u32 = 128;
/// The most items of one array or map. Java's decoder reads no more (`SystemLimitException`), and where items take
/// no bytes nothing else bounds their number.
pub const ITEMS_MAX: u64 = i32::MAX as u64 - 8;

/// A compiled Avro schema.
pub struct AvroValidator {
    program: Program,
    model: Arc<Model>,
    root: TypeId,
    /// Confluent's Java serializer writes the payload of a schema that is a plain `bytes` without a length, others
    /// write it with one. Every payload is the one or the other.
    takes_anything: bool,
}

impl AvroValidator {
    pub(super) fn new(program: Program, model: Arc<Model>, root: TypeId) -> Self {
        let takes_anything = matches!(model.kind(root), Kind::Bytes);
        Self {
            program,
            model,
            root,
            takes_anything,
        }
    }

    /// Checks one Avro binary payload: every byte belongs to the schema, and none is left over.
    ///
    /// # Errors
    /// [`Mismatch`] says where and how the payload departs from the schema, without its content.
    #[inline]
    pub fn validate(&self, payload: &[u8]) -> Result<(), Mismatch> {
        if self.matches(payload) {
            Ok(())
        } else {
            Err(explain::explain(&self.model, self.root, payload))
        }
    }

    #[inline]
    fn matches(&self, payload: &[u8]) -> bool {
        self.takes_anything || run(&self.program.ops, 0, 1, payload, 0, 0) == Some(payload.len())
    }
}

/// Runs the body at `body` over `data` from `at`, `times` over; where that ended, or `None` for a payload that does
/// not match.
fn run(ops: &[Op], body: usize, mut times: u64, data: &[u8], mut at: usize, depth: u32) -> Option<usize> {
    let mut pc = body;
    loop {
        let op = *ops.get(pc)?;
        pc += 1;
        match op {
            Op::Return if times > 1 => {
                times -= 1;
                pc = body;
            }
            Op::Return => return Some(at),
            Op::Boolean => {
                if *data.get(at)? > 1 {
                    return None;
                }
                at += 1;
            }
            Op::Int { then } => at = skip_int(data, at)? + then as usize,
            Op::Long { then } => at = skip_long(data, at)? + then as usize,
            Op::Bytes => at = skip_bytes(data, at)?,
            Op::String { then } => at = skip_string(data, at)? + then as usize,
            Op::StringInt { then } => {
                at = skip_string(data, at)?;
                at = skip_int(data, at)? + then as usize;
            }
            Op::StringLong { then } => {
                at = skip_string(data, at)?;
                at = skip_long(data, at)? + then as usize;
            }
            Op::Skip(bytes) => at = skip(data, at, bytes as usize)?,
            Op::Enum(symbols) => (_, at) = index(data, at, symbols)?,
            Op::Nullable { null, over } => {
                let (branch, next) = index(data, at, 2)?;
                at = next;
                if branch == u32::from(null) {
                    pc = over as usize;
                }
            }
            Op::NullableString { null } => {
                let (branch, next) = index(data, at, 2)?;
                at = if branch == u32::from(null) {
                    next
                } else {
                    skip_string(data, next)?
                };
            }
            Op::Union { branches } => {
                let (branch, next) = index(data, at, branches)?;
                at = next;
                pc = match ops.get(pc + branch as usize) {
                    Some(Op::Jump(target)) => *target as usize,
                    _ => return None,
                };
            }
            Op::Jump(target) => pc = target as usize,
            Op::Call { body, levels } => {
                at = run(ops, body as usize, 1, data, at, deeper(depth, levels)?)?;
            }
            Op::Blocks { over, levels } => {
                at = blocks(ops, pc, data, at, deeper(depth, levels)?)?;
                pc = over as usize;
            }
            Op::EmptyItems => at = skip_empty_items(data, at)?,
        }
    }
}

fn deeper(depth: u32, levels: u8) -> Option<u32> {
    Some(depth + u32::from(levels)).filter(|depth| *depth <= DEPTH_MAX)
}

/// The blocks of an array or a map: `count item*` until a count of 0; a negative count is followed by the block's
/// size in bytes, which must be true.
#[inline(never)]
fn blocks(ops: &[Op], body: usize, data: &[u8], mut at: usize, depth: u32) -> Option<usize> {
    loop {
        let (count, next) = long(data, at)?;
        at = next;
        if count == 0 {
            return Some(at);
        }
        let mut end = None;
        if count < 0 {
            let (size, next) = long(data, at)?;
            at = next;
            end = Some(at.checked_add(usize::try_from(size).ok()?)?);
        }
        // An item takes a byte at least, so this bounds how often the body runs.
        if count.unsigned_abs() > (data.len() - at) as u64 {
            return None;
        }
        at = items(ops, body, count.unsigned_abs(), data, at, depth)?;
        if end.is_some_and(|end| end != at) {
            return None;
        }
    }
}

/// `count` items. Where an item is one of the commonest steps, a string or a small record, the step is not read again
/// for each.
#[inline]
fn items(ops: &[Op], body: usize, count: u64, data: &[u8], at: usize, depth: u32) -> Option<usize> {
    match *ops.get(body..)? {
        [Op::String { then }, Op::Return, ..] => {
            each(count, at, |at| Some(skip_string(data, at)? + then as usize))
        }
        [Op::StringInt { then }, Op::Return, ..] => each(count, at, |at| {
            Some(skip_int(data, skip_string(data, at)?)? + then as usize)
        }),
        _ => run(ops, body, count, data, at, depth),
    }
}

#[inline]
fn each(count: u64, at: usize, item: impl Fn(usize) -> Option<usize>) -> Option<usize> {
    (0..count).try_fold(at, |at, _| item(at))
}

#[inline(never)]
fn skip_empty_items(data: &[u8], mut at: usize) -> Option<usize> {
    let mut items = 0u64;
    loop {
        let (count, next) = long(data, at)?;
        at = next;
        if count == 0 {
            return Some(at);
        }
        if count < 0 {
            let (size, next) = long(data, at)?;
            at = next;
            if size != 0 {
                return None;
            }
        }
        items = items
            .checked_add(count.unsigned_abs())
            .filter(|items| *items <= ITEMS_MAX)?;
    }
}

#[inline]
fn skip(data: &[u8], at: usize, bytes: usize) -> Option<usize> {
    at.checked_add(bytes).filter(|end| *end <= data.len())
}

/// An enum's or union's index: an int from 0 to below `limit`, so five bytes at most.
#[inline]
fn index(data: &[u8], at: usize, limit: u32) -> Option<(u32, usize)> {
    let first = *data.get(at)?;
    if first < 0x80 {
        let index = u32::from(first >> 1);
        return (first & 1 == 0 && index < limit).then_some((index, at + 1));
    }
    let (index, next) = long_of_many(data, at)?;
    let index = u32::try_from(index).ok().filter(|index| *index < limit)?;
    (next - at <= 5).then_some((index, next))
}

/// A zig-zag long and where it ends.
#[inline]
fn long(data: &[u8], at: usize) -> Option<(i64, usize)> {
    let first = *data.get(at)?;
    if first < 0x80 {
        return Some((i64::from(first >> 1) ^ -i64::from(first & 1), at + 1));
    }
    long_of_many(data, at)
}

#[inline(never)]
fn long_of_many(data: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut value = 0u64;
    let mut shift = 0;
    for (read, byte) in data.get(at..)?.iter().take(10).enumerate() {
        // The tenth byte has one bit left to give.
        if read == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            return Some(((value >> 1) as i64 ^ -((value & 1) as i64), at + read + 1));
        }
    }
    None
}

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

#[inline]
fn skip_long(data: &[u8], at: usize) -> Option<usize> {
    if let Some(word) = data.get(at..)?.first_chunk() {
        let ends = !u64::from_le_bytes(*word) & HIGH_BITS;
        if ends != 0 {
            return Some(at + (ends.trailing_zeros() / 8) as usize + 1);
        }
    }
    long_of_many(data, at).map(|(_, at)| at)
}

/// At most five bytes, and no bit beyond the 32nd.
#[inline]
fn skip_int(data: &[u8], at: usize) -> Option<usize> {
    if let Some(word) = data.get(at..)?.first_chunk() {
        let ends = !u32::from_le_bytes(*word) & HIGH_BITS as u32;
        if ends != 0 {
            return Some(at + (ends.trailing_zeros() / 8) as usize + 1);
        }
    }
    skip_large_or_last_int(data, at)
}

#[inline(never)]
fn skip_large_or_last_int(data: &[u8], at: usize) -> Option<usize> {
    for (read, byte) in data.get(at..)?.iter().take(5).enumerate() {
        if *byte < 0x80 {
            return (read < 4 || *byte <= 0x0f).then_some(at + read + 1);
        }
    }
    None
}

/// A length, not above the payload's, and where the bytes that it counts begin.
#[inline]
fn length(data: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *data.get(at)?;
    // Neither a sign nor a second byte.
    if first & 0x81 == 0 {
        return Some((usize::from(first >> 1), at + 1));
    }
    length_of_many(data, at)
}

#[inline(never)]
fn length_of_many(data: &[u8], at: usize) -> Option<(usize, usize)> {
    let (length, at) = long_of_many(data, at)?;
    let length = usize::try_from(length).ok()?;
    (length <= data.len()).then_some((length, at))
}

#[inline]
fn skip_bytes(data: &[u8], at: usize) -> Option<usize> {
    let (length, at) = length(data, at)?;
    skip(data, at, length)
}

#[allow(
    clippy::inline_always,
    reason = "nine calls a record: a ninth of the instructions"
)]
#[inline(always)]
fn skip_string(data: &[u8], at: usize) -> Option<usize> {
    let (length, start) = length(data, at)?;
    // Neither is above a slice's length, so the sum is no overflow.
    let end = start + length;
    ends_in_text(data.get(..end)?, length).then_some(end)
}
