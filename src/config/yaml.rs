//! YAML text to a tree that remembers where everything stood. No meaning yet.

use super::diagnostic::{Diagnostic, Diagnostics, Position};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::path::Path;

/// A value and where it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    pub at: Position,
    pub value: Value,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    /// An unquoted number, written out again.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub key: String,
    pub key_at: Position,
    pub value: Node,
}

impl Value {
    /// What it is, for a diagnostic.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a section",
        }
    }
}

/// Reads one document.
pub fn read(text: &str, file: &Path) -> Result<Node, Diagnostics> {
    // Only true and false are booleans: `level: off` is a word.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| syntax_error(text, file, &error))
}

fn syntax_error(text: &str, file: &Path, error: &serde_saphyr::Error) -> Diagnostics {
    let position = error.location().map(position);
    let mut what = error.without_snippet().to_string();
    // The position is said once, in front.
    if let Some(Position { line, column }) = position
        && let Some(shorter) = what.strip_suffix(&format!(" at line {line}, column {column}"))
    {
        what.truncate(shorter.len());
    }
    // Advice to callers of the library, not to writers of the file.
    for advice in [", set DuplicateKeyPolicy", "; use from_str_multiple"] {
        if let Some((said, _)) = what.split_once(advice) {
            what.truncate(said.len());
        }
    }
    let line = position.and_then(|at| text.lines().nth(usize::try_from(at.line).ok()?.checked_sub(1)?));
    let suggestion = line
        .filter(|line| line.contains("${"))
        .map(|_| "between { } or [ ] a `${…}` must stand in quotes".to_owned());
    Diagnostics(vec![Diagnostic {
        file: file.to_owned(),
        position,
        what,
        suggestion,
    }])
}

fn position(location: Location) -> Position {
    Position {
        line: location.line(),
        column: location.column(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            at: position(spanned.referenced),
            value: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a section")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Self)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = access.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Node>()? {
            entries.push(Entry {
                key: key.value,
                key_at: position(key.referenced),
                value,
            });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        read(text, Path::new("p.yaml")).unwrap_err().to_string()
    }

    #[test]
    fn everything_remembers_where_it_stood() {
        let node = read("a:\n  b: [off, true, 7, \"8\"]\n  c:\n", Path::new("p.yaml")).unwrap();
        let Value::Map(entries) = node.value else {
            panic!("a map")
        };
        let Value::Map(inner) = &entries[0].value.value else {
            panic!("a map")
        };
        assert_eq!(inner[0].key_at, Position { line: 2, column: 3 });
        let Value::List(list) = &inner[0].value.value else {
            panic!("a list")
        };
        assert_eq!(
            list[0],
            Node {
                at: Position { line: 2, column: 7 },
                value: Value::Text("off".into())
            }
        );
        assert_eq!(list[1].value, Value::Bool(true));
        assert_eq!(list[2].value, Value::Number("7".into()));
        assert_eq!(list[3].value, Value::Text("8".into()));
        assert_eq!(inner[1].value.value, Value::Null);
    }

    #[test]
    fn text_that_is_no_yaml_is_refused_at_its_place() {
        assert_eq!(
            error("a: b: c\n"),
            "p.yaml:1:5: mapping values are not allowed in this context"
        );
        assert_eq!(error("a: 1\na: 2\n"), "p.yaml:2:1: duplicate mapping key: a");
        assert_eq!(
            error("a: 1\n---\nb: 2\n"),
            "p.yaml:3:1: multiple YAML documents detected"
        );
        assert!(
            error("a: { b: ${X} }\n").ends_with("must stand in quotes"),
            "{}",
            error("a: { b: ${X} }\n")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ a-z0-9:{}\\[\\],\"'$#&*!|>\\-\n\t~?%@`]{0,120}") {
            let _ = read(&text, Path::new("p.yaml"));
        }
    }
}
