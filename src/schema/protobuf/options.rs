//! A registered descriptor holds its options interpreted; the text that is stored needs them as written. Custom
//! options are kept: they come from the linked descriptors, not from the plain ones.

use prost_reflect::prost_types::uninterpreted_option::NamePart;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, EnumValueOptions, FieldDescriptorProto, FieldOptions,
    FileDescriptorProto, FileOptions, MessageOptions, MethodOptions, OneofOptions, ServiceOptions,
    UninterpretedOption,
};
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FileDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};

/// Replaces every interpreted option of `file` by its written form. `linked` is the same file.
pub(super) fn write_out(file: &mut FileDescriptorProto, linked: &FileDescriptor) {
    file.options = written(&linked.options()).map(|uninterpreted_option| FileOptions {
        uninterpreted_option,
        ..FileOptions::default()
    });
    for (message, linked) in file.message_type.iter_mut().zip(linked.messages()) {
        of_message(message, &linked);
    }
    for (enumeration, linked) in file.enum_type.iter_mut().zip(linked.enums()) {
        of_enum(enumeration, &linked);
    }
    for (field, linked) in file.extension.iter_mut().zip(linked.extensions()) {
        of_field(field, &linked.options());
    }
    for (service, linked) in file.service.iter_mut().zip(linked.services()) {
        service.options = written(&linked.options()).map(|uninterpreted_option| ServiceOptions {
            uninterpreted_option,
            ..ServiceOptions::default()
        });
        for (method, linked) in service.method.iter_mut().zip(linked.methods()) {
            method.options = written(&linked.options()).map(|uninterpreted_option| MethodOptions {
                uninterpreted_option,
                ..MethodOptions::default()
            });
        }
    }
}

fn of_message(message: &mut DescriptorProto, linked: &MessageDescriptor) {
    message.options = written(&linked.options()).map(|uninterpreted_option| MessageOptions {
        uninterpreted_option,
        ..MessageOptions::default()
    });
    for field in &mut message.field {
        if let Some(linked) = linked.get_field(field.number() as u32) {
            of_field(field, &linked.options());
        }
    }
    for (field, linked) in message.extension.iter_mut().zip(linked.child_extensions()) {
        of_field(field, &linked.options());
    }
    for (oneof, linked) in message.oneof_decl.iter_mut().zip(linked.oneofs()) {
        oneof.options =
            written(&linked.options()).map(|uninterpreted_option| OneofOptions { uninterpreted_option });
    }
    for (nested, linked) in message.nested_type.iter_mut().zip(linked.child_messages()) {
        of_message(nested, &linked);
    }
    for (nested, linked) in message.enum_type.iter_mut().zip(linked.child_enums()) {
        of_enum(nested, &linked);
    }
}

fn of_enum(enumeration: &mut EnumDescriptorProto, linked: &EnumDescriptor) {
    enumeration.options = written(&linked.options()).map(|uninterpreted_option| EnumOptions {
        uninterpreted_option,
        ..EnumOptions::default()
    });
    for value in &mut enumeration.value {
        let linked = linked.get_value_by_name(value.name());
        value.options = linked
            .and_then(|linked| written(&linked.options()))
            .map(|uninterpreted_option| EnumValueOptions {
                uninterpreted_option,
                ..EnumValueOptions::default()
            });
    }
}

fn of_field(field: &mut FieldDescriptorProto, options: &DynamicMessage) {
    field.options = written(options).map(|uninterpreted_option| FieldOptions {
        uninterpreted_option,
        ..FieldOptions::default()
    });
}

/// `None` when there is no option.
fn written(options: &DynamicMessage) -> Option<Vec<UninterpretedOption>> {
    let mut fields: Vec<_> = options
        .fields()
        .filter(|(field, _)| field.name() != "uninterpreted_option")
        .collect();
    fields.sort_by_key(|(field, _)| order(options.descriptor().full_name(), field.number()));
    let mut out = Vec::new();
    for (field, value) in fields {
        put(&mut out, field.name(), false, &field.kind(), value);
    }
    let mut extensions: Vec<_> = options.extensions().collect();
    // Confluent's metadata comes before what others define.
    extensions.sort_by_key(|(field, _)| (!field.full_name().starts_with("confluent."), field.number()));
    for (field, value) in extensions {
        put(&mut out, field.full_name(), true, &field.kind(), value);
    }
    (!out.is_empty()).then_some(out)
}

/// Confluent prints options by number, with a few exceptions.
fn order(options: &str, number: u32) -> (u32, u32) {
    match (options, number) {
        ("google.protobuf.FileOptions", 1 | 8 | 10 | 20 | 27) => (0, number),
        // deprecated after jstype
        ("google.protobuf.FieldOptions", 3) => (1, 7),
        _ => (1, number),
    }
}

fn put(out: &mut Vec<UninterpretedOption>, name: &str, is_extension: bool, kind: &Kind, value: &Value) {
    if let Value::List(values) = value {
        for value in values {
            put(out, name, is_extension, kind, value);
        }
        return;
    }
    let mut option = UninterpretedOption {
        name: vec![NamePart {
            name_part: name.to_owned(),
            is_extension,
        }],
        ..UninterpretedOption::default()
    };
    let mut integer = |number: i64| match u64::try_from(number) {
        Ok(number) => option.positive_int_value = Some(number),
        Err(_) => option.negative_int_value = Some(number),
    };
    match value {
        Value::I32(number) => integer(i64::from(*number)),
        Value::I64(number) => integer(*number),
        Value::U32(number) => integer(i64::from(*number)),
        Value::U64(number) => option.positive_int_value = Some(*number),
        Value::F32(number) => float(&mut option, f64::from(*number)),
        Value::F64(number) => float(&mut option, *number),
        Value::Bool(value) => option.identifier_value = Some(value.to_string()),
        Value::String(text) => option.string_value = Some(text.clone().into_bytes()),
        Value::Bytes(bytes) => option.string_value = Some(bytes.to_vec()),
        Value::EnumNumber(number) => {
            let named = kind.as_enum().and_then(|kind| kind.get_value(*number));
            // An unnamed number cannot be written in text.
            let Some(named) = named else { return };
            option.identifier_value = Some(named.name().to_owned());
        }
        Value::Message(message) => option.aggregate_value = Some(message.to_text_format()),
        Value::List(_) | Value::Map(_) => return,
    }
    out.push(option);
}

fn float(option: &mut UninterpretedOption, number: f64) {
    match number {
        number if number.is_nan() => option.identifier_value = Some("nan".to_owned()),
        number if number == f64::INFINITY => option.identifier_value = Some("inf".to_owned()),
        number => option.double_value = Some(number),
    }
}
