//! The exact path and expectation of a mismatch, deep inside arrays, maps and unions.
use super::*;

const DEEP: &str = r#"{"type":"record","name":"Shop","namespace":"com.acme","fields":[
  {"name":"rooms","type":{"type":"array","items":{"type":"map","values":["null",
    {"type":"array","items":["int",{"type":"record","name":"Shelf","fields":[
      {"name":"goods","type":{"type":"map","values":{"type":"array","items":["null","string","boolean",
        {"type":"enum","name":"Kind","symbols":["A","B"]},{"type":"fixed","name":"Hash","size":4},"Shelf"]}}},
      {"name":"next","type":["null","Shelf"]}]}]}]}}},
  {"name":"end","type":"long"}]}"#;

fn says(payload: &[Vec<u8>]) -> String {
    let Mismatch { kind, path, expected } = check(DEEP, &payload.concat()).unwrap_err();
    assert_eq!(kind, MismatchKind::Payload);
    format!("{path}: {expected}")
}

/// Up to the goods of the third thing (the second shelf) in room 1's "b c".
fn to_the_goods() -> Vec<Vec<u8>> {
    vec![
        // Two rooms in blocks of their own, the first one empty, the second with its size not yet known.
        long(1),
        long(0),
        long(1),
        // "a" is null, "b c" a list: an int, a shelf without goods and next, and a shelf.
        long(2),
        text("a"),
        long(0),
        text("b c"),
        long(1),
        long(3),
        long(0),
        long(-5),
        long(1),
        long(0),
        long(0),
        long(1),
    ]
}

const GOODS: &str = r#"$.rooms[1]["b c"][2].goods"#;

fn in_the_goods(rest: &[Vec<u8>]) -> String {
    let found = says(&[&to_the_goods()[..], rest].concat());
    found
        .strip_prefix(GOODS)
        .unwrap_or_else(|| panic!("{found} is not in the goods"))
        .to_owned()
}

#[test]
fn a_mismatch_deep_inside_names_each_field_index_and_key_on_its_way() {
    assert_eq!(in_the_goods(&[]), ": expected map block, 0 bytes left");
    assert_eq!(
        in_the_goods(&[
            long(1),
            text("k"),
            long(3),
            long(1),
            text("x"),
            long(0),
            long(2),
            vec![7]
        ]),
        r#"["k"][2]: expected boolean, found a byte other than 0 and 1"#
    );
    assert_eq!(
        in_the_goods(&[long(1), text("k"), long(1), long(3), long(2)]),
        r#"["k"][0]: expected enum com.acme.Kind (an index of 2 symbols), found index 2"#
    );
    assert_eq!(
        in_the_goods(&[long(1), text("k"), long(1), long(4), vec![1, 2, 3]]),
        r#"["k"][0]: expected fixed com.acme.Hash, 3 bytes left"#
    );
    assert_eq!(
        in_the_goods(&[long(1), text("k"), long(1), long(6)]),
        r#"["k"][0]: expected union (an index of 6 branches), found index 6"#
    );
    assert_eq!(
        in_the_goods(&[long(1), text("k"), long(1), long(-1)]),
        r#"["k"][0]: expected union (an index of 6 branches), found index -1"#
    );
    assert_eq!(
        in_the_goods(&[long(1), text("k"), long(1), long(1), long(2), vec![b'a', 0xff]]),
        r#"["k"][0]: expected string, found bytes that are not UTF-8"#
    );
    assert_eq!(
        in_the_goods(&[long(1), text("k"), long(1), long(1), long(9), text("x")]),
        r#"["k"][0]: expected string of 9 bytes, 2 bytes left"#
    );
    assert_eq!(
        in_the_goods(&[long(1), text("k"), long(1), long(1), long(-9)]),
        r#"["k"][0]: expected string, found a negative length"#
    );
}

#[test]
fn a_record_within_itself_names_the_whole_way() {
    let shelf = [long(1), text("in"), long(1), long(5)];
    let twice = [
        &shelf[..],
        &shelf[..],
        &[long(1), text("x"), long(1), long(2), vec![2]],
    ]
    .concat();
    assert_eq!(
        in_the_goods(&twice),
        r#"["in"][0].goods["in"][0].goods["x"][0]: expected boolean, found a byte other than 0 and 1"#
    );
    let next = [long(0), long(1), long(0), long(1), long(0), long(2)];
    assert_eq!(
        says(&[&to_the_goods()[..], &next[..]].concat()),
        r#"$.rooms[1]["b c"][2].next.next.next: expected union (an index of 2 branches), found index 2"#
    );
}

#[test]
fn a_key_is_not_on_its_own_path_and_is_shown_in_quotes() {
    assert_eq!(
        in_the_goods(&[long(2), text("k"), long(0), long(3), vec![0xff, 0xfe, 0xfd]]),
        ": expected map key, found bytes that are not UTF-8"
    );
    assert_eq!(
        in_the_goods(&[long(1), text("a\"b\\\n"), long(1), long(2), vec![9]]),
        r#"["a\"b\\\n"][0]: expected boolean, found a byte other than 0 and 1"#
    );
    let key = "é".repeat(100);
    assert_eq!(
        in_the_goods(&[long(1), text(&key), long(1), long(2), vec![9]]),
        format!(
            r#"["{}…"][0]: expected boolean, found a byte other than 0 and 1"#,
            "é".repeat(64)
        )
    );
}

#[test]
fn the_index_goes_on_over_blocks_of_each_form() {
    // One null; a block of two with its size; one more block.
    let blocks = [
        long(1),
        text("k"),
        long(1),
        long(0),
        long(-2),
        long(2),
        long(0),
        long(0),
        long(1),
        long(2),
        vec![3],
    ];
    assert_eq!(
        in_the_goods(&blocks),
        r#"["k"][3]: expected boolean, found a byte other than 0 and 1"#
    );
    let short = [
        long(1),
        text("k"),
        long(1),
        long(0),
        long(-2),
        long(3),
        long(0),
        long(0),
        long(0),
    ];
    assert_eq!(
        in_the_goods(&short),
        r#"["k"]: expected array block to end where its size says"#
    );
    let long_one = [long(1), text("k"), long(-2), long(300), long(0), long(0), long(0)];
    assert_eq!(
        in_the_goods(&long_one),
        r#"["k"]: expected array block of its stated size, 3 bytes left"#
    );
}

#[test]
fn what_comes_after_it_all_is_named_too() {
    let whole = [
        &to_the_goods()[..],
        &[long(0), long(0), long(0), long(0), long(0)],
    ]
    .concat();
    assert_eq!(says(&whole), "$.end: expected long, 0 bytes left");
    let whole = [&whole[..], &[vec![0x80]]].concat();
    assert_eq!(says(&whole), "$.end: expected long, 1 bytes left");
    let whole = [&whole[..], &[vec![0, 5]]].concat();
    assert_eq!(says(&whole), "$: expected the end, 1 bytes left over");
}
