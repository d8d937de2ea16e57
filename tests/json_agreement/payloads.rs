//! Payloads: valid under a schema as far as one can tell by looking, changed a little, of any shape, or no JSON at all.

use crate::choices::Choices;
use crate::json::Json;
use crate::schemas::NAMES;

const NUMBERS: [&str; 26] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-3",
    "7",
    "100",
    "0.5",
    "1.0",
    "-2.25",
    "1e2",
    "10E-1",
    "-0",
    "-0.0",
    "1.5",
    "0.1",
    "0.07",
    "19.99",
    "1e20",
    "9007199254740993",
    "9007199254740992",
    "123456789012345678901234567890",
    "1E-3",
    "1e400",
    "300000000000000000000",
];
const TEXTS: [&str; 16] = [
    "",
    "a",
    "b",
    "ab",
    "ba",
    "aab",
    "é",
    "e\u{301}",
    "😀a",
    "7",
    "12",
    "x",
    "a\n",
    "b\n",
    "\"\\\u{1}",
    "٣",
];

pub fn arbitrary(choices: &mut Choices, depth: usize) -> Json {
    match choices.below(if depth == 0 { 7 } else { 11 }) {
        0 => Json::Null,
        1 => Json::Bool(choices.once_in(2)),
        2..=4 => Json::number(choices.pick(&NUMBERS)),
        5 | 6 => Json::text(choices.pick(&TEXTS)),
        7 | 8 => {
            let count = choices.below(5);
            Json::Array((0..count).map(|_| arbitrary(choices, depth - 1)).collect())
        }
        _ => {
            let names = choices.some(&NAMES, 4);
            let names = names
                .into_iter()
                .map(|name| (name.to_owned(), arbitrary(choices, depth - 1)));
            Json::Object(names.collect())
        }
    }
}

/// What the payload should be valid under.
pub struct Sampler<'a> {
    pub choices: &'a mut Choices,
    pub root: &'a Json,
}

impl<'a> Sampler<'a> {
    pub fn sample(&mut self) -> Json {
        self.all(&[self.root], 5)
    }

    /// A value for all of `schemas`.
    fn all(&mut self, schemas: &[&'a Json], depth: usize) -> Json {
        let mut flat = Vec::new();
        for schema in schemas {
            self.flatten(schema, &mut flat, 6);
        }
        for schema in &flat {
            if let Some(value) = schema.get("const") {
                return value.clone();
            }
            if let Some(values) = schema.get("enum") {
                return values.items()[self.choices.below(values.items().len())].clone();
            }
        }
        let kind = self.kind(&flat, depth);
        match kind {
            "null" => Json::Null,
            "boolean" => Json::Bool(self.choices.once_in(2)),
            "integer" | "number" => self.number(&flat, kind),
            "string" => self.string(&flat),
            "array" if depth > 0 => self.array(&flat, depth - 1),
            "object" if depth > 0 => self.object(&flat, depth - 1),
            "array" => Json::Array(Vec::new()),
            _ => Json::Object(Vec::new()),
        }
    }

    /// The schema with what it refers to, all that it wants, and one of what it wants one of.
    fn flatten(&mut self, schema: &'a Json, flat: &mut Vec<&'a Json>, depth: usize) {
        flat.push(schema);
        if depth == 0 {
            return;
        }
        if let Some(target) = ["$ref", "$dynamicRef", "$recursiveRef"]
            .iter()
            .find_map(|name| schema.get(name)?.as_str())
            .and_then(|reference| self.target(reference))
        {
            self.flatten(target, flat, depth - 1);
        }
        for part in schema.get("allOf").map(Json::items).unwrap_or_default() {
            self.flatten(part, flat, depth - 1);
        }
        for name in ["anyOf", "oneOf"] {
            if let Some(list) = schema.get(name) {
                let one = &list.items()[self.choices.below(list.items().len())];
                self.flatten(one, flat, depth - 1);
            }
        }
        if let Some(then) = schema.get("then") {
            self.flatten(then, flat, depth - 1);
        }
    }

    fn target(&self, reference: &str) -> Option<&'a Json> {
        let definitions = self.root.get("$defs").or_else(|| self.root.get("definitions"))?;
        match reference.rsplit_once('/') {
            Some((_, name)) => definitions.get(name),
            None if reference.ends_with("anchor") => definitions.get("z"),
            None => Some(self.root),
        }
    }

