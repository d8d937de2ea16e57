//! Avro schema text to [`Model`], by the rules of Java's `Schema.Parser` (Avro 1.12), which Confluent's registry runs.
//!
//! Recursion here follows the nesting of the JSON text alone, which `serde_json` holds to 128; names are looked up,
//! never followed.
use super::model::{AvroSchema, Field, Kind, Model, Name, Named, Order, Properties, Type, TypeId};
use super::names::{self, PRIMITIVES};
use crate::schema::place::Place as TextPlace;
use crate::schema::{ReferencedSchema, SchemaError};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// The largest schema text that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 5 * 1024 * 1024;

/// What Java keeps out of a type's properties, because it has a meaning of its own.
const TYPE_RESERVED: [&str; 10] = [
    "doc",
    "fields",
    "items",
    "name",
    "namespace",
    "size",
    "symbols",
    "values",
    "type",
    "aliases",
];
const ENUM_RESERVED: [&str; 11] = [
    "doc",
    "fields",
    "items",
    "name",
    "namespace",
    "size",
    "symbols",
    "values",
    "type",
    "aliases",
    "default",
];
const FIELD_RESERVED: [&str; 6] = ["default", "doc", "name", "order", "type", "aliases"];

/// Where in the text we are, as a JSON pointer; a list on the stack, written out only for an error.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => write!(f, "{parent}/{key}"),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

impl Place<'_> {
    fn refuse<T>(&self, what: impl fmt::Display) -> Result<T, SchemaError> {
        Err(SchemaError::InvalidAt {
            what: match self {
                Self::Root => format!("{what} (at the top of the schema)"),
                place => format!("{what} (at {place})"),
            },
            place: TextPlace::Pointer(self.to_string()),
        })
    }
}

/// A name that was used before its definition has ended.
struct Pending {
    id: TypeId,
    /// Its definition is being read now.
    open: bool,
}

/// Reads one text after another into one model: the types of earlier texts are known to later ones.
#[derive(Default)]
pub(super) struct Parser {
    pub model: Model,
    defined: HashMap<String, TypeId>,
    pending: HashMap<String, Pending>,
}

