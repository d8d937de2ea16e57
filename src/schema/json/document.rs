//! A schema's text as a tree that keeps what Jackson keeps: the order of keys and the text of numbers. Only
//! schemas become trees; payloads never do.

use super::tape::{MAX_NODES, Node, ScanError, Tape, kind};
use super::text::unescape;
use crate::schema::SchemaError;
use crate::schema::place::Place;
use std::collections::HashMap;
use std::fmt::Write;

/// Longest schema text, in bytes.
pub const MAX_TEXT: usize = 5 << 20;
/// Most JSON values in one schema text.
const MAX_VALUES: usize = 400_000;
/// Longest number: Jackson's `StreamReadConstraints.DEFAULT_MAX_NUM_LEN`.
const MAX_NUMBER: usize = 1_000;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Box<str>),
    String(Box<str>),
    Array(Vec<Json>),
    Object(Object),
}

/// Members in the order of their first appearance; of two with one name the last one's value counts, as in Jackson.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Object {
    members: Vec<(Box<str>, Json)>,
    positions: HashMap<Box<str>, usize>,
}

/// Objects below this size are searched from end to end.
const INDEXED_FROM: usize = 12;

impl Object {
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.position(name)
            .and_then(|position| self.members.get(position))
            .map(|(_, value)| value)
    }

    fn position(&self, name: &str) -> Option<usize> {
        if self.members.len() < INDEXED_FROM {
            self.members.iter().position(|(key, _)| &**key == name)
        } else {
            self.positions.get(name).copied()
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.members.iter().map(|(name, value)| (&**name, value))
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        let position = self.position(name)?;
        self.members.get_mut(position).map(|(_, value)| value)
    }

    pub fn remove(&mut self, name: &str) {
        if let Some(position) = self.position(name) {
            self.members.remove(position);
            // Those behind it have moved.
            let members = std::mem::take(self).members;
            for (name, value) in members {
                self.insert(name, value);
            }
        }
    }

    /// A member that is there keeps its place.
    pub fn insert(&mut self, name: Box<str>, value: Json) {
        if let Some((_, present)) = self.position(&name).and_then(|at| self.members.get_mut(at)) {
            *present = value;
            return;
        }
        self.members.push((name, value));
        if self.members.len() == INDEXED_FROM {
            self.positions = self
                .members
                .iter()
                .enumerate()
                .map(|(at, (name, _))| (name.clone(), at))
                .collect();
        } else if self.members.len() > INDEXED_FROM
            && let Some((name, _)) = self.members.last()
        {
            self.positions.insert(name.clone(), self.members.len() - 1);
        }
    }
}

