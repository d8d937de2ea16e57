//! Any bytes as a JSON payload, judged beside `serde_json` (is it JSON?) and the `jsonschema` crate (does it match?). Known
//! differences are kept apart: numbers that a double does not hold, a name twice, half a surrogate pair.
#![no_main]

use jsonschema::Validator;
use libfuzzer_sys::fuzz_target;
use portcullis::schema::MismatchKind;
use portcullis::schema::json::JsonSchema;
use portcullis::schema::json::validate::JsonValidator;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::LazyLock;

const SCHEMAS: [&str; 5] = [
    r##"{"$schema":"http://json-schema.org/draft-07/schema#","type":["object","array","string","integer"],"required":["a"],
        "properties":{"a":{"type":"string","minLength":2,"maxLength":4,"pattern":"^[a-c]+$"},"b":{"$ref":"#"},"n":{"minimum":-3,"exclusiveMaximum":7}},
        "additionalProperties":{"anyOf":[{"type":"integer","multipleOf":3},{"$ref":"#"}]},"items":{"$ref":"#"},"uniqueItems":true}"##,
    r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"t","type":["object","array","null","boolean"],"properties":{"c":{"$dynamicRef":"#t"}},
        "prefixItems":[{"const":{"a":[1]}}],"contains":{"type":"null"},"maxContains":2,"unevaluatedItems":{"$dynamicRef":"#t"},"unevaluatedProperties":false,
        "if":{"required":["c"]},"then":{"patternProperties":{"a":true},"maxProperties":2},"else":{"properties":{"d":true}}}"##,
    r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"oneOf":[{"items":[{"$recursiveRef":"#"}],"additionalItems":{"type":"null"},"type":"array"},
        {"type":"object","dependentRequired":{"a":["b"]},"dependentSchemas":{"c":{"minProperties":3}},"unevaluatedProperties":false,"properties":{"a":true,"b":{"$recursiveRef":"#"},"c":{"enum":[1,"x",null,[2]]}}},
        {"type":"number","minimum":-2}]}"##,
    r#"{"$schema":"http://json-schema.org/draft-06/schema#","propertyNames":{"maxLength":2},"additionalProperties":{"contains":{"not":{"const":0}}},"minProperties":1,"maxProperties":3,"maxItems":4}"#,
    r#"{"$schema":"http://json-schema.org/draft-07/schema#","enum":[null,"é","\u0000",-1,[0],{"a":{"b":[]}},true]}"#,
];

static VALIDATORS: LazyLock<Vec<(JsonValidator, Validator)>> = LazyLock::new(|| {
    SCHEMAS
        .iter()
        .map(|schema| {
            let ours = JsonSchema::parse(schema, &[]).unwrap().validator().unwrap();
            (ours, jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap())
        })
        .collect()
});

/// Whether a text that is JSON says the same to both: no name twice, each number a 64-bit integer or small and short.
struct IsPlain;

impl<'de> serde::de::DeserializeSeed<'de> for IsPlain {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IsPlain {
    type Value = bool;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(true)
    }
    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(true)
    }
    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(true)
    }
    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok((-1e15..1e15).contains(&value) && (value == 0.0 || value.abs() > 1e-15))
    }
    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(true)
    }
    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(true)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let mut plain = true;
        while let Some(item) = items.next_element_seed(IsPlain)? {
            plain &= item;
        }
        Ok(plain)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut names = HashSet::new();
        let mut plain = true;
        while let Some(name) = members.next_key::<String>()? {
            plain &= names.insert(name);
            plain &= members.next_value_seed(IsPlain)?;
        }
        Ok(plain)
    }
}

/// Numbers of more digits than a double surely keeps, and exponents that make one zero or too large.
fn has_long_number(payload: &[u8]) -> bool {
    let exponents = payload.split(|byte| matches!(byte, b'e' | b'E')).skip(1);
    let mut exponents = exponents.map(|rest| rest.iter().skip_while(|byte| matches!(byte, b'+' | b'-')));
    exponents.any(|digits| digits.take_while(|byte| byte.is_ascii_digit()).count() > 2)
        || payload.split(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .any(|digits| digits.len() > 15)
}

fuzz_target!(|data: &[u8]| {
    let Some((first, payload)) = data.split_first() else { return };
    let (ours, theirs) = &VALIDATORS[usize::from(*first) % SCHEMAS.len()];
    let verdict = ours.validate(payload);
    let kind = verdict.as_ref().err().map(|mismatch| mismatch.kind);
    if kind == Some(MismatchKind::OverLimit) {
        return;
    }
    let is_text = std::str::from_utf8(payload).is_ok();
    let is_json = is_text && serde_json::from_slice::<IgnoredAny>(payload).is_ok();
    assert_eq!(kind == Some(MismatchKind::NotJson), !is_json, "{verdict:?}");
    // Half a surrogate pair or a number beyond a double: no value to serde_json.
    let Ok(value) = serde_json::from_slice::<Value>(payload) else { return };
    let plain = serde_json::Deserializer::from_slice(payload).deserialize_any(IsPlain).unwrap();
    if plain && !has_long_number(payload) {
        assert_eq!(verdict.is_ok(), theirs.is_valid(&value), "{value}: {verdict:?}");
    }
});
