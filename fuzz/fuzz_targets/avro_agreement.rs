//! An Avro schema made from the first eight bytes, and the others as its payload: we say what apache-avro says, but for
//! the differences that `docs/validation-avro.md` names.
#![no_main]

#[path = "../../tests/avro_agreement/apache.rs"]
mod apache;
#[allow(dead_code)]
#[path = "../../tests/avro_agreement/known.rs"]
mod known;
#[allow(dead_code)]
#[path = "../../tests/choices/mod.rs"]
mod choices;
#[path = "../../tests/avro_agreement/numbers.rs"]
mod numbers;
#[allow(dead_code)]
#[path = "../../tests/avro_agreement/payloads.rs"]
mod payloads;
#[path = "../../tests/avro_agreement/shapes.rs"]
mod shapes;

use libfuzzer_sys::fuzz_target;
use choices::Choices;
use portcullis::schema::SchemaError;
use portcullis::schema::avro::AvroSchema;

/// apache-avro goes as deep as the payload does.
const PAYLOAD_BYTES_MAX: usize = 1024;

fuzz_target!(|data: &[u8]| {
    apache_avro::util::max_allocation_bytes(1 << 18);
    let Some((seed, payload)) = data.split_first_chunk::<8>() else { return };
    let payload = payload.get(..PAYLOAD_BYTES_MAX).unwrap_or(payload);
    let schema = shapes::schema(&mut Choices::new(u64::from_le_bytes(*seed)));
    let text = schema.text.to_string();
    let ours = match AvroSchema::parse(&text, &[]) {
        Ok(ours) => ours.validator().unwrap().validate(payload),
        Err(SchemaError::OverLimit(_)) => return,
        Err(error) => panic!("a generated schema is refused: {error}: {text}"),
    };
    // A record without a finite payload would not end there.
    if known::is_depth(&ours) || payloads::holds_endless(&payloads::heights(&schema)) {
        return;
    }
    let Ok(peer) = apache::schema(&text) else { return };
    let theirs = apache::payload(&peer, payload);
    if ours.is_ok() == theirs.is_ok() {
        return;
    }
    let root_is_bytes = matches!(schema.shapes[schema.root], shapes::Shape::Bytes);
    let error = theirs.as_ref().err().map(String::as_str);
    let reason = known::with_apache_avro(&ours, &text, payload, error, root_is_bytes);
    assert!(reason.is_some(), "ours {ours:?}, apache-avro {theirs:?}, of {text}");
});