impl Parser {
    pub fn document(&mut self, text: &str) -> Result<TypeId, SchemaError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(SchemaError::OverLimit(format!(
                "the schema has {} bytes; at most {TEXT_BYTES_MAX} are read",
                text.len()
            )));
        }
        let value = json(text)?;
        let first = self.model.types.len();
        let root = self.schema(&value, None, &Place::Root)?;
        if let Some(name) = self.pending.keys().min() {
            return Err(SchemaError::Invalid(format!("Undefined schema: {name}")));
        }
        self.check_unions(first)?;
        Ok(root)
    }

    fn add(&mut self, kind: Kind, properties: Properties) -> Result<TypeId, SchemaError> {
        let id = u32::try_from(self.model.types.len())
            .map_err(|_| SchemaError::OverLimit("too many types".to_owned()))?;
        self.model.types.push(Type { kind, properties });
        Ok(TypeId(id))
    }

    fn schema(
        &mut self,
        value: &Value,
        space: Option<&str>,
        place: &Place<'_>,
    ) -> Result<TypeId, SchemaError> {
        match value {
            Value::String(name) => match primitive(name) {
                Some(kind) => self.add(kind, Vec::new()),
                None => self.reference(name, space),
            },
            Value::Array(branches) => {
                let mut ids = Vec::with_capacity(branches.len());
                for (index, branch) in branches.iter().enumerate() {
                    if branch.is_array() {
                        return Place::Index(place, index).refuse("Nested union");
                    }
                    ids.push(self.schema(branch, space, &Place::Index(place, index))?);
                }
                self.add(Kind::Union(ids), Vec::new())
            }
            Value::Object(object) => self.object(object, space, place),
            other => place.refuse(format_args!(
                "a schema is a name, an object or an array, not {}",
                shape(other)
            )),
        }
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        space: Option<&str>,
        place: &Place<'_>,
    ) -> Result<TypeId, SchemaError> {
        let kind = required_text(object, "type", "No type", place)?;
        match kind {
            "record" | "error" => self.record(object, space, place),
            "enum" => self.enumeration(object, space, place),
            "fixed" => self.fixed(object, space, place),
            "array" => {
                let Some(items) = object.get("items") else {
                    return place.refuse("Array has no items type");
                };
                let items = self.schema(items, space, &Place::Key(place, "items"))?;
                self.add(Kind::Array(items), properties(object, &TYPE_RESERVED))
            }
            "map" => {
                let Some(values) = object.get("values") else {
                    return place.refuse("Map has no values type");
                };
                let values = self.schema(values, space, &Place::Key(place, "values"))?;
                self.add(Kind::Map(values), properties(object, &TYPE_RESERVED))
            }
            name => match primitive(name) {
                Some(kind) => self.add(kind, properties(object, &TYPE_RESERVED)),
                None => match self.lookup(name, space) {
                    Some(id) => Ok(id),
                    None => place.refuse(format_args!("Type not supported: {name}")),
                },
            },
        }
    }

    /// A type by its name, which may not be defined yet.
    fn reference(&mut self, name: &str, space: Option<&str>) -> Result<TypeId, SchemaError> {
        if let Some(id) = self.lookup(name, space) {
            return Ok(id);
        }
        let full = names::full_name(name, space);
        let id = self.add(Kind::Unresolved(full.clone()), Vec::new())?;
        self.pending.insert(full, Pending { id, open: false });
        Ok(id)
    }

    /// A type that is known or being defined, in the namespace around or else as written; then one that is waited for.
    fn lookup(&self, name: &str, space: Option<&str>) -> Option<TypeId> {
        let full = names::full_name(name, space);
        self.known(&full)
            .or_else(|| self.known(name))
            .or_else(|| self.pending.get(&full).map(|pending| pending.id))
    }

    fn known(&self, full: &str) -> Option<TypeId> {
        let open = || {
            self.pending
                .get(full)
                .filter(|pending| pending.open)
                .map(|pending| pending.id)
        };
        self.defined.get(full).copied().or_else(open)
    }

    /// Reserves the name's slot, so that the definition's own parts can point at it.
    fn open(&mut self, name: &Name, place: &Place<'_>) -> Result<(), SchemaError> {
        if PRIMITIVES.contains(&name.full.as_str()) {
            return place.refuse(format_args!(
                "Schemas may not be named after primitives: {}",
                name.full
            ));
        }
        if self.defined.contains_key(&name.full) {
            return Ok(());
        }
        match self.pending.get_mut(&name.full) {
            Some(pending) if pending.open => place.refuse(format_args!("Can't redefine: {}", name.full)),
            Some(pending) => {
                pending.open = true;
                Ok(())
            }
            None => {
                let id = self.add(Kind::Unresolved(name.full.clone()), Vec::new())?;
                self.pending.insert(name.full.clone(), Pending { id, open: true });
                Ok(())
            }
        }
    }

    /// Ends a definition. A name may be defined again only by the same type, as in Java.
    fn close(&mut self, full: &str, made: Type, place: &Place<'_>) -> Result<TypeId, SchemaError> {
        if let Some(known) = self.defined.get(full).copied() {
            let same = self.model.same_type(self.model.get(known), &made);
            return if same {
                Ok(known)
            } else {
                place.refuse(format_args!("Can't redefine: {full}"))
            };
        }
        let Some(Pending { id, .. }) = self.pending.remove(full) else {
            return place.refuse(format_args!("Can't redefine: {full}"));
        };
        if let Some(slot) = self.model.types.get_mut(id.0 as usize) {
            *slot = made;
        }
        self.defined.insert(full.to_owned(), id);
        Ok(id)
    }

    fn record(
        &mut self,
        object: &Map<String, Value>,
        space: Option<&str>,
        place: &Place<'_>,
    ) -> Result<TypeId, SchemaError> {
        let named = named(object, space, place)?;
        let Some(Value::Array(texts)) = object.get("fields") else {
            return place.refuse("Record has no fields");
        };
        self.open(&named.name, place)?;
        let mut fields = Vec::with_capacity(texts.len());
        let mut seen = HashSet::with_capacity(texts.len());
        let fields_place = Place::Key(place, "fields");
        for (index, text) in texts.iter().enumerate() {
            let place = Place::Index(&fields_place, index);
            let field = self.field(text, named.name.space.as_deref(), &place)?;
            if !seen.insert(field.name.clone()) {
                return place.refuse(format_args!(
                    "Duplicate field {} in record {}",
                    field.name, named.name.full
                ));
            }
            fields.push(field);
        }
        let full = named.name.full.clone();
        let is_error = object.get("type").and_then(Value::as_str) == Some("error");
        let kind = Kind::Record {
            named,
            is_error,
            fields,
        };
        self.close(
            &full,
            Type {
                kind,
                properties: properties(object, &TYPE_RESERVED),
            },
            place,
        )
    }

    fn field(&mut self, text: &Value, space: Option<&str>, place: &Place<'_>) -> Result<Field, SchemaError> {
        let Value::Object(object) = text else {
            return place.refuse("a field is an object");
        };
        let name = required_text(object, "name", "No field name", place)?;
        names::check(name).or_else(|what| place.refuse(what))?;
        let Some(of) = object.get("type") else {
            return place.refuse(format_args!("No field type: {name}"));
        };
        let of = self.schema(of, space, &Place::Key(place, "type"))?;
        let order = match object
            .get("order")
            .map(|order| order.as_str().map(str::to_lowercase))
        {
            None => Order::Ascending,
            Some(order) => match order.as_deref() {
                Some("ascending") => Order::Ascending,
                Some("descending") => Order::Descending,
                Some("ignore") => Order::Ignore,
                _ => return place.refuse("order is ascending, descending or ignore"),
            },
        };
        let default = match (object.get("default"), self.model.kind(of)) {
            (Some(Value::String(text)), Kind::Float | Kind::Double) => Some(number_in_text(text, place)?),
            (default, _) => default.cloned(),
        };
        Ok(Field {
            name: name.to_owned(),
            of,
            doc: text_of(object, "doc"),
            default,
            order,
            aliases: aliases(object, place)?,
            properties: properties(object, &FIELD_RESERVED),
        })
    }

    fn enumeration(
        &mut self,
        object: &Map<String, Value>,
        space: Option<&str>,
        place: &Place<'_>,
    ) -> Result<TypeId, SchemaError> {
        let named = named(object, space, place)?;
        let Some(Value::Array(texts)) = object.get("symbols") else {
            return place.refuse("Enum has no symbols");
        };
        let mut symbols = Vec::with_capacity(texts.len());
        let mut seen = HashSet::with_capacity(texts.len());
        let symbols_place = Place::Key(place, "symbols");
        for (index, text) in texts.iter().enumerate() {
            let place = Place::Index(&symbols_place, index);
            let Value::String(symbol) = text else {
                return place.refuse("an enum symbol is a string");
            };
            names::check(symbol).or_else(|what| place.refuse(what))?;
            if !seen.insert(symbol.as_str()) {
                return place.refuse(format_args!("Duplicate enum symbol: {symbol}"));
            }
            symbols.push(symbol.clone());
        }
        let default = text_of(object, "default");
        if let Some(default) = default.as_deref().filter(|default| !seen.contains(default)) {
            return place.refuse(format_args!(
                "The Enum Default: {default} is not in the enum symbol set"
            ));
        }
        self.open(&named.name, place)?;
        let full = named.name.full.clone();
        let kind = Kind::Enum {
            named,
            symbols,
            default,
        };
        self.close(
            &full,
            Type {
                kind,
                properties: properties(object, &ENUM_RESERVED),
            },
            place,
        )
    }

    fn fixed(
        &mut self,
        object: &Map<String, Value>,
        space: Option<&str>,
        place: &Place<'_>,
    ) -> Result<TypeId, SchemaError> {
        let named = named(object, space, place)?;
        let size = object
            .get("size")
            .and_then(Value::as_u64)
            .and_then(|size| u32::try_from(size).ok());
        // Java reads the size as an int, and its arrays end just below 2^31.
        let Some(size) = size.filter(|size| *size <= i32::MAX as u32 - 8) else {
            return place.refuse("Invalid or no size");
        };
        self.open(&named.name, place)?;
        let full = named.name.full.clone();
        let kind = Kind::Fixed { named, size };
        self.close(
            &full,
            Type {
                kind,
                properties: properties(object, &TYPE_RESERVED),
            },
            place,
        )
    }

    /// A union holds no type twice (specification, "Unions"); only now are all its names known.
    fn check_unions(&self, first: usize) -> Result<(), SchemaError> {
        for of in self.model.types.iter().skip(first) {
            let Kind::Union(branches) = &of.kind else { continue };
            let mut seen = HashSet::with_capacity(branches.len());
            for branch in branches {
                let name = self.model.kind(*branch).full_name();
                if !seen.insert(name) {
                    return Err(SchemaError::Invalid(format!("Duplicate in union: {name}")));
                }
            }
        }
        Ok(())
    }
}

