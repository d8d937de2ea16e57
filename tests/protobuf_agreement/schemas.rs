//! Random `.proto` files that protoc accepts: both syntaxes, everything that a payload can tell apart.

use super::choices::Choices;
use portcullis::schema::ReferencedSchema;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A schema and what it imports.
pub struct Texts {
    pub root: String,
    pub references: Vec<ReferencedSchema>,
}

const SCALARS: &[&str] = &[
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
    "sfixed32", "sfixed64", "bool", "bytes", "string", "string",
];
const KEYS: &[&str] = &[
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64",
    "bool", "string",
];
const WELL_KNOWN: &[(&str, &[&str])] = &[
    ("timestamp", &["Timestamp"]),
    ("duration", &["Duration"]),
    ("any", &["Any"]),
    ("struct", &["Struct", "Value", "ListValue"]),
    (
        "wrappers",
        &[
            "DoubleValue",
            "StringValue",
            "BytesValue",
            "BoolValue",
            "UInt32Value",
        ],
    ),
    ("field_mask", &["FieldMask"]),
    ("empty", &["Empty"]),
    ("descriptor", &["FileDescriptorProto", "UninterpretedOption"]),
];
/// Where messages that can be extended leave room.
const EXTENSIONS: [(u32, &str); 2] = [(100_000, "100000 to 199999"), (536_870_000, "536870000 to max")];

/// Types that a field may have, by full name.
#[derive(Clone, Default)]
struct Types {
    messages: Vec<String>,
    open_enums: Vec<String>,
    closed_enums: Vec<String>,
    extendable: Vec<String>,
}

pub fn random_schema(choices: &mut Choices) -> Texts {
    let mut types = Types::default();
    let mut imports = Vec::new();
    let mut references = Vec::new();
    if choices.chance(30) {
        let proto3 = choices.chance(50);
        let mut file = FileWriter::new(choices, types, proto3, "other");
        file.write(&[]);
        references.push(ReferencedSchema {
            name: "other.proto".into(),
            text: file.text,
        });
        types = file.types;
        imports.push("other.proto".to_owned());
    }
    for (file, names) in WELL_KNOWN {
        if choices.chance(8) {
            imports.push(format!("google/protobuf/{file}.proto"));
            types
                .messages
                .extend(names.iter().map(|name| format!(".google.protobuf.{name}")));
        }
    }
    let proto3 = choices.chance(50);
    let mut file = FileWriter::new(choices, types, proto3, "t");
    file.write(&imports);
    Texts {
        root: file.text,
        references,
    }
}

struct FileWriter<'a> {
    choices: &'a mut Choices,
    types: Types,
    proto3: bool,
    package: &'static str,
    text: String,
    /// Names are numbered through, so that none comes twice in a scope.
    names: usize,
}

impl<'a> FileWriter<'a> {
    fn new(choices: &'a mut Choices, types: Types, proto3: bool, package: &'static str) -> Self {
        Self {
            choices,
            types,
            proto3,
            package,
            text: String::new(),
            names: 0,
        }
    }

    fn write(&mut self, imports: &[String]) {
        let syntax = if self.proto3 { "proto3" } else { "proto2" };
        if self.proto3 || self.choices.chance(80) {
            writeln!(self.text, "syntax = \"{syntax}\";").unwrap();
        }
        writeln!(self.text, "package {};", self.package).unwrap();
        for import in imports {
            writeln!(self.text, "import \"{import}\";").unwrap();
        }
        let (messages, nested) = (1 + self.choices.below(4), self.choices.below(3));
        let scope = format!(".{}", self.package);
        for message in 0..messages {
            self.types.messages.push(format!("{scope}.M{message}"));
            if !self.proto3 && self.choices.chance(50) {
                self.types.extendable.push(format!("{scope}.M{message}"));
            }
            if message < nested {
                self.types.messages.push(format!("{scope}.M{message}.N"));
            }
        }
        let enums = [format!("{scope}.E"), format!("{scope}.M0.K")];
        let known = if self.proto3 {
            &mut self.types.open_enums
        } else {
            &mut self.types.closed_enums
        };
        known.extend(enums);
        for message in 0..messages {
            let name = format!("{scope}.M{message}");
            writeln!(self.text, "message M{message} {{").unwrap();
            if message == 0 {
                self.enumeration("K");
            }
            if message < nested {
                writeln!(self.text, "message N {{").unwrap();
                let count = self.choices.below(5);
                self.fields(count, false);
                self.text.push_str("}\n");
            }
            let can_be_extended = self.types.extendable.contains(&name);
            if can_be_extended {
                for (_, range) in EXTENSIONS {
                    writeln!(self.text, "extensions {range};").unwrap();
                }
            }
            // With 64 required fields and more, and right below.
            let count = match self.choices.below(100) {
                0 => 60 + self.choices.below(100),
                1 | 2 => 60 + self.choices.below(4),
                _ => self.choices.below(14),
            };
            self.fields(count, can_be_extended);
            if self.choices.chance(20) {
                self.extend();
            }
            self.text.push_str("}\n");
        }
        self.enumeration("E");
        self.text
            .push_str("enum Z { Z_ZERO = 0; Z_ONE = 1; Z_BYTE = 130; }\n");
        while self.choices.chance(60) {
            if !self.extend() {
                break;
            }
        }
    }

    fn enumeration(&mut self, name: &str) {
        let first = if self.proto3 {
            0
        } else {
            *self.choices.one(&[0, 1, -5])
        };
        let prefix = name;
        writeln!(
            self.text,
            "enum {name} {{ {prefix}_FIRST = {first}; {prefix}_ONE = 2; {prefix}_MANY = 1000; {prefix}_LESS = -1; {prefix}_MAX = 2147483647; {prefix}_MIN = -2147483648; }}"
        )
        .unwrap();
    }

