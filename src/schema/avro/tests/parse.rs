//! What is a schema, and the text that Confluent would store for it (Java's `Schema.toString()`).
use super::*;

fn canonical(text: &str) -> String {
    schema(text).canonical()
}

fn reference(name: &str, text: &str) -> ReferencedSchema {
    ReferencedSchema {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn a_primitive_is_its_name_in_quotes_or_an_object() {
    for name in [
        "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    ] {
        assert_eq!(canonical(&format!("\"{name}\"")), format!("\"{name}\""));
        assert_eq!(
            canonical(&format!(" {{ \"type\" : \"{name}\" }} ")),
            format!("\"{name}\"")
        );
    }
    assert!(refused("string").starts_with("not JSON"));
    assert!(refused("").starts_with("not JSON"));
    assert!(refused("7").contains("not a number"));
}

#[test]
fn canonical_text_has_javas_order_of_attributes() {
    let text = r#"{
      "aliases": ["Bill", "old.Invoice"], "extra": {"b": 1, "a": [1.50, 1e10, 2E-7, null]},
      "fields": [
        {"x-tag": "pii", "aliases": ["nr"], "order": "descending", "default": 5, "doc": "the number",
         "type": {"type": "int", "logicalType": "date"}, "name": "number"},
        {"name": "kind", "type": {"aliases": ["K"], "default": "A", "symbols": ["A", "B"], "type": "enum", "name": "Kind"}},
        {"name": "sum", "type": {"type": "fixed", "name": "com.money.Sum", "size": 8, "logicalType": "decimal", "precision": 4}},
        {"name": "again", "type": ["null", "Kind", "com.money.Sum"], "default": null},
        {"name": "list", "type": {"items": {"type": "map", "values": "Kind", "p": true}, "type": "array"}, "order": "ascending"}
      ],
      "doc": "An \"order\"\n\u0001é", "namespace": "com.acme", "name": "Order", "type": "record"}"#;
    assert_eq!(
        canonical(text),
        concat!(
            r#"{"type":"record","name":"Order","namespace":"com.acme","doc":"An \"order\"\n\u0001é","fields":["#,
            r#"{"name":"number","type":{"type":"int","logicalType":"date"},"doc":"the number","default":5,"#,
            r#""order":"descending","aliases":["nr"],"x-tag":"pii"},"#,
            r#"{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B"],"default":"A","aliases":["K"]}},"#,
            r#"{"name":"sum","type":{"type":"fixed","name":"Sum","namespace":"com.money","size":8,"#,
            r#""logicalType":"decimal","precision":4}},"#,
            r#"{"name":"again","type":["null","Kind","com.money.Sum"],"default":null},"#,
            r#"{"name":"list","type":{"type":"array","items":{"type":"map","values":"Kind","p":true}}}],"#,
            r#""extra":{"b":1,"a":[1.5,1.0E10,2.0E-7,null]},"aliases":["Bill","old.Invoice"]}"#
        )
    );
}

#[test]
fn canonical_text_is_its_own_canonical_text() {
    let once = canonical(ORDER);
    assert_eq!(canonical(&once), once);
}

#[test]
fn a_type_of_the_null_namespace_within_another_says_so() {
    let text = r#"{"type":"record","name":"a.R","fields":[
        {"name":"x","type":{"type":"record","name":"S","namespace":"","fields":[
            {"name":"y","type":{"type":"enum","name":"T","symbols":[]}}]}},
        {"name":"z","type":{"type":"record","name":"b.U","fields":[{"name":"r","type":"a.R"},{"name":"s","type":"S"}]}}]}"#;
    assert_eq!(
        canonical(text),
        concat!(
            r#"{"type":"record","name":"R","namespace":"a","fields":[{"name":"x","type":{"type":"record","name":"S","#,
            r#""namespace":"","fields":[{"name":"y","type":{"type":"enum","name":"T","symbols":[]}}]}},"#,
            r#"{"name":"z","type":{"type":"record","name":"U","namespace":"b","fields":["#,
            r#"{"name":"r","type":"a.R"},{"name":"s","type":"S"}]}}]}"#
        )
    );
}

#[test]
fn a_type_named_like_a_kind_is_written_in_full() {
    let text = r#"{"type":"record","name":"a.R","fields":[{"name":"x","type":{"type":"enum","name":"a.record","symbols":["A"]}},
        {"name":"y","type":"a.record"}]}"#;
    assert!(canonical(text).ends_with(r#"{"name":"y","type":"a.record"}]}"#));
}

#[test]
fn a_name_may_be_used_before_its_definition() {
    let text = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"S"},
        {"name":"b","type":{"type":"record","name":"S","fields":[{"name":"r","type":["null","R"]}]}}]}"#;
    assert_eq!(
        canonical(text),
        concat!(
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":{"type":"record","name":"S","#,
            r#""fields":[{"name":"r","type":["null","R"]}]}},{"name":"b","type":"S"}]}"#
        )
    );
    assert_eq!(
        refused(r#"{"type":"array","items":"a.Missing"}"#),
        "Undefined schema: a.Missing"
    );
}

