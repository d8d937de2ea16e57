//! The promise: every code of `docs/reference.md` has its page, and the command line's mistakes are usage errors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use portcullis::contract::Code;
use std::process::{Command, Output};

fn portcullis(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn every_code_is_explained_and_in_the_reference() {
    let reference = include_str!("../docs/reference.md");
    for code in Code::ALL.iter().map(|code| code.as_str()) {
        let output = portcullis(&["explain", code]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{code}");
        assert!(
            said.starts_with(&format!("{code}: ")) && said.contains("\nWhat to do: "),
            "{said}"
        );
        assert!(
            reference.contains(&format!("| {code} |")),
            "{code} is not in docs/reference.md"
        );
    }
}

#[test]
fn a_whole_line_and_a_number_alone_are_understood() {
    for subject in [
        "PC-201 record 17 value: $.total: expected double",
        "pc-201",
        "201",
        "PC-201:",
    ] {
        let output = portcullis(&["explain", subject, "--output", "json"]);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["code"], "PC-201", "{subject}");
    }
}

#[test]
fn a_reference_tells_when_it_was_made() {
    let output = portcullis(&["explain", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--output", "json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["made_ms"], 1_469_922_850_259_u64);
}

#[test]
fn what_is_not_understood_is_a_usage_error() {
    for args in [
        &["explain", "PC-999"][..],
        &["explain"],
        &["run"],
        &["run", "--upstream", "kafka"],
        &["rnu"],
    ] {
        let output = portcullis(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    assert_eq!(portcullis(&["--help"]).status.code(), Some(0));
    assert_eq!(portcullis(&["--version"]).status.code(), Some(0));
}
