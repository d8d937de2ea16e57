//! The promise: on any schema and payload our JSON Schema validator says what the `jsonschema` crate says, and on
//! any bytes it calls the same texts JSON as `serde_json` does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use jsonschema::Draft;
use portcullis::schema::{MismatchKind, Schema, SchemaType, Validator};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3..4i32).prop_map(|number| json!(number)),
        select(vec![json!(0.5), json!(1.0), json!(-2.5), json!(1e20), json!(300)]),
        select(vec!["", "a", "b", "ab", "ba", "é", "a\n", "\"\\"]).prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "ab", "é"]).prop_map(str::to_owned)
}

fn names() -> impl Strategy<Value = Value> {
    prop::collection::btree_set(name(), 1..3).prop_map(|names| json!(names))
}

fn pattern() -> impl Strategy<Value = String> {
    select(vec!["a", "^a", "b$", "^[ab]{1,2}$", "^$", r"\w"]).prop_map(str::to_owned)
}

fn plain_keyword() -> impl Strategy<Value = (String, Value)> {
    let kind = || {
        select(vec![
            "null", "boolean", "integer", "number", "string", "array", "object",
        ])
    };
    let count = || 0..4u32;
    let limit = || {
        prop_oneof![
            (-3..4i32).prop_map(|number| json!(number)),
            Just(json!(0.5)),
            Just(json!(1e20))
        ]
    };
    let keyword = |name: &'static str, value: BoxedStrategy<Value>| {
        value.prop_map(move |value| (name.to_owned(), value))
    };
    prop_oneof![
        keyword("type", kind().prop_map(|kind| json!(kind)).boxed()),
        keyword(
            "type",
            prop::collection::btree_set(kind(), 1..4)
                .prop_map(|kinds| json!(kinds))
                .boxed()
        ),
        keyword(
            "enum",
            prop::collection::vec(value(), 1..4)
                .prop_map(Value::Array)
                .boxed()
        ),
        keyword("const", value().boxed()),
        (
            select(vec!["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
            limit()
        )
            .prop_map(|(name, value)| (name.to_owned(), value)),
        (
            select(vec![
                "minLength",
                "maxLength",
                "minItems",
                "maxItems",
                "minProperties",
                "maxProperties",
                "minContains",
                "maxContains"
            ]),
            count()
        )
            .prop_map(|(name, value)| (name.to_owned(), json!(value))),
        keyword("multipleOf", (1..4u32).prop_map(|number| json!(number)).boxed()),
        keyword("pattern", pattern().prop_map(Value::String).boxed()),
        keyword("uniqueItems", any::<bool>().prop_map(Value::Bool).boxed()),
        keyword("required", names().boxed()),
        keyword(
            "dependentRequired",
            (name(), names())
                .prop_map(|(name, names)| json!({ name: names }))
                .boxed()
        ),
        keyword(
            "$ref",
            select(vec!["#/definitions/x", "#/definitions/y", "#"])
                .prop_map(|text| json!(text))
                .boxed()
        ),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let object = |keywords: Vec<(String, Value)>| Value::Object(keywords.into_iter().collect::<Map<_, _>>());
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Value::Bool),
        8 => prop::collection::vec(plain_keyword(), 0..3).prop_map(object),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        let list = prop::collection::vec(inner.clone(), 1..4).prop_map(Value::Array);
        let named = prop::collection::vec((name(), inner.clone()), 0..4)
            .prop_map(|members| Value::Object(members.into_iter().collect()));
        let by_pattern = prop::collection::vec((pattern(), inner.clone()), 0..3)
            .prop_map(|members| Value::Object(members.into_iter().collect()));
        let composite = prop_oneof![
            (
                select(vec![
                    "items",
                    "additionalItems",
                    "contains",
                    "additionalProperties",
                    "propertyNames",
                    "not",
                    "if",
                    "then",
                    "else",
                    "unevaluatedItems",
                    "unevaluatedProperties",
                ]),
                inner
            ),
            (
                select(vec!["allOf", "anyOf", "oneOf", "items", "prefixItems"]),
                list
            ),
            (select(vec!["properties", "dependentSchemas"]), named),
            (Just("patternProperties"), by_pattern),
        ]
        .prop_map(|(name, value)| (name.to_owned(), value));
        prop::collection::vec(prop_oneof![1 => plain_keyword(), 2 => composite], 0..5).prop_map(object)
    })
}

