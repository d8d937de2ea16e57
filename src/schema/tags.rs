//! Tags inside a schema's own text: the attribute `confluent:tags` of a record or a field (Confluent's `SchemaTags`,
//! `SchemaEntity`; for Protobuf the options `confluent.message_meta` and `confluent.field_meta`). What is the same in
//! every language: what a change asks for, and how found tags are given back.

use super::SchemaError;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// The attribute's name in Avro and JSON Schema.
pub const TAGS: &str = "confluent:tags";

/// Entities that one request may name.
const ENTITIES_MAX: usize = 10_000;
/// Paths and tags of one schema together, in bytes: a long name counts again for everything below it.
const FOUND_BYTES_MAX: usize = 16 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum EntityKind {
    #[serde(rename = "sr_record")]
    Record,
    #[serde(rename = "sr_field")]
    Field,
}

/// A record or a field: `com.example.Order`, `com.example.Order.total` (Avro), `object.total` (JSON Schema),
/// `.com.example.Order.total` (Protobuf).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entity {
    #[serde(rename = "entityPath")]
    pub path: String,
    #[serde(rename = "entityType")]
    pub kind: EntityKind,
}

impl Entity {
    /// The path by which two are the same: a dot before it does not count.
    fn normalized(&self) -> (&str, EntityKind) {
        (self.path.strip_prefix('.').unwrap_or(&self.path), self.kind)
    }

    /// The refusal of a path that leads nowhere, in Confluent's words.
    #[must_use]
    pub fn not_found(&self) -> SchemaError {
        SchemaError::Invalid(format!("No matching path '{}' found in the schema", self.path))
    }

    /// The refusal of an entity whose `confluent:tags` is no list, or that can have none.
    #[must_use]
    pub fn not_taggable(&self) -> SchemaError {
        SchemaError::Invalid(format!("'{}' cannot have a list of tags", self.path))
    }

    /// The path's names, as Java's `String.split` gives them: what is empty at its end is left out.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.path.split('.').collect();
        while names.len() > 1 && names.last().is_some_and(|name| name.is_empty()) {
            names.pop();
        }
        names
    }
}

/// An entity's tags.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tagged {
    #[serde(rename = "schemaEntity")]
    pub entity: Entity,
    pub tags: Vec<String>,
}

/// What a request asks to add, and then to remove.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TagChanges {
    pub add: Vec<Tagged>,
    pub remove: Vec<Tagged>,
}

/// What becomes of one entity.
pub struct TagEdit<'a> {
    pub entity: &'a Entity,
    pub add: Vec<&'a str>,
    pub remove: Vec<&'a str>,
}

impl TagChanges {
    pub(super) fn check(&self) -> Result<(), SchemaError> {
        let named = self.add.len() + self.remove.len();
        if named > ENTITIES_MAX {
            return Err(SchemaError::OverLimit(format!(
                "{named} entities to tag; at most {ENTITIES_MAX} are"
            )));
        }
        Ok(())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// One edit for each entity, in the order in which they are first named.
    #[must_use]
    pub fn edits(&self) -> Vec<TagEdit<'_>> {
        let mut edits: Vec<TagEdit<'_>> = Vec::new();
        let mut places = HashMap::new();
        for (list, adds) in [(&self.add, true), (&self.remove, false)] {
            for tagged in list {
                let place = *places.entry(tagged.entity.normalized()).or_insert_with(|| {
                    edits.push(TagEdit {
                        entity: &tagged.entity,
                        add: Vec::new(),
                        remove: Vec::new(),
                    });
                    edits.len() - 1
                });
                if let Some(edit) = edits.get_mut(place) {
                    let side = if adds { &mut edit.add } else { &mut edit.remove };
                    side.extend(tagged.tags.iter().map(String::as_str));
                }
            }
        }
        edits
    }
}

impl TagEdit<'_> {
    /// The tags that an entity has then; each once, the older first.
    #[must_use]
    pub fn of(&self, present: Vec<String>) -> Vec<String> {
        let added = self.add.iter().map(|tag| (*tag).to_owned());
        let mut tags = distinct(present.into_iter().chain(added));
        let removed: HashSet<&str> = self.remove.iter().copied().collect();
        tags.retain(|tag| !removed.contains(tag.as_str()));
        tags
    }
}

/// Each once, in the order of the first.
pub fn distinct(tags: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    tags.filter(|tag| seen.insert(tag.clone())).collect()
}

/// The tagged entities of a schema; of one entity that is met twice the last tags count, at the first's place.
#[derive(Default)]
pub struct Found {
    list: Vec<Tagged>,
    places: HashMap<(String, EntityKind), usize>,
    bytes: usize,
}

impl Found {
    /// # Errors
    /// [`SchemaError::OverLimit`] when the answer would be too large.
    pub fn add(&mut self, kind: EntityKind, path: &str, tags: Vec<String>) -> Result<(), SchemaError> {
        if tags.is_empty() {
            return Ok(());
        }
        // The path is kept twice.
        self.bytes += path.len() * 2 + tags.iter().map(String::len).sum::<usize>();
        if self.bytes > FOUND_BYTES_MAX {
            return Err(SchemaError::OverLimit(format!(
                "its tagged entities have more than {FOUND_BYTES_MAX} bytes of paths and tags"
            )));
        }
        let next = self.list.len();
        let place = *self.places.entry((path.to_owned(), kind)).or_insert(next);
        let tagged = Tagged {
            entity: Entity {
                path: path.to_owned(),
                kind,
            },
            tags,
        };
        match self.list.get_mut(place) {
            Some(known) => *known = tagged,
            None => self.list.push(tagged),
        }
        Ok(())
    }

    #[must_use]
    pub fn into_list(self) -> Vec<Tagged> {
        self.list
    }
}
