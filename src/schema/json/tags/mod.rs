//! Tags of JSON Schema's objects and properties: `JsonSchema.copy(tagsToAdd, tagsToRemove)`,
//! `JsonSchemaUtils.findMatchingEntity` and `JsonSchema.inlineTaggedEntities`.
//!
//! ```text
//! object                              the schema itself, if it describes objects
//! object.customer.object.email        a property of a property
//! object.lines.array.object.sku       of every item
//! object.total.oneof.1.object.x       of one of several, in Confluent's order of them (`view`)
//! object.total.anyof.1.object.x       of one of several types, "type": ["null", "object"]
//! object.x.allof.0.conditional.then.object.y
//! object.definitions.Address.object.street
//! ```

mod view;

use super::document::{Json, Object};
use super::draft::Draft;
use super::parse::JsonSchema;
use super::resources::address;
use crate::schema::SchemaError;
use crate::schema::tags::{Entity, EntityKind, Found, TAGS, TagChanges, TagEdit, Tagged, distinct};
use std::collections::HashMap;
use view::{Criterion, Shape, View};

impl JsonSchema {
    /// The canonical text with tags added and removed.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] for an entity that is not there.
    pub fn retagged(&self, changes: &TagChanges) -> Result<String, SchemaError> {
        let mut json = self.root().clone();
        let edits = changes.edits();
        let mut search = Search::default();
        let find = |edit: &TagEdit<'_>| {
            let found = search.find(&json, edit.entity);
            found.ok_or_else(|| edit.entity.not_found())
        };
        let found: Vec<_> = edits.iter().map(find).collect::<Result<_, _>>()?;
        for (edit, way) in edits.iter().zip(found) {
            let entity = way.iter().try_fold(&mut json, |json, step| step.below_mut(json));
            let Some(Json::Object(object)) = entity else {
                return Err(edit.entity.not_taggable());
            };
            retag(object, edit)?;
        }
        Ok(json.canonical())
    }

    /// The tagged properties and objects, in the order of the text.
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when they are too much for one answer.
    pub fn tagged(&self) -> Result<Vec<Tagged>, SchemaError> {
        let (json, draft) = (self.root(), self.draft());
        let mut walk = Walk {
            root: json,
            path: String::new(),
            found: Found::default(),
        };
        walk.schema(&View::of(json, draft), draft, false)?;
        Ok(walk.found.into_list())
    }

    /// What `validateFields` asks for (`JsonSchema.validate(strict)`).
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] for a property at the top whose name Confluent keeps for itself.
    pub fn check_fields(&self) -> Result<(), SchemaError> {
        let view = View::of(self.root(), self.draft());
        let Shape::Object(object) = view.shape else {
            return Ok(());
        };
        match named(object, "properties").find(|(name, _)| name.starts_with("$$")) {
            Some(_) => Err(SchemaError::Invalid(
                "#: Field names cannot start with $$ prefix".to_owned(),
            )),
            None => Ok(()),
        }
    }

    #[must_use]
    pub fn has_top_level_field(&self, name: &str) -> bool {
        let object = self.root().as_object();
        object.is_some_and(|object| named(object, "properties").any(|(known, _)| known == name))
    }

    fn root(&self) -> &Json {
        self.documents()
            .first()
            .map_or(&Json::Null, |document| &document.json)
    }

    fn draft(&self) -> Draft {
        let draft = self.root().as_object().and_then(|object| object.get("$schema"));
        let draft = draft.and_then(Json::as_str).and_then(Draft::from_meta_schema);
        draft.unwrap_or(Draft::DEFAULT)
    }
}

/// A tag as text, as Jackson's `asText` has it.
fn text_of(tag: &Json) -> String {
    match tag {
        Json::String(text) => text.to_string(),
        Json::Array(_) | Json::Object(_) => String::new(),
        other => other.canonical(),
    }
}

fn tags_of(object: &Object) -> Vec<String> {
    let tags = object.get(TAGS).and_then(Json::as_array);
    distinct(tags.unwrap_or_default().iter().map(text_of))
}

