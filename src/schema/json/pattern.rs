//! `pattern` and `patternProperties`: ECMA-262 regular expressions in the syntax of the `regex` crate, which
//! matches in time linear in the text. What that cannot do (lookaround, back-references) is refused by name.

use super::simple_pattern::SimplePattern;
use regex::bytes::{Regex, RegexBuilder};
use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 16 << 10;
/// Compiled size, in bytes, that all patterns of a schema share: the more there are, the less each may take.
const SIZE_BUDGET: usize = 16 << 20;

pub struct Pattern {
    pub text: Box<str>,
    matcher: Matcher,
}

enum Matcher {
    Simple(SimplePattern),
    General(Regex),
}

impl Pattern {
    /// Compiles the schema's `index`th pattern; the error says what is not supported.
    pub fn compile(text: &str, index: usize) -> Result<Self, String> {
        if text.len() > MAX_PATTERN {
            return Err(format!("it has more than {MAX_PATTERN} bytes"));
        }
        let translated = Translator {
            rest: text.chars().peekable(),
            out: String::new(),
        }
        .translate()?;
        if let Some(simple) = SimplePattern::new(&translated) {
            return Ok(Self {
                text: text.into(),
                matcher: Matcher::Simple(simple),
            });
        }
        let limit = SIZE_BUDGET / (index + 16);
        let regex = RegexBuilder::new(&translated)
            .size_limit(limit)
            .dfa_size_limit(limit)
            .nest_limit(64)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "it is too big when compiled".to_owned(),
                // The last line says what is wrong; the lines before draw it.
                other => other
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned(),
            })?;
        Ok(Self {
            text: text.into(),
            matcher: Matcher::General(regex),
        })
    }

    #[inline]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.matcher {
            Matcher::Simple(simple) => simple.is_match(text),
            Matcher::General(regex) => regex.is_match(text),
        }
    }
}

/// ECMA's white space and line terminators.
const SPACE: &str =
    r"\t\n\x0B\x0C\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}";

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

