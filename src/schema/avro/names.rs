//! Names: how they are put together and which characters they may have (Java's `Schema.Name` and `NameValidator`).
use super::model::Name;

pub(super) const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// The names of all kinds: a type that is called so must be written in full.
const KINDS: [&str; 14] = [
    "record", "enum", "array", "map", "union", "fixed", "string", "bytes", "int", "long", "float", "double",
    "boolean", "null",
];

impl Name {
    /// `written` may carry its namespace; otherwise `space` is it. An empty namespace is the null namespace.
    pub fn new(written: &str, space: Option<&str>) -> Self {
        let (short, space) = match written.rsplit_once('.') {
            Some((space, short)) => (short, Some(space)),
            None => (written, space),
        };
        let space = space.filter(|space| !space.is_empty());
        let full = space.map_or_else(|| short.to_owned(), |space| format!("{space}.{short}"));
        Self {
            short: short.to_owned(),
            space: space.map(str::to_owned),
            full,
        }
    }

    /// How a text whose enclosing namespace is `enclosing` refers to this name.
    pub fn qualified(&self, enclosing: Option<&str>) -> &str {
        let inherits = self.space.is_some() && self.space.as_deref() == enclosing;
        if inherits && !KINDS.contains(&self.short.as_str()) {
            &self.short
        } else {
            &self.full
        }
    }
}

/// The name under which a reference is looked up first.
pub(super) fn full_name(written: &str, space: Option<&str>) -> String {
    match space {
        Some(space) if !written.contains('.') => format!("{space}.{written}"),
        _ => written.to_owned(),
    }
}

/// Java's `NameValidator.UTF_VALIDATOR`.
pub(super) fn check(name: &str) -> Result<(), String> {
    check_characters(name, char::is_alphabetic, char::is_alphanumeric)
}

/// Java's `NameValidator.STRICT_VALIDATOR`: the specification's own rule.
pub(super) fn check_strictly(name: &str) -> Result<(), String> {
    check_characters(name, |c| c.is_ascii_alphabetic(), |c| c.is_ascii_alphanumeric())
}

fn check_characters(name: &str, first: fn(char) -> bool, rest: fn(char) -> bool) -> Result<(), String> {
    let mut characters = name.chars();
    match characters.next() {
        None => Err("Empty name".to_owned()),
        Some(c) if !(first(c) || c == '_') => Err(format!("Illegal initial character: {name}")),
        Some(_) if !characters.all(|c| rest(c) || c == '_') => Err(format!("Illegal character in: {name}")),
        Some(_) => Ok(()),
    }
}
