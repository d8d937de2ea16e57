//! Drafts 2019-09 and 2020-12 as Confluent's `SchemaTranslator` makes shapes of them: each keyword gives a part, and parts
//! are joined one after the other; what does not fit together becomes an `allOf`. Their order is not that of the text,
//! so that does not count.

use super::keywords::{Keywords, Kind, names_by_name, names_in, type_alone};
use super::model::{
    ArrayShape, Criterion, Loader, Node, NodeId, Number, ObjectShape, Rest, Shape, Text, TooComplex,
};
use crate::schema::json::document::{Json, Object};
use crate::schema::json::resources::Located;

/// `contains` without `minContains` means one.
const ONE: &str = "1";

/// Parts that have been joined.
enum Joined<'a> {
    One(Shape<'a>),
    /// An `allOf` that the text does not have.
    All(Vec<Shape<'a>>),
    /// An `anyOf` that the text does not have: more than one type.
    Any(Vec<Shape<'a>>),
}

pub fn load<'a>(loader: &mut Loader<'a, '_>, located: Located<'a>) -> Result<NodeId, TooComplex> {
    let object = match located.json {
        Json::Object(object) => object,
        Json::Bool(false) => return loader.add_shape(Shape::Never),
        yes => return loader.add(Node::accepting_all(yes)),
    };
    let draft = loader.draft(located.resource);
    let joined = joined(&mut Keywords::new(loader, object, located.resource, draft, load))?;
    let mut fell_apart = false;
    let shape = match joined {
        None => Shape::Any,
        Some(Joined::One(shape)) => shape,
        Some(Joined::All(mut parts)) if parts.len() <= 1 => parts.pop().unwrap_or(Shape::Any),
        Some(Joined::All(parts)) => {
            fell_apart = true;
            loader.combine(Criterion::All, parts)?
        }
        Some(Joined::Any(types)) => loader.combine(Criterion::Any, types)?,
    };
    let mut node = Node::new(shape);
    node.annotate(object, draft);
    node.fell_apart = fell_apart;
    // Confluent takes `null` for none, and loses the default beside a `$ref`.
    node.has_default &= object.get("default") != Some(&Json::Null);
    node.has_default &= !matches!(node.shape, Shape::Reference(..));
    loader.add(node)
}

fn joined<'a>(keywords: &mut Keywords<'a, '_, '_>) -> Result<Option<Joined<'a>>, TooComplex> {
    let mut parts = Vec::new();
    for (keyword, value) in in_order(keywords.object) {
        parts.extend(part(keywords, keyword, value)?);
    }
    let properties = keywords.named("properties")?;
    if !properties.is_empty() {
        parts.push(Joined::One(object(|it| it.properties = properties)));
    }
    let patterns = keywords.named("patternProperties")?;
    if !patterns.is_empty() {
        parts.push(Joined::One(object(|it| it.patterns = patterns)));
    }
    if let Some(schema) = keywords.schema_of("unevaluatedItems")? {
        parts.push(Joined::One(array(|it| it.unevaluated = Some(schema))));
    }
    if let Some(schema) = keywords.schema_of("unevaluatedProperties")? {
        parts.push(Joined::One(object(|it| it.unevaluated = Some(schema))));
    }
    let mut joined: Option<Joined<'a>> = None;
    for part in parts {
        joined = Some(match joined {
            None => part,
            Some(before) => before.join(part, keywords.loader)?,
        });
    }
    Ok(joined)
}

/// The keywords in the order in which Java's `HashMap` holds them, as which `JsonSkemaObjectDeserializer` reads a schema: by
/// the buckets of their hashes.
fn in_order(object: &Object) -> Vec<(&str, &Json)> {
    // Twice as many buckets whenever more than three quarters are taken.
    let buckets = (object.len() * 4).div_ceil(3).next_power_of_two().max(16) as u32;
    let bucket = |name: &str| {
        let hash = name.encode_utf16().fold(0u32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(u32::from(unit))
        });
        (hash ^ (hash >> 16)) & (buckets - 1)
    };
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by_key(|(name, _)| bucket(name));
    members
}

/// What one keyword says. `None`: nothing, or it is read after the others.
fn part<'a>(
    keywords: &mut Keywords<'a, '_, '_>,
    keyword: &str,
    value: &'a Json,
) -> Result<Option<Joined<'a>>, TooComplex> {
    let shape = match keyword {
        "$ref" | "$dynamicRef" | "$recursiveRef" => {
            let reference = value.as_str();
            reference.map(|to| keywords.reference(to)).transpose()?
        }
        "type" => return Ok(types(value)),
        "enum" => keywords.values(),
        "const" => Some(Shape::Const(value)),
        "not" => keywords.not()?,
        "if" => Some(Shape::Conditional),
        "allOf" => Some(combined(keywords, Criterion::All, value)?),
        "anyOf" => Some(combined(keywords, Criterion::Any, value)?),
        "oneOf" => Some(combined(keywords, Criterion::One, value)?),
        // Nothing of them is compared, but where they stand decides how the others are joined.
        "format" | "readOnly" | "writeOnly" => return Ok(Some(Joined::All(Vec::new()))),
        _ => match rule(keyword, value) {
            Some(shape) => Some(shape),
            None => schemas(keywords, keyword, value)?,
        },
    };
    Ok(shape.map(Joined::One))
}

