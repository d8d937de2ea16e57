//! Schemas: imports, limits and the two forms in which clients register them.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::Syntax;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto};
use std::fmt::Write;

fn as_base64(text: &str) -> String {
    let file = protox::file::File::from_source("orders.proto", text).unwrap();
    let mut file = file.file_descriptor_proto().clone();
    file.source_code_info = None;
    STANDARD.encode(file.encode_to_vec())
}

#[test]
fn references_are_imported_by_name_and_transitively() {
    let references = [
        reference(
            "base.proto",
            "syntax = \"proto3\"; package b; message Base { int32 x = 1; }",
        ),
        reference(
            "mid/mid.proto",
            "syntax = \"proto3\"; import public \"base.proto\"; message Mid { b.Base base = 1; }",
        ),
    ];
    let schema =
        "syntax = \"proto3\"; import \"mid/mid.proto\"; message Top { Mid mid = 1; b.Base base = 2; }";
    let validator = ProtobufSchema::parse(schema, &references)
        .unwrap()
        .validator()
        .unwrap();
    let top = validator.message([0]).unwrap();
    assert_eq!(validator.validate(top, b"\x0a\x04\x0a\x02\x08\x01"), Ok(()));
    assert_eq!(
        validator
            .validate(top, b"\x0a\x04\x0a\x02\x0d\x01")
            .unwrap_err()
            .path,
        "$.mid.base.x"
    );
}

#[test]
fn a_missing_import_is_refused_by_name() {
    let message = refused("syntax = \"proto3\"; import \"nowhere.proto\"; message M {}");
    assert_eq!(
        message,
        "import \"nowhere.proto\" of the schema is missing: register it as a subject and add a reference with this name"
    );
}

#[test]
fn an_import_never_reaches_the_file_system() {
    for path in ["/etc/passwd", "../Cargo.toml", "Cargo.toml", "file:///etc/passwd"] {
        let message = refused(&format!("syntax = \"proto3\"; import \"{path}\"; message M {{}}"));
        assert!(
            message.contains("is missing") || message.contains("invalid"),
            "{message}"
        );
    }
}

#[test]
fn an_import_cycle_is_refused_with_its_way() {
    let references = [
        reference("a.proto", "syntax = \"proto3\"; import \"b.proto\"; message A {}"),
        reference("b.proto", "syntax = \"proto3\"; import \"a.proto\"; message B {}"),
    ];
    let message = refused_with(
        "syntax = \"proto3\"; import \"a.proto\"; message M {}",
        &references,
    );
    assert_eq!(message, "import cycle: a.proto -> b.proto -> a.proto");
    let own = [reference("a.proto", "import \"a.proto\"; message A {}")];
    assert_eq!(
        refused_with("import \"a.proto\"; message M {}", &own),
        "import cycle: a.proto -> a.proto"
    );
}

#[test]
fn a_chain_of_imports_over_the_limit_is_refused() {
    let references: Vec<_> = (0..300)
        .map(|i| {
            reference(
                &format!("{i}.proto"),
                &format!("import \"{}.proto\"; message M{i} {{}}", i + 1),
            )
        })
        .collect();
    let message = refused_with("import \"0.proto\"; message M {}", &references);
    assert!(
        message.starts_with("limit: imports are nested more than 100 deep"),
        "{message}"
    );
}

#[test]
fn every_builtin_import_links_and_validates() {
    for (name, _) in super::super::builtin::FILES {
        let schema = format!("syntax = \"proto3\"; import \"{name}\"; message M {{ int32 x = 1; }}");
        parse(&schema).validator().unwrap();
    }
    let schema = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\"; \
        import \"confluent/type/decimal.proto\"; import \"google/type/money.proto\"; \
        message M { google.protobuf.Timestamp at = 1; confluent.type.Decimal d = 2; google.type.Money m = 3; }";
    assert_eq!(
        check(schema, b"\x0a\x02\x08\x01\x12\x02\x10\x04\x1a\x05\x0a\x03EUR"),
        Ok(())
    );
    assert_eq!(mismatch(schema, b"\x1a\x02\x0a\xff").0, "$.m.currency_code");
}

