//! What one value takes of a payload: varints and text. No rule of a schema is known here.
#![allow(
    clippy::inline_always,
    reason = "calls within the hot loop were measured: a fifth of its time"
)]

use super::walk::Reason;

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// Text that is looked at in one piece.
const WINDOW: usize = 32;
const ALL: [u8; WINDOW] = [0x80; WINDOW];
/// Windows onto this have the high bits of as many bytes set as are looked at.
const MASKS: [[u8; WINDOW]; 2] = [ALL, [0; WINDOW]];

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

/// Whether `payload[from..to]` is UTF-8. Most text is short and ASCII: up to 32 bytes are looked at together, whatever
/// the length, because a branch on it would be guessed wrong; reading over the end where the payload goes on.
#[inline(always)]
pub(super) fn is_text(payload: &[u8], from: usize, to: usize) -> bool {
    let length = to.wrapping_sub(from);
    if length > WINDOW {
        return is_long_text(payload, from, to);
    }
    let Some(window) = payload.get(from..) else {
        return false;
    };
    let Some(window) = window.first_chunk::<WINDOW>() else {
        return is_last_text(payload, from, to);
    };
    let mask = MASKS
        .as_flattened()
        .get(WINDOW - length..)
        .and_then(<[u8]>::first_chunk::<WINDOW>);
    mask.is_some_and(|mask| is_ascii(window, mask)) || is_utf8(payload, from, to)
}

#[inline]
fn is_ascii(window: &[u8; WINDOW], mask: &[u8; WINDOW]) -> bool {
    let (window, _) = window.as_chunks::<8>();
    let (mask, _) = mask.as_chunks::<8>();
    let words = window.iter().zip(mask);
    let bits = words.fold(0, |bits, (word, mask)| {
        bits | (u64::from_ne_bytes(*word) & u64::from_ne_bytes(*mask))
    });
    bits == 0
}

#[inline(never)]
fn is_long_text(payload: &[u8], from: usize, to: usize) -> bool {
    let Some(text) = payload.get(from..to) else {
        return false;
    };
    let (windows, _) = text.as_chunks::<WINDOW>();
    let is_ascii = windows
        .iter()
        .chain(text.last_chunk())
        .all(|window| is_ascii(window, &ALL));
    is_ascii || is_utf8(payload, from, to)
}

/// Up to 32 bytes, at the end of the payload.
#[inline(never)]
fn is_last_text(payload: &[u8], from: usize, to: usize) -> bool {
    let Some(text) = payload.get(from..to) else {
        return false;
    };
    // Two words that overlap, of the widest kind that fits.
    let is_ascii = if let Some([first, last]) = both_ends(text) {
        let high = u128::from(HIGH_BITS) << 64 | u128::from(HIGH_BITS);
        (u128::from_ne_bytes(first) | u128::from_ne_bytes(last)) & high == 0
    } else if let Some([first, last]) = both_ends::<8>(text) {
        (u64::from_ne_bytes(first) | u64::from_ne_bytes(last)) & HIGH_BITS == 0
    } else {
        text.iter().fold(0, |all, byte| all | byte) < 0x80
    };
    is_ascii || is_utf8(payload, from, to)
}

fn both_ends<const N: usize>(text: &[u8]) -> Option<[[u8; N]; 2]> {
    Some([*text.first_chunk()?, *text.last_chunk()?])
}

#[inline(never)]
fn is_utf8(payload: &[u8], from: usize, to: usize) -> bool {
    payload
        .get(from..to)
        .is_some_and(|text| std::str::from_utf8(text).is_ok())
}
