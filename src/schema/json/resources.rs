//! Which schema a `$ref` means: every document that was handed in, its embedded resources, their anchors, and
//! the drafts' own meta-schemas. Nothing else exists; nothing is fetched.

use super::document::{Json, Object};
use super::draft::{Draft, Holds};
use super::uri::{percent_decode, pointer_segment, resolve, split_fragment};
use crate::schema::{Formats, SchemaError};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The address of the schema itself when it has no `$id`: Confluent's `JsonSchema.DEFAULT_BASE_URI`.
const DEFAULT_BASE_URI: &str = "mem://input";
/// Longest address. Each embedded resource stores its own.
const MAX_URI: usize = 2_048;

/// Which groups of keywords count (`$vocabulary`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vocabularies {
    pub applicator: bool,
    pub unevaluated: bool,
    pub validation: bool,
    /// None: `format` is no keyword.
    pub format: Option<Formats>,
}

const ALL: Vocabularies = Vocabularies {
    applicator: true,
    unevaluated: true,
    validation: true,
    format: Some(Formats::Annotate),
};

/// A schema text under the name that others call it by.
pub struct Document {
    pub name: String,
    pub json: Json,
}

/// A schema with its own address: a document or a subschema with an `$id`.
pub struct Resource<'a> {
    pub uri: String,
    pub root: &'a Json,
    document: &'a Json,
    pub draft: Draft,
    pub vocabularies: Vocabularies,
    anchors: HashMap<&'a str, &'a Json>,
    /// Anchors that a `$dynamicRef` may find from afar; `""` stands for `"$recursiveAnchor": true`.
    pub dynamic_anchors: HashMap<&'a str, &'a Json>,
}

pub struct Resources<'a> {
    pub list: Vec<Resource<'a>>,
    by_uri: HashMap<String, usize>,
    /// Where a resource starts inside a document, by the subschema's address in memory.
    starts: HashMap<usize, usize>,
    documents: &'a [Document],
}

/// Where a reference leads.
#[derive(Clone, Copy)]
pub struct Located<'a> {
    pub json: &'a Json,
    pub resource: usize,
}

/// A subschema's identity while its document lives.
pub fn address(json: &Json) -> usize {
    std::ptr::from_ref(json) as usize
}

static META_SCHEMAS: LazyLock<Vec<(String, Json)>> = LazyLock::new(|| {
    use referencing::meta;
    [
        &meta::DRAFT4,
        &meta::DRAFT6,
        &meta::DRAFT7,
        &meta::DRAFT201909,
        &meta::DRAFT201909_APPLICATOR,
        &meta::DRAFT201909_CONTENT,
        &meta::DRAFT201909_CORE,
        &meta::DRAFT201909_FORMAT,
        &meta::DRAFT201909_META_DATA,
        &meta::DRAFT201909_VALIDATION,
        &meta::DRAFT202012,
        &meta::DRAFT202012_CORE,
        &meta::DRAFT202012_APPLICATOR,
        &meta::DRAFT202012_UNEVALUATED,
        &meta::DRAFT202012_VALIDATION,
        &meta::DRAFT202012_META_DATA,
        &meta::DRAFT202012_FORMAT_ANNOTATION,
        &meta::DRAFT202012_FORMAT_ASSERTION,
        &meta::DRAFT202012_CONTENT,
    ]
    .into_iter()
    .filter_map(|meta_schema| {
        let json = Json::parse(&meta_schema.to_string(), "meta-schema").ok()?;
        let id = json
            .as_object()
            .and_then(|object| object.get("$id").or_else(|| object.get("id")))?;
        let uri = split_fragment(id.as_str()?).0.to_owned();
        Some((uri, json))
    })
    .collect()
});

