//! Schemas and payloads that are made to cost: each ends in bounded time and stack. The times are generous: debug builds
//! on a busy machine take a tenth of them, and what is not bounded takes for ever.
use super::*;
use crate::schema::avro::compat::incompatibilities;
use crate::schema::avro::parse::TEXT_BYTES_MAX;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_mins(2);

/// What is done, on a small stack (threads of a gateway have 2 MiB), and in bounded time.
fn bounded<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    let start = Instant::now();
    let done = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(what)
        .unwrap()
        .join()
        .unwrap();
    assert!(start.elapsed() < TIME, "took {:?}", start.elapsed());
    done
}

/// Everything that a registry and a gateway do with a schema.
fn used(text: String) -> Result<(), SchemaError> {
    assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
    bounded(move || {
        let schema = AvroSchema::parse(&text, &[])?;
        schema.check_as_new()?;
        let validator = schema.validator()?;
        for payload in [&[][..], &[0; 64], &[2; 64], &[0xff; 64]] {
            let _ = validator.validate(payload);
        }
        let _ = incompatibilities(&schema, &schema.clone());
        AvroSchema::parse(&schema.canonical(), &[]).map(drop)
    })
}

fn record(name: &str, fields: &[String]) -> String {
    format!(
        r#"{{"type":"record","name":"{name}","fields":[{}]}}"#,
        fields.join(",")
    )
}

fn many(count: usize, one: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(one).collect()
}

