//! The text that `normalize=true` asks for: Confluent's `AvroSchemaUtils.toNormalizedString`, which `AvroSchema.normalize()`
//! reads again and writes as any other schema. What it settles: the order of aliases and of properties (a valid logical
//! type first, then by name, also inside their values), defaults as values of their field's type, empty documentation.
//!
//! Its oddities are kept, for the text decides a schema's id: names are written in full, so that a name without a
//! namespace falls into the one around it, and an `error` becomes a `record`.
use super::canonical::{write_text, write_value};
use super::model::{Field, Kind, Model, Named, Order, Properties, TypeId};
use serde_json::{Map, Number, Value};
use std::collections::HashSet;
use std::fmt::Write as _;

/// As `canonical` has it: names that are used before they are defined could nest the text arbitrarily deep.
const DEPTH_MAX: u32 = 192;

/// `known`: full names of referenced schemas, which are never written out. `None` where Confluent's own code fails:
/// a default that does not fit its field, a number of more than 64 bits, nesting without end.
pub(super) fn text(model: &Model, root: TypeId, known: Vec<String>) -> Option<String> {
    let mut writer = Writer {
        model,
        known: known.into_iter().collect(),
        out: String::new(),
        depth: 0,
    };
    writer.schema(root)?;
    Some(writer.out)
}

/// Confluent's code throws here.
struct Fails;

struct Writer<'a> {
    model: &'a Model,
    known: HashSet<String>,
    out: String,
    depth: u32,
}

impl Writer<'_> {
    fn schema(&mut self, id: TypeId) -> Option<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let model = self.model;
        let of = model.get(id);
        let word = of.kind.name();
        match &of.kind {
            Kind::Union(branches) => {
                self.out.push('[');
                for (index, branch) in branches.iter().enumerate() {
                    self.comma(index);
                    self.schema(*branch)?;
                }
                self.out.push(']');
            }
            Kind::Array(below) | Kind::Map(below) => {
                let key = if matches!(of.kind, Kind::Array(_)) {
                    "items"
                } else {
                    "values"
                };
                let _ = write!(self.out, "{{\"type\":\"{word}\",\"{key}\":");
                self.schema(*below)?;
                self.type_properties(&of.kind, &of.properties)?;
                self.out.push('}');
            }
            Kind::Record { named, .. } | Kind::Enum { named, .. } | Kind::Fixed { named, .. } => {
                if self.known.insert(named.name.full.clone()) {
                    self.definition(&of.kind, named, &of.properties)?;
                } else {
                    write_text(&mut self.out, &named.name.full);
                }
            }
            _ if of.properties.is_empty() => write_text(&mut self.out, word),
            _ => {
                let _ = write!(self.out, "{{\"type\":\"{word}\"");
                self.type_properties(&of.kind, &of.properties)?;
                self.out.push('}');
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn definition(&mut self, kind: &Kind, named: &Named, properties: &Properties) -> Option<()> {
        self.out.push_str("{\"name\":");
        write_text(&mut self.out, &named.name.full);
        let _ = write!(self.out, ",\"type\":\"{}\"", kind.name());
        match kind {
            Kind::Record { fields, .. } => {
                self.out.push_str(",\"fields\":[");
                for (index, field) in fields.iter().enumerate() {
                    self.comma(index);
                    self.field(field)?;
                }
                self.out.push(']');
            }
            Kind::Enum { symbols, default, .. } => {
                self.attribute("symbols", &texts(symbols.iter().map(String::as_str)));
                if let Some(default) = default {
                    self.attribute("default", &Value::from(default.as_str()));
                }
            }
            Kind::Fixed { size, .. } => self.attribute("size", &Value::from(*size)),
            _ => {}
        }
        if let Some(doc) = named.doc.as_deref().filter(|doc| !doc.is_empty()) {
            self.attribute("doc", &Value::from(doc));
        }
        if !named.aliases.is_empty() {
            // To Java an alias in the null namespace of a type in another is `.Name`.
            let mut aliases: Vec<String> = named
                .aliases
                .iter()
                .map(|alias| match (&alias.space, &named.name.space) {
                    (None, Some(_)) => format!(".{}", alias.short),
                    _ => alias.full.clone(),
                })
                .collect();
            aliases.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            self.attribute("aliases", &texts(aliases.iter().map(String::as_str)));
        }
        self.type_properties(kind, properties)?;
        self.out.push('}');
        Some(())
    }

    fn field(&mut self, field: &Field) -> Option<()> {
        self.out.push_str("{\"name\":");
        write_text(&mut self.out, &field.name);
        self.out.push_str(",\"type\":");
        self.schema(field.of)?;
        match field.order {
            Order::Ascending => {}
            Order::Descending => self.attribute("order", &Value::from("descending")),
            Order::Ignore => self.attribute("order", &Value::from("ignore")),
        }
        if let Some(doc) = &field.doc {
            self.attribute("doc", &Value::from(doc.as_str()));
        }
        if !field.aliases.is_empty() {
            let mut aliases: Vec<&str> = field.aliases.iter().map(String::as_str).collect();
            aliases.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            self.attribute("aliases", &texts(aliases.into_iter()));
        }
        if let Some(default) = &field.default
            && let Some(default) = self.default(field.of, default).ok()?
        {
            self.attribute("default", &default);
        }
        self.properties(&field.properties, &[])?;
        self.out.push('}');
        Some(())
    }

    /// A default as Java's `Field.defaultVal()` reads it. `Ok(None)`: Java finds none, and writes none.
    fn default(&self, of: TypeId, value: &Value) -> Result<Option<Value>, Fails> {
        match (self.model.kind(of), value) {
            // What parsing left of `"NaN"` and the infinities.
            (Kind::Float | Kind::Double, Value::String(_)) => Ok(Some(value.clone())),
            _ => typed(self.model, of, value),
        }
    }

    /// The properties of a type: first those of a logical type that Java knows and finds valid.
    fn type_properties(&mut self, kind: &Kind, properties: &Properties) -> Option<()> {
        let first: &[&str] = match logical_type(self.model, kind, properties) {
            Some("decimal") if int(properties, "scale").is_some_and(|scale| scale != 0) => {
                &["logicalType", "precision", "scale"]
            }
            Some("decimal") => &["logicalType", "precision"],
            Some(_) => &["logicalType"],
            None => &[],
        };
        self.properties(properties, first)
    }

    fn properties(&mut self, properties: &Properties, first: &[&str]) -> Option<()> {
        let mut sorted: Vec<(usize, &String, &Value)> = properties
            .iter()
            .map(|(key, value)| {
                let place = first.iter().position(|wanted| wanted == key);
                (place.unwrap_or(first.len()), key, value)
            })
            .collect();
        sorted.sort_by(|a, b| {
            a.0.cmp(&b.0)
                .then_with(|| a.1.encode_utf16().cmp(b.1.encode_utf16()))
        });
        for (_, key, value) in sorted {
            let value = untyped(value)?;
            self.attribute(key, &value);
        }
        Some(())
    }

    fn attribute(&mut self, key: &str, value: &Value) {
        self.out.push(',');
        write_text(&mut self.out, key);
        self.out.push(':');
        write_value(&mut self.out, value);
    }

    fn comma(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
    }
}

fn texts<'t>(texts: impl Iterator<Item = &'t str>) -> Value {
    Value::Array(texts.map(Value::from).collect())
}