impl<'a> Resources<'a> {
    /// The first document is the schema itself.
    pub fn new(documents: &'a [Document]) -> Result<Self, SchemaError> {
        let mut resources = Self {
            list: Vec::new(),
            by_uri: HashMap::new(),
            starts: HashMap::new(),
            documents,
        };
        let mut base = DEFAULT_BASE_URI.to_owned();
        let mut draft = Draft::DEFAULT;
        for (index, document) in documents.iter().enumerate() {
            let (uri, _) = split_fragment(&document.name);
            let uri = resolve(&base, uri);
            let resource = resources.add_document(&document.json, uri, draft)?;
            if index == 0
                && let Some(first) = resources.list.get(resource)
            {
                base.clone_from(&first.uri);
                draft = first.draft;
            } else {
                let (name, _) = split_fragment(&document.name);
                resources.by_uri.entry(name.to_owned()).or_insert(resource);
            }
        }
        Ok(resources)
    }

    fn add_document(&mut self, json: &'a Json, uri: String, draft: Draft) -> Result<usize, SchemaError> {
        let (draft, vocabularies) = self.dialect(json).unwrap_or((draft, ALL));
        let mut own = uri.clone();
        if let Some(object) = json.as_object()
            && let Some(id) = id_of(object, draft)
        {
            own = resolve(&uri, split_fragment(id).0);
        }
        let resource = self.add(Resource {
            uri: own,
            root: json,
            document: json,
            draft,
            vocabularies,
            anchors: HashMap::new(),
            dynamic_anchors: HashMap::new(),
        })?;
        self.by_uri.entry(uri).or_insert(resource);
        self.index(json, resource)?;
        Ok(resource)
    }

    fn add(&mut self, resource: Resource<'a>) -> Result<usize, SchemaError> {
        if resource.uri.len() > MAX_URI {
            return Err(SchemaError::OverLimit(format!(
                "an identifier of {} characters, more than {MAX_URI}",
                resource.uri.len()
            )));
        }
        let index = self.list.len();
        self.by_uri.entry(resource.uri.clone()).or_insert(index);
        self.starts.insert(address(resource.root), index);
        self.list.push(resource);
        Ok(index)
    }

    /// Draft and vocabularies by `$schema`; `None` when that is absent or unknown.
    fn dialect(&self, json: &Json) -> Option<(Draft, Vocabularies)> {
        let uri = json.as_object()?.get("$schema")?.as_str()?;
        if let Some(draft) = Draft::from_meta_schema(uri) {
            return Some((draft, ALL));
        }
        // A meta-schema of the author's own, which must be among the references.
        let wanted = split_fragment(uri).0;
        let meta_schema = self.documents.iter().find_map(|document| {
            let object = document.json.as_object()?;
            let id = object
                .get("$id")
                .and_then(Json::as_str)
                .map(|id| split_fragment(id).0);
            (document.name == wanted || id == Some(wanted)).then_some(object)
        })?;
        let draft = Draft::from_meta_schema(meta_schema.get("$schema")?.as_str()?)?;
        let Some(named) = meta_schema.get("$vocabulary").and_then(Json::as_object) else {
            return Some((draft, ALL));
        };
        let has = |name: &str| {
            named.iter().any(|(uri, _)| {
                uri.starts_with("https://json-schema.org/draft/")
                    && uri.rsplit_once("/vocab/").is_some_and(|(_, last)| last == name)
            })
        };
        let applicator = has("applicator");
        let unevaluated = if draft == Draft::Draft201909 {
            applicator
        } else {
            has("unevaluated")
        };
        // The one that asserts must be obeyed, also where it is not required (2020-12 Validation, section 7.2.2).
        let format = if has("format-assertion") {
            Some(Formats::Assert)
        } else {
            (has("format-annotation") || has("format")).then_some(Formats::Annotate)
        };
        Some((
            draft,
            Vocabularies {
                applicator,
                unevaluated,
                validation: has("validation"),
                format,
            },
        ))
    }