fn retag(object: &mut Object, edit: &TagEdit<'_>) -> Result<(), SchemaError> {
    if object.get(TAGS).is_some_and(|tags| tags.as_array().is_none()) {
        return Err(edit.entity.not_taggable());
    }
    let tags = edit.of(tags_of(object));
    if tags.is_empty() {
        object.remove(TAGS);
    } else {
        let tags = tags.into_iter().map(|tag| Json::String(tag.into()));
        object.insert(TAGS.into(), Json::Array(tags.collect()));
    }
    Ok(())
}

/// One step down a document.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn below_mut<'a>(&self, json: &'a mut Json) -> Option<&'a mut Json> {
        match (self, json) {
            (Self::Key(key), Json::Object(object)) => object.get_mut(key),
            (Self::Index(index), Json::Array(items)) => items.get_mut(*index),
            _ => None,
        }
    }
}

/// The way to an entity.
#[derive(Default)]
struct Search {
    /// The order of the members of a composition, by the list's address.
    orders: HashMap<usize, Vec<usize>>,
}

/// The names of a path that are not used yet.
struct Names<'a> {
    names: std::vec::IntoIter<&'a str>,
}

impl<'a> Names<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.names.next()
    }

    fn peek(&self) -> Option<&'a str> {
        self.names.as_slice().first().copied()
    }

    fn is_empty(&self) -> bool {
        self.names.as_slice().is_empty()
    }
}

/// Where a search is.
struct Here<'j> {
    json: &'j Json,
    way: Vec<Step>,
}

impl Here<'_> {
    fn down(&mut self, key: &str) -> Option<()> {
        self.json = self.json.as_object()?.get(key)?;
        self.way.push(Step::Key(key.to_owned()));
        Some(())
    }

    /// Down by as many names as make a key together: names may hold dots.
    fn down_by_names(&mut self, names: &mut Names<'_>) -> Option<()> {
        let object = self.json.as_object()?;
        let mut key = names.next()?.to_owned();
        while object.get(&key).is_none() {
            key.push('.');
            key.push_str(names.next()?);
        }
        self.down(&key)
    }

    fn has(&self, key: &str) -> bool {
        self.json
            .as_object()
            .is_some_and(|object| object.get(key).is_some())
    }
}

impl Search {
    fn find(&mut self, json: &Json, entity: &Entity) -> Option<Vec<Step>> {
        let mut names = Names {
            names: entity.names().into_iter(),
        };
        let mut here = Here {
            json,
            way: Vec::new(),
        };
        loop {
            match names.next()? {
                "object" => {
                    if names.is_empty() && entity.kind == EntityKind::Record {
                        return Some(here.way);
                    }
                    let holder = match names.peek()? {
                        holder @ ("definitions" | "$defs") => {
                            names.next();
                            holder
                        }
                        _ => "properties",
                    };
                    here.down(holder)?;
                    here.down_by_names(&mut names)?;
                    if names.is_empty() {
                        return Some(here.way);
                    }
                }
                "array" => here.down("items")?,
                "not" => here.down("not")?,
                "oneof" => self.down_by_index(&mut here, "oneOf", &mut names)?,
                "anyof" if here.has("anyOf") => self.down_by_index(&mut here, "anyOf", &mut names)?,
                "allof" if here.has("allOf") => self.down_by_index(&mut here, "allOf", &mut names)?,
                // Several types, which stand in one schema.
                "anyof" => drop(names.next()),
                "allof" => {
                    names.next();
                    if names.peek() == Some("conditional") {
                        names.next();
                        here.down(names.next()?)?;
                    }
                }
                _ => return None,
            }
        }
    }

    fn down_by_index(&mut self, here: &mut Here<'_>, keyword: &str, names: &mut Names<'_>) -> Option<()> {
        let index: usize = names.next()?.parse().ok()?;
        here.down(keyword)?;
        let members = here.json.as_array()?;
        let order = self
            .orders
            .entry(address(here.json))
            .or_insert_with(|| view::order(members));
        let place = *order.get(index)?;
        here.json = members.get(place)?;
        here.way.push(Step::Index(place));
        Some(())
    }
}

/// Collects what has tags.
struct Walk<'a> {
    root: &'a Json,
    /// The path so far, with a dot behind it.
    path: String,
    found: Found,
}