impl Model {
    /// Java's `Schema.equals`: documentation and aliases do not count. Named types are compared by their slot once
    /// they are defined, so the recursion follows anonymous types only.
    fn same(&self, one: TypeId, other: TypeId) -> bool {
        one == other || {
            let (one, other) = (self.get(one), self.get(other));
            one.kind.named().is_none() && self.same_type(one, other)
        }
    }

    fn same_type(&self, one: &Type, other: &Type) -> bool {
        let kinds = match (&one.kind, &other.kind) {
            (Kind::Array(a), Kind::Array(b)) | (Kind::Map(a), Kind::Map(b)) => self.same(*a, *b),
            (Kind::Union(a), Kind::Union(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.same(*a, *b))
            }
            (
                Kind::Record {
                    named: a, fields: x, ..
                },
                Kind::Record {
                    named: b, fields: y, ..
                },
            ) => {
                a.name == b.name && x.len() == y.len() && x.iter().zip(y).all(|(x, y)| self.same_field(x, y))
            }
            (
                Kind::Enum {
                    named: a, symbols: x, ..
                },
                Kind::Enum {
                    named: b, symbols: y, ..
                },
            ) => a.name == b.name && x == y,
            (Kind::Fixed { named: a, size: x }, Kind::Fixed { named: b, size: y }) => {
                a.name == b.name && x == y
            }
            (Kind::Unresolved(a), Kind::Unresolved(b)) => a == b,
            (a, b) => a.name() == b.name(),
        };
        kinds && same_properties(&one.properties, &other.properties)
    }

