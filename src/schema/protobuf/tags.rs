//! Tags of Protobuf's messages and fields: the `tags` of the options `(confluent.message_meta)` and
//! `(confluent.field_meta)` (`ProtobufSchema.copy(tagsToAdd, tagsToRemove)`, `ProtobufSchemaUtils.findMatchingElement`,
//! `ProtobufSchema.inlineTaggedEntities`). Paths are without the package: `Order.Customer.email`, `Order.how.cash` or
//! `Order.cash` in a oneof.

use super::ProtobufSchema;
use super::canonical;
use super::syntax::{Field, File, Message, NamePart, OptionStatement, Value};
use crate::schema::SchemaError;
use crate::schema::tags::{Entity, EntityKind, Found, TagChanges, TagEdit, Tagged, distinct};

const MESSAGE_META: &str = "confluent.message_meta";
const FIELD_META: &str = "confluent.field_meta";
/// The field of both.
const TAGS: &str = "tags";

impl ProtobufSchema {
    /// The canonical text with tags added and removed. The other options of what is named are written anew, too: those
    /// of one name as one value, in the order of a Java hash map, as Confluent does it.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] for an entity that is not there.
    pub fn retagged(&self, changes: &TagChanges) -> Result<String, SchemaError> {
        let mut file = self.tree.clone();
        for edit in changes.edits() {
            let meta = match edit.entity.kind {
                EntityKind::Record => MESSAGE_META,
                EntityKind::Field => FIELD_META,
            };
            let options = options_of(&mut file, edit.entity).ok_or_else(|| edit.entity.not_found())?;
            *options = retagged(std::mem::take(options), meta, &edit);
        }
        Ok(canonical::print(&file))
    }

    /// The messages and fields that have tags: of each message first those of its oneofs.
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when they are too much for one answer.
    pub fn tagged(&self) -> Result<Vec<Tagged>, SchemaError> {
        let mut found = Found::default();
        let mut path = String::new();
        collect(&self.tree.messages, &mut path, &mut found)?;
        Ok(found.into_list())
    }
}

/// As deep as the text.
fn collect(messages: &[Message], path: &mut String, found: &mut Found) -> Result<(), SchemaError> {
    let before = path.len();
    for message in messages {
        path.push_str(&message.name);
        found.add(EntityKind::Record, path, tags_of(&message.options, MESSAGE_META))?;
        let within = path.len();
        let in_oneofs = message.oneofs.iter().flat_map(|oneof| &oneof.fields);
        for field in in_oneofs.chain(&message.fields) {
            let tags = tags_of(&field.options, FIELD_META);
            if !tags.is_empty() {
                path.push('.');
                path.push_str(&field.name);
                found.add(EntityKind::Field, path, tags)?;
                path.truncate(within);
            }
        }
        path.push('.');
        collect(&message.messages, path, found)?;
        path.truncate(before);
    }
    Ok(())
}

fn tags_of(options: &[OptionStatement], meta: &str) -> Vec<String> {
    if !options.iter().any(|option| key_of(option) == meta) {
        return Vec::new();
    }
    let merged = merged(options.to_vec());
    let meta = merged.into_iter().find(|option| key_of(option) == meta);
    let Some(Value::Message(fields)) = meta.map(|meta| meta.value) else {
        return Vec::new();
    };
    let tags = fields.into_iter().find(|(key, _)| key == TAGS);
    distinct(
        tags.map(|(_, tags)| listed(tags))
            .unwrap_or_default()
            .into_iter()
            .map(written),
    )
}

fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::List(values) => values,
        one => vec![one],
    }
}

fn written(tag: Value) -> String {
    match tag {
        Value::Text(text) | Value::Word(text) | Value::Number(text) => text,
        Value::Message(_) | Value::List(_) => String::new(),
    }
}

/// The options of an entity.
fn options_of<'f>(file: &'f mut File, entity: &Entity) -> Option<&'f mut Vec<OptionStatement>> {
    let path = entity.path.strip_prefix('.').unwrap_or(&entity.path);
    let mut names: Vec<&str> = path.split('.').collect();
    while names.len() > 1 && names.last().is_some_and(|name| name.is_empty()) {
        names.pop();
    }
    let field = match entity.kind {
        EntityKind::Record => None,
        EntityKind::Field => Some(names.pop()?),
    };
    let (first, below) = names.split_first()?;
    let mut message = message_of(&mut file.messages, first)?;
    let mut below = below.iter().peekable();
    while let Some(name) = below.next() {
        let is_last = below.peek().is_none();
        if field.is_some() && is_last && !message.messages.iter().any(|message| message.name == *name) {
            let oneof = message
                .oneofs
                .iter_mut()
                .rev()
                .find(|oneof| oneof.name == *name)?;
            return field_of(&mut oneof.fields, field?).map(|field| &mut field.options);
        }
        message = message_of(&mut message.messages, name)?;
    }
    let Some(field) = field else {
        return Some(&mut message.options);
    };
    let own = message.fields.iter_mut();
    let in_oneofs = message.oneofs.iter_mut().flat_map(|oneof| &mut oneof.fields);
    let mut fields = own.chain(in_oneofs);
    fields
        .find(|known| known.name == field)
        .map(|field| &mut field.options)
}

