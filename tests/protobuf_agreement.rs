//! The Protobuf walk against prost-reflect, over random schemas and random and damaged payloads: it accepts what
//! that library writes, and judges damage as it does. Where the two differ on purpose, the test says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use portcullis::schema::Mismatch;
use portcullis::schema::protobuf::ProtobufSchema;
use portcullis::schema::protobuf::validate::{MessageId, ProtobufValidator};
use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use prost_reflect::{Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use std::fmt::Write;

/// Choices from a seed (xorshift64*).
struct Choices(u64);

impl Choices {
    fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Proto3,
    /// Without strings, which prost-reflect holds to UTF-8 and protobuf-java and we do not.
    Proto2,
    Proto2Required,
}

const SCALARS: &[&str] = &[
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
    "sfixed32", "sfixed64", "bool", "bytes", "E",
];

fn random_schema(choices: &mut Choices, dialect: Dialect) -> String {
    let proto3 = dialect == Dialect::Proto3;
    let syntax = if proto3 { "proto3" } else { "proto2" };
    let mut text = format!("syntax = \"{syntax}\"; package t;\n");
    let messages = 1 + choices.below(4);
    for message in 0..messages {
        writeln!(text, "message M{message} {{").unwrap();
        let mut number = 0;
        let mut in_oneof = false;
        for field in 0..choices.below(14) {
            number += match choices.below(20) {
                0 => 1000,
                1 | 2 => 1 + choices.below(60),
                _ => 1,
            };
            let mut type_name = (*choices.of(SCALARS)).to_owned();
            if proto3 && choices.chance(15) {
                type_name = "string".into();
            }
            if choices.chance(25) {
                type_name = format!("M{}", choices.below(messages));
            }
            let name = format!("f{field}");
            match choices.below(10) {
                0 if !in_oneof && type_name != "E" => {
                    let key = choices.of(&["int32", "bool", "sint64", "fixed32", "uint64"]);
                    writeln!(text, "map<{key}, {type_name}> {name} = {number};").unwrap();
                }
                1 if !proto3 && !in_oneof => {
                    let inner = choices.of(SCALARS);
                    writeln!(text, "repeated group G{field} = {number} {{ optional {inner} a = 1; repeated {inner} b = 7; }}").unwrap();
                }
                2 if !in_oneof => {
                    in_oneof = true;
                    writeln!(text, "oneof o{field} {{ {type_name} {name} = {number};").unwrap();
                }
                _ if in_oneof => {
                    writeln!(text, "{type_name} {name} = {number};").unwrap();
                    if choices.chance(50) {
                        in_oneof = false;
                        text.push('}');
                    }
                }
                3..5 => writeln!(text, "repeated {type_name} {name} = {number};").unwrap(),
                5 if !matches!(type_name.as_bytes()[0], b'M')
                    && type_name != "bytes"
                    && type_name != "string" =>
                {
                    let packed = choices.chance(50);
                    writeln!(
                        text,
                        "repeated {type_name} {name} = {number} [packed = {packed}];"
                    )
                    .unwrap();
                }
                // A message that requires itself has no end: only what comes later is required.
                6 if dialect == Dialect::Proto2Required && !type_name.starts_with('M') => {
                    writeln!(text, "required {type_name} {name} = {number};").unwrap();
                }
                _ if proto3 && choices.chance(70) => {
                    writeln!(text, "{type_name} {name} = {number};").unwrap();
                }
                _ => writeln!(text, "optional {type_name} {name} = {number};").unwrap(),
            }
        }
        text.push_str(if in_oneof { "} }\n" } else { "}\n" });
    }
    text.push_str("enum E { ZERO = 0; ONE = 1; MANY = 1000; LESS = -1; }\n");
    text
}

fn random_message(choices: &mut Choices, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let required = field.cardinality() == Cardinality::Required;
        if !required && (choices.chance(40) || (depth == 0 && field.kind().as_message().is_some())) {
            continue;
        }
        let value = if field.is_map() {
            let kind = field.kind();
            let entry = kind.as_message().unwrap();
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            Value::Map(
                (0..choices.below(4))
                    .map(|_| (random_key(choices, &key), random_value(choices, &value, depth)))
                    .collect(),
            )
        } else if field.is_list() {
            Value::List(
                (0..choices.below(5))
                    .map(|_| random_value(choices, &field, depth))
                    .collect(),
            )
        } else {
            random_value(choices, &field, depth)
        };
        message.set_field(&field, value);
    }
    message
}

