//! Realistic changes of a schema, as its owners make them: fields, names, aliases, promotions, unions, enums, sizes.

use crate::choices::Choices;
use serde_json::{Value, json};

const PRIMITIVES: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

/// A schema that came from `schema` by up to five changes; it need not be one any more.
pub fn evolved(schema: &Value, choices: &mut Choices) -> Value {
    let mut schema = schema.clone();
    for _ in 0..choices.below(5) + usize::from(!choices.once_in(8)) {
        let mut nodes = Vec::new();
        collect(&schema, String::new(), &mut nodes);
        let at = choices.one(&nodes).clone();
        let renamed = schema.pointer_mut(&at).and_then(|node| change(node, choices));
        if let Some((old, new)) = renamed {
            rename_references(&mut schema, &old, &new);
        }
    }
    schema
}

/// The JSON pointers of all types in the text.
fn collect(node: &Value, at: String, nodes: &mut Vec<String>) {
    if let Value::Array(branches) = node {
        for (index, branch) in branches.iter().enumerate() {
            collect(branch, format!("{at}/{index}"), nodes);
        }
    }
    for key in ["items", "values"] {
        if let Some(below) = node.get(key) {
            collect(below, format!("{at}/{key}"), nodes);
        }
    }
    for (index, field) in node["fields"].as_array().into_iter().flatten().enumerate() {
        collect(&field["type"], format!("{at}/fields/{index}/type"), nodes);
    }
    nodes.push(at);
}

/// Gives the old and the new name where a type was renamed.
fn change(node: &mut Value, choices: &mut Choices) -> Option<(String, String)> {
    if choices.once_in(10) {
        wrap(node, choices);
        return None;
    }
    match node["type"].as_str().unwrap_or_default() {
        "record" | "error" if choices.chance(70) => change_fields(node, choices),
        "enum" if choices.chance(70) => change_symbols(node, choices),
        "fixed" if choices.chance(40) => node["size"] = json!(choices.below(9)),
        "record" | "error" | "enum" | "fixed" => return change_name(node, choices),
        "array" if choices.once_in(4) => *node = json!({"type": "map", "values": node["items"].clone()}),
        "map" if choices.once_in(4) => *node = json!({"type": "array", "items": node["values"].clone()}),
        "array" | "map" => {
            let key = if node["type"] == "array" {
                "items"
            } else {
                "values"
            };
            promote(&mut node[key], choices);
        }
        _ if node.is_array() => change_union(node, choices),
        _ => promote(node, choices),
    }
    None
}

fn wrap(node: &mut Value, choices: &mut Choices) {
    let inner = node.clone();
    match choices.below(5) {
        0 if !inner.is_array() => *node = json!(["null", inner]),
        1 if !inner.is_array() => *node = json!([inner, "null"]),
        2 if !inner.is_array() => *node = json!([inner]),
        3 => *node = json!({"type": "array", "items": inner}),
        _ => {
            if let Some(first) = inner.get(choices.below(2)) {
                *node = first.clone();
            }
        }
    }
}

fn promote(node: &mut Value, choices: &mut Choices) {
    let name = node.as_str().or(node["type"].as_str()).unwrap_or_default();
    let to = match name {
        _ if choices.once_in(5) => *choices.one(&PRIMITIVES),
        "int" => *choices.one(&["long", "float", "double"]),
        "long" => *choices.one(&["float", "double", "int"]),
        "float" => *choices.one(&["double", "int"]),
        "double" => "float",
        "string" => "bytes",
        "bytes" => "string",
        _ => return,
    };
    match choices.below(4) {
        0 => {
            *node = json!({"type": to, "logicalType": choices.one(&["date", "timestamp-millis", "uuid", "decimal"]), "precision": 4});
        }
        _ => *node = json!(to),
    }
}

fn change_union(node: &mut Value, choices: &mut Choices) {
    let Value::Array(branches) = node else { return };
    let at = choices.below(branches.len());
    match choices.below(4) {
        0 if !branches.is_empty() => drop(branches.remove(at)),
        1 if !branches.is_empty() => promote(&mut branches[at], choices),
        2 if !branches.is_empty() => branches.rotate_left(1),
        _ => branches.insert(at, json!(choices.one(&PRIMITIVES))),
    }
}

