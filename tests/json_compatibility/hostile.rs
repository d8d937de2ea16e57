//! Pairs that are made to take long: an answer comes soon, if only the one that they are too complex.

use super::parse;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Debug builds on a busy machine included; what is exponential does not end at all.
const SOON: Duration = Duration::from_mins(1);

/// The kinds of what makes `new` not follow `old`, and the other way round.
fn kinds(old: &str, new: &str) -> [Vec<&'static str>; 2] {
    let (old, new) = (parse("7", old, None), parse("7", new, None));
    let started = Instant::now();
    let found = [new.incompatibilities(&old), old.incompatibilities(&new)];
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    found.map(|reasons| reasons.iter().map(|reason| reason.kind).collect())
}

/// Definitions that each apply the next one twice: 2^25 ways to the last.
fn doubling(keyword: &str, last: &str) -> String {
    let mut text = String::from(r##"{"$ref":"#/definitions/d0","definitions":{"##);
    for at in 0..25 {
        let next = format!(r##"{{"$ref":"#/definitions/d{}"}}"##, at + 1);
        write!(
            text,
            r#""d{at}":{{"{keyword}":[{next},{next},{{"minLength":{at}}}]}},"#
        )
        .unwrap();
    }
    text + &format!(r#""d25":{last}}}}}"#)
}

#[test]
fn a_fan_out_of_references_is_entered_once() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let old = doubling(keyword, r#"{"type":"string"}"#);
        let new = doubling(keyword, r#"{"type":"string","maxLength":3}"#);
        assert_eq!(kinds(&old, &old), [[""; 0]; 2]);
        let [backward, forward] = kinds(&old, &new);
        assert_eq!(backward, ["COMBINED_TYPE_SUBSCHEMAS_CHANGED"], "{keyword}");
        assert!(forward.is_empty(), "{keyword}");
    }
}

#[test]
fn properties_that_fan_out_end_at_the_limit_of_reasons() {
    let properties = |last: &str| {
        let mut text = String::from(r##"{"$ref":"#/definitions/d0","definitions":{"##);
        for at in 0..25 {
            let next = format!(r##"{{"$ref":"#/definitions/d{}"}}"##, at + 1);
            write!(text, r#""d{at}":{{"properties":{{"a":{next},"b":{next}}}}},"#).unwrap();
        }
        text + &format!(r#""d25":{last}}}}}"#)
    };
    let [backward, forward] = kinds(
        &properties(r#"{"type":"string"}"#),
        &properties(r#"{"type":"null"}"#),
    );
    assert_eq!((backward.len(), forward.len()), (100, 100));
}

/// Every member against every other, which differ from each other only deep inside.
#[test]
fn a_large_one_of_is_matched_or_said_to_be_too_complex() {
    let one_of = |members: usize, last: &str| {
        let member = |at: usize| {
            let last = if at + 1 == members { last } else { "" };
            format!(r#"{{"type":"object","properties":{{"kind":{{"enum":["k{at}"]}}}}{last}}}"#)
        };
        let members: Vec<String> = (0..members).map(member).collect();
        format!(r#"{{"oneOf":[{}]}}"#, members.join(","))
    };
    let old = one_of(200, "");
    assert_eq!(kinds(&old, &old), [[""; 0]; 2]);
    let [backward, forward] = kinds(&old, &one_of(200, r#","minProperties":1"#));
    assert_eq!(backward, ["COMBINED_TYPE_SUBSCHEMAS_CHANGED"]);
    assert!(forward.is_empty());
    let huge = one_of(9_000, "");
    assert_eq!(kinds(&huge, &huge), [["SCHEMA_TOO_COMPLEX"]; 2]);
}

#[test]
fn definitions_that_all_refer_to_each_other_are_answered_soon() {
    let web = |members: usize, keyword: &str, last: &str| {
        let all = |open: &str, close: &str| {
            let refs = (0..members).map(|to| {
                let name = if keyword == "properties" {
                    format!("\"p{to}\":")
                } else {
                    String::new()
                };
                format!(r##"{name}{{"$ref":"#/definitions/d{to}"}}"##)
            });
            format!("{open}{}{close}", refs.collect::<Vec<_>>().join(","))
        };
        let mut text = String::from(r##"{"$ref":"#/definitions/d0","definitions":{"##);
        for at in 0..members {
            let rest = match keyword {
                "properties" => format!(r#""properties":{}"#, all("{", "}")),
                _ => format!(r#""properties":{{"x":{{"{keyword}":{}}}}}"#, all("[", "]")),
            };
            write!(
                text,
                r#""d{at}":{{"type":"object","minProperties":{at},{rest}}},"#
            )
            .unwrap();
        }
        text + &format!(r#""last":{last}}}}}"#)
    };
    for (keyword, members) in [("properties", 40), ("oneOf", 12), ("anyOf", 12)] {
        let old = web(members, keyword, "{}");
        assert_eq!(kinds(&old, &old), [[""; 0]; 2], "{keyword}");
        let new = old.replace("\"minProperties\":7,", "\"minProperties\":8,");
        let [backward, forward] = kinds(&old, &new);
        assert!(
            !backward.is_empty() && forward.is_empty(),
            "{keyword}: {backward:?} {forward:?}"
        );
    }
}

/// Longer than any stack.
#[test]
fn a_long_chain_of_references_is_followed_to_its_end() {
    let chain = |last: &str| {
        let mut text = String::from(r##"{"$ref":"#/definitions/d0","definitions":{"##);
        for at in 0..8_000 {
            write!(
                text,
                r##""d{at}":{{"properties":{{"n":{{"$ref":"#/definitions/d{}"}}}}}},"##,
                at + 1
            )
            .unwrap();
        }
        text + &format!(r#""d8000":{last}}}}}"#)
    };
    let old = chain(r#"{"type":"string"}"#);
    assert_eq!(kinds(&old, &old), [[""; 0]; 2]);
    let (old, new) = (
        parse("7", &old, None),
        parse("7", &chain(r#"{"type":"null"}"#), None),
    );
    let reasons = new.incompatibilities(&old);
    assert_eq!(reasons.len(), 1);
    assert_eq!(reasons[0].kind, "TYPE_CHANGED");
    assert!(reasons[0].path.len() < 2_100 && reasons[0].path.contains('…'));
}

#[test]
fn many_properties_and_values_are_compared_soon() {
    let wide = |count: usize, kind: &str| {
        let properties: Vec<String> = (0..count)
            .map(|at| format!(r#""p{at}":{{"type":"{kind}"}}"#))
            .collect();
        let values: Vec<String> = (0..count).map(|at| format!("\"{kind}{at}\"")).collect();
        let required: Vec<String> = (0..count).map(|at| format!("\"p{at}\"")).collect();
        format!(
            r#"{{"properties":{{{}}},"required":[{}],"not":{{"enum":[{}]}}}}"#,
            properties.join(","),
            required.join(","),
            values.join(",")
        )
    };
    let old = wide(5_000, "string");
    assert_eq!(kinds(&old, &old), [[""; 0]; 2]);
    let [backward, forward] = kinds(&old, &wide(5_000, "null"));
    assert!(!backward.is_empty() && !forward.is_empty());
}

/// Patterns are matched with names in linear time, and only so many of them.
#[test]
fn many_patterns_against_many_names_end() {
    let patterns: Vec<String> = (0..1_500)
        .map(|at| format!(r#""^x{at}(a|b)*c$":{{"type":"string"}}"#))
        .collect();
    let old = format!(r#"{{"patternProperties":{{{}}}}}"#, patterns.join(","));
    let properties: Vec<String> = (0..1_500)
        .map(|at| format!(r#""y{at}":{{"type":"string"}}"#))
        .collect();
    let new = format!(
        r#"{{"patternProperties":{{{}}},"properties":{{{}}}}}"#,
        patterns.join(","),
        properties.join(",")
    );
    assert_eq!(kinds(&old, &new)[0], ["SCHEMA_TOO_COMPLEX"]);
}