    /// Finds the resources and anchors in `json`. As deep as the text, which the scanner bounds.
    fn index(&mut self, json: &'a Json, resource: usize) -> Result<(), SchemaError> {
        let Some(object) = json.as_object() else {
            return Ok(());
        };
        let Some(parent) = self.list.get(resource) else {
            return Ok(());
        };
        let mut resource = resource;
        let mut draft = parent.draft;
        if address(parent.root) != address(json) {
            let (own_draft, vocabularies) = self.dialect(json).unwrap_or((draft, parent.vocabularies));
            if let Some(id) = id_of(object, own_draft)
                && let (base, _) = split_fragment(id)
                && !base.is_empty()
            {
                let embedded = Resource {
                    uri: resolve(&parent.uri, base),
                    root: json,
                    document: parent.document,
                    draft: own_draft,
                    vocabularies,
                    anchors: HashMap::new(),
                    dynamic_anchors: HashMap::new(),
                };
                draft = own_draft;
                resource = self.add(embedded)?;
            }
        }
        if draft.ref_hides_siblings() && object.get("$ref").is_some_and(|value| value.as_str().is_some()) {
            return Ok(());
        }
        if let Some(resource) = self.list.get_mut(resource) {
            resource.add_anchors(object, json);
        }
        for (keyword, value) in object.iter() {
            match draft.holds(keyword) {
                None => {}
                Some(Holds::One) => self.index(value, resource)?,
                Some(Holds::OneOrList | Holds::List) => match value {
                    Json::Array(items) => items.iter().try_for_each(|item| self.index(item, resource))?,
                    one => self.index(one, resource)?,
                },
                Some(Holds::Named | Holds::NamedOrNames) => {
                    if let Json::Object(named) = value {
                        named
                            .iter()
                            .try_for_each(|(_, value)| self.index(value, resource))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn find(&mut self, uri: &str) -> Result<Option<usize>, SchemaError> {
        if let Some(found) = self.by_uri.get(uri) {
            return Ok(Some(*found));
        }
        match META_SCHEMAS.iter().find(|(id, _)| same_meta_schema(id, uri)) {
            Some((id, json)) => {
                let found = match self.by_uri.get(id) {
                    Some(found) => *found,
                    None => self.add_document(json, id.clone(), Draft::DEFAULT)?,
                };
                self.by_uri.entry(uri.to_owned()).or_insert(found);
                Ok(Some(found))
            }
            None => Ok(None),
        }
    }

    /// The resource that a subschema belongs to, when its parent belongs to `parent`.
    pub fn resource_of(&self, json: &Json, parent: usize) -> usize {
        self.starts.get(&address(json)).copied().unwrap_or(parent)
    }

    /// Follows `reference` as it stands in `resource`.
    pub fn locate(&mut self, resource: usize, reference: &str) -> Result<Located<'a>, SchemaError> {
        let (uri, fragment) = split_fragment(reference);
        let unresolved =
            |why: &str| SchemaError::Invalid(format!("reference \"{}\" {why}", shorten(reference)));
        let target = if uri.is_empty() {
            resource
        } else {
            let base = self
                .list
                .get(resource)
                .map_or(DEFAULT_BASE_URI, |resource| &resource.uri);
            let absolute = resolve(base, uri);
            let found = match self.find(&absolute)? {
                None => self.find(uri)?,
                found => found,
            };
            found.ok_or_else(|| unresolved("is not among the schema's references"))?
        };
        let Some(found) = self.list.get(target) else {
            return Err(unresolved("leads nowhere"));
        };
        let fragment = percent_decode(fragment).ok_or_else(|| unresolved("has a bad percent escape"))?;
        if fragment.is_empty() {
            return Ok(Located {
                json: found.root,
                resource: target,
            });
        }
        if !fragment.starts_with('/') {
            let json = found
                .anchors
                .get(&*fragment)
                .ok_or_else(|| unresolved("names no anchor"))?;
            return Ok(Located {
                json,
                resource: self.resource_of(json, target),
            });
        }
        let located = self
            .follow(found.root, target, &fragment)
            // Confluent lets `#/$defs/X` find what an older schema keeps in `definitions`.
            .or_else(|| {
                self.follow(
                    found.root,
                    target,
                    &fragment
                        .strip_prefix("/$defs/")
                        .map(|rest| format!("/definitions/{rest}"))?,
                )
            })
            // Generators that give every subschema an `$id` still point from the document's root.
            .or_else(|| self.follow(found.document, target, &fragment));
        located.ok_or_else(|| unresolved("points at nothing"))
    }

    fn follow(&self, root: &'a Json, resource: usize, pointer: &str) -> Option<Located<'a>> {
        let mut located = Located {
            json: root,
            resource: self.resource_of(root, resource),
        };
        for segment in pointer.split('/').skip(1) {
            let segment = pointer_segment(segment);
            located.json = match located.json {
                Json::Object(object) => object.get(&segment)?,
                Json::Array(items) => items.get(segment.parse::<usize>().ok()?)?,
                _ => return None,
            };
            located.resource = self.resource_of(located.json, located.resource);
        }
        Some(located)
    }

    /// The subschema under a dynamic anchor's name, when `json` is the one.
    pub fn is_dynamic_anchor(&self, located: Located<'a>, name: &str) -> bool {
        self.list
            .get(located.resource)
            .and_then(|resource| resource.dynamic_anchors.get(name))
            .is_some_and(|json| address(json) == address(located.json))
    }

    /// Where `json` is in its document, as a JSON pointer after `#`. Slow; for errors.
    pub fn pointer_to(&self, json: &Json) -> String {
        for document in self.documents {
            let mut pointer = String::from("#");
            if point(&document.json, address(json), &mut pointer) {
                return if document.name.is_empty() {
                    pointer
                } else {
                    format!("{}{pointer}", document.name)
                };
            }
        }
        "a meta-schema".to_owned()
    }
}

impl<'a> Resource<'a> {
    fn add_anchors(&mut self, object: &'a Object, json: &'a Json) {
        let text = |name: &str| object.get(name).and_then(Json::as_str);
        if self.draft <= Draft::Draft7 {
            if let Some(id) = text(self.draft.id_keyword())
                && let (_, fragment) = split_fragment(id)
                && !fragment.is_empty()
            {
                self.anchors.entry(fragment).or_insert(json);
            }
            return;
        }
        if let Some(anchor) = text("$anchor") {
            self.anchors.entry(anchor).or_insert(json);
        }
        if self.draft == Draft::Draft202012
            && let Some(anchor) = text("$dynamicAnchor")
        {
            self.anchors.entry(anchor).or_insert(json);
            self.dynamic_anchors.entry(anchor).or_insert(json);
        }
        if self.draft == Draft::Draft201909
            && address(json) == address(self.root)
            && object.get("$recursiveAnchor").and_then(Json::as_bool) == Some(true)
        {
            self.dynamic_anchors.insert("", json);
        }
    }
}

fn id_of(object: &Object, draft: Draft) -> Option<&str> {
    if draft.ref_hides_siblings() && object.get("$ref").is_some_and(|value| value.as_str().is_some()) {
        return None;
    }
    object.get(draft.id_keyword())?.as_str()
}

/// Confluent registers the meta-schemas under http and https alike.
fn same_meta_schema(id: &str, uri: &str) -> bool {
    let bare = |uri: &str| -> Option<String> {
        uri.strip_prefix("http://")
            .or_else(|| uri.strip_prefix("https://"))
            .map(str::to_owned)
    };
    bare(id).is_some_and(|id| bare(uri).is_some_and(|uri| uri == id))
}

fn point(json: &Json, wanted: usize, pointer: &mut String) -> bool {
    if address(json) == wanted {
        return true;
    }
    let length = pointer.len();
    let mut visit = |segment: &str, value: &Json| {
        pointer.push('/');
        pointer.push_str(&segment.replace('~', "~0").replace('/', "~1"));
        let found = point(value, wanted, pointer);
        if !found {
            pointer.truncate(length);
        }
        found
    };
    match json {
        Json::Array(items) => items
            .iter()
            .enumerate()
            .any(|(index, item)| visit(&index.to_string(), item)),
        Json::Object(object) => object.iter().any(|(name, value)| visit(name, value)),
        _ => false,
    }
}

/// At most 80 characters of an author's text on one line, for an error.
pub fn shorten(text: &str) -> String {
    let mut short = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == 80 {
            short.push('…');
            break;
        }
        if character.is_control() {
            short.extend(character.escape_default());
        } else {
            short.push(character);
        }
    }
    short
}