fn change_fields(node: &mut Value, choices: &mut Choices) {
    let Value::Array(fields) = &mut node["fields"] else {
        return;
    };
    let at = choices.below(fields.len());
    match choices.below(10) {
        0 | 1 => fields.insert(at, new_field(choices)),
        2 if !fields.is_empty() => drop(fields.remove(at)),
        3 if fields.len() > 1 => fields.swap(at, 0),
        4 | 5 if !fields.is_empty() => {
            let old = fields[at]["name"].clone();
            fields[at]["name"] = json!(format!("renamed{}", choices.below(3)));
            if !choices.once_in(3) {
                fields[at]["aliases"] = json!([old]);
            }
        }
        6 if !fields.is_empty() => drop(fields[at].as_object_mut().unwrap().remove("default")),
        7 if !fields.is_empty() => {
            let inner = fields[at]["type"].clone();
            if !inner.is_array() {
                fields[at]["type"] = json!(["null", inner]);
                fields[at]["default"] = Value::Null;
            }
        }
        // Now and then an alias that another field has as its name.
        8 if !fields.is_empty() => fields[at]["aliases"] = json!([format!("f{}", choices.below(4))]),
        _ if !fields.is_empty() => promote(&mut fields[at]["type"], choices),
        _ => fields.push(new_field(choices)),
    }
}

fn new_field(choices: &mut Choices) -> Value {
    let name = format!("added{}", choices.below(4));
    match choices.below(6) {
        0 => json!({"name": name, "type": "string"}),
        1 => json!({"name": name, "type": "long", "default": 0}),
        2 => json!({"name": name, "type": ["null", "string"], "default": null}),
        3 => {
            json!({"name": name, "type": {"type": "enum", "name": format!("Added{}", choices.below(9)), "symbols": ["A", "B"], "default": "A"}})
        }
        4 => json!({"name": name, "type": ["null", "int"], "aliases": ["f0"]}),
        _ => {
            json!({"name": name, "type": {"type": "array", "items": "int"}, "default": [], "aliases": ["f1", "f9"]})
        }
    }
}

fn change_symbols(node: &mut Value, choices: &mut Choices) {
    if choices.once_in(4) {
        let object = node.as_object_mut().unwrap();
        if object.remove("default").is_none()
            && let Some(first) = object["symbols"].get(0).cloned()
        {
            object.insert("default".to_owned(), first);
        }
        return;
    }
    let default = node["default"].clone();
    let Value::Array(symbols) = &mut node["symbols"] else {
        return;
    };
    let at = choices.below(symbols.len());
    match choices.below(3) {
        0 if !symbols.is_empty() && symbols[at] != default => drop(symbols.remove(at)),
        1 if !symbols.is_empty() => symbols.rotate_left(1),
        _ => symbols.insert(at, json!(format!("NEW{}", symbols.len()))),
    }
}

fn change_name(node: &mut Value, choices: &mut Choices) -> Option<(String, String)> {
    let old = node["name"].as_str()?.to_owned();
    if choices.once_in(3) {
        node["namespace"] = json!(choices.one(&["n", "n.m", "other", ""]));
        return None;
    }
    let new = format!("{old}x");
    node["name"] = json!(new);
    match choices.below(4) {
        0 => {}
        1 => node["aliases"] = json!([format!("other.{old}"), format!("n.{old}")]),
        2 => node["aliases"] = json!([format!(".{old}")]),
        _ => node["aliases"] = json!([old]),
    }
    Some((old, new))
}

/// Where a type is named, its new name is written; also in defaults and aliases, which hurts nothing here.
fn rename_references(node: &mut Value, old: &str, new: &str) {
    match node {
        Value::Array(list) => list.iter_mut().for_each(|node| rename_references(node, old, new)),
        Value::Object(map) => {
            for (key, below) in map {
                if !["name", "aliases", "symbols", "default", "namespace"].contains(&key.as_str()) {
                    rename_references(below, old, new);
                }
            }
        }
        Value::String(text) if text == old => new.clone_into(text),
        Value::String(text) => {
            if let Some(space) = text.strip_suffix(old).filter(|space| space.ends_with('.')) {
                *text = format!("{space}{new}");
            }
        }
        _ => {}
    }
}
