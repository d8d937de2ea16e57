//! The normalised form (`ProtobufSchema.normalize()`): what has no order of its own is sorted, names are full, numbers are
//! in decimal. Messages, enums, services and methods keep their order: message indexes count them.

use super::super::syntax::{
    Enum, Extend, Extensions, Field, FieldType, File, Group, Message, Numbers, OneOf, OptionStatement,
    Reserved, ReservedItem, Value,
};
use super::names::{Resolved, Scope, is_scalar};
use super::option::of_field;
use super::{merge, number};
use prost_reflect::DescriptorPool;

/// `file`, which is linked in `pool`, in its normalised form.
pub(in super::super) fn normalize(mut file: File, pool: &DescriptorPool) -> File {
    let mut normalizer = Normalizer {
        scope: Scope::new(pool, file.package.as_deref()),
    };
    normalizer.file(&mut file);
    file
}

struct Normalizer<'a> {
    scope: Scope<'a>,
}

impl Normalizer<'_> {
    fn file(&mut self, file: &mut File) {
        // proto2 is what silence means.
        file.syntax.take_if(|syntax| syntax != "proto3");
        for imports in [
            &mut file.imports,
            &mut file.public_imports,
            &mut file.weak_imports,
        ] {
            imports.sort();
            imports.dedup();
        }
        self.options(&mut file.options);
        self.messages(&mut file.messages);
        self.enums(&mut file.enums);
        self.extends(&mut file.extends);
        for service in &mut file.services {
            self.options(&mut service.options);
            for method in &mut service.methods {
                method.input.name = self.scope.type_name(&method.input.name);
                method.output.name = self.scope.type_name(&method.output.name);
                self.options(&mut method.options);
            }
        }
    }

    fn messages(&mut self, messages: &mut Vec<Message>) {
        // Their fields become `map<…>`.
        messages.retain(|message| !is_map_entry(message));
        for message in messages {
            self.message(message);
        }
    }

    fn message(&mut self, message: &mut Message) {
        self.scope.enter(&message.name);
        self.body(message);
        self.scope.leave();
    }

    fn body(&mut self, message: &mut Message) {
        reserved(&mut message.reserved);
        self.options(&mut message.options);
        self.fields(&mut message.fields);
        for oneof in &mut message.oneofs {
            self.oneof(oneof);
        }
        message.oneofs.sort_by_key(first_number);
        self.groups(&mut message.groups);
        self.extensions(&mut message.extensions);
        self.extends(&mut message.extends);
        self.messages(&mut message.messages);
        self.enums(&mut message.enums);
    }

    fn fields(&mut self, fields: &mut [Field]) {
        for field in fields.iter_mut() {
            self.field(field);
        }
        fields.sort_by_key(|field| field.number);
    }

    fn field(&mut self, field: &mut Field) {
        // Taken with its own type: the kind of the default's value depends on it.
        field.options = of_field(field);
        field.default = None;
        field.json_name = None;
        self.options(&mut field.options);
        if let FieldType::Named(name) = &field.r#type
            && !is_scalar(name)
        {
            field.r#type = match self.scope.field_type(name) {
                Resolved::Named(name) => FieldType::Named(name),
                Resolved::MapEntry(key, value) => FieldType::Map(key, value),
            };
        }
        if let FieldType::Map(_, value) = &mut field.r#type {
            field.label = None;
            if !is_scalar(value) {
                *value = self.scope.type_name(value);
            }
        }
    }

    fn oneof(&mut self, oneof: &mut OneOf) {
        self.options(&mut oneof.options);
        self.fields(&mut oneof.fields);
        self.groups(&mut oneof.groups);
    }

    fn groups(&mut self, groups: &mut [Group]) {
        for group in groups.iter_mut() {
            self.options(&mut group.options);
            self.message(&mut group.body);
        }
        groups.sort_by_key(|group| group.number);
    }

    fn extensions(&mut self, extensions: &mut Vec<Extensions>) {
        for statement in extensions.iter_mut() {
            self.options(&mut statement.options);
        }
        let each = extensions.drain(..).flat_map(|statement| {
            let Extensions { ranges, options } = statement;
            ranges.into_iter().map(move |range| Extensions {
                ranges: vec![one_if_one(range)],
                options: options.clone(),
            })
        });
        let mut each: Vec<Extensions> = each.collect();
        each.sort_by_key(|statement| statement.ranges.first().map(|range| first(*range)));
        *extensions = each;
    }

    /// One block for each extended message, in the order in which they come first.
    fn extends(&mut self, extends: &mut Vec<Extend>) {
        let mut blocks: Vec<Extend> = Vec::new();
        for block in extends.drain(..) {
            if block.fields.is_empty() && block.groups.is_empty() {
                continue;
            }
            let name = self.scope.type_name(&block.name);
            match blocks.iter_mut().find(|known| known.name == name) {
                Some(known) => {
                    known.fields.extend(block.fields);
                    known.groups.extend(block.groups);
                }
                None => blocks.push(Extend { name, ..block }),
            }
        }
        for block in &mut blocks {
            self.fields(&mut block.fields);
            self.groups(&mut block.groups);
        }
        *extends = blocks;
    }

    fn enums(&mut self, enums: &mut [Enum]) {
        for enumeration in enums {
            self.scope.enter(&enumeration.name);
            reserved(&mut enumeration.reserved);
            self.options(&mut enumeration.options);
            for value in &mut enumeration.values {
                self.options(&mut value.options);
            }
            enumeration
                .values
                .sort_by(|left, right| (left.number, &left.name).cmp(&(right.number, &right.name)));
            self.scope.leave();
        }
    }

    fn options(&self, options: &mut Vec<OptionStatement>) {
        *options = merge::options(std::mem::take(options), &self.scope);
        for option in options {
            match &mut option.value {
                // An option's own list stays one.
                Value::List(values) => values.iter_mut().for_each(|value| self.value(value)),
                value => self.value(value),
            }
        }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::Text(_) | Value::Word(_) => {}
            Value::Number(written) => {
                if let Some(normalized) = number::normalize(written) {
                    *written = normalized;
                }
            }
            Value::Message(fields) => {
                fields.retain(|(_, value)| !matches!(value, Value::List(values) if values.is_empty()));
                for (key, value) in fields.iter_mut() {
                    let name = key.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
                    if let Some(extension) = name.and_then(|name| self.scope.extension(name)) {
                        *key = format!("[{}]", extension.full_name());
                    }
                    self.value(value);
                }
                fields.sort_by(|(left, _), (right, _)| left.cmp(right));
                fields.dedup_by(|(left, _), (right, _)| left == right);
            }
            Value::List(values) => {
                for value in values.iter_mut() {
                    self.value(value);
                }
                if let [one] = values.as_mut_slice() {
                    *value = std::mem::replace(one, Value::List(Vec::new()));
                }
            }
        }
    }
}