fn random_key(choices: &mut Choices, field: &FieldDescriptor) -> MapKey {
    random_value(choices, field, 0).into_map_key().unwrap()
}

fn random_value(choices: &mut Choices, field: &FieldDescriptor, depth: usize) -> Value {
    let width = choices.below(64);
    let number = choices.next() >> width;
    match field.kind() {
        Kind::Double => Value::F64(f64::from_bits(number)),
        Kind::Float => Value::F32(number as f32),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number),
        Kind::Bool => Value::Bool(number & 1 == 1),
        Kind::String => Value::String("aé€𝄞"[..*choices.of(&[0, 1, 3, 6, 10])].repeat(choices.below(20))),
        Kind::Bytes => Value::Bytes(vec![number as u8; choices.below(200)].into()),
        Kind::Enum(_) => Value::EnumNumber(*choices.of(&[0, 1, 1000, -1])),
        Kind::Message(message) => Value::Message(random_message(choices, &message, depth.saturating_sub(1))),
    }
}

fn damage(choices: &mut Choices, payload: &mut Vec<u8>) {
    for _ in 0..=choices.below(3) {
        let at = choices.below(payload.len() + 1);
        match choices.below(6) {
            0 => payload.truncate(at),
            1 if at < payload.len() => payload[at] = choices.next() as u8,
            2 if at < payload.len() => payload[at] ^= 1 << choices.below(8),
            3 if at < payload.len() => drop(payload.remove(at)),
            4 => payload.insert(at, choices.next() as u8),
            _ => {
                let from = choices.below(payload.len() + 1);
                let piece = payload[from.min(at)..from.max(at)].to_vec();
                payload.extend_from_slice(&piece);
            }
        }
    }
}

struct Subject {
    text: String,
    schema: ProtobufSchema,
    validator: ProtobufValidator,
    id: MessageId,
    descriptor: MessageDescriptor,
}