fn types(value: &Json) -> Option<Joined<'_>> {
    let shape = |name: &str| {
        let mut shape = match Kind::of(name) {
            None => return type_alone(name),
            Some(Kind::Array) => Shape::Array(Box::default()),
            Some(Kind::Object) => Shape::Object(Box::default()),
            Some(Kind::Number) => Shape::Number(Number::default()),
            Some(Kind::Text) => Shape::Text(Text::default()),
        };
        shape.require_type(name == "integer");
        Some(shape)
    };
    match value {
        Json::String(name) => shape(name).map(Joined::One),
        Json::Array(names) => {
            let names = names.iter().filter_map(Json::as_str);
            Some(Joined::Any(names.filter_map(shape).collect()))
        }
        _ => None,
    }
}

/// The members of an `allOf`, `anyOf` or `oneOf`. A member that fell apart is a member for each of its parts: so Confluent
/// has it, also where it changes what is meant.
fn combined<'a>(
    keywords: &mut Keywords<'a, '_, '_>,
    criterion: Criterion,
    value: &'a Json,
) -> Result<Shape<'a>, TooComplex> {
    let mut members = Vec::new();
    for json in value.as_array().unwrap_or_default() {
        let member = keywords.schema(json)?;
        match keywords.loader.model.node(member) {
            Node {
                shape: Shape::Combined(_, parts),
                fell_apart: true,
                ..
            } => members.extend(parts),
            _ => members.push(member),
        }
    }
    Ok(Shape::Combined(criterion, members))
}

/// A keyword without a schema in it.
fn rule<'a>(keyword: &str, value: &'a Json) -> Option<Shape<'a>> {
    let written = value.as_number();
    Some(match keyword {
        "minLength" => text(|it| it.min = written),
        "maxLength" => text(|it| it.max = written),
        "pattern" => text(|it| it.pattern = value.as_str()),
        "minimum" => number(|it| it.minimum = written),
        "maximum" => number(|it| it.maximum = written),
        "exclusiveMinimum" => number(|it| it.exclusive_minimum = written),
        "exclusiveMaximum" => number(|it| it.exclusive_maximum = written),
        "multipleOf" => number(|it| it.multiple_of = written),
        "minProperties" => object(|it| it.min = written),
        "maxProperties" => object(|it| it.max = written),
        "required" => object(|it| it.required = names_in(value)),
        "dependentRequired" => object(|it| it.dependent_names = names_by_name(value)),
        "minItems" => array(|it| it.min = written),
        "maxItems" => array(|it| it.max = written),
        "uniqueItems" => array(|it| it.unique = value.as_bool() == Some(true)),
        // Its schema is not compared.
        "propertyNames" => object(|_| ()),
        _ => return None,
    })
}

/// A keyword of objects or arrays with a schema in it.
fn schemas<'a>(
    keywords: &mut Keywords<'a, '_, '_>,
    keyword: &str,
    value: &'a Json,
) -> Result<Option<Shape<'a>>, TooComplex> {
    let is_list = |json: Option<&Json>| json.is_some_and(|json| json.as_array().is_some());
    Ok(Some(match keyword {
        "additionalProperties" => {
            let rest = keywords.rest(keyword)?;
            object(|it| it.rest = rest)
        }
        "dependentSchemas" => {
            let schemas = keywords.named(keyword)?;
            object(|it| it.dependent_schemas = schemas)
        }
        // The schema itself is not compared.
        "contains" => array(|it| {
            it.min_contains = keywords.number("minContains").or(Some(ONE));
            it.max_contains = keywords.number("maxContains");
        }),
        "prefixItems" => {
            let first = keywords.list(keyword)?.unwrap_or_default();
            array(|it| it.first = first)
        }
        // 2019-09 still has a list of schemas here, and `additionalItems` for the rest.
        "items" if is_list(Some(value)) => {
            let first = keywords.list(keyword)?.unwrap_or_default();
            array(|it| it.first = first)
        }
        "additionalItems" if is_list(keywords.get("items")) => {
            let rest = keywords.rest(keyword)?;
            array(|it| it.rest = rest)
        }
        "items" => {
            let after_others = keywords.get("prefixItems").and_then(Json::as_array);
            let after_others = after_others.is_some_and(|first| !first.is_empty());
            match keywords.rest(keyword)? {
                Rest::Schema(all) if !after_others => array(|it| it.all = Some(all)),
                rest => array(|it| it.rest = rest),
            }
        }
        _ => return Ok(None),
    }))
}

