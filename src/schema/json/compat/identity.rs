//! Which values are one value, and which schemas say the same: members of an `anyOf` that do count once.

use super::model::{Model, Node, NodeId, Rest, Shape};
use crate::schema::json::document::Json;
use crate::schema::json::number::Decimal;
use std::collections::HashMap;
use std::fmt::Write;

/// Equal for equal values: 1 and 1.0 are one number, and the order of members does not count.
pub fn value_key(json: &Json) -> String {
    let mut key = String::new();
    write_value(json, &mut key);
    key
}

/// As deep as the text, which the scanner bounds.
fn write_value(json: &Json, key: &mut String) {
    match json {
        Json::Number(text) => {
            key.push('#');
            Decimal::parse(text.as_bytes()).hash_parts(|part| {
                let _ = write!(key, "{part},");
            });
        }
        Json::Array(items) => {
            key.push('[');
            for item in items {
                write_value(item, key);
                key.push(';');
            }
            key.push(']');
        }
        Json::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            key.push('{');
            for (name, value) in members {
                let _ = write!(key, "{name:?}:");
                write_value(value, key);
                key.push(';');
            }
            key.push('}');
        }
        other => key.push_str(&other.canonical()),
    }
}

/// Schemas that say the same, word for word, have one number.
#[derive(Default)]
pub struct Identities {
    of_node: HashMap<NodeId, u32>,
    by_key: HashMap<String, u32>,
}

impl Identities {
    /// As deep as the text: what a reference leads to is not entered.
    pub fn of(&mut self, model: &Model<'_>, id: NodeId) -> u32 {
        if let Some(known) = self.of_node.get(&id) {
            return *known;
        }
        let key = self.key(model, model.node(id));
        let next = self.by_key.len() as u32;
        let identity = *self.by_key.entry(key).or_insert(next);
        self.of_node.insert(id, identity);
        identity
    }

    fn key(&mut self, model: &Model<'_>, node: &Node<'_>) -> String {
        let mut key = String::new();
        let mut remarks = node.remarks.clone();
        remarks.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in remarks {
            let _ = write!(key, "{name:?}{}", value_key(value));
        }
        // What is in the shape as it is written, then the schemas in it.
        match &node.shape {
            Shape::Any | Shape::Never | Shape::Boolean | Shape::Null | Shape::Conditional => {
                let _ = write!(key, "{:?}", node.shape);
            }
            Shape::Text(text) => {
                let _ = write!(key, "{text:?}");
            }
            Shape::Number(number) => {
                let _ = write!(key, "{number:?}");
            }
            Shape::Const(value) => {
                key.push_str("const");
                write_value(value, &mut key);
            }
            Shape::Enum(values) => {
                key.push_str("enum");
                values.iter().for_each(|value| write_value(value, &mut key));
            }
            Shape::Not(schema) => {
                let _ = write!(key, "not {}", self.of(model, *schema));
            }
            Shape::Combined(criterion, members) => {
                let _ = write!(key, "{criterion:?}");
                for member in members {
                    let _ = write!(key, " {}", self.of(model, *member));
                }
            }
            Shape::Reference(reference, _) => {
                let _ = write!(key, "ref {reference:?}");
            }
            Shape::Object(object) => {
                let _ = write!(
                    key,
                    "object {} {:?} {:?} {:?} {:?}",
                    object.required_type, object.required, object.min, object.max, object.dependent_names
                );
                self.rest(model, object.rest, object.unevaluated, &mut key);
                for (place, list) in [&object.properties, &object.patterns, &object.dependent_schemas]
                    .into_iter()
                    .enumerate()
                {
                    let mut list = list.clone();
                    list.sort_unstable_by_key(|(name, _)| *name);
                    for (name, schema) in list {
                        let _ = write!(key, " {place}{name:?} {}", self.of(model, schema));
                    }
                }
            }
            Shape::Array(array) => {
                let _ = write!(
                    key,
                    "array {} {:?} {:?} {:?} {:?} {}",
                    array.required_type,
                    array.min,
                    array.max,
                    array.min_contains,
                    array.max_contains,
                    array.unique
                );
                self.rest(model, array.rest, array.unevaluated, &mut key);
                for schema in array.all.iter().chain(&array.first) {
                    let _ = write!(key, " {}", self.of(model, *schema));
                }
            }
        }
        key
    }

    fn rest(&mut self, model: &Model<'_>, rest: Rest, unevaluated: Option<NodeId>, key: &mut String) {
        match rest {
            Rest::Schema(schema) => {
                let _ = write!(key, " rest {}", self.of(model, schema));
            }
            other => {
                let _ = write!(key, " {other:?}");
            }
        }
        if let Some(schema) = unevaluated {
            let _ = write!(key, " unevaluated {}", self.of(model, schema));
        }
    }
}