    fn kind(&mut self, flat: &[&Json], depth: usize) -> &'static str {
        const KINDS: [&str; 7] = [
            "null", "boolean", "integer", "number", "string", "array", "object",
        ];
        let allows = |schema: &Json, kind: &str| match schema.get("type") {
            Some(Json::String(one)) => one == kind || one == "number" && kind == "integer",
            Some(Json::Array(list)) => list.iter().any(|name| name.as_str() == Some(kind)),
            _ => true,
        };
        let allowed: Vec<&'static str> = KINDS
            .into_iter()
            .filter(|kind| flat.iter().all(|schema| allows(schema, kind)))
            .collect();
        // What it speaks of is what it is meant for.
        let speaks = |words: &[&str]| {
            flat.iter()
                .any(|schema| words.iter().any(|word| schema.get(word).is_some()))
        };
        let meant = [
            (
                "object",
                speaks(&[
                    "properties",
                    "required",
                    "additionalProperties",
                    "patternProperties",
                    "minProperties",
                    "propertyNames",
                ]),
            ),
            (
                "array",
                speaks(&[
                    "items",
                    "prefixItems",
                    "contains",
                    "minItems",
                    "uniqueItems",
                    "unevaluatedItems",
                ]),
            ),
            ("number", speaks(&["minimum", "maximum", "multipleOf"])),
            ("string", speaks(&["pattern", "minLength", "maxLength"])),
        ];
        let meant: Vec<_> = meant
            .iter()
            .filter(|(kind, said)| *said && allowed.contains(kind))
            .collect();
        if !meant.is_empty() && depth > 0 && !self.choices.once_in(6) {
            return self.choices.pick(&meant).0;
        }
        if allowed.is_empty() {
            "null"
        } else {
            self.choices.pick(&allowed)
        }
    }

    fn number(&mut self, flat: &[&Json], kind: &str) -> Json {
        let value = |schema: &Json, name: &str| match schema.get(name) {
            Some(Json::Number(text)) => text.parse::<f64>().ok(),
            _ => None,
        };
        let mut candidates: Vec<String> = NUMBERS.iter().map(ToString::to_string).collect();
        for schema in flat {
            for name in [
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "multipleOf",
            ] {
                if let Some(Json::Number(text)) = schema.get(name) {
                    candidates.push(text.clone());
                }
            }
        }
        for _ in 0..12 {
            let text = candidates[self.choices.below(candidates.len())].clone();
            let number: f64 = text.parse().unwrap();
            let holds = flat.iter().all(|schema| {
                value(schema, "minimum").is_none_or(|limit| number >= limit)
                    && value(schema, "maximum").is_none_or(|limit| number <= limit)
                    && value(schema, "exclusiveMinimum").is_none_or(|limit| number > limit)
                    && value(schema, "exclusiveMaximum").is_none_or(|limit| number < limit)
                    && value(schema, "multipleOf").is_none_or(|divisor| (number / divisor).fract() == 0.0)
            });
            if holds && (kind == "number" || number.fract() == 0.0) {
                return Json::Number(text);
            }
        }
        Json::number(&0)
    }

    fn string(&mut self, flat: &[&Json]) -> Json {
        let count = |schema: &Json, name: &str| schema.get(name).and_then(Json::as_count);
        for _ in 0..12 {
            let text = self.choices.pick(&TEXTS);
            let length = text.chars().count();
            let holds = flat.iter().all(|schema| {
                count(schema, "minLength").is_none_or(|least| length >= least)
                    && count(schema, "maxLength").is_none_or(|most| length <= most)
                    && schema
                        .get("pattern")
                        .and_then(Json::as_str)
                        .is_none_or(|pattern| matches(pattern, text))
            });
            if holds {
                return Json::text(text);
            }
        }
        Json::text("aaa")
    }

    fn array(&mut self, flat: &[&'a Json], depth: usize) -> Json {
        let count = |name: &'static str| {
            flat.iter()
                .filter_map(move |schema| schema.get(name).and_then(Json::as_count))
        };
        let least = count("minItems").chain(count("minContains")).max().unwrap_or(0);
        let most = count("maxItems").min().unwrap_or(4).min(6);
        let length = (least + self.choices.below(3)).min(most.max(least));
        let mut items = Vec::new();
        for index in 0..length {
            let mut schemas: Vec<&'a Json> = Vec::new();
            for schema in flat {
                let prefix = match (schema.get("prefixItems"), schema.get("items")) {
                    (Some(prefix), _) | (None, Some(prefix @ Json::Array(_))) => prefix.items(),
                    _ => &[],
                };
                let rest = match schema.get("items") {
                    Some(Json::Array(_)) => schema.get("additionalItems"),
                    other => other,
                };
                schemas.extend(prefix.get(index).or(rest));
                if self.choices.once_in(2) {
                    schemas.extend(schema.get("contains"));
                }
                schemas.extend(schema.get("unevaluatedItems"));
            }
            items.push(if schemas.is_empty() {
                arbitrary(self.choices, 1)
            } else {
                self.all(&schemas, depth)
            });
        }
        Json::Array(items)
    }

    fn object(&mut self, flat: &[&'a Json], depth: usize) -> Json {
        let mut names: Vec<String> = Vec::new();
        let mut add = |name: &str| {
            if !names.iter().any(|present| present == name) {
                names.push(name.to_owned());
            }
        };
        for schema in flat {
            schema
                .get("required")
                .map(Json::items)
                .unwrap_or_default()
                .iter()
                .filter_map(Json::as_str)
                .for_each(&mut add);
            for (name, _) in schema.get("properties").map(Json::members).unwrap_or_default() {
                if !self.choices.once_in(3) {
                    add(name);
                }
            }
            for _ in 0..schema.get("minProperties").and_then(Json::as_count).unwrap_or(0) {
                add(self.choices.pick(&NAMES));
            }
        }
        if self.choices.once_in(3) {
            add(self.choices.pick(&NAMES));
        }
        let mut members = Vec::new();
        for name in names {
            let mut schemas: Vec<&'a Json> = Vec::new();
            for schema in flat {
                let own = schema
                    .get("properties")
                    .and_then(|properties| properties.get(&name));
                let patterns = schema
                    .get("patternProperties")
                    .map(Json::members)
                    .unwrap_or_default();
                let by_pattern: Vec<_> = patterns
                    .iter()
                    .filter(|(pattern, _)| matches(pattern, &name))
                    .map(|(_, schema)| schema)
                    .collect();
                if own.is_none() && by_pattern.is_empty() {
                    schemas.extend(
                        schema
                            .get("additionalProperties")
                            .or_else(|| schema.get("unevaluatedProperties")),
                    );
                }
                schemas.extend(own);
                schemas.extend(by_pattern);
            }
            let value = if schemas.is_empty() {
                arbitrary(self.choices, 1)
            } else {
                self.all(&schemas, depth)
            };
            members.push((name, value));
        }
        Json::Object(members)
    }
}

