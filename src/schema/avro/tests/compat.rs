//! Java's compatibility rules, one by one.
use super::*;
use crate::schema::avro::compat::incompatibilities;

/// `kind path info` of each reason.
fn reasons(reader: &str, writer: &str) -> Vec<String> {
    incompatibilities(&schema(reader), &schema(writer))
        .iter()
        .map(|found| format!("{} {} {}", found.kind, found.path, found.additional_info))
        .collect()
}

fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"R","namespace":"n","fields":[{fields}]}}"#)
}

fn field(name: &str, of: &str) -> String {
    format!(r#"{{"name":"{name}","type":{of}}}"#)
}

#[test]
fn a_schema_reads_what_it_wrote() {
    for text in [ORDER, r#""int""#, r#"["null",{"type":"array","items":"string"}]"#] {
        assert_eq!(reasons(text, text), Vec::<String>::new());
    }
}

#[test]
fn numbers_widen_and_strings_and_bytes_exchange() {
    let names = [
        "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    ];
    let widens = [
        ("long", "int"),
        ("float", "int"),
        ("float", "long"),
        ("double", "int"),
        ("double", "long"),
        ("double", "float"),
        ("bytes", "string"),
        ("string", "bytes"),
    ];
    for reader in names {
        for writer in names {
            let found = reasons(&format!("\"{reader}\""), &format!("\"{writer}\""));
            if reader == writer || widens.contains(&(reader, writer)) {
                assert_eq!(found, Vec::<String>::new(), "{reader} {writer}");
            } else {
                let (reader, writer) = (reader.to_uppercase(), writer.to_uppercase());
                let says = format!(
                    "TYPE_MISMATCH / reader type: {reader} not compatible with writer type: {writer}"
                );
                assert_eq!(found, [says]);
            }
        }
    }
}

#[test]
fn a_new_field_needs_a_default() {
    let old = record(&field("a", "\"int\""));
    let new = record(&[field("a", "\"int\""), field("b", "\"string\"")].join(","));
    assert_eq!(
        reasons(&new, &old),
        ["READER_FIELD_MISSING_DEFAULT_VALUE /fields/1 b"]
    );
    assert_eq!(reasons(&old, &new), Vec::<String>::new());
    let with = record(r#"{"name":"a","type":"int"},{"name":"b","type":"string","default":""}"#);
    assert_eq!(reasons(&with, &old), Vec::<String>::new());
    let null = record(r#"{"name":"a","type":"int"},{"name":"b","type":["null","int"],"default":null}"#);
    assert_eq!(reasons(&null, &old), Vec::<String>::new());
}

#[test]
fn a_reason_is_printed_as_confluent_prints_it() {
    let old = record(&field("a", "\"int\""));
    let new = record(&[field("a", "\"int\""), field("b", "\"string\"")].join(","));
    let found = incompatibilities(&schema(&new), &schema(&old));
    assert_eq!(
        found[0].confluent_message("new", "old"),
        "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'b' at path '/fields/1' in the new \
         schema has no default value and is missing in the old schema', additionalInfo:'b'}"
    );
    let changed = record(&field("a", "\"string\""));
    let found = incompatibilities(&schema(&changed), &schema(&old));
    assert_eq!(
        found[0].confluent_message("new", "old"),
        "{errorType:'TYPE_MISMATCH', description:'The type (path '/fields/0/type') of a field in the new schema does \
         not match with the old schema', additionalInfo:'reader type: STRING not compatible with writer type: INT'}"
    );
}

#[test]
fn a_field_may_be_renamed_with_an_alias() {
    let old = record(&field("a", "\"int\""));
    let new = record(r#"{"name":"b","type":"long","aliases":["a"]}"#);
    assert_eq!(reasons(&new, &old), Vec::<String>::new());
    let both = record(&[field("a", "\"int\""), field("b", "\"int\"")].join(","));
    assert_eq!(reasons(&new, &both), ["NAME_MISMATCH /fields/0 b"]);
}

#[test]
fn a_type_may_change_its_namespace_but_its_name_only_with_an_alias() {
    let named = |name: &str, aliases: &str| {
        format!(r#"{{"type":"record","name":"{name}","aliases":[{aliases}],"fields":[]}}"#)
    };
    assert_eq!(
        reasons(&named("x.R", ""), &named("y.R", "")),
        Vec::<String>::new()
    );
    assert_eq!(
        reasons(&named("x.S", ""), &named("x.R", "")),
        ["NAME_MISMATCH /name expected: x.R"]
    );
    assert_eq!(
        reasons(&named("x.S", "\"R\""), &named("x.R", "")),
        Vec::<String>::new()
    );
    assert_eq!(
        reasons(&named("x.S", "\"y.R\""), &named("y.R", "")),
        Vec::<String>::new()
    );
    assert_eq!(
        reasons(&named("x.S", "\"R\""), &named("y.R", "")),
        ["NAME_MISMATCH /name expected: y.R"]
    );
}

#[test]
fn a_fixed_keeps_its_size() {
    let fixed = |size: u32| format!(r#"{{"type":"fixed","name":"F","size":{size}}}"#);
    assert_eq!(
        reasons(&fixed(4), &fixed(8)),
        ["FIXED_SIZE_MISMATCH /size expected: 8, found: 4"]
    );
}

#[test]
fn an_enum_knows_all_symbols_or_has_a_default() {
    let of = |rest: &str| format!(r#"{{"type":"enum","name":"E","symbols":{rest}}}"#);
    assert_eq!(
        reasons(&of(r#"["A","B","C"]"#), &of(r#"["A"]"#)),
        Vec::<String>::new()
    );
    assert_eq!(
        reasons(&of(r#"["A"]"#), &of(r#"["C","A","B"]"#)),
        ["MISSING_ENUM_SYMBOLS /symbols [B, C]"]
    );
    assert_eq!(
        reasons(&of(r#"["A"],"default":"A""#), &of(r#"["A","B"]"#)),
        Vec::<String>::new()
    );
    // An enum's default is no default of its field.
    let new = record(&field("e", &of(r#"["A"],"default":"A""#)));
    let says = "TYPE_MISMATCH /fields/0/type reader type: ENUM not compatible with writer type: RECORD";
    assert_eq!(reasons(&new, &record("")), [says]);
}

#[test]
fn a_union_reads_each_branch_that_was_written() {
    assert_eq!(
        reasons(r#"["int","string"]"#, r#"["string","int"]"#),
        Vec::<String>::new()
    );
    assert_eq!(reasons(r#"["null","int"]"#, r#""int""#), Vec::<String>::new());
    assert_eq!(
        reasons(r#"["null","int"]"#, r#"["null","int","string"]"#),
        ["MISSING_UNION_BRANCH /2 reader union lacking writer type: STRING"]
    );
    assert_eq!(
        reasons(r#"["null","int"]"#, r#""string""#),
        ["MISSING_UNION_BRANCH / reader union lacking writer type: STRING"]
    );
    assert_eq!(
        reasons(r#""int""#, r#"["int","string"]"#),
        ["TYPE_MISMATCH /1 reader type: INT not compatible with writer type: STRING"]
    );
    let (new, old) = (
        record(&field("a", r#""int""#)),
        record(&field("a", r#"["null","int"]"#)),
    );
    assert_eq!(
        reasons(&new, &old),
        ["TYPE_MISMATCH /fields/0/type/0 reader type: INT not compatible with writer type: NULL"]
    );
}

#[test]
fn items_and_values_are_compared() {
    assert_eq!(
        reasons(
            r#"{"type":"array","items":"int"}"#,
            r#"{"type":"array","items":"long"}"#
        ),
        ["TYPE_MISMATCH /items reader type: INT not compatible with writer type: LONG"]
    );
    assert_eq!(
        reasons(
            r#"{"type":"map","values":"int"}"#,
            r#"{"type":"map","values":"long"}"#
        ),
        ["TYPE_MISMATCH /values reader type: INT not compatible with writer type: LONG"]
    );
}

#[test]
fn recursive_types_end() {
    let list = |of: &str| record(&[field("value", of), field("next", r#"["null","R"]"#)].join(","));
    assert_eq!(reasons(&list("\"long\""), &list("\"int\"")), Vec::<String>::new());
    assert_eq!(
        reasons(&list("\"int\""), &list("\"long\"")),
        ["TYPE_MISMATCH /fields/0/type reader type: INT not compatible with writer type: LONG"]
    );
}

#[test]
fn fan_outs_chains_and_large_unions_are_compared_in_bounded_time() {
    let fan = |leaf: &str| {
        let mut types = vec![format!(
            r#"{{"type":"record","name":"R0","fields":[{}]}}"#,
            field("x", leaf)
        )];
        for level in 1..60 {
            let below = format!("\"R{}\"", level - 1);
            let fields = [field("a", &below), field("b", &below)].join(",");
            types.push(format!(
                r#"{{"type":"record","name":"R{level}","fields":[{fields}]}}"#
            ));
        }
        record(
            &[
                field("all", &format!("[{}]", types.join(","))),
                field("top", "\"n.R59\""),
            ]
            .join(","),
        )
    };
    assert_eq!(reasons(&fan("\"int\""), &fan("\"int\"")), Vec::<String>::new());
    let found = reasons(&fan("\"int\""), &fan("\"string\""));
    assert!((1..=100).contains(&found.len()), "{}", found.len());

    let chain = |leaf: &str| {
        let mut types = vec![format!(
            r#"{{"type":"record","name":"R0","fields":[{}]}}"#,
            field("x", leaf)
        )];
        types.extend((1..3_000).map(|level| {
            format!(
                r#"{{"type":"record","name":"R{level}","fields":[{}]}}"#,
                field("a", &format!("\"R{}\"", level - 1))
            )
        }));
        record(
            &[
                field("all", &format!("[{}]", types.join(","))),
                field("top", "\"n.R2999\""),
            ]
            .join(","),
        )
    };
    assert!(!reasons(&chain("\"int\""), &chain("\"string\"")).is_empty());

    let union = |prefix: &str| {
        let types: Vec<String> = (0..1_500)
            .map(|n| format!(r#"{{"type":"enum","name":"{prefix}{n}","symbols":[]}}"#))
            .collect();
        format!("[{}]", types.join(","))
    };
    let found = incompatibilities(&schema(&union("A")), &schema(&union("B")));
    assert!(
        found[0].description.contains("too large"),
        "{}",
        found[0].description
    );
}

#[test]
fn ten_thousand_fields_are_compared_quickly() {
    let fields: Vec<String> = (0..10_000).map(|n| field(&format!("f{n}"), "\"int\"")).collect();
    let large = record(&fields.join(","));
    assert_eq!(reasons(&large, &large), Vec::<String>::new());
}
