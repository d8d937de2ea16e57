//! Each rule and each hostile payload, as a sentence.

use super::ProtobufSchema;
use super::validate::ProtobufValidator;
use crate::schema::{Mismatch, MismatchKind, ReferencedSchema, SchemaError};

mod differences;
mod payloads;
mod pieces;
mod places;
mod schemas;
mod stored;
mod unknown_fields;
mod walks;

fn parse(text: &str) -> ProtobufSchema {
    ProtobufSchema::parse(text, &[]).unwrap()
}

fn refused(text: &str) -> String {
    refused_with(text, &[])
}

fn refused_with(text: &str, references: &[ReferencedSchema]) -> String {
    match ProtobufSchema::parse(text, references) {
        Ok(_) => panic!("accepted"),
        Err(SchemaError::Invalid(message) | SchemaError::InvalidAt { what: message, .. }) => message,
        Err(SchemaError::OverLimit(message)) => format!("limit: {message}"),
    }
}

fn reference(name: &str, text: &str) -> ReferencedSchema {
    ReferencedSchema {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn validator(text: &str) -> ProtobufValidator {
    parse(text).validator().unwrap()
}

/// Checks `payload` as the first message of `text`.
fn check(text: &str, payload: &[u8]) -> Result<(), Mismatch> {
    let validator = validator(text);
    let first = validator.message([]).unwrap();
    validator.validate(first, payload)
}

fn mismatch(text: &str, payload: &[u8]) -> (String, String) {
    let mismatch = check(text, payload).unwrap_err();
    assert_eq!(mismatch.kind, MismatchKind::Payload);
    (mismatch.path, mismatch.expected)
}

fn over_limit(text: &str, payload: &[u8]) -> (String, String) {
    let mismatch = check(text, payload).unwrap_err();
    assert_eq!(mismatch.kind, MismatchKind::OverLimit);
    (mismatch.path, mismatch.expected)
}
