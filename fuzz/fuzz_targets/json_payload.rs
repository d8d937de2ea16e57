//! Any bytes as a JSON payload, under the schema that the first byte chooses: refused with a path and an expectation, the
//! same way twice, and the single pass accepts only what the walk over a tape accepts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::json::JsonSchema;
use portcullis::schema::json::validate::JsonValidator;
use portcullis::schema::{Formats, MismatchKind};
use std::sync::LazyLock;

const SCHEMAS: [&str; 9] = [
    "true",
    // What the single pass takes.
    r#"{"type":"object","required":["id","a"],"additionalProperties":false,"maxProperties":6,"properties":{"id":{"type":"string","minLength":1,"maxLength":9},
        "a":{"type":"integer","minimum":-1,"maximum":12},"e":{"enum":["x","é",null,1.0,true]},"n":{"type":"number","exclusiveMinimum":0,"multipleOf":0.5},
        "l":{"type":"array","maxItems":3,"items":{"type":["string","null"]}},"o":{"oneOf":[{"type":"null"},{"type":"string","pattern":"^[a-z]+$"}]}}}"#,
    // Everything that needs a tape.
    r##"{"type":["object","array","string","number"],"properties":{"a":{"type":"string","pattern":"^[a-z]+$"},"b":{"$ref":"#"}},
        "patternProperties":{"^x.*y$":{"not":{"type":"null"}}},"propertyNames":{"maxLength":5},"dependencies":{"a":["b"],"c":{"minProperties":2}},
        "additionalProperties":{"anyOf":[{"type":"integer"},{"$ref":"#"}]},"items":{"$ref":"#"},"uniqueItems":true,"multipleOf":0.5}"##,
    r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"t","type":["object","array","null"],
        "properties":{"c":{"$dynamicRef":"#t"}},"unevaluatedProperties":{"type":"integer"},"prefixItems":[{"const":{"a":[1]}}],"contains":{"type":"null"},
        "minContains":1,"maxContains":2,"unevaluatedItems":{"$dynamicRef":"#t"},"if":{"required":["c"]},"then":{"patternProperties":{"a":true}},"else":{"maxProperties":2}}"##,
    r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"oneOf":[{"items":[{"$recursiveRef":"#"}],"additionalItems":false,"type":"array"},
        {"required":["a"],"dependentRequired":{"a":["b"]},"unevaluatedProperties":false,"properties":{"a":true,"b":{"$recursiveRef":"#"}}},{"type":"number","minimum":1e-3,"maximum":9007199254740993}]}"##,
    r#"{"$schema":"http://json-schema.org/draft-04/schema#","items":{"type":"integer","minimum":0,"exclusiveMinimum":true,"enum":[1,2,3e0,10000000000000000000000]},"uniqueItems":true}"#,
    // Formats; the gateway asserts them where a contract says so.
    r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"a":{"format":"date-time"},"b":{"format":"duration"},"c":{"format":"email"},"d":{"format":"uri"},
        "e":{"format":"regex"},"f":{"format":"ipv6"},"g":{"format":"time"},"h":{"format":"uri-template"},"i":{"format":"uuid"}},"items":{"type":"string","format":"hostname"}}"#,
    r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"string","anyOf":[{"format":"idn-hostname"},{"format":"iri"},{"format":"json-pointer"},{"format":"relative-json-pointer"},{"format":"idn-email"}]}"#,
    r#"{"type":"string","minLength":2,"format":"regex"}"#,
];

static VALIDATORS: LazyLock<Vec<JsonValidator>> = LazyLock::new(|| {
    SCHEMAS
        .iter()
        .map(|schema| JsonSchema::parse(schema, &[]).unwrap().validator().unwrap())
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((first, payload)) = data.split_first() else { return };
    let validator = &VALIDATORS[usize::from(*first) % SCHEMAS.len()];
    let mut kinds = Vec::new();
    for formats in [Formats::Annotate, Formats::Assert] {
        let verdict = validator.validate_with(payload, formats);
        assert_eq!(verdict, validator.validate_with(payload, formats));
        let (at_once, by_tape) = validator.both_ways(payload, formats);
        assert!(!at_once || by_tape.is_ok());
        assert_eq!(verdict, by_tape);
        if let Err(mismatch) = &verdict {
            assert!(mismatch.path.starts_with('$') && !mismatch.path.contains('\n'), "{mismatch:?}");
            assert!(!mismatch.expected.is_empty() && !mismatch.expected.contains('\n'), "{mismatch:?}");
            assert!(mismatch.path.len() < 2_000, "{mismatch:?}");
        }
        kinds.push(verdict.err().map(|mismatch| mismatch.kind));
    }
    assert_eq!(validator.validate(payload).err().map(|mismatch| mismatch.kind), kinds[0]);
    // Whether it is JSON does not depend on the formats.
    let not_json = Some(MismatchKind::NotJson);
    assert_eq!(kinds[0] == not_json, kinds[1] == not_json);
});
