//! A field as far as its compatibility goes: `FieldSchemaDiff`'s kinds, groups of scalars, and labels.

use prost_reflect::prost_types::field_descriptor_proto::Label;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, Syntax};

/// Types that read each other's values on the wire. Enums are numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    GeneralNumber,
    SignedNumber,
    StringOrBytes,
    Fixed32,
    Fixed64,
    Float,
    Double,
}

pub(super) enum Type {
    Scalar(Scalar),
    Map(FieldDescriptor, FieldDescriptor),
    Message(MessageDescriptor),
}

pub(super) fn type_of(field: &FieldDescriptor) -> Type {
    Type::Scalar(match field.kind() {
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Bool | Kind::Enum(_) => {
            Scalar::GeneralNumber
        }
        Kind::Sint32 | Kind::Sint64 => Scalar::SignedNumber,
        Kind::String | Kind::Bytes => Scalar::StringOrBytes,
        Kind::Fixed32 | Kind::Sfixed32 => Scalar::Fixed32,
        Kind::Fixed64 | Kind::Sfixed64 => Scalar::Fixed64,
        Kind::Float => Scalar::Float,
        Kind::Double => Scalar::Double,
        Kind::Message(message) => {
            let entry = message
                .is_map_entry()
                .then(|| message.get_field(1).zip(message.get_field(2)));
            return match entry.flatten() {
                Some((key, value)) => Type::Map(key, value),
                None => Type::Message(message),
            };
        }
    })
}

/// The label that stands in the text: none for a map's field, a oneof's, and a plain one in proto3.
pub(super) fn label_of(field: &FieldDescriptor, in_oneof: bool) -> Option<Label> {
    let proto = field.field_descriptor_proto();
    if in_oneof || field.is_map() {
        return None;
    }
    match proto.label() {
        Label::Optional if field.parent_file().syntax() == Syntax::Proto3 && !proto.proto3_optional() => None,
        label => Some(label),
    }
}
