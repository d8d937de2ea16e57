//! What a schema counts as where tags are looked for: the classes that `everit-json-schema` makes of one (for the later
//! drafts Confluent's `SchemaTranslator`), and Confluent's order of the members of a composition (`JsonSchemaComparator`).

use crate::schema::json::document::{Json, Object};
use crate::schema::json::draft::Draft;
use std::cmp::Ordering;

/// A schema, or a part of one that has more than one class.
pub struct View<'a> {
    pub shape: Shape<'a>,
    /// What the text says besides: of the schema as a whole, so that a part has none.
    pub said: Option<&'a Object>,
    default: Option<&'a Json>,
}

/// How a schema is loaded.
#[derive(Clone, Copy)]
struct Loading {
    draft: Draft,
    keeps_defaults: bool,
}

/// How Confluent loads each member of a composition where it looks for a path.
const MEMBER: Loading = Loading {
    draft: Draft::Draft4,
    keeps_defaults: false,
};

/// In the order of `JsonSchemaComparator.SchemaType`.
pub enum Shape<'a> {
    Array {
        items: Option<Box<View<'a>>>,
    },
    Boolean,
    /// Its members in order.
    Combined(Criterion, Vec<View<'a>>),
    /// `if`, `then`, `else`.
    Conditional([Option<Box<View<'a>>>; 3]),
    Const(&'a Json),
    /// It says nothing of a value.
    Empty,
    Enum(&'a [Json]),
    Never,
    Not(Box<View<'a>>),
    Null,
    Number,
    Object(&'a Object),
    Reference,
    Text,
    Any,
}

/// In the order of their names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criterion {
    All,
    Any,
    One,
}

/// The keywords by which a schema without a type is one of arrays, objects, numbers or text.
const OF_ARRAYS: &[&str] = &["items", "additionalItems", "minItems", "maxItems", "uniqueItems"];
const OF_ARRAYS_LATER: &[&str] = &[
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
];
const OF_OBJECTS: &[&str] = &[
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "patternProperties",
    "additionalProperties",
];
const OF_OBJECTS_LATER: &[&str] = &[
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
];
const OF_NUMBERS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];
const OF_TEXT: &[&str] = &["minLength", "maxLength", "pattern", "format"];
const OF_TEXT_LATER: &[&str] = &["minLength", "maxLength", "pattern"];

impl<'a> View<'a> {
    pub fn of(json: &'a Json, draft: Draft) -> Self {
        Self::load(
            json,
            Loading {
                draft,
                keeps_defaults: true,
            },
        )
    }

    /// As deep as the text.
    fn load(json: &'a Json, loading: Loading) -> Self {
        let Json::Object(object) = json else {
            return Self {
                shape: if *json == Json::Bool(false) {
                    Shape::Never
                } else {
                    Shape::Any
                },
                said: None,
                default: None,
            };
        };
        let mut parts = parts(object, loading);
        let shape = if parts.len() > 1 {
            let parts = parts.into_iter().map(View::part);
            combined(Criterion::All, parts)
        } else {
            parts.pop().unwrap_or(Shape::Empty)
        };
        let default = object.get("default").filter(|default| **default != Json::Null);
        Self {
            shape,
            said: Some(object),
            default: default.filter(|_| loading.keeps_defaults),
        }
    }

    fn part(shape: Shape<'a>) -> Self {
        Self {
            shape,
            said: None,
            default: None,
        }
    }
}

fn combined<'a>(criterion: Criterion, members: impl Iterator<Item = View<'a>>) -> Shape<'a> {
    let mut members: Vec<_> = members.collect();
    members.sort_by(compare);
    Shape::Combined(criterion, members)
}

fn parts(object: &Object, loading: Loading) -> Vec<Shape<'_>> {
    let draft = loading.draft;
    if object.get("$ref").is_some_and(|to| to.as_str().is_some()) && draft.ref_hides_siblings() {
        return vec![Shape::Reference];
    }
    let below = |keyword| {
        object
            .get(keyword)
            .map(|json| Box::new(View::load(json, loading)))
    };
    let mut parts = Vec::new();
    if !draft.ref_hides_siblings() && object.get("$ref").is_some() {
        parts.push(Shape::Reference);
    }
    parts.extend(object.get("enum").and_then(Json::as_array).map(Shape::Enum));
    for (keyword, criterion) in [
        ("allOf", Criterion::All),
        ("anyOf", Criterion::Any),
        ("oneOf", Criterion::One),
    ] {
        if let Some(members) = object.get(keyword).and_then(Json::as_array) {
            parts.push(combined(
                criterion,
                members.iter().map(|json| View::load(json, loading)),
            ));
        }
    }
    parts.extend(below("not").map(Shape::Not));
    if draft > Draft::Draft4 {
        parts.extend(object.get("const").map(Shape::Const));
    }
    parts.extend(typed(object, loading));
    let branches = ["if", "then", "else"].map(below);
    let is_conditional = match draft {
        Draft::Draft4 | Draft::Draft6 => false,
        Draft::Draft7 => branches.iter().any(Option::is_some),
        Draft::Draft201909 | Draft::Draft202012 => object.get("if").is_some(),
    };
    if is_conditional {
        parts.push(Shape::Conditional(branches));
    }
    parts
}

/// What `type` says, and the keywords of other types.
fn typed(object: &Object, loading: Loading) -> Vec<Shape<'_>> {
    let draft = loading.draft;
    let later = draft >= Draft::Draft201909;
    let shape = |name: &str| match name {
        "array" => Some(Shape::Array {
            items: object
                .get("items")
                .filter(|items| {
                    items.as_array().is_none() && object.get("prefixItems").is_none_or(|_| !later)
                })
                .map(|items| Box::new(View::load(items, loading))),
        }),
        "boolean" => Some(Shape::Boolean),
        "integer" | "number" => Some(Shape::Number),
        "null" => Some(Shape::Null),
        "object" => Some(Shape::Object(object)),
        "string" => Some(Shape::Text),
        _ => None,
    };
    let mut parts = Vec::new();
    let mut said = Vec::new();
    match object.get("type") {
        Some(Json::String(name)) => {
            said.push(&**name);
            parts.extend(shape(name));
        }
        Some(Json::Array(names)) => {
            for name in names.iter().filter_map(Json::as_str) {
                if !said.contains(&name) {
                    said.push(name);
                }
            }
            let members = said.iter().filter_map(|name| shape(name));
            parts.push(combined(Criterion::Any, members.map(View::part)));
        }
        _ => {}
    }
    let groups: [(&str, &[&str], &str); 4] = [
        (
            "array",
            if later { OF_ARRAYS_LATER } else { OF_ARRAYS },
            "contains",
        ),
        (
            "object",
            if later { OF_OBJECTS_LATER } else { OF_OBJECTS },
            "propertyNames",
        ),
        ("number", OF_NUMBERS, ""),
        ("string", if later { OF_TEXT_LATER } else { OF_TEXT }, ""),
    ];
    for (name, keywords, from_draft_6) in groups {
        let is_said = said.contains(&name) || name == "number" && said.contains(&"integer");
        let has = |keyword: &&str| object.get(keyword).is_some();
        if !is_said
            && (keywords.iter().any(has) || draft > Draft::Draft4 && object.get(from_draft_6).is_some())
        {
            parts.extend(shape(name));
        }
    }
    parts
}

