//! Each keyword's value, checked for its shape and turned into what is checked.

use super::compile::Compiler;
use super::document::{Json, Object};
use super::draft::Draft;
use super::format::Format;
use super::number::{Decimal, Divisor};
use super::program::{
    Applied, ArrayRules, Condition, Contains, Limit, NumberRules, ObjectRules, Property, PropertyTable, Rest,
    StringRules, Subschema, SubschemaId, Values,
};
use super::resources::Vocabularies;
use super::tape::kind;
use crate::schema::{Formats, SchemaError};
use std::collections::HashMap;

/// Enumerations with more strings than this get a set of them.
const FEW_STRINGS: usize = 8;

/// One subschema's keywords on their way into the program.
pub(super) struct Keywords<'c, 'a> {
    pub compiler: &'c mut Compiler<'a>,
    pub object: &'a Object,
    pub json: &'a Json,
    pub resource: usize,
    pub draft: Draft,
    pub vocabularies: Vocabularies,
}

type Result<T> = std::result::Result<T, SchemaError>;

impl<'a> Keywords<'_, 'a> {
    pub fn read(&mut self, subschema: &mut Subschema, applied: &mut Applied) -> Result<()> {
        let mut object = ObjectRules::default();
        let mut array = ArrayRules::default();
        let mut required = Vec::new();
        if self.vocabularies.validation {
            self.types(subschema)?;
            subschema.values = self.values()?;
            subschema.number = self.number()?;
            subschema.string = self.string()?;
            array.min = self.length("minItems")?;
            array.max = self.length("maxItems")?;
            array.unique = self.boolean("uniqueItems")?;
            object.min = self.length("minProperties")?;
            object.max = self.length("maxProperties")?;
            required = self.required()?;
            self.dependent_required(&mut object)?;
        }
        self.format(subschema);
        if self.vocabularies.applicator {
            self.properties(&mut object, required)?;
            self.dependencies(&mut object, applied)?;
            self.items(&mut array)?;
            self.logic(applied)?;
        } else {
            object.required = required;
            object.properties = table(Vec::new(), &object.required);
        }
        if self.vocabularies.unevaluated && self.draft >= Draft::Draft201909 {
            applied.unevaluated_items = self.schema("unevaluatedItems")?;
            applied.unevaluated_properties = self.schema("unevaluatedProperties")?;
        }
        let has_items = !array.prefix.is_empty() || array.rest != Rest::Absent || array.contains.is_some();
        subschema.array = (has_items || array.min.is_some() || array.max.is_some() || array.unique)
            .then(|| Box::new(array));
        let has_members = !object.properties.list.is_empty()
            || !object.patterns.is_empty()
            || object.rest != Rest::Absent
            || object.names.is_some();
        let counted = object.min.is_some() || object.max.is_some() || !object.dependent_names.is_empty();
        subschema.object = (has_members || counted).then(|| Box::new(object));
        Ok(())
    }

    fn get(&self, keyword: &str) -> Option<&'a Json> {
        self.object.get(keyword)
    }

    fn wrong(&self, keyword: &str, expected: &str) -> SchemaError {
        self.compiler
            .invalid(self.json, &format!("`{keyword}` is not {expected}"))
    }

    fn types(&self, subschema: &mut Subschema) -> Result<()> {
        let Some(value) = self.get("type") else {
            return Ok(());
        };
        let names = match value {
            Json::Array(names) => names.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut types = 0;
        let mut integer = false;
        for name in names {
            types |= match name.as_str() {
                Some("null") => kind::NULL,
                Some("boolean") => kind::BOOLEAN,
                Some("number") => kind::NUMBER,
                Some("integer") => {
                    integer = true;
                    kind::INTEGER
                }
                Some("string") => kind::STRING,
                Some("array") => kind::ARRAY,
                Some("object") => kind::OBJECT,
                _ => return Err(self.wrong("type", "the name of a type or a list of such names")),
            };
        }
        // From draft 6 on 1.0 is an integer.
        if integer && types & kind::FRACTION == 0 && self.draft >= Draft::Draft6 {
            types |= kind::FRACTION;
            subschema.whole = true;
        }
        subschema.types = types;
        Ok(())
    }

    fn values(&self) -> Result<Vec<Values>> {
        let mut values = Vec::new();
        if let Some(list) = self.get("enum") {
            let list = list.as_array().ok_or_else(|| self.wrong("enum", "a list"))?;
            values.push(values_of(list.to_vec(), false));
        }
        if self.draft >= Draft::Draft6
            && let Some(value) = self.get("const")
        {
            values.push(values_of(vec![value.clone()], true));
        }
        Ok(values)
    }

    fn number(&self) -> Result<Option<Box<NumberRules>>> {
        let limit = |keyword: &str| match self.get(keyword) {
            None => Ok(None),
            Some(Json::Number(text)) => Ok(Some(Limit::new(text))),
            Some(_) => Err(self.wrong(keyword, "a number")),
        };
        let mut rules = NumberRules {
            minimum: limit("minimum")?,
            maximum: limit("maximum")?,
            ..NumberRules::default()
        };
        if self.draft == Draft::Draft4 {
            // Here these two say how the other two are meant.
            if self.boolean("exclusiveMinimum")? {
                rules.exclusive_minimum = rules.minimum.take();
            }
            if self.boolean("exclusiveMaximum")? {
                rules.exclusive_maximum = rules.maximum.take();
            }
        } else {
            rules.exclusive_minimum = limit("exclusiveMinimum")?;
            rules.exclusive_maximum = limit("exclusiveMaximum")?;
        }
        if let Some(value) = self.get("multipleOf") {
            let expected = "a positive number of at most 19 digits";
            let Json::Number(text) = value else {
                return Err(self.wrong("multipleOf", expected));
            };
            let divisor = Divisor::new(&Decimal::parse(text.as_bytes()))
                .ok_or_else(|| self.wrong("multipleOf", expected))?;
            rules.multiple_of = Some((divisor, text.clone()));
        }
        rules.find_range();
        let NumberRules {
            minimum,
            exclusive_minimum,
            maximum,
            exclusive_maximum,
            multiple_of,
            ..
        } = &rules;
        let limits = [minimum, exclusive_minimum, maximum, exclusive_maximum];
        let any = multiple_of.is_some() || limits.into_iter().any(Option::is_some);
        Ok(any.then(|| Box::new(rules)))
    }

    fn string(&mut self) -> Result<Option<Box<StringRules>>> {
        let mut rules = StringRules {
            min: self.length("minLength")?,
            max: self.length("maxLength")?,
            ..StringRules::default()
        };
        if let Some(value) = self.get("pattern") {
            let text = value.as_str().ok_or_else(|| self.wrong("pattern", "a string"))?;
            rules.pattern = Some(self.compiler.pattern(text, self.json)?);
        }
        Ok(rules.says_something().then(|| Box::new(rules)))
    }

    fn format(&self, subschema: &mut Subschema) {
        let name = self.get("format").and_then(Json::as_str);
        let format = name.and_then(|name| Format::of(name, self.draft));
        let (Some(policy), Some(format)) = (self.vocabularies.format, format) else {
            return;
        };
        let rules = subschema.string.get_or_insert_default();
        rules.format = Some(format);
        rules.by_vocabulary = policy == Formats::Assert;
    }

    /// A count: a whole number that is not negative (2.0 is one). Payloads stay far below 2^32.
    fn length(&self, keyword: &str) -> Result<Option<u32>> {
        let Some(value) = self.get(keyword) else {
            return Ok(None);
        };
        let expected = "a whole number of at least 0";
        let Json::Number(text) = value else {
            return Err(self.wrong(keyword, expected));
        };
        let decimal = Decimal::parse(text.as_bytes());
        if !decimal.is_whole() || !(decimal.is_zero() || decimal.is_positive()) {
            return Err(self.wrong(keyword, expected));
        }
        Ok(Some(decimal.to_u32()))
    }

    fn boolean(&self, keyword: &str) -> Result<bool> {
        match self.get(keyword) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong(keyword, "a boolean")),
        }
    }

    fn strings(&self, keyword: &str, value: &'a Json) -> Result<Vec<Box<str>>> {
        value
            .as_array()
            .and_then(|names| names.iter().map(|name| name.as_str().map(Into::into)).collect())
            .ok_or_else(|| self.wrong(keyword, "a list of names"))
    }

    fn required(&self) -> Result<Vec<Box<str>>> {
        let Some(value) = self.get("required") else {
            return Ok(Vec::new());
        };
        let mut names = self.strings("required", value)?;
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(names)
    }

    fn schema(&mut self, keyword: &str) -> Result<Option<SubschemaId>> {
        match self.get(keyword) {
            None => Ok(None),
            Some(json) => self.compiler.child(json, self.resource).map(Some),
        }
    }

    fn schemas(&mut self, keyword: &str) -> Result<Option<Vec<SubschemaId>>> {
        let Some(value) = self.get(keyword) else {
            return Ok(None);
        };
        let list = value
            .as_array()
            .ok_or_else(|| self.wrong(keyword, "a list of schemas"))?;
        list.iter()
            .map(|json| self.compiler.child(json, self.resource))
            .collect::<Result<_>>()
            .map(Some)
    }

    /// The members of a keyword whose value holds things by name.
    fn named(&self, keyword: &str) -> Result<Vec<(&'a str, &'a Json)>> {
        match self.get(keyword) {
            None => Ok(Vec::new()),
            Some(Json::Object(object)) => Ok(object.iter().collect()),
            Some(_) => Err(self.wrong(keyword, "an object")),
        }
    }

    fn rest(&mut self, keyword: &str) -> Result<Rest> {
        Ok(match self.get(keyword) {
            None => Rest::Absent,
            Some(Json::Bool(true)) => Rest::Any,
            Some(Json::Bool(false)) => Rest::Never,
            Some(json) => Rest::Schema(self.compiler.child(json, self.resource)?),
        })
    }

    fn properties(&mut self, object: &mut ObjectRules, required: Vec<Box<str>>) -> Result<()> {
        let mut properties = Vec::new();
        for (name, json) in self.named("properties")? {
            let schema = Some(self.compiler.child(json, self.resource)?);
            properties.push(Property::new(name.into(), schema));
        }
        object.required = required;
        object.properties = table(properties, &object.required);
        for (pattern, json) in self.named("patternProperties")? {
            let schema = self.compiler.child(json, self.resource)?;
            object
                .patterns
                .push((self.compiler.pattern(pattern, self.json)?, schema));
        }
        object.rest = self.rest("additionalProperties")?;
        if self.draft >= Draft::Draft6 {
            object.names = self.schema("propertyNames")?;
        }
        Ok(())
    }

    fn dependent_required(&mut self, object: &mut ObjectRules) -> Result<()> {
        if self.draft < Draft::Draft201909 {
            return Ok(());
        }
        for (name, value) in self.named("dependentRequired")? {
            object
                .dependent_names
                .push((name.into(), self.strings("dependentRequired", value)?));
        }
        Ok(())
    }

    fn dependencies(&mut self, object: &mut ObjectRules, applied: &mut Applied) -> Result<()> {
        for (name, value) in self.named("dependencies")? {
            match value {
                Json::Array(_) => {
                    object
                        .dependent_names
                        .push((name.into(), self.strings("dependencies", value)?));
                }
                // Draft 3 allowed one name without a list; Java schemas still have it.
                Json::String(one) => object.dependent_names.push((name.into(), vec![one.clone()])),
                schema => applied
                    .dependent
                    .push((name.into(), self.compiler.child(schema, self.resource)?)),
            }
        }
        if self.draft >= Draft::Draft201909 {
            for (name, schema) in self.named("dependentSchemas")? {
                applied
                    .dependent
                    .push((name.into(), self.compiler.child(schema, self.resource)?));
            }
        }
        Ok(())
    }

    fn items(&mut self, array: &mut ArrayRules) -> Result<()> {
        if self.draft == Draft::Draft202012 {
            array.prefix = self.schemas("prefixItems")?.unwrap_or_default();
            array.rest = self.rest("items")?;
        } else if self.get("items").is_some_and(|items| items.as_array().is_some()) {
            array.prefix = self.schemas("items")?.unwrap_or_default();
            array.rest = self.rest("additionalItems")?;
        } else {
            array.rest = self.rest("items")?;
        }
        if self.draft >= Draft::Draft6
            && let Some(schema) = self.schema("contains")?
        {
            let (mut min, mut max) = (1, None);
            if self.draft >= Draft::Draft201909 && self.vocabularies.validation {
                min = self.length("minContains")?.unwrap_or(1);
                max = self.length("maxContains")?;
            }
            let evaluates = self.draft == Draft::Draft202012;
            array.contains = Some(Contains {
                schema,
                min,
                max,
                evaluates,
            });
        }
        Ok(())
    }

    fn logic(&mut self, applied: &mut Applied) -> Result<()> {
        applied.all.extend(self.schemas("allOf")?.unwrap_or_default());
        applied.any = self.schemas("anyOf")?;
        applied.one = self.schemas("oneOf")?;
        applied.not = self.schema("not")?;
        if self.draft >= Draft::Draft7
            && let Some(test) = self.schema("if")?
        {
            let (then, otherwise) = (self.schema("then")?, self.schema("else")?);
            applied.condition = Some(Condition {
                test,
                then,
                otherwise,
            });
        }
        Ok(())
    }
}

fn values_of(all: Vec<Json>, is_const: bool) -> Values {
    let strings = || all.iter().filter_map(Json::as_str);
    let set =
        (strings().count() > FEW_STRINGS).then(|| strings().map(|text| text.as_bytes().into()).collect());
    Values {
        strings: set,
        all,
        is_const,
    }
}

/// Properties in their order, then the names that are required only.
fn table(mut properties: Vec<Property>, required: &[Box<str>]) -> PropertyTable {
    let places: HashMap<Box<str>, usize> = properties
        .iter()
        .enumerate()
        .map(|(at, property)| (property.name.clone(), at))
        .collect();
    for (index, name) in required.iter().enumerate() {
        if let Some(property) = places.get(name).and_then(|at| properties.get_mut(*at)) {
            property.require(index);
        } else {
            let mut property = Property::new(name.clone(), None);
            property.require(index);
            properties.push(property);
        }
    }
    PropertyTable::new(properties)
}
