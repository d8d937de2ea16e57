//! One strict pass over JSON text (RFC 8259) that leaves a tape: a flat list of nodes, each with its span and
//! the index after its last descendant. No recursion, no value tree; a reused tape allocates nothing.
//!
//! ```text
//! {"a":[1,2]}  →  0 Object  span 0..11  next 5  count 1
//!                 1 String  span 2..3   next 2            key, without its quotes
//!                 2 Array   span 5..10  next 5  count 2
//!                 3 Integer span 6..7   next 4
//!                 4 Integer span 8..9   next 5
//! ```

use super::scan::special;
use std::ops::Range;

/// Containers within containers. Jackson stops at 1,000, serde_json at 127; a record needs far fewer.
pub const MAX_DEPTH: u32 = 128;
/// Nodes on one tape (20 bytes each): what `[0,0,0,…]` can make of a payload is bounded by this.
pub const MAX_NODES: usize = 1 << 20;

/// Bit of a JSON type in a set. A number without fraction and exponent is `INTEGER`, any other `FRACTION`.
pub mod kind {
    pub const NULL: u8 = 1;
    pub const BOOLEAN: u8 = 2;
    pub const INTEGER: u8 = 4;
    pub const FRACTION: u8 = 8;
    pub const STRING: u8 = 16;
    pub const ARRAY: u8 = 32;
    pub const OBJECT: u8 = 64;
    pub const ANY: u8 = 127;
    pub const NUMBER: u8 = INTEGER | FRACTION;
}

#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Byte span: of a string without its quotes, of a container with its brackets.
    pub start: u32,
    pub end: u32,
    /// Index after this node's last descendant. While a container is open: its parent's index.
    pub next: u32,
    /// Items of an array, members of an object.
    pub count: u32,
    /// One bit of [`kind`].
    pub kind: u8,
    /// A string with at least one escape; its bytes must be unescaped before they mean anything.
    pub escaped: bool,
}

