//! What this room promises, sentence by sentence. The Test Suite and the second opinion are in `tests/json_*.rs`.

use super::JsonSchema;
use super::validate::JsonValidator;
use crate::schema::{Formats, Mismatch, MismatchKind, ReferencedSchema, SchemaError};
use std::fmt::Write;

mod hostile;
mod violations;

fn validator(schema: &str) -> JsonValidator {
    JsonSchema::parse(schema, &[]).unwrap().validator().unwrap()
}

fn mismatch(schema: &str, payload: &str) -> Mismatch {
    validator(schema).validate(payload.as_bytes()).unwrap_err()
}

fn message(schema: &str, payload: &str) -> String {
    let mismatch = mismatch(schema, payload);
    assert_eq!(mismatch.kind, MismatchKind::Payload);
    format!("{}: {}", mismatch.path, mismatch.expected)
}

fn is_valid(schema: &str, payload: &str) -> bool {
    validator(schema).validate(payload.as_bytes()).is_ok()
}

fn refusal(schema: &str) -> String {
    match JsonSchema::parse(schema, &[]) {
        Ok(_) => panic!("accepted: {schema}"),
        Err(error) => error.to_string(),
    }
}

fn canonical(schema: &str) -> String {
    JsonSchema::parse(schema, &[]).unwrap().canonical()
}

