//! Arbitrary schemas: what the payloads need to know of each, and its text.

use crate::choices::Choices;
use serde_json::{Map, Value, json};

pub enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String {
        uuid: bool,
    },
    Fixed(usize),
    Enum(usize),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<usize>),
    /// A record whose fields are not all known yet.
    Open,
}

pub struct Schema {
    pub shapes: Vec<Shape>,
    pub root: usize,
    pub text: Value,
}

const PLAIN: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];
const LOGICAL: [(&str, &str); 13] = [
    ("date", "int"),
    ("time-millis", "int"),
    ("time-micros", "long"),
    ("timestamp-millis", "long"),
    ("timestamp-micros", "long"),
    ("timestamp-nanos", "long"),
    ("local-timestamp-millis", "long"),
    ("local-timestamp-micros", "long"),
    ("local-timestamp-nanos", "long"),
    ("uuid", "string"),
    ("decimal", "bytes"),
    ("big-decimal", "bytes"),
    ("no-such-type", "double"),
];
const SPACES: [&str; 4] = ["", "n", "n.m", "a_1"];

struct Name {
    id: usize,
    short: String,
    space: String,
    is_open: bool,
}

struct Shaper<'a> {
    choices: &'a mut Choices,
    shapes: Vec<Shape>,
    names: Vec<Name>,
    /// How many types may still be made.
    left: usize,
}

pub fn schema(choices: &mut Choices) -> Schema {
    let left = *choices.one(&[1, 4, 10, 20, 40, 80]);
    let mut shaper = Shaper {
        choices,
        shapes: Vec::new(),
        names: Vec::new(),
        left,
    };
    let (root, text) = shaper.any("", 0, true);
    let Shaper { shapes, .. } = shaper;
    Schema { shapes, root, text }
}

