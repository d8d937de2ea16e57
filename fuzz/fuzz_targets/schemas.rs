//! Any text as a schema of each language: it is refused, or its canonical text is a schema with that same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::{Schema, SchemaType};

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let schema_type = [SchemaType::Avro, SchemaType::Protobuf, SchemaType::Json][usize::from(first % 3)];
    let Ok(schema) = Schema::parse(schema_type, text, &[]) else { return };
    let _ = schema.validator();
    let canonical = schema.canonical();
    let again = Schema::parse(schema_type, &canonical, &[]).expect("the canonical text is a schema");
    assert_eq!(again.canonical(), canonical);
});