    fn same_field(&self, one: &Field, other: &Field) -> bool {
        one.name == other.name
            && self.same(one.of, other.of)
            && one.default == other.default
            && one.order == other.order
            && same_properties(&one.properties, &other.properties)
    }
}

/// In any order, in linear time: a type may have as many as its text holds.
fn same_properties(one: &Properties, other: &Properties) -> bool {
    one.len() == other.len()
        && (one == other || {
            let known: HashMap<&str, &Value> =
                other.iter().map(|(key, value)| (key.as_str(), value)).collect();
            one.iter()
                .all(|(key, value)| known.get(key.as_str()) == Some(&value))
        })
}

fn named(object: &Map<String, Value>, space: Option<&str>, place: &Place<'_>) -> Result<Named, SchemaError> {
    let written = required_text(object, "name", "No name in schema", place)?;
    let own_space = object.get("namespace").and_then(Value::as_str);
    let name = Name::new(written, own_space.or(space));
    names::check(&name.short).or_else(|what| place.refuse(what))?;
    let mut known = HashSet::new();
    let aliases = aliases(object, place)?
        .iter()
        .map(|alias| Name::new(alias, name.space.as_deref()))
        .filter(|alias| known.insert(alias.full.clone()))
        .collect();
    Ok(Named {
        name,
        doc: text_of(object, "doc"),
        aliases,
    })
}

