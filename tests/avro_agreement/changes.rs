//! Changes of a schema's text: of its JSON mostly, of its letters now and then.

use crate::numbers::Numbers;
use serde_json::{Value, json};

pub fn changed(mut schema: Value, numbers: &mut Numbers) -> String {
    for _ in 0..=numbers.below(2) {
        let nodes = count(&schema);
        let mut at = numbers.below(nodes);
        change_at(&mut schema, &mut at, numbers);
    }
    let text = schema.to_string();
    if !numbers.once(5) {
        return text;
    }
    let mut letters: Vec<char> = text.chars().collect();
    let at = numbers.below(letters.len());
    match numbers.below(3) {
        0 => drop(letters.remove(at)),
        1 => {
            letters[at] = *numbers.one(&[
                '"', '{', '}', '[', ']', ',', ':', '0', 'x', 'é', '.', '/', '*', ' ', '\\',
            ]);
        }
        _ => letters.insert(at, *numbers.one(&['"', ',', '1', '-', '.', 'e', ' ', '\n', '_'])),
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
fn change_at(value: &mut Value, at: &mut usize, numbers: &mut Numbers) -> bool {
    if *at == 0 {
        change(value, numbers);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|item| change_at(item, at, numbers)),
        Value::Object(map) => map.values_mut().any(|item| change_at(item, at, numbers)),
        _ => false,
    }
}

fn other(numbers: &mut Numbers) -> Value {
    match numbers.below(22) {
        0 => Value::Null,
        1 => json!(numbers.once(2)),
        2 => json!(numbers.border()),
        3 => json!(-1.5),
        4 => json!([]),
        5 => json!({}),
        6 => json!(["null", "int"]),
        7 => json!({"type": "string"}),
        8 => json!({"type": ["null", "int"]}),
        9 => json!({"type": "array", "items": "long"}),
        10 => json!({"type": "error", "name": "E0", "fields": []}),
        _ => json!(numbers.one(&[
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

fn change(value: &mut Value, numbers: &mut Numbers) {
    match value {
        Value::Object(map) if !numbers.once(5) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let kept = keys.get(numbers.below(keys.len().max(1))).cloned();
            match (numbers.below(4), kept) {
                (0, Some(key)) => drop(map.remove(&key)),
                (1, Some(key)) => drop(map.insert(key, other(numbers))),
                _ => {
                    let key = *numbers.one(&[
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
                    map.insert(key.to_owned(), other(numbers));
                }
            }
        }
        Value::Array(list) if !list.is_empty() && !numbers.once(5) => {
            let at = numbers.below(list.len());
            match numbers.below(4) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                2 => {
                    let to = numbers.below(list.len());
                    list.swap(at, to);
                }
                _ => list.insert(at, other(numbers)),
            }
        }
        _ => *value = other(numbers),
    }
}