impl Subject {
    fn new(text: String) -> Self {
        let schema = ProtobufSchema::parse(&text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let validator = schema.validator().unwrap();
        let id = validator.message([0]).unwrap();
        let descriptor = schema.descriptor().messages().next().unwrap();
        Self {
            text,
            schema,
            validator,
            id,
            descriptor,
        }
    }
}

/// prost-reflect reads a map field's value as an entry whatever its wire type is, also where a group ends that was never
/// begun; we refuse what is no length.
fn is_map_of_another_wire_type(subject: &Subject, ours: &Result<(), Mismatch>) -> bool {
    let Err(Mismatch { expected, .. }) = ours else {
        return false;
    };
    let ends_a_map = |number: u32| {
        let mut messages = subject.descriptor.parent_pool().all_messages();
        messages.any(|message| message.get_field(number).is_some_and(|field| field.is_map()))
    };
    let end_of_group = expected.strip_prefix("end of group ");
    let number = end_of_group.and_then(|rest| rest.split(' ').next()?.parse().ok());
    expected.starts_with("expected a length for message") && expected.contains("Entry ")
        || number.is_some_and(ends_a_map)
}

/// protobuf-java's `isInitialized`.
fn is_complete(message: &DynamicMessage) -> bool {
    use prost_reflect::ReflectMessage;
    let of_value = |value: &Value| match value {
        Value::Message(message) => is_complete(message),
        Value::List(values) => values.iter().filter_map(Value::as_message).all(is_complete),
        Value::Map(values) => values.values().filter_map(Value::as_message).all(is_complete),
        _ => true,
    };
    let required = |field: &FieldDescriptor| field.cardinality() == Cardinality::Required;
    message
        .descriptor()
        .fields()
        .filter(required)
        .all(|field| message.has_field(&field))
        && message.fields().all(|(_, value)| of_value(value))
}

fn sort(message: &mut DescriptorProto) {
    message.field.sort_by_key(FieldDescriptorProto::number);
    message
        .nested_type
        .sort_by(|left, right| left.name().cmp(right.name()));
    message.nested_type.iter_mut().for_each(sort);
}

/// A linked file, without the order that fields were written in.
fn meaning(schema: &ProtobufSchema) -> FileDescriptorProto {
    let mut file = schema.descriptor().file_descriptor_proto().clone();
    file.message_type.iter_mut().for_each(sort);
    file
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_prost_reflect_writes_is_valid(seed: u64) {
        let mut choices = Choices::new(seed);
        let dialect = *choices.of(&[Dialect::Proto3, Dialect::Proto2, Dialect::Proto2Required]);
        let subject = Subject::new(random_schema(&mut choices, dialect));
        for _ in 0..8 {
            let payload = random_message(&mut choices, &subject.descriptor, 4).encode_to_vec();
            let verdict = subject.validator.validate(subject.id, &payload);
            prop_assert!(verdict.is_ok(), "{verdict:?}\n{}\n{payload:02x?}", subject.text);
        }
    }

    #[test]
    fn damage_is_judged_as_prost_reflect_does(seed: u64) {
        let mut choices = Choices::new(seed);
        let dialect = *choices.of(&[Dialect::Proto3, Dialect::Proto2]);
        let subject = Subject::new(random_schema(&mut choices, dialect));
        for _ in 0..32 {
            let mut payload = random_message(&mut choices, &subject.descriptor, 3).encode_to_vec();
            damage(&mut choices, &mut payload);
            let ours = subject.validator.validate(subject.id, &payload);
            let theirs = DynamicMessage::decode(subject.descriptor.clone(), payload.as_slice());
            prop_assert!(
                ours.is_ok() == theirs.is_ok() || is_map_of_another_wire_type(&subject, &ours),
                "{ours:?} {theirs:?}\n{}\n{payload:02x?}",
                subject.text
            );
        }
    }

    #[test]
    fn what_is_accepted_holds_every_required_field(seed: u64) {
        let mut choices = Choices::new(seed);
        let subject = Subject::new(random_schema(&mut choices, Dialect::Proto2Required));
        for _ in 0..32 {
            let mut payload = random_message(&mut choices, &subject.descriptor, 3).encode_to_vec();
            damage(&mut choices, &mut payload);
            let ours = subject.validator.validate(subject.id, &payload);
            let theirs = DynamicMessage::decode(subject.descriptor.clone(), payload.as_slice());
            let complete = theirs.as_ref().is_ok_and(is_complete);
            // Not the other way round: a message in two pieces must be complete in each of them.
            prop_assert!(complete || ours.is_err(), "{:?}\n{}\n{:02x?}", theirs, subject.text, payload);
            if let Err(mismatch) = ours {
                prop_assert!(mismatch.path.starts_with('$') && !mismatch.expected.is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_at_all_make_the_walk_panic(seed: u64, payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut choices = Choices::new(seed);
        let subject = Subject::new(random_schema(&mut choices, Dialect::Proto2));
        let ours = subject.validator.validate(subject.id, &payload);
        let theirs = DynamicMessage::decode(subject.descriptor.clone(), payload.as_slice());
        prop_assert!(ours.is_ok() == theirs.is_ok() || is_map_of_another_wire_type(&subject, &ours), "{ours:?} {theirs:?}");
    }

    #[test]
    fn every_truncation_is_judged_as_prost_reflect_does(seed: u64) {
        let mut choices = Choices::new(seed);
        let subject = Subject::new(random_schema(&mut choices, Dialect::Proto3));
        let payload = random_message(&mut choices, &subject.descriptor, 3).encode_to_vec();
        for end in 0..payload.len().min(600) {
            let ours = subject.validator.validate(subject.id, &payload[..end]).is_ok();
            let theirs = DynamicMessage::decode(subject.descriptor.clone(), &payload[..end]).is_ok();
            prop_assert_eq!(ours, theirs, "{}\n{:02x?}", subject.text, &payload[..end]);
        }
    }

    #[test]
    fn the_stored_text_says_the_same_schema(seed: u64) {
        let mut choices = Choices::new(seed);
        let dialect = *choices.of(&[Dialect::Proto3, Dialect::Proto2Required]);
        let subject = Subject::new(random_schema(&mut choices, dialect));
        let stored = subject.schema.canonical();
        let again = ProtobufSchema::parse(&stored, &[]).unwrap();
        prop_assert_eq!(meaning(&again), meaning(&subject.schema), "{}", &stored);
        prop_assert_eq!(again.canonical(), stored);
    }
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