fn text<'a>(fill: impl FnOnce(&mut Text<'a>)) -> Shape<'a> {
    let mut text = Text::default();
    fill(&mut text);
    Shape::Text(text)
}

fn number<'a>(fill: impl FnOnce(&mut Number<'a>)) -> Shape<'a> {
    let mut number = Number::default();
    fill(&mut number);
    Shape::Number(number)
}

fn object<'a>(fill: impl FnOnce(&mut ObjectShape<'a>)) -> Shape<'a> {
    let mut object = Box::<ObjectShape>::default();
    fill(&mut object);
    Shape::Object(object)
}

fn array<'a>(fill: impl FnOnce(&mut ArrayShape<'a>)) -> Shape<'a> {
    let mut array = Box::<ArrayShape>::default();
    fill(&mut array);
    Shape::Array(array)
}

impl<'a> Joined<'a> {
    /// `SchemaContext.join`.
    fn join(self, other: Self, loader: &mut Loader<'a, '_>) -> Result<Self, TooComplex> {
        Ok(match (self, other) {
            (Self::One(mut left), Self::One(right)) => match left.merge(right) {
                None => Self::One(left),
                Some(right) => Self::All(vec![left, right]),
            },
            (Self::Any(mut types), Self::One(part)) | (Self::One(part), Self::Any(mut types))
                if types.iter().any(|shape| shape.is_like(&part)) =>
            {
                merge_into(&mut types, part);
                Self::Any(types)
            }
            (left, right) => {
                let mut parts = Vec::new();
                for side in [left, right] {
                    for part in side.into_parts(loader)? {
                        merge_into(&mut parts, part);
                    }
                }
                Self::All(parts)
            }
        })
    }

    fn into_parts(self, loader: &mut Loader<'a, '_>) -> Result<Vec<Shape<'a>>, TooComplex> {
        Ok(match self {
            Self::One(shape) => vec![shape],
            Self::All(parts) => parts,
            Self::Any(types) => vec![loader.combine(Criterion::Any, types)?],
        })
    }
}

/// Adds `part` to the first that can hold it, or to the end.
fn merge_into<'a>(parts: &mut Vec<Shape<'a>>, part: Shape<'a>) {
    let mut left = Some(part);
    for shape in parts.iter_mut() {
        let Some(part) = left.take() else { return };
        left = shape.merge(part);
    }
    parts.extend(left);
}

impl Shape<'_> {
    /// Takes over what `other` says, or gives it back when it is of another class, or of one that cannot.
    fn merge(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Text(mine), Self::Text(other)) => {
                mine.required |= other.required;
                mine.min = other.min.or(mine.min);
                mine.max = other.max.or(mine.max);
                mine.pattern = other.pattern.or(mine.pattern);
            }
            (Self::Number(mine), Self::Number(other)) => {
                mine.required |= other.required;
                mine.integer |= other.integer;
                mine.minimum = other.minimum.or(mine.minimum);
                mine.maximum = other.maximum.or(mine.maximum);
                mine.exclusive_minimum = other.exclusive_minimum.or(mine.exclusive_minimum);
                mine.exclusive_maximum = other.exclusive_maximum.or(mine.exclusive_maximum);
                mine.multiple_of = other.multiple_of.or(mine.multiple_of);
            }
            (Self::Object(mine), Self::Object(other)) => {
                mine.required_type |= other.required_type;
                mine.properties.extend(other.properties);
                mine.required.extend(other.required);
                mine.patterns.extend(other.patterns);
                mine.rest = other.rest.or(mine.rest);
                mine.unevaluated = other.unevaluated.or(mine.unevaluated);
                mine.min = other.min.or(mine.min);
                mine.max = other.max.or(mine.max);
                mine.dependent_names.extend(other.dependent_names);
                mine.dependent_schemas.extend(other.dependent_schemas);
            }
            (Self::Array(mine), Self::Array(other)) => {
                mine.required_type |= other.required_type;
                mine.all = other.all.or(mine.all);
                mine.first.extend(other.first);
                mine.rest = other.rest.or(mine.rest);
                mine.unevaluated = other.unevaluated.or(mine.unevaluated);
                mine.min = other.min.or(mine.min);
                mine.max = other.max.or(mine.max);
                mine.min_contains = other.min_contains.or(mine.min_contains);
                mine.max_contains = other.max_contains.or(mine.max_contains);
                mine.unique |= other.unique;
            }
            (_, other) => return Some(other),
        }
        None
    }
}
