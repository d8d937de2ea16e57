//! Confluent's normalised form, and the form with references written out.
use super::*;

fn normalized(text: &str) -> String {
    schema(text).normalized()
}

fn record_with(field: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f",{field}}}]}}"#)
}

#[test]
fn properties_are_sorted_behind_a_valid_logical_type() {
    assert_eq!(
        normalized(
            r#"{"type":"bytes","zz":1,"scale":2,"b":{"z":1,"a":[2.50]},"precision":4,"logicalType":"decimal"}"#
        ),
        r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2,"b":{"a":[2.5],"z":1},"zz":1}"#
    );
    // No date is a long: the logical type is a property like others.
    assert_eq!(
        normalized(r#"{"type":"long","logicalType":"date","connect.name":"x"}"#),
        r#"{"type":"long","connect.name":"x","logicalType":"date"}"#
    );
    assert_eq!(
        normalized(r#"{"type":"int","connect.name":"x","logicalType":"date"}"#),
        r#"{"type":"int","logicalType":"date","connect.name":"x"}"#
    );
    assert_eq!(
        normalized(r#"{"type":"fixed","name":"F","size":1,"a":1,"precision":3,"logicalType":"decimal"}"#),
        r#"{"type":"fixed","name":"F","size":1,"a":1,"logicalType":"decimal","precision":3}"#
    );
}

#[test]
fn aliases_are_sorted_and_empty_documentation_is_left_out() {
    assert_eq!(
        normalized(
            r#"{"type":"record","name":"R","namespace":"n","doc":"","aliases":["z","y.x",".c"],"fields":[
            {"name":"f","type":"int","aliases":["b","a"],"order":"ascending","doc":""}]}"#
        ),
        r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"f","type":"int","doc":"","aliases":["a","b"]}],"aliases":["c","z","y.x"]}"#
    );
}

#[test]
fn a_default_is_a_value_of_its_fields_type() {
    let of = |field: &str| normalized(&record_with(field));
    assert_eq!(
        of(r#""type":"double","default":1"#),
        record_with(r#""type":"double","default":1.0"#)
    );
    assert_eq!(
        of(r#""type":"float","default":0.1"#),
        record_with(r#""type":"float","default":0.1"#)
    );
    let map = r#""type":{"type":"map","values":"double"},"default":"#;
    assert_eq!(
        of(&format!(r#"{map}{{"b":2,"a":1}}"#)),
        record_with(&format!(r#"{map}{{"a":1.0,"b":2.0}}"#))
    );
    let union = r#""type":["null","long"],"default":null"#;
    assert_eq!(of(union), record_with(union));
    // Java finds no value in these, and writes no default.
    assert_eq!(
        of(r#""type":"string","default":1"#),
        record_with(r#""type":"string""#)
    );
    // Here it fails: the text stands.
    let list = r#""type":"string","default":[1]"#;
    assert_eq!(of(list), record_with(list));
}

#[test]
fn a_normalised_schema_is_its_own_normalised_form() {
    for text in [ORDER, r#"["null",{"type":"error","name":"E","fields":[]}]"#] {
        let once = normalized(text);
        assert_eq!(normalized(&once), once);
    }
}

#[test]
fn references_stay_names_when_normalised_and_are_written_out_when_resolved() {
    let reference = ReferencedSchema {
        name: "n.A".to_owned(),
        text: r#"{"type":"record","name":"A","namespace":"n","fields":[]}"#.to_owned(),
    };
    let text =
        r#"{"type":"record","name":"B","namespace":"n","x":1,"b":2,"fields":[{"name":"a","type":"A"}]}"#;
    let schema = AvroSchema::parse(text, &[reference]).unwrap();
    assert_eq!(
        schema.normalized(),
        r#"{"type":"record","name":"B","namespace":"n","fields":[{"name":"a","type":"A"}],"b":2,"x":1}"#
    );
    assert_eq!(
        schema.resolved().unwrap(),
        r#"{"type":"record","name":"B","namespace":"n","fields":[{"name":"a","type":{"type":"record","name":"A","fields":[]}}],"x":1,"b":2}"#
    );
}

#[test]
fn a_uuid_whose_class_of_strings_is_named_is_a_string_with_properties() {
    let named = r#"{"type":"string","logicalType":"uuid","avro.java.string":"String"}"#;
    assert_eq!(
        normalized(named),
        r#"{"type":"string","avro.java.string":"String","logicalType":"uuid"}"#
    );
    let other = r#"{"type":"string","aa":"String","logicalType":"uuid"}"#;
    assert_eq!(
        normalized(other),
        r#"{"type":"string","logicalType":"uuid","aa":"String"}"#
    );
}
