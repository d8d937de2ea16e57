//! Whether bytes are UTF-8, for validators that meet much short text. No rule of a schema is known here.

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// How far back one look at a text goes.
const WINDOW: usize = 32;

/// From byte `length` on, a window of it asks for the high bits of its last `length` bytes.
static EDGE: [[u8; WINDOW]; 2] = [[0; WINDOW], [0x80; WINDOW]];

/// Whether the last `length` bytes of `data`, which has so many, are UTF-8. Most text is short and ASCII: its last 32 bytes are looked at
/// together, whatever the length, because a branch on it would be guessed wrong. The window ends with the text, as
/// there is more often something before a text than enough behind it.
#[allow(
    clippy::inline_always,
    reason = "nine calls a record: a ninth of the instructions"
)]
#[inline(always)]
pub(in crate::schema) fn ends_in_text(data: &[u8], length: usize) -> bool {
    if length > WINDOW {
        return is_long_text(data, length);
    }
    let mask = EDGE.as_flattened().get(length..length + WINDOW);
    let (Some(mask), Some(window)) = (mask, data.last_chunk::<WINDOW>()) else {
        return is_long_text(data, length);
    };
    let mut bits = 0;
    for (byte, mask) in window.iter().zip(mask) {
        bits |= byte & mask;
    }
    bits == 0 || is_utf8(data, length)
}

/// The same for a text that is longer than a window, or near the payload's beginning.
#[inline(never)]
fn is_long_text(data: &[u8], length: usize) -> bool {
    let Some((_, text)) = data.split_at_checked(data.len() - length) else {
        return false;
    };
    let Some(last) = text.last_chunk::<WINDOW>() else {
        return text.is_ascii() || is_utf8(data, length);
    };
    let mut bits = [0; WINDOW / 8];
    let mut look = |window: &[u8; WINDOW]| {
        for (bits, word) in bits.iter_mut().zip(window.as_chunks::<8>().0) {
            *bits |= u64::from_le_bytes(*word);
        }
    };
    text.as_chunks().0.iter().for_each(&mut look);
    look(last);
    bits.iter().fold(0, |all, bits| all | bits) & HIGH_BITS == 0 || is_utf8(data, length)
}

#[inline(never)]
fn is_utf8(data: &[u8], length: usize) -> bool {
    data.get(data.len() - length..)
        .is_some_and(|text| std::str::from_utf8(text).is_ok())
}