/// A property's value with its keys in order. `None`: Java's `JacksonUtils.toObject` has no object for it.
fn untyped(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Number(number) if !number.is_f64() && number.as_i64().is_none() => return None,
        Value::Array(items) => Value::Array(items.iter().map(untyped).collect::<Option<_>>()?),
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            let values = members
                .into_iter()
                .map(|(key, value)| Some((key.clone(), untyped(value)?)));
            Value::Object(values.collect::<Option<Map<_, _>>>()?)
        }
        other => other.clone(),
    })
}

/// Java's `JacksonUtils.toObject(JsonNode, Schema)`, as JSON again. `Ok(None)`: it finds no object.
fn typed(model: &Model, of: TypeId, value: &Value) -> Result<Option<Value>, Fails> {
    let kind = model.kind(of);
    if value.is_null() {
        return Ok(Some(Value::Null));
    }
    if let Kind::Union(branches) = kind {
        let others = branches
            .iter()
            .filter(|branch| !matches!(model.kind(**branch), Kind::Null));
        for branch in others {
            if let Some(found) = typed(model, *branch, value)? {
                return Ok(Some(found));
            }
        }
        return Ok(None);
    }
    Ok(match value {
        Value::Number(number) => typed_number(kind, number),
        Value::String(text) => match kind {
            Kind::String | Kind::Enum { .. } => Some(value.clone()),
            Kind::Bytes | Kind::Fixed { .. } => Some(Value::String(latin(text))),
            _ => None,
        },
        Value::Array(items) => match kind {
            Kind::Array(below) => {
                let items = items.iter().map(|item| written(model, *below, item));
                Some(Value::Array(items.collect::<Result<_, _>>()?))
            }
            _ if items.is_empty() => Some(value.clone()),
            _ => return Err(Fails),
        },
        Value::Object(members) => Some(typed_object(model, kind, members)?),
        other => Some(other.clone()),
    })
}

