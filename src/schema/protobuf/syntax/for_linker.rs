//! What Confluent's parser takes or its registry stores, and the parser of descriptors refuses, in a spelling that both
//! take.

use super::{
    Enum, Extend, Field, File, Group, Message, Numbers, OptionStatement, Reserved, ReservedItem, Value,
};

/// `file` in that spelling:
/// - options after a single number of `extensions`: `5 to 5 [..]` for `5 [..]`;
/// - a `reserved` statement for each number and name, where one has both;
/// - integers beyond 64 bits, as which the normalised form has large floating-point numbers, with a point;
/// - the names of extensions within values in brackets, which the normalised form forgets.
pub(in super::super) fn for_linker(mut file: File) -> File {
    options(&mut file.options);
    file.messages.iter_mut().for_each(message);
    file.enums.iter_mut().for_each(enumeration);
    file.extends.iter_mut().for_each(extend);
    for service in &mut file.services {
        options(&mut service.options);
        for method in &mut service.methods {
            options(&mut method.options);
        }
    }
    file
}

fn message(message: &mut Message) {
    reserved(&mut message.reserved);
    options(&mut message.options);
    fields(&mut message.fields);
    for oneof in &mut message.oneofs {
        options(&mut oneof.options);
        fields(&mut oneof.fields);
        oneof.groups.iter_mut().for_each(group);
    }
    message.groups.iter_mut().for_each(group);
    for extensions in &mut message.extensions {
        options(&mut extensions.options);
        for range in &mut extensions.ranges {
            if let Numbers::One(number) = *range {
                *range = Numbers::Range(number, number);
            }
        }
    }
    message.extends.iter_mut().for_each(extend);
    message.messages.iter_mut().for_each(self::message);
    message.enums.iter_mut().for_each(enumeration);
}

fn group(group: &mut Group) {
    options(&mut group.options);
    message(&mut group.body);
}

fn extend(extend: &mut Extend) {
    fields(&mut extend.fields);
    extend.groups.iter_mut().for_each(group);
}

fn fields(fields: &mut [Field]) {
    for field in fields {
        options(&mut field.options);
        if let Some(default) = &mut field.default {
            number(default);
        }
    }
}

fn enumeration(enumeration: &mut Enum) {
    reserved(&mut enumeration.reserved);
    options(&mut enumeration.options);
    for value in &mut enumeration.values {
        options(&mut value.options);
    }
}

fn reserved(statements: &mut Vec<Reserved>) {
    let items: Vec<ReservedItem> = statements.drain(..).flat_map(|statement| statement.0).collect();
    statements.extend(items.into_iter().map(|item| Reserved(vec![item])));
}

fn options(statements: &mut [OptionStatement]) {
    for statement in statements {
        value(&mut statement.value);
    }
}

fn value(value: &mut Value) {
    match value {
        Value::Number(written) => number(written),
        Value::List(values) => values.iter_mut().for_each(self::value),
        Value::Message(fields) => {
            for (key, value) in fields {
                if key.contains('.') && !key.starts_with('[') {
                    *key = format!("[{key}]");
                }
                self::value(value);
            }
        }
        Value::Text(_) | Value::Word(_) => {}
    }
}

fn number(written: &mut String) {
    let digits = written.strip_prefix('-').unwrap_or(written);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_integer && digits.parse::<u64>().is_err() {
        written.push_str(".0");
    }
}
