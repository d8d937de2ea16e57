//! prost-reflect's opinion, and its rules.

use super::model::Rules;
use prost_reflect::prost::Message as _;
use prost_reflect::{Cardinality, DynamicMessage, MessageDescriptor, ReflectMessage, Value};

pub const RULES: Rules = Rules {
    other_wire_type_is_unknown: false,
    extra_bits_are_dropped: false,
    ten_byte_tags: true,
    five_byte_lengths: false,
    number_zero_in_what_is_empty: false,
    unknown_in_what_is_replaced_is_gone: true,
    map_in_any_wire_type: true,
    entries_do_not_nest: true,
    proto2_strings_are_utf8: true,
    unnamed_number_counts: true,
    entry_with_unknown_is_unknown: false,
};

/// What prost-reflect says: it decodes, and every required field is there.
pub fn verdict(descriptor: &MessageDescriptor, payload: &[u8]) -> (bool, String) {
    match DynamicMessage::decode(descriptor.clone(), payload) {
        Ok(message) if is_complete(&message) => (true, "valid".into()),
        Ok(_) => (false, "a required field is missing".into()),
        Err(error) => (false, error.to_string()),
    }
}

/// The payload as prost-reflect writes it again, when it can read it.
pub fn rewrite(descriptor: &MessageDescriptor, payload: &[u8]) -> Option<Vec<u8>> {
    let message = DynamicMessage::decode(descriptor.clone(), payload).ok()?;
    Some(message.encode_to_vec())
}

/// protobuf-java's `isInitialized`.
fn is_complete(message: &DynamicMessage) -> bool {
    let of_value = |value: &Value| match value {
        Value::Message(message) => is_complete(message),
        Value::List(values) => values.iter().filter_map(Value::as_message).all(is_complete),
        Value::Map(values) => values.values().filter_map(Value::as_message).all(is_complete),
        _ => true,
    };
    let descriptor = message.descriptor();
    let mut required = descriptor
        .fields()
        .filter(|field| field.cardinality() == Cardinality::Required);
    required.all(|field| message.has_field(&field))
        && message.fields().all(|(_, value)| of_value(value))
        && message.extensions().all(|(_, value)| of_value(value))
}
