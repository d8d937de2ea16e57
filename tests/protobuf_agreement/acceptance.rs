//! Which `.proto` texts are schemas: our parser beside protoc, over random files and what small mistakes make of them.

use super::choices::Choices;
use super::google::Google;
use super::schemas::{Texts, random_schema};
use super::second_opinions::spell;
use portcullis::schema::protobuf::ProtobufSchema;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Words that a mistake may bring.
const WORDS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "18999",
    "19000",
    "19999",
    "536870911",
    "536870912",
    "2147483647",
    "2147483648",
    "max",
    "to",
    "message",
    "enum",
    "oneof",
    "map",
    "group",
    "repeated",
    "optional",
    "required",
    "extend",
    "extensions",
    "reserved",
    "string",
    "bytes",
    "int32",
    "double",
    "bool",
    ".t.M0",
    "M0",
    "E",
    "Z",
    "f1",
    "f2",
    "\"f1\"",
    "\"x\"",
    "true",
    "false",
    "inf",
    "nan",
    "1.5",
    "0x10",
    "017",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    ";",
    ",",
    "=",
    ".",
    "option",
    "import",
    "public",
    "weak",
    "syntax",
    "package",
    "service",
    "rpc",
    "returns",
    "stream",
    "//",
    "/*",
    "*/",
    "deprecated",
    "packed",
    "default",
    "json_name",
    "key",
    "value",
];

/// Statements that payloads do not see.
const STATEMENTS: &[&str] = &[
    "option java_package = \"a.b\";",
    "option deprecated = true;",
    "reserved 500 to 600, 700;",
    "reserved \"gone\", 'away';",
    "option allow_alias = true;",
    "service S { rpc Call (.t.M0) returns (stream .t.M0) { option deprecated = true; } }",
    "optional int32 d1 = 501 [default = -7];",
    "optional string d2 = 502 [default = \"a\\n\\x41\", deprecated = true];",
    "optional .t.E d3 = 503 [default = E_ONE];",
    "optional double d4 = 504 [default = -inf];",
    "string j1 = 505 [json_name = \"j\"];",
    "optional int32 e1 = 506 [jstype = JS_STRING];",
    "repeated int32 p1 = 507 [packed = true];",
    "int32 d1 = 508;",
    "oneof o { int32 o1 = 509; string o2 = 510; }",
    "map<string, .t.M0> m1 = 511;",
    "extensions 600 to 700 [verification = UNVERIFIED];",
    "enum D { option allow_alias = true; D_A = 0; D_B = 0; }",
    "message I { optional I i = 1; }",
    "/* a comment */ // another\n",
    ";",
];

pub fn mutate(choices: &mut Choices, text: &str) -> String {
    let mut tokens = tokens(text);
    for _ in 0..=choices.below(3) / 2 {
        if tokens.is_empty() {
            break;
        }
        let at = choices.below(tokens.len());
        let other = choices.below(tokens.len());
        match choices.below(8) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[other].clone()),
            2 => tokens.swap(at, other),
            3 | 4 => (*choices.one(WORDS)).clone_into(&mut tokens[at]),
            5 => tokens.insert(at, (*choices.one(WORDS)).to_owned()),
            _ => {
                // Between two statements.
                let ends: Vec<_> = (0..tokens.len())
                    .filter(|i| matches!(&*tokens[*i], ";" | "{" | "}"))
                    .collect();
                if !ends.is_empty() {
                    let at = *choices.one(&ends);
                    tokens.insert(at + 1, (*choices.one(STATEMENTS)).to_owned());
                }
            }
        }
    }
    tokens.join(" ")
}

