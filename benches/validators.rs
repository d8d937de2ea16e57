//! What the check of one payload costs, beside the library that one would otherwise use, in one run:
//! `cargo bench --bench validators`. Rounds are interleaved and the median is printed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod orders;

use apache_avro::reader::datum::GenericDatumReader;
use orders::{RECORDS, payloads, schema};
use portcullis::schema::{Schema, SchemaType, Validator};
use prost_reflect::{DescriptorPool, DynamicMessage};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 41;
/// Checks all payloads and counts the valid ones.
type Pass = Box<dyn Fn(&[Vec<u8>]) -> usize>;

/// One row: a name, its payloads, and the check of one of them.
struct Subject<'a> {
    language: &'static str,
    name: &'static str,
    payloads: &'a [Vec<u8>],
    check: Pass,
    ns: Vec<f64>,
}

/// The loop is compiled with the check inside, so that the call through the box is paid once a pass.
fn subject<'a>(
    language: &'static str,
    name: &'static str,
    payloads: &'a [Vec<u8>],
    check: impl Fn(&[u8]) -> bool + 'static,
) -> Subject<'a> {
    let check = Box::new(move |payloads: &[Vec<u8>]| {
        payloads
            .iter()
            .filter(|payload| check(black_box(payload.as_slice())))
            .count()
    });
    Subject {
        language,
        name,
        payloads,
        check,
        ns: Vec::new(),
    }
}

fn validator(language: SchemaType) -> Validator {
    Schema::parse(language, schema(language), &[])
        .unwrap()
        .validator()
        .unwrap()
}

fn subjects<'a>(avro: &'a [Vec<u8>], protobuf: &'a [Vec<u8>], json: &'a [Vec<u8>]) -> Vec<Subject<'a>> {
    let Validator::Avro(ours_avro) = validator(SchemaType::Avro) else {
        panic!()
    };
    let Validator::Protobuf(ours_protobuf) = validator(SchemaType::Protobuf) else {
        panic!()
    };
    let Validator::Json(ours_json) = validator(SchemaType::Json) else {
        panic!()
    };
    let message = ours_protobuf.message([0]).unwrap();

    // Its reader resolves names when it is made; it is made once, and lives as long as the process.
    let peer_avro = Box::leak(Box::new(
        apache_avro::Schema::parse_str(schema(SchemaType::Avro)).unwrap(),
    ));
    let peer_avro = GenericDatumReader::builder(peer_avro).build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("order.proto"), schema(SchemaType::Protobuf)).unwrap();
    let files = protox::compile(["order.proto"], [directory.path()]).unwrap();
    let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
    let peer_protobuf = pool.get_message_by_name("shop.Order").unwrap();
    let peer_json =
        jsonschema::validator_for(&serde_json::from_str(schema(SchemaType::Json)).unwrap()).unwrap();

    vec![
        subject("Avro", "portcullis", avro, move |payload| {
            ours_avro.validate(payload).is_ok()
        }),
        subject("Avro", "apache-avro", avro, move |mut payload| {
            peer_avro.read_value(&mut payload).is_ok()
        }),
        subject("Protobuf", "portcullis", protobuf, move |payload| {
            ours_protobuf.validate(message, payload).is_ok()
        }),
        subject("Protobuf", "prost-reflect", protobuf, move |payload| {
            DynamicMessage::decode(peer_protobuf.clone(), payload).is_ok()
        }),
        subject("JSON Schema", "portcullis", json, move |payload| {
            ours_json.validate(payload).is_ok()
        }),
        subject("JSON Schema", "serde_json + jsonschema", json, move |payload| {
            serde_json::from_slice(payload).is_ok_and(|value| peer_json.is_valid(&value))
        }),
    ]
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let [avro, protobuf, json] = orders::LANGUAGES.map(payloads);
    let mut subjects = subjects(&avro, &protobuf, &json);
    for round in 0..=ROUNDS {
        for subject in &mut subjects {
            let start = Instant::now();
            let valid = (subject.check)(black_box(subject.payloads));
            let ns = start.elapsed().as_nanos() as f64 / RECORDS as f64;
            assert_eq!(
                valid, RECORDS,
                "{} {} refuses orders",
                subject.language, subject.name
            );
            // The first round warms up.
            if round > 0 {
                subject.ns.push(ns);
            }
        }
    }

    println!("{RECORDS} varied orders, {ROUNDS} interleaved rounds, median ns a record\n");
    println!("| language | bytes | validator | ns | peer / ours |\n|---|---|---|---|---|");
    let mut ours = 0.0;
    for subject in &mut subjects {
        let ns = median(&mut subject.ns);
        let bytes = subject.payloads.iter().map(Vec::len).sum::<usize>() / RECORDS;
        let is_ours = subject.name == "portcullis";
        if is_ours {
            ours = ns;
        }
        let ratio = if is_ours {
            "1".to_owned()
        } else {
            format!("{:.1}", ns / ours)
        };
        println!(
            "| {} | {bytes} | {} | {ns:.0} | {ratio} |",
            subject.language, subject.name
        );
    }
}