#[test]
fn a_reference_wins_over_a_builtin_import_of_the_same_name() {
    let own = [reference(
        "google/type/money.proto",
        "syntax = \"proto3\"; message Money { double x = 1; }",
    )];
    let schema = "syntax = \"proto3\"; import \"google/type/money.proto\"; message M { Money m = 1; }";
    assert!(ProtobufSchema::parse(schema, &own).is_ok());
}

#[test]
fn custom_options_of_confluent_are_understood() {
    parse(
        "syntax = \"proto3\"; import \"confluent/meta.proto\"; message M { option (confluent.message_meta).doc = \"x\"; \
         string ssn = 1 [(confluent.field_meta) = { tags: [\"PII\"] params: [{key: \"a\", value: \"b\"}] }]; }",
    );
}

#[test]
fn a_base64_descriptor_is_the_schema_that_it_encodes() {
    let text = "syntax = \"proto3\"; package p; message M { string s = 1; map<string, N> ns = 2; message N { int32 x = 1; } }";
    let registered = as_base64(text);
    assert!(check(&registered, b"\x12\x07\x0a\x01k\x12\x02\x08\x01").is_ok());
    assert_eq!(
        mismatch(&registered, b"\x12\x07\x0a\x01k\x12\x02\x0d\x01").0,
        "$.ns[\"k\"].x"
    );
}

