//! The promise: `portcullis schema export` and `import` move a registry as it is (ids, versions, references, metadata, rule
//! sets, settings, modes, contexts, deletions), whatever happens the target's modes are as before, and an import that was
//! interrupted goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::format_push_string, reason = "small texts, once")]

mod registry_process;

use registry_process::{Registry, Said, schema};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

fn record(name: &str, fields: &[Value]) -> String {
    json!({ "type": "record", "name": name, "namespace": "com.example", "fields": fields }).to_string()
}

fn register(registry: &Registry, subject: &str, body: &Value) -> Value {
    registry.ok(
        "POST",
        &format!("/subjects/{subject}/versions"),
        &body.to_string(),
    )
}

/// Everything that a registry can hold: three languages, references in and across contexts, versions with holes, deleted ones
/// that others refer to, whole subjects deleted, metadata, rules, settings, modes and an alias.
fn furnish(registry: &Registry) {
    let optional = |name: &str| json!({ "name": name, "type": ["null", "string"], "default": null });
    register(
        registry,
        "zz-money",
        &json!({ "schema": record("Money", &[optional("a")]) }),
    );
    register(
        registry,
        "zz-money",
        &json!({ "schema": record("Money", &[optional("a"), optional("b")]) }),
    );
    register(
        registry,
        "zz-money",
        &json!({ "schema": record("Money", &[optional("c")]) }),
    );
    let uses_money = |version: u32| {
        json!({
            "schema": record("Order", &[json!({ "name": "m", "type": "com.example.Money" }), optional(&format!("v{version}"))]),
            "references": [{ "name": "com.example.Money", "subject": "zz-money", "version": version }],
            "metadata": { "properties": { "owner": "payments" }, "tags": { "com.example.Order.m": ["PII"] } },
            "ruleSet": { "domainRules": [{ "name": "positive", "kind": "CONDITION", "type": "CEL", "mode": "WRITE", "expr": "true" }] },
        })
    };
    register(registry, "orders-value", &uses_money(1));
    register(registry, "orders-value", &uses_money(2));
    // A hole for good, a soft deletion, and a deleted one that a deleted one refers to.
    registry.ok("DELETE", "/subjects/orders-value/versions/1", "");
    registry.ok("DELETE", "/subjects/zz-money/versions/1", "");
    registry.ok("DELETE", "/subjects/zz-money/versions/3", "");
    registry.ok("DELETE", "/subjects/zz-money/versions/3?permanent=true", "");
    register(registry, "gone", &json!({ "schema": "\"bytes\"" }));
    registry.ok("PUT", "/config/gone", r#"{"compatibility":"NONE"}"#);
    registry.ok("DELETE", "/subjects/gone", "");
    let proto = "syntax = \"proto3\";\npackage p;\nmessage M { string a = 1; }\n";
    register(
        registry,
        "proto%2Fslash",
        &json!({ "schemaType": "PROTOBUF", "schema": proto }),
    );
    register(
        registry,
        "j\u{e4}son".replace('\u{e4}', "%C3%A4").as_str(),
        &json!({ "schemaType": "JSON", "schema": "{\"type\":\"object\"}" }),
    );
    // The same schema in another subject has the same id; in a context ids begin anew.
    register(registry, "orders-copy", &uses_money(2));
    register(
        registry,
        ":.billing:invoice",
        &json!({ "schema": record("Invoice", &[]) }),
    );
    register(
        registry,
        ":.billing:receipt",
        &json!({
            "schema": record("Receipt", &[json!({ "name": "i", "type": "com.example.Invoice" })]),
            "references": [{ "name": "com.example.Invoice", "subject": "invoice", "version": 1 }],
        }),
    );
    registry.ok("PUT", "/config", r#"{"compatibility":"FULL","normalize":true}"#);
    registry.ok(
        "PUT",
        "/config/:.billing:",
        r#"{"compatibility":"FORWARD","compatibilityGroup":"major"}"#,
    );
    registry.ok(
        "PUT",
        "/config/orders-value",
        r#"{"compatibility":"BACKWARD_TRANSITIVE","defaultMetadata":{"properties":{"team":"a"}}}"#,
    );
    registry.ok("PUT", "/config/nickname", r#"{"alias":"orders-value"}"#);
    registry.ok("PUT", "/mode/proto%2Fslash", r#"{"mode":"READONLY"}"#);
    registry.ok("PUT", "/mode/:.billing:", r#"{"mode":"READONLY"}"#);
}

struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn export(&self, registry: &Registry, to: &str) -> String {
        let said = schema(
            self.folder.path(),
            &["export", "--registry", &registry.url(), "--to", to],
        );
        assert_eq!(said.code, 0, "{said:#?}");
        std::fs::read_to_string(self.folder.path().join(to)).unwrap()
    }

    fn import(&self, registry: &Registry, from: &str, more: &[&str]) -> Said {
        let url = registry.url();
        schema(
            self.folder.path(),
            &[&["import", "--registry", &url, "--from", from][..], more].concat(),
        )
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn an_export_imported_is_the_same_export_again() {
    let house = House::new();
    let (one, two) = (Registry::start(), Registry::start());
    furnish(&one);
    let first = house.export(&one, "one.jsonl");
    assert!(!first.contains("\"ts\""));
    assert_eq!(
        first,
        house.export(&one, "again.jsonl"),
        "nothing in it depends on the moment"
    );
    let said = house.import(&two, "one.jsonl", &["--verify", "--output", "json"]);
    assert_eq!(said.code, 0, "{said:#?}");
    let told = said.json();
    assert_eq!(told["registered"], 10, "{told}");
    assert_eq!(told["deleted"], 3, "{told}");
    assert_eq!(told["differences"], json!([]));
    assert_eq!(first, house.export(&two, "two.jsonl"));

    // What clients see: a deleted one stays softly deleted, the next id and version follow the highest.
    assert_eq!(
        two.ok("GET", "/subjects/orders-value/versions?deleted=true", ""),
        json!([1, 2])
    );
    assert_eq!(two.ok("GET", "/subjects/orders-value/versions", ""), json!([2]));
    assert_eq!(two.call("GET", "/subjects/gone/versions", "").unwrap().0, 404);
    let next =
        |registry: &Registry| register(registry, "new", &json!({ "schema": "\"long\"" }))["id"].clone();
    assert_eq!(next(&one), next(&two));
    let refused = json!({ "schema": record("Other", &[]) }).to_string();
    let (status, _) = two
        .call("POST", "/subjects/:.billing:other/versions", &refused)
        .unwrap();
    assert_eq!(status, 422, "READONLY came with it");
}

#[test]
fn a_second_import_changes_nothing_and_half_of_one_is_completed() {
    let house = House::new();
    let (one, two) = (Registry::start(), Registry::start());
    furnish(&one);
    let whole = house.export(&one, "whole.jsonl");
    // As if it had been interrupted: a part of the versions, none deleted yet, in IMPORT mode.
    two.ok("PUT", "/mode", r#"{"mode":"IMPORT"}"#);
    for line in whole
        .lines()
        .filter(|line| line.starts_with("{\"schema\":{\"subject\":\"zz-money\""))
    {
        let version: Value = serde_json::from_str(line).unwrap();
        register(&two, "zz-money", &version["schema"]);
    }
    two.ok("PUT", "/mode", r#"{"mode":"READWRITE"}"#);
    let said = house.import(&two, "whole.jsonl", &[]);
    assert_eq!(said.code, 65, "{said:#?}");
    assert!(
        said.err
            .contains("the registry is not empty: it holds 2 versions. Say --merge"),
        "{said:#?}"
    );
    let said = house.import(&two, "whole.jsonl", &["--merge", "--verify"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(
        said.out
            .starts_with("8 schemas registered, 2 there already, 3 deleted softly"),
        "{said:#?}"
    );
    assert_eq!(whole, house.export(&two, "two.jsonl"));
    let said = house.import(&two, "whole.jsonl", &["--merge", "--verify"]);
    assert!(
        said.out.starts_with(
            "0 schemas registered, 10 there already, 0 deleted softly, 0 configurations and modes set\n"
        ),
        "{said:#?}"
    );
}

#[test]
fn what_is_in_the_way_is_told_before_anything_is_written() {
    let house = House::new();
    let (one, two) = (Registry::start(), Registry::start());
    furnish(&one);
    house.export(&one, "one.jsonl");
    register(&two, "orders-value", &json!({ "schema": "\"int\"" }));
    register(&two, "other", &json!({ "schema": "\"long\"" }));
    let before = house.export(&two, "before.jsonl");
    let said = house.import(&two, "one.jsonl", &["--merge"]);
    assert_eq!(said.code, 65, "{said:#?}");
    assert!(
        said.err
            .contains("orders-value version 1 has id 1 there, 4 in the file"),
        "{said:#?}"
    );
    assert!(
        said.err
            .contains("id 2 of zz-money version 2 is another schema there"),
        "{said:#?}"
    );
    assert_eq!(before, house.export(&two, "after.jsonl"));
}

#[test]
fn a_refusal_in_the_middle_gives_every_mode_back() {
    let house = House::new();
    let (one, two) = (Registry::start(), Registry::start());
    furnish(&one);
    let whole = house.export(&one, "whole.jsonl");
    // A schema that no registry takes, with a count that is right.
    let spoiled: Vec<String> = whole
        .lines()
        .map(|line| {
            if line.contains("\"subject\":\"orders-copy\"") {
                line.replace("\\\"type\\\":\\\"record\\\"", "\\\"type\\\":\\\"recrod\\\"")
            } else {
                line.to_owned()
            }
        })
        .collect();
    std::fs::write(house.path().join("spoiled.jsonl"), spoiled.join("\n") + "\n").unwrap();
    two.ok("PUT", "/mode/:.billing:", r#"{"mode":"READONLY"}"#);
    let said = house.import(&two, "spoiled.jsonl", &[]);
    assert_eq!(said.code, 65, "{said:#?}");
    assert!(said.err.contains("orders-copy version 1, id "), "{said:#?}");
    assert!(said.err.contains("error_code 42201"), "{said:#?}");
    assert_eq!(two.ok("GET", "/mode", "")["mode"], "READWRITE");
    assert_eq!(two.ok("GET", "/mode/:.billing:", "")["mode"], "READONLY");
    let said = house.import(&two, "whole.jsonl", &["--merge", "--verify"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(whole, house.export(&two, "two.jsonl"));
}

#[test]
fn a_file_that_is_cut_off_or_not_there_or_cannot_be_written_is_told() {
    let house = House::new();
    let registry = Registry::start();
    register(&registry, "a", &json!({ "schema": "\"int\"" }));
    let whole = house.export(&registry, "whole.jsonl");
    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(
        house.path().join("cut.jsonl"),
        lines[..lines.len() - 1].join("\n"),
    )
    .unwrap();
    std::fs::write(house.path().join("torn.jsonl"), &whole[..whole.len() - 10]).unwrap();
    for (file, code, why) in [
        ("cut.jsonl", 65, "the file is cut off: its end is missing"),
        ("torn.jsonl", 65, "no line of an export"),
        ("nowhere.jsonl", 66, "cannot be read"),
    ] {
        let said = house.import(&registry, file, &[]);
        assert_eq!(said.code, code, "{said:#?}");
        assert!(said.err.contains(why), "{said:#?}");
    }
    let said = schema(
        house.path(),
        &[
            "export",
            "--registry",
            &registry.url(),
            "--to",
            "/proc/nowhere.jsonl",
        ],
    );
    assert_eq!(said.code, 73, "{said:#?}");
    let said = schema(
        house.path(),
        &["export", "--registry", "http://127.0.0.1:1", "--to", "none.jsonl"],
    );
    assert_eq!(said.code, 69, "{said:#?}");
    let left = std::fs::read_dir(house.path())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert!(
        left.into_iter().all(|name| !name.contains("none")),
        "nothing half written is left"
    );
}

#[test]
fn more_than_a_page_is_moved() {
    let house = House::new();
    let (one, two) = (Registry::start(), Registry::start());
    for number in 0..450 {
        register(
            &one,
            &format!("s{}", number % 150),
            &json!({ "schema": record(&format!("R{number}"), &[]) }),
        );
        if number < 150 {
            one.ok(
                "PUT",
                &format!("/config/s{number}"),
                r#"{"compatibility":"NONE"}"#,
            );
        }
    }
    let first = house.export(&one, "one.jsonl");
    assert_eq!(first.matches("{\"schema\":{").count(), 450);
    let said = house.import(&two, "one.jsonl", &["--verify"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(first, house.export(&two, "two.jsonl"));
}

#[test]
fn two_versions_and_a_file_are_compared() {
    let house = House::new();
    let registry = Registry::start();
    let field = |name: &str| json!({ "name": name, "type": "string" });
    registry.ok("PUT", "/config/a", r#"{"compatibility":"NONE"}"#);
    register(&registry, "a", &json!({ "schema": record("A", &[field("x")]) }));
    register(
        &registry,
        "a",
        &json!({ "schema": record("A", &[field("x"), field("y")]) }),
    );
    let url = registry.url();
    let diff = |args: &[&str]| schema(house.path(), &[&["diff", "--registry", &url][..], args].concat());
    let said = diff(&["a", "1", "2"]);
    assert_eq!(said.code, 0, "at NONE everything goes: {said:#?}");
    assert!(said.out.contains("+      \"name\": \"y\",\n"), "{said:#?}");
    assert!(
        said.out.contains(
            "the new schema reads old data (BACKWARD): no\n  READER_FIELD_MISSING_DEFAULT_VALUE at /fields/1"
        ),
        "{said:#?}"
    );
    assert!(
        said.out
            .contains("the old schema reads new data (FORWARD): yes\n"),
        "{said:#?}"
    );
    registry.ok("PUT", "/config/a", r#"{"compatibility":"BACKWARD"}"#);
    let json = diff(&["a", "1", "latest", "--output", "json"]);
    assert_eq!(json.code, 1, "{json:#?}");
    assert_eq!(
        json.json()["backward"][0]["kind"],
        "READER_FIELD_MISSING_DEFAULT_VALUE"
    );
    assert_eq!(json.json()["level"], "BACKWARD");
    std::fs::write(house.path().join("a.avsc"), record("A", &[field("x")])).unwrap();
    let same = diff(&["a", "1", "a.avsc"]);
    assert_eq!(
        (same.code, same.out.as_str()),
        (0, "--- a version 1\n+++ a.avsc\nthe same\n"),
        "{same:#?}"
    );
    std::fs::write(house.path().join("a.avsc"), "{\n\"type\": }").unwrap();
    let broken = diff(&["a", "1", "a.avsc"]);
    assert_eq!(broken.code, 1, "{broken:#?}");
    assert!(broken.err.contains("a.avsc:2:9: not JSON"), "{broken:#?}");
    assert_eq!(diff(&["a", "1", "7"]).code, 66);
    assert_eq!(diff(&["a", "1", "x"]).code, 64);
}

/// As many versions as it takes to be interrupted among them.
fn large(versions: usize) -> String {
    let mut text = String::from("{\"export\":{\"format\":1}}\n");
    for number in 1..=versions {
        let version = json!({ "schema": {
            "subject": format!("s{}", number % 500), "version": 1 + number / 500, "id": number,
            "schemaType": "AVRO", "schema": record(&format!("R{number}"), &[]), "deleted": false,
        } });
        text.push_str(&format!("{version}\n"));
    }
    text + &format!("{{\"end\":{{\"schemas\":{versions},\"configs\":0,\"modes\":0}}}}\n")
}

#[test]
fn an_import_that_is_interrupted_gives_the_mode_back_and_goes_on_later() {
    let house = House::new();
    let registry = Registry::start();
    std::fs::write(house.path().join("large.jsonl"), large(2_000)).unwrap();
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args([
            "schema",
            "import",
            "--from",
            "large.jsonl",
            "--registry",
            &registry.url(),
        ])
        .current_dir(house.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while registry.ok("GET", "/subjects", "").as_array().unwrap().len() < 20 {
        assert!(std::time::Instant::now() < deadline);
    }
    assert_eq!(registry.ok("GET", "/mode", "")["mode"], "IMPORT");
    let id = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!(said.code, 75, "{said:#?}");
    assert!(
        said.err
            .contains("interrupted; the same command with --merge goes on"),
        "{said:#?}"
    );
    assert_eq!(registry.ok("GET", "/mode", "")["mode"], "READWRITE");
    let said = house.import(
        &registry,
        "large.jsonl",
        &["--merge", "--verify", "--output", "json"],
    );
    assert_eq!(said.code, 0, "{said:#?}");
    let told = said.json();
    let (new, old) = (
        told["registered"].as_u64().unwrap(),
        told["already_there"].as_u64().unwrap(),
    );
    assert!(new > 0 && old > 0 && new + old == 2_000, "{told}");
    assert_eq!(
        house
            .export(&registry, "again.jsonl")
            .matches("{\"schema\":{")
            .count(),
        2_000
    );
}

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Does something to a registry; what it refuses is as good.
fn meddle(registry: &Registry, dice: &mut Dice) {
    let subject = ["a", "b", "c%2Fd", ":.x:a", ":.x:e", ":.y:b"][dice.below(6) as usize];
    let version = 1 + dice.below(4);
    match dice.below(12) {
        0..=5 => {
            let mut body = json!({ "schema": record(&format!("R{}", dice.below(6)), &[]) });
            if dice.below(3) == 0 {
                let referenced = ["a", "b", "e"][dice.below(3) as usize];
                body["schema"] = record(&format!("User{}", dice.below(6)), &[]).into();
                body["references"] = json!([{ "name": "any", "subject": referenced, "version": version }]);
            }
            if dice.below(3) == 0 {
                body["metadata"] = json!({ "properties": { "p": dice.below(2).to_string() } });
            }
            registry.call(
                "POST",
                &format!("/subjects/{subject}/versions"),
                &body.to_string(),
            );
        }
        6 | 7 => {
            registry.call("DELETE", &format!("/subjects/{subject}/versions/{version}"), "");
        }
        8 => {
            registry.call(
                "DELETE",
                &format!("/subjects/{subject}/versions/{version}?permanent=true"),
                "",
            );
        }
        9 => {
            registry.call("DELETE", &format!("/subjects/{subject}"), "");
        }
        10 => {
            let level = ["NONE", "FULL"][dice.below(2) as usize];
            let body = json!({ "compatibility": level, "compatibilityGroup": "g" }).to_string();
            registry.call("PUT", &format!("/config/{subject}"), &body);
        }
        _ => {
            registry.call("PUT", &format!("/mode/{subject}"), r#"{"mode":"READWRITE"}"#);
        }
    }
}

#[test]
fn whatever_was_done_to_a_registry_its_export_is_the_same_after_an_import() {
    let seed = std::env::var("PORTCULLIS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_261_128);
    let (mut deleted, mut referring) = (0, 0);
    for round in 0..4 {
        let house = House::new();
        let (one, two) = (Registry::start(), Registry::start());
        let mut dice = Dice(seed.wrapping_mul(round + 1) | 1);
        one.ok("PUT", "/config", r#"{"compatibility":"NONE"}"#);
        for context in [":.x:", ":.y:"] {
            one.ok(
                "PUT",
                &format!("/config/{context}"),
                r#"{"compatibility":"NONE"}"#,
            );
        }
        for _ in 0..300 {
            meddle(&one, &mut dice);
        }
        let first = house.export(&one, "one.jsonl");
        deleted += first.matches("\"deleted\":true").count();
        referring += first.matches("\"references\":").count();
        let said = house.import(&two, "one.jsonl", &["--verify"]);
        assert_eq!(said.code, 0, "seed {seed}, round {round}: {said:#?}");
        assert_eq!(
            first,
            house.export(&two, "two.jsonl"),
            "seed {seed}, round {round}"
        );
    }
    // The pinned seed does what the test is for.
    assert!(deleted > 20 && referring > 5, "{deleted} {referring}");
}
