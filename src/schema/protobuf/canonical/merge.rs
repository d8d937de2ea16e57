//! Options in their normalised form: full names, in the order of names, and several assignments to one custom option
//! as one value (`FormatContext.filterOptions`).

use super::super::syntax::{NamePart, OptionStatement, Value};
use super::names::Scope;
use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};
use std::collections::HashMap;

/// `statements` of one element, as the normalised form has them.
pub(super) fn options(statements: Vec<OptionStatement>, scope: &Scope) -> Vec<OptionStatement> {
    let mut statements: Vec<OptionStatement> = statements
        .into_iter()
        .map(|statement| full(statement, scope))
        .collect();
    statements.sort_by(|left, right| left.name.name.cmp(&right.name.name));
    let mut merged: Vec<Merged> = Vec::new();
    for statement in statements {
        let previous = merged
            .last_mut()
            .filter(|previous| previous.name.name == statement.name.name);
        let extension = scope
            .extension(&format!(".{}", statement.name.name))
            .filter(|extension| extension.cardinality() != Cardinality::Repeated);
        match (previous, extension) {
            (Some(previous), Some(extension)) => {
                let next = statement.nested();
                previous.name = next.name;
                previous.path = Vec::new();
                previous
                    .value
                    .add(Takes::Later(message_of(&extension.kind())), next.value);
            }
            _ => merged.push(Merged {
                name: statement.name,
                path: statement.path,
                value: Merging::One(statement.value),
            }),
        }
    }
    merged.into_iter().map(Merged::into_statement).collect()
}

/// A custom option by its full name, and its path as messages within each other; others as they are.
fn full(statement: OptionStatement, scope: &Scope) -> OptionStatement {
    if !statement.name.is_extension {
        return statement;
    }
    let Some(extension) = scope.extension(&statement.name.name) else {
        return statement;
    };
    let name = NamePart {
        name: extension.full_name().to_owned(),
        is_extension: true,
    };
    OptionStatement { name, ..statement }.nested()
}

fn message_of(kind: &Kind) -> Option<MessageDescriptor> {
    match kind {
        Kind::Message(message) => Some(message.clone()),
        _ => None,
    }
}

/// A statement that more are merged into.
struct Merged {
    name: NamePart,
    path: Vec<NamePart>,
    value: Merging,
}

impl Merged {
    fn into_statement(self) -> OptionStatement {
        OptionStatement {
            name: self.name,
            path: self.path,
            value: self.value.into_value(),
        }
    }
}

/// What a second value is to the first.
enum Takes {
    /// It takes its place; a message of that type takes the fields of both.
    Later(Option<MessageDescriptor>),
    /// They become a list of all values, each once: the field is repeated, or not known.
    All,
}

impl Takes {
    fn of(field: Option<&FieldDescriptor>) -> Self {
        match field {
            Some(field) if field.cardinality() != Cardinality::Repeated => {
                Self::Later(message_of(&field.kind()))
            }
            _ => Self::All,
        }
    }
}

/// A value while others come to it. What has come is not gone over again for each.
enum Merging {
    One(Value),
    All(Vec<Value>),
    Message(Fields),
}

impl Merging {
    /// Depth is bounded by that of `more`.
    fn add(&mut self, takes: Takes, more: Value) {
        match (takes, more) {
            (Takes::Later(container), Value::Message(more)) => match self.take() {
                Self::One(Value::Message(fields)) => {
                    let mut fields = Fields::of(fields);
                    fields.merge(container.as_ref(), more);
                    *self = Self::Message(fields);
                }
                Self::Message(mut fields) => {
                    fields.merge(container.as_ref(), more);
                    *self = Self::Message(fields);
                }
                Self::One(_) | Self::All(_) => *self = Self::One(Value::Message(more)),
            },
            (Takes::Later(_), later) => *self = Self::One(later),
            (Takes::All, more) => {
                let mut all = match self.take() {
                    Self::All(all) => all,
                    other => other.into_value().into_items(),
                };
                all.extend(more.into_items());
                *self = Self::All(all);
            }
        }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::All(Vec::new()))
    }

    fn into_value(self) -> Value {
        match self {
            Self::One(value) => value,
            Self::All(values) => Value::each_once(values),
            Self::Message(fields) => Value::Message(
                fields
                    .entries
                    .into_iter()
                    .map(|(key, value)| (key, value.into_value()))
                    .collect(),
            ),
        }
    }
}

struct Fields {
    entries: Vec<(String, Merging)>,
    /// Where a key comes first.
    places: HashMap<String, usize>,
}

impl Fields {
    /// As one message has them, also a key that comes twice.
    fn of(written: Vec<(String, Value)>) -> Self {
        let mut fields = Self {
            entries: Vec::with_capacity(written.len()),
            places: HashMap::new(),
        };
        for (key, value) in written {
            fields.places.entry(key.clone()).or_insert(fields.entries.len());
            fields.entries.push((key, Merging::One(value)));
        }
        fields
    }

    /// Takes the fields of another message of type `container`, too.
    fn merge(&mut self, container: Option<&MessageDescriptor>, more: Vec<(String, Value)>) {
        for (key, value) in more {
            let at = *self.places.entry(key.clone()).or_insert(self.entries.len());
            match self.entries.get_mut(at) {
                Some((_, known)) => {
                    let field = container.and_then(|container| container.get_field_by_name(&key));
                    known.add(Takes::of(field.as_ref()), value);
                }
                None => self.entries.push((key, Merging::One(value))),
            }
        }
    }
}