/// The positions of a composition's members in Confluent's order. Each is loaded by itself.
pub fn order(members: &[Json]) -> Vec<usize> {
    let views: Vec<_> = members.iter().map(|json| View::load(json, MEMBER)).collect();
    let mut order: Vec<usize> = (0..views.len()).collect();
    order.sort_by(|a, b| match (views.get(*a), views.get(*b)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    });
    order
}

fn compare(a: &View<'_>, b: &View<'_>) -> Ordering {
    rank(&a.shape)
        .cmp(&rank(&b.shape))
        .then_with(|| text(a, "title").cmp(&text(b, "title")))
        .then_with(|| text(a, "description").cmp(&text(b, "description")))
        .then_with(|| a.default.map(written).cmp(&b.default.map(written)))
        .then_with(|| compare_shapes(&a.shape, &b.shape))
}

/// Nothing comes first.
fn text<'a>(view: &View<'a>, keyword: &str) -> Option<&'a str> {
    view.said?.get(keyword)?.as_str()
}

/// As Java's `toString`.
fn written(json: &Json) -> String {
    json.as_str().map_or_else(|| json.canonical(), str::to_owned)
}

fn rank(shape: &Shape<'_>) -> u8 {
    match shape {
        Shape::Array { .. } => 0,
        Shape::Boolean => 1,
        Shape::Combined(..) => 2,
        Shape::Conditional(_) => 3,
        Shape::Const(_) => 4,
        Shape::Empty => 5,
        Shape::Enum(_) => 6,
        Shape::Never => 7,
        Shape::Not(_) => 8,
        Shape::Null => 9,
        Shape::Number => 10,
        Shape::Object(_) => 11,
        Shape::Reference => 12,
        Shape::Text => 13,
        Shape::Any => 14,
    }
}

/// Of one class. References are not followed: members of a composition that refer have no entities in them.
fn compare_shapes(a: &Shape<'_>, b: &Shape<'_>) -> Ordering {
    match (a, b) {
        (Shape::Const(a), Shape::Const(b)) => written(a).cmp(&written(b)),
        (Shape::Enum(a), Shape::Enum(b)) => {
            let written = |list: &[Json]| list.iter().map(written).collect();
            compare_lists(written(a), written(b))
        }
        (Shape::Combined(a, own), Shape::Combined(b, others)) => {
            let sizes = own.len().cmp(&others.len());
            let members = || own.iter().zip(others).map(|(a, b)| compare(a, b));
            a.cmp(b)
                .then(sizes)
                .then_with(|| members().find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
        }
        (Shape::Not(a), Shape::Not(b)) => compare(a, b),
        (Shape::Conditional(a), Shape::Conditional(b)) => {
            let branches = a
                .iter()
                .zip(b)
                .map(|(a, b)| compare_optional(a.as_deref(), b.as_deref()));
            branches
                .into_iter()
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        }
        (Shape::Object(a), Shape::Object(b)) => {
            let properties = |object: &Object| {
                let properties = object.get("properties").and_then(Json::as_object);
                let properties = properties.into_iter().flat_map(Object::iter);
                properties.map(|(name, _)| name.to_owned()).collect()
            };
            let required = |object: &Object| {
                let required = object.get("required").and_then(Json::as_array);
                required.unwrap_or_default().iter().map(written).collect()
            };
            compare_lists(properties(a), properties(b)).then_with(|| compare_lists(required(a), required(b)))
        }
        (Shape::Array { items: a }, Shape::Array { items: b }) => match (a, b) {
            (Some(a), Some(b)) => compare(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        },
        _ => Ordering::Equal,
    }
}

/// A branch that is not there is a schema that says nothing.
fn compare_optional(a: Option<&View<'_>>, b: Option<&View<'_>>) -> Ordering {
    const NOTHING: View<'static> = View {
        shape: Shape::Empty,
        said: None,
        default: None,
    };
    compare(a.unwrap_or(&NOTHING), b.unwrap_or(&NOTHING))
}

/// The shorter first, then by their sorted members.
fn compare_lists(mut a: Vec<String>, mut b: Vec<String>) -> Ordering {
    a.sort_unstable();
    b.sort_unstable();
    a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
}