const DRAFTS: [(&str, Draft); 5] = [
    ("http://json-schema.org/draft-04/schema#", Draft::Draft4),
    ("http://json-schema.org/draft-06/schema#", Draft::Draft6),
    ("http://json-schema.org/draft-07/schema#", Draft::Draft7),
    ("https://json-schema.org/draft/2019-09/schema", Draft::Draft201909),
    ("https://json-schema.org/draft/2020-12/schema", Draft::Draft202012),
];

fn validate(schema: &Value, payload: &[u8]) -> Option<Result<(), portcullis::schema::Mismatch>> {
    let parsed = match Schema::parse(SchemaType::Json, &schema.to_string(), &[]) {
        Ok(parsed) => parsed,
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("refers to itself"), "{error}: {schema}");
            return None;
        }
    };
    let Validator::Json(validator) = parsed.validator().unwrap() else {
        unreachable!()
    };
    Some(validator.validate(payload))
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn schemas_and_payloads_are_judged_as_by_the_second_opinion(
        mut root in schema(), x in schema(), y in schema(),
        payloads in prop::collection::vec(value(), 1..8), draft in select(DRAFTS.to_vec()),
    ) {
        if let Value::Object(object) = &mut root {
            object.insert("$schema".to_owned(), json!(draft.0));
            object.insert("definitions".to_owned(), json!({"x": x, "y": y}));
        }
        let meta_valid = jsonschema::options().with_draft(draft.1).build(&root.as_object().map_or(root.clone(), |_| json!({"$ref": draft.0})));
        // What its own meta-schema refuses has no agreed meaning.
        prop_assume!(meta_valid.is_ok_and(|meta| !root.is_object() || meta.is_valid(&root)));
        prop_assume!(root.is_object() || draft.1 == Draft::Draft7);
        // Ours first: it refuses the loops on which the other would never end.
        prop_assume!(validate(&root, b"0").is_some());
        let theirs = jsonschema::options().with_draft(draft.1).build(&root).unwrap();
        for payload in payloads {
            // To draft 4 a number with an exponent is no integer; to the other library it is.
            if draft.1 == Draft::Draft4 && payload.to_string().contains("1e+20") {
                continue;
            }
            let ours = validate(&root, payload.to_string().as_bytes()).unwrap();
            prop_assert_eq!(ours.is_ok(), theirs.is_valid(&payload), "{} on {}: {:?}", root, payload, ours);
            if let Err(mismatch) = ours {
                prop_assert_eq!(mismatch.kind, MismatchKind::Payload);
                prop_assert!(mismatch.expected != "expected what the schema says", "{} on {}", root, payload);
            }
        }
    }

    #[test]
    fn any_bytes_are_json_exactly_when_serde_json_says_so(
        payload in value(), pretty in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3u8, select(b"\"\\{}[],:0-+.eEtu \n\x00\x1f\xc3\xa9\xed".to_vec())), 0..4),
    ) {
        let mut text = if pretty { serde_json::to_vec_pretty(&payload) } else { serde_json::to_vec(&payload) }.unwrap();
        for (index, edit, byte) in edits {
            let at = index.index(text.len() + 1);
            match edit {
                0 => text.insert(at, byte),
                1 if at < text.len() => text[at] = byte,
                _ if at < text.len() => { text.remove(at); }
                _ => {}
            }
        }
        let theirs = std::str::from_utf8(&text).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
        let ours = validate(&json!({}), &text).unwrap();
        prop_assert_eq!(ours.is_ok(), theirs, "{:?}", String::from_utf8_lossy(&text));
        if let Err(mismatch) = ours {
            prop_assert_eq!(mismatch.kind, MismatchKind::NotJson);
        }
    }
}
