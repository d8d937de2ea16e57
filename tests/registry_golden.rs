//! A `_schemas` log as a Confluent registry writes it (`tests/golden/schemas-log.jsonl`) is understood, and what is
//! written in its place has the same keys and values, byte for byte: a compacted topic would otherwise keep both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use base64::Engine as _;
use portcullis::registry::state::Record;
use serde_json::Value;

const LOG: &str = include_str!("golden/schemas-log.jsonl");

fn records() -> Vec<(String, Option<String>)> {
    let lines = LOG
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    lines
        .map(|line| (text(&line["key"]).unwrap(), text(&line["value"])))
        .collect()
}

fn decoded(key: &str, value: Option<&str>) -> Record {
    Record::decode(key.as_bytes(), value.map(str::as_bytes))
}

#[test]
fn every_key_is_written_as_it_was_read() {
    let records = records();
    for (key, value) in &records {
        let (written, _) = decoded(key, value.as_deref()).encode().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), *key);
    }
    assert_eq!(records.len(), 30);
}

#[test]
fn every_value_of_a_current_release_is_written_as_it_was_read() {
    let mut compared = 0;
    for (key, value) in records() {
        let Some(value) = value else { continue };
        // Old releases wrote less: no type for Avro, no subject in a configuration.
        let of_old = key.contains("old-value");
        if of_old {
            continue;
        }
        let (_, written) = decoded(&key, Some(&value)).encode().unwrap();
        assert_eq!(String::from_utf8(written.unwrap()).unwrap(), value);
        compared += 1;
    }
    assert_eq!(compared, 23);
}

#[test]
fn only_the_association_is_not_understood() {
    let unknown: Vec<String> = records()
        .iter()
        .filter_map(|(key, value)| match decoded(key, value.as_deref()) {
            Record::Unknown(unknown) => Some(unknown.kind),
            _ => None,
        })
        .collect();
    assert_eq!(unknown, ["ASSOC"]);
}

/// The identity of a schema is the one that Confluent's registry computes.
#[test]
fn every_schemas_identity_is_the_one_that_confluent_computes() {
    let mut compared = 0;
    for line in LOG
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
    {
        let Some(md5) = line["md5"].as_str() else { continue };
        let key = line["key"].as_str().unwrap();
        let Record::Schema {
            value: Some(read), ..
        } = decoded(key, line["value"].as_str())
        else {
            panic!("{key}");
        };
        let computed = base64::engine::general_purpose::STANDARD.encode(read.content.digest().0);
        assert_eq!(computed, md5, "{key}");
        compared += 1;
    }
    assert_eq!(compared, 11);
}
