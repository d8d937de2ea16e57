//! Drafts 4 to 7 as `everit-json-schema` loads them (`SchemaLoader`, `SchemaExtractor` and the loaders they call): the
//! keywords of a schema are sorted into groups, one shape each; with more than one group the schema is their `allOf`.

use super::keywords::{Keywords, Kind};
use super::model::{Criterion, Loader, Node, NodeId, Shape, TooComplex};
use crate::schema::json::document::Json;
use crate::schema::json::draft::Draft;
use crate::schema::json::resources::Located;

pub fn load<'a>(loader: &mut Loader<'a, '_>, located: Located<'a>) -> Result<NodeId, TooComplex> {
    let object = match located.json {
        Json::Object(object) => object,
        Json::Bool(false) => return loader.add_shape(Shape::Never),
        yes => return loader.add(Node::accepting_all(yes)),
    };
    let draft = loader.draft(located.resource);
    let mut keywords = Keywords::new(loader, object, located.resource, draft, load);
    let mut parts = Vec::new();
    if let Some(reference) = keywords.text("$ref") {
        parts.push(keywords.reference(reference)?);
    } else {
        parts = groups(&mut keywords, draft)?;
    }
    let is_reference = matches!(parts.as_slice(), [Shape::Reference(..)]);
    let shape = match parts.len() {
        0 => Shape::Any,
        1 => parts.pop().unwrap_or(Shape::Any),
        _ => loader.combine(Criterion::All, parts)?,
    };
    let mut node = Node::new(shape);
    node.annotate(object, draft);
    // The library loses the default beside a `$ref`.
    node.has_default &= !is_reference;
    loader.add(node)
}

fn groups<'a>(keywords: &mut Keywords<'a, '_, '_>, draft: Draft) -> Result<Vec<Shape<'a>>, TooComplex> {
    let mut parts = Vec::new();
    parts.extend(keywords.values());
    for (keyword, criterion) in [
        ("allOf", Criterion::All),
        ("anyOf", Criterion::Any),
        ("oneOf", Criterion::One),
    ] {
        if let Some(members) = keywords.list(keyword)? {
            parts.push(Shape::Combined(criterion, members));
        }
    }
    parts.extend(keywords.not()?);
    parts.extend(keywords.constant());
    let mut read = Vec::new();
    match keywords.get("type") {
        Some(Json::String(name)) => {
            read.extend(Kind::of(name));
            parts.extend(keywords.of_type(name)?);
        }
        Some(Json::Array(names)) => {
            let mut members = Vec::new();
            let mut met = Vec::new();
            for name in names.iter().filter_map(Json::as_str) {
                if met.contains(&name) {
                    continue;
                }
                met.push(name);
                read.extend(Kind::of(name));
                if let Some(shape) = keywords.of_type(name)? {
                    members.push(keywords.loader.add_shape(shape)?);
                }
            }
            parts.push(Shape::Combined(Criterion::Any, members));
        }
        _ => {}
    }
    for kind in [Kind::Array, Kind::Object, Kind::Number, Kind::Text] {
        if !read.contains(&kind) && keywords.has_any(kind) {
            parts.push(keywords.of_kind(kind)?);
        }
    }
    if draft >= Draft::Draft7
        && ["if", "then", "else"]
            .iter()
            .any(|name| keywords.get(name).is_some())
    {
        parts.push(Shape::Conditional);
    }
    // They are no keywords of these drafts; Confluent reads them all the same, where arrays are all that is spoken of.
    if let [Shape::Array(array)] = parts.as_mut_slice() {
        array.min_contains = keywords.number("minContains");
        array.max_contains = keywords.number("maxContains");
    }
    Ok(parts)
}