/// Within a list or an object: a value that Java finds no object for makes it throw where it is written.
fn written(model: &Model, of: TypeId, value: &Value) -> Result<Value, Fails> {
    typed(model, of, value)?.ok_or(Fails)
}

fn typed_object(model: &Model, kind: &Kind, members: &Map<String, Value>) -> Result<Value, Fails> {
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    let mut object = Map::new();
    for (key, value) in members {
        let value = match kind {
            Kind::Map(below) => written(model, *below, value)?,
            Kind::Record { fields, .. } => {
                let field = fields.iter().find(|field| field.name == *key).ok_or(Fails)?;
                written(model, field.of, value)?
            }
            _ => untyped(value).ok_or(Fails)?,
        };
        object.insert(key.clone(), value);
    }
    Ok(Value::Object(object))
}

fn typed_number(kind: &Kind, number: &Number) -> Option<Value> {
    let is_integer = number.as_i64().is_some();
    match kind {
        // An integer that is too large for an int stays as it is.
        Kind::Int | Kind::Long if is_integer => Some(Value::Number(number.clone())),
        Kind::Double if is_integer || number.is_f64() => {
            Some(Value::Number(Number::from_f64(number.as_f64()?)?))
        }
        #[allow(clippy::cast_possible_truncation, reason = "as Java casts it")]
        Kind::Float if is_integer || number.is_f64() => {
            let narrow = number.as_f64()? as f32;
            Some(Value::Number(Number::from_f64(narrow.to_string().parse().ok()?)?))
        }
        _ => None,
    }
}

/// Java's `getBytes(ISO_8859_1)`: what that character set does not have becomes a question mark.
fn latin(text: &str) -> String {
    text.chars()
        .map(|c| if u32::from(c) < 256 { c } else { '?' })
        .collect()
}

fn int(properties: &Properties, key: &str) -> Option<i32> {
    let value = &properties.iter().find(|(name, _)| name == key)?.1;
    value.as_i64().and_then(|number| i32::try_from(number).ok())
}

/// The logical type, if it is one of Java Avro's or of the two that Confluent adds, and fits its type
/// (`LogicalTypes.fromSchemaIgnoreInvalid`).
fn logical_type<'p>(model: &Model, kind: &Kind, properties: &'p Properties) -> Option<&'p str> {
    let (_, name) = properties.iter().find(|(key, _)| key == "logicalType")?;
    let name = name.as_str()?;
    let fits = match name {
        "decimal" => is_decimal(kind, properties),
        "big-decimal" => matches!(kind, Kind::Bytes),
        // Java sees a string, and not an UUID, where its class of strings is named.
        "uuid" => {
            matches!(kind, Kind::String | Kind::Fixed { size: 16, .. })
                && !properties
                    .iter()
                    .any(|(key, value)| key == "avro.java.string" && value.is_string())
        }
        "duration" => matches!(kind, Kind::Fixed { size: 12, .. }),
        "date" | "time-millis" => matches!(kind, Kind::Int),
        "time-micros"
        | "timestamp-millis"
        | "timestamp-micros"
        | "timestamp-nanos"
        | "local-timestamp-millis"
        | "local-timestamp-micros"
        | "local-timestamp-nanos" => matches!(kind, Kind::Long),
        // Confluent's own: an array of entries, and a record of two byte strings.
        "map" => match kind {
            Kind::Array(items) => match model.kind(*items) {
                Kind::Record { fields, .. } => fields.iter().map(|field| &field.name).eq(["key", "value"]),
                _ => false,
            },
            _ => false,
        },
        "variant" => match kind {
            Kind::Record { fields, .. } => {
                let is_bytes = |name: &str| {
                    let mut named = fields.iter().filter(|field| field.name == name);
                    named.any(|field| matches!(model.kind(field.of), Kind::Bytes))
                };
                fields.len() == 2 && is_bytes("metadata") && is_bytes("value")
            }
            _ => false,
        },
        _ => false,
    };
    fits.then_some(name)
}

fn is_decimal(kind: &Kind, properties: &Properties) -> bool {
    let most = match kind {
        Kind::Bytes => f64::MAX,
        Kind::Fixed { size, .. } => (2f64.log10() * (8.0 * f64::from(*size) - 1.0)).floor(),
        _ => return false,
    };
    let Some(precision) = int(properties, "precision") else {
        return false;
    };
    let scale = if properties.iter().any(|(key, _)| key == "scale") {
        int(properties, "scale")
    } else {
        Some(0)
    };
    precision > 0
        && f64::from(precision) <= most
        && scale.is_some_and(|scale| (0..=precision).contains(&scale))
}
