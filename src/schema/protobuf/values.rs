//! What one value takes of a payload: varints and lengths. No rule of a schema is known here.
#![allow(
    clippy::inline_always,
    reason = "calls within the hot loop were measured: a fifth of its time"
)]

use super::walk::Reason;

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Where the varint at `at` ends. One of up to eight bytes is found by its end's clear bit in a single word.
#[inline]
pub(super) fn varint_end(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    if let Some(word) = word {
        let ends = !u64::from_le_bytes(*word) & HIGH_BITS;
        if ends != 0 {
            return Ok(at + ends.trailing_zeros() as usize / 8 + 1);
        }
    }
    long_varint(bytes, at).map(|(_, end)| end)
}

/// After the end of every payload: the quick look found no end.
pub(super) const NOWHERE: usize = usize::MAX;

/// Where the varint at `at` ends, perhaps after the end of `payload`, as [`NOWHERE`] is: for one that is not well formed,
/// and in a payload shorter than a word. The last bytes of a payload are read as the end of its last word, with no
/// branch for them.
#[inline(always)]
pub(super) fn long_end(payload: &[u8], at: usize) -> usize {
    let last = payload.len().wrapping_sub(8);
    let word = payload.get(at.min(last)..).and_then(<[u8]>::first_chunk);
    let Some(word) = word else {
        return NOWHERE;
    };
    let word = u64::from_le_bytes(*word) >> (8 * (at.saturating_sub(last) % 8));
    let ends = !word & HIGH_BITS;
    if ends != 0 {
        return at + ends.trailing_zeros() as usize / 8 + 1;
    }
    match payload.get(at + 8..) {
        Some([0..0x80, ..]) => at + 9,
        // The tenth byte has room for one bit.
        Some([_, 0..=1, ..]) => at + 10,
        _ => NOWHERE,
    }
}

/// A length: where the bytes that it counts begin and end, perhaps after the end of `bytes`.
#[inline(always)]
pub(super) fn length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    match bytes.get(at) {
        Some(length) if *length < 0x80 => Some((at + 1, at + 1 + usize::from(*length))),
        _ => long_length(bytes, at),
    }
}

#[inline(never)]
fn long_length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let (length, from) = long_varint(bytes, at).ok()?;
    Some((from, from.checked_add(usize::try_from(length).ok()?)?))
}

/// The same, with `bytes` up to that end.
#[inline(always)]
pub(super) fn body(bytes: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let (from, to) = length(bytes, at)?;
    Some((from, bytes.get(..to)?))
}

/// A varint of any length: its value and where it ends.
#[inline(never)]
pub(super) fn long_varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Reason> {
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
