//! Neighbours that the program runs as one step: what they say together is what they say alone.
use super::*;

/// A field's type, one payload of it, and another that takes the other way where there is one.
fn kinds() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let item = |sku: &str, quantity| [text(sku), long(quantity), vec![0xff; 8]].concat();
    let words = r#"{"type":"array","items":"string"}"#;
    let prices = r#"{"type":"array","items":"double"}"#;
    let rows = r#"{"type":"array","items":{"type":"record","name":"R#","fields":[{"name":"a","type":"string"},
        {"name":"b","type":"int"},{"name":"c","type":"double"}]}}"#;
    vec![
        (r#""string""#, text("Zoë"), text(&"a".repeat(70))),
        (r#""int""#, long(-5), long(i64::from(i32::MIN))),
        (r#""long""#, long(3_000_000_000), long(i64::MIN)),
        (r#""double""#, vec![0xff; 8], vec![0; 8]),
        (
            r#"{"type":"fixed","name":"F#","size":3}"#,
            vec![0x80; 3],
            vec![0; 3],
        ),
        (r#"["null","string"]"#, long(0), [long(1), text("x")].concat()),
        (r#"["int","null"]"#, long(1), [long(0), long(300)].concat()),
        (
            r#"["string","double"]"#,
            [long(0), text("y")].concat(),
            [long(1), vec![0xff; 8]].concat(),
        ),
        (
            words,
            [long(2), text("é"), text(""), long(0)].concat(),
            [long(-1), long(2), text("z"), long(0)].concat(),
        ),
        (prices, [long(2), vec![0xff; 16], long(0)].concat(), long(0)),
        (
            rows,
            [long(2), item("", 1), item("sku", 900), long(0)].concat(),
            [long(-1), long(13), item("abc", 1), long(1), item("d", 0), long(0)].concat(),
        ),
        (
            r#"{"type":"map","values":"int"}"#,
            [long(1), text("k"), long(-1), long(0)].concat(),
            long(0),
        ),
    ]
}

/// Refused for a reason that the slow walk finds as well, and not at a place that it thinks is the end.
fn assert_refused(validator: &crate::schema::avro::validate::AvroValidator, payload: &[u8], of: &str) {
    let mismatch = validator.validate(payload).expect_err(of);
    assert_ne!(
        mismatch.expected, "expected the end, 0 bytes left over",
        "{of}: {payload:x?}"
    );
}

#[test]
fn any_three_neighbours_take_their_payloads_and_no_part_of_them() {
    let kinds = kinds();
    for (first, second, third) in triples(kinds.len()) {
        let fields: Vec<String> = [first, second, third]
            .iter()
            .enumerate()
            .map(|(index, kind)| {
                let of = kinds[*kind].0.replace('#', &index.to_string());
                format!(r#"{{"name":"f{index}","type":{of}}}"#)
            })
            .collect();
        let of = format!(
            r#"{{"type":"record","name":"R","fields":[{}]}}"#,
            fields.join(",")
        );
        let validator = schema(&of).validator().unwrap();
        for other in [false, true] {
            let one = |kind: usize| {
                if other {
                    kinds[kind].2.clone()
                } else {
                    kinds[kind].1.clone()
                }
            };
            let mut payload = [one(first), one(second), one(third)].concat();
            assert_eq!(validator.validate(&payload), Ok(()), "{of}: {payload:x?}");
            for length in 0..payload.len() {
                assert_refused(&validator, &payload[..length], &of);
            }
            payload.push(0);
            assert_refused(&validator, &payload, &of);
        }
    }
}

fn triples(of: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..of * of * of).map(move |number| (number / of / of, number / of % of, number % of))
}

#[test]
fn fixed_bytes_beyond_the_payload_are_refused_however_many_they_are() {
    let huge = i32::MAX - 8;
    for before in ["string", "int", "long"] {
        let of = format!(
            r#"{{"type":"array","items":{{"type":"record","name":"R","fields":[{{"name":"a","type":"{before}"}},
            {{"name":"b","type":{{"type":"fixed","name":"F","size":{huge}}}}},{{"name":"c","type":"F"}},
            {{"name":"d","type":"F"}}]}}}}"#
        );
        let validator = schema(&of).validator().unwrap();
        for payload in [&[2, 0, 0][..], &[4, 0, 0, 0], &[2, 0], &[1, 2, 0, 0]] {
            assert_refused(&validator, payload, &of);
        }
    }
}

#[test]
fn a_block_whose_last_item_lacks_fixed_bytes_is_refused_though_its_stated_size_counts_them() {
    let of = r#"{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"a","type":"string"},
        {"name":"b","type":"double"}]}}"#;
    let validator = schema(of).validator().unwrap();
    let whole = [vec![1, 18], text(""), vec![0; 8], vec![0]].concat();
    assert_eq!(validator.validate(&whole), Ok(()));
    for length in 0..whole.len() {
        assert_refused(&validator, &whole[..length], of);
    }
}