/// The few patterns of these schemas, well enough.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "a" => text.contains('a'),
        "^a" => text.starts_with('a'),
        "b$" => text.ends_with('b'),
        "^[ab]{1,2}$" => (1..=2).contains(&text.len()) && text.chars().all(|one| matches!(one, 'a' | 'b')),
        "^$" => text.is_empty(),
        r"\w" => text.contains(|one: char| one.is_ascii_alphanumeric()),
        r"^\d+$" => !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit()),
        _ => text.contains(['é', 'x']),
    }
}

/// Changes one thing somewhere.
pub fn change(choices: &mut Choices, value: &mut Json) {
    match value {
        Json::Array(items) if !items.is_empty() && !choices.once_in(4) => {
            let at = choices.below(items.len());
            match choices.below(5) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                2 => items.push(arbitrary(choices, 1)),
                _ => change(choices, &mut items[at]),
            }
        }
        Json::Object(members) if !members.is_empty() && !choices.once_in(4) => {
            let at = choices.below(members.len());
            match choices.below(7) {
                0 => drop(members.remove(at)),
                1 => members.push((choices.pick(&NAMES).to_owned(), arbitrary(choices, 1))),
                2 => members[at].0 = choices.pick(&NAMES).to_owned(),
                _ => change(choices, &mut members[at].1),
            }
        }
        Json::Number(text) if !choices.once_in(3) => {
            *text = match text.parse::<i64>() {
                Ok(number) if choices.once_in(3) => format!("{number}.0"),
                Ok(number) if choices.once_in(3) => format!("{number}e0"),
                Ok(number) => (number + 1 - 2 * choices.below(2) as i64).to_string(),
                Err(_) => choices.pick(&NUMBERS).to_owned(),
            };
        }
        Json::String(text) if !choices.once_in(3) => text.push_str(choices.pick(&TEXTS)),
        other => *other = arbitrary(choices, 2),
    }
}

/// Puts, takes and replaces bytes.
pub fn damage(choices: &mut Choices, text: &mut Vec<u8>) {
    const BYTES: &[u8] = b"\"\\{}[],:0-+.eEtu \n\x00\x1f\xc3\xa9\xed\xef/'";
    for _ in 0..=choices.below(3) {
        let at = choices.below(text.len() + 1);
        match choices.below(6) {
            0 | 1 => text.insert(at, choices.pick(BYTES)),
            2 if at < text.len() => text[at] = choices.pick(BYTES),
            3 if at < text.len() => drop(text.remove(at)),
            4 => text.truncate(at),
            _ => {
                let word = choices.pick(&[
                    r#""\ud83d""#,
                    "NaN",
                    "-Infinity",
                    "\u{feff}",
                    r"\ud800",
                    r"\udc00",
                    "true",
                    "1e400",
                    " ",
                    r"\u0061",
                ]);
                text.splice(at..at, word.bytes());
            }
        }
    }
}

/// Spaces where they may be, and escapes for letters.
pub fn spell(choices: &mut Choices, value: &Json) -> Vec<u8> {
    let text = value.to_string();
    if !choices.once_in(4) {
        return text.into_bytes();
    }
    let (mut out, mut in_string, mut escaped) = (Vec::new(), false, false);
    for byte in text.bytes() {
        if !in_string && matches!(byte, b',' | b':' | b'[' | b'}' | b']') && choices.once_in(3) {
            out.extend(choices.pick(&[" ", "\n", "\r\n\t"]).bytes());
        }
        if in_string && byte == b'a' && !escaped {
            out.extend_from_slice(br"\u0061");
        } else {
            out.push(byte);
        }
        in_string ^= byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
    }
    out
}