impl Translator<'_> {
    fn translate(mut self) -> Result<String, String> {
        while let Some(character) = self.rest.next() {
            match character {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '.' => self.out.push_str(r"[^\n\r\u{2028}\u{2029}]"),
                '(' => self.group()?,
                '{' if !self.is_counted_repetition() => self.out.push_str(r"\{"),
                '}' if !self.closes_repetition() => self.out.push_str(r"\}"),
                ']' => self.out.push_str(r"\]"),
                other => self.out.push(other),
            }
        }
        Ok(self.out)
    }

    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('?') {
            return Ok(());
        }
        match (ahead.next(), ahead.next()) {
            (Some('=' | '!'), _) => Err("it looks ahead, which cannot be matched in linear time".to_owned()),
            (Some('<'), Some('=' | '!')) => {
                Err("it looks behind, which cannot be matched in linear time".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether what follows a `{` is `n}`, `n,}` or `n,m}`; if not, ECMA (Annex B) reads a plain brace.
    fn is_counted_repetition(&self) -> bool {
        let mut ahead = self.rest.clone();
        let mut digits = 0;
        let mut commas = 0;
        loop {
            match ahead.next() {
                Some('0'..='9') => digits += 1,
                Some(',') if digits > 0 && commas == 0 => commas = 1,
                Some('}') => return digits > 0,
                _ => return false,
            }
        }
    }

    fn closes_repetition(&self) -> bool {
        let opened = self.out.rfind('{').and_then(|at| self.out.get(at + 1..));
        opened.is_some_and(|inner| {
            !inner.is_empty()
                && inner
                    .chars()
                    .all(|character| character.is_ascii_digit() || character == ',')
        })
    }

    fn class(&mut self) -> Result<(), String> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        if self.rest.next_if_eq(&']').is_some() {
            // `[]` matches nothing, `[^]` everything.
            self.out.push_str(if negated { r"(?s:.)" } else { r"[a&&b]" });
            return Ok(());
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        let mut previous = ' ';
        loop {
            let Some(character) = self.rest.next() else {
                return Err("a `[` is not closed".to_owned());
            };
            match character {
                ']' => break,
                '\\' => self.escape(true)?,
                // Nested classes and set operations are the other syntax's, not ECMA's.
                '[' | '&' | '~' => {
                    self.out.push('\\');
                    self.out.push(character);
                }
                '-' if previous == '-' || self.rest.peek() == Some(&']') => self.out.push_str(r"\-"),
                other => self.out.push(other),
            }
            previous = character;
        }
        self.out.push(']');
        Ok(())
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(character) = self.rest.next() else {
            return Err("it ends in a backslash".to_owned());
        };
        let set = |inner: &str, negated: bool| format!("[{}{inner}]", if negated { "^" } else { "" });
        match character {
            'd' | 'D' => self.out.push_str(&set("0-9", character == 'D')),
            'w' | 'W' => self.out.push_str(&set("0-9A-Za-z_", character == 'W')),
            's' | 'S' => self.out.push_str(&set(SPACE, character == 'S')),
            'b' if in_class => self.out.push_str(r"\x08"),
            'b' | 'B' if !in_class => {
                let _ = write!(self.out, r"(?-u:\{character})");
            }
            't' | 'n' | 'r' => {
                self.out.push('\\');
                self.out.push(character);
            }
            'v' => self.out.push_str(r"\x0B"),
            'f' => self.out.push_str(r"\x0C"),
            '0' if !self.rest.peek().is_some_and(char::is_ascii_digit) => self.out.push_str(r"\x00"),
            'c' => match self.rest.next() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    let _ = write!(self.out, r"\x{:02X}", letter as u32 % 32);
                }
                _ => return Err(r"`\c` is not followed by a letter".to_owned()),
            },
            'x' => {
                let code = self.hexadecimal(2)?;
                self.push_code(code)?;
            }
            'u' => self.unicode_escape()?,
            'p' | 'P' => {
                self.out.push('\\');
                self.out.push(character);
                let braced = self.rest.peek() == Some(&'{');
                for next in self.rest.by_ref() {
                    self.out.push(next);
                    if !braced || next == '}' {
                        break;
                    }
                }
            }
            '1'..='9' | 'k' => {
                return Err("it refers back to a group, which cannot be matched in linear time".to_owned());
            }
            other if other.is_ascii_alphanumeric() => {
                return Err(format!(r"`\{other}` is not an escape of ECMA-262"));
            }
            other => self.out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'{').is_some() {
            let mut code = 0u32;
            loop {
                match self.rest.next() {
                    Some('}') => break,
                    Some(digit) if digit.is_ascii_hexdigit() && code < 0x11_0000 => {
                        code = code * 16 + digit.to_digit(16).unwrap_or(0);
                    }
                    _ => return Err(r"`\u{` is not followed by hexadecimal digits and `}`".to_owned()),
                }
            }
            return self.push_code(code);
        }
        let high = self.hexadecimal(4)?;
        let mut ahead = self.rest.clone();
        if (0xD800..0xDC00).contains(&high) && ahead.next() == Some('\\') && ahead.next() == Some('u') {
            self.rest = ahead;
            let low = self.hexadecimal(4)?;
            if (0xDC00..0xE000).contains(&low) {
                return self.push_code(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            }
        }
        self.push_code(high)
    }

    fn hexadecimal(&mut self, digits: usize) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..digits {
            let digit = self.rest.next().and_then(|digit| digit.to_digit(16));
            code = code * 16 + digit.ok_or("an escape lacks hexadecimal digits")?;
        }
        Ok(code)
    }

    fn push_code(&mut self, code: u32) -> Result<(), String> {
        if char::from_u32(code).is_none() {
            return Err("an escape is half a surrogate pair".to_owned());
        }
        let _ = write!(self.out, r"\x{{{code:X}}}");
        Ok(())
    }
}
