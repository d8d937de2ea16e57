//! Any text as an Avro schema: it is refused, or its canonical text is a schema with that same text, it compiles, and
//! what reads its payloads is the same for both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::avro::AvroSchema;

/// Something of each kind: nothing, indexes, blocks, lengths, numbers of many bytes.
const PAYLOADS: [&[u8]; 8] = [
    &[],
    &[0],
    &[2, 0, 0],
    &[2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0],
    &[1, 2, 0, 0],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    &[6, b'a', b'b', b'c', 0],
];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(schema) = AvroSchema::parse(text, &[]) else { return };
    let canonical = schema.canonical();
    let again = AvroSchema::parse(&canonical, &[]).expect("the canonical text is a schema");
    assert_eq!(again.canonical(), canonical);
    assert_eq!(schema.check_as_new().is_ok(), again.check_as_new().is_ok());
    let Ok(validator) = schema.validator() else { return };
    let same = again.validator().expect("the canonical text compiles as well");
    for payload in PAYLOADS {
        assert_eq!(validator.validate(payload), same.validate(payload));
    }
});