/// Words, numbers, strings and single signs; blanks are dropped.
fn tokens(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    let mut in_string = false;
    for c in text.chars() {
        let is_word = c.is_alphanumeric() || "_.-\"".contains(c) || in_string;
        if c == '"' {
            in_string = !in_string;
        }
        if is_word {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            all.push(std::mem::take(&mut word));
        }
        if !c.is_whitespace() {
            all.push(c.to_string());
        }
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

/// Judges `cases` texts; panics at the first difference that has no name.
pub fn compare(cases: usize, seed: u64) {
    let began = Instant::now();
    let mut google = Google::start();
    let mut choices = Choices::new(seed);
    let (mut accepted, mut refused) = (0, 0);
    let mut counts: BTreeMap<BTreeSet<Difference>, usize> = BTreeMap::new();
    for case in 0..cases {
        let mut texts = random_schema(&mut choices);
        if choices.chance(65) {
            texts.root = mutate(&mut choices, &texts.root);
        }
        let ours = ProtobufSchema::parse(&texts.root, &texts.references);
        let (theirs, printed) = google.compile(&files(&texts));
        *if theirs { &mut accepted } else { &mut refused } += 1;
        if ours.is_ok() == theirs {
            continue;
        }
        let said = ours
            .err()
            .map_or_else(|| "accepted".to_owned(), |error| error.to_string());
        let Some(names) = differences(&said, &printed, &texts.root) else {
            panic!(
                "seed {seed}, text {case}:\n{}\nPortcullis: {said}\nprotoc: {printed}",
                spell(&texts)
            );
        };
        *counts.entry(names).or_default() += 1;
    }
    println!(
        "{cases} texts, seed {seed}, in {:.1} s: {accepted} accepted by protoc, {refused} refused; differences {counts:?}",
        began.elapsed().as_secs_f64()
    );
    assert!(
        cases < 400 || (accepted > cases / 5 && refused > cases / 5),
        "one-sided"
    );
}

fn files(texts: &Texts) -> Vec<(&str, &str)> {
    let mut files = vec![("schema.proto", texts.root.as_str())];
    files.extend(
        texts
            .references
            .iter()
            .map(|reference| (reference.name.as_str(), reference.text.as_str())),
    );
    files
}

/// What protoc refuses and we do not, or the other way: each a row of `docs/validation-protobuf.md`. None of it changes what a
/// payload is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Difference {
    EmptyStatement,
    JsTypeOfAnotherType,
    AliasAllowedInVain,
    ExtensionsInProto3,
    ExtensionsOverlap,
    ExtensionsBackwards,
    PackedBytes,
    EnumNamesAlike,
    ReservedTwice,
    /// A mistake that comments everything out leaves protoc a file that is fine.
    NothingDefined,
}

/// By protoc's own words.
const SAID: &[(&str, Difference)] = &[
    ("jstype is only allowed on", Difference::JsTypeOfAnotherType),
    (
        "declares support for enum aliases but no enum values share",
        Difference::AliasAllowedInVain,
    ),
    (
        "Extension ranges are not allowed in proto3.",
        Difference::ExtensionsInProto3,
    ),
    ("overlaps with reserved range", Difference::ExtensionsOverlap),
    (
        "overlaps with already-defined range",
        Difference::ExtensionsOverlap,
    ),
    (
        "Extension range end number must be greater than start number.",
        Difference::ExtensionsBackwards,
    ),
    (
        "[packed = true] can only be specified for repeated primitive fields.",
        Difference::PackedBytes,
    ),
    ("has the same name as", Difference::EnumNamesAlike),
    ("is reserved multiple times.", Difference::ReservedTwice),
];

/// The names of a difference: we refuse a file that defines nothing, or accept what protoc refuses. Each of its errors
/// must have one.
fn differences(ours: &str, protoc: &str, text: &str) -> Option<BTreeSet<Difference>> {
    let is_error = |line: &&str| line.starts_with("schema.proto:") && !line.contains(": warning:");
    let errors: Vec<&str> = protoc.lines().filter(is_error).collect();
    if ours == "the schema defines no message, enum, service or extension" && errors.is_empty() {
        return Some(BTreeSet::from([Difference::NothingDefined]));
    }
    if ours != "accepted" || errors.is_empty() {
        return None;
    }
    let mut found = BTreeSet::new();
    for error in errors {
        // After an enum that it refuses protoc skips what follows it, and may then miss a brace that is there.
        let is_missed = error.contains("Reached end of input in message definition");
        if !(is_missed && found.contains(&Difference::AliasAllowedInVain)) {
            found.insert(named(error, text)?);
        }
    }
    Some(found)
}

fn named(error: &str, text: &str) -> Option<Difference> {
    // protoc wants a field after `;;` in a oneof or an extend block.
    let wants_a_field = error.contains("Expected type name.") || error.contains("Expected \"required\"");
    if wants_a_field && at(error, text) == Some(';') {
        return Some(Difference::EmptyStatement);
    }
    let said = SAID.iter().find(|(said, _)| error.contains(said));
    said.map(|(_, difference)| *difference)
}

/// The character that an error is about: `schema.proto:3:14: …`, from 1.
fn at(error: &str, text: &str) -> Option<char> {
    let mut parts = error.split(':').skip(1);
    let line: usize = parts.next()?.parse().ok()?;
    let column: usize = parts.next()?.parse().ok()?;
    text.lines().nth(line - 1)?.chars().nth(column - 1)
}
