//! The promise: the alerts of `config/prometheus` are valid, fire when they should and only then, watch what a registry
//! really exposes, and each has its entry in the runbook.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../support/places.rs"]
#[allow(dead_code)]
mod places;
#[path = "../registry_api/mod.rs"]
mod registry_api;

use places::{fetched, project};
use regex::Regex;
use registry_api::open;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn promtool() -> Command {
    Command::new(fetched("prometheus").join("usr/bin/promtool"))
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn rule_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(project("config/prometheus"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// What stands behind `key:` on a line of its own, in all rule files.
fn values(key: &str) -> Vec<String> {
    let line = Regex::new(&format!(r"(?m)^\s*(?:- )?{key}:\s*(.+)$")).unwrap();
    rule_files()
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            line.captures_iter(&text)
                .map(|found| found[1].to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_rules_are_valid_and_fire_when_they_should() {
    let checked = promtool()
        .args(["check", "rules"])
        .args(rule_files())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let tested = promtool()
        .args(["test", "rules", "registry.yaml"])
        .current_dir(project("tests/alerts"))
        .output()
        .unwrap();
    assert!(tested.status.success(), "{}", said(&tested));
}

#[test]
fn every_alert_has_a_unit_test_and_an_entry_in_the_runbook() {
    let runbook = fs::read_to_string(project("docs/runbook.md")).unwrap();
    let tests = fs::read_to_string(project("tests/alerts/registry.yaml")).unwrap();
    let alerts = values("alert");
    assert!(alerts.len() >= 5, "{alerts:?}");
    for alert in &alerts {
        assert!(
            runbook.contains(&format!("\n### {alert}\n")),
            "{alert} is not in docs/runbook.md"
        );
        assert!(
            tests.contains(&format!("alertname: {alert}\n")),
            "{alert} has no unit test"
        );
        let anchor = format!("docs/runbook.md#{}", alert.to_lowercase());
        assert!(
            values("runbook").contains(&anchor),
            "{alert} does not say {anchor}"
        );
    }
    let churn = "rate(schema_registry_schema_count[5m]) > 10".to_owned();
    assert!(values("expr").contains(&churn), "{:?}", values("expr"));
}

/// What a registry on a file exposes before anybody has called it, besides its `/metrics` page itself.
async fn exposed(folder: &Path) -> String {
    portcullis::telemetry::metrics::install();
    let (status, body) = open(folder).await.raw_call("GET", "/metrics").await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn what_the_alerts_watch_is_exposed_and_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    let exposed = exposed(folder.path()).await;
    let name = Regex::new("schema_registry_[a-z_]+|portcullis_[a-z_]+").unwrap();
    for expression in values("expr") {
        for metric in name.find_iter(&expression) {
            let metric = metric.as_str();
            assert!(
                exposed
                    .lines()
                    .any(|line| line.starts_with(metric) && line.as_bytes()[metric.len()] != b'_'),
                "{metric} is watched and not exposed:\n{exposed}"
            );
        }
    }
    let mut lint = promtool()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    lint.stdin.take().unwrap().write_all(exposed.as_bytes()).unwrap();
    let lint = lint.wait_with_output().unwrap();
    // 3: readable, with advice. The names are fixed; whether the text can be read is not.
    assert!(matches!(lint.status.code(), Some(0 | 3)), "{}", said(&lint));
}