#[test]
fn references_are_known_and_written_by_name() {
    let address = reference(
        "a.Address",
        r#"{"type":"record","name":"Address","namespace":"a","fields":[
        {"name":"country","type":{"type":"enum","name":"Country","symbols":["CH","DE"]}}]}"#,
    );
    let person = reference(
        "a.Person",
        r#"{"type":"record","name":"a.Person","fields":[{"name":"home","type":"Address"}]}"#,
    );
    let text = r#"{"type":"record","name":"a.Order","fields":[{"name":"by","type":"Person"},{"name":"to","type":"a.Address"}]}"#;
    let order = AvroSchema::parse(text, &[address.clone(), person.clone()]).unwrap();
    assert_eq!(
        order.canonical(),
        r#"{"type":"record","name":"Order","namespace":"a","fields":[{"name":"by","type":"Person"},{"name":"to","type":"Address"}]}"#
    );
    let validator = order.validator().unwrap();
    assert_eq!(validator.validate(&[2, 0]), Ok(()));
    assert_eq!(validator.validate(&[2, 4]).unwrap_err().path, "$.to.country");
    assert_eq!(
        AvroSchema::parse(text, &[address]).unwrap_err().to_string(),
        "Undefined schema: a.Person"
    );
    let bad = AvroSchema::parse(text, &[reference("a.X", "{"), person])
        .unwrap_err()
        .to_string();
    assert!(bad.starts_with("in reference a.X: not JSON"), "{bad}");
}

#[test]
fn a_name_is_defined_once_or_twice_the_same() {
    let twice = |second: &str| {
        format!(
            r#"{{"type":"record","name":"R","fields":[
            {{"name":"a","type":{{"type":"enum","name":"E","symbols":["A"]}}}},{{"name":"b","type":{second}}}]}}"#
        )
    };
    let same = canonical(&twice(
        r#"{"type":"enum","name":"E","doc":"differs","symbols":["A"]}"#,
    ));
    assert!(same.ends_with(r#"{"name":"b","type":"E"}]}"#), "{same}");
    let other = refused(&twice(r#"{"type":"enum","name":"E","symbols":["B"]}"#));
    assert_eq!(other, "Can't redefine: E (at /fields/1/type)");
    let itself = r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[]}}]}"#;
    assert_eq!(refused(itself), "Can't redefine: R (at /fields/0/type)");
}

