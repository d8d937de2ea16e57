//! Option values in braces, `{ tags: ["PII"] }`: read from any text-format spelling, printed in one.

use super::canonical::{indent, quote};
use std::collections::HashMap;
use std::fmt::Write;

/// A value within braces.
enum Value {
    /// A number, an identifier, or anything else that stands as it is.
    Atom(String),
    Text(Vec<u8>),
    List(Vec<Self>),
    Message(Vec<(String, Self)>),
}

impl Value {
    /// One more value of a repeated field.
    fn add(&mut self, more: Self) {
        if !matches!(self, Self::List(_)) {
            let first = std::mem::replace(self, Self::List(Vec::new()));
            self.add(first);
        }
        if let Self::List(values) = self {
            match more {
                Self::List(more) => values.extend(more),
                one => values.push(one),
            }
        }
    }
}

/// `text` without its outer braces, as `{`, indented lines and `}`.
pub(super) fn print(text: &str) -> String {
    let mut tokens = Tokens { rest: text };
    let fields = tokens.fields();
    let mut out = String::new();
    message(&mut out, &fields);
    out
}

fn message(out: &mut String, fields: &[(String, Value)]) {
    out.push_str("{\n");
    for (index, (key, value)) in fields.iter().enumerate() {
        let comma = if index + 1 < fields.len() { "," } else { "" };
        indent(out, &format!("{key}: {}{comma}", value_text(value)));
    }
    out.push('}');
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Atom(text) => text.clone(),
        Value::Text(bytes) => quote(bytes),
        Value::Message(fields) => {
            let mut out = String::new();
            message(&mut out, fields);
            out
        }
        Value::List(values) => {
            let mut out = "[\n".to_owned();
            for (index, value) in values.iter().enumerate() {
                let comma = if index + 1 < values.len() { "," } else { "" };
                indent(&mut out, &format!("{}{comma}", value_text(value)));
            }
            out.push(']');
            out
        }
    }
}

/// Text that the linker has read already: what does not fit is passed over.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn peek(&mut self) -> Option<char> {
        loop {
            self.rest = self.rest.trim_start();
            let Some(comment) = self.rest.strip_prefix('#') else {
                break;
            };
            self.rest = comment.split_once('\n').map_or("", |(_, after)| after);
        }
        self.rest.chars().next()
    }

    fn punctuation(&mut self, wanted: char) -> bool {
        if self.peek() != Some(wanted) {
            return false;
        }
        self.rest = self.rest.get(wanted.len_utf8()..).unwrap_or_default();
        true
    }

    fn word(&mut self) -> Option<&'a str> {
        self.peek()?;
        let is_end = |c: char| c.is_whitespace() || "{}<>[]:,;\"'#/".contains(c);
        let end = self.rest.find(is_end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn fields(&mut self) -> Vec<(String, Value)> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while let Some(next) = self.peek() {
            if matches!(next, '}' | '>') {
                break;
            }
            let Some(key) = self.key() else {
                // Separators, and whatever does not belong here.
                self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
                continue;
            };
            self.punctuation(':');
            let Some(value) = self.value() else { continue };
            // A key that comes again is one more value of a repeated field.
            let place = *places.entry(key.clone()).or_insert(fields.len());
            match fields.get_mut(place) {
                Some((_, known)) => known.add(value),
                None => fields.push((key, value)),
            }
        }
        fields
    }

    fn key(&mut self) -> Option<String> {
        if !self.punctuation('[') {
            return self.word().map(str::to_owned);
        }
        let (name, rest) = self.rest.split_once(']')?;
        self.rest = rest;
        Some(format!("[{}]", name.split_whitespace().collect::<String>()))
    }

    fn value(&mut self) -> Option<Value> {
        match self.peek()? {
            '{' | '<' => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                let fields = self.fields();
                let _ = self.punctuation('}') || self.punctuation('>');
                Some(Value::Message(fields))
            }
            '[' => {
                self.rest = self.rest.get(1..).unwrap_or_default();
                let mut values = Vec::new();
                while !self.punctuation(']') {
                    self.punctuation(',');
                    match self.value() {
                        Some(value) => values.push(value),
                        None if self.punctuation(']') => break,
                        None => return Some(Value::List(values)),
                    }
                }
                Some(Value::List(values))
            }
            '"' | '\'' => {
                let mut text = Vec::new();
                // Strings side by side are one.
                while let Some(quote @ ('"' | '\'')) = self.peek() {
                    self.rest = self.rest.get(1..).unwrap_or_default();
                    self.text(quote, &mut text);
                }
                Some(Value::Text(text))
            }
            _ => {
                let word = self.word()?;
                let word = if word == "-" {
                    format!("-{}", self.word()?)
                } else {
                    word.to_owned()
                };
                Some(Value::Atom(word))
            }
        }
    }

    fn text(&mut self, quote: char, text: &mut Vec<u8>) {
        let mut escaped = false;
        let end = self.rest.char_indices().find(|(_, c)| {
            let is_end = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            is_end
        });
        let end = end.map_or(self.rest.len(), |(at, _)| at);
        let (inner, rest) = self.rest.split_at(end);
        unescape(inner, text);
        self.rest = rest.get(1..).unwrap_or_default();
    }
}

/// C-style escapes to bytes.
pub(super) fn unescape(text: &str, out: &mut Vec<u8>) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let Some(escape) = chars.next() else { return };
        let mut digits = |radix: u32, digits_max: usize, first: Option<char>| {
            let mut value = first.and_then(|c| c.to_digit(radix)).unwrap_or(0);
            for _ in usize::from(first.is_some())..digits_max {
                let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else {
                    break;
                };
                value = value * radix + digit;
                chars.next();
            }
            value
        };
        match escape {
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'v' => out.push(11),
            '0'..='7' => out.push(digits(8, 3, Some(escape)) as u8),
            'x' | 'X' => out.push(digits(16, 2, None) as u8),
            'u' | 'U' => {
                let value = digits(16, if escape == 'u' { 4 } else { 8 }, None);
                let c = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Bytes that no character stands for, as octal escapes.
pub(super) fn octal(out: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\{byte:03o}");
}
