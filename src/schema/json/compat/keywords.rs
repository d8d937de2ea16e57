//! The keywords of one schema, read into shapes.

use super::model::{
    ArrayShape, Loader, Node, NodeId, Number, ObjectShape, Rest, Shape, Text, TooComplex, Written,
};
use crate::schema::json::document::{Json, Object};
use crate::schema::json::draft::Draft;
use crate::schema::json::resources::Located;

type Load<'a, 'm> = fn(&mut Loader<'a, 'm>, Located<'a>) -> Result<NodeId, TooComplex>;

/// Which values a group of keywords is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Array,
    Object,
    Number,
    Text,
}

impl Kind {
    pub fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "array" => Self::Array,
            "object" => Self::Object,
            "number" | "integer" => Self::Number,
            "string" => Self::Text,
            _ => return None,
        })
    }
}

pub struct Keywords<'a, 'm, 'l> {
    pub loader: &'l mut Loader<'a, 'm>,
    pub object: &'a Object,
    resource: usize,
    draft: Draft,
    load: Load<'a, 'm>,
}

impl<'a, 'm, 'l> Keywords<'a, 'm, 'l> {
    pub fn new(
        loader: &'l mut Loader<'a, 'm>,
        object: &'a Object,
        resource: usize,
        draft: Draft,
        load: Load<'a, 'm>,
    ) -> Self {
        Self {
            loader,
            object,
            resource,
            draft,
            load,
        }
    }

    pub fn get(&self, keyword: &str) -> Option<&'a Json> {
        self.object.get(keyword)
    }

    pub fn text(&self, keyword: &str) -> Option<&'a str> {
        self.get(keyword)?.as_str()
    }

    pub fn number(&self, keyword: &str) -> Written<'a> {
        self.get(keyword)?.as_number()
    }

    pub fn reference(&mut self, reference: &'a str) -> Result<Shape<'a>, TooComplex> {
        self.loader.reference(self.resource, reference)
    }

    pub fn schema(&mut self, json: &'a Json) -> Result<NodeId, TooComplex> {
        let located = self.loader.inside(json, self.resource);
        (self.load)(self.loader, located)
    }

    pub fn schema_of(&mut self, keyword: &str) -> Result<Option<NodeId>, TooComplex> {
        self.get(keyword).map(|json| self.schema(json)).transpose()
    }

    pub fn list(&mut self, keyword: &str) -> Result<Option<Vec<NodeId>>, TooComplex> {
        let list = self.get(keyword).and_then(Json::as_array);
        list.map(|list| self.schemas(list)).transpose()
    }

    fn schemas(&mut self, list: &'a [Json]) -> Result<Vec<NodeId>, TooComplex> {
        list.iter().map(|json| self.schema(json)).collect()
    }

    pub fn named(&mut self, keyword: &str) -> Result<Vec<(&'a str, NodeId)>, TooComplex> {
        let named = self.get(keyword).and_then(Json::as_object);
        let Some(named) = named else {
            return Ok(Vec::new());
        };
        named
            .iter()
            .map(|(name, json)| Ok((name, self.schema(json)?)))
            .collect()
    }

    pub fn values(&self) -> Option<Shape<'a>> {
        self.get("enum")?.as_array().map(Shape::Enum)
    }

    pub fn constant(&self) -> Option<Shape<'a>> {
        if self.draft == Draft::Draft4 {
            return None;
        }
        self.get("const").map(Shape::Const)
    }

    pub fn not(&mut self) -> Result<Option<Shape<'a>>, TooComplex> {
        Ok(self.schema_of("not")?.map(Shape::Not))
    }

    /// Whether a keyword of this group is there, in drafts 4 to 7.
    pub fn has_any(&self, kind: Kind) -> bool {
        let (names, from_draft_6): (&[&str], &str) = match kind {
            Kind::Array => (
                &["items", "additionalItems", "minItems", "maxItems", "uniqueItems"],
                "contains",
            ),
            Kind::Object => (
                &[
                    "properties",
                    "required",
                    "minProperties",
                    "maxProperties",
                    "dependencies",
                    "patternProperties",
                    "additionalProperties",
                ],
                "propertyNames",
            ),
            Kind::Number => (
                &[
                    "minimum",
                    "maximum",
                    "exclusiveMinimum",
                    "exclusiveMaximum",
                    "multipleOf",
                ],
                "",
            ),
            Kind::Text => (&["minLength", "maxLength", "pattern", "format"], ""),
        };
        names.iter().any(|name| self.get(name).is_some())
            || (self.draft >= Draft::Draft6 && self.get(from_draft_6).is_some())
    }

    /// The shape of a type with the keywords of its group.
    pub fn of_type(&mut self, name: &str) -> Result<Option<Shape<'a>>, TooComplex> {
        let Some(kind) = Kind::of(name) else {
            return Ok(type_alone(name));
        };
        let mut shape = self.of_kind(kind)?;
        shape.require_type(name == "integer");
        Ok(Some(shape))
    }

    /// The shape of a group of keywords; it accepts all values of other types.
    pub fn of_kind(&mut self, kind: Kind) -> Result<Shape<'a>, TooComplex> {
        Ok(match kind {
            Kind::Array => Shape::Array(Box::new(self.array()?)),
            Kind::Object => Shape::Object(Box::new(self.object()?)),
            Kind::Number => Shape::Number(self.numbers()),
            Kind::Text => Shape::Text(Text {
                required: false,
                min: self.number("minLength"),
                max: self.number("maxLength"),
                pattern: self.text("pattern"),
            }),
        })
    }

    fn numbers(&self) -> Number<'a> {
        // In draft 4 the two exclusive ones are booleans, which Confluent does not compare.
        Number {
            required: false,
            integer: false,
            minimum: self.number("minimum"),
            maximum: self.number("maximum"),
            exclusive_minimum: self.number("exclusiveMinimum"),
            exclusive_maximum: self.number("exclusiveMaximum"),
            multiple_of: self.number("multipleOf"),
        }
    }

    fn object(&mut self) -> Result<ObjectShape<'a>, TooComplex> {
        let rest = self.rest("additionalProperties")?;
        let mut dependent_schemas = Vec::new();
        let dependencies = self.get("dependencies").and_then(Json::as_object);
        for (name, value) in dependencies.into_iter().flat_map(Object::iter) {
            if matches!(value, Json::Object(_) | Json::Bool(_)) {
                dependent_schemas.push((name, self.schema(value)?));
            }
        }
        Ok(ObjectShape {
            required_type: false,
            properties: self.named("properties")?,
            required: self.get("required").map(names_in).unwrap_or_default(),
            patterns: self.named("patternProperties")?,
            rest,
            unevaluated: None,
            min: self.number("minProperties"),
            max: self.number("maxProperties"),
            dependent_names: self.get("dependencies").map(names_by_name).unwrap_or_default(),
            dependent_schemas,
        })
    }

    fn array(&mut self) -> Result<ArrayShape<'a>, TooComplex> {
        let mut array = ArrayShape {
            min: self.number("minItems"),
            max: self.number("maxItems"),
            unique: self.get("uniqueItems").and_then(Json::as_bool) == Some(true),
            rest: self.rest("additionalItems")?,
            ..ArrayShape::default()
        };
        match self.get("items") {
            Some(Json::Array(list)) => array.first = self.schemas(list)?,
            Some(one) => {
                array.all = Some(self.schema(one)?);
                // `additionalItems` says nothing beside a schema of all items.
                if array.rest == Rest::Closed {
                    array.rest = Rest::Open;
                }
            }
            None => {}
        }
        Ok(array)
    }

    /// A boolean schema is not loaded: it says whether there may be more.
    pub fn rest(&mut self, keyword: &str) -> Result<Rest, TooComplex> {
        Ok(match self.get(keyword) {
            None | Some(Json::Bool(true)) => Rest::Open,
            Some(Json::Bool(false)) => Rest::Closed,
            Some(json) => Rest::Schema(self.schema(json)?),
        })
    }
}

