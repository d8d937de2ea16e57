//! The promise: the JSON Schema Test Suite's required tests of all five drafts pass, and those of `format` where it is
//! asserted.
//!
//! `JSON_SCHEMA_TEST_SUITE` names a folder with the suite's `tests/` and `remotes/`; without it these tests say
//! that they are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use portcullis::schema::{Formats, ReferencedSchema, Schema, SchemaType, Validator};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// Draft, file, group and test that are not passed, and why.
const NOT_PASSED: &[(&str, &str, &str, &str, &str)] = &[];

#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Box<RawValue>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    description: String,
    data: Box<RawValue>,
    valid: bool,
}

fn suite() -> Option<PathBuf> {
    let folder = std::env::var_os("JSON_SCHEMA_TEST_SUITE").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: JSON_SCHEMA_TEST_SUITE does not name a copy of the JSON Schema Test Suite");
    }
    folder
}

fn json_files(folder: &Path, found: &mut Vec<PathBuf>, deep: bool) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if deep {
                json_files(&path, found, deep);
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

/// What the suite expects to be served at localhost:1234, for one draft.
fn remotes(suite: &Path, draft: &str) -> Vec<ReferencedSchema> {
    let folder = suite.join("remotes");
    let mut files = Vec::new();
    json_files(&folder, &mut files, true);
    files
        .iter()
        .filter_map(|file| {
            let name = file.strip_prefix(&folder).unwrap().to_str().unwrap();
            let other_draft = (name.starts_with("draft") || name.starts_with("v1"))
                && !name.starts_with(&format!("{draft}/"));
            (!other_draft).then(|| ReferencedSchema {
                name: format!("http://localhost:1234/{name}"),
                text: std::fs::read_to_string(file).unwrap(),
            })
        })
        .collect()
}

/// The suite's draft-4, 6 and 7 schemas have no `$schema`; they are meant as the folder says.
fn with_draft(schema: &str, draft: &str) -> String {
    let uri = match draft {
        "draft4" => "http://json-schema.org/draft-04/schema#",
        "draft6" => "http://json-schema.org/draft-06/schema#",
        _ => return schema.to_owned(),
    };
    match schema.trim_start().strip_prefix('{') {
        Some(rest) if rest.trim_start().starts_with('}') => format!(r#"{{"$schema":"{uri}"{rest}"#),
        Some(rest) if !schema.contains("\"$schema\"") => format!(r#"{{"$schema":"{uri}",{rest}"#),
        _ => schema.to_owned(),
    }
}

fn run(draft: &str) {
    let Some(suite) = suite() else { return };
    let mut files = Vec::new();
    json_files(
        &suite.join("tests").join(draft),
        &mut files,
        std::env::var_os("JSON_SUITE_OPTIONAL").is_some(),
    );
    let passed = pass(draft, &suite, files, Formats::Annotate);
    assert!(
        passed > 500,
        "{} has only {passed} tests for {draft}",
        suite.display()
    );
}

/// At least `least` tests of `optional/format/`.
fn run_formats(draft: &str, least: usize) {
    let Some(suite) = suite() else { return };
    let optional = suite.join("tests").join(draft).join("optional");
    let mut files = Vec::new();
    json_files(&optional.join("format"), &mut files, false);
    let by_vocabulary = optional.join("format-assertion.json");
    if by_vocabulary.exists() {
        files.push(by_vocabulary);
    }
    let passed = pass(draft, &suite, files, Formats::Assert);
    assert!(
        passed >= least,
        "{} has only {passed} tests of formats for {draft}",
        suite.display()
    );
}

fn pass(draft: &str, suite: &Path, files: Vec<PathBuf>, formats: Formats) -> usize {
    let remotes = remotes(suite, draft);
    let mut passed = 0;
    let mut failures = Vec::new();
    for file in files {
        let file_name = file.file_name().unwrap().to_str().unwrap();
        let groups: Vec<Group> = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for group in groups {
            let schema = with_draft(group.schema.get(), draft);
            let validator =
                Schema::parse(SchemaType::Json, &schema, &remotes).and_then(|schema| schema.validator());
            for case in group.tests {
                let outcome = match &validator {
                    Err(error) => Err(error.to_string()),
                    Ok(Validator::Json(validator)) => {
                        Ok(validator.validate_with(case.data.get().as_bytes(), formats))
                    }
                    Ok(_) => unreachable!(),
                };
                let listed = NOT_PASSED.iter().any(|(in_draft, in_file, in_group, test, _)| {
                    *in_draft == draft
                        && *in_file == file_name
                        && *in_group == group.description
                        && *test == case.description
                });
                let right = matches!(&outcome, Ok(result) if result.is_ok() == case.valid);
                match (right, listed) {
                    (true, false) => passed += 1,
                    (false, true) => {}
                    (true, true) => failures.push(format!(
                        "{file_name}: {}: {}: passes, but is listed",
                        group.description, case.description
                    )),
                    (false, false) => failures.push(format!(
                        "{file_name}: {}: {}: expected valid = {}, got {outcome:?}",
                        group.description, case.description, case.valid
                    )),
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n{}",
        failures.len(),
        passed + failures.len(),
        failures.join("\n")
    );
    eprintln!("{draft}: {passed} passed");
    passed
}

#[test]
fn draft_4_is_covered() {
    run("draft4");
}

#[test]
fn draft_6_is_covered() {
    run("draft6");
}

#[test]
fn draft_7_is_covered() {
    run("draft7");
}

#[test]
fn draft_2019_09_is_covered() {
    run("draft2019-09");
}

#[test]
fn draft_2020_12_is_covered() {
    run("draft2020-12");
}

#[test]
fn formats_of_draft_4_are_asserted() {
    run_formats("draft4", 50);
}

#[test]
fn formats_of_draft_6_are_asserted() {
    run_formats("draft6", 100);
}

#[test]
fn formats_of_draft_7_are_asserted() {
    run_formats("draft7", 300);
}

#[test]
fn formats_of_draft_2019_09_are_asserted() {
    run_formats("draft2019-09", 300);
}

#[test]
fn formats_of_draft_2020_12_are_asserted() {
    run_formats("draft2020-12", 300);
}
