//! What will be thrown at it: payloads and schemas that are meant to break it, each with its bound.

use super::violations::{FORMATS, MODERN};
use super::{is_valid, message, mismatch, reference, refusal, validator};
use crate::schema::json::JsonSchema;
use crate::schema::{Formats, MismatchKind, SchemaError};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Generous for a debug build beside others; what is exponential takes for ever.
const BOUND: Duration = Duration::from_secs(20);

fn in_time<T>(what: &str, check: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = check();
    assert!(started.elapsed() < BOUND, "{what} took {:?}", started.elapsed());
    result
}

/// With every sort of schema: by the single pass, by the tape, by formats.
fn kinds(payload: &[u8]) -> Vec<Option<MismatchKind>> {
    [
        "true",
        r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
        r#"{"not":{"const":0},"uniqueItems":true}"#,
        r#"{"format":"regex"}"#,
    ]
    .iter()
    .map(|schema| {
        let verdict = validator(schema).validate_with(payload, Formats::Assert);
        verdict.err().map(|mismatch| mismatch.kind)
    })
    .collect()
}

#[test]
fn ten_thousand_levels_are_over_the_limit_under_every_schema() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
        for text in [
            open.repeat(10_000),
            format!("{}1{}", open.repeat(10_000), close.repeat(10_000)),
        ] {
            for kind in in_time("nesting", || kinds(text.as_bytes())) {
                assert_eq!(kind, Some(MismatchKind::OverLimit));
            }
        }
    }
}