/// The strings of a list.
pub fn names_in(value: &Json) -> Vec<&str> {
    let names = value.as_array().unwrap_or_default();
    names.iter().filter_map(Json::as_str).collect()
}

/// Lists of names by name. An empty list says nothing.
pub fn names_by_name(value: &Json) -> Vec<(&str, Vec<&str>)> {
    let members = value.as_object().into_iter().flat_map(Object::iter);
    let lists = members.map(|(name, value)| match value {
        // Draft 3 allowed one name without a list; Java schemas still have it.
        Json::String(one) => (name, vec![&**one]),
        list => (name, names_in(list)),
    });
    lists.filter(|(_, names)| !names.is_empty()).collect()
}

/// The shape of a type that has no keywords of its own.
pub fn type_alone(name: &str) -> Option<Shape<'static>> {
    match name {
        "boolean" => Some(Shape::Boolean),
        "null" => Some(Shape::Null),
        _ => None,
    }
}

impl Shape<'_> {
    pub fn require_type(&mut self, integer: bool) {
        match self {
            Self::Array(array) => array.required_type = true,
            Self::Object(object) => object.required_type = true,
            Self::Text(text) => text.required = true,
            Self::Number(number) => {
                number.required = true;
                number.integer = integer;
            }
            _ => {}
        }
    }
}

impl<'a> Node<'a> {
    /// Keeps what a schema says besides its shape.
    pub fn annotate(&mut self, object: &'a Object, draft: Draft) {
        self.has_default = object.get("default").is_some();
        self.is_bytes = object.get("connect.type").and_then(Json::as_str) == Some("bytes");
        let hidden = draft.ref_hides_siblings() && matches!(self.shape, Shape::Reference(..));
        self.remarks = object
            .iter()
            .filter(|(keyword, _)| hidden || !is_compared(keyword, draft))
            .filter(|(keyword, _)| draft.ref_hides_siblings() || !says_nothing(keyword, object))
            .collect();
    }
}

/// Whether a keyword is in the shape of its schema.
fn is_compared(keyword: &str, draft: Draft) -> bool {
    match keyword {
        "$ref"
        | "type"
        | "enum"
        | "const"
        | "allOf"
        | "anyOf"
        | "oneOf"
        | "not"
        | "minLength"
        | "maxLength"
        | "pattern"
        | "minimum"
        | "maximum"
        | "exclusiveMinimum"
        | "exclusiveMaximum"
        | "multipleOf"
        | "properties"
        | "required"
        | "patternProperties"
        | "additionalProperties"
        | "minProperties"
        | "maxProperties"
        | "items"
        | "minItems"
        | "maxItems"
        | "uniqueItems" => true,
        "dependencies" | "additionalItems" => draft < Draft::Draft201909,
        "dependentRequired"
        | "dependentSchemas"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "prefixItems" => draft >= Draft::Draft201909,
        _ => false,
    }
}

/// What Confluent forgets of a schema of the later drafts.
fn says_nothing(keyword: &str, object: &Object) -> bool {
    match keyword {
        "format" | "readOnly" | "writeOnly" | "deprecated" | "$schema" | "$id" | "$anchor"
        | "$dynamicAnchor" => true,
        "then" | "else" => object.get("if").is_none(),
        "minContains" | "maxContains" => object.get("contains").is_none(),
        _ => false,
    }
}