/// Spelled out as a message of its own.
fn is_map_entry(message: &Message) -> bool {
    message.options.iter().any(|option| {
        option.name.name == "map_entry"
            && !option.name.is_extension
            && option.value == Value::Word("true".to_owned())
    })
}

fn first_number(oneof: &OneOf) -> Option<i32> {
    let fields = oneof.fields.iter().map(|field| field.number);
    // Confluent drops a oneof that has only groups; here its fields are not lost.
    fields.chain(oneof.groups.iter().map(|group| group.number)).next()
}

/// A statement for each range or name, by the first number, names last.
fn reserved(reserved: &mut Vec<Reserved>) {
    let mut items: Vec<ReservedItem> = reserved.drain(..).flat_map(|statement| statement.0).collect();
    items.sort_by_cached_key(|item| match item {
        ReservedItem::Name(name) => (i32::MAX, name.clone()),
        ReservedItem::Numbers(numbers) => match numbers {
            Numbers::One(number) => (*number, number.to_string()),
            Numbers::Range(first, last) => (*first, format!("{first}..{last}")),
        },
    });
    reserved.extend(items.into_iter().map(|item| {
        Reserved(vec![match item {
            ReservedItem::Numbers(numbers) => ReservedItem::Numbers(one_if_one(numbers)),
            ReservedItem::Name(name) => ReservedItem::Name(name),
        }])
    }));
}

fn one_if_one(numbers: Numbers) -> Numbers {
    match numbers {
        Numbers::Range(first, last) if first == last => Numbers::One(first),
        other => other,
    }
}

fn first(numbers: Numbers) -> i32 {
    match numbers {
        Numbers::One(first) | Numbers::Range(first, _) => first,
    }
}