#[test]
fn ten_thousand_fields_are_a_schema() {
    for of in [
        "\"int\"",
        "[\"null\",\"string\"]",
        "{\"type\":\"array\",\"items\":\"R\"}",
    ] {
        let fields = many(10_000, |n| format!(r#"{{"name":"f{n}","type":{of}}}"#));
        assert_eq!(used(record("R", &fields)), Ok(()), "{of}");
    }
}

#[test]
fn megabytes_of_types_are_a_schema() {
    let fixed = many(100_000, |n| {
        format!(r#"{{"type":"fixed","name":"F{n}","size":1}}"#)
    });
    assert_eq!(used(format!("[{}]", fixed.join(","))), Ok(()));
    let fields = many(10_000, |n| {
        format!(r#"{{"name":"f{n}","type":{{"type":"record","name":"R{n}","fields":[]}}}}"#)
    });
    assert_eq!(used(record("R", &fields)), Ok(()));
}

#[test]
fn megabytes_of_symbols_aliases_properties_or_text_are_a_schema() {
    let names = many(300_000, |n| format!("\"A{n}\"")).join(",");
    assert_eq!(
        used(format!(r#"{{"type":"enum","name":"E","symbols":[{names}]}}"#)),
        Ok(())
    );
    assert_eq!(
        used(format!(
            r#"{{"type":"fixed","name":"F","size":1,"aliases":[{names}]}}"#
        )),
        Ok(())
    );
    let doc = "\\u0001".repeat(800_000);
    assert_eq!(
        used(format!(r#"{{"type":"fixed","name":"F","size":1,"doc":"{doc}"}}"#)),
        Ok(())
    );
    // Twice, in another order: they are compared.
    let properties = many(50_000, |n| format!("\"p{n}\":{n}"));
    let backwards: Vec<String> = properties.iter().rev().cloned().collect();
    let fixed = |properties: &[String]| {
        format!(
            r#"{{"type":"fixed","name":"F","size":1,{}}}"#,
            properties.join(",")
        )
    };
    let twice = [
        format!(r#"{{"name":"a","type":{}}}"#, fixed(&properties)),
        format!(r#"{{"name":"b","type":{}}}"#, fixed(&backwards)),
    ];
    assert_eq!(used(record("R", &twice)), Ok(()));
}

#[test]
fn five_megabytes_that_are_no_schema_are_refused() {
    let refused = |text: String| assert!(used(text).is_err());
    refused("[".repeat(5_000_000));
    refused("{\"type\":".repeat(500_000));
    refused("\"".repeat(5_000_000));
    refused("/".repeat(5_000_000));
    refused("/**/".repeat(1_200_000));
    refused("\\".repeat(5_000_000));
    refused(format!("[{}]", many(500_000, |_| "\"int\"".to_owned()).join(",")));
}

#[test]
fn names_that_collide_are_refused_whatever_has_them() {
    let kinds = [
        r#"{"type":"fixed","name":"n.X","size":1}"#,
        r#"{"type":"fixed","name":"n.X","size":2}"#,
        r#"{"type":"enum","name":"X","namespace":"n","symbols":["A"]}"#,
        r#"{"type":"enum","name":"n.X","symbols":["A","B"]}"#,
        r#"{"type":"record","name":"n.X","fields":[]}"#,
        r#"{"type":"error","name":"n.X","fields":[{"name":"a","type":"int"}]}"#,
    ];
    for (at, one) in kinds.iter().enumerate() {
        for (other_at, other) in kinds.iter().enumerate() {
            let fields = [
                format!(r#"{{"name":"a","type":{one}}}"#),
                format!(r#"{{"name":"b","type":{other}}}"#),
            ];
            let text = record("R", &fields);
            if at == other_at {
                assert_eq!(used(text), Ok(()));
            } else {
                assert_eq!(refused(&text), "Can't redefine: n.X (at /fields/1/type)");
            }
        }
    }
}

#[test]
fn aliases_that_name_each_other_are_only_names() {
    let text = r#"{"type":"record","name":"A","aliases":["B","A"],"fields":[
        {"name":"b","type":["null",{"type":"record","name":"B","aliases":["A","C"],"fields":[
            {"name":"c","aliases":["b","c"],"type":["null","A",{"type":"record","name":"C","aliases":["B","C"],"fields":[]}]}]}]}]}"#;
    assert_eq!(used(text.to_owned()), Ok(()));
    // A chain of ten thousand, each alias the next one's name, in a circle.
    let circle = many(10_000, |n| {
        format!(
            r#"{{"type":"record","name":"R{n}","aliases":["R{}"],"fields":[]}}"#,
            (n + 1) % 10_000
        )
    });
    assert_eq!(used(format!("[{}]", circle.join(","))), Ok(()));
    assert_eq!(
        refused(r#"{"type":"record","name":"A","aliases":["B"],"fields":[{"name":"b","type":"B"}]}"#),
        "Undefined schema: B"
    );
}

/// `R0 {x}`, `R1 {R0 R0}`, `R2 {R1 R1}`...: written out they would be 2^levels fields.
fn fan(levels: usize, default: &str) -> Vec<String> {
    let mut types = vec![format!(
        r#"{{"type":"record","name":"R0","fields":[{{"name":"x","type":"int"{default}}}]}}"#
    )];
    types.extend((1..levels).map(|level| {
        let below = level - 1;
        let default = if default.is_empty() { "" } else { ",\"default\":{}" };
        format!(
            r#"{{"type":"record","name":"R{level}","fields":[{{"name":"a","type":"R{below}"{default}}},{{"name":"b","type":"R{below}"{default}}}]}}"#
        )
    }));
    types
}

#[test]
fn a_fan_out_of_two_to_the_hundredth_is_a_schema() {
    assert_eq!(used(format!("[{}]", fan(100, "").join(","))), Ok(()));
}

#[test]
fn defaults_that_fan_out_are_refused_or_checked_in_bounded_time() {
    // Each costs 2^14 steps, and there are as many as the text holds.
    let mut types = fan(14, ",\"default\":0");
    let fields = many(60_000, |n| {
        format!(r#"{{"name":"f{n}","type":"R13","default":{{}}}}"#)
    });
    types.push(record("R", &fields));
    assert!(matches!(
        used(format!("[{}]", types.join(","))),
        Err(SchemaError::OverLimit(_))
    ));
    // One alone costs 2^60.
    let types = fan(60, ",\"default\":0");
    assert!(used(format!("[{}]", types.join(","))).is_err());
}

#[test]
fn hostile_payloads_are_refused_in_bounded_time_and_stack() {
    let list = r#"{"type":"record","name":"N","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","N"]}]}"#;
    let tree = r#"{"type":"record","name":"T","fields":[{"name":"a","type":{"type":"array","items":"T"}},
        {"name":"m","type":{"type":"map","values":["T","null"]}}]}"#;
    let nulls = r#"{"type":"array","items":"null"}"#;
    let longs = r#"{"type":"array","items":"long"}"#;
    let map = r#"{"type":"map","values":"null"}"#;
    let cases: Vec<(&'static str, Vec<u8>)> = vec![
        (list, [2, 2].repeat(5_000_000)),
        (tree, vec![2; 10_000_000]),
        (tree, [2, 0].repeat(5_000_000)),
        (tree, [1, 2].repeat(5_000_000)),
        (nulls, [long(1 << 40), long(0)].concat()),
        (nulls, [long(i64::MIN), long(0), long(0)].concat()),
        // Millions of blocks, each allowed.
        (nulls, [1, 0].repeat(5_000_000)),
        (nulls, long(1_000_000_000).repeat(1_000_000)),
        (longs, long(1 << 62)),
        (longs, [long(-(1 << 62)), long(1 << 62)].concat()),
        (longs, [0xff; 10].repeat(1_000_000)),
        (longs, [vec![4], vec![0x80; 10_000_000]].concat()),
        (map, long(1 << 62)),
        (map, [long(5_000_000), vec![0; 4_999_999]].concat()),
        (r#""string""#, [long(10_000_000), vec![0xc3; 10_000_000]].concat()),
        (r#""string""#, long(i64::MAX)),
        (r#"{"type":"fixed","name":"F","size":2147483639}"#, vec![0; 10]),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"R"}]}"#,
            vec![0; 10_000_000],
        ),
    ];
    for (of, payload) in cases {
        let found = bounded(move || check(of, &payload).unwrap_err());
        assert!(
            found.path.starts_with('$') && !found.expected.is_empty(),
            "{found:?}"
        );
        assert!(found.path.len() < 10_000, "{} letters of path", found.path.len());
    }
}