/// Found by fuzzing: the linker's own error about it panicked.
#[test]
fn a_base64_descriptor_with_an_empty_syntax_is_proto2() {
    let descriptor = FileDescriptorProto {
        syntax: Some(String::new()),
        message_type: vec![DescriptorProto {
            name: Some("M".to_owned()),
            ..DescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    let schema = ProtobufSchema::parse(&STANDARD.encode(descriptor.encode_to_vec()), &[]).unwrap();
    assert_eq!(schema.descriptor().syntax(), Syntax::Proto2);
    assert!(schema.validator().unwrap().message([0]).is_some());
}

#[test]
fn references_may_be_base64_descriptors_too() {
    let references = [reference(
        "other.proto",
        &as_base64("syntax = \"proto3\"; message N { int32 x = 1; }"),
    )];
    let schema = as_base64("syntax = \"proto3\"; import \"other.proto\"; message M { N n = 1; }");
    assert!(ProtobufSchema::parse(&schema, &references).is_ok());
}

#[test]
fn in_a_base64_descriptor_message_indexes_count_map_entries_too() {
    let text = "syntax = \"proto3\"; message M { map<string, int32> ns = 2; message N { fixed32 x = 1; } }";
    let n = b"\x0d\0\0\0\0";
    let of_text = validator(text);
    assert!(of_text.validate(of_text.message([0, 0]).unwrap(), n).is_ok());
    assert_eq!(of_text.message([0, 1]), None);
    let of_descriptor = validator(&as_base64(text));
    assert!(
        of_descriptor
            .validate(of_descriptor.message([0, 1]).unwrap(), n)
            .is_ok()
    );
}

#[test]
fn text_that_spells_out_its_map_entries_is_accepted() {
    let schema = "syntax = \"proto3\"; message M { repeated .M.LabelsEntry labels = 1; \
        message LabelsEntry { option map_entry = true; string key = 1; int32 value = 2; } }";
    assert_eq!(
        mismatch(schema, b"\x0a\x05\x0a\x01k\x15\0").0,
        "$.labels[\"k\"].value"
    );
    let malformed = schema.replace("int32 value = 2", "int32 value = 3");
    assert!(refused(&malformed).contains("map entry"));
}

#[test]
fn what_is_neither_proto_nor_base64_is_refused_with_its_line() {
    let message = refused("syntax = \"proto3\";\nmessage M {\n  string s = ;\n}");
    assert!(
        message.starts_with("not a Protobuf schema: <schema>:3:14"),
        "{message}"
    );
    let message = refused("syntax = \"proto3\";\nmessage M {\n  Missing s = 1;\n}");
    assert!(
        message.contains("<schema>:3:") && message.contains("Missing"),
        "{message}"
    );
    refused("AAAA");
    refused("");
    refused("// nothing");
}

#[test]
fn a_hostile_base64_descriptor_is_refused() {
    use prost_reflect::prost_types::{
        DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MessageOptions,
        descriptor_proto::{ExtensionRange, ReservedRange},
        field_descriptor_proto::Type,
    };
    let encode = |file: FileDescriptorProto| STANDARD.encode(file.encode_to_vec());
    let entry = DescriptorProto {
        name: Some("E".into()),
        options: Some(MessageOptions {
            map_entry: Some(true),
            ..MessageOptions::default()
        }),
        ..DescriptorProto::default()
    };
    refused(&encode(FileDescriptorProto {
        message_type: vec![entry],
        ..FileDescriptorProto::default()
    }));
    let mut deep = DescriptorProto {
        name: Some("D".into()),
        ..DescriptorProto::default()
    };
    for _ in 0..60 {
        deep = DescriptorProto {
            name: Some("D".into()),
            nested_type: vec![deep],
            ..DescriptorProto::default()
        };
    }
    let message = refused(&encode(FileDescriptorProto {
        message_type: vec![deep],
        ..FileDescriptorProto::default()
    }));
    assert!(message.contains("31 deep"), "{message}");
    let dangling = DescriptorProto {
        name: Some("M".into()),
        field: vec![FieldDescriptorProto {
            name: Some("f".into()),
            number: Some(1),
            r#type: Some(Type::Message as i32),
            type_name: Some(".nowhere".into()),
            oneof_index: Some(7),
            ..FieldDescriptorProto::default()
        }],
        ..DescriptorProto::default()
    };
    refused(&encode(FileDescriptorProto {
        message_type: vec![dangling],
        ..FileDescriptorProto::default()
    }));
    let imports = FileDescriptorProto {
        public_dependency: vec![9],
        ..FileDescriptorProto::default()
    };
    refused(&encode(imports));
    let ranges = DescriptorProto {
        name: Some("M".into()),
        reserved_range: vec![ReservedRange {
            start: Some(i32::MAX),
            end: Some(i32::MIN),
        }],
        extension_range: vec![ExtensionRange {
            start: Some(5),
            end: Some(i32::MIN),
            options: None,
        }],
        ..DescriptorProto::default()
    };
    refused(&encode(FileDescriptorProto {
        message_type: vec![ranges],
        ..FileDescriptorProto::default()
    }));
    let editions = FileDescriptorProto {
        syntax: Some("editions".into()),
        ..FileDescriptorProto::default()
    };
    assert!(refused(&encode(editions)).contains("uses Protobuf edition unknown"));
}

#[test]
fn editions_are_refused_in_clear_words() {
    let message = refused("// a comment\n/* another */ edition = \"2023\"; message M {}");
    assert_eq!(
        message,
        "the schema uses Protobuf edition 2023: editions are not supported, only syntax = \"proto2\" and \"proto3\" are"
    );
    let message = refused_with(
        "syntax = \"proto3\"; import \"a.proto\"; message M {}",
        &[reference("a.proto", "edition='2024'; message A {}")],
    );
    assert!(
        message.starts_with("\"a.proto\" uses Protobuf edition 2024:"),
        "{message}"
    );
    assert!(refused("edition = 2023;").contains("edition unknown"));
}

#[test]
fn a_base64_descriptor_of_an_edition_is_refused_by_its_name() {
    use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto};
    let encode = |syntax: Option<&str>, edition: &[u8]| {
        let file = FileDescriptorProto {
            name: Some("m.proto".into()),
            syntax: syntax.map(str::to_owned),
            message_type: vec![DescriptorProto {
                name: Some("M".into()),
                ..DescriptorProto::default()
            }],
            ..FileDescriptorProto::default()
        };
        // Its field number 14, which the plain descriptor does not have.
        STANDARD.encode([file.encode_to_vec().as_slice(), b"\x70", edition].concat())
    };
    let message = refused(&encode(Some("editions"), b"\xe8\x07"));
    assert!(
        message.starts_with("the schema uses Protobuf edition 2023:"),
        "{message}"
    );
    assert!(refused(&encode(Some("editions"), b"\xe9\x07")).contains("edition 2024:"));
    assert!(refused(&encode(None, b"\xe9\x07")).contains("edition 2024:"));
    assert!(refused(&encode(Some("editions"), b"\x9f\x8d\x06")).contains("edition number 99999:"));
    // EDITION_PROTO3 is not an edition of its own.
    let legacy = encode(Some("proto3"), b"\xe7\x07");
    assert!(ProtobufSchema::parse(&legacy, &[]).is_ok());
}

#[test]
fn schemas_over_the_limits_are_refused() {
    let long = format!("syntax = \"proto3\"; message M {{}} // {}", "x".repeat(5_000_000));
    assert!(refused(&long).contains("at most 5000000"));
    assert!(refused(&"message M {}".repeat(200_001)).contains("statements"));
    let nested = format!("{}{}", "message M {".repeat(40), "}".repeat(40));
    assert!(refused(&nested).contains("nest"));
    let deep = format!(
        "message M {{ option (x) = {}{}; }}",
        "{ a ".repeat(5_000),
        "}".repeat(5_000)
    );
    assert!(refused(&deep).contains("option's value nests"));
    let wide = format!(
        "package {}; {}",
        "p".repeat(10_000),
        "message M {}".repeat(10_000)
    );
    assert!(refused(&wide).contains("full names"));
    let scopes = format!("package {}; message M {{}}", ["p"; 65].join("."));
    assert!(refused(&scopes).contains("65 parts"));
    let ranges: Vec<_> = (100_000..110_000).map(|n| n.to_string()).collect();
    let ranges = format!("message M {{ reserved {}; }}", ranges.join(","));
    assert!(refused(&ranges).contains("ranges"));
}

#[test]
fn a_message_of_a_hundred_thousand_fields_is_checked_to_its_last() {
    let mut schema = "syntax = \"proto3\"; message M {".to_owned();
    for number in (1..=101_000u32).filter(|number| !(19_000..20_000).contains(number)) {
        write!(schema, "int32 f{number}={number};").unwrap();
    }
    schema.push('}');
    let validator = validator(&schema);
    let first = validator.message([]).unwrap();
    // Field 101,000, as a varint and as a length.
    assert_eq!(validator.validate(first, b"\xc0\xa8\x31\x01"), Ok(()));
    let refused = validator.validate(first, b"\xc2\xa8\x31\x00").unwrap_err();
    assert_eq!(refused.path, "$.f101000");
}

#[test]
fn a_text_of_five_megabytes_is_read_and_one_byte_more_is_not() {
    let text = |bytes: usize| {
        let message = "syntax = \"proto3\"; message M {} //";
        format!("{message}{}", "x".repeat(bytes - message.len()))
    };
    assert!(ProtobufSchema::parse(&text(5_000_000), &[]).is_ok());
    let message = refused(&text(5_000_001));
    assert_eq!(message, "limit: the schema has 5000001 bytes, at most 5000000");
}

#[test]
fn messages_nest_thirty_one_deep_and_no_deeper() {
    let nested = |depth| format!("{}{}", "message M {".repeat(depth), "}".repeat(depth));
    assert!(ProtobufSchema::parse(&nested(31), &[]).is_ok());
    let message = refused(&nested(32));
    assert!(
        message.contains("recursion limit for nested messages"),
        "{message}"
    );
    // Deep enough to end the process, if the parser were left to recurse.
    refused(&nested(100_000));
}
