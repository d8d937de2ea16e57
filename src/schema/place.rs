//! Where in a schema's text something is, and the line and column of that.

use std::ops::ControlFlow;

/// A place in a text, as its parser knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Counted from 1.
    Position(Position),
    /// Counted from 0.
    Byte(usize),
    /// A JSON pointer (RFC 6901) without `#`; of Avro's parser its keys are not escaped.
    Pointer(String),
}

/// A line and a column, counted from 1. Columns are characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// Both counted from 1; a parser at the end of the text may say column 0.
    #[must_use]
    pub fn line_and_column(line: usize, column: usize) -> Self {
        Self::Position(Position {
            line: line.max(1),
            column: column.max(1),
        })
    }

    /// Where that is in `text`; `None` when it is not there.
    #[must_use]
    pub fn position(&self, text: &str) -> Option<Position> {
        match self {
            Self::Position(position) => Some(*position),
            Self::Byte(at) => Some(position_of(text, *at)),
            Self::Pointer(pointer) => Some(position_of(text, value_at(text, pointer)?)),
        }
    }
}

fn position_of(text: &str, at: usize) -> Position {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// Where the value of a JSON pointer begins: of the deepest part of it that is there.
fn value_at(text: &str, pointer: &str) -> Option<usize> {
    let wanted: Vec<&str> = pointer.split('/').skip(1).collect();
    let mut walk = Walk {
        bytes: text.as_bytes(),
        at: 0,
        wanted: &wanted,
        open: Vec::new(),
        best: None,
    };
    while walk.step().is_continue() {}
    walk.best.map(|(_, at)| at)
}

/// One open object or array, and whether all before it is the pointer's way.
struct Level {
    index: Option<usize>,
    key: String,
    on_way: bool,
}

/// Goes through JSON (with Avro's comments) without recursion, and past what is broken without complaint.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    wanted: &'a [&'a str],
    open: Vec<Level>,
    /// How much of the pointer was found, and where.
    best: Option<(usize, usize)>,
}

impl Walk<'_> {
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) -> ControlFlow<()> {
        let Some(byte) = self.byte() else {
            return ControlFlow::Break(());
        };
        match byte {
            b'{' | b'[' => {
                let on_way = self.value_begins();
                self.open.push(Level {
                    index: (byte == b'[').then_some(0),
                    key: String::new(),
                    on_way,
                });
                self.at += 1;
            }
            b'}' | b']' => {
                self.open.pop();
                self.at += 1;
            }
            b',' => {
                if let Some(level) = self.open.last_mut() {
                    level.key.clear();
                    level.index = level.index.map(|index| index + 1);
                }
                self.at += 1;
            }
            b'"' => self.string(),
            b'/' => self.comment(),
            b':' | b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
            _ => {
                self.value_begins();
                while self.byte().is_some_and(|byte| {
                    !matches!(byte, b',' | b'}' | b']' | b'/' | b'"') && !byte.is_ascii_whitespace()
                }) {
                    self.at += 1;
                }
            }
        }
        if self.best.is_some_and(|(depth, _)| depth == self.wanted.len()) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Notes a value that begins here, if it is on the way; says whether it is.
    fn value_begins(&mut self) -> bool {
        let depth = self.open.len();
        let on_way = match (self.open.last(), depth.checked_sub(1)) {
            (Some(level), Some(parent)) => {
                let wanted = self.wanted.get(parent);
                level.on_way
                    && wanted.is_some_and(|wanted| match level.index {
                        Some(index) => wanted.parse() == Ok(index),
                        None => names(wanted, &level.key),
                    })
            }
            _ => true,
        };
        if on_way && self.best.is_none_or(|(found, _)| depth > found) {
            self.best = Some((depth, self.at));
        }
        on_way
    }

    fn string(&mut self) {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.byte() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        let end = self.at.min(self.bytes.len());
        if let Some(level) = self.open.last_mut()
            && level.index.is_none()
            && level.key.is_empty()
        {
            let raw = self.bytes.get(start..end).unwrap_or_default();
            level.key = serde_json::from_slice(raw).unwrap_or_default();
            return;
        }
        self.at = start;
        self.value_begins();
        self.at = end;
    }

    fn comment(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let ends = |mark: &[u8]| {
            rest.windows(mark.len())
                .position(|window| window == mark)
                .map_or(rest.len(), |at| at + mark.len())
        };
        self.at += match rest.get(..2) {
            Some(b"//") => ends(b"\n"),
            Some(b"/*") => ends(b"*/"),
            _ => 1,
        };
    }
}

fn names(segment: &str, key: &str) -> bool {
    segment == key || segment.replace("~1", "/").replace("~0", "~") == key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, pointer: &str) -> Option<(usize, usize)> {
        let position = Place::Pointer(pointer.to_owned()).position(text)?;
        Some((position.line, position.column))
    }

    const TEXT: &str = "{\n  \"type\": \"record\", // \"fields\"\n  \"fields\": [\n    {\"name\": \"a\"},\n    {\"näme\": \"b\", \"type\": \"nope\"}\n  ]\n}";

    #[test]
    fn a_pointer_is_found_through_comments_and_escapes() {
        assert_eq!(at(TEXT, ""), Some((1, 1)));
        assert_eq!(at(TEXT, "/type"), Some((2, 11)));
        assert_eq!(at(TEXT, "/fields/1"), Some((5, 5)));
        assert_eq!(at(TEXT, "/fields/1/type"), Some((5, 27)));
        assert_eq!(at("{\"a/b\\u0041\": 1}", "/a~1bA"), Some((1, 15)));
    }

    #[test]
    fn of_a_pointer_that_leads_nowhere_the_part_that_is_there_is_found() {
        assert_eq!(at(TEXT, "/fields/1/items"), Some((5, 5)));
        assert_eq!(at(TEXT, "/nothing"), Some((1, 1)));
        assert_eq!(at("", "/a"), None);
        assert_eq!(at("{\"a\": [1, {\"b\"", "/a/1/b"), Some((1, 11)));
    }

    #[test]
    fn a_byte_has_the_line_and_the_column_of_its_character() {
        let of = |text: &str, at: usize| {
            let position = position_of(text, at);
            (position.line, position.column)
        };
        assert_eq!(of("ab\ncd", 4), (2, 2));
        assert_eq!(of("ää\nx", 3), (1, 2));
        assert_eq!(of("ab", 99), (1, 3));
    }

    #[test]
    fn deep_and_broken_texts_end() {
        let deep = "[".repeat(100_000);
        assert_eq!(at(&deep, "/0/0"), Some((1, 3)));
        for text in ["\"", "\\", "{\"a\\", "]]]]", "/*", ",,,,"] {
            let _ = at(text, "/a/0");
        }
    }
}
