//! Options in their normalised form: full names, in the order of names, and several assignments to one custom option
//! as one value (`FormatContext.filterOptions`).

use super::super::syntax::{NamePart, OptionStatement, Value};
use super::names::Scope;
use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};

/// `statements` of one element, as the normalised form has them.
pub(super) fn options(statements: Vec<OptionStatement>, scope: &Scope) -> Vec<OptionStatement> {
    let mut statements: Vec<OptionStatement> = statements
        .into_iter()
        .map(|statement| full(statement, scope))
        .collect();
    statements.sort_by(|left, right| left.name.name.cmp(&right.name.name));
    let mut merged: Vec<OptionStatement> = Vec::new();
    for statement in statements {
        let previous = merged
            .last_mut()
            .filter(|previous| previous.name.name == statement.name.name);
        let extension = scope
            .extension(&format!(".{}", statement.name.name))
            .filter(|extension| extension.cardinality() != Cardinality::Repeated);
        match (previous, extension) {
            (Some(previous), Some(extension)) => {
                let next = nested(statement);
                *previous = match (&mut previous.value, next.value) {
                    (Value::Message(known), Value::Message(more)) => OptionStatement {
                        value: Value::Message(merge(
                            message_of(&extension.kind()).as_ref(),
                            std::mem::take(known),
                            more,
                        )),
                        ..next_of(next.name)
                    },
                    (_, value) => OptionStatement {
                        value,
                        ..next_of(next.name)
                    },
                };
            }
            _ => merged.push(statement),
        }
    }
    merged
}

fn next_of(name: NamePart) -> OptionStatement {
    OptionStatement {
        name,
        path: Vec::new(),
        value: Value::List(Vec::new()),
    }
}

/// A custom option by its full name, and its path as messages within each other; others as they are.
fn full(statement: OptionStatement, scope: &Scope) -> OptionStatement {
    if !statement.name.is_extension {
        return statement;
    }
    let Some(extension) = scope.extension(&statement.name.name) else {
        return statement;
    };
    nested(OptionStatement {
        name: NamePart {
            name: extension.full_name().to_owned(),
            is_extension: true,
        },
        ..statement
    })
}

/// `(a).b.c = 1` as `(a) = { b: { c: 1 } }`
fn nested(statement: OptionStatement) -> OptionStatement {
    let inner = statement
        .path
        .into_iter()
        .rev()
        .fold(statement.value, |value, part| {
            // Without the brackets of an extension's: so Confluent prints it, though it is no text format.
            Value::Message(vec![(part.name, value)])
        });
    OptionStatement {
        name: statement.name,
        path: Vec::new(),
        value: inner,
    }
}

fn message_of(kind: &Kind) -> Option<MessageDescriptor> {
    match kind {
        Kind::Message(message) => Some(message.clone()),
        _ => None,
    }
}

type Fields = Vec<(String, Value)>;

/// Both values' fields, of a message of type `container`. Depth is bounded by that of `more`.
fn merge(container: Option<&MessageDescriptor>, mut known: Fields, more: Fields) -> Fields {
    for (key, value) in more {
        let field = container.and_then(|container| container.get_field_by_name(&key));
        match known.iter_mut().find(|(known, _)| *known == key) {
            Some((_, place)) => {
                let old = std::mem::replace(place, Value::List(Vec::new()));
                *place = merge_values(field.as_ref(), old, value);
            }
            None => known.push((key, value)),
        }
    }
    known
}

/// A field that is not repeated takes the later value, a message the fields of both; others, and those that are not
/// known, become a list of all values, each once.
fn merge_values(field: Option<&FieldDescriptor>, old: Value, new: Value) -> Value {
    let singular = field.filter(|field| field.cardinality() != Cardinality::Repeated);
    match (singular, old, new) {
        (Some(field), Value::Message(old), Value::Message(new)) => {
            Value::Message(merge(message_of(&field.kind()).as_ref(), old, new))
        }
        (Some(_), _, new) => new,
        (None, old, new) => {
            let mut all: Vec<Value> = Vec::new();
            for values in [old, new] {
                let values = match values {
                    Value::List(values) => values,
                    one => vec![one],
                };
                for value in values {
                    if !all.contains(&value) {
                        all.push(value);
                    }
                }
            }
            Value::List(all)
        }
    }
}
