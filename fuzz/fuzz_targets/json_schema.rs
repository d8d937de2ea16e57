//! Any text as a JSON Schema: it is refused, or its canonical text is a schema with that same text, and what it compiles
//! to answers any payload in bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::schema::json::JsonSchema;
use portcullis::schema::{Formats, ReferencedSchema, SchemaError};
use std::sync::LazyLock;

/// What a schema may refer to.
static REFERENCES: LazyLock<Vec<ReferencedSchema>> = LazyLock::new(|| {
    let reference = |name: &str, text: &str| ReferencedSchema {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    vec![
        reference("a", r##"{"$id":"http://a/b","type":"object","$defs":{"x":{"$anchor":"y","items":{"$ref":"#"}}}}"##),
        reference(
            "m",
            r#"{"$id":"m","$schema":"https://json-schema.org/draft/2020-12/schema","$vocabulary":{"https://json-schema.org/draft/2020-12/vocab/format-assertion":true}}"#,
        ),
    ]
});

const PAYLOADS: [&[u8]; 6] = [
    b"null",
    b"-1.50",
    br#""a\u00e9""#,
    br#"[1,1.0,"b",[],{}]"#,
    br#"{"a":{"a":[null,true]},"b":"x","\u0061b":1e2}"#,
    b"{",
];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let schema = match JsonSchema::parse(text, &REFERENCES) {
        Ok(schema) => schema,
        Err(SchemaError::Invalid(why) | SchemaError::OverLimit(why)) => {
            assert!(!why.is_empty() && !why.contains('\n'), "{why:?}");
            return;
        }
    };
    let canonical = schema.canonical();
    let again = JsonSchema::parse(&canonical, &REFERENCES).expect("the canonical text is a schema");
    assert_eq!(again.canonical(), canonical);
    let (Ok(validator), Ok(again)) = (schema.validator(), again.validator()) else {
        assert!(schema.validator().is_err() && again.validator().is_err());
        return;
    };
    for payload in PAYLOADS {
        for formats in [Formats::Annotate, Formats::Assert] {
            let verdict = validator.validate_with(payload, formats);
            assert_eq!(verdict, again.validate_with(payload, formats), "{canonical}");
            let (at_once, by_tape) = validator.both_ways(payload, formats);
            assert!(!at_once || by_tape.is_ok(), "{canonical}");
            assert_eq!(verdict, by_tape, "{canonical}");
        }
    }
});
