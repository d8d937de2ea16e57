//! Changes of a schema's text: of its JSON mostly, of its letters now and then.

use crate::choices::Choices;
use serde_json::{Value, json};

pub fn changed(mut schema: Value, choices: &mut Choices) -> String {
    for _ in 0..=choices.below(2) {
        let nodes = count(&schema);
        let mut at = choices.below(nodes);
        change_at(&mut schema, &mut at, choices);
    }
    let text = schema.to_string();
    if !choices.once_in(5) {
        return text;
    }
    let mut letters: Vec<char> = text.chars().collect();
    let at = choices.below(letters.len());
    match choices.below(3) {
        0 => drop(letters.remove(at)),
        1 => {
            letters[at] = *choices.one(&[
                '"', '{', '}', '[', ']', ',', ':', '0', 'x', 'é', '.', '/', '*', ' ', '\\',
            ]);
        }
        _ => letters.insert(at, *choices.one(&['"', ',', '1', '-', '.', 'e', ' ', '\n', '_'])),
    }
    letters.into_iter().collect()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the node that is the `at`th in the order of the text.
fn change_at(value: &mut Value, at: &mut usize, choices: &mut Choices) -> bool {
    if *at == 0 {
        change(value, choices);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|item| change_at(item, at, choices)),
        Value::Object(map) => map.values_mut().any(|item| change_at(item, at, choices)),
        _ => false,
    }
}

fn other(choices: &mut Choices) -> Value {
    match choices.below(22) {
        0 => Value::Null,
        1 => json!(choices.once_in(2)),
        2 => json!(choices.border()),
        3 => json!(-1.5),
        4 => json!([]),
        5 => json!({}),
        6 => json!(["null", "int"]),
        7 => json!({"type": "string"}),
        8 => json!({"type": ["null", "int"]}),
        9 => json!({"type": "array", "items": "long"}),
        10 => json!({"type": "error", "name": "E0", "fields": []}),
        _ => json!(choices.one(&[
            "null",
            "int",
            "string",
            "double",
            "record",
            "enum",
            "fixed",
            "array",
            "map",
            "union",
            "error",
            "R0",
            "E1",
            "n.R0",
            "n.m.F1",
            "",
            "a b",
            "1a",
            "é",
            "_",
            "a..b",
            ".R0",
            "R0.",
            "NaN",
            "1.5",
            "S1",
            "ASCENDING",
            "$",
        ])),
    }
}

fn change(value: &mut Value, choices: &mut Choices) {
    match value {
        Value::Object(map) if !choices.once_in(5) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let kept = keys.get(choices.below(keys.len().max(1))).cloned();
            match (choices.below(4), kept) {
                (0, Some(key)) => drop(map.remove(&key)),
                (1, Some(key)) => drop(map.insert(key, other(choices))),
                _ => {
                    let key = *choices.one(&[
                        "type",
                        "name",
                        "namespace",
                        "fields",
                        "items",
                        "values",
                        "symbols",
                        "size",
                        "default",
                        "aliases",
                        "order",
                        "doc",
                        "logicalType",
                        "precision",
                        "scale",
                        "x",
                    ]);
                    map.insert(key.to_owned(), other(choices));
                }
            }
        }
        Value::Array(list) if !list.is_empty() && !choices.once_in(5) => {
            let at = choices.below(list.len());
            match choices.below(4) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => {
                    let to = choices.below(list.len());
                    list.swap(at, to);
                }
                _ => list.insert(at, other(choices)),
            }
        }
        _ => *value = other(choices),
    }
}