fn aliases(object: &Map<String, Value>, place: &Place<'_>) -> Result<Vec<String>, SchemaError> {
    match object.get("aliases") {
        None => Ok(Vec::new()),
        Some(Value::Array(texts)) => {
            let mut seen = HashSet::with_capacity(texts.len());
            let mut aliases = Vec::with_capacity(texts.len());
            for text in texts {
                let Value::String(alias) = text else {
                    return place.refuse("alias not a string");
                };
                if seen.insert(alias.as_str()) {
                    aliases.push(alias.clone());
                }
            }
            Ok(aliases)
        }
        Some(_) => place.refuse("aliases not an array"),
    }
}

fn properties(object: &Map<String, Value>, reserved: &[&str]) -> Properties {
    object
        .iter()
        .filter(|(key, _)| !reserved.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn text_of(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn required_text<'a>(
    object: &'a Map<String, Value>,
    key: &str,
    error: &str,
    place: &Place<'_>,
) -> Result<&'a str, SchemaError> {
    object
        .get(key)
        .and_then(Value::as_str)
        .map_or_else(|| place.refuse(error), Ok)
}

/// A float's default may be written as text, `"NaN"` for one. JSON has no such number, so that stays text.
fn number_in_text(text: &str, place: &Place<'_>) -> Result<Value, SchemaError> {
    match text.trim().parse::<f64>() {
        Ok(number) => Ok(serde_json::Number::from_f64(number)
            .map_or_else(|| Value::String(text.trim().to_owned()), Value::Number)),
        Err(_) => place.refuse("the default of a float or double is a number"),
    }
}

fn primitive(name: &str) -> Option<Kind> {
    Some(match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Whether a text is JSON at all; what it refers to is not looked at.
///
/// # Errors
/// [`SchemaError`] with the place.
pub fn check_syntax(text: &str) -> Result<(), SchemaError> {
    json(text).map(|_| ())
}

/// JSON as Java Avro's parser takes it: comments are allowed. They are taken out only when plain JSON fails.
fn json(text: &str) -> Result<Value, SchemaError> {
    serde_json::from_str(text).or_else(|error| {
        let plain = without_comments(text);
        plain
            .and_then(|plain| serde_json::from_str(&plain).ok())
            .ok_or_else(|| {
                let message = error.to_string();
                if message.starts_with("recursion limit") {
                    SchemaError::OverLimit(format!("the schema is nested too deeply: {message}"))
                } else {
                    SchemaError::InvalidAt {
                        what: format!("not JSON: {message}"),
                        place: TextPlace::line_and_column(error.line(), error.column()),
                    }
                }
            })
    })
}

/// `text` without `/* */` and `//` comments, or `None` when it has none.
fn without_comments(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.find(['"', '/']) {
        let (before, from) = rest.split_at_checked(at)?;
        plain.push_str(before);
        let end = if from.starts_with('"') {
            let end = string_end(from)?;
            plain.push_str(from.get(..end)?);
            end
        } else if from.starts_with("//") {
            found = true;
            from.find('\n').unwrap_or(from.len())
        } else if from.starts_with("/*") {
            found = true;
            plain.push(' ');
            from.find("*/")? + 2
        } else {
            return None;
        };
        rest = from.get(end..)?;
    }
    plain.push_str(rest);
    found.then_some(plain)
}

/// Where the JSON string that opens `text` ends.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends.then_some(at + 1)
    })
}

impl AvroSchema {
    /// The full name of a record schema, `None` for any other: what Confluent's record-name strategies use.
    #[must_use]
    pub fn record_name(&self) -> Option<&str> {
        match self.model.kind(self.root) {
            Kind::Record { named, .. } => Some(&named.name.full),
            _ => None,
        }
    }
}

/// Parses `text` alone, for callers that have no references.
///
/// # Errors
/// As [`AvroSchema::parse`].
pub fn parse(text: &str) -> Result<AvroSchema, SchemaError> {
    AvroSchema::parse(text, &[] as &[ReferencedSchema])
}
