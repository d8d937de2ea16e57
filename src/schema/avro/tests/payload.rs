//! The payload walk, case by case.
use super::*;

fn mismatch(text: &str, payload: &[u8]) -> Mismatch {
    match check(text, payload) {
        Err(mismatch) => mismatch,
        Ok(()) => panic!("valid for {text}: {payload:?}"),
    }
}

/// The path and the expectation of a payload that must be refused.
fn says(text: &str, payload: &[u8]) -> String {
    let Mismatch { kind, path, expected } = mismatch(text, payload);
    assert_eq!(kind, MismatchKind::Payload);
    format!("{path}: {expected}")
}

#[test]
fn a_good_order_is_valid() {
    assert_eq!(check(ORDER, &order_bytes()), Ok(()));
}

#[test]
fn an_order_truncated_at_any_offset_is_refused_at_the_field_that_is_missing() {
    let whole = order_bytes();
    for length in 0..whole.len() {
        let found = mismatch(ORDER, &whole[..length]);
        let mut end = 0;
        let field = order().into_iter().find(|(_, bytes)| {
            end += bytes.len();
            end > length
        });
        let (field, _) = field.unwrap();
        assert!(
            found.path.starts_with(&format!("$.{field}")),
            "{length}: {} for {field}",
            found.path
        );
    }
}

#[test]
fn one_byte_too_many_is_refused_at_the_root() {
    let mut payload = order_bytes();
    payload.push(0);
    assert_eq!(says(ORDER, &payload), "$: expected the end, 1 bytes left over");
}

#[test]
fn a_mismatch_names_the_item_and_the_field() {
    let payload: Vec<u8> = order().into_iter().take(7).flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(
        says(ORDER, &[payload, vec![1, 2, 3]].concat()),
        "$.items[0].price: expected double, 3 bytes left"
    );
}

#[test]
fn a_mismatch_names_the_key_of_a_map() {
    let map =
        r#"{"type":"record","name":"R","fields":[{"name":"labels","type":{"type":"map","values":"int"}}]}"#;
    let payload = [long(1), text("a \"b"), vec![0xff]].concat();
    assert_eq!(
        says(map, &payload),
        r#"$.labels["a \"b"]: expected int, 1 bytes left"#
    );
}