impl<'a> Walk<'a> {
    /// As deep as the text.
    fn schema(&mut self, view: &View<'a>, draft: Draft, in_field: bool) -> Result<(), SchemaError> {
        match &view.shape {
            Shape::Combined(criterion, members) => {
                let name = match criterion {
                    Criterion::All => "allof.",
                    Criterion::Any => "anyof.",
                    Criterion::One => "oneof.",
                };
                for (index, member) in members.iter().enumerate() {
                    self.below(&[name, &index.to_string(), "."], |walk| {
                        walk.schema(member, draft, false)
                    })?;
                }
                Ok(())
            }
            Shape::Array { items: Some(items) } => {
                self.below(&["array."], |walk| walk.schema(items, draft, false))
            }
            Shape::Not(schema) => self.below(&["not."], |walk| walk.schema(schema, draft, false)),
            Shape::Conditional(branches) => {
                for (name, branch) in ["if", "then", "else"].into_iter().zip(branches) {
                    if let Some(branch) = branch {
                        self.below(&["conditional.", name, "."], |walk| {
                            walk.schema(branch, draft, false)
                        })?;
                    }
                }
                Ok(())
            }
            Shape::Object(object) => self.object(view, object, draft, in_field),
            _ => Ok(()),
        }
    }

    fn below(
        &mut self,
        names: &[&str],
        visit: impl FnOnce(&mut Self) -> Result<(), SchemaError>,
    ) -> Result<(), SchemaError> {
        let before = self.path.len();
        self.path.extend(names.iter().copied());
        visit(self)?;
        self.path.truncate(before);
        Ok(())
    }

    fn add(&mut self, kind: EntityKind, object: &Object) -> Result<(), SchemaError> {
        let tags = tags_of(object);
        if tags.is_empty() {
            return Ok(());
        }
        let path = self.path.strip_suffix('.').unwrap_or(&self.path);
        self.found.add(kind, path, tags)
    }

    fn object(
        &mut self,
        view: &View<'a>,
        object: &'a Object,
        draft: Draft,
        in_field: bool,
    ) -> Result<(), SchemaError> {
        self.below(&["object."], |walk| {
            if !in_field && let Some(said) = view.said {
                walk.add(EntityKind::Record, said)?;
            }
            for (name, json) in named(object, "properties") {
                walk.below(&[name, "."], |walk| {
                    if let Json::Object(property) = json {
                        walk.add(EntityKind::Field, property)?;
                    }
                    walk.schema(&View::of(json, draft), draft, true)
                })?;
            }
            // Of an object that is one part of its schema, the rest of the text is said elsewhere.
            match view.said {
                Some(said) => walk.definitions(said, draft),
                None => Ok(()),
            }
        })
    }

    fn definitions(&mut self, object: &'a Object, draft: Draft) -> Result<(), SchemaError> {
        // Each is loaded as a document of its own, which says no draft.
        for (name, json) in named(object, "definitions").filter(|(_, json)| json.as_object().is_some()) {
            self.below(&["definitions.", name, "."], |walk| {
                walk.schema(&View::of(json, Draft::DEFAULT), Draft::DEFAULT, false)
            })?;
        }
        if draft < Draft::Draft201909 {
            return Ok(());
        }
        // At the top, `definitions` can be meant by `$defs`.
        let is_root = self
            .root
            .as_object()
            .is_some_and(|root| std::ptr::eq(root, object));
        let defs = object.get("$defs");
        let bridged = is_root && defs.is_none_or(|defs| defs.as_object().is_some());
        let more = named(object, "definitions")
            .filter(|(name, _)| bridged && !named(object, "$defs").any(|(known, _)| known == *name));
        let own = named(object, "$defs");
        for (name, json) in own.chain(more) {
            self.below(&["$defs.", name, "."], |walk| {
                walk.schema(&View::of(json, draft), draft, false)
            })?;
        }
        Ok(())
    }
}

/// The members of an object below a keyword.
fn named<'a>(object: &'a Object, keyword: &str) -> impl Iterator<Item = (&'a str, &'a Json)> {
    let members = object.get(keyword).and_then(Json::as_object);
    members.into_iter().flat_map(Object::iter)
}