#[test]
fn a_number_beyond_any_double_is_compared_by_its_value_in_bounded_time() {
    assert!(is_valid("true", "1e400"));
    assert!(is_valid(r#"{"minimum":1e399}"#, "1e400"));
    assert!(!is_valid(r#"{"maximum":1e399}"#, "1e400"));
    assert!(is_valid(r#"{"multipleOf":7}"#, "7e999999999"));
    assert!(!is_valid(r#"{"multipleOf":7}"#, "1e999999999"));
    let long = "9".repeat(1 << 20);
    assert!(in_time("a long number", || !is_valid(r#"{"maximum":10}"#, &long)));
    assert!(in_time("a long number", || is_valid(
        r#"{"multipleOf":9}"#,
        &long
    )));
    let list = format!("[{long},1e{long},-{long}.{long}]");
    assert!(in_time("long numbers", || is_valid(
        r#"{"uniqueItems":true}"#,
        &list
    )));
}

#[test]
fn minus_zero_is_zero() {
    for text in ["-0", "-0.0", "-0e7", "0"] {
        assert!(is_valid(
            r#"{"type":"integer","const":0,"minimum":0,"maximum":0,"multipleOf":3}"#,
            text
        ));
        assert!(!is_valid(r#"{"exclusiveMinimum":0}"#, text));
    }
    assert!(!is_valid(r#"{"uniqueItems":true}"#, "[0,-0]"));
}

#[test]
fn a_lone_surrogate_is_a_character_like_any_other() {
    assert!(is_valid(r#"{"minLength":1,"maxLength":1}"#, r#""\udfff""#));
    assert!(is_valid(r#"{"minLength":2,"maxLength":2}"#, r#""\udc00\ud800""#));
    assert!(!is_valid(r#"{"pattern":"^.$"}"#, r#""\ud800""#));
    assert!(is_valid(
        r#"{"uniqueItems":true}"#,
        r#"["\ud800","\ud801","\ufffd"]"#
    ));
    assert!(!is_valid(r#"{"uniqueItems":true}"#, r#"["\ud800","\uD800"]"#));
    let schema = r#"{"additionalProperties":{"type":"null"}}"#;
    assert_eq!(message(schema, r#"{"\ud800":1}"#).matches('\n').count(), 0);
    assert_eq!(
        validator(r#"{"format":"uri-reference"}"#)
            .validate_with(br#""\ud800""#, Formats::Assert)
            .unwrap_err()
            .kind,
        MismatchKind::Payload
    );
}

#[test]
fn what_stands_before_or_behind_the_value_is_no_json() {
    for text in [
        "\u{feff}{}",
        "{}\u{feff}",
        "{},",
        "{\"a\":1,}",
        "[1,]",
        "{}x",
        "{}{}",
        "{}\0",
        "1 2",
        "null,",
    ] {
        assert_eq!(
            kinds(text.as_bytes()),
            [Some(MismatchKind::NotJson); 4],
            "{text:?}"
        );
    }
    assert_eq!(
        mismatch("true", "{}x").expected,
        "expected the end of the text at byte 2"
    );
}

#[test]
fn ten_megabytes_in_one_string_are_read_in_bounded_time() {
    let plain = format!("\"{}\"", "x".repeat(10 << 20));
    let escaped = format!("\"{}\"", r"\u00e9".repeat(10 << 18));
    for text in [&plain, &escaped] {
        let schema = r#"{"type":"string","minLength":5,"maxLength":100000000}"#;
        assert!(in_time("a long string", || is_valid(schema, text)));
        assert!(in_time("a long string", || !is_valid(
            r#"{"maxLength":1000}"#,
            text
        )));
        assert!(in_time("a long string", || !is_valid(r#"{"enum":["x"]}"#, text)));
    }
    let pattern = r#"{"pattern":"^(x|y)*$"}"#;
    assert!(in_time("a pattern", || is_valid(pattern, &plain)));
    // A tenth of it: a debug build reads these character by character.
    let tenth = format!("\"{}\"", "x".repeat(1 << 20));
    for format in FORMATS {
        let schema = format!(r#"{{"$schema":"{MODERN}","format":"{format}"}}"#);
        in_time(format, || {
            let _ = validator(&schema).validate_with(tenth.as_bytes(), Formats::Assert);
        });
    }
}

#[test]
fn a_hundred_thousand_members_of_one_name_are_each_checked() {
    let mut text = String::from("{");
    for _ in 0..100_000 {
        text.push_str(r#""a":1,"#);
    }
    let schema = r#"{"properties":{"a":{"type":"integer"}},"required":["a"]}"#;
    assert!(in_time("one name", || is_valid(
        schema,
        &format!(r#"{text}"a":2}}"#)
    )));
    assert_eq!(
        message(schema, &format!(r#"{text}"a":"x"}}"#)),
        "$.a: expected integer"
    );
}

#[test]
fn a_reference_to_the_network_or_to_a_file_is_refused_and_nothing_is_opened() {
    for target in [
        "http://127.0.0.1:1/x",
        "https://example.com/x#/y",
        "file:///etc/passwd",
        "//h/x",
        "../../etc/passwd",
        "ftp://h/x",
    ] {
        for schema in [
            format!(r#"{{"$ref":"{target}"}}"#),
            format!(
                r#"{{"$schema":"https://json-schema.org/draft/2020-12/schema","items":{{"$dynamicRef":"{target}"}}}}"#
            ),
            format!(r#"{{"$id":"http://acme.test/a","allOf":[{{"$ref":"{target}"}}]}}"#),
        ] {
            let why = in_time(target, || refusal(&schema));
            assert!(why.contains("is not among the schema's references"), "{why}");
        }
    }
}

#[test]
fn a_reference_to_itself_ends() {
    assert!(refusal(r##"{"$ref":"#"}"##).contains("refers to itself"));
    assert!(
        refusal(
            r#"{"$id":"http://a/b","$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"b"}"#
        )
        .contains("refers to itself")
    );
    let loops = [
        reference("a", r#"{"allOf":[{"$ref":"b"}]}"#),
        reference("b", r#"{"allOf":[{"$ref":"a"}]}"#),
    ];
    let Err(SchemaError::Invalid(why)) = JsonSchema::parse(r#"{"$ref":"a"}"#, &loops) else {
        panic!("a loop of documents was accepted")
    };
    assert!(why.contains("refers to itself"), "{why}");
}

/// Each level names the next twice: 2^25 ways to the last.
#[test]
fn a_fan_out_of_2_to_the_25_costs_its_places_and_not_its_ways() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let mut schema = String::from(r##"{"$ref":"#/definitions/a0","definitions":{"##);
        for index in 0..25 {
            let next = format!(r##""$ref":"#/definitions/a{}""##, index + 1);
            let _ = write!(
                schema,
                r#""a{index}":{{"{keyword}":[{{{next}}},{{"title":"","allOf":[{{{next}}}]}}]}},"#
            );
        }
        schema.push_str(r#""a25":{"type":"string"}}}"#);
        let validator = in_time(keyword, || validator(&schema));
        for payload in ["\"x\"", "1", "{}"] {
            let verdict = in_time(keyword, || validator.validate(payload.as_bytes()));
            let kind = verdict.err().map(|mismatch| mismatch.kind);
            assert!(kind != Some(MismatchKind::NotJson), "{keyword}");
        }
    }
}

#[test]
fn a_catastrophic_pattern_is_matched_in_linear_time() {
    let text = format!("\"{}!\"", "a".repeat(200_000));
    for pattern in [
        "^(a+)+$",
        "^(a|aa)+$",
        "^(a|a)*b$",
        "(.*)*x",
        "^([a-zA-Z]+)*$",
        "(a*)*(a*)*c",
    ] {
        let schema = format!(r#"{{"pattern":"{pattern}"}}"#);
        in_time(pattern, || is_valid(&schema, &text));
        let names = format!(r#"{{"patternProperties":{{"{pattern}":{{"type":"null"}}}}}}"#);
        in_time(pattern, || is_valid(&names, &format!("{{{text}:1}}")));
    }
}

#[test]
fn five_megabytes_of_schema_are_read_or_refused_in_bounded_time() {
    let values = |count: usize| vec!["1"; count].join(",");
    let members = |count: usize| {
        (0..count)
            .map(|index| format!(r#""property {index}":{{"type":"string"}}"#))
            .collect::<Vec<_>>()
            .join(",")
    };
    let big = [
        format!(r#"{{"title":"{}"}}"#, "x".repeat((5 << 20) - 12)),
        format!(r#"{{"enum":[{}]}}"#, values(100_000)),
        format!(r#"{{"properties":{{{}}}}}"#, members(40_000)),
        format!(r#"{{"pattern":"{}"}}"#, "a?".repeat(8_000)),
    ];
    for schema in &big {
        in_time("a large schema", || {
            if let Ok(schema) = JsonSchema::parse(schema, &[])
                && let Ok(validator) = schema.validator()
            {
                let _ = validator.validate(b"{\"property 7\":\"a\"}");
            }
        });
    }
    assert!(
        in_time("too large", || refusal(&format!(
            r#"{{"title":"{}"}}"#,
            "x".repeat(5 << 20)
        )))
        .contains("over a limit")
    );
    assert!(refusal(&format!(r#"{{"maximum":{}}}"#, "9".repeat(2_000))).contains("over a limit"));
}
