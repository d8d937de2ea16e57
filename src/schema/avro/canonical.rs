//! The text that makes a schema's identity: Java's `Schema.toString()`, which Confluent's registry stores, hashes
//! and compares. Compact JSON with Java's own order of attributes; a named type is written out where it is first
//! met and by name after that; a namespace is left out where it is inherited.
use super::model::{Field, Kind, Model, Name, Named, Order, Properties, TypeId};
use crate::schema::SchemaError;
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Write as _;

/// Definitions nest in the text only as the text did, except for names that are used before they are defined:
/// those could make it arbitrarily deep.
const DEPTH_MAX: u32 = 192;

struct Writer<'a> {
    model: &'a Model,
    /// Full names that are written as names from now on.
    known: HashSet<String>,
    out: String,
    depth: u32,
}

/// `known`: full names of referenced schemas, which are never written out.
pub(super) fn text(model: &Model, root: TypeId, known: Vec<String>) -> Result<String, SchemaError> {
    let mut writer = Writer {
        model,
        known: known.into_iter().collect(),
        out: String::new(),
        depth: 0,
    };
    writer.schema(root, None)?;
    Ok(writer.out)
}

impl<'a> Writer<'a> {
    fn schema(&mut self, id: TypeId, space: Option<&str>) -> Result<(), SchemaError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(SchemaError::OverLimit(format!(
                "types nest more than {DEPTH_MAX} deep"
            )));
        }
        let of = self.model.get(id);
        match &of.kind {
            Kind::Union(branches) => {
                self.out.push('[');
                for (index, branch) in branches.iter().enumerate() {
                    self.comma(index);
                    self.schema(*branch, space)?;
                }
                self.out.push(']');
            }
            Kind::Array(items) => self.container("array", "items", *items, &of.properties, space)?,
            Kind::Map(values) => self.container("map", "values", *values, &of.properties, space)?,
            Kind::Record { named, .. } | Kind::Enum { named, .. } | Kind::Fixed { named, .. } => {
                if self.known.insert(named.name.full.clone()) {
                    self.definition(&of.kind, named, &of.properties, space)?;
                } else {
                    write_text(&mut self.out, named.name.qualified(space));
                }
            }
            primitive if of.properties.is_empty() => write_text(&mut self.out, primitive.name()),
            primitive => {
                self.out.push_str("{\"type\":");
                write_text(&mut self.out, primitive.name());
                self.properties(&of.properties);
                self.out.push('}');
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn container(
        &mut self,
        kind: &str,
        key: &str,
        of: TypeId,
        properties: &Properties,
        space: Option<&str>,
    ) -> Result<(), SchemaError> {
        let _ = write!(self.out, "{{\"type\":\"{kind}\",\"{key}\":");
        self.schema(of, space)?;
        self.properties(properties);
        self.out.push('}');
        Ok(())
    }

    fn definition(
        &mut self,
        kind: &'a Kind,
        named: &'a Named,
        properties: &Properties,
        space: Option<&str>,
    ) -> Result<(), SchemaError> {
        let word = if matches!(kind, Kind::Record { is_error: true, .. }) {
            "error"
        } else {
            kind.name()
        };
        let _ = write!(self.out, "{{\"type\":\"{word}\"");
        self.name(&named.name, space);
        if let Some(doc) = &named.doc {
            self.attribute("doc", doc);
        }
        match kind {
            Kind::Record { fields, .. } => {
                self.out.push_str(",\"fields\":[");
                for (index, field) in fields.iter().enumerate() {
                    self.comma(index);
                    self.field(field, named.name.space.as_deref())?;
                }
                self.out.push(']');
            }
            Kind::Enum { symbols, default, .. } => {
                self.texts("symbols", symbols.iter().map(String::as_str));
                if let Some(default) = default {
                    self.attribute("default", default);
                }
            }
            Kind::Fixed { size, .. } => {
                let _ = write!(self.out, ",\"size\":{size}");
            }
            _ => {}
        }
        self.properties(properties);
        if !named.aliases.is_empty() {
            let space = named.name.space.as_deref();
            self.texts(
                "aliases",
                named.aliases.iter().map(|alias| alias.qualified(space)),
            );
        }
        self.out.push('}');
        Ok(())
    }

    fn name(&mut self, name: &Name, enclosing: Option<&str>) {
        self.attribute("name", &name.short);
        match name.space.as_deref() {
            Some(space) if Some(space) != enclosing => self.attribute("namespace", space),
            None if enclosing.is_some() => self.attribute("namespace", ""),
            _ => {}
        }
    }

    fn field(&mut self, field: &Field, space: Option<&str>) -> Result<(), SchemaError> {
        self.out.push_str("{\"name\":");
        write_text(&mut self.out, &field.name);
        self.out.push_str(",\"type\":");
        self.schema(field.of, space)?;
        if let Some(doc) = &field.doc {
            self.attribute("doc", doc);
        }
        if let Some(default) = &field.default {
            self.out.push_str(",\"default\":");
            write_value(&mut self.out, default);
        }
        match field.order {
            Order::Ascending => {}
            Order::Descending => self.attribute("order", "descending"),
            Order::Ignore => self.attribute("order", "ignore"),
        }
        if !field.aliases.is_empty() {
            self.texts("aliases", field.aliases.iter().map(String::as_str));
        }
        self.properties(&field.properties);
        self.out.push('}');
        Ok(())
    }

    fn attribute(&mut self, key: &str, text: &str) {
        let _ = write!(self.out, ",\"{key}\":");
        write_text(&mut self.out, text);
    }

    fn texts<'t>(&mut self, key: &str, texts: impl Iterator<Item = &'t str>) {
        let _ = write!(self.out, ",\"{key}\":[");
        for (index, text) in texts.enumerate() {
            self.comma(index);
            write_text(&mut self.out, text);
        }
        self.out.push(']');
    }

    fn properties(&mut self, properties: &Properties) {
        for (key, value) in properties {
            self.out.push(',');
            write_text(&mut self.out, key);
            self.out.push(':');
            write_value(&mut self.out, value);
        }
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
    }
}

pub(super) fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => write_double(out, number),
            None => {
                let _ = write!(out, "{number}");
            }
        },
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(out, key);
                out.push(':');
                write_value(out, value);
            }
            out.push('}');
        }
    }
}

/// Java's `Double.toString`: plain from 10^-3 up to 10^7, else one digit before the point and an exponent `E`.
fn write_double(out: &mut String, number: f64) {
    let size = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&size) {
        let _ = write!(out, "{number:?}");
        return;
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    let _ = write!(out, "{digits}{point}E{exponent}");
}

/// A JSON string as Jackson writes it: short escapes where there are any, upper-case hexadecimal where not.
pub(super) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
