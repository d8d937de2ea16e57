//! The promise: `portcullis check` exits 0 for a good configuration, and 78 for a bad one, naming file, line, what is
//! wrong and what to write instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::Path;
use std::process::{Command, Output};

fn portcullis(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(args)
        .env_clear()
        .env("BROKER", "kafka-7:9092")
        .output()
        .unwrap()
}

/// Exit code, standard output and standard error of `check` on a file of this text. `FILE` stands for its path.
fn check(text: &str, more: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let output = portcullis(&[&["check", path], more].concat());
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(path, "FILE");
    (
        output.status.code().unwrap(),
        said(output.stdout),
        said(output.stderr),
    )
}

#[test]
fn the_examples_are_good() {
    for example in ["config/minimal.yaml", "config/full.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(example);
        let output = portcullis(&["check", path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{example}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.contains("upstream  localhost:9092 (plaintext)"), "{said}");
    }
}

#[test]
fn a_good_file_gets_a_summary() {
    let (code, said, complained) = check("upstream: { bootstrap_servers: [\"${BROKER}\"] }\n", &[]);
    assert_eq!((code, complained.as_str()), (0, ""));
    assert!(said.starts_with("FILE: good\n"), "{said}");
    assert!(said.contains("kafka-7:9092"), "{said}");
    assert!(said.contains("brokers on 9193 to 9256"), "{said}");
}

#[test]
fn a_bad_file_names_line_fault_and_suggestion() {
    let table = [
        (
            "upstream:\n  bootstrap_servers: [\"k:9092\"]\n  sasl: { mechanism: PLAIN }\n",
            "FILE:3:9: `upstream.sasl.username` is missing; for example `username: portcullis`\nFILE:3:9: `upstream.sasl.password` is missing; for example `password: \"${KAFKA_PASSWORD}\"`\n",
        ),
        (
            "upstreams: {}\n",
            "FILE:1:1: unknown key `upstreams`; did you mean `upstream`?\n",
        ),
        (
            "upstream: { bootstrap_servers: [\"k\"] }\n",
            "FILE:1:33: `bootstrap_servers`: `k` is not a host and a port; for example `bootstrap_servers: [\"kafka-1:9092\"]`\n",
        ),
        (
            "upstream: { bootstrap_servers: [\"k:1\"] }\npolicies:\n  - topics: [a]\n    value: { level: paylod }\n",
            "FILE:4:21: `level`: `paylod` is not known; did you mean `payload`?\n",
        ),
        (
            "upstream: { bootstrap_servers: [\"${UNSET}\"] }\n",
            "FILE:1:33: environment variable UNSET is not set; set it, or write ${UNSET:-default}\n",
        ),
        (
            "upstream: { bootstrap_servers: [\"k:1\"] }\nadmin: { listen: \"0.0.0.0:9192\" }\n",
            "FILE:1:1: listener `default` (port 9192) and admin (port 9192) want the same port; move one of them\n",
        ),
        ("upstream: [\n", "FILE:"),
    ];
    for (text, expected) in table {
        let (code, said, complained) = check(text, &[]);
        assert_eq!((code, said.as_str()), (78, ""), "{text}");
        assert!(complained.contains(expected), "{text}\n{complained}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_bad() {
    let output = portcullis(&["check", "/no/such/file.yaml"]);
    assert_eq!(output.status.code(), Some(78));
    let complained = String::from_utf8(output.stderr).unwrap();
    assert!(
        complained.starts_with("/no/such/file.yaml: cannot be read: "),
        "{complained}"
    );
}

#[test]
fn findings_are_also_json() {
    let (code, said, _) = check(
        "upstream: { bootstrap_servers: [\"k:1\"] }\nadmn: {}\n",
        &["--output", "json"],
    );
    assert_eq!(code, 78);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["valid"], false);
    assert_eq!(said["diagnostics"][0]["line"], 2);
    assert_eq!(said["diagnostics"][0]["suggestion"], "did you mean `admin`?");
    let (code, said, _) = check(
        "upstream: { bootstrap_servers: [\"k:1\"] }\n",
        &["--output", "json"],
    );
    assert_eq!(code, 0);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&said["valid"], &said["upstream"][0]),
        (&true.into(), &"k:1".into())
    );
}