#[test]
fn a_boolean_is_one_byte_of_zero_or_one() {
    assert_eq!(check(r#""boolean""#, &[0]), Ok(()));
    assert_eq!(check(r#""boolean""#, &[1]), Ok(()));
    assert_eq!(
        says(r#""boolean""#, &[2]),
        "$: expected boolean, found a byte other than 0 and 1"
    );
    assert_eq!(says(r#""boolean""#, &[]), "$: expected boolean, 0 bytes left");
}

#[test]
fn an_int_fits_in_32_bits_and_five_bytes() {
    for value in [
        0,
        1,
        -1,
        63,
        64,
        -65,
        8191,
        8192,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
    ] {
        for tail in [0usize, 8] {
            let of = format!(
                r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":"int"}},
                {{"name":"b","type":{{"type":"fixed","name":"F","size":{tail}}}}}]}}"#
            );
            assert_eq!(
                check(&of, &[long(value), vec![0; tail]].concat()),
                Ok(()),
                "{value}"
            );
        }
    }
    for value in [i64::from(i32::MAX) + 1, i64::from(i32::MIN) - 1] {
        assert_eq!(
            says(r#""int""#, &long(value)),
            "$: expected int, found more than 32 bits"
        );
    }
    assert!(says(r#""int""#, &[0x80, 0x80, 0x80, 0x80, 0x80, 0]).contains("more bytes than it may have"));
    assert_eq!(
        check(r#""int""#, &[0x80, 0]),
        Ok(()),
        "a longer form than needed is what some encoders write"
    );
}

#[test]
fn a_long_has_ten_bytes_at_most_and_one_bit_in_the_tenth() {
    for value in [0, -1, 300, 1 << 20, 1 << 40, 1 << 55, 1 << 56, i64::MAX, i64::MIN] {
        assert_eq!(check(r#""long""#, &long(value)), Ok(()), "{value}");
        let two = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":"double"}]}"#;
        assert_eq!(check(two, &[long(value), vec![7; 8]].concat()), Ok(()), "{value}");
    }
    let mut payload = vec![0xff; 9];
    payload.push(2);
    assert_eq!(
        says(r#""long""#, &payload),
        "$: expected long, found more than 64 bits"
    );
    assert!(says(r#""long""#, &[0xff; 20]).contains("more bytes than it may have"));
}

#[test]
fn floats_and_doubles_are_any_four_and_eight_bytes() {
    assert_eq!(check(r#""float""#, &f32::NAN.to_le_bytes()), Ok(()));
    assert_eq!(check(r#""double""#, &f64::NAN.to_le_bytes()), Ok(()));
    assert_eq!(says(r#""float""#, &[0; 3]), "$: expected float, 3 bytes left");
    assert_eq!(says(r#""double""#, &[0; 7]), "$: expected double, 7 bytes left");
}

#[test]
fn a_string_is_utf8_of_its_length() {
    for good in [
        "",
        "a",
        "seven77",
        "eight888",
        "nine99999",
        "é",
        "日本語のテキスト",
        &"x".repeat(100),
        &"é".repeat(100),
    ] {
        assert_eq!(check(r#""string""#, &text(good)), Ok(()), "{good}");
        let two = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"string"},{"name":"b","type":"double"}]}"#;
        assert_eq!(
            check(two, &[text(good), vec![0xff; 8]].concat()),
            Ok(()),
            "{good}"
        );
    }
    for length in 1..40usize {
        for bad in 0..length {
            let mut bytes = vec![b'a'; length];
            bytes[bad] = 0xff;
            let payload = [long(length as i64), bytes].concat();
            assert_eq!(
                says(r#""string""#, &payload),
                "$: expected string, found bytes that are not UTF-8"
            );
        }
    }
    assert_eq!(
        says(r#""string""#, &long(-1)),
        "$: expected string, found a negative length"
    );
    assert_eq!(
        says(r#""string""#, &[0x10, b'a']),
        "$: expected string of 8 bytes, 1 bytes left"
    );
    assert!(says(r#""string""#, &long(i64::MAX)).contains("0 bytes left"));
}

#[test]
fn an_enum_index_names_a_symbol() {
    let of = r#"{"type":"enum","name":"E","symbols":["A","B"]}"#;
    assert_eq!(check(of, &long(1)), Ok(()));
    assert_eq!(
        says(of, &long(2)),
        "$: expected enum E (an index of 2 symbols), found index 2"
    );
    assert_eq!(
        says(of, &long(-1)),
        "$: expected enum E (an index of 2 symbols), found index -1"
    );
    assert_eq!(
        says(of, &long(1 << 33)),
        "$: expected enum E (an index of 2 symbols), found index 8589934592"
    );
    assert_eq!(
        says(of, &long(1 << 40)),
        "$: expected enum E (an index of 2 symbols), found a number of more bytes than it may have"
    );
}

#[test]
fn an_index_is_an_int_and_has_five_bytes_at_most() {
    for of in [
        r#"{"type":"enum","name":"E","symbols":["A","B"]}"#,
        r#"["null","string"]"#,
        r#"["string","null"]"#,
        r#"["null","long","string"]"#,
        r#"[{"type":"record","name":"R","fields":[]},{"type":"fixed","name":"F","size":0}]"#,
    ] {
        let index = if of.starts_with("[\"string") { 0x82 } else { 0x80 };
        assert_eq!(check(of, &[index, 0x80, 0x80, 0x80, 0]), Ok(()), "{of}");
        assert!(
            says(of, &[index, 0x80, 0x80, 0x80, 0x80, 0])
                .ends_with("found a number of more bytes than it may have"),
            "{of}"
        );
    }
}

#[test]
fn a_union_index_names_a_branch() {
    for of in [
        r#"["null","string"]"#,
        r#"["string","null"]"#,
        r#"["null","long"]"#,
        r#"["int","string"]"#,
    ] {
        assert_eq!(
            says(of, &long(2)),
            "$: expected union (an index of 2 branches), found index 2"
        );
        assert_eq!(
            says(of, &long(-1)),
            "$: expected union (an index of 2 branches), found index -1"
        );
        assert!(says(of, &[0x80]).starts_with("$: expected union (an index of 2 branches), 1 bytes left"));
    }
    assert_eq!(check(r#"["null","string"]"#, &long(0)), Ok(()));
    assert_eq!(check(r#"["string","null"]"#, &long(1)), Ok(()));
    assert_eq!(
        check(r#"["string","null"]"#, &[long(0), text("x")].concat()),
        Ok(())
    );
    assert_eq!(check(r#"["null","long"]"#, &[long(1), long(9)].concat()), Ok(()));
    assert_eq!(
        check(r#"["int","string","null"]"#, &[long(1), text("x")].concat()),
        Ok(())
    );
    assert_eq!(check(r#"["int","string","null"]"#, &long(2)), Ok(()));
    assert!(says("[]", &long(0)).contains("an index of 0 branches"));
}

#[test]
fn a_block_count_beyond_the_payload_is_refused_at_once() {
    let of = r#"{"type":"array","items":"long"}"#;
    for count in [1 << 62, i64::MAX, 1 << 40, 10] {
        let payload = [long(count), vec![0; 5]].concat();
        assert!(mismatch(of, &payload).path.starts_with('$'), "{count}");
    }
    let map = r#"{"type":"map","values":"null"}"#;
    assert!(says(map, &long(1 << 62)).contains("at most 2147483639 items"));
}

#[test]
fn a_block_with_a_negative_count_has_the_size_it_states() {
    let of = r#"{"type":"array","items":"long"}"#;
    let block = |count: i64, size: i64| [long(count), long(size), long(1), long(300), long(0)].concat();
    assert_eq!(check(of, &block(-2, 3)), Ok(()));
    assert_eq!(
        says(of, &block(-2, 2)),
        "$: expected array block to end where its size says"
    );
    assert_eq!(
        says(of, &block(-2, 4)),
        "$: expected array block to end where its size says"
    );
    assert!(says(of, &block(-2, -1)).contains("its stated size"));
    assert!(says(of, &block(-2, i64::MAX)).contains("its stated size"));
    assert!(!says(of, &block(i64::MIN, 3)).is_empty());
}

#[test]
fn several_blocks_make_one_array_and_the_index_goes_on() {
    let of = r#"{"type":"array","items":"boolean"}"#;
    assert_eq!(check(of, &[2, 1, 4, 0, 1, 0]), Ok(()));
    assert_eq!(
        says(of, &[2, 1, 4, 0, 9, 0]),
        "$[2]: expected boolean, found a byte other than 0 and 1"
    );
}

#[test]
fn items_without_bytes_are_counted_and_not_walked() {
    for items in [
        r#""null""#,
        r#"{"type":"fixed","name":"F","size":0}"#,
        r#"{"type":"record","name":"R","fields":[]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"null"},{"name":"b",
            "type":{"type":"record","name":"S","fields":[{"name":"c","type":"null"}]}}]}"#,
    ] {
        let of = format!(r#"{{"type":"array","items":{items}}}"#);
        assert_eq!(check(&of, &[long(2_000_000_000), long(0)].concat()), Ok(()));
        assert_eq!(check(&of, &[long(-5), long(0), long(0)].concat()), Ok(()));
        assert!(says(&of, &[long(1 << 40), long(0)].concat()).contains("at most 2147483639 items"));
        assert!(says(&of, &[long(i64::MIN), long(0), long(0)].concat()).contains("at most 2147483639 items"));
        assert!(says(&of, &[long(2_000_000_000), long(2_000_000_000), long(0)].concat()).contains("at most"));
        assert!(!says(&of, &[long(-5), long(1), long(0)].concat()).is_empty());
    }
}

const LIST: &str = r#"{"type":"record","name":"Node","fields":[
    {"name":"value","type":"int"},{"name":"next","type":["null","Node"]}]}"#;

fn list(length: usize) -> Vec<u8> {
    let mut payload = [2u8, 2].repeat(length - 1);
    payload.extend([2, 0]);
    payload
}

#[test]
fn a_list_of_a_hundred_nodes_is_valid_and_one_of_ten_thousand_is_over_the_limit() {
    assert_eq!(check(LIST, &list(1)), Ok(()));
    assert_eq!(check(LIST, &list(100)), Ok(()));
    for length in [200, 10_000, 1_000_000] {
        let found = mismatch(LIST, &list(length));
        assert_eq!(found.kind, MismatchKind::OverLimit, "{length}");
    }
    let found = mismatch(LIST, &[2, 2, 2]);
    assert_eq!(found.path, "$.next.next");
}

#[test]
fn a_record_that_contains_itself_with_nothing_between_has_no_payload() {
    let of = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"R"},{"name":"b","type":"R"}]}"#;
    assert_eq!(mismatch(of, &[]).kind, MismatchKind::OverLimit);
}

#[test]
fn arrays_within_arrays_are_bounded_too() {
    let of = r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"R"}}]}"#;
    assert_eq!(check(of, &[2, 2, 0, 0, 0]), Ok(()));
    assert_eq!(mismatch(of, &vec![2; 100_000]).kind, MismatchKind::OverLimit);
}

#[test]
fn a_plain_bytes_schema_takes_what_confluent_writes_with_and_without_a_length() {
    for of in [
        r#""bytes""#,
        r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
    ] {
        assert_eq!(check(of, b"raw bytes"), Ok(()));
        assert_eq!(check(of, &[]), Ok(()));
        assert_eq!(check(of, &text("counted")), Ok(()));
    }
    let inside = r#"{"type":"record","name":"R","fields":[{"name":"b","type":"bytes"}]}"#;
    assert_eq!(
        says(inside, b"raw bytes"),
        "$.b: expected bytes of 57 bytes, 8 bytes left"
    );
}

#[test]
fn null_takes_no_byte_at_all() {
    assert_eq!(check(r#""null""#, &[]), Ok(()));
    assert_eq!(says(r#""null""#, &[0]), "$: expected the end, 1 bytes left over");
}

#[test]
fn a_fan_out_of_records_is_compiled_in_bounded_time_and_space() {
    // R0 {}, R1 {R0 R0}, R2 {R1 R1}, ... each written out would be 2^60 fields.
    let mut types =
        vec![r#"{"type":"record","name":"R0","fields":[{"name":"x","type":"boolean"}]}"#.to_owned()];
    for level in 1..60 {
        let below = level - 1;
        types.push(format!(
            r#"{{"type":"record","name":"R{level}","fields":[{{"name":"a","type":"R{below}"}},{{"name":"b","type":"R{below}"}}]}}"#
        ));
    }
    let of = format!("[{}]", types.join(","));
    let validator = schema(&of).validator().unwrap();
    assert_eq!(validator.validate(&[long(3), vec![1; 8]].concat()), Ok(()));
    assert!(validator.validate(&[long(3), vec![1; 9]].concat()).is_err());
    assert_eq!(validator.validate(&[long(12), vec![1; 4096]].concat()), Ok(()));
    assert!(validator.validate(&[long(59), vec![1; 4096]].concat()).is_err());
}

#[test]
fn ten_thousand_fields_are_no_trouble() {
    let fields: Vec<String> = (0..10_000)
        .map(|n| format!(r#"{{"name":"f{n}","type":["null","string"]}}"#))
        .collect();
    let of = format!(
        r#"{{"type":"record","name":"R","fields":[{}]}}"#,
        fields.join(",")
    );
    assert_eq!(check(&of, &[0; 10_000]), Ok(()));
    assert_eq!(
        says(&of, &[0; 9_999]),
        "$.f9999: expected union (an index of 2 branches), 0 bytes left"
    );
}

#[test]
fn text_is_looked_at_to_its_end_and_no_further_wherever_it_stands() {
    let fixed = |name: &str, size| format!(r#"{{"type":"fixed","name":"{name}","size":{size}}}"#);
    for before in [0, 1, 31, 40] {
        let of = format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"before","type":{}}},
            {{"name":"a","type":"string"}},{{"name":"after","type":{}}}]}}"#,
            fixed("B", before),
            fixed("A", 40)
        );
        let validator = schema(&of).validator().unwrap();
        for length in 0..100usize {
            let head = [vec![0xff; before], long(length as i64)].concat();
            let good = [head.clone(), vec![b'a'; length], vec![0xff; 40]].concat();
            assert_eq!(validator.validate(&good), Ok(()), "{before} {length}");
            for bad in 0..length {
                let mut payload = good.clone();
                payload[head.len() + bad] = 0x80;
                let refused = validator.validate(&payload).unwrap_err();
                assert_eq!(refused.path, "$.a", "{before} {length} {bad}");
            }
            for first in 0..length.saturating_sub(1) {
                let mut payload = good.clone();
                payload[head.len() + first..][..2].copy_from_slice("é".as_bytes());
                assert_eq!(validator.validate(&payload), Ok(()), "{before} {length} {first}");
            }
        }
    }
}
