//! Why another library says something else: each a row of `docs/validation-json.md`. A reason holds only where the other's
//! own reading of schema or payload, given to us, makes us say what it says.

use crate::json::Json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// `serde_json` has no value for half a surrogate pair.
    HalfASurrogatePair,
    /// Nor for a number beyond a double, and it rounds one between two doubles.
    NumberThatIsNoDouble,
    /// Others keep the last of several members with one name; we check them all.
    NameTwice,
    /// To draft 4 a number with a fraction or an exponent is no integer.
    WholeNumberInDraft4,
    /// `dependencies` in 2019-09 and later: others ignore it, and get what it became.
    DependenciesInALaterDraft,
    /// Python's `$` also stands before a last line feed; its `\d` and `\w` know every script.
    PatternInPython,
    /// To both libraries an item that `contains` found is evaluated in 2019-09 too.
    ContainsIn2019,
    /// Python finds what is evaluated by looks: the words of an `additionalProperties`, a `$dynamicRef` as it stands …
    UnevaluatedInPython,
    /// Python's drafts up to 2019-09 take a boolean `items` for a list and fail.
    BooleanItemsInPython,
    /// The crate panics over a few schemas whose references go around; Python must say what we say.
    Panics,
    /// Python's decimals ended.
    PythonGaveUp,
}

/// What `serde_json` and most others keep of a JSON text: of one name the last member. `None`: half a surrogate pair.
pub fn last_of_each_name(text: &RawValue) -> Option<String> {
    let raw = text.get();
    match raw.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(raw).ok()?;
            let members: Option<Vec<String>> = members
                .iter()
                .map(|(name, value)| Some(format!("{}:{}", Json::text(name), last_of_each_name(value)?)))
                .collect();
            Some(format!("{{{}}}", members?.join(",")))
        }
        Some(b'[') => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(raw).ok()?;
            let items: Option<Vec<String>> = items.iter().map(|item| last_of_each_name(item)).collect();
            Some(format!("[{}]", items?.join(",")))
        }
        _ => Some(raw.to_owned()),
    }
}

/// What a reader of doubles holds of a text, spelled exactly, and the last of each name. `all`: also of integers of 64 bits.
pub fn as_doubles(text: &[u8], all: bool) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(text).ok()?;
    Some(with_doubles(&value, all).to_string())
}

fn with_doubles(value: &serde_json::Value, all: bool) -> Json {
    use serde_json::Value;
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 && (all || number.is_f64()) => {
                Json::Number(format!("{double:.1}"))
            }
            _ => Json::number(number),
        },
        Value::String(text) => Json::text(text),
        Value::Array(items) => Json::Array(items.iter().map(|item| with_doubles(item, all)).collect()),
        Value::Object(members) => Json::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), with_doubles(value, all)))
                .collect(),
        ),
    }
}

/// A payload as `serde_json` holds it, its whole numbers from `from` on without fraction and exponent.
pub fn whole_from(payload: &[u8], from: f64) -> Option<String> {
    fn change(value: &mut Json, from: f64) {
        match value {
            Json::Number(text) => {
                let double: f64 = text.parse().unwrap_or(0.5);
                if double.fract() == 0.0 && double.abs() >= from {
                    *text = format!("{double:.0}");
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| change(item, from)),
            Json::Object(members) => members.iter_mut().for_each(|(_, value)| change(value, from)),
            _ => {}
        }
    }
    let mut json = with_doubles(&serde_json::from_slice(payload).ok()?, false);
    change(&mut json, from);
    Some(json.to_string())
}

/// The schema with an object for each boolean `items`; `None` when it has none.
pub fn items_without_booleans(schema: &Json) -> Option<Json> {
    let mut translated = schema.clone();
    translated.change_objects(&mut |members| {
        for (name, value) in members {
            match (name.as_str(), &*value) {
                ("items", Json::Bool(true)) => *value = Json::Object(Vec::new()),
                ("items", Json::Bool(false)) => {
                    *value = Json::Object(vec![("not".to_owned(), Json::Object(Vec::new()))]);
                }
                _ => {}
            }
        }
    });
    (translated != *schema).then_some(translated)
}

/// The schema without `unevaluatedItems` and `unevaluatedProperties`; `None` when it has none.
pub fn without_unevaluated(schema: &Json) -> Option<Json> {
    let mut translated = schema.clone();
    translated.change_objects(&mut |members| members.retain(|(name, _)| !name.starts_with("unevaluated")));
    (translated != *schema).then_some(translated)
}

/// The schema with each `contains` where nobody looks for evaluated items; `None` when it has none.
pub fn contains_apart(schema: &Json) -> Option<Json> {
    let object = |name: &str, value: Json| Json::Object(vec![(name.to_owned(), value)]);
    let mut translated = schema.clone();
    translated.change_objects(&mut |members| {
        let is_contains = |(name, value): &(String, Json)| {
            matches!(name.as_str(), "contains" | "minContains" | "maxContains")
                && !matches!(value, Json::Array(_))
        };
        if !members.iter().any(|(name, _)| name == "contains") {
            return;
        }
        let own: Vec<_> = members
            .iter()
            .filter(|member| is_contains(member))
            .cloned()
            .collect();
        members.retain(|member| !is_contains(member));
        let apart = object("not", object("not", Json::Object(own)));
        match members.iter_mut().find(|(name, _)| name == "allOf") {
            Some((_, Json::Array(list))) => list.push(apart),
            _ => members.push(("allOf".to_owned(), Json::Array(vec![apart]))),
        }
    });
    (translated != *schema).then_some(translated)
}

/// The schema with patterns that mean to Python what ours mean here; `None` when they do already.
pub fn patterns_for_python(schema: &Json) -> Option<Json> {
    let translate = |pattern: &str| {
        pattern
            .replace('$', r"\Z")
            .replace(r"\w", "[A-Za-z0-9_]")
            .replace(r"\d", "[0-9]")
    };
    let mut translated = schema.clone();
    translated.change_objects(&mut |members| {
        for (name, value) in members {
            match (name.as_str(), value) {
                ("pattern", Json::String(pattern)) => *pattern = translate(pattern),
                ("patternProperties", Json::Object(patterns)) => {
                    for (pattern, _) in patterns.iter_mut() {
                        *pattern = translate(pattern);
                    }
                }
                _ => {}
            }
        }
    });
    (translated != *schema).then_some(translated)
}

/// The schema with `dependencies` as the two keywords that it became in 2019-09; `None` when it has none.
pub fn without_dependencies(schema: &Json) -> Option<Json> {
    let mut translated = schema.clone();
    translated.change_objects(&mut |members| {
        let Some(at) = members
            .iter()
            .position(|(name, value)| name == "dependencies" && is_dependencies(value))
        else {
            return;
        };
        let (_, value) = members.remove(at);
        for (name, needed) in value.members() {
            let keyword = if matches!(needed, Json::Array(_)) {
                "dependentRequired"
            } else {
                "dependentSchemas"
            };
            let one = Json::Object(vec![(name.clone(), needed.clone())]);
            // Beside one that is there already.
            let holder = Json::Object(vec![(keyword.to_owned(), one)]);
            match members.iter_mut().find(|(name, _)| name == "allOf") {
                Some((_, Json::Array(list))) => list.push(holder),
                _ => members.push(("allOf".to_owned(), Json::Array(vec![holder]))),
            }
        }
    });
    (translated != *schema).then_some(translated)
}

fn is_dependencies(value: &Json) -> bool {
    matches!(value, Json::Object(_))
}
