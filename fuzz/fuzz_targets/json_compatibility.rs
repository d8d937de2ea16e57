//! Any two texts, with a NUL between them, as versions of a JSON Schema: compared in bounded time and stack, both ways, each
//! with itself, and with what refers to what.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::{JsonComparison, ReferencedSchema, Schema, SchemaType};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (old, new) = text.split_once('\0').unwrap_or((&text, &text));
    // The other version is there to be referred to as `r`.
    let parse = |text: &str, other: &str| {
        let other = ReferencedSchema { name: "r".to_owned(), text: other.to_owned() };
        let with_other = Schema::parse(SchemaType::Json, text, &[other]);
        with_other.or_else(|_| Schema::parse(SchemaType::Json, text, &[]))
    };
    let (Ok(old), Ok(new)) = (parse(old, new), parse(new, old)) else { return };
    for (reader, writer) in [(&new, &old), (&old, &new), (&old, &old), (&new, &new)] {
        let strict = reader.incompatibilities(writer);
        assert!(strict.len() <= 100);
        for reason in &strict {
            assert!(reason.path.starts_with("#/") && reason.path.len() < 2_100, "{}", reason.path);
            assert!(!reason.confluent_message("new", "old").is_empty());
        }
        if std::ptr::eq(reader, writer) {
            assert!(strict.iter().all(|reason| reason.kind == "SCHEMA_TOO_COMPLEX"), "{strict:?}");
        }
        if strict.is_empty() {
            assert_eq!(reader.incompatibilities_under(JsonComparison::Lenient, writer), []);
        }
    }
});
