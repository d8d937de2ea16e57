//! The single pass says yes exactly where the tape and the walk do.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::schema::Formats;
use crate::schema::json::parse::JsonSchema;
use crate::schema::json::validate::{JsonValidator, Reused, accepts_at_once, check_by_tape};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Each one's root is taken by the single pass; some hold parts that need a tape.
const SCHEMAS: &[&str] = &[
    r#"{"type":["object","array"]}"#,
    r#"{"type":"object","properties":{"id":{"type":"string","format":"hostname"},"a":{"format":"regex"},"b":{"minLength":1,"format":"unknown"}}}"#,
    r#"{"type":"object","required":["id","a"],"additionalProperties":false,"minProperties":2,"maxProperties":3,"properties":{
        "id":{"type":"string","minLength":1,"maxLength":3},"a":{"type":"integer","minimum":-1,"maximum":12},"":{},"né":{"type":"null"},
        "say \"a\"":{"type":"null"},"c:\\new":{"type":"null"}}}"#,
    r#"{"type":"object","properties":{"id":{"enum":["x","é",null,1.0,true]},"a":{"type":"number","exclusiveMinimum":0,"multipleOf":0.5},
        "name with spaces":{"pattern":"^[a-z]+$"}},"additionalProperties":{"type":"array","maxItems":2,"items":{"type":["string","integer"]}}}"#,
    r##"{"oneOf":[{"type":"null"},{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"boolean"},{"type":"object","properties":{"a":{"$ref":"#"}}}]}}]}"##,
    r#"{"type":"object","properties":{"a":{"not":{"type":"object","required":["id"]}},"id":{"type":"array","uniqueItems":true},"b":{"type":"array","contains":{"const":1}}},
        "required":["a"]}"#,
    r#"{"type":"array","minItems":1,"prefixItems":[{"type":"integer"},{"enum":["a","b"]}],"items":{"type":"array","prefixItems":[true],"items":false}}"#,
    r#"{"enum":["x",-0.0,10,null,false]}"#,
];

fn validator(text: &str) -> JsonValidator {
    let text = text.replacen(
        '{',
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","#,
        1,
    );
    JsonSchema::parse(&text, &[]).unwrap().validator().unwrap()
}

fn space() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![12 => Just(""), 1 => select(&[" ", "\n", "\t \r", "\u{c}", "\u{a0}"][..])]
}

fn key() -> impl Strategy<Value = &'static str> {
    let names = [
        r#""id""#,
        r#""a""#,
        r#""b""#,
        r#""""#,
        r#""n\u00e9""#,
        r#""né""#,
        r#""\u0061""#,
        r#""i\u0064""#,
        r#""name with spaces""#,
        r#""another one""#,
        r#""a\q""#,
        r#""say "a"""#,
        r#""say \"a\"""#,
        r#""say \u0022a\"""#,
        r#""c:\new""#,
        r#""c:\\new""#,
        "id",
    ];
    select(names.to_vec())
}

fn scalar() -> impl Strategy<Value = String> {
    let texts = [
        "null",
        "true",
        "false",
        "nul",
        "True",
        "0",
        "-0",
        "-0.0",
        "1",
        "1.0",
        "10e-1",
        "12",
        "12.0000001",
        "13",
        "01",
        "-",
        "1.",
        ".5",
        "0.5",
        "0.75",
        "1e3",
        "1E+3",
        "1e",
        "-1",
        "-1.5",
        "12345678",
        "123456789012345678901234567890",
        "1e400",
        "\"\"",
        "\"x\"",
        "\"a\"",
        "\"é\"",
        r#""\u00e9""#,
        r#""\n""#,
        r#""\ud83d""#,
        r#""\u12""#,
        "\"abc\"",
        "\"äöü\"",
        "\"abcd\"",
        "\"seven c\"",
        "\"eight ch\"",
        "\"a much longer text, with 31 or so\"",
        "\"a much longer text, with é in it\"",
        "\"tab\there\"",
        "\"open",
        "\"a\\\"b\"",
        "\u{feff}1",
    ];
    prop_oneof![3 => select(texts.to_vec()).prop_map(str::to_owned), 1 => any::<i32>().prop_map(|number| number.to_string())]
}

