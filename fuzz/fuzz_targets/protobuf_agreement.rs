//! Any bytes as a payload of a random schema, one of 256 by the first byte: we say what the plain reader of
//! `tests/protobuf_agreement` says by our rules, and prost-reflect what it says by prost-reflect's.
#![no_main]
#![allow(dead_code, reason = "shared with a test that uses more of it")]

#[path = "../../tests/choices/mod.rs"]
mod choices;
#[path = "../../tests/protobuf_agreement/model.rs"]
mod model;
#[path = "../../tests/protobuf_agreement/prost.rs"]
mod prost;
#[path = "../../tests/protobuf_agreement/schemas.rs"]
mod schemas;
#[path = "../../tests/protobuf_agreement/tables.rs"]
mod tables;

use libfuzzer_sys::fuzz_target;
use model::{Rules, Verdict, judge};
use portcullis::schema::UnknownFields;
use portcullis::schema::protobuf::ProtobufSchema;
use portcullis::schema::protobuf::validate::{MessageId, ProtobufValidator};
use prost_reflect::MessageDescriptor;
use std::sync::LazyLock;
use tables::Tables;

struct Subject {
    text: String,
    validator: ProtobufValidator,
    id: MessageId,
    descriptor: MessageDescriptor,
    tables: Tables,
}

static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    let subject = |seed| {
        let texts = schemas::random_schema(&mut choices::Choices::new(seed));
        let schema = ProtobufSchema::parse(&texts.root, &texts.references).expect("a schema");
        let validator = schema.validator().expect("a validator");
        let id = validator.message([0]).expect("a message");
        let descriptor = schema.descriptor().messages().next().expect("a message");
        let tables = Tables::of(&descriptor);
        Subject { text: texts.root, validator, id, descriptor, tables }
    };
    (0..256).map(subject).collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((first, payload)) = data.split_first() else { return };
    let subject = &SUBJECTS[usize::from(*first)];
    let ours = subject.validator.validate(subject.id, payload);
    let by_our_rules = judge(&subject.tables, payload, Rules::default());
    assert_eq!(ours.is_ok(), by_our_rules.is_valid(), "{ours:?}\n{}", subject.text);
    let strictly = subject.validator.validate_with(subject.id, payload, UnknownFields::Reject);
    let is_known = by_our_rules == Verdict::Valid { unknown: false };
    assert_eq!(strictly.is_ok(), is_known, "{strictly:?}\n{}", subject.text);
    let theirs = prost::verdict(&subject.descriptor, payload);
    let by_their_rules = judge(&subject.tables, payload, prost::RULES);
    assert_eq!(theirs.0, by_their_rules.is_valid(), "{}\n{}", theirs.1, subject.text);
});
