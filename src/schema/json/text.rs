//! Strings as they are meant: escapes resolved.

/// Unescapes a string whose escapes the scanner has checked. A surrogate without its other half becomes its
/// three-byte form (WTF-8), so that two strings are equal exactly when their code units are, and it counts as
/// one character.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = raw;
    while let Some(position) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at(position);
        out.extend_from_slice(plain);
        let simple = match escape.get(1) {
            Some(b'b') => 0x08,
            Some(b'f') => 0x0C,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let (code, length) = unicode_escape(escape);
                push_code_point(code, out);
                rest = escape.get(length..).unwrap_or_default();
                continue;
            }
            Some(other) => *other,
            None => b'\\',
        };
        out.push(simple);
        rest = escape.get(2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// The code point of `\uXXXX` or of a surrogate pair, and the bytes it takes.
fn unicode_escape(escape: &[u8]) -> (u32, usize) {
    let high = code_unit(escape);
    if (0xD800..0xDC00).contains(&high) && escape.get(6..8) == Some(b"\\u") {
        let low = code_unit(escape.get(6..).unwrap_or_default());
        if (0xDC00..0xE000).contains(&low) {
            return (0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), 12);
        }
    }
    (high, 6)
}

fn code_unit(escape: &[u8]) -> u32 {
    let hex = escape.get(2..6).unwrap_or_default();
    hex.iter().fold(0, |value, digit| {
        value * 16 + char::from(*digit).to_digit(16).unwrap_or(0)
    })
}

fn push_code_point(code: u32, out: &mut Vec<u8>) {
    if let Some(character) = char::from_u32(code) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(0xE0 | (code >> 12) as u8);
        out.push(0x80 | (code >> 6) as u8 & 0x3F);
        out.push(0x80 | code as u8 & 0x3F);
    }
}

/// Code points in UTF-8 (or WTF-8) text.
#[inline]
pub fn count_characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}
