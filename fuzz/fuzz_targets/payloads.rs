//! Any bytes as a payload of each language, against a schema with everything in it. What another parser
//! takes as JSON is JSON here too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::{MismatchKind, Schema, SchemaType, Validator};
use std::sync::LazyLock;

fn validator(schema_type: SchemaType, text: &str) -> Validator {
    Schema::parse(schema_type, text, &[]).unwrap().validator().unwrap()
}

static AVRO: LazyLock<Validator> = LazyLock::new(|| {
    validator(
        SchemaType::Avro,
        r#"{"type":"record","name":"R","fields":[{"name":"s","type":"string"},{"name":"u","type":["null","R",{"type":"map","values":"int"}]},
        {"name":"a","type":{"type":"array","items":["null","double",{"type":"enum","name":"E","symbols":["A","B"]}]}},
        {"name":"n","type":{"type":"array","items":"null"}},{"name":"f","type":{"type":"fixed","name":"F","size":3}},{"name":"b","type":"boolean"}]}"#,
    )
});
static PROTOBUF: LazyLock<Validator> = LazyLock::new(|| {
    validator(
        SchemaType::Protobuf,
        r#"syntax = "proto2"; message M { required string s = 1; optional M m = 2; repeated int32 n = 3 [packed = true];
        map<string, M> by = 4; oneof o { fixed64 x = 5; bytes y = 6; } optional group G = 7 { optional bool b = 1; } }"#,
    )
});
static JSON: LazyLock<Validator> = LazyLock::new(|| {
    validator(
        SchemaType::Json,
        r##"{"type":["object","array","string","number"],"properties":{"a":{"type":"string","pattern":"^[a-z]+$"},"b":{"$ref":"#"}},
        "additionalProperties":{"anyOf":[{"type":"integer"},{"$ref":"#"}]},"items":{"$ref":"#"},"uniqueItems":true,"multipleOf":0.5}"##,
    )
});
static ANY_JSON: LazyLock<Validator> = LazyLock::new(|| validator(SchemaType::Json, "true"));

fuzz_target!(|data: &[u8]| {
    if let Validator::Avro(avro) = &*AVRO {
        let _ = avro.validate(data);
    }
    if let Validator::Protobuf(protobuf) = &*PROTOBUF {
        let message = protobuf.message([0]).unwrap();
        let _ = protobuf.validate(message, data);
    }
    if let (Validator::Json(json), Validator::Json(any)) = (&*JSON, &*ANY_JSON) {
        let kind = |outcome: Result<(), portcullis::schema::Mismatch>| outcome.err().map(|mismatch| mismatch.kind);
        let strict = kind(json.validate(data));
        let loose = kind(any.validate(data));
        if loose == Some(MismatchKind::OverLimit) {
            return;
        }
        let is_json = serde_json::from_slice::<serde_json::Value>(data).is_ok();
        // serde_json wants paired surrogates, numbers that a double holds and its own depth: what it takes, we take.
        if is_json {
            assert_eq!(loose, None);
            assert_ne!(strict, Some(MismatchKind::NotJson));
        }
    }
});
