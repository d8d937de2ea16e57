//! Options and their values as text.

use super::super::syntax::{Field, FieldType, OptionStatement, Value};
use std::fmt::Write;

/// `option name = value;` for each.
pub(super) fn statements(options: &[OptionStatement]) -> String {
    let mut out = String::new();
    for option in options {
        put(&mut out, format_args!("option {};\n", print(option)));
    }
    out
}

/// ` [name = value]`, one on the line or each on its own; nothing for none.
pub(super) fn list(options: &[OptionStatement]) -> String {
    match options {
        [] => String::new(),
        [one] => format!(" [{}]", print(one)),
        many => {
            let mut out = " ".to_owned();
            lines_of(&mut out, ('[', ']'), many.iter().map(print));
            out
        }
    }
}

/// The options of a field, its default and JSON name last.
pub(super) fn of_field(field: &Field) -> Vec<OptionStatement> {
    let mut options = field.options.clone();
    if let Some(default) = &field.default {
        let scalar = match &field.r#type {
            FieldType::Named(name) => name.rsplit('.').next().unwrap_or_default(),
            FieldType::Map(..) => "map",
        };
        let value = match scalar {
            // Confluent prints a default of bytes without quotes, which is no value of theirs.
            "string" | "bytes" => Value::Text(default.clone()),
            "double" | "float" | "fixed32" | "fixed64" | "int32" | "int64" | "sfixed32" | "sfixed64"
            | "sint32" | "sint64" | "uint32" | "uint64" => Value::Number(default.clone()),
            _ => Value::Word(default.clone()),
        };
        options.push(OptionStatement::plain("default", value));
    }
    if let Some(name) = &field.json_name {
        options.push(OptionStatement::plain("json_name", Value::Text(name.clone())));
    }
    options
}

/// `name = value`
fn print(option: &OptionStatement) -> String {
    let mut text = String::new();
    for (index, part) in std::iter::once(&option.name).chain(&option.path).enumerate() {
        if index > 0 {
            text.push('.');
        }
        if part.is_extension {
            put(&mut text, format_args!("({})", part.name));
        } else {
            text.push_str(&part.name);
        }
    }
    text.push_str(" = ");
    match &option.value {
        Value::List(values) => match values.as_slice() {
            [one] => put(&mut text, format_args!("[{}]", value(one))),
            values => lines_of(&mut text, ('[', ']'), values.iter().map(value)),
        },
        other => text.push_str(&value(other)),
    }
    text
}

fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => quote(text),
        Value::Word(text) | Value::Number(text) => text.clone(),
        Value::Message(fields) => {
            let mut out = String::new();
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{key}: {}", self::value(value)));
            lines_of(&mut out, ('{', '}'), fields);
            out
        }
        Value::List(values) => {
            let mut out = String::new();
            lines_of(&mut out, ('[', ']'), values.iter().map(self::value));
            out
        }
    }
}

/// Items on lines of their own, with commas between, in brackets.
fn lines_of(out: &mut String, (open, close): (char, char), items: impl ExactSizeIterator<Item = String>) {
    let last = items.len().saturating_sub(1);
    out.push(open);
    out.push('\n');
    for (index, item) in items.enumerate() {
        let comma = if index < last { "," } else { "" };
        indent(out, &format!("{item}{comma}"));
    }
    out.push(close);
}

/// Appends `lines`, two spaces deeper: empty lines too.
pub(super) fn indent(out: &mut String, lines: &str) {
    for line in lines.trim_end_matches('\n').split('\n') {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
}

/// A string literal. Characters stay, but for those that Confluent escapes, and NUL, which no literal may hold.
fn quote(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\\000"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(super) fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}
