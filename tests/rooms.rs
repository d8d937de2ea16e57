//! Holds the order of the rooms in `src/lib.rs` (a room may use only the rooms above it), and that pure rooms stay
//! pure: no I/O, no clock, no task.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};

/// Paths under `src/` whose code takes bytes and values and returns values. `gateway/session` also stands for
/// `gateway/session_*.rs`.
const PURE: [&str; 8] = [
    "wire/",
    "schema/",
    "contract/",
    "registry/state",
    "registry/election/member",
    "registry/election/protocol",
    "deadletter/redrive",
    "gateway/session",
];

/// What a pure room may not name.
const IMPURE: [&str; 11] = [
    "tokio::",
    "std::net",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "Instant::now",
    "SystemTime::now",
    "Ulid::new",
    "rustls::",
    "axum::",
];

#[test]
fn a_room_uses_only_the_rooms_above_it() {
    let order = rooms(&fs::read_to_string(source_root().join("lib.rs")).unwrap());
    assert_eq!(
        order.first().map(String::as_str),
        Some("wire"),
        "src/lib.rs lists the rooms as `//! 1. [`wire`]`"
    );
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|file| !is_at_the_root(file))
        .flat_map(|file| {
            upward_uses(
                &order,
                file,
                &fs::read_to_string(source_root().join(file)).unwrap(),
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "rooms used from above them:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_folder_of_the_house_is_a_room_in_the_list() {
    let order = rooms(&fs::read_to_string(source_root().join("lib.rs")).unwrap());
    for entry in fs::read_dir(source_root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let room = name.trim_end_matches(".rs");
        assert!(
            ["lib", "main"].contains(&room) || order.iter().any(|known| known == room),
            "src/{name} is not in the list of rooms in src/lib.rs"
        );
    }
}

#[test]
fn pure_rooms_do_no_io_and_read_no_clock() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|file| PURE.iter().any(|pure| file.starts_with(pure)))
        .flat_map(|file| impurities(file, &fs::read_to_string(source_root().join(file)).unwrap()))
        .collect();
    assert!(wrong.is_empty(), "pure rooms that are not:\n{}", wrong.join("\n"));
}

#[test]
fn the_checks_see_what_they_are_for() {
    let order: Vec<String> = ["wire", "schema", "gateway"].map(str::to_owned).to_vec();
    let seen = |text: &str| upward_uses(&order, "schema/avro/parse.rs", text).len();
    assert_eq!(seen("use crate::gateway::Gateway;"), 1);
    assert_eq!(seen("use crate::{schema::Schema, gateway::{Gateway, start}};"), 1);
    assert_eq!(seen("fn f() { crate::gateway::start(); }"), 1);
    assert_eq!(seen("use super::super::super::gateway::Gateway;"), 1);
    assert_eq!(
        seen("pub(in crate::schema) use crate::wire::reader; // crate::gateway"),
        0
    );
    assert_eq!(seen("/// See [`crate::gateway`].\nuse super::gateway;"), 0);
    assert_eq!(impurities("wire/batch.rs", "use std::{fs, io};").len(), 1);
    assert_eq!(
        impurities(
            "wire/batch.rs",
            "use std::time::Instant;\nlet now = Instant::now();"
        )
        .len(),
        1
    );
    assert_eq!(
        impurities(
            "wire/batch.rs",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\nuse std::io;"
        )
        .len(),
        0
    );
    assert_eq!(
        impurities("wire/batch.rs", "#[cfg(test)]\nmod tests;\nuse std::fs;").len(),
        1
    );
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms' names in the order of the list in `src/lib.rs`.
fn rooms(lib: &str) -> Vec<String> {
    let line = Regex::new(r"(?m)^//! \d+\. \[`(\w+)`\]").unwrap();
    line.captures_iter(lib).map(|found| found[1].to_owned()).collect()
}

/// Every source file that is not only tests, relative to `src/`.
fn sources() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&source_root(), &mut found);
    found
        .iter()
        .map(|path| {
            path.strip_prefix(source_root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|path| !path.ends_with("tests.rs") && !path.contains("/tests/"))
        .collect()
}

fn is_at_the_root(file: &str) -> bool {
    file == "lib.rs" || file == "main.rs"
}

fn upward_uses(order: &[String], file: &str, text: &str) -> Vec<String> {
    let own = file.split('/').next().unwrap().trim_end_matches(".rs");
    let Some(own_rank) = order.iter().position(|room| room == own) else {
        return vec![format!("src/{file}: `{own}` is not in the list of rooms")];
    };
    let text = code(text);
    let mut used = named_after(&text, r"\bcrate::");
    // A chain of `super` long enough to leave the room is a way to the root as well.
    let depth = file
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .split('/')
        .count();
    used.extend(
        named_after(&text, &format!(r"\b(?:super::){{{depth},}}"))
            .into_iter()
            .filter(|name| {
                let inside = source_root().join(own).join(name);
                !inside.exists() && !inside.with_extension("rs").exists()
            }),
    );
    used.into_iter()
        .filter(|room| {
            order
                .iter()
                .position(|known| known == room)
                .is_some_and(|rank| rank > own_rank)
        })
        .map(|room| format!("src/{file} uses `{room}`"))
        .collect()
}

/// First path segments after `prefix`, also those in a brace group: `crate::{a::X, b::{Y, Z}}` gives `a` and `b`.
fn named_after(text: &str, prefix: &str) -> Vec<String> {
    let start = Regex::new(prefix).unwrap();
    start
        .find_iter(text)
        .flat_map(|found| {
            let rest = &text[found.end()..];
            if rest.starts_with('{') {
                group_items(rest)
            } else {
                vec![rest.to_owned()]
            }
        })
        .map(|path| {
            path.trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

/// The items between the brace that `text` starts with and its partner.
fn group_items(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => items.push(String::new()),
            other => items.last_mut().unwrap().push(other),
        }
        if depth == 0 {
            break;
        }
    }
    items
}

fn impurities(file: &str, text: &str) -> Vec<String> {
    let text = code(text);
    let mut found: Vec<String> = IMPURE
        .iter()
        .filter(|impure| text.contains(*impure))
        .map(|impure| format!("src/{file} names `{impure}`"))
        .collect();
    for module in named_after(&text, r"\bstd::") {
        let path = format!("std::{module}");
        if IMPURE.contains(&path.as_str()) && !text.contains(&path) {
            found.push(format!("src/{file} names `{path}`"));
        }
    }
    found
}

/// `text` without its comments and without its inline test modules.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("#[cfg(test)]") {
            let indent = &line[..line.len() - trimmed.len()];
            let opens = lines.next().is_some_and(|next| next.trim_end().ends_with('{'));
            let end = format!("{indent}}}");
            while opens && lines.next().is_some_and(|inside| inside != end) {}
            continue;
        }
        // No string in a `use` holds slashes, and elsewhere losing half a string does no harm.
        kept.push_str(line.split("//").next().unwrap_or_default());
        kept.push('\n');
    }
    kept
}