/// JSON, or nearly so.
fn json() -> impl Strategy<Value = String> {
    let spaced = |text: String, before: &str, after: &str| format!("{before}{text}{after}");
    let value = scalar().prop_recursive(4, 24, 4, move |inner| {
        let inner =
            (inner, space(), space()).prop_map(move |(text, before, after)| spaced(text, before, after));
        let member = (space(), key(), space(), inner.clone())
            .prop_map(|(before, key, after, value)| format!("{before}{key}{after}:{value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    });
    (value, space(), space()).prop_map(move |(text, before, after)| spaced(text, before, after))
}

fn agree(validator: &JsonValidator, payload: &[u8]) -> Result<(), TestCaseError> {
    let mut reused = Reused::default();
    for formats in [Formats::Annotate, Formats::Assert] {
        let program = validator.program(formats);
        let at_once = accepts_at_once(program, payload, &mut reused);
        let by_tape = check_by_tape(program, payload, &mut reused);
        let text = String::from_utf8_lossy(payload);
        prop_assert_eq!(at_once, by_tape.is_ok(), "{} {:?}", text, by_tape);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_pass_and_the_tape_agree_on_every_text(texts in vec(json(), 16)) {
        for schema in SCHEMAS {
            let validator = validator(schema);
            for text in &texts {
                agree(&validator, text.as_bytes())?;
            }
        }
    }

    #[test]
    fn they_agree_on_damaged_texts(text in json(), damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3), 1..3)) {
        let mut payload = text.into_bytes();
        for (at, byte, way) in damage {
            let at = at.index(payload.len() + 1);
            match way {
                0 => payload.insert(at, byte),
                1 if at < payload.len() => { payload.remove(at); }
                _ => payload.truncate(at),
            }
        }
        for schema in SCHEMAS {
            agree(&validator(schema), &payload)?;
        }
    }
}

#[test]
fn one_pass_takes_no_deeper_nesting_than_the_tape() {
    let validator = validator(SCHEMAS.first().unwrap());
    let in_parts = validator_of_parts();
    for depth in [127, 128, 129, 100_000] {
        let payload = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        agree(&validator, payload.as_bytes()).unwrap();
        agree(&in_parts, format!("{{\"a\":{payload}}}").as_bytes()).unwrap();
        let objects = format!("{}1{}", "{\"b\":".repeat(depth), "}".repeat(depth));
        agree(&validator, objects.as_bytes()).unwrap();
    }
}

/// Its member `a` needs a tape.
fn validator_of_parts() -> JsonValidator {
    validator(r#"{"type":"object","properties":{"a":{"not":{"type":"string"}}}}"#)
}

#[test]
fn parts_share_one_budget_of_steps() {
    let validator = validator(r#"{"type":"array","items":{"type":"array","uniqueItems":true}}"#);
    let numbers: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    let part = format!("[{}]", numbers.join(","));
    let payload = |parts: usize| format!("[{}]", vec![part.clone(); parts].join(","));
    let mut reused = Reused::default();
    let program = validator.program(Formats::Annotate);
    assert!(accepts_at_once(program, payload(100).as_bytes(), &mut reused));
    // The budget of the whole, which grows with the nodes, is the walk's to judge.
    assert!(!accepts_at_once(program, payload(1_300).as_bytes(), &mut reused));
    assert!(validator.validate(payload(100).as_bytes()).is_ok());
}

#[test]
fn a_name_with_a_quote_or_a_backslash_is_taken_only_as_json_writes_it() {
    let validator = validator(
        r#"{"type":"object","required":["say \"a\"","c:\\new"],"properties":{"say \"a\"":{},"c:\\new":{}}}"#,
    );
    let mut reused = Reused::default();
    let program = validator.program(Formats::Annotate);
    for (payload, valid) in [
        (r#"{"say \"a\"":1,"c:\\new":2}"#, true),
        (r#"{"say \u0022a\u0022":1,"c:\u005cnew":2}"#, true),
        (r#"{"say "a"":1,"c:\\new":2}"#, false),
        (r#"{"say \"a\"":1,"c:\new":2}"#, false),
    ] {
        assert_eq!(
            accepts_at_once(program, payload.as_bytes(), &mut reused),
            valid,
            "{payload}"
        );
        agree(&validator, payload.as_bytes()).unwrap();
    }
}

#[test]
fn whole_numbers_of_every_length_are_read_exactly() {
    let validator = validator(
        r#"{"type":"array","items":{"type":"number","minimum":-1000000000000000000,"exclusiveMaximum":99999999}}"#,
    );
    for length in 1..40 {
        for digits in ["9", "1", "0"].map(|digit| digit.repeat(length)) {
            for text in [
                digits.clone(),
                format!("-{digits}"),
                format!("{digits}.5"),
                format!("-{digits}.0"),
                format!("1{digits}e-1"),
            ] {
                agree(&validator, format!("[{text},{text}   ]").as_bytes()).unwrap();
            }
        }
    }
    for text in [
        "99999998",
        "99999999",
        "99999998.0",
        "99999998.9",
        "100000000",
        "-1000000000000000000",
        "-1000000000000000001",
    ] {
        agree(&validator, format!("[{text}]").as_bytes()).unwrap();
    }
}

/// Each would be looked at a thousand million times: over the limit, or not looked at.
#[test]
fn long_lists_of_values_and_alternatives_cost_no_more_than_the_budget() {
    let many = |each: &str, count: usize| vec![each; count].join(",");
    let numbers: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let strings: Vec<String> = (0..20_000).map(|number| format!("\"{number}\"")).collect();
    let payload = format!("[{}]", many("-1", 50_000));
    for items in [
        format!("\"enum\":[{}]", numbers.join(",")),
        format!("\"enum\":[-1,{}]", numbers.join(",")),
        format!("\"enum\":[{}]", strings.join(",")),
        format!("\"anyOf\":[{},true]", many("{\"type\":\"null\"}", 20_000)),
        format!("\"oneOf\":[{}]", many("{\"type\":\"null\"}", 20_000)),
        format!("\"allOf\":[{}]", many("{\"type\":\"integer\"}", 20_000)),
    ] {
        let validator = validator(&format!("{{\"type\":\"array\",\"items\":{{{items}}}}}"));
        let start = std::time::Instant::now();
        let _ = validator.validate(payload.as_bytes());
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}

#[test]
fn a_long_list_of_strings_takes_its_strings_only() {
    let strings: Vec<String> = (0..100).map(|number| format!("\"{number}\"")).collect();
    let validator = validator(&format!(
        "{{\"type\":\"array\",\"items\":{{\"enum\":[{}]}}}}",
        strings.join(",")
    ));
    for text in ["\"7\"", "\"99\"", "\"100\"", "7", "null", "[]"] {
        agree(&validator, format!("[{text}]").as_bytes()).unwrap();
    }
}
