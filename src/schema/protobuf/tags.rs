//! Tags of Protobuf's messages and fields: the `tags` of the options `(confluent.message_meta)` and
//! `(confluent.field_meta)` (`ProtobufSchema.copy(tagsToAdd, tagsToRemove)`, `ProtobufSchemaUtils.findMatchingElement`,
//! `ProtobufSchema.inlineTaggedEntities`). Paths are without the package: `Order.Customer.email`, `Order.how.cash` or
//! `Order.cash` in a oneof.

use super::ProtobufSchema;
use super::canonical;
use super::syntax::{Field, File, Message, NamePart, OptionStatement, Value};
use crate::schema::SchemaError;
use crate::schema::tags::{Entity, EntityKind, Found, TagChanges, TagEdit, Tagged, distinct};
use std::collections::{HashMap, HashSet};

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
        tags.map(|(_, tags)| tags.into_items())
            .unwrap_or_default()
            .into_iter()
            .map(written),
    )
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
        let mut left = std::mem::replace(tags, Value::List(Vec::new())).into_items();
        let removed: HashSet<&str> = edit.remove.iter().copied().collect();
        left.retain(|tag| !matches!(tag, Value::Text(text) if removed.contains(text.as_str())));
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
    let mut places = HashMap::new();
    let mut merged: Vec<Merged> = Vec::new();
    for option in options.into_iter().map(OptionStatement::nested) {
        let at = *places.entry(key_of(&option).to_owned()).or_insert(merged.len());
        match merged.get_mut(at) {
            Some(known) => known.add(option),
            None => merged.push(Merged {
                name: option.name,
                value: Parts::of(option.value),
            }),
        }
    }
    merged.into_iter().map(Merged::into_option).collect()
}

struct Merged {
    name: NamePart,
    value: Parts,
}

enum Parts {
    /// Each field with all its values, and where its name is.
    Fields(Vec<(String, Vec<Value>)>, HashMap<String, usize>),
    Other(Value),
}

impl Merged {
    fn add(&mut self, option: OptionStatement) {
        self.name = option.name;
        match (&mut self.value, option.value) {
            (Parts::Fields(fields, places), Value::Message(more)) => add_fields(fields, places, more),
            (value, last) => *value = Parts::of(last),
        }
    }

    fn into_option(self) -> OptionStatement {
        let value = match self.value {
            Parts::Other(value) => value,
            Parts::Fields(fields, _) => Value::Message(
                fields
                    .into_iter()
                    .map(|(key, values)| (key, together(values)))
                    .collect(),
            ),
        };
        OptionStatement {
            name: self.name,
            path: Vec::new(),
            value,
        }
    }
}

impl Parts {
    fn of(value: Value) -> Self {
        let Value::Message(more) = value else {
            return Self::Other(value);
        };
        let (mut fields, mut places) = (Vec::new(), HashMap::new());
        add_fields(&mut fields, &mut places, more);
        Self::Fields(fields, places)
    }
}

fn add_fields(
    fields: &mut Vec<(String, Vec<Value>)>,
    places: &mut HashMap<String, usize>,
    more: Vec<(String, Value)>,
) {
    for (key, value) in more {
        let at = *places.entry(key.clone()).or_insert(fields.len());
        match fields.get_mut(at) {
            Some((_, values)) => values.push(value),
            None => fields.push((key, vec![value])),
        }
    }
}

/// One value as it is, several as a list of what is in them, each once.
fn together(mut values: Vec<Value>) -> Value {
    if values.len() == 1
        && let Some(one) = values.pop()
    {
        return one;
    }
    Value::each_once(values.into_iter().flat_map(Value::into_items).collect())
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