impl Node {
    #[inline]
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Why a text is not taken, and at which byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScanError {
    Malformed { at: usize, expected: &'static str },
    TooDeep { at: usize },
    TooLarge,
}

#[derive(Default, Debug)]
pub struct Tape {
    pub nodes: Vec<Node>,
}

const NO_PARENT: u32 = u32::MAX;

/// What the scanner looks for next.
enum Next {
    Value,
    Key,
    /// After a whole value: `,` or the container's end.
    Separator,
}

impl Tape {
    /// Scans one JSON text with nothing before or after it but white space.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        if bytes.len() > (u32::MAX / 2) as usize {
            return Err(ScanError::TooLarge);
        }
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(ScanError::Malformed {
                at: error.valid_up_to(),
                expected: "UTF-8",
            });
        }
        let end = self.scan_value(bytes, 0, 0)?;
        finish(bytes, end)
    }

    /// Scans the value at `at`, which `depth` containers hold; where it ends. Its UTF-8 is not looked at.
    pub fn scan_value(&mut self, bytes: &[u8], mut at: usize, mut depth: u32) -> Result<usize, ScanError> {
        self.nodes.clear();
        let mut parent = NO_PARENT;
        let mut parent_kind = 0;
        let mut next = Next::Value;
        loop {
            let byte = skip_white_space(bytes, &mut at);
            match next {
                Next::Value => {
                    if self.nodes.len() >= MAX_NODES {
                        return Err(ScanError::TooLarge);
                    }
                    match byte {
                        b'"' => {
                            self.string(bytes, &mut at)?;
                            next = Next::Separator;
                        }
                        b'-' | b'0'..=b'9' => {
                            self.number(bytes, &mut at)?;
                            next = Next::Separator;
                        }
                        b'{' | b'[' => {
                            depth += 1;
                            if depth > MAX_DEPTH {
                                return Err(ScanError::TooDeep { at });
                            }
                            let index = self.nodes.len() as u32;
                            parent_kind = if byte == b'{' { kind::OBJECT } else { kind::ARRAY };
                            self.push(at, at, parent_kind, parent, false);
                            parent = index;
                            at += 1;
                            let close = if byte == b'{' { b'}' } else { b']' };
                            next = if skip_white_space(bytes, &mut at) == close {
                                Next::Separator
                            } else if byte == b'{' {
                                Next::Key
                            } else {
                                Next::Value
                            };
                            continue;
                        }
                        _ => {
                            self.literal(bytes, &mut at)?;
                            next = Next::Separator;
                        }
                    }
                    if parent == NO_PARENT {
                        return Ok(at);
                    }
                    self.count_in(parent);
                }
                Next::Key => {
                    if byte != b'"' {
                        return Err(ScanError::Malformed {
                            at,
                            expected: "a property name in quotes",
                        });
                    }
                    if self.nodes.len() >= MAX_NODES {
                        return Err(ScanError::TooLarge);
                    }
                    self.string(bytes, &mut at)?;
                    if skip_white_space(bytes, &mut at) != b':' {
                        return Err(ScanError::Malformed {
                            at,
                            expected: "`:` after a property name",
                        });
                    }
                    at += 1;
                    next = Next::Value;
                }
                Next::Separator => match byte {
                    b',' => {
                        // The only container without a value yet is one that was just opened and closes.
                        at += 1;
                        next = if parent_kind == kind::OBJECT {
                            Next::Key
                        } else {
                            Next::Value
                        };
                    }
                    b'}' | b']' if (byte == b'}') == (parent_kind == kind::OBJECT) => {
                        at += 1;
                        depth -= 1;
                        let after = self.nodes.len() as u32;
                        let Some(node) = self.nodes.get_mut(parent as usize) else {
                            return Err(ScanError::TooLarge);
                        };
                        parent = node.next;
                        node.next = after;
                        node.end = at as u32;
                        if parent == NO_PARENT {
                            return Ok(at);
                        }
                        parent_kind = self.count_in(parent);
                    }
                    _ => {
                        return Err(ScanError::Malformed {
                            at,
                            expected: "`,` or the end of the object or array",
                        });
                    }
                },
            }
        }
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize, kind: u8, next: u32, escaped: bool) {
        self.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            next,
            count: 0,
            kind,
            escaped,
        });
    }

    /// Counts one more child; the container's kind.
    #[inline]
    fn count_in(&mut self, parent: u32) -> u8 {
        match self.nodes.get_mut(parent as usize) {
            Some(node) => {
                node.count += 1;
                node.kind
            }
            None => 0,
        }
    }

    #[inline]
    fn scalar(&mut self, start: usize, end: usize, kind: u8, escaped: bool) {
        let next = self.nodes.len() as u32 + 1;
        self.push(start, end, kind, next, escaped);
    }

    /// `at` is on the opening quote.
    #[inline]
    fn string(&mut self, bytes: &[u8], at: &mut usize) -> Result<(), ScanError> {
        let start = *at + 1;
        let mut position = start;
        let mut escaped = false;
        loop {
            position = plain_run(bytes, position);
            match bytes.get(position) {
                Some(b'"') => {
                    self.scalar(start, position, kind::STRING, escaped);
                    *at = position + 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    escaped = true;
                    position = escape(bytes, position)?;
                }
                Some(_) => {
                    return Err(ScanError::Malformed {
                        at: position,
                        expected: "no control character in a string",
                    });
                }
                None => {
                    return Err(ScanError::Malformed {
                        at: position,
                        expected: "the string's closing quote",
                    });
                }
            }
        }
    }

    /// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
    #[inline]
    fn number(&mut self, bytes: &[u8], at: &mut usize) -> Result<(), ScanError> {
        let start = *at;
        let mut position = start;
        if bytes.get(position) == Some(&b'-') {
            position += 1;
        }
        match bytes.get(position) {
            Some(b'0') => position += 1,
            Some(b'1'..=b'9') => position = digits(bytes, position),
            _ => {
                return Err(ScanError::Malformed {
                    at: position,
                    expected: "a digit",
                });
            }
        }
        let mut node_kind = kind::INTEGER;
        if bytes.get(position) == Some(&b'.') {
            node_kind = kind::FRACTION;
            let first = position + 1;
            position = digits(bytes, first);
            if position == first {
                return Err(ScanError::Malformed {
                    at: position,
                    expected: "a digit after the decimal point",
                });
            }
        }
        if let Some(b'e' | b'E') = bytes.get(position) {
            node_kind = kind::FRACTION;
            position += 1;
            if let Some(b'+' | b'-') = bytes.get(position) {
                position += 1;
            }
            let first = position;
            position = digits(bytes, first);
            if position == first {
                return Err(ScanError::Malformed {
                    at: position,
                    expected: "a digit in the exponent",
                });
            }
        }
        self.scalar(start, position, node_kind, false);
        *at = position;
        Ok(())
    }

    fn literal(&mut self, bytes: &[u8], at: &mut usize) -> Result<(), ScanError> {
        let start = *at;
        let rest = bytes.get(start..).unwrap_or_default();
        let (text, node_kind): (&[u8], u8) = if rest.starts_with(b"true") {
            (b"true", kind::BOOLEAN)
        } else if rest.starts_with(b"false") {
            (b"false", kind::BOOLEAN)
        } else if rest.starts_with(b"null") {
            (b"null", kind::NULL)
        } else {
            let expected = if rest.starts_with(b"\xEF\xBB\xBF") {
                "no byte order mark"
            } else {
                "a JSON value"
            };
            return Err(ScanError::Malformed { at: start, expected });
        };
        let end = start + text.len();
        self.scalar(start, end, node_kind, false);
        *at = end;
        Ok(())
    }
}

fn finish(bytes: &[u8], mut at: usize) -> Result<(), ScanError> {
    skip_white_space(bytes, &mut at);
    if at == bytes.len() {
        Ok(())
    } else {
        Err(ScanError::Malformed {
            at,
            expected: "the end of the text",
        })
    }
}

/// The next byte that is not white space; 0, which no token starts with, at the end.
#[inline]
fn skip_white_space(bytes: &[u8], at: &mut usize) -> u8 {
    loop {
        match bytes.get(*at) {
            Some(&byte) if byte > b' ' => return byte,
            Some(b' ' | b'\n' | b'\r' | b'\t') => *at += 1,
            _ => return 0,
        }
    }
}

#[inline]
fn digits(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The first position at or after `at` with a quote, a backslash or a control character, or the end: eight
/// bytes at a time.
#[inline]
fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let found = special(word);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// The position after the escape at `at`. A surrogate without its other half is grammatical (RFC 8259 section 8.2).
fn escape(bytes: &[u8], at: usize) -> Result<usize, ScanError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let hex = bytes.get(at + 2..at + 6).unwrap_or_default();
            if hex.len() == 4 && hex.iter().all(u8::is_ascii_hexdigit) {
                Ok(at + 6)
            } else {
                Err(ScanError::Malformed {
                    at,
                    expected: "four hexadecimal digits after `\\u`",
                })
            }
        }
        _ => Err(ScanError::Malformed {
            at,
            expected: "an escape that JSON knows",
        }),
    }
}
