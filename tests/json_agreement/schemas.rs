//! Random schemas of every draft, of every keyword that checks something, each valid under its meta-schema.

use crate::choices::Choices;
use crate::json::{Draft, Json, Members};

pub const NAMES: [&str; 6] = ["a", "b", "c", "ab", "é", "x y"];
const PATTERNS: [&str; 8] = ["a", "^a", "b$", "^[ab]{1,2}$", "^$", r"\w", r"^\d+$", "é|x"];
const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];
const LIMITS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "3",
    "0.5",
    "-2.25",
    "1e2",
    "2.0",
    "9007199254740993",
    "1e20",
    "123456789012345678901234567890",
    "1E-3",
];
const DIVISORS: [&str; 8] = ["1", "2", "3", "0.5", "0.01", "1.5", "1e1", "10000000000"];

pub struct Schemas<'c> {
    pub choices: &'c mut Choices,
    pub draft: Draft,
}

impl Schemas<'_> {
    /// A document with things to refer to: by pointer, by anchor, by address, and by how the evaluation came there.
    pub fn document(&mut self) -> Json {
        let mut root = match self.schema(3, false) {
            Json::Object(members) => members,
            other => vec![(
                "not".to_owned(),
                Json::Object(vec![("enum".to_owned(), Json::Array(vec![other]))]),
            )],
        };
        let (id, address) = (self.id_keyword(), "http://peer.test/root");
        if self.draft <= Draft::Draft7 {
            // There it would hide all the rest.
            root.retain(|(name, _)| name != "$ref");
        }
        let definitions = Json::Object(vec![
            ("x".to_owned(), self.schema(2, false)),
            ("y".to_owned(), self.schema(2, false)),
            ("z".to_owned(), self.anchored()),
            ("o".to_owned(), self.other_resource()),
        ]);
        let mut document = vec![
            ("$schema".to_owned(), Json::text(self.draft.uri())),
            (id.to_owned(), Json::text(address)),
        ];
        match self.draft {
            Draft::Draft201909 if self.choices.once_in(2) => {
                document.push(("$recursiveAnchor".to_owned(), Json::Bool(true)));
            }
            Draft::Draft202012 => document.push(("$dynamicAnchor".to_owned(), Json::text("node"))),
            _ => {}
        }
        let place = if self.draft >= Draft::Draft201909 {
            "$defs"
        } else {
            "definitions"
        };
        document.append(&mut root);
        document.push((place.to_owned(), definitions));
        Json::Object(document)
    }

    fn id_keyword(&self) -> &'static str {
        if self.draft == Draft::Draft4 { "id" } else { "$id" }
    }

    fn anchored(&mut self) -> Json {
        let mut members = match self.schema(2, false) {
            Json::Object(members) => members,
            _ => Vec::new(),
        };
        members.retain(|(name, _)| self.draft >= Draft::Draft201909 || name != "$ref");
        let (keyword, name) = if self.draft >= Draft::Draft201909 {
            ("$anchor", "anchor")
        } else {
            (self.id_keyword(), "#anchor")
        };
        members.push((keyword.to_owned(), Json::text(name)));
        Json::Object(members)
    }

    fn other_resource(&mut self) -> Json {
        let mut members = match self.schema(2, false) {
            Json::Object(members) => members,
            _ => Vec::new(),
        };
        // Its references mean the outer document, but for those by how the evaluation came.
        members.retain(|(name, _)| self.draft >= Draft::Draft201909 || name != "$ref");
        let mut other = Json::Object(members);
        other.change_objects(&mut |members| {
            for (name, value) in members {
                if let (true, Json::String(reference)) = (name == "$ref", &mut *value) {
                    *reference = format!("root{reference}");
                }
            }
        });
        let Json::Object(mut members) = other else {
            unreachable!()
        };
        members.push((self.id_keyword().to_owned(), Json::text("http://peer.test/other")));
        match self.draft {
            Draft::Draft201909 => {
                members.push(("$recursiveAnchor".to_owned(), Json::Bool(self.choices.once_in(2))));
            }
            Draft::Draft202012 => members.push(("$dynamicAnchor".to_owned(), Json::text("node"))),
            _ => {}
        }
        Json::Object(members)
    }

    /// `below`: the value is a part of the one that the definition is for, so that a dynamic reference ends.
    fn schema(&mut self, depth: usize, below: bool) -> Json {
        if self.draft >= Draft::Draft6 && self.choices.once_in(14) {
            return Json::Bool(!self.choices.once_in(3));
        }
        let mut members = Members::new();
        for _ in 0..=self.choices.below(if depth == 0 { 2 } else { 4 }) {
            for (name, value) in self.keyword(depth, below) {
                let taken = members.iter().any(|(present, _)| *present == name);
                if !taken {
                    members.push((name, value));
                }
            }
        }
        Json::Object(members)
    }

    fn keyword(&mut self, depth: usize, below: bool) -> Members {
        let applies = depth > 0 && !self.choices.once_in(3);
        if applies {
            self.applicator(depth - 1, below)
        } else {
            self.assertion(below)
        }
    }

    fn assertion(&mut self, below: bool) -> Members {
        let draft = self.draft;
        let one = |name: &str, value: Json| vec![(name.to_owned(), value)];
        match self.choices.below(17) {
            0..=2 => one("type", Json::text(self.choices.pick(&TYPES))),
            3 => {
                let types = self.choices.some(&TYPES, 3);
                one("type", Json::Array(types.into_iter().map(Json::text).collect()))
            }
            4 => one("enum", Json::Array(self.distinct_values())),
            5 if draft >= Draft::Draft6 => one("const", self.value(2)),
            6 | 7 => self.limits(),
            8 => one("multipleOf", Json::number(self.choices.pick(&DIVISORS))),
            9 => self.counts("minLength", "maxLength"),
            10 => one("pattern", Json::text(self.choices.pick(&PATTERNS))),
            11 => self.counts("minItems", "maxItems"),
            12 => one("uniqueItems", Json::Bool(!self.choices.once_in(4))),
            13 => self.counts("minProperties", "maxProperties"),
            14 => one("required", self.names()),
            15 if draft >= Draft::Draft201909 => one(
                "dependentRequired",
                Json::Object(vec![(self.name(), self.names())]),
            ),
            15 => one("dependencies", Json::Object(vec![(self.name(), self.names())])),
            _ => self.reference(below),
        }
    }

    fn reference(&mut self, below: bool) -> Members {
        let modern = self.draft >= Draft::Draft201909;
        if modern && below && self.choices.once_in(2) {
            let (name, target) = if self.draft == Draft::Draft201909 {
                ("$recursiveRef", "#")
            } else {
                (
                    "$dynamicRef",
                    self.choices.pick(&["#node", "#node", "other#node", "#anchor"]),
                )
            };
            // Of a resource that has no such anchor.
            let target = if target == "#anchor" {
                "root#anchor"
            } else {
                target
            };
            return vec![(name.to_owned(), Json::text(target))];
        }
        let pointers = if modern { "#/$defs/" } else { "#/definitions/" };
        let target = match self.choices.below(if below { 6 } else { 5 }) {
            0 | 1 => format!("{pointers}x"),
            2 => format!("{pointers}y"),
            3 => "#anchor".to_owned(),
            4 => format!("{pointers}o"),
            _ => "#".to_owned(),
        };
        vec![("$ref".to_owned(), Json::String(target))]
    }

    fn limits(&mut self) -> Members {
        let mut members = Members::new();
        let draft_4 = self.draft == Draft::Draft4;
        for name in [["minimum", "exclusiveMinimum"], ["maximum", "exclusiveMaximum"]] {
            if self.choices.once_in(3) {
                continue;
            }
            let limit = Json::number(self.choices.pick(&LIMITS));
            let exclusive = self.choices.once_in(3);
            if exclusive && !draft_4 {
                members.push((name[1].to_owned(), limit));
            } else {
                members.push((name[0].to_owned(), limit));
                if draft_4 {
                    members.push((name[1].to_owned(), Json::Bool(exclusive)));
                }
            }
        }
        members
    }

    fn counts(&mut self, least: &str, most: &str) -> Members {
        match self.choices.below(3) {
            0 => vec![(least.to_owned(), Json::number(&self.choices.below(4)))],
            1 => vec![(most.to_owned(), Json::number(&self.choices.below(4)))],
            _ => {
                let first = self.choices.below(3);
                let last = first + self.choices.below(3);
                vec![
                    (least.to_owned(), Json::number(&first)),
                    (most.to_owned(), Json::number(&last)),
                ]
            }
        }
    }

    fn applicator(&mut self, depth: usize, below: bool) -> Members {
        let draft = self.draft;
        let modern = draft >= Draft::Draft201909;
        let one = |name: &str, value: Json| vec![(name.to_owned(), value)];
        match self.choices.below(22) {
            4 => {
                let patterns = self.choices.some(&PATTERNS, 2);
                let members = patterns
                    .into_iter()
                    .map(|pattern| (pattern.to_owned(), self.schema(depth, true)));
                one("patternProperties", Json::Object(members.collect()))
            }
            5 | 6 => {
                let rest = if self.choices.once_in(3) {
                    Json::Bool(false)
                } else {
                    self.schema(depth, true)
                };
                one("additionalProperties", rest)
            }
            7 if draft >= Draft::Draft6 => one("propertyNames", self.schema(depth, true)),
            8 | 9 => {
                let prefix = if draft == Draft::Draft202012 {
                    "prefixItems"
                } else {
                    "items"
                };
                let rest = if draft == Draft::Draft202012 {
                    "items"
                } else {
                    "additionalItems"
                };
                let mut members = one(prefix, self.list(depth, true));
                if self.choices.once_in(2) {
                    let schema = self.schema(depth, true);
                    members.push((rest.to_owned(), schema));
                }
                members
            }
            10 => one("items", self.schema(depth, true)),
            11 | 12 if draft >= Draft::Draft6 => {
                let mut members = one("contains", self.schema(depth, true));
                if modern && self.choices.once_in(2) {
                    members.append(&mut self.counts("minContains", "maxContains"));
                }
                members
            }
            13 if modern => one(
                "dependentSchemas",
                Json::Object(vec![(self.name(), self.schema(depth, below))]),
            ),
            // The later drafts keep the word only for older schemas.
            13 => one(
                "dependencies",
                Json::Object(vec![(self.name(), self.schema(depth, below))]),
            ),
            14 if modern && self.choices.once_in(3) => one(
                "dependencies",
                Json::Object(vec![(self.name(), self.schema(depth, below))]),
            ),
            14 | 15 => one("allOf", self.list(depth, below)),
            16 => one("anyOf", self.list(depth, below)),
            17 => one("oneOf", self.list(depth, below)),
            18 => one("not", self.schema(depth, below)),
            19 if draft >= Draft::Draft7 => {
                let mut members = one("if", self.schema(depth, below));
                for name in ["then", "else"] {
                    if !self.choices.once_in(4) {
                        let schema = self.schema(depth, below);
                        members.push((name.to_owned(), schema));
                    }
                }
                members
            }
            20 | 21 if modern => {
                let name = self.choices.pick(&[
                    "unevaluatedItems",
                    "unevaluatedProperties",
                    "unevaluatedProperties",
                ]);
                let rest = if self.choices.once_in(2) {
                    Json::Bool(false)
                } else {
                    self.schema(depth, true)
                };
                one(name, rest)
            }
            _ => one("properties", self.named(depth)),
        }
        .into_iter()
        // A schema of draft 4 is an object.
        .map(|(name, value)| match value {
            Json::Bool(false) if draft == Draft::Draft4 && name != "additionalProperties" => {
                (name, Json::Object(Vec::new()))
            }
            value => (name, value),
        })
        .collect()
    }

    fn list(&mut self, depth: usize, below: bool) -> Json {
        let count = 1 + self.choices.below(3);
        Json::Array((0..count).map(|_| self.schema(depth, below)).collect())
    }

    fn named(&mut self, depth: usize) -> Json {
        let names = self.choices.some(&NAMES, 3);
        Json::Object(
            names
                .into_iter()
                .map(|name| (name.to_owned(), self.schema(depth, true)))
                .collect(),
        )
    }

    fn name(&mut self) -> String {
        self.choices.pick(&NAMES).to_owned()
    }

    fn names(&mut self) -> Json {
        Json::Array(self.choices.some(&NAMES, 2).into_iter().map(Json::text).collect())
    }

    /// No two equal ones, as the meta-schemas ask: of one spelling each.
    fn distinct_values(&mut self) -> Vec<Json> {
        let mut values: Vec<Json> = Vec::new();
        for _ in 0..=self.choices.below(4) {
            let value = self.value(2);
            let has_odd_number = value.to_string().contains(['.', 'e', 'E', '-']);
            if !values.contains(&value) && (!has_odd_number || values.is_empty()) {
                values.push(value);
            }
        }
        // The first one's spelling may be another's value.
        if values.len() > 1 && values[0].to_string().contains(['.', 'e', 'E', '-']) {
            values.truncate(1);
        }
        values
    }

    fn value(&mut self, depth: usize) -> Json {
        let value = super::payloads::arbitrary(self.choices, depth);
        // With such a number in it the crate has no schema to judge by.
        if value.to_string().contains("1e400") && !self.choices.once_in(50) {
            Json::number(&7)
        } else {
            value
        }
    }
}
