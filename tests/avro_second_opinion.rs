//! Promise: what apache-avro encodes is valid, and of any other bytes we say what apache-avro's decoder says, but
//! for the differences that `docs/validation-avro.md` lists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use apache_avro::types::Value;
use portcullis::schema::avro::AvroSchema;
use proptest::prelude::*;
use std::collections::HashMap;
use std::io::{Error, ErrorKind, Read};

/// A schema without names; they are given while it is written.
#[derive(Clone, Debug)]
enum Shape {
    Plain(&'static str),
    Fixed(usize),
    Enum(usize),
    Array(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    Record(Vec<Shape>),
}

const PLAIN: [&str; 8] = [
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
];

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        6 => proptest::sample::select(PLAIN.to_vec()).prop_map(Shape::Plain),
        1 => (0usize..9).prop_map(Shape::Fixed),
        1 => (1usize..5).prop_map(Shape::Enum),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|items| Shape::Array(Box::new(items))),
            1 => inner.clone().prop_map(|values| Shape::Map(Box::new(values))),
            2 => prop::collection::vec(inner.clone(), 1..5).prop_map(union),
            3 => prop::collection::vec(inner, 0..6).prop_map(Shape::Record),
        ]
    })
}

/// A union holds no union, and each unnamed type once.
fn union(branches: Vec<Shape>) -> Shape {
    let mut seen = Vec::new();
    let kept = branches
        .into_iter()
        .filter(|branch| {
            let name = match branch {
                Shape::Union(_) => return false,
                Shape::Fixed(_) | Shape::Enum(_) | Shape::Record(_) => return true,
                Shape::Plain(name) => *name,
                Shape::Array(_) => "array",
                Shape::Map(_) => "map",
            };
            let new = !seen.contains(&name);
            seen.push(name);
            new
        })
        .collect::<Vec<_>>();
    if kept.is_empty() {
        Shape::Plain("null")
    } else {
        Shape::Union(kept)
    }
}

fn text(shape: &Shape, names: &mut usize) -> String {
    *names += 1;
    let name = *names;
    match shape {
        Shape::Plain(name) => format!("\"{name}\""),
        Shape::Fixed(size) => format!(r#"{{"type":"fixed","name":"F{name}","size":{size}}}"#),
        Shape::Enum(symbols) => {
            let symbols: Vec<String> = (0..*symbols).map(|n| format!("\"S{n}\"")).collect();
            format!(
                r#"{{"type":"enum","name":"E{name}","symbols":[{}]}}"#,
                symbols.join(",")
            )
        }
        Shape::Array(items) => format!(r#"{{"type":"array","items":{}}}"#, text(items, names)),
        Shape::Map(values) => format!(r#"{{"type":"map","values":{}}}"#, text(values, names)),
        Shape::Union(branches) => {
            let branches: Vec<String> = branches.iter().map(|branch| text(branch, names)).collect();
            format!("[{}]", branches.join(","))
        }
        Shape::Record(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .enumerate()
                .map(|(index, field)| format!(r#"{{"name":"f{index}","type":{}}}"#, text(field, names)))
                .collect();
            format!(
                r#"{{"type":"record","name":"R{name}","namespace":"n{}","fields":[{}]}}"#,
                name % 3,
                fields.join(",")
            )
        }
    }
}

/// Numbers from a seed (SplitMix64): one seed is one value.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// All sizes of numbers are about as likely.
    fn long(&mut self) -> i64 {
        let bits = self.below(64);
        (self.next() as i64) >> bits
    }
}

fn value(shape: &Shape, numbers: &mut Numbers) -> Value {
    let string = |numbers: &mut Numbers| {
        let length = numbers.below(20);
        (0..length)
            .map(|_| ['a', 'Z', '0', ' ', 'é', '語', '🦀'][numbers.below(7)])
            .collect::<String>()
    };
    match shape {
        Shape::Plain("null") => Value::Null,
        Shape::Plain("boolean") => Value::Boolean(numbers.below(2) == 1),
        Shape::Plain("int") => Value::Int(numbers.long() as i32),
        Shape::Plain("long") => Value::Long(numbers.long()),
        Shape::Plain("float") => Value::Float(f32::from_bits(numbers.next() as u32)),
        Shape::Plain("double") => Value::Double(f64::from_bits(numbers.next())),
        Shape::Plain("bytes") => Value::Bytes(
            (0..numbers.below(20))
                .map(|n| (n as u8).wrapping_mul(77))
                .collect(),
        ),
        Shape::Plain(_) => Value::String(string(numbers)),
        Shape::Fixed(size) => Value::Fixed(*size, (0..*size).map(|_| numbers.next() as u8).collect()),
        Shape::Enum(symbols) => {
            let index = numbers.below(*symbols);
            Value::Enum(index as u32, format!("S{index}"))
        }
        Shape::Array(items) => Value::Array((0..numbers.below(4)).map(|_| value(items, numbers)).collect()),
        Shape::Map(values) => {
            let entries = (0..numbers.below(4)).map(|_| (string(numbers), value(values, numbers)));
            Value::Map(entries.collect::<HashMap<_, _>>())
        }
        Shape::Union(branches) => {
            let index = numbers.below(branches.len());
            Value::Union(index as u32, Box::new(value(&branches[index], numbers)))
        }
        Shape::Record(fields) => Value::Record(
            fields
                .iter()
                .enumerate()
                .map(|(index, field)| (format!("f{index}"), value(field, numbers)))
                .collect(),
        ),
    }
}

/// apache-avro takes the end of the payload for a null in places; an error of another kind stops it there.
struct Ends<'a>(&'a [u8]);

impl Read for Ends<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() && !into.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "the payload ends here"));
        }
        self.0.read(into)
    }
}