fn reference(name: &str, text: &str) -> ReferencedSchema {
    ReferencedSchema {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

const ORDER: &str = r##"{
    "type": "object", "additionalProperties": false, "required": ["id", "items", "customer"],
    "properties": {
        "id": {"type": "string", "pattern": "^o-\\d+$"},
        "status": {"enum": ["NEW", "PAID", "SENT"]},
        "customer": {"type": "object", "required": ["email"], "properties": {"email": {"type": "string", "maxLength": 8}}},
        "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/item"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "parent": {"oneOf": [{"type": "null"}, {"type": "object", "required": ["id"]}]}
    },
    "definitions": {"item": {"type": "object", "properties": {"sku": {"type": "integer", "minimum": 1}}}}
}"##;

#[test]
fn a_mismatch_names_the_place_and_the_expectation() {
    let good = r#""id":"o-1","items":[{"sku":1}],"customer":{"email":"a@b.c"}"#;
    let with = |extra: &str| format!("{{{good},{extra}}}");
    assert!(is_valid(ORDER, &format!("{{{good}}}")));
    for (payload, expected) in [
        (
            r#"{"id":"o-1","items":[{"sku":1}]}"#.to_owned(),
            r#"$: missing property "customer""#,
        ),
        (
            r#"{"id":"o-1","items":[],"customer":{"email":""}}"#.to_owned(),
            "$.items: expected at least 1 items",
        ),
        (
            r#"{"id":"o-1","items":[{},{},{"sku":"x"}]}"#.to_owned(),
            "$.items[2].sku: expected integer",
        ),
        (
            r#"{"id":"o-1","items":[{"sku":0}]}"#.to_owned(),
            "$.items[0].sku: expected at least 1",
        ),
        (
            r#"{"id":"o-1","items":[{"sku":1.5}]}"#.to_owned(),
            "$.items[0].sku: expected integer",
        ),
        (
            r#"{"id":"x-1"}"#.to_owned(),
            r"$.id: expected a string that matches ^o-\d+$",
        ),
        (
            r#"{"customer":{}}"#.to_owned(),
            r#"$.customer: missing property "email""#,
        ),
        (
            r#"{"customer":{"email":"123456789"}}"#.to_owned(),
            "$.customer.email: expected at most 8 characters",
        ),
        (
            with(r#""status":"LOST""#),
            "$.status: expected one of 3 enum values",
        ),
        (
            with(r#""labels":{"a b":1}"#),
            r#"$.labels["a b"]: expected string"#,
        ),
        (with(r#""colour":1"#), "$.colour: property not allowed"),
        (with(r#""parent":{}"#), r#"$.parent: missing property "id""#),
        (
            with(r#""parent":7"#),
            "$.parent: matches none of 2 schemas in `oneOf`",
        ),
        ("[]".to_owned(), "$: expected object"),
    ] {
        assert_eq!(message(ORDER, &payload), expected, "{payload}");
    }
}

#[test]
fn a_message_never_holds_the_payloads_values_and_stays_on_one_line() {
    let payload = r#"{"labels":{"line\nbreak":["secret"]},"id":"o-1","items":[{}],"customer":{"email":""}}"#;
    assert_eq!(
        message(ORDER, payload),
        r#"$.labels["line\nbreak"]: expected string"#
    );
    let long = format!(r#"{{"labels":{{"{}":1}}}}"#, "x".repeat(5_000));
    assert!(message(ORDER, &long).len() < 200);
}

#[test]
fn a_format_refuses_only_where_it_is_asserted_and_only_strings() {
    let schema =
        r#"{"type":"object","properties":{"at":{"items":{"format":"date-time"}},"id":{"format":"colour"}}}"#;
    let validator = validator(schema);
    let bad = br#"{"at":["2023-01-01T00:00:00Z",7,"today"],"id":"blue"}"#;
    assert!(validator.validate(bad).is_ok());
    assert!(validator.validate_with(bad, Formats::Annotate).is_ok());
    let mismatch = validator.validate_with(bad, Formats::Assert).unwrap_err();
    assert_eq!(mismatch.path, "$.at[2]");
    assert_eq!(mismatch.expected, "expected a string of format date-time");
    let good = br#"{"at":["2023-01-01T00:00:00Z",7,null],"id":"blue"}"#;
    assert!(validator.validate_with(good, Formats::Assert).is_ok());
}

#[test]
fn a_format_beside_a_reference_counts_from_2019_09_on() {
    let schema = |draft: &str| {
        validator(&format!(
            r##"{{"$schema":"{draft}","$ref":"#/definitions/s","format":"ipv4","definitions":{{"s":{{"minLength":1}}}}}}"##
        ))
    };
    let old = schema("http://json-schema.org/draft-07/schema#");
    let new = schema("https://json-schema.org/draft/2019-09/schema");
    assert!(old.validate_with(b"\"x\"", Formats::Assert).is_ok());
    assert!(new.validate_with(b"\"x\"", Formats::Assert).is_err());
    assert!(new.validate_with(b"\"\\u0031.2.3.4\"", Formats::Assert).is_ok());
    assert!(new.validate(b"\"x\"").is_ok());
}

#[test]
fn a_bad_property_name_is_told_from_a_bad_value() {
    let schema = r#"{"propertyNames":{"maxLength":2}}"#;
    assert_eq!(
        message(schema, r#"{"abc":1}"#),
        "$.abc: property name: expected at most 2 characters"
    );
}

#[test]
fn what_is_not_json_is_refused_as_such() {
    for payload in [
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "[1 2]",
        "[,1]",
        r#"{"a":1,}"#,
        r#"{"a" 1}"#,
        "{a:1}",
        "{'a':1}",
        r#"{"a":1]"#,
        "[1}",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-",
        "--1",
        "0x1",
        "NaN",
        "Infinity",
        "nul",
        "nulll",
        "tru",
        "\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        "\"a\nb\"",
        "\"a\tb\"",
        "1 2",
        "{} {}",
        "[]]",
        "\u{feff}1",
        "\u{feff}{}",
        "// c\n1",
        "[1]\0",
        "\0",
        "\u{a0}1",
        r#"{"a"}"#,
        r"{1:1}",
        "[\"a]",
    ] {
        let error = validator("{}").validate(payload.as_bytes()).unwrap_err();
        assert_eq!(error.kind, MismatchKind::NotJson, "{payload:?}: {error:?}");
        assert_eq!(error.path, "$");
    }
    for payload in [
        &b"\"\xff\""[..],
        b"\"\xc3\"",
        b"\"\xed\xa0\x80\"",
        b"\xff",
        b"\"\xc0\x80\"",
        b"{\"\xf5\":1}",
    ] {
        assert_eq!(
            validator("true").validate(payload).unwrap_err().kind,
            MismatchKind::NotJson
        );
    }
}

#[test]
fn what_the_grammar_allows_is_json() {
    for payload in [
        "-0",
        "1e400",
        "-1E-400",
        "0.0e0",
        "123456789012345678901234567890",
        " \t\r\n[ ] ",
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\u0000\/\b\f""#,
        r#"{"a":1,"a":2}"#,
        r#"{"":{}}"#,
        "\"\u{7f}\u{2028}\"",
        "null",
    ] {
        assert!(is_valid("{}", payload), "{payload:?}");
    }
}

#[test]
fn a_malformed_payload_is_named_by_its_byte() {
    assert_eq!(
        mismatch("{}", r#"{"a":01}"#).expected,
        "expected `,` or the end of the object or array at byte 6"
    );
}

#[test]
fn nesting_stops_at_the_limit_whatever_the_schema() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(is_valid("{}", &nested(128)));
    assert_eq!(mismatch("{}", &nested(129)).kind, MismatchKind::OverLimit);
    assert_eq!(mismatch("{}", &"[".repeat(10_000)).kind, MismatchKind::OverLimit);
    let objects = r#"{"a":"#.repeat(100_000);
    assert_eq!(mismatch("{}", &objects).kind, MismatchKind::OverLimit);
}

#[test]
fn a_recursive_schema_walks_the_deepest_payload_on_a_small_stack() {
    let schema = r##"{"definitions":{"n":{"allOf":[{"anyOf":[{"not":{"type":"string"}}]}],
        "type":["object","null"],"properties":{"n":{"oneOf":[{"$ref":"#/definitions/n"}]}}}},
        "$ref":"#/definitions/n"}"##;
    let payload = format!("{}null{}", r#"{"n":"#.repeat(128), "}".repeat(128));
    let check = move || {
        let validator = validator(schema);
        assert!(validator.validate(payload.as_bytes()).is_ok());
    };
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(check)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn the_longest_chains_reach_the_limit_and_not_the_end_of_the_stack() {
    let mut schema = r##"{"$ref":"#/definitions/c0","definitions":{"##.to_owned();
    for index in 0..50 {
        let _ = write!(
            schema,
            r##""c{index}":{{"title":"","allOf":[{{"$ref":"#/definitions/c{}"}}],"minProperties":0}},"##,
            index + 1
        );
    }
    schema.push_str(r##""c50":{"additionalProperties":{"$ref":"#/definitions/c0"}}}}"##);
    let payload = format!("{}1{}", r#"{"n":"#.repeat(100), "}".repeat(100));
    let check = move || {
        assert_eq!(mismatch(&schema, &payload).kind, MismatchKind::OverLimit);
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(check)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_payload_of_countless_values_is_over_the_limit() {
    let payload = format!("[{}0]", "0,".repeat(1 << 20));
    assert_eq!(mismatch("{}", &payload).kind, MismatchKind::OverLimit);
    assert!(is_valid("{}", &format!("\"{}\"", "x".repeat(10 << 20))));
}

#[test]
fn every_occurrence_of_a_duplicate_key_is_checked() {
    let schema = r#"{"properties":{"a":{"type":"integer"}}}"#;
    assert!(is_valid(schema, r#"{"a":1,"a":2}"#));
    assert!(!is_valid(schema, r#"{"a":"x","a":2}"#));
    assert!(!is_valid(schema, r#"{"a":1,"a":"x"}"#));
    assert!(!is_valid(r#"{"required":["a","b"]}"#, r#"{"a":1,"a":2}"#));
}

#[test]
fn escaped_names_and_values_mean_what_they_say() {
    let schema = r#"{"properties":{"é":{"const":"ü😀"}},"required":["é"],"additionalProperties":false}"#;
    assert!(is_valid(schema, r#"{"\u00e9":"\u00fc\ud83d\ude00"}"#));
    assert!(!is_valid(schema, r#"{"\u00e8":"\u00fc\ud83d\ude00"}"#));
    assert!(is_valid(r#"{"maxLength":1,"minLength":1}"#, r#""\ud83d\ude00""#));
    assert!(is_valid(r#"{"maxLength":1,"minLength":1}"#, r#""\ud83d""#));
    assert!(!is_valid(r#"{"uniqueItems":true}"#, r#"["a","\u0061"]"#));
}

#[test]
fn numbers_are_compared_exactly() {
    assert!(!is_valid(r#"{"maximum":9007199254740992}"#, "9007199254740993"));
    assert!(is_valid(
        r#"{"maximum":123456789012345678901234567890}"#,
        "123456789012345678901234567890"
    ));
    assert!(!is_valid(
        r#"{"maximum":123456789012345678901234567890}"#,
        "123456789012345678901234567891"
    ));
    assert!(is_valid(r#"{"multipleOf":0.01}"#, "19.99"));
    assert!(is_valid(r#"{"multipleOf":0.0001}"#, "0.0075"));
    assert!(!is_valid(r#"{"multipleOf":0.01}"#, "19.999"));
    assert!(is_valid(r#"{"type":"integer","multipleOf":0.5}"#, "1e308"));
    assert!(is_valid(r#"{"minimum":0}"#, "-0"));
    assert!(is_valid(r#"{"enum":[0]}"#, "-0.0"));
    assert!(is_valid(r#"{"const":100}"#, "1.0e2"));
    assert!(is_valid(r#"{"exclusiveMinimum":1e-400}"#, "1.1e-400"));
    assert!(!is_valid(r#"{"maximum":1}"#, "1e999999999999999999999"));
    assert!(is_valid(r#"{"type":"integer"}"#, "10.00"));
    for (limit, below, above) in [
        ("0", "-0.1", "0.1"),
        ("-3", "-3.5", "-2.999"),
        ("7", "6.99", "7.01"),
        ("-1", "-1.000001", "-0.5"),
    ] {
        let between = format!(r#"{{"minimum":{limit},"maximum":{limit}}}"#);
        assert!(is_valid(&between, &format!("{limit}.00")), "{limit}");
        assert!(
            !is_valid(&between, below) && !is_valid(&between, above),
            "{limit}"
        );
        assert!(
            is_valid(&format!(r#"{{"maximum":{limit}}}"#), below)
                && is_valid(&format!(r#"{{"minimum":{limit}}}"#), above)
        );
    }
    assert!(!is_valid(
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"integer"}"#,
        "10.00"
    ));
}

/// The single pass forgot the type beside the alternatives; found by the comparison with Python.
#[test]
fn an_integer_beside_alternatives_is_still_an_integer() {
    for keyword in ["anyOf", "oneOf"] {
        let schema = format!(r#"{{"type":"integer","{keyword}":[{{"minLength":1}}]}}"#);
        assert!(is_valid(&schema, "1.0"));
        assert_eq!(message(&schema, "1.5"), "$: expected integer");
        let old = format!(
            r#"{{"$schema":"http://json-schema.org/draft-04/schema#",{}"#,
            &schema[1..]
        );
        assert!(is_valid(&old, "1"));
        assert_eq!(message(&old, "1e2"), "$: expected integer");
    }
}

#[test]
fn uniqueness_of_many_items_is_decided_in_time() {
    let schema = r#"{"uniqueItems":true}"#;
    let mut payload = String::from("[");
    for index in 0..20_000 {
        let _ = write!(payload, r#"{{"a":{index},"b":[{index}.0]}},"#);
    }
    assert!(is_valid(schema, &format!("{payload}null]")));
    assert!(!is_valid(schema, &format!(r#"{payload}{{"b":[77e0],"a":77}}]"#)));
}

#[test]
fn more_required_names_than_a_word_has_bits_are_all_wanted() {
    let names: Vec<String> = (0..130).map(|index| format!("n{index}")).collect();
    let schema = format!(r#"{{"required":["{}"]}}"#, names.join("\",\""));
    let members = |skip: usize| {
        let kept: Vec<_> = names
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != skip)
            .map(|(_, name)| format!("\"{name}\":0"))
            .collect();
        format!("{{{}}}", kept.join(","))
    };
    assert!(is_valid(&schema, &members(usize::MAX)));
    for skip in [0, 63, 64, 129] {
        assert_eq!(
            message(&schema, &members(skip)),
            format!("$: missing property \"n{skip}\"")
        );
    }
}

#[test]
fn a_wide_table_of_properties_finds_each() {
    let mut schema = String::from(r#"{"additionalProperties":false,"properties":{"#);
    for index in 0..200 {
        let _ = write!(schema, r#""property_{index}":{{"const":{index}}},"#);
    }
    schema.push_str(r#""":true}}"#);
    assert!(is_valid(&schema, r#"{"property_199":199,"":1,"property_0":0}"#));
    assert!(!is_valid(&schema, r#"{"property_200":200}"#));
}

#[test]
fn references_are_found_by_name_by_id_and_by_pointer() {
    let references = [
        reference(
            "address.json",
            r#"{"$id":"http://example.com/address","type":"object","required":["zip"],"definitions":{"zip":{"type":"string"}}}"#,
        ),
        reference(
            "customer.json",
            r#"{"properties":{"address":{"$ref":"address.json"},"zip":{"$ref":"./address.json#/$defs/zip"}}}"#,
        ),
    ];
    for (schema, bad) in [
        (r#"{"$ref":"address.json"}"#, "{}"),
        (r#"{"$ref":"http://example.com/address"}"#, "{}"),
        (
            r#"{"$id":"http://acme.test/schemas/order","$ref":"address.json"}"#,
            "[]",
        ),
        (r#"{"items":{"$ref":"address.json#/definitions/zip"}}"#, "[1]"),
        (
            r#"{"$id":"http://acme.test/schemas/order","items":{"$ref":"customer.json"}}"#,
            r#"[{"address":{}}]"#,
        ),
        (r#"{"items":{"$ref":"customer.json"}}"#, r#"[{"zip":1}]"#),
    ] {
        let validator = JsonSchema::parse(schema, &references)
            .unwrap()
            .validator()
            .unwrap();
        let result = validator.validate(bad.as_bytes());
        assert!(result.is_err(), "{schema}");
    }
}

#[test]
fn a_reference_that_is_not_there_is_refused_and_never_fetched() {
    assert_eq!(
        refusal(r#"{"properties":{"a":{"$ref":"http://example.com/x.json#/y"}}}"#),
        "reference \"http://example.com/x.json#/y\" is not among the schema's references at #/properties/a"
    );
    assert_eq!(
        refusal(r##"{"items":{"$ref":"#/definitions/x"}}"##),
        "reference \"#/definitions/x\" points at nothing at #/items"
    );
    assert_eq!(
        refusal(r##"{"items":{"$ref":"#x"}}"##),
        "reference \"#x\" names no anchor at #/items"
    );
}

#[test]
fn confluents_bridge_from_defs_to_definitions_holds() {
    assert!(!is_valid(
        r##"{"$ref":"#/$defs/x","definitions":{"x":{"type":"null"}}}"##,
        "1"
    ));
}

#[test]
fn a_schema_of_the_wrong_shape_is_refused_with_its_place() {
    for (schema, expected) in [
        (
            r#"{"type":"strin"}"#,
            "`type` is not the name of a type or a list of such names at #",
        ),
        (
            r#"{"properties":{"a/b":{"minLength":-1}}}"#,
            "`minLength` is not a whole number of at least 0 at #/properties/a~1b",
        ),
        (
            r#"{"items":{"required":true}}"#,
            "`required` is not a list of names at #/items",
        ),
        (
            r#"{"items":3}"#,
            "expected a schema (an object or a boolean) at #/items",
        ),
        (r#"{"allOf":{}}"#, "`allOf` is not a list of schemas at #"),
        (
            r#"{"multipleOf":0}"#,
            "`multipleOf` is not a positive number of at most 19 digits at #",
        ),
        (r#"{"properties":[]}"#, "`properties` is not an object at #"),
        (r"[]", "expected a schema (an object or a boolean) at #"),
        (
            r#"{"type":"string""#,
            "the schema is not JSON: expected `,` or the end of the object or array at byte 16",
        ),
    ] {
        assert_eq!(refusal(schema), expected, "{schema}");
    }
}

#[test]
fn a_schema_that_refers_to_itself_for_the_same_value_is_refused() {
    for schema in [
        r##"{"$ref":"#"}"##,
        r##"{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}},"$ref":"#/definitions/a"}"##,
        r##"{"anyOf":[{"type":"null"},{"not":{"$ref":"#"}}]}"##,
        r##"{"if":{"$ref":"#"}}"##,
    ] {
        assert!(
            refusal(schema).contains("refers to itself for the same value"),
            "{schema}"
        );
    }
    assert!(is_valid(
        r##"{"properties":{"n":{"$ref":"#"}}}"##,
        r#"{"n":{"n":{}}}"#
    ));
}

#[test]
fn a_dynamic_loop_on_one_value_stops_at_the_limit() {
    let schema = r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"http://x.test/a",
        "$dynamicAnchor":"n","allOf":[{"$dynamicRef":"#n"}]}"##;
    assert_eq!(mismatch(schema, "1").kind, MismatchKind::OverLimit);
}

#[test]
fn a_fan_out_of_references_compiles_and_checks_in_bounded_time() {
    // The same target twice is one; with different siblings there are 2^25 ways, and the steps are counted.
    for (left, right, bounded) in [("", "", false), (r#","minLength":1"#, r#","maxLength":9"#, true)] {
        let mut schema = String::from(
            r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/a0","$defs":{"##,
        );
        for index in 0..25 {
            let next = format!(r##""$ref":"#/$defs/a{}""##, index + 1);
            let _ = write!(
                schema,
                r#""a{index}":{{"allOf":[{{{next}{left}}},{{{next}{right}}}]}},"#
            );
        }
        schema.push_str(r#""a25":{"type":"string"}}}"#);
        let result = validator(&schema).validate(b"\"x\"");
        if bounded {
            assert_eq!(result.unwrap_err().kind, MismatchKind::OverLimit);
        } else {
            assert!(result.is_ok());
        }
    }
}

#[test]
fn a_long_chain_of_references_is_followed_or_refused() {
    let chain = |length: usize| {
        let mut schema = String::from(r##"{"$ref":"#/definitions/a0","definitions":{"##);
        for index in 0..length {
            let _ = write!(
                schema,
                r##""a{index}":{{"$ref":"#/definitions/a{}"}},"##,
                index + 1
            );
        }
        let _ = write!(schema, r#""a{length}":{{"type":"string"}}}}}}"#);
        schema
    };
    assert!(!is_valid(&chain(100), "1"));
    assert!(refusal(&chain(20_000)).contains("over a limit"));
}

#[test]
fn large_schemas_are_refused_before_they_cost() {
    assert!(refusal(&" ".repeat(6 << 20)).contains("over a limit"));
    assert!(refusal(&format!("[{}1]", "1,".repeat(500_000))).contains("over a limit"));
    assert!(
        refusal(&format!("{}1{}", r#"{"not":"#.repeat(2_000), "}".repeat(2_000))).contains("over a limit")
    );
    let many: Vec<String> = (0..110_000).map(|index| format!(r#""p{index}":{{}}"#)).collect();
    assert!(refusal(&format!(r#"{{"properties":{{{}}}}}"#, many.join(","))).contains("over a limit"));
}

#[test]
fn a_pattern_that_explodes_is_not_enforced_and_said_so() {
    for pattern in [
        r"(\\p{L}{1000}){1000}",
        r"((a{100}){100}){100}",
        r"(?=a)b",
        r"(?<!a)b",
        r"(a)\\1",
        r"\\k<x>",
    ] {
        let schema = JsonSchema::parse(&format!(r#"{{"pattern":"{pattern}"}}"#), &[]).unwrap();
        let Err(SchemaError::Invalid(why)) = schema.validator() else {
            panic!("{pattern} was compiled")
        };
        assert!(why.contains("is not supported"), "{why}");
    }
    let evil = format!("\"{}!\"", "a".repeat(100_000));
    assert!(!is_valid(r#"{"pattern":"^(a+)+$"}"#, &evil));
}

#[test]
fn patterns_are_read_as_ecma_262_does() {
    for (pattern, text, expected) in [
        (r"^\\d+$", r"12", true),
        (r"^\\d+$", "\u{0663}", false),
        (r"^\\w$", "é", false),
        (r"^\\W$", "é", true),
        (r"^\\s$", "\u{feff}", true),
        (r"^\\S$", "\u{2003}", false),
        (r"^\\cC$", r"\u0003", true),
        (r"^[a\\d-]+$", "a-1", true),
        (r"^[\\w.-]+@x$", "a.b-c@x", true),
        (r"^[^\\D]$", "5", true),
        (r"^\\p{Letter}\\pL$", "éß", true),
        (r"^\\p{Script=Greek}+$", "αβ", true),
        (r"^a$", r"a\n", false),
        (r"^.$", r"\u2028", false),
        (r"^.$", "\u{1f432}", true),
        (r"^[[&&]+$", "[&", true),
        (r"^{a}$", "{a}", true),
        (r"^a{2}$", "aa", true),
        (r"^[^]$", r"\n", true),
        (r"[]", "a", false),
        (r"^\\u0041\\x42\\ud83d\\ude00$", "AB😀", true),
        (r"\\/\\-", "/-", true),
        (r"\\bfoo\\b", "a foo b", true),
        (r"es", "expression", true),
        (r"^(?<year>[0-9]{4})-x$", "2024-x", true),
    ] {
        let schema = format!(r#"{{"pattern":"{pattern}"}}"#);
        assert_eq!(
            is_valid(&schema, &format!("\"{text}\"")),
            expected,
            "{pattern} on {text}"
        );
    }
}

#[test]
fn the_canonical_text_is_jacksons() {
    for (schema, expected) in [
        (
            "{ \"type\" : \"string\" ,\n \"a\" : [ 1 , true , null ] }",
            r#"{"type":"string","a":[1,true,null]}"#,
        ),
        (r#"{"b":1,"a":2,"b":3}"#, r#"{"b":3,"a":2}"#),
        (
            r#"{"minimum":1.0,"maximum":1e5,"x":1.50,"y":-0,"z":-0.0}"#,
            r#"{"minimum":1.0,"maximum":1E+5,"x":1.50,"y":0,"z":0.0}"#,
        ),
        (
            r#"{"a":0.000001,"b":0.0000001,"c":123e-2,"d":12345678901234567890123,"e":1e400,"f":0e10,"g":1.5e-10,"h":12e0}"#,
            r#"{"a":0.000001,"b":1E-7,"c":1.23,"d":12345678901234567890123,"e":1E+400,"f":0E+10,"g":1.5E-10,"h":12}"#,
        ),
        (
            r#"{"title":"\u00e9\/\u001f\"\\\n\u007f"}"#,
            "{\"title\":\"é/\\u001F\\\"\\\\\\n\u{7f}\"}",
        ),
        (" true ", "true"),
    ] {
        assert_eq!(canonical(schema), expected);
        assert_eq!(
            canonical(expected),
            expected,
            "canonical text is its own canonical text"
        );
    }
}

#[test]
fn the_draft_decides_what_a_keyword_means() {
    let with = |draft: &str, rest: &str| format!(r#"{{"$schema":"{draft}",{rest}}}"#);
    let (four, seven) = (
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-07/schema#",
    );
    let modern = "https://json-schema.org/draft/2020-12/schema";
    assert!(!is_valid(
        &with(four, r#""minimum":1,"exclusiveMinimum":true"#),
        "1"
    ));
    assert!(is_valid(&with(four, r#""const":1"#), "2"));
    assert!(!is_valid(&with(seven, r#""items":[{"type":"null"}]"#), "[1]"));
    assert!(!is_valid(
        &with(modern, r#""prefixItems":[{"type":"null"}]"#),
        "[1]"
    ));
    assert!(
        is_valid(r#"{"prefixItems":[{"type":"null"}]}"#, "[1]"),
        "without $schema it is draft 7"
    );
    assert!(is_valid(
        r#"{"$schema":"http://unknown.test/x","prefixItems":[{"type":"null"}]}"#,
        "[1]"
    ));
    assert!(
        is_valid(r#"{"format":"email"}"#, "\"no\""),
        "a format is an annotation"
    );
}

#[test]
fn validating_again_on_the_same_thread_starts_afresh() {
    let (first, second) = (validator(ORDER), validator(r#"{"unevaluatedProperties":false}"#));
    for _ in 0..3 {
        assert!(first.validate(b"[").is_err());
        assert!(second.validate(br#"{"a":[1,2]}"#).is_ok());
        assert!(
            first
                .validate(br#"{"id":"o-1","items":[{}],"customer":{"email":""}}"#)
                .is_ok()
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn a_simple_pattern_matches_what_the_general_engine_matches(
        pattern in proptest::sample::select(vec![
            "^[a-c]{3}$", "^a*b+$", "^a*b*c?$", "^(ab)c{1,2}", "^a?b{2,}-$", "^[ab]+c[ab]+$", "^a", "^[^\\x00-a]*$", "^a*a$",
            "^(?:a|b)c$", "^a{2,3}a?$", "^$", "^b{0}a$", "^[a-b]*?c$",
        ]),
        text in "[abcé-]{0,7}",
    ) {
        let regex = regex::bytes::Regex::new(pattern).unwrap();
        if let Some(simple) = super::simple_pattern::SimplePattern::new(pattern) {
            proptest::prop_assert_eq!(simple.is_match(text.as_bytes()), regex.is_match(text.as_bytes()), "{} on {}", pattern, text);
        }
    }
}

#[test]
fn the_usual_patterns_are_simple_and_ambiguous_ones_are_not() {
    use super::simple_pattern::SimplePattern;
    for pattern in ["^[A-Z]{3}-[0-9]{4}$", "^ord-[0-9a-f]{12}$", "^[0-9]+(-)[a-z]*$"] {
        assert!(SimplePattern::new(pattern).is_some(), "{pattern}");
    }
    for pattern in [
        "[a-z]",
        "^a*a$",
        "^(a|bc)$",
        "^[^a]$",
        "^é*$",
        "^(ab)*$",
        r"^a\b$",
        "^[ab]+c?a$",
    ] {
        assert!(SimplePattern::new(pattern).is_none(), "{pattern}");
    }
}
