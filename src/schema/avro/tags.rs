//! Tags of Avro's records and fields: `AvroSchema.copy(tagsToAdd, tagsToRemove)`, `AvroSchemaUtils.findMatchingEntity`
//! and `AvroSchema.inlineTaggedEntities`.
use super::canonical;
use super::model::{AvroSchema, Kind, Model, Name, Properties, TypeId};
use crate::schema::SchemaError;
use crate::schema::tags::{Entity, EntityKind, Found, TAGS, TagChanges, TagEdit, Tagged, distinct};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

impl AvroSchema {
    /// The canonical text with tags added and removed. Only what this text itself defines can be tagged.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] for an entity that is not there.
    pub fn retagged(&self, changes: &TagChanges) -> Result<String, SchemaError> {
        let written = Written::of(self);
        let mut model = (*self.model).clone();
        for edit in changes.edits() {
            let properties = match written.find(&self.model, edit.entity)? {
                Place::Record(record) => model
                    .types
                    .get_mut(record.0 as usize)
                    .map(|of| &mut of.properties),
                Place::Field(record, index) => {
                    let of = model.types.get_mut(record.0 as usize);
                    of.and_then(|of| match &mut of.kind {
                        Kind::Record { fields, .. } => fields.get_mut(index),
                        _ => None,
                    })
                    .map(|field| &mut field.properties)
                }
            };
            retag(properties.ok_or_else(|| edit.entity.not_found())?, &edit)?;
        }
        canonical::text(&model, self.root, self.known.to_vec())
    }

    /// The records and fields that have tags, also those of references, in the order in which they are met.
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when they are too much for one answer.
    pub fn tagged(&self) -> Result<Vec<Tagged>, SchemaError> {
        let mut found = Found::default();
        let mut seen = HashSet::new();
        // A stack of our own: names that are used before they are defined nest deeper than any text.
        let mut ahead = vec![Step::Type(self.root)];
        while let Some(step) = ahead.pop() {
            let id = match step {
                Step::Type(id) => id,
                Step::Field(record, index) => {
                    if let Kind::Record { named, fields, .. } = self.model.kind(record)
                        && let Some(field) = fields.get(index)
                    {
                        let path = format!("{}.{}", named.name.full, field.name);
                        found.add(EntityKind::Field, &path, tags_of(&field.properties))?;
                    }
                    continue;
                }
            };
            match self.model.kind(id) {
                Kind::Union(branches) => ahead.extend(branches.iter().rev().map(|id| Step::Type(*id))),
                Kind::Array(below) | Kind::Map(below) => ahead.push(Step::Type(*below)),
                Kind::Record { named, fields, .. } if seen.insert(id) => {
                    let tags = tags_of(&self.model.get(id).properties);
                    found.add(EntityKind::Record, &named.name.full, tags)?;
                    for (index, field) in fields.iter().enumerate().rev() {
                        ahead.push(Step::Type(field.of));
                        ahead.push(Step::Field(id, index));
                    }
                }
                _ => {}
            }
        }
        Ok(found.into_list())
    }
}

enum Step {
    Type(TypeId),
    /// A field of a record.
    Field(TypeId, usize),
}

/// A tag as text, as Jackson's `asText` has it.
fn text_of(tag: &Value) -> String {
    match tag {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => String::new(),
        other => other.to_string(),
    }
}

fn tags_of(properties: &Properties) -> Vec<String> {
    let tags = properties.iter().find(|(key, _)| key == TAGS);
    let tags = tags.and_then(|(_, value)| value.as_array());
    distinct(tags.into_iter().flatten().map(text_of))
}

fn retag(properties: &mut Properties, edit: &TagEdit<'_>) -> Result<(), SchemaError> {
    let at = properties.iter().position(|(key, _)| key == TAGS);
    let present = at.and_then(|at| properties.get(at));
    if present.is_some_and(|(_, tags)| !tags.is_array()) {
        return Err(edit.entity.not_taggable());
    }
    let tags = edit.of(tags_of(properties));
    let value = Value::Array(tags.into_iter().map(Value::String).collect());
    let none_left = value.as_array().is_none_or(Vec::is_empty);
    match (at, none_left) {
        (Some(at), true) => {
            properties.remove(at);
        }
        (None, true) => {}
        (Some(at), false) => {
            if let Some((_, tags)) = properties.get_mut(at) {
                *tags = value;
            }
        }
        (None, false) => properties.push((TAGS.to_owned(), value)),
    }
    Ok(())
}