fn message_of<'m>(messages: &'m mut [Message], name: &str) -> Option<&'m mut Message> {
    messages.iter_mut().find(|message| message.name == name)
}

fn field_of<'m>(fields: &'m mut [Field], name: &str) -> Option<&'m mut Field> {
    fields.iter_mut().find(|field| field.name == name)
}

fn retagged(mut options: Vec<OptionStatement>, meta: &str, edit: &TagEdit<'_>) -> Vec<OptionStatement> {
    let part = |name: &str, is_extension| NamePart {
        name: name.to_owned(),
        is_extension,
    };
    if !edit.add.is_empty() {
        let tags = distinct(edit.add.iter().map(|tag| (*tag).to_owned()));
        options.push(OptionStatement {
            name: part(meta, true),
            path: vec![part(TAGS, false)],
            value: Value::List(tags.into_iter().map(Value::Text).collect()),
        });
    }
    let mut merged = merged(options);
    if !edit.remove.is_empty() {
        merged.retain_mut(|option| key_of(option) != meta || remove(&mut option.value, edit));
    }
    in_javas_order(merged)
}

/// Whether anything is left of the option.
fn remove(value: &mut Value, edit: &TagEdit<'_>) -> bool {
    let Value::Message(fields) = value else {
        return true;
    };
    if let Some((_, tags)) = fields.iter_mut().find(|(key, _)| key == TAGS) {
        let mut left = listed(std::mem::replace(tags, Value::List(Vec::new())));
        left.retain(|tag| !matches!(tag, Value::Text(text) if edit.remove.contains(&text.as_str())));
        *tags = Value::List(left);
    }
    fields.retain(|(key, value)| key != TAGS || !matches!(value, Value::List(tags) if tags.is_empty()));
    !fields.is_empty()
}

/// An option's name; a dot before it does not count.
fn key_of(option: &OptionStatement) -> &str {
    let name = &option.name.name;
    name.strip_prefix('.').unwrap_or(name)
}

/// Options of one name as one value (`ProtobufSchema.mergeOptions`): of messages each field, with the values of both in
/// a list; of others the last.
fn merged(options: Vec<OptionStatement>) -> Vec<OptionStatement> {
    let mut merged: Vec<OptionStatement> = Vec::new();
    for option in options.into_iter().map(nested) {
        let Some(known) = merged.iter_mut().find(|known| key_of(known) == key_of(&option)) else {
            merged.push(option);
            continue;
        };
        let before = std::mem::replace(&mut known.value, Value::List(Vec::new()));
        known.value = match (before, option.value) {
            (Value::Message(mut fields), Value::Message(more)) => {
                for (key, value) in more {
                    match fields.iter_mut().find(|(known, _)| *known == key) {
                        None => fields.push((key, value)),
                        Some((_, known)) => {
                            let mut values: Vec<Value> = Vec::new();
                            let before = std::mem::replace(known, Value::List(Vec::new()));
                            for value in listed(before).into_iter().chain(listed(value)) {
                                if !values.contains(&value) {
                                    values.push(value);
                                }
                            }
                            *known = Value::List(values);
                        }
                    }
                }
                Value::Message(fields)
            }
            (_, last) => last,
        };
        known.name = option.name;
    }
    merged
}

/// `(a).b.c = 1` as `(a) = { b: { c: 1 } }`
fn nested(option: OptionStatement) -> OptionStatement {
    let inner = option.path.into_iter().rev().fold(option.value, |value, part| {
        Value::Message(vec![(part.name, value)])
    });
    OptionStatement {
        name: option.name,
        path: Vec::new(),
        value: inner,
    }
}

/// As `java.util.HashMap.merge` keeps them by name: of those in one bucket the last is the first.
fn in_javas_order(mut options: Vec<OptionStatement>) -> Vec<OptionStatement> {
    let mut buckets: u32 = 16;
    while options.len() as u64 * 4 > u64::from(buckets) * 3 {
        buckets *= 2;
    }
    options.reverse();
    options.sort_by_key(|option| {
        let units = key_of(option).encode_utf16();
        let hash = units.fold(0_u32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(unit.into())
        });
        (hash ^ (hash >> 16)) & (buckets - 1)
    });
    options
}