#[test]
fn names_keep_to_letters_digits_and_underscores() {
    for bad in ["1a", "a-b", "a b", "", "é!"] {
        assert!(
            refused(&format!(r#"{{"type":"fixed","name":"{bad}","size":1}}"#)).contains("(at the top"),
            "{bad}"
        );
        let field = format!(r#"{{"type":"record","name":"R","fields":[{{"name":"{bad}","type":"int"}}]}}"#);
        assert!(refused(&field).ends_with("(at /fields/0)"), "{bad}");
        assert!(
            refused(&format!(r#"{{"type":"enum","name":"E","symbols":["{bad}"]}}"#))
                .ends_with("(at /symbols/0)")
        );
    }
    let letters = schema(r#"{"type":"record","name":"Größe","fields":[]}"#);
    assert!(
        letters
            .check_as_new()
            .unwrap_err()
            .to_string()
            .contains("Illegal character in: Größe")
    );
    assert!(schema(ORDER).check_as_new().is_ok());
    let alias = schema(r#"{"type":"record","name":"R","aliases":["old.1.5"],"fields":[]}"#);
    assert_eq!(
        alias.check_as_new().unwrap_err().to_string(),
        "Alias \"5\" is invalid: Illegal initial character: 5"
    );
    let space = schema(r#"{"type":"record","name":"a.b-c.R","fields":[]}"#);
    assert!(
        space
            .check_as_new()
            .unwrap_err()
            .to_string()
            .contains("Namespace part")
    );
    assert!(
        refused(r#"{"type":"record","name":"int","fields":[]}"#)
            .contains("may not be named after primitives")
    );
}

#[test]
fn what_java_refuses_is_refused_with_its_place() {
    for (text, says) in [
        (r#"{"name":"R"}"#, "No type (at the top of the schema)"),
        (
            r#"{"type":"record","fields":[]}"#,
            "No name in schema (at the top of the schema)",
        ),
        (
            r#"{"type":"record","name":"R"}"#,
            "Record has no fields (at the top of the schema)",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"type":"int"}]}"#,
            "No field name (at /fields/0)",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a"}]}"#,
            "No field type: a (at /fields/0)",
        ),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
            "Duplicate field a in record R (at /fields/1)",
        ),
        (
            r#"{"type":"array"}"#,
            "Array has no items type (at the top of the schema)",
        ),
        (
            r#"{"type":"map","values":{"type":"array"}}"#,
            "Array has no items type (at /values)",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A","A"]}"#,
            "Duplicate enum symbol: A (at /symbols/1)",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["A"],"default":"B"}"#,
            "The Enum Default: B is not in the enum symbol set (at the top of the schema)",
        ),
        (
            r#"{"type":"fixed","name":"F","size":-1}"#,
            "Invalid or no size (at the top of the schema)",
        ),
        (r#"["null",["int"]]"#, "Nested union (at /1)"),
        (r#"["null","int","null"]"#, "Duplicate in union: null"),
        (
            r#"[{"type":"array","items":"int"},{"type":"array","items":"long"}]"#,
            "Duplicate in union: array",
        ),
        (
            r#"{"type":{"type":"string"}}"#,
            "No type (at the top of the schema)",
        ),
        (
            r#"{"type":"Missing"}"#,
            "Type not supported: Missing (at the top of the schema)",
        ),
    ] {
        assert_eq!(refused(text), says, "{text}");
    }
}

#[test]
fn defaults_must_fit_when_a_schema_is_new() {
    let with = |of: &str, default: &str| {
        schema(&format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{of},"default":{default}}}]}}"#
        ))
        .check_as_new()
    };
    for (of, default) in [
        (r#""int""#, "2147483647"),
        (r#""long""#, "-9223372036854775808"),
        (r#""double""#, "1"),
        (r#""float""#, "\"NaN\""),
        (r#""bytes""#, "\"\\u00ff\""),
        (r#"["null","string"]"#, "null"),
        (r#"["null","string"]"#, "\"x\""),
        (r#"{"type":"array","items":"int"}"#, "[1,2]"),
        (r#"{"type":"map","values":"int"}"#, "{\"a\":1}"),
        (
            r#"{"type":"record","name":"S","fields":[{"name":"b","type":"int","default":1}]}"#,
            "{}",
        ),
    ] {
        assert_eq!(with(of, default), Ok(()), "{of} {default}");
    }
    for (of, default) in [
        (r#""int""#, "2147483648"),
        (r#""int""#, "1.0"),
        (r#""long""#, "9223372036854775808"),
        (r#""string""#, "null"),
        (r#""boolean""#, "0"),
        (r#"["null","string"]"#, "1"),
        (r#"{"type":"array","items":"int"}"#, "[\"1\"]"),
        (
            r#"{"type":"record","name":"S","fields":[{"name":"b","type":"int"}]}"#,
            "{}",
        ),
        (r#""R""#, "{}"),
    ] {
        let error = with(of, default).unwrap_err().to_string();
        assert!(error.starts_with("Invalid default for field a of R"), "{error}");
    }
    let doubling = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":"R","default":{}},{"name":"b","type":"R","default":{}}]}"#;
    assert!(schema(doubling).check_as_new().is_err());
}

#[test]
fn comments_are_allowed_as_in_java() {
    let text = "/* a */ {\"type\": \"map\", // b \"\n \"values\": \"int\", \"doc\": \"// no \\\" comment\" }";
    assert_eq!(canonical(text), r#"{"type":"map","values":"int"}"#);
}

#[test]
fn nesting_and_size_are_bounded() {
    let deep =
        |levels: usize| "{\"type\":\"array\",\"items\":".repeat(levels) + "\"int\"" + &"}".repeat(levels);
    assert!(schema(&deep(100)).validator().is_ok());
    for levels in [200, 100_000] {
        assert!(
            matches!(
                AvroSchema::parse(&deep(levels), &[]),
                Err(SchemaError::OverLimit(_))
            ),
            "{levels}"
        );
    }
    // A chain of names that are used before they are defined nests as deep as it is long.
    let chain: Vec<String> = (0..10_000)
        .map(|n| {
            format!(
                r#"{{"type":"record","name":"R{n}","fields":[{{"name":"f","type":"R{}"}}]}}"#,
                n + 1
            )
        })
        .chain([r#"{"type":"record","name":"R10000","fields":[]}"#.to_owned()])
        .collect();
    assert!(matches!(
        AvroSchema::parse(&format!("[{}]", chain.join(",")), &[]),
        Err(SchemaError::OverLimit(_))
    ));
    // The other way round it is flat.
    let chain: Vec<String> = chain.into_iter().rev().collect();
    let flat = schema(&format!("[{}]", chain.join(",")));
    assert_eq!(flat.validator().unwrap().validate(&[0]), Ok(()));
    let large = format!(
        r#"{{"type":"fixed","name":"F","size":1,"doc":"{}"}}"#,
        "x".repeat(6 << 20)
    );
    assert!(matches!(
        AvroSchema::parse(&large, &[]),
        Err(SchemaError::OverLimit(_))
    ));
}

#[test]
fn a_type_of_the_null_namespace_is_found_from_within_another_while_it_is_being_defined() {
    let text = r#"{"type":"record","name":"T","fields":[{"name":"a","type":
        {"type":"record","name":"n.R","fields":[{"name":"t","type":["null","T"]}]}}]}"#;
    assert_eq!(
        canonical(text),
        concat!(
            r#"{"type":"record","name":"T","fields":[{"name":"a","type":"#,
            r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"t","type":["null","T"]}]}}]}"#
        )
    );
}
