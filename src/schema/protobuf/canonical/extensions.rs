//! `format=ignore_extensions`: the schema without custom options, but for Confluent's own, and without extensions.

use super::super::syntax::{Enum, Field, File, Group, Message, OptionStatement};

/// `file` without extensions.
pub(in super::super) fn ignore_extensions(mut file: File) -> File {
    options(&mut file.options);
    file.extends.clear();
    file.messages.iter_mut().for_each(message);
    file.enums.iter_mut().for_each(enumeration);
    for service in &mut file.services {
        options(&mut service.options);
        for method in &mut service.methods {
            options(&mut method.options);
        }
    }
    file
}

fn options(statements: &mut Vec<OptionStatement>) {
    statements.retain(|option| !option.name.is_extension || option.name.name.starts_with("confluent."));
}

fn message(message: &mut Message) {
    options(&mut message.options);
    message.extensions.clear();
    message.extends.clear();
    fields(&mut message.fields);
    message.groups.iter_mut().for_each(group);
    for oneof in &mut message.oneofs {
        options(&mut oneof.options);
        fields(&mut oneof.fields);
        oneof.groups.iter_mut().for_each(group);
    }
    message.messages.iter_mut().for_each(self::message);
    message.enums.iter_mut().for_each(enumeration);
}

fn group(group: &mut Group) {
    options(&mut group.options);
    message(&mut group.body);
}

fn fields(fields: &mut [Field]) {
    for field in fields {
        options(&mut field.options);
    }
}

fn enumeration(enumeration: &mut Enum) {
    options(&mut enumeration.options);
    for value in &mut enumeration.values {
        options(&mut value.options);
    }
}
