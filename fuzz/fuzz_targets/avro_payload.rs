//! Any bytes as a payload of one of several Avro schemas: the verdict is always the same, what is refused says where
//! and why, and what is valid ends where it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::MismatchKind;
use portcullis::schema::avro::AvroSchema;
use portcullis::schema::avro::validate::AvroValidator;
use std::sync::LazyLock;

const SCHEMAS: [&str; 8] = [
    // Everything, and itself.
    r#"{"type":"record","name":"R","fields":[{"name":"s","type":"string"},
    {"name":"u","type":["null","R",{"type":"map","values":"int"}]},
    {"name":"a","type":{"type":"array","items":["null","double",{"type":"enum","name":"E","symbols":["A","B"]}]}},
    {"name":"n","type":{"type":"array","items":"null"}},{"name":"f","type":{"type":"fixed","name":"F","size":3}},
    {"name":"b","type":"boolean"}]}"#,
    // A list of itself, as deep as the payload.
    r#"{"type":"record","name":"N","fields":[{"name":"v","type":"long"},{"name":"next","type":["N","null"]}]}"#,
    // A tree through arrays and maps.
    r#"{"type":"record","name":"T","fields":[{"name":"a","type":{"type":"array","items":"T"}},
    {"name":"m","type":{"type":"map","values":["null","T"]}}]}"#,
    // Numbers next to each other, where many bytes are read at once.
    r#"{"type":"record","name":"I","fields":[{"name":"a","type":"int"},{"name":"b","type":"long"},{"name":"c","type":"int"},
    {"name":"d","type":"float"},{"name":"e","type":["null","string"]},{"name":"f","type":["string","null"]},
    {"name":"g","type":["null","long"]},{"name":"h","type":["int","string","bytes"]}]}"#,
    r#"{"type":"array","items":"string"}"#,
    r#"{"type":"map","values":{"type":"array","items":"boolean"}}"#,
    // Items without bytes.
    r#"{"type":"record","name":"Z","fields":[{"name":"a","type":{"type":"array","items":{"type":"record","name":"Y",
    "fields":[{"name":"n","type":"null"}]}}},{"name":"m","type":{"type":"map","values":"Y"}}]}"#,
    // A record that has no payload, in a union.
    r#"["null",{"type":"record","name":"L","fields":[{"name":"i","type":"int"},{"name":"l","type":"L"}]},"bytes"]"#,
];

static VALIDATORS: LazyLock<Vec<AvroValidator>> = LazyLock::new(|| {
    let validator = |text: &&str| AvroSchema::parse(text, &[]).unwrap().validator().unwrap();
    SCHEMAS.iter().map(validator).collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((first, payload)) = data.split_first() else { return };
    let validator = &VALIDATORS[usize::from(*first) % SCHEMAS.len()];
    let verdict = validator.validate(payload);
    // Elsewhere in memory, with nothing behind it.
    assert_eq!(validator.validate(&payload.to_vec()), verdict);
    match verdict {
        Ok(()) => {
            let longer = [payload, &[0]].concat();
            let mismatch = validator.validate(&longer).unwrap_err();
            assert!(mismatch.path == "$" || mismatch.kind == MismatchKind::OverLimit, "{mismatch:?}");
            if let Some((_, shorter)) = payload.split_last() {
                assert!(validator.validate(shorter).is_err());
            }
        }
        Err(mismatch) => {
            assert!(mismatch.path.starts_with('$'), "{mismatch:?}");
            assert!(mismatch.expected.starts_with("expected "), "{mismatch:?}");
            assert_ne!(mismatch.kind, MismatchKind::NotJson);
        }
    }
});
