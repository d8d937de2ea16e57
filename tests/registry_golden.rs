//! A `_schemas` log as a Confluent registry writes it (`tests/golden/schemas-log.jsonl`) is understood, and what is
//! written in its place has the same keys and values, byte for byte: a compacted topic would otherwise keep both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use portcullis::registry::state::{Digest, Record, SchemaContent};
use serde_json::Value;

const LOG: &str = include_str!("golden/schemas-log.jsonl");

/// Kinds that the registry neither folds nor writes yet: they are known, or reported, and never written back.
const KEPT_ASIDE: [&str; 3] = ["CLEAR_SUBJECT", "CONTEXT", "ASSOC"];

fn records() -> Vec<(String, Option<String>)> {
    let lines = LOG
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    lines
        .map(|line| (text(&line["key"]).unwrap(), text(&line["value"])))
        .collect()
}

fn kind(key: &str) -> String {
    serde_json::from_str::<Value>(key).unwrap()["keytype"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn every_key_is_written_as_it_was_read() {
    let mut compared = 0;
    for (key, value) in records() {
        if KEPT_ASIDE.contains(&kind(&key).as_str()) {
            continue;
        }
        let record = Record::decode(key.as_bytes(), value.as_deref().map(str::as_bytes)).unwrap();
        let (written, _) = record.encode().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), key);
        compared += 1;
    }
    assert_eq!(compared, 27);
}

#[test]
fn every_value_of_a_current_release_is_written_as_it_was_read() {
    let mut compared = 0;
    for (key, value) in records() {
        let kind = kind(&key);
        let Some(value) = value else { continue };
        let fields: Value = serde_json::from_str(&value).unwrap();
        // Old releases wrote less; settings beyond level and normalize are not kept yet.
        let of_old = (kind == "SCHEMA" && fields["md5"].is_null()) || key.contains("old-value");
        if KEPT_ASIDE.contains(&kind.as_str()) || of_old || fields.get("compatibilityGroup").is_some() {
            continue;
        }
        let (_, written) = Record::decode(key.as_bytes(), Some(value.as_bytes()))
            .unwrap()
            .encode()
            .unwrap();
        assert_eq!(String::from_utf8(written.unwrap()).unwrap(), value);
        compared += 1;
    }
    assert_eq!(compared, 19);
}

/// The `md5` in the log and the one that is computed from the same content: the identity of a schema.
#[test]
fn every_md5_in_the_log_is_the_one_that_is_computed() {
    use base64::Engine as _;
    let mut compared = 0;
    for (key, value) in records() {
        let Some(value) = value.filter(|value| value.contains("\"md5\"")) else {
            continue;
        };
        let Record::Schema {
            value: Some(read), ..
        } = Record::decode(key.as_bytes(), Some(value.as_bytes())).unwrap()
        else {
            panic!("{key}");
        };
        let digest: Digest = SchemaContent::digest(&read.content);
        let said: Value = serde_json::from_str(&value).unwrap();
        let computed = base64::engine::general_purpose::STANDARD.encode(digest.0);
        assert_eq!(said["md5"], computed, "{key}");
        compared += 1;
    }
    assert_eq!(compared, 11);
}
