//! Any text as a Protobuf schema, any bytes as the descriptor that Python's client registers instead, any texts that import
//! each other: refused, or the stored text is the same schema, and so is the serialized form.
#![no_main]

use base64::prelude::{BASE64_STANDARD, Engine};
use libfuzzer_sys::fuzz_target;
use portcullis::schema::ReferencedSchema;
use portcullis::schema::protobuf::ProtobufSchema;

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let text = match first % 3 {
        0 => BASE64_STANDARD.encode(data),
        _ => String::from_utf8_lossy(data).into_owned(),
    };
    // With imports: texts between NULs, `a.proto`, `b.proto` … after the schema itself.
    let mut texts = text.split('\0');
    let root = texts.next().unwrap_or_default();
    let references: Vec<_> = ('a'..='z')
        .zip(texts)
        .map(|(name, text)| ReferencedSchema { name: format!("{name}.proto"), text: text.to_owned() })
        .collect();
    let Ok(schema) = ProtobufSchema::parse(root, &references) else { return };
    if let Ok(validator) = schema.validator()
        && let Some(message) = validator.message([0])
    {
        let _ = validator.validate(message, data);
    }
    let canonical = schema.canonical();
    let again = ProtobufSchema::parse(&canonical, &references).expect("the stored text is a schema");
    assert_eq!(again.canonical(), canonical);
    assert_eq!(again.normalized(), schema.normalized());
    let serialized = BASE64_STANDARD.decode(schema.serialized());
    assert!(serialized.is_ok_and(|bytes| !bytes.is_empty()));
});
