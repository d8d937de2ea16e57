//! Any bytes as a payload of the schema that the first byte names: judged the same twice, and a refusal says where and
//! what. What is refused by the schema is refused with every policy, for the same reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::protobuf::ProtobufSchema;
use portcullis::schema::protobuf::validate::{MessageId, ProtobufValidator};
use portcullis::schema::{MismatchKind, UnknownFields};
use std::sync::LazyLock;

const SCHEMAS: [&str; 5] = [
    r#"syntax = "proto2"; message M { required string s = 1; optional M m = 2; repeated int32 n = 3 [packed = true];
    map<string, M> by = 4; oneof o { fixed64 x = 5; bytes y = 6; } optional group G = 7 { optional bool b = 1; } }"#,
    r#"syntax = "proto3"; message M { string s = 1; M m = 2; repeated sint64 n = 3; repeated double d = 4 [packed = false];
    map<int32, string> by = 15; map<string, M> deep = 16; E e = 17; repeated E es = 18; uint32 far = 536870911; } enum E { A = 0; B = 7; }"#,
    r#"syntax = "proto2"; message M { required E e = 1; repeated E es = 2 [packed = true]; map<sfixed32, E> by = 3;
    repeated group G = 4 { required fixed32 f = 4; repeated group H = 5 { optional M m = 1; } } extensions 100 to max; }
    enum E { A = 1; B = -1; C = 300; } extend M { optional M x = 100; repeated float y = 200000 [packed = true]; optional group Z = 101 { } }"#,
    r#"syntax = "proto3"; import "google/protobuf/struct.proto"; import "google/protobuf/any.proto"; import "google/protobuf/wrappers.proto";
    message M { google.protobuf.Struct s = 1; google.protobuf.Any a = 2; repeated google.protobuf.BytesValue b = 3; google.protobuf.Value v = 4; }"#,
    r#"syntax = "proto3"; message M { }"#,
];

static VALIDATORS: LazyLock<Vec<(ProtobufValidator, MessageId)>> = LazyLock::new(|| {
    let mut schemas: Vec<String> = SCHEMAS.iter().map(|text| (*text).to_owned()).collect();
    // With more required fields than fit into a word.
    let fields: String = (1..=70).map(|number| format!("required bool f{number} = {number};")).collect();
    schemas.push(format!("syntax = \"proto2\"; message M {{ optional M m = 100; {fields} }}"));
    let compile = |text: &String| {
        let validator = ProtobufSchema::parse(text, &[]).unwrap().validator().unwrap();
        let message = validator.message([0]).unwrap();
        (validator, message)
    };
    schemas.iter().map(compile).collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((first, payload)) = data.split_first() else { return };
    let (validator, message) = &VALIDATORS[usize::from(*first) % VALIDATORS.len()];
    let verdict = validator.validate(*message, payload);
    assert_eq!(verdict, validator.validate(*message, payload));
    let strictly = validator.validate_with(*message, payload, UnknownFields::Reject);
    for mismatch in [&verdict, &strictly].into_iter().filter_map(|verdict| verdict.as_ref().err()) {
        assert!(mismatch.path.starts_with('$'), "{mismatch:?}");
        assert!(!mismatch.expected.is_empty());
        assert_ne!(mismatch.kind, MismatchKind::NotJson);
    }
    assert!(verdict.is_ok() || strictly.is_err());
    assert_eq!(verdict, validator.validate_with(*message, payload, UnknownFields::Allow));
});