impl Shaper<'_> {
    fn add(&mut self, shape: Shape) -> usize {
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    /// `guarded`: a union, array or map lies between here and the records that are open, so one of them may follow.
    fn any(&mut self, space: &str, depth: usize, guarded: bool) -> (usize, Value) {
        self.left = self.left.saturating_sub(1);
        let compound = self.left > 0 && depth < 12 && (depth == 0 || self.choices.once_in(2));
        if !compound {
            return self.leaf(space, guarded);
        }
        match self.choices.below(20) {
            0..3 => {
                let (items, text) = self.any(space, depth + 1, true);
                let id = self.add(Shape::Array(items));
                (id, self.dressed(json!({"type": "array", "items": text})))
            }
            3..6 => {
                let (values, text) = self.any(space, depth + 1, true);
                let id = self.add(Shape::Map(values));
                (id, self.dressed(json!({"type": "map", "values": text})))
            }
            6..11 => self.union(space, depth),
            11 => self.tower(space, depth, guarded),
            _ => self.record(space, depth),
        }
    }

    fn leaf(&mut self, space: &str, guarded: bool) -> (usize, Value) {
        match self.choices.below(12) {
            0 | 1 => self.known(space, guarded),
            2 => self.fixed(space),
            3 => self.enumeration(space),
            4..7 => self.logical(),
            _ => {
                let name = *self.choices.one(&PLAIN);
                let id = self.plain(name);
                let text = if self.choices.once_in(4) {
                    self.dressed(json!({ "type": name }))
                } else {
                    json!(name)
                };
                (id, text)
            }
        }
    }

    fn plain(&mut self, name: &str) -> usize {
        self.add(match name {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "int" => Shape::Int,
            "long" => Shape::Long,
            "float" => Shape::Float,
            "double" => Shape::Double,
            "bytes" => Shape::Bytes,
            _ => Shape::String { uuid: false },
        })
    }

    /// A logical type, mostly on the type that it is for.
    fn logical(&mut self) -> (usize, Value) {
        let (name, base) = *self.choices.one(&LOGICAL);
        let base = if self.choices.once_in(6) {
            *self.choices.one(&PLAIN)
        } else {
            base
        };
        let id = if (name, base) == ("uuid", "string") {
            self.add(Shape::String { uuid: true })
        } else {
            self.plain(base)
        };
        let mut text = json!({"type": base, "logicalType": name});
        if name == "decimal" {
            self.decimal(&mut text);
        }
        (id, text)
    }

    /// A precision and a scale, mostly ones that go together.
    fn decimal(&mut self, text: &mut Value) {
        let precision = self.choices.below(12) as i64 + i64::from(!self.choices.once_in(10));
        text["precision"] = json!(precision);
        if self.choices.once_in(2) {
            text["scale"] = json!(self.choices.below(precision as usize + 2));
        }
    }

    /// Properties and documentation that change nothing.
    fn dressed(&mut self, mut text: Value) -> Value {
        if self.choices.once_in(4) {
            text["doc"] = json!("what it is for: \"é\"\n");
        }
        if self.choices.once_in(6) {
            text["x-property"] = json!({"a": [1, null, "b"], "size": 3});
        }
        text
    }

    /// A union holds no union, each unnamed type once and each named type once.
    fn union(&mut self, space: &str, depth: usize) -> (usize, Value) {
        let count = match self.choices.below(30) {
            0 => 0,
            1 => 60 + self.choices.below(20),
            2 => 1,
            3..20 => 2,
            _ => 3 + self.choices.below(5),
        };
        let (mut ids, mut texts, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        if count > 0 && self.choices.once_in(2) {
            ids.push(self.plain("null"));
            texts.push(json!("null"));
            seen.push(json!("null").to_string());
        }
        while ids.len() < count {
            let named = self.names.len();
            let (id, text) = match () {
                // Only names do not run out.
                () if seen.len() > 12 => self.enumeration(space),
                () if self.choices.once_in(3) => self.any(space, depth + 1, true),
                () => self.leaf(space, true),
            };
            let kind = match &self.shapes[id] {
                Shape::Union(_) => {
                    self.names.truncate(named);
                    continue;
                }
                Shape::Fixed(_) | Shape::Enum(_) | Shape::Record(_) | Shape::Open => format!("#{id}"),
                _ => text.get("type").unwrap_or(&text).to_string(),
            };
            if seen.contains(&kind) {
                self.names.truncate(named);
                if self.choices.once_in(4) {
                    break;
                }
            } else {
                seen.push(kind);
                ids.push(id);
                texts.push(text);
            }
        }
        // A definition must stay before its name.
        if self.choices.once_in(2) && !texts.iter().any(Value::is_object) {
            ids.reverse();
            texts.reverse();
        }
        (self.add(Shape::Union(ids)), Value::Array(texts))
    }

    /// Arrays, maps and records around each other, many.
    fn tower(&mut self, space: &str, depth: usize, guarded: bool) -> (usize, Value) {
        let levels = self.choices.below(25);
        let (mut id, mut text) = self.any(space, depth + 1, guarded);
        for _ in 0..levels {
            (id, text) = match self.choices.below(3) {
                0 => (
                    self.add(Shape::Array(id)),
                    json!({"type": "array", "items": text}),
                ),
                1 => (self.add(Shape::Map(id)), json!({"type": "map", "values": text})),
                _ => {
                    let name = format!("T{}", self.shapes.len());
                    let record_id = self.add(Shape::Record(vec![id]));
                    let mut record =
                        json!({"type": "record", "name": name, "fields": [{"name": "f", "type": text}]});
                    if !space.is_empty() {
                        record["namespace"] = json!(space);
                    }
                    (record_id, record)
                }
            };
        }
        (id, text)
    }

    /// A name that is still free, and how the definition writes it.
    fn name(&mut self, letter: char, space: &str, text: &mut Value) -> (String, String) {
        let own = (*self.choices.one(&SPACES)).to_owned();
        let mut short = format!("{letter}{}", self.names.len());
        let mut chosen = match self.choices.below(4) {
            0 => own,
            _ => space.to_owned(),
        };
        if self.choices.once_in(5)
            && let Some(other) = self.names.iter().map(|name| name.short.clone()).next_back()
        {
            // The same short name in another namespace; never in none, which others fall back to.
            let taken = |space: &str| {
                self.names
                    .iter()
                    .any(|name| name.short == other && (name.space == space || name.space.is_empty()))
            };
            let free = SPACES.iter().find(|space| !space.is_empty() && !taken(space));
            if let Some(space) = free {
                (short, chosen) = (other, (*space).to_owned());
            }
        }
        if chosen != space && !chosen.is_empty() && self.choices.once_in(2) {
            text["name"] = json!(format!("{chosen}.{short}"));
        } else {
            text["name"] = json!(short);
            if chosen != space || self.choices.once_in(6) {
                text["namespace"] = json!(chosen);
            }
        }
        if self.choices.once_in(4) {
            text["aliases"] = json!([format!("Old{short}"), format!("gone.Old{short}")]);
        }
        (short, chosen)
    }

    fn add_named(&mut self, shape: Shape, short: String, space: String) -> usize {
        let id = self.add(shape);
        self.names.push(Name {
            id,
            short,
            space,
            is_open: false,
        });
        id
    }

    fn fixed(&mut self, space: &str) -> (usize, Value) {
        let mut text = json!({"type": "fixed"});
        let (short, chosen) = self.name('F', space, &mut text);
        let mut size = self.choices.below(9);
        match self.choices.below(8) {
            0 => {
                size = if self.choices.once_in(5) { size } else { 16 };
                text["logicalType"] = json!("uuid");
            }
            1 => {
                size = if self.choices.once_in(5) { size } else { 12 };
                text["logicalType"] = json!("duration");
            }
            2 => {
                text["logicalType"] = json!("decimal");
                self.decimal(&mut text);
            }
            _ => {}
        }
        text["size"] = json!(size);
        let id = self.add_named(Shape::Fixed(size), short, chosen);
        (id, self.dressed(text))
    }

    fn enumeration(&mut self, space: &str) -> (usize, Value) {
        let mut text = json!({"type": "enum"});
        let (short, chosen) = self.name('E', space, &mut text);
        let count = if self.choices.once_in(12) {
            70
        } else {
            1 + self.choices.below(4)
        };
        text["symbols"] = (0..count).map(|n| json!(format!("S{n}"))).collect();
        if self.choices.once_in(4) {
            text["default"] = json!("S0");
        }
        let id = self.add_named(Shape::Enum(count), short, chosen);
        (id, self.dressed(text))
    }

    fn record(&mut self, space: &str, depth: usize) -> (usize, Value) {
        let mut text = json!({"type": "record"});
        let (short, chosen) = self.name('R', space, &mut text);
        let named = self.names.len();
        let id = self.add_named(Shape::Open, short, chosen.clone());
        self.names[named].is_open = true;
        let count = self.choices.below(7);
        let (mut ids, mut fields) = (Vec::new(), Vec::new());
        for index in 0..count {
            let (of, of_text) = self.any(&chosen, depth + 1, false);
            ids.push(of);
            let mut field = json!({"name": format!("f{index}"), "type": of_text});
            self.dress_field(&mut field, of);
            fields.push(field);
        }
        text["fields"] = Value::Array(fields);
        self.shapes[id] = Shape::Record(ids);
        self.names[named].is_open = false;
        (id, self.dressed(text))
    }

    fn dress_field(&mut self, field: &mut Value, of: usize) {
        if self.choices.once_in(3)
            && let Some(default) = self.default(of)
        {
            field["default"] = default;
        } else if self.choices.once_in(60) {
            field["default"] = json!({"fits": ["nothing"]});
        }
        if self.choices.once_in(8) {
            field["order"] = json!(self.choices.one(&["ascending", "descending", "ignore"]));
        }
        if self.choices.once_in(8) {
            field["aliases"] = json!(["was", "before"]);
        }
        if self.choices.once_in(8) {
            field["doc"] = json!("a field");
        }
    }

    /// A default of the type, where an easy one exists.
    fn default(&mut self, of: usize) -> Option<Value> {
        Some(match &self.shapes[of] {
            Shape::Null => Value::Null,
            Shape::Boolean => json!(self.choices.once_in(2)),
            Shape::Int => json!(self.choices.long() as i32),
            Shape::Long => json!(self.choices.long()),
            Shape::Float | Shape::Double => json!(self.choices.below(9) as f64 / 4.0),
            Shape::Bytes | Shape::String { uuid: false } => json!("a"),
            Shape::Fixed(size) => json!("x".repeat(*size)),
            Shape::Enum(_) => json!("S0"),
            Shape::Array(_) => json!([]),
            Shape::Map(_) => Value::Object(Map::new()),
            Shape::Union(branches) => {
                let first = *branches.first()?;
                return self.default(first);
            }
            Shape::String { uuid: true } | Shape::Record(_) | Shape::Open => return None,
        })
    }

    /// A type by its name; where none may be named, a string.
    fn known(&mut self, space: &str, guarded: bool) -> (usize, Value) {
        // Now and then a record holds itself with nothing between: it has no payload at all.
        let guarded = guarded || self.choices.once_in(40);
        let beyond = self.choices.once_in(40);
        let names: Vec<&Name> = self
            .names
            .iter()
            .filter(|name| guarded || !name.is_open)
            // Not everyone finds a name without a namespace from within one.
            .filter(|name| beyond || space.is_empty() || !name.space.is_empty())
            .collect();
        if names.is_empty() {
            return (self.plain("string"), json!("string"));
        }
        let Name {
            id,
            short,
            space: own,
            ..
        } = self.choices.one(&names);
        let written = if own.is_empty() || (own == space && self.choices.once_in(2)) {
            short.clone()
        } else {
            format!("{own}.{short}")
        };
        (*id, json!(written))
    }
}