fn peer(schema: &apache_avro::Schema, payload: &[u8]) -> Result<(), String> {
    let mut reader = Ends(payload);
    let decoder = apache_avro::reader::datum::GenericDatumReader::builder(schema)
        .build()
        .unwrap();
    decoder
        .read_value(&mut reader)
        .map_err(|error| error.to_string())?;
    if reader.0.is_empty() {
        Ok(())
    } else {
        Err("bytes left over".to_owned())
    }
}

fn agree(schema: &str, payload: &[u8]) {
    let ours = AvroSchema::parse(schema, &[])
        .unwrap()
        .validator()
        .unwrap()
        .validate(payload);
    let theirs = peer(&apache_avro::Schema::parse_str(schema).unwrap(), payload);
    match (ours, theirs) {
        (Ok(()), Ok(())) | (Err(_), Err(_)) => {}
        (Err(found), Ok(())) => assert!(
            // It does not look at a block's size, nor at what a varint has too much.
            ["its size says", "its stated size", "more bytes than it may have"]
                .iter()
                .any(|known| found.expected.contains(known)),
            "only we refuse {payload:?} of {schema}: {found:?}"
        ),
        // It counts what it would have to allocate.
        (Ok(()), Err(error)) => {
            assert!(
                error.contains("allocate"),
                "only we accept {payload:?} of {schema}: {error}"
            );
        }
    }
}

/// A plain `bytes` takes anything (see `docs/validation-avro.md`), so it is no root here.
fn root(shape: Shape) -> Shape {
    if matches!(shape, Shape::Plain("bytes")) {
        Shape::Record(vec![shape])
    } else {
        shape
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_apache_avro_encodes_is_valid_and_what_is_cut_off_or_added_is_not(shape in shape(), seed: u64) {
        let shape = root(shape);
        let schema = text(&shape, &mut 0);
        let value = value(&shape, &mut Numbers(seed));
        let peer = apache_avro::Schema::parse_str(&schema).unwrap();
        let payload = apache_avro::writer::datum::GenericDatumWriter::builder(&peer)
            .build().unwrap().write_value_to_vec(value).unwrap();
        let validator = AvroSchema::parse(&schema, &[]).unwrap().validator().unwrap();
        prop_assert_eq!(validator.validate(&payload), Ok(()), "{}", schema);
        for length in 0..payload.len() {
            prop_assert!(validator.validate(&payload[..length]).is_err(), "{} of {:?}", length, payload);
        }
        let longer = [&payload[..], &[0]].concat();
        prop_assert!(validator.validate(&longer).is_err());
    }

    #[test]
    fn of_a_changed_payload_we_say_what_apache_avro_says(
        shape in shape(), seed: u64, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..4),
    ) {
        apache_avro::util::max_allocation_bytes(1 << 20);
        let shape = root(shape);
        let schema = text(&shape, &mut 0);
        let value = value(&shape, &mut Numbers(seed));
        let peer = apache_avro::Schema::parse_str(&schema).unwrap();
        let mut payload = apache_avro::writer::datum::GenericDatumWriter::builder(&peer)
            .build().unwrap().write_value_to_vec(value).unwrap();
        for (at, byte, how) in changes {
            let at = at.index(payload.len() + 1);
            match how {
                0 if at < payload.len() => payload[at] = byte,
                1 if at < payload.len() => drop(payload.remove(at)),
                _ => payload.insert(at, byte),
            }
            agree(&schema, &payload);
        }
    }

    #[test]
    fn of_arbitrary_bytes_we_say_what_apache_avro_says(shape in shape(), payload in prop::collection::vec(prop_oneof![0..6u8, any::<u8>()], 0..40)) {
        apache_avro::util::max_allocation_bytes(1 << 20);
        agree(&text(&root(shape), &mut 0), &payload);
    }

    #[test]
    fn canonical_text_means_the_same_to_apache_avro_and_is_its_own_canonical_text(shape in shape()) {
        let schema = text(&shape, &mut 0);
        let canonical = AvroSchema::parse(&schema, &[]).unwrap().canonical();
        prop_assert_eq!(&AvroSchema::parse(&canonical, &[]).unwrap().canonical(), &canonical);
        let (one, other) = (apache_avro::Schema::parse_str(&schema).unwrap(), apache_avro::Schema::parse_str(&canonical).unwrap());
        prop_assert_eq!(one.canonical_form(), other.canonical_form());
    }

    #[test]
    fn any_text_is_a_schema_or_refused(text in "[\\[\\]{}\":, a-z]{0,60}") {
        if let Ok(schema) = AvroSchema::parse(&text, &[]) {
            prop_assert!(schema.validator().is_ok());
        }
    }
}
