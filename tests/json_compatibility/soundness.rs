//! A second opinion from the validator: where a change is called backward compatible, what was valid is valid still. This
//! holds for what the schemas here are made of; `docs/compatibility-json.md` says where Confluent's rules do not keep it.

use portcullis::schema::{Formats, Schema, SchemaType, Validator};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::cell::Cell;

/// A schema without `$schema`: draft 7.
fn schema() -> impl Strategy<Value = Value> {
    let limit = || prop::option::of(0u32..4);
    let string = (limit(), limit()).prop_map(|(min, max)| {
        with(
            json!({ "type": "string" }),
            &[("minLength", min), ("maxLength", max)],
        )
    });
    let number = (
        prop::sample::select(vec!["integer", "number"]),
        limit(),
        limit(),
        prop::option::of(1u32..4),
    )
        .prop_map(|(kind, min, max, of)| {
            with(
                json!({ "type": kind }),
                &[("minimum", min), ("exclusiveMaximum", max), ("multipleOf", of)],
            )
        });
    let values = prop::sample::subsequence(vec![json!("a"), json!(1), json!(null), json!("bb")], 1..4)
        .prop_map(|values| json!({ "enum": values }));
    let leaf = prop_oneof![
        string,
        number,
        values,
        Just(json!({ "type": "boolean" })),
        Just(json!({ "type": ["null", "string"] })),
        Just(json!({})),
    ];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let properties = prop::collection::btree_map("[abc]", inner.clone(), 0..3);
        let rest = prop_oneof![Just(None), Just(Some(json!(false))), inner.clone().prop_map(Some)];
        let object = (
            properties,
            rest,
            prop::sample::subsequence(vec!["a", "b"], 0..2),
            limit(),
        )
            .prop_map(|(properties, rest, required, max)| {
                // A name that is required and no property is not compared.
                let required: Vec<&str> = required
                    .into_iter()
                    .filter(|name| properties.contains_key(*name))
                    .collect();
                let mut schema = with(
                    json!({ "type": "object", "properties": properties }),
                    &[("maxProperties", max)],
                );
                if let Some(rest) = rest {
                    schema["additionalProperties"] = rest;
                }
                if !required.is_empty() {
                    schema["required"] = json!(required);
                }
                schema
            });
        let list = (inner.clone(), limit(), limit(), any::<bool>()).prop_map(|(items, min, max, unique)| {
            let schema = json!({ "type": "array", "items": items, "uniqueItems": unique });
            with(schema, &[("minItems", min), ("maxItems", max)])
        });
        let any_of = prop::collection::vec(inner, 1..3).prop_map(|members| json!({ "anyOf": members }));
        prop_oneof![object, list, any_of]
    })
}

fn with(mut schema: Value, limits: &[(&str, Option<u32>)]) -> Value {
    for (keyword, limit) in limits {
        if let Some(limit) = limit {
            schema[*keyword] = json!(limit);
        }
    }
    schema
}

fn instance() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        (0i64..5).prop_map(|number| json!(number)),
        Just(json!(1.5)),
        "[ab]{0,4}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A change somewhere: a keyword goes, or comes from another schema, or the whole is replaced.
fn changed(schema: &Value, other: &Value, choices: &mut impl Iterator<Item = usize>) -> Value {
    let mut schema = schema.clone();
    let Some(object) = schema.as_object_mut() else {
        return other.clone();
    };
    let choice = choices.next().unwrap_or(0);
    let names: Vec<String> = object.keys().cloned().collect();
    let picked = names.get(choice % names.len().max(1)).cloned();
    match (choice % 5, picked) {
        (0, Some(name)) if name != "properties" && name != "type" => {
            object.remove(&name);
        }
        (1, _) => {
            for (name, value) in other.as_object().into_iter().flatten() {
                if !["type", "enum", "anyOf", "properties", "required"].contains(&name.as_str()) {
                    object.insert(name.clone(), value.clone());
                }
            }
        }
        (2, _) => return json!({ "anyOf": [schema, other] }),
        (3, _) => return other.clone(),
        _ => {
            for name in ["properties", "items", "additionalProperties", "anyOf"] {
                match object.get_mut(name) {
                    Some(Value::Object(members)) if name == "properties" => {
                        for member in members.values_mut() {
                            *member = changed(member, other, choices);
                        }
                        members.insert("c".to_owned(), other.clone());
                    }
                    Some(Value::Array(members)) => {
                        for member in members {
                            *member = changed(member, other, choices);
                        }
                    }
                    Some(member @ Value::Object(_)) => *member = changed(member, other, choices),
                    _ => {}
                }
            }
        }
    }
    schema
}

fn parse(schema: &Value) -> Schema {
    Schema::parse(SchemaType::Json, &schema.to_string(), &[])
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

fn accepts(schema: &Schema, instance: &Value) -> bool {
    let Validator::Json(validator) = schema.validator().unwrap() else {
        panic!("no JSON Schema")
    };
    validator
        .validate_with(instance.to_string().as_bytes(), Formats::Annotate)
        .is_ok()
}

#[test]
fn what_was_valid_is_valid_after_a_compatible_change() {
    let compatible = Cell::new(0);
    let strategy = (
        schema(),
        schema(),
        prop::collection::vec(0usize..100, 12),
        prop::collection::vec(instance(), 24),
    );
    let mut runner = TestRunner::new(ProptestConfig::with_cases(500));
    let outcome = runner.run(&strategy, |(old, other, choices, instances)| {
        let new = changed(&old, &other, &mut choices.into_iter().cycle());
        let (before, after) = (parse(&old), parse(&new));
        for (reader, writer, reads, wrote) in [(&after, &before, &new, &old), (&before, &after, &old, &new)] {
            if old != new && reader.incompatibilities(writer).is_empty() {
                compatible.set(compatible.get() + 1);
                for instance in &instances {
                    prop_assert!(
                        !accepts(writer, instance) || accepts(reader, instance),
                        "{reads} refuses {instance}, which {wrote} accepts",
                    );
                }
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        compatible.get() > 100,
        "only {} of the changes are compatible",
        compatible.get()
    );
}

proptest! {
    #[test]
    fn any_schema_is_compatible_with_itself(schema in schema()) {
        prop_assert_eq!(parse(&schema).incompatibilities(&parse(&schema)), []);
    }
}
