//! Each keyword's violation says where it is and what was expected, wherever the keyword stands.

use super::{message, validator};
use crate::schema::Formats;

pub const MODERN: &str = "https://json-schema.org/draft/2020-12/schema";
const OF_2019: &str = "https://json-schema.org/draft/2019-09/schema";
const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";
const DRAFT_4: &str = "http://json-schema.org/draft-04/schema#";

/// Draft, keywords, a payload that violates them, the path below it, the expectation.
const VIOLATIONS: &[(&str, &str, &str, &str, &str)] = &[
    (MODERN, r#""type":"string""#, "1", "", "expected string"),
    (
        MODERN,
        r#""type":["integer","null"]"#,
        "1.5",
        "",
        "expected integer or null",
    ),
    (
        MODERN,
        r#""type":["number","boolean","object"]"#,
        "[]",
        "",
        "expected number or boolean or object",
    ),
    (DRAFT_4, r#""type":"integer""#, "1.0", "", "expected integer"),
    (
        MODERN,
        r#""enum":[1,"a"]"#,
        "2",
        "",
        "expected one of 2 enum values",
    ),
    (
        MODERN,
        r#""const":[1]"#,
        "[2]",
        "",
        "expected the schema's constant value",
    ),
    (MODERN, r#""minimum":1.5"#, "1", "", "expected at least 1.5"),
    (MODERN, r#""maximum":10"#, "11", "", "expected at most 10"),
    (MODERN, r#""exclusiveMinimum":1"#, "1", "", "expected more than 1"),
    (MODERN, r#""exclusiveMaximum":1"#, "1", "", "expected less than 1"),
    (
        DRAFT_4,
        r#""minimum":1,"exclusiveMinimum":true"#,
        "1",
        "",
        "expected more than 1",
    ),
    (
        DRAFT_4,
        r#""maximum":1,"exclusiveMaximum":true"#,
        "1",
        "",
        "expected less than 1",
    ),
    (
        MODERN,
        r#""multipleOf":0.01"#,
        "0.015",
        "",
        "expected a multiple of 0.01",
    ),
    (
        MODERN,
        r#""minLength":3"#,
        r#""éé""#,
        "",
        "expected at least 3 characters",
    ),
    (
        MODERN,
        r#""maxLength":1"#,
        r#""éé""#,
        "",
        "expected at most 1 characters",
    ),
    (
        MODERN,
        r#""pattern":"^a+$""#,
        r#""b""#,
        "",
        "expected a string that matches ^a+$",
    ),
    (MODERN, r#""minItems":2"#, "[1]", "", "expected at least 2 items"),
    (MODERN, r#""maxItems":0"#, "[1]", "", "expected at most 0 items"),
    (
        MODERN,
        r#""uniqueItems":true"#,
        "[1,2,1.0]",
        "",
        "expected no two equal items",
    ),
    (
        MODERN,
        r#""prefixItems":[true,{"type":"null"}]"#,
        "[0,1]",
        "[1]",
        "expected null",
    ),
    (
        MODERN,
        r#""prefixItems":[true],"items":false"#,
        "[0,1]",
        "[1]",
        "item not allowed",
    ),
    (
        MODERN,
        r#""items":{"type":"null"}"#,
        "[null,[null],1]",
        "[1]",
        "expected null",
    ),
    (
        DRAFT_7,
        r#""items":[{"type":"null"}]"#,
        "[1]",
        "[0]",
        "expected null",
    ),
    (
        DRAFT_7,
        r#""items":[true],"additionalItems":{"maxLength":0}"#,
        r#"[1,2,"a"]"#,
        "[2]",
        "expected at most 0 characters",
    ),
    (
        DRAFT_7,
        r#""items":[],"additionalItems":false"#,
        "[1]",
        "[0]",
        "item not allowed",
    ),
    (
        DRAFT_7,
        r#""contains":{"type":"null"}"#,
        "[1,2]",
        "",
        "expected at least 1 items that match `contains`",
    ),
    (
        MODERN,
        r#""contains":{"type":"null"},"minContains":2"#,
        "[null]",
        "",
        "expected at least 2 items that match `contains`",
    ),
    (
        MODERN,
        r#""contains":{"type":"null"},"maxContains":1"#,
        "[null,null]",
        "",
        "expected at most 1 items that match `contains`",
    ),
    (
        MODERN,
        r#""minProperties":1"#,
        "{}",
        "",
        "expected at least 1 properties",
    ),
    (
        MODERN,
        r#""maxProperties":1"#,
        r#"{"a":1,"b":2}"#,
        "",
        "expected at most 1 properties",
    ),
    (
        MODERN,
        r#""required":["a","b"]"#,
        r#"{"a":1}"#,
        "",
        r#"missing property "b""#,
    ),
    (
        MODERN,
        r#""properties":{"a":{"properties":{"b":{"type":"null"}}}}"#,
        r#"{"a":{"b":0}}"#,
        ".a.b",
        "expected null",
    ),
    (
        MODERN,
        r#""properties":{"a":false}"#,
        r#"{"a":1}"#,
        ".a",
        "value not allowed",
    ),
    (
        MODERN,
        r#""patternProperties":{"^x":{"type":"null"}}"#,
        r#"{"a":1,"x y":2}"#,
        r#"["x y"]"#,
        "expected null",
    ),
    (
        MODERN,
        r#""properties":{"a":true},"additionalProperties":false"#,
        r#"{"a":1,"é":2}"#,
        r#"["é"]"#,
        "property not allowed",
    ),
    (
        MODERN,
        r#""additionalProperties":{"type":"null"}"#,
        r#"{"a":null,"b":[]}"#,
        ".b",
        "expected null",
    ),
    (
        MODERN,
        r#""propertyNames":{"pattern":"^a"}"#,
        r#"{"a":1,"b":2}"#,
        ".b",
        "property name: expected a string that matches ^a",
    ),
    (
        MODERN,
        r#""dependentRequired":{"a":["b","c"]}"#,
        r#"{"a":1,"b":2}"#,
        "",
        r#"missing property "c""#,
    ),
    (
        DRAFT_7,
        r#""dependencies":{"a":["b"]}"#,
        r#"{"a":1}"#,
        "",
        r#"missing property "b""#,
    ),
    (
        DRAFT_7,
        r#""dependencies":{"a":{"properties":{"b":{"type":"null"}}}}"#,
        r#"{"a":1,"b":2}"#,
        ".b",
        "expected null",
    ),
    (
        MODERN,
        r#""dependentSchemas":{"a":{"maxProperties":1}}"#,
        r#"{"a":1,"b":2}"#,
        "",
        "expected at most 1 properties",
    ),
    (
        MODERN,
        r#""allOf":[true,{"items":{"type":"null"}}]"#,
        "[null,1]",
        "[1]",
        "expected null",
    ),
    (
        MODERN,
        r#""anyOf":[{"type":"null"},{"type":"string"}]"#,
        "1",
        "",
        "matches none of 2 schemas in `anyOf`",
    ),
    (
        MODERN,
        r#""anyOf":[{"type":"null"},{"type":"array","items":{"type":"null"}}]"#,
        "[null,1]",
        "[1]",
        "expected null",
    ),
    (
        MODERN,
        r#""oneOf":[{"minimum":1},{"maximum":0}]"#,
        "0.5",
        "",
        "matches none of 2 schemas in `oneOf`",
    ),
    (
        MODERN,
        r#""oneOf":[true,{"type":"null"}]"#,
        "null",
        "",
        "matches more than one schema of `oneOf`",
    ),
    (
        MODERN,
        r#""oneOf":[{"type":"null"},{"type":"object","required":["a"]}]"#,
        "{}",
        "",
        r#"missing property "a""#,
    ),
    (
        MODERN,
        r#""not":{"type":"null"}"#,
        "null",
        "",
        "matches the schema in `not`",
    ),
    (
        DRAFT_7,
        r#""if":{"required":["a"]},"then":{"properties":{"a":{"type":"null"}}}"#,
        r#"{"a":1}"#,
        ".a",
        "expected null",
    ),
    (
        DRAFT_7,
        r#""if":{"type":"string"},"else":{"minimum":3}"#,
        "2",
        "",
        "expected at least 3",
    ),
    (
        MODERN,
        r##""$ref":"#/$defs/d""##,
        r#"{"d":1}"#,
        ".d",
        "expected null",
    ),
    (
        MODERN,
        r##""$dynamicRef":"#d""##,
        r#"{"d":1}"#,
        ".d",
        "expected null",
    ),
    (
        OF_2019,
        r##""properties":{"d":{"$recursiveRef":"#"}}"##,
        r#"{"d":1}"#,
        ".d",
        "expected object",
    ),
    (
        MODERN,
        r#""properties":{"a":true},"unevaluatedProperties":false"#,
        r#"{"a":1,"b":2}"#,
        ".b",
        "property not allowed",
    ),
    (
        MODERN,
        r#""allOf":[{"properties":{"a":true}}],"unevaluatedProperties":{"type":"null"}"#,
        r#"{"a":1,"b":2}"#,
        ".b",
        "expected null",
    ),
    (
        MODERN,
        r#""prefixItems":[true],"unevaluatedItems":false"#,
        "[1,2]",
        "[1]",
        "item not allowed",
    ),
    (
        OF_2019,
        r#""items":[true],"unevaluatedItems":{"type":"null"}"#,
        "[1,2]",
        "[1]",
        "expected null",
    ),
];

/// Ways down to a value that is under the keywords, the payload around it, and the path to it.
const WAYS: &[(&str, &str, &str)] = &[
    (r#"{"properties":{"way":{~}}}"#, r#"{"way":~}"#, "$.way"),
    (
        r#"{"properties":{"list":{"items":{"allOf":[{"type":"object"},{"additionalProperties":{~}}]}}}}"#,
        r#"{"list":[{},{"x":~}]}"#,
        "$.list[1].x",
    ),
    (
        r#"{"anyOf":[{"type":"null"},{"type":"object","patternProperties":{"^deep":{"items":{~}}}}]}"#,
        r#"{"a":1,"deep down":[~]}"#,
        r#"$["deep down"][0]"#,
    ),
    (
        r#"{"oneOf":[{"type":"string"},{"type":"object","allOf":[{"properties":{"b":{"anyOf":[{~}]}}}]}]}"#,
        r#"{"b":~}"#,
        "$.b",
    ),
];

/// All that JSON Schema defines.
pub const FORMATS: [&str; 19] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
    "regex",
];

#[test]
fn every_keyword_says_where_and_what_at_the_top_and_deep_inside() {
    for (draft, keywords, bad, below, expected) in VIOLATIONS {
        for (schema, payload, path) in WAYS {
            let inner = schema.replace('~', keywords);
            let defs = r#""$defs":{"d":{"$dynamicAnchor":"d","properties":{"d":{"type":"null"}}}}"#;
            // The way is the document's, so that its references mean the document; a recursive one wants an object there.
            let schema = format!(r#"{{"$schema":"{draft}","type":"object",{defs},{}"#, &inner[1..]);
            let payload = payload.replace('~', bad);
            assert_eq!(
                message(&schema, &payload),
                format!("{path}{below}: {expected}"),
                "{schema} {payload}"
            );
        }
        let recursive = keywords.contains("$recursiveRef");
        let own_type = if recursive { r#""type":"object","# } else { "" };
        let defs = r#""$defs":{"d":{"$dynamicAnchor":"d","properties":{"d":{"type":"null"}}}}"#;
        let schema = format!(r#"{{"$schema":"{draft}",{own_type}{defs},{keywords}}}"#);
        assert_eq!(message(&schema, bad), format!("${below}: {expected}"), "{schema}");
    }
}

#[test]
fn every_format_says_where_and_what_at_the_top_and_deep_inside() {
    for name in FORMATS {
        for (schema, payload, path) in WAYS {
            let schema = schema.replace('~', &format!(r#""format":"{name}""#));
            let schema = format!(r#"{{"$schema":"{MODERN}",{}"#, &schema[1..]);
            let validator = validator(&schema);
            let payload = payload.replace('~', r#""\\ {(""#);
            assert!(validator.validate(payload.as_bytes()).is_ok());
            let mismatch = validator
                .validate_with(payload.as_bytes(), Formats::Assert)
                .unwrap_err();
            let said = format!("{}: {}", mismatch.path, mismatch.expected);
            assert_eq!(
                said,
                format!("{path}: expected a string of format {name}"),
                "{schema}"
            );
        }
    }
}