impl Json {
    /// Parses a schema's text strictly. `what` names it in errors.
    pub fn parse(text: &str, what: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_TEXT {
            return Err(SchemaError::OverLimit(format!(
                "{what} has {} bytes, more than {MAX_TEXT}",
                text.len()
            )));
        }
        let mut tape = Tape::default();
        tape.scan(text.as_bytes()).map_err(|error| match error {
            ScanError::Malformed { at, expected } => SchemaError::InvalidAt {
                what: format!("{what} is not JSON: expected {expected} at byte {at}"),
                place: Place::Byte(at),
            },
            ScanError::TooDeep { at } => {
                SchemaError::OverLimit(format!("{what} is nested too deeply at byte {at}"))
            }
            ScanError::TooLarge => {
                SchemaError::OverLimit(format!("{what} has more than {MAX_NODES} JSON values"))
            }
        })?;
        if tape.nodes.len() > MAX_VALUES {
            return Err(SchemaError::OverLimit(format!(
                "{what} has more than {MAX_VALUES} JSON values"
            )));
        }
        Builder {
            text,
            nodes: &tape.nodes,
            what,
        }
        .value(0)
    }

    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self {
            Some(object)
        } else {
            None
        }
    }

    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self {
            Some(items)
        } else {
            None
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// A number as it is written.
    pub fn as_number(&self) -> Option<&str> {
        if let Self::Number(text) = self {
            Some(text)
        } else {
            None
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// What Jackson writes for this value with Confluent's settings: no white space, decimals as
    /// `BigDecimal.toString`, only the escapes that JSON requires.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The same with the members of every object in the order of their names: that of Java's strings, by UTF-16 code units.
    pub fn sorted(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::sorted).collect()),
            Self::Object(object) => {
                let mut members = object.members;
                members.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
                let mut sorted = Object::default();
                for (name, value) in members {
                    sorted.insert(name, value.sorted());
                }
                Self::Object(sorted)
            }
            other => other,
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(text) => write_number(text, out),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (index, (name, value)) in object.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

struct Builder<'a> {
    text: &'a str,
    nodes: &'a [Node],
    what: &'a str,
}

impl Builder<'_> {
    /// Recursion is as deep as the text, which the scanner bounds.
    fn value(&self, index: u32) -> Result<Json, SchemaError> {
        let Some(node) = self.nodes.get(index as usize) else {
            return Ok(Json::Null);
        };
        Ok(match node.kind {
            kind::NULL => Json::Null,
            kind::BOOLEAN => Json::Bool(self.raw(node).starts_with('t')),
            kind::STRING => Json::String(self.string(node)?),
            kind::ARRAY => {
                let mut items = Vec::with_capacity(node.count as usize);
                let mut at = index + 1;
                while at < node.next {
                    items.push(self.value(at)?);
                    at = self.after(at);
                }
                Json::Array(items)
            }
            kind::OBJECT => {
                let mut object = Object::default();
                let mut at = index + 1;
                while at < node.next {
                    let Some(key) = self.nodes.get(at as usize) else {
                        break;
                    };
                    object.insert(self.string(key)?, self.value(at + 1)?);
                    at = self.after(at + 1);
                }
                Json::Object(object)
            }
            _ if node.span().len() > MAX_NUMBER => {
                return Err(SchemaError::OverLimit(format!(
                    "{} has a number of more than {MAX_NUMBER} characters at byte {}",
                    self.what, node.start
                )));
            }
            _ => Json::Number(self.raw(node).into()),
        })
    }

    fn after(&self, index: u32) -> u32 {
        self.nodes.get(index as usize).map_or(u32::MAX, |node| node.next)
    }

    fn raw(&self, node: &Node) -> &str {
        self.text.get(node.span()).unwrap_or_default()
    }

    fn string(&self, node: &Node) -> Result<Box<str>, SchemaError> {
        let raw = self.raw(node);
        if !node.escaped {
            return Ok(raw.into());
        }
        let mut bytes = Vec::new();
        unescape(raw.as_bytes(), &mut bytes);
        String::from_utf8(bytes).map(Into::into).map_err(|_| {
            SchemaError::Invalid(format!(
                "{} has half a surrogate pair in the string at byte {}",
                self.what, node.start
            ))
        })
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{C}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04X}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Integers as `BigInteger.toString`, everything else as `BigDecimal.toString`: trailing zeros kept, plain while
/// `scale >= 0` and the first digit is at 10^-6 or above, else one digit, a point and `E±exponent`.
fn write_number(text: &str, out: &mut String) {
    let (sign, magnitude) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    if !magnitude.contains(['.', 'e', 'E']) {
        out.push_str(if magnitude == "0" { "" } else { sign });
        out.push_str(magnitude);
        return;
    }
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let scale = (fraction.len() as i64).saturating_sub(exponent);
    let unscaled = format!("{whole}{fraction}");
    let unscaled = match unscaled.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    if unscaled != "0" {
        out.push_str(sign);
    }
    let adjusted = (unscaled.len() as i64 - 1).saturating_sub(scale);
    if scale == 0 {
        out.push_str(unscaled);
    } else if scale > 0 && adjusted >= -6 {
        let point = unscaled.len() as i64 - scale;
        if point > 0 {
            let (before, after) = unscaled.split_at(point as usize);
            let _ = write!(out, "{before}.{after}");
        } else {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', (-point) as usize));
            out.push_str(unscaled);
        }
    } else {
        let (first, rest) = unscaled.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            let _ = write!(out, ".{rest}");
        }
        if adjusted != 0 {
            let _ = write!(out, "E{adjusted:+}");
        }
    }
}
