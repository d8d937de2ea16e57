//! Promise: of any bytes we say what prost-reflect and Google's own Protobuf (upb) say, by any schema, but for the
//! differences that `docs/validation-protobuf.md` lists; and of any `.proto` text what protoc says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests are threads and processes, with no runtime to block"
)]

mod acceptance;
#[path = "../choices/mod.rs"]
mod choices;
mod google;
#[path = "../judge/mod.rs"]
mod judge;
mod model;
mod payloads;
#[allow(dead_code, reason = "only where things are, not what listens")]
#[path = "../support/places.rs"]
mod places;
mod prost;
mod schemas;
mod second_opinions;
mod tables;

use portcullis::schema::protobuf::ProtobufSchema;
use portcullis::schema::protobuf::compat::incompatibilities;
use prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

#[test]
fn payloads_are_judged_as_google_and_prost_reflect_judge_them() {
    let (cases, seed) = judge::cases_and_seed();
    // A hundred messages in each other take the other libraries more stack, unoptimized, than a test's thread has.
    judge::with_stack(64 << 20, move || second_opinions::compare(cases as usize, seed));
}

/// A fortieth of the cases: protoc takes its time.
#[test]
fn schemas_are_accepted_as_protoc_accepts_them() {
    let (cases, seed) = judge::cases_and_seed();
    acceptance::compare(cases as usize / 40, seed);
}

#[test]
fn the_stored_and_the_normalised_text_say_the_same_schema() {
    let (_, seed) = judge::cases_and_seed();
    let mut choices = choices::Choices::new(seed);
    for _ in 0..200 {
        let subject = second_opinions::Subject::new(schemas::random_schema(&mut choices));
        let stored = subject.schema.canonical();
        let again = ProtobufSchema::parse(&stored, &subject.texts.references).unwrap();
        assert_eq!(meaning(&again), meaning(&subject.schema), "{stored}");
        assert_eq!(again.canonical(), stored);
        let normalized = subject.schema.normalized();
        assert_eq!(again.normalized(), normalized, "{stored}");
        let again = ProtobufSchema::parse(&normalized, &subject.texts.references).unwrap();
        assert_eq!(again.normalized(), normalized);
        assert_eq!(incompatibilities(&again, &subject.schema), []);
        assert_eq!(incompatibilities(&subject.schema, &again), []);
    }
}

/// A linked file, without the order that fields were written in.
fn meaning(schema: &ProtobufSchema) -> FileDescriptorProto {
    let mut file = schema.descriptor().file_descriptor_proto().clone();
    file.dependency.sort();
    // Groups come after the other extensions of a block.
    file.extension.sort_by_key(FieldDescriptorProto::number);
    file.message_type
        .sort_by(|left, right| left.name().cmp(right.name()));
    file.message_type.iter_mut().for_each(sort);
    file
}

fn sort(message: &mut DescriptorProto) {
    message.field.sort_by_key(FieldDescriptorProto::number);
    message.extension.sort_by_key(FieldDescriptorProto::number);
    message
        .nested_type
        .sort_by(|left, right| left.name().cmp(right.name()));
    message.nested_type.iter_mut().for_each(sort);
}

/// Found at random once: the end of a group, with the number of a map.
#[test]
fn a_group_that_ends_where_none_began_is_refused_also_with_a_maps_number() {
    let text = "syntax = \"proto3\"; message M { map<bool, int32> f = 1; }";
    let schema = ProtobufSchema::parse(text, &[]).unwrap();
    let validator = schema.validator().unwrap();
    let verdict = validator.validate(validator.message([0]).unwrap(), &[0x0c]);
    assert!(verdict.is_err_and(|mismatch| mismatch.expected.starts_with("end of group 1 ")));
}
