//! JSON's tokens (RFC 8259) at the start of a text, each with what is left behind it; `None` for anything else.
//! Eight bytes at a time, because a loop that ends at a varying byte makes the processor guess wrong.

/// A string between its quotes.
pub struct Text<'a> {
    pub raw: &'a [u8],
    /// It has escapes; its bytes must be unescaped before they mean anything.
    pub escaped: bool,
    pub ascii: bool,
}

pub struct Number<'a> {
    pub raw: &'a [u8],
    /// It has a fraction or an exponent.
    pub fraction: bool,
    /// What is before the point; `None` when there are more than 18 digits, or an exponent.
    pub whole: Option<i64>,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

#[inline]
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [byte, rest @ ..] = text
        && *byte <= b' '
        && matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
    {
        text = rest;
    }
    text
}

/// The high bit of each byte that is a quote, a backslash or a control character. Bytes above the lowest such one
/// may be marked wrongly.
#[inline]
pub fn special(word: u64) -> u64 {
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    ((quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word))
        & HIGHS
}

/// A string whose opening quote is taken already. Its UTF-8 is checked.
#[allow(
    clippy::inline_always,
    reason = "a call for each value costs a twentieth of the time"
)]
#[inline(always)]
pub fn string(text: &[u8]) -> Option<(Text<'_>, &[u8])> {
    let mut rest = text;
    let mut high = 0;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let found = special(word);
        if found != 0 {
            // Bits of the bytes before the first special one.
            high |= word & found.wrapping_sub(1) & !found;
            rest = rest.get((found.trailing_zeros() / 8) as usize..)?;
            return end_of_string(text, rest, high & HIGHS != 0);
        }
        high |= word;
        rest = behind;
    }
    let special = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
    let (plain, rest) = rest.split_at(special);
    end_of_string(text, rest, high & HIGHS != 0 || !plain.is_ascii())
}

#[allow(
    clippy::inline_always,
    reason = "a call for each value costs a twentieth of the time"
)]
#[inline(always)]
fn end_of_string<'a>(text: &'a [u8], rest: &'a [u8], high: bool) -> Option<(Text<'a>, &'a [u8])> {
    let (behind, escaped) = match rest {
        [b'"', behind @ ..] => (behind, false),
        [b'\\', ..] => (escaped_string(rest)?, true),
        _ => return None,
    };
    let raw = text.get(..text.len() - behind.len() - 1)?;
    if (high || escaped) && std::str::from_utf8(raw).is_err() {
        return None;
    }
    let string = Text {
        raw,
        escaped,
        ascii: !high && !escaped,
    };
    Some((string, behind))
}

/// From a string's first escape to behind its closing quote.
#[inline(never)]
fn escaped_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', behind @ ..] => return Some(behind),
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                behind @ ..,
            ] => behind,
            [b'\\', b'u', a, b, c, d, behind @ ..] => {
                if ![a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                behind
            }
            [b'\\' | 0..0x20, ..] | [] => return None,
            [_, behind @ ..] => behind,
        };
    }
}

/// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
#[allow(
    clippy::inline_always,
    reason = "a call for each value costs a twentieth of the time"
)]
#[inline(always)]
pub fn number(text: &[u8]) -> Option<(Number<'_>, &[u8])> {
    let (negative, unsigned) = match text {
        [b'-', unsigned @ ..] => (true, unsigned),
        _ => (false, text),
    };
    let (whole, mut rest) = digits(unsigned)?;
    if let ([b'0', ..], true) = (unsigned, unsigned.len() - rest.len() > 1) {
        return None;
    }
    let mut whole = whole.map(|whole| if negative { -whole } else { whole });
    let mut fraction = false;
    if let [b'.', behind @ ..] = rest {
        fraction = true;
        (_, rest) = digits(behind)?;
    }
    if let [b'e' | b'E', behind @ ..] = rest {
        fraction = true;
        whole = None;
        (_, rest) = match behind {
            [b'+' | b'-', behind @ ..] => digits(behind)?,
            _ => digits(behind)?,
        };
    }
    let raw = text.get(..text.len() - rest.len())?;
    Some((Number { raw, fraction, whole }, rest))
}

/// The value of one or more digits, when there are at most 18, and what is behind them.
#[inline]
fn digits(text: &[u8]) -> Option<(Option<i64>, &[u8])> {
    if let Some(chunk) = text.first_chunk() {
        let (count, value) = leading_digits(*chunk);
        if count == 0 {
            return None;
        }
        if count < 8 {
            return Some((Some(value), text.get(count..)?));
        }
    }
    many_digits(text)
}

/// More than 7, or the last of the text.
#[inline(never)]
fn many_digits(text: &[u8]) -> Option<(Option<i64>, &[u8])> {
    const POWERS: [i64; 9] = [
        1,
        10,
        100,
        1_000,
        10_000,
        100_000,
        1_000_000,
        10_000_000,
        100_000_000,
    ];
    let mut rest = text;
    let mut value = 0i64;
    while let Some(chunk) = rest.first_chunk() {
        let (count, more) = leading_digits(*chunk);
        let power = POWERS.get(count).copied().unwrap_or(0);
        value = value.wrapping_mul(power).wrapping_add(more);
        rest = rest.get(count..)?;
        if count < 8 {
            break;
        }
    }
    // All that is left when it is less than a chunk.
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        rest = behind;
    }
    match text.len() - rest.len() {
        0 => None,
        count => Some(((count <= 18).then_some(value), rest)),
    }
}

/// How many digits a chunk starts with, and the number they make; 0 when there are none.
#[inline]
fn leading_digits(chunk: [u8; 8]) -> (usize, i64) {
    // A digit is now 0 to 9; adding 0x76 sets the high bit of what is more.
    let word = u64::from_le_bytes(chunk) ^ (ONES * u64::from(b'0'));
    let other = (((word & !HIGHS) + ONES * 0x76) | word) & HIGHS;
    let count = other.trailing_zeros() / 8;
    // In two steps, because a shift by 64 is none.
    let aligned = word << (32 - 4 * count) << (32 - 4 * count);
    (count as usize, eight_digits(aligned))
}

/// The number that eight digits make, each 0 to 9, the first one in the lowest byte: pairs, then fours, then all.
#[inline]
fn eight_digits(word: u64) -> i64 {
    let pairs = word.wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
    (fours.wrapping_mul(10_000 << 32 | 1) >> 32) as i64
}

/// What is behind `true`, `false` or `null`.
#[inline]
pub fn literal(text: &[u8]) -> Option<&[u8]> {
    match text {
        [b't', b'r', b'u', b'e', rest @ ..]
        | [b'n', b'u', b'l', b'l', rest @ ..]
        | [b'f', b'a', b'l', b's', b'e', rest @ ..] => Some(rest),
        _ => None,
    }
}
