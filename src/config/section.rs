//! Reads typed values out of the tree and gathers what is wrong on the way, so that one run names every mistake.

use super::diagnostic::{Diagnostic, Diagnostics, Position, suggest};
use super::environment::{Environment, fill};
use super::yaml::{Entry, Node, Value};
use crate::wire::topic_name;
use std::path::{Path, PathBuf};

/// What reading needs beside the tree, and what it found wrong.
pub struct Reading<'a> {
    pub file: &'a Path,
    pub environment: Environment<'a>,
    /// Whether a file is there. A function, so that reading itself touches nothing.
    pub exists: &'a dyn Fn(&Path) -> bool,
    found: Vec<Diagnostic>,
}

impl<'a> Reading<'a> {
    pub fn new(file: &'a Path, environment: Environment<'a>, exists: &'a dyn Fn(&Path) -> bool) -> Self {
        Self {
            file,
            environment,
            exists,
            found: Vec::new(),
        }
    }

    pub fn report(&mut self, at: Position, what: impl Into<String>, suggestion: Option<String>) {
        let (file, what) = (self.file.to_owned(), what.into());
        self.found.push(Diagnostic {
            file,
            position: Some(at),
            what,
            suggestion,
        });
    }

    /// A part of the documented configuration that this release does not have.
    pub fn not_implemented(&mut self, at: Position, part: &str) {
        self.report(at, format!("`{part}` is not implemented in this release"), None);
    }

    /// `value` when nothing was wrong, else everything that was, in the file's order.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Diagnostics> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => {
                self.found.sort_by_key(|diagnostic| diagnostic.position);
                Err(Diagnostics(self.found))
            }
        }
    }

    /// The node as a section; nothing at all is an empty one.
    pub fn section<'n>(&mut self, node: &'n Node, path: &str) -> Option<Section<'n>> {
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            other => {
                let what = format!(
                    "`{path}` must be a section of keys and values, not {}",
                    other.kind()
                );
                self.report(node.at, what, None);
                return None;
            }
        };
        Some(Section {
            path: path.to_owned(),
            at: node.at,
            entries,
            known: Vec::new(),
        })
    }

    pub fn list<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n [Node]> {
        if let Value::List(list) = &node.value {
            return Some(list);
        }
        let what = format!("`{key}` must be a list, not {}", node.value.kind());
        self.report(
            node.at,
            what,
            Some(format!("write `{key}: [...]`, or one `- ` a line")),
        );
        None
    }

    pub fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) => match fill(text, self.environment) {
                Ok(filled) if filled.is_empty() => {
                    self.report(node.at, format!("`{key}` may not be empty"), None);
                    None
                }
                Ok(filled) => Some(filled),
                Err(unfilled) => {
                    self.report(node.at, unfilled.what, unfilled.suggestion);
                    None
                }
            },
            other => {
                let what = format!("`{key}` must be text, not {}", other.kind());
                let scalar = matches!(other, Value::Bool(_) | Value::Number(_));
                self.report(node.at, what, scalar.then(|| "put it in quotes".to_owned()));
                None
            }
        }
    }

    /// Text, or a number as written: for what is read further by its own rules.
    fn scalar(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.value {
            Value::Number(number) => Some(number.clone()),
            _ => self.text(node, key),
        }
    }

    /// A value by `read`, whose error is reported with `example` as what to write.
    pub fn parsed<T>(
        &mut self,
        node: &Node,
        key: &str,
        example: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.scalar(node, key)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.report(
                    node.at,
                    format!("`{key}`: {why}"),
                    Some(format!("for example `{key}: {example}`")),
                );
                None
            }
        }
    }

    /// A whole number within `range`.
    pub fn number<T>(&mut self, node: &Node, key: &str, range: std::ops::RangeInclusive<T>) -> Option<T>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
    {
        let text = self.scalar(node, key)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let what = format!(
                "`{key}`: `{text}` is not a number from {} to {}",
                range.start(),
                range.end()
            );
            self.report(node.at, what, None);
        }
        number
    }

    pub fn boolean(&mut self, node: &Node, key: &str) -> Option<bool> {
        let value = match &node.value {
            Value::Bool(value) => return Some(*value),
            Value::Text(_) => match self.text(node, key)?.as_str() {
                "true" => return Some(true),
                "false" => return Some(false),
                other => format!("`{other}`"),
            },
            other => other.kind().to_owned(),
        };
        self.report(
            node.at,
            format!("`{key}` must be true or false, not {value}"),
            None,
        );
        None
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, node: &Node, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, key)?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.report(
                node.at,
                format!("`{key}`: `{text}` is not known"),
                suggest(&text, &names),
            );
        }
        found
    }

    pub fn topic_name(&mut self, node: &Node, key: &str) -> Option<String> {
        let name = self.text(node, key)?;
        if topic_name::is_legal(&name) {
            return Some(name);
        }
        let what = format!("`{key}`: `{name}` is no topic's name: {}", topic_name::RULE);
        self.report(node.at, what, None);
        None
    }

    /// A path; a relative one starts at the configuration file's folder.
    pub fn path(&mut self, node: &Node, key: &str) -> Option<PathBuf> {
        let text = self.text(node, key)?;
        Some(self.file.parent().unwrap_or(Path::new("")).join(text))
    }

    /// A path to a file that must be there.
    pub fn existing(&mut self, node: &Node, key: &str) -> Option<PathBuf> {
        let path = self.path(node, key)?;
        if (self.exists)(&path) {
            return Some(path);
        }
        let suggestion = Some("a relative path starts at the folder of this file".to_owned());
        self.report(
            node.at,
            format!("`{key}`: there is no file {}", path.display()),
            suggestion,
        );
        None
    }
}

/// A section whose keys are taken one by one; what is left at the end is unknown.
pub struct Section<'n> {
    path: String,
    pub at: Position,
    entries: &'n [Entry],
    known: Vec<&'static str>,
}

impl<'n> Section<'n> {
    /// The value of `key`; a key with nothing behind it counts as absent.
    pub fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.know(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.value.value != Value::Null).then_some(&entry.value)
    }

    /// The section under `key`, also when there is nothing behind it.
    pub fn take_section(&mut self, key: &'static str, reading: &mut Reading<'_>) -> Option<Section<'n>> {
        self.know(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        reading.section(&entry.value, &self.path_of(key))
    }

    /// The value of a key that must be there.
    pub fn require(
        &mut self,
        key: &'static str,
        reading: &mut Reading<'_>,
        example: &str,
    ) -> Option<&'n Node> {
        let node = self.take(key);
        if node.is_none() {
            let what = format!("`{}` is missing", self.path_of(key));
            reading.report(self.at, what, Some(format!("for example `{key}: {example}`")));
        }
        node
    }

    /// Reports a key of the documented configuration that this release does not have.
    pub fn refuse(&mut self, key: &'static str, reading: &mut Reading<'_>) {
        self.know(key);
        if let Some(entry) = self.entries.iter().find(|entry| entry.key == key) {
            reading.not_implemented(entry.key_at, &self.path_of(key));
        }
    }

    fn know(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }

    /// Reports every key that nobody took.
    pub fn finish(self, reading: &mut Reading<'_>) {
        for entry in self.entries {
            if !self.known.contains(&entry.key.as_str()) {
                let place = if self.path.is_empty() {
                    String::new()
                } else {
                    format!(" in `{}`", self.path)
                };
                let what = format!("unknown key `{}`{place}", entry.key);
                reading.report(entry.key_at, what, suggest(&entry.key, &self.known));
            }
        }
    }

    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}