    fn fields(&mut self, count: usize, can_be_extended: bool) {
        let mut used = BTreeSet::new();
        let mut cursor = 0;
        let all_required = !self.proto3 && count >= 60 && self.choices.chance(50);
        for _ in 0..count {
            if all_required {
                cursor += 1;
                let scalar = *self.choices.one(SCALARS);
                let name = self.name();
                writeln!(self.text, "required {scalar} f{name} = {cursor};").unwrap();
                continue;
            }
            let Some(number) = self.next_number(&mut cursor, &mut used, can_be_extended) else {
                continue;
            };
            if self.choices.chance(10) {
                let members = 1 + self.choices.below(4);
                let name = self.name();
                writeln!(self.text, "oneof o{name} {{").unwrap();
                self.member(number);
                for _ in 1..members {
                    if let Some(number) = self.next_number(&mut cursor, &mut used, can_be_extended) {
                        self.member(number);
                    }
                }
                self.text.push_str("}\n");
                continue;
            }
            self.field(number);
        }
    }

    /// A number that is not taken, mostly the next after `cursor`; none when the choice fell on a bad one.
    fn next_number(
        &mut self,
        cursor: &mut u32,
        used: &mut BTreeSet<u32>,
        can_be_extended: bool,
    ) -> Option<u32> {
        let next = match self.choices.below(40) {
            0 => 1000 + *cursor,
            1 => *self
                .choices
                .one(&[15, 16, 2047, 2048, 18_999, 20_000, 90_000, 262_143]),
            2 => (1 << 29) - 1 - self.choices.below(4) as u32,
            3..6 => *cursor + 1 + self.choices.below(60) as u32,
            _ => *cursor + 1,
        };
        let is_reserved = (19_000..20_000).contains(&next);
        let is_extension = can_be_extended && ((100_000..200_000).contains(&next) || next >= 536_870_000);
        if is_reserved || is_extension || !used.insert(next) {
            return None;
        }
        if next < 10_000 {
            *cursor = next;
        }
        Some(next)
    }

    fn name(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    /// A type that a field may have, and whether it is a number.
    fn type_name(&mut self) -> (String, bool) {
        match self.choices.below(10) {
            0 | 1 => (self.choices.one(&self.types.messages).clone(), false),
            2 => {
                let open_only = self.proto3 || self.choices.chance(30);
                let known = if open_only {
                    &self.types.open_enums
                } else {
                    &self.types.closed_enums
                };
                if known.is_empty() {
                    return ("int32".into(), true);
                }
                (self.choices.one(known).clone(), true)
            }
            _ => {
                let scalar = *self.choices.one(SCALARS);
                (scalar.to_owned(), !matches!(scalar, "string" | "bytes"))
            }
        }
    }

    fn member(&mut self, number: u32) {
        let name = self.name();
        if !self.proto3 && self.choices.chance(10) {
            self.group("", number);
            return;
        }
        let (type_name, _) = self.type_name();
        writeln!(self.text, "{type_name} f{name} = {number};").unwrap();
    }

    fn group(&mut self, label: &str, number: u32) {
        let name = self.name();
        writeln!(self.text, "{label} group G{name} = {number} {{").unwrap();
        let count = self.choices.below(4);
        self.fields(count, false);
        self.text.push_str("}\n");
    }

    fn field(&mut self, number: u32) {
        let name = self.name();
        let (type_name, is_number) = self.type_name();
        let what = self.choices.below(12);
        match what {
            0 | 1 => {
                // A map's value may not be a closed enum without its zero first.
                let is_enum = matches!(type_name.rsplit('.').next(), Some("E" | "K"));
                let own = format!(".{}.Z", self.package);
                let value = if is_enum && !self.proto3 { &own } else { &type_name };
                let key = *self.choices.one(KEYS);
                writeln!(self.text, "map<{key}, {value}> f{name} = {number};").unwrap();
            }
            2 if !self.proto3 => {
                let label = *self.choices.one(&["optional", "repeated", "required"]);
                self.group(label, number);
            }
            3 | 4 => writeln!(self.text, "repeated {type_name} f{name} = {number};").unwrap(),
            5 if is_number => {
                let packed = self.choices.chance(50);
                writeln!(
                    self.text,
                    "repeated {type_name} f{name} = {number} [packed = {packed}];"
                )
                .unwrap();
            }
            6 if !self.proto3 => writeln!(self.text, "required {type_name} f{name} = {number};").unwrap(),
            _ if self.proto3 && self.choices.chance(70) => {
                writeln!(self.text, "{type_name} f{name} = {number};").unwrap();
            }
            _ => writeln!(self.text, "optional {type_name} f{name} = {number};").unwrap(),
        }
    }

    /// Extensions of a message; whether there is one to extend.
    fn extend(&mut self) -> bool {
        if self.proto3 || self.types.extendable.is_empty() {
            return false;
        }
        let extended = self.choices.one(&self.types.extendable).clone();
        writeln!(self.text, "extend {extended} {{").unwrap();
        for _ in 0..=self.choices.below(3) {
            // Each number once in all files: the names are counted through, and files have numbers of their own.
            let name = self.name();
            let own = if self.package == "t" { 0 } else { 400 };
            let number = self.choices.one(&EXTENSIONS).0 + name as u32 + own;
            let label = *self.choices.one(&["optional", "repeated"]);
            if self.choices.chance(15) {
                self.group(label, number);
                continue;
            }
            let (type_name, _) = self.type_name();
            writeln!(self.text, "{label} {type_name} x{name} = {number};").unwrap();
        }
        self.text.push_str("}\n");
        true
    }
}