enum Place {
    Record(TypeId),
    /// A record and the position of one of its fields.
    Field(TypeId, usize),
}

/// A record where the canonical text writes it out.
struct Record<'a> {
    id: TypeId,
    name: &'a Name,
    /// How many JSON values it stands in: Confluent's search goes level by level.
    depth: u32,
    /// The record that it stands in.
    within: Option<usize>,
    /// It stands in one of the same short name, however far up.
    is_within_namesake: bool,
}

/// The records that the canonical text itself writes out.
struct Written<'a> {
    records: Vec<Record<'a>>,
    /// By short name, in the order of the search.
    by_name: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Written<'a> {
    fn of(schema: &'a AvroSchema) -> Self {
        let mut written = Self {
            records: Vec::new(),
            by_name: HashMap::new(),
        };
        let mut known = schema.known.iter().map(String::as_str).collect();
        written.collect(&schema.model, schema.root, 0, None, &mut known);
        let mut order: Vec<usize> = (0..written.records.len()).collect();
        order.sort_by_key(|at| written.records.get(*at).map(|record| record.depth));
        for at in order {
            if let Some(record) = written.records.get(at) {
                written.by_name.entry(&record.name.short).or_default().push(at);
            }
        }
        written
    }

    /// As deep as the canonical text, which is bounded.
    fn collect(
        &mut self,
        model: &'a Model,
        id: TypeId,
        depth: u32,
        within: Option<usize>,
        known: &mut HashSet<&'a str>,
    ) {
        match model.kind(id) {
            Kind::Union(branches) => {
                for branch in branches {
                    self.collect(model, *branch, depth + 1, within, known);
                }
            }
            Kind::Array(below) | Kind::Map(below) => self.collect(model, *below, depth + 1, within, known),
            Kind::Record {
                named,
                is_error,
                fields,
            } if known.insert(&named.name.full) => {
                let at = self.records.len();
                self.records.push(Record {
                    id,
                    name: &named.name,
                    depth,
                    within,
                    is_within_namesake: self.is_named(&named.name.short, within),
                });
                for field in fields {
                    self.collect(model, field.of, depth + 2, Some(at), known);
                }
                if *is_error {
                    // Confluent looks for `record` only, and not into what it does not know.
                    self.records.truncate(at);
                }
            }
            _ => {}
        }
    }

    fn find(&self, model: &Model, entity: &Entity) -> Result<Place, SchemaError> {
        let mut names = entity.names();
        let field = match entity.kind {
            EntityKind::Record => None,
            EntityKind::Field => Some(names.pop().ok_or_else(|| entity.not_found())?),
        };
        let record = names.pop().ok_or_else(|| entity.not_found())?;
        let space = names.join(".");
        let candidates = self.by_name.get(record).map_or(&[][..], Vec::as_slice);
        for found in candidates.iter().filter_map(|at| self.records.get(*at)) {
            if !space.is_empty() && found.name.space.as_deref() != Some(space.as_str()) {
                continue;
            }
            let Some(field) = field else {
                return Ok(Place::Record(found.id));
            };
            // A record that the path names is not looked into for another one.
            if space.is_empty() && found.is_within_namesake {
                continue;
            }
            if let Kind::Record { fields, .. } = model.kind(found.id)
                && let Some(index) = fields.iter().position(|of| of.name == field)
            {
                return Ok(Place::Field(found.id, index));
            }
        }
        Err(entity.not_found())
    }

    /// Whether a record, or one that it stands in, has this short name.
    fn is_named(&self, short: &str, mut record: Option<usize>) -> bool {
        while let Some(found) = record.and_then(|at| self.records.get(at)) {
            if found.name.short == short {
                return true;
            }
            record = found.within;
        }
        false
    }
}
