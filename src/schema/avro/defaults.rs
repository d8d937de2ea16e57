//! What Confluent's registry asks of a schema only when it is new: strict names, and defaults that fit their types
//! (Java's `Schema.isValidDefault`).
use super::model::{Kind, Model, TypeId};
use super::names;
use crate::schema::SchemaError;
use serde_json::Value;

/// A default that takes its missing fields from a record's own defaults could go on for ever, or for 2^n steps.
const DEPTH_MAX: u32 = 64;
const STEPS_MAX: u32 = 100_000;
/// All defaults of a schema together: more than their text, of 5 MB at most, takes when it is read once.
const STEPS_OF_ALL_MAX: u32 = 4_000_000;

pub(super) fn check_as_new(model: &Model) -> Result<(), SchemaError> {
    let strict = |name: &str, what: &str| {
        names::check_strictly(name)
            .map_err(|error| SchemaError::Invalid(format!("{what} \"{name}\" is invalid: {error}")))
    };
    let mut steps_left = STEPS_OF_ALL_MAX;
    for of in &model.types {
        if let Some(named) = of.kind.named() {
            strict(&named.name.short, "Name")?;
            for part in named.name.space.iter().flat_map(|space| space.split('.')) {
                strict(part, "Namespace part")?;
            }
            for alias in &named.aliases {
                strict(&alias.short, "Alias")?;
            }
        }
        match &of.kind {
            Kind::Record { named, fields, .. } => {
                for field in fields {
                    strict(&field.name, "Field name")?;
                    let Some(default) = &field.default else { continue };
                    let mut check = Check { model, steps: 0 };
                    let fits = check.fits(field.of, Some(default), 0);
                    steps_left = steps_left.checked_sub(check.steps).ok_or_else(|| {
                        SchemaError::OverLimit("the defaults take too many steps to check".to_owned())
                    })?;
                    if !fits {
                        return Err(SchemaError::Invalid(format!(
                            "Invalid default for field {} of {}: {default} not a {}",
                            field.name,
                            named.name.full,
                            model.kind(field.of).full_name()
                        )));
                    }
                }
            }
            Kind::Enum { symbols, .. } => {
                for symbol in symbols {
                    strict(symbol, "Enum symbol")?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

struct Check<'a> {
    model: &'a Model,
    steps: u32,
}

impl Check<'_> {
    fn fits(&mut self, of: TypeId, value: Option<&Value>, depth: u32) -> bool {
        self.steps += 1;
        let bounded = depth < DEPTH_MAX && self.steps < STEPS_MAX;
        let Some(value) = value.filter(|_| bounded) else {
            return false;
        };
        let depth = depth + 1;
        match self.model.kind(of) {
            Kind::Null => value.is_null(),
            Kind::Boolean => value.is_boolean(),
            Kind::Int => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Kind::Long => value.as_i64().is_some(),
            // Text is here only what parsing left of `"NaN"` and the infinities.
            Kind::Float | Kind::Double => value.is_number() || is_not_finite(value),
            Kind::Bytes | Kind::String | Kind::Enum { .. } | Kind::Fixed { .. } => value.is_string(),
            Kind::Array(items) => value
                .as_array()
                .is_some_and(|list| list.iter().all(|item| self.fits(*items, Some(item), depth))),
            Kind::Map(values) => value
                .as_object()
                .is_some_and(|map| map.values().all(|value| self.fits(*values, Some(value), depth))),
            Kind::Union(branches) => branches
                .iter()
                .any(|branch| self.fits(*branch, Some(value), depth)),
            Kind::Record { fields, .. } => value.as_object().is_some_and(|object| {
                fields.iter().all(|field| {
                    self.fits(
                        field.of,
                        object.get(&field.name).or(field.default.as_ref()),
                        depth,
                    )
                })
            }),
            Kind::Unresolved(_) => false,
        }
    }
}

fn is_not_finite(value: &Value) -> bool {
    value
        .as_str()
        .and_then(|text| text.parse::<f64>().ok())
        .is_some_and(|number| !number.is_finite())
}
