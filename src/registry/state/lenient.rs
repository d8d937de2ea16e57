//! What Jackson reads and serde by itself does not: numbers and booleans as text, text as numbers, null as nothing.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// Null is the default: an empty collection, a kind, false.
pub fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Text, or a number or boolean as it is written.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => scalar(value)
            .map(Some)
            .ok_or_else(|| D::Error::custom("expected a string, found an array or an object")),
    }
}

/// A whole number, or text that is one.
pub fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let wrong = || D::Error::custom("expected a whole number of 32 bits");
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => number
            .as_i64()
            .filter(|number| i32::try_from(*number).is_ok())
            .map(Some)
            .ok_or_else(wrong),
        Value::String(text) => text
            .trim()
            .parse::<i32>()
            .map(|number| Some(number.into()))
            .map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// Text by name.
pub fn properties<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::<BTreeMap<String, Value>>::deserialize(deserializer)?
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| {
            scalar(value)
                .map(|value| (name, value))
                .ok_or_else(|| D::Error::custom("expected a string, found null, an array or an object"))
        })
        .collect()
}
