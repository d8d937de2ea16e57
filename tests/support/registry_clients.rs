//! The programs that try a registry with others' clients, unmodified: `tests/real/python`, `go` and `node`.

use super::clients::python;
use super::places::{built, fetched, project};
use super::process::run;
use serde_json::{Map, Value};

/// How a registry is reached; a program gets it as one JSON object (`tests/real/python/checks.py`).
#[derive(Clone, Debug)]
pub struct Connection(Map<String, Value>);

impl Connection {
    pub fn new(url: &str) -> Self {
        Self(Map::new()).with("url", url)
    }

    /// `ca`, `user` and `password`, `token`, `certificate` and `key`.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub fn json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    pub fn url(&self) -> &str {
        self.0["url"].as_str().unwrap()
    }
}

/// What a program said of its checks.
#[derive(Debug)]
pub struct Verdict {
    pub passed: u64,
    /// The names of those that failed.
    pub failed: Vec<String>,
    /// Every line, for the message of a failed test.
    pub lines: String,
}

/// Runs a program to its end; a program that ends before its last line fails the test.
pub fn verdict(mut command: Vec<String>, connection: &Connection, more: &[&str]) -> Verdict {
    command.push(connection.json());
    command.extend(more.iter().map(|&word| word.to_owned()));
    let ran = run(&command);
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why} in {line}\n{ran:#?}")))
        .collect();
    let last = lines.last().unwrap_or_else(|| panic!("said nothing: {ran:#?}"));
    let passed = last["passed"]
        .as_u64()
        .unwrap_or_else(|| panic!("ended early: {ran:#?}"));
    let failed: Vec<String> = lines
        .iter()
        .filter_map(|line| line["failed"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ran.status.success(), failed.is_empty(), "{ran:#?}");
    assert_eq!(last["failures"].as_u64(), Some(failed.len() as u64), "{ran:#?}");
    Verdict {
        passed,
        failed,
        lines: ran.out + &ran.err,
    }
}

/// confluent-kafka-python, every method; `style`: `sync` or `async`.
pub fn python_client(connection: &Connection, style: &str) -> Verdict {
    verdict(python("registry_client.py"), connection, &[style])
}

/// confluent-kafka-python's serializers and deserializers, without a broker.
pub fn python_serializers(connection: &Connection) -> Verdict {
    verdict(python("registry_serializers.py"), connection, &[])
}

/// `confluent_kafka.avro`, the client of before 2020, through a broker.
pub fn python_of_old(connection: &Connection, bootstrap: &str, topic: &str) -> Verdict {
    verdict(python("registry_old.py"), connection, &[bootstrap, topic])
}

/// confluent-kafka-go's package `schemaregistry`, every method, and its serializers.
pub fn go_client(connection: &Connection) -> Verdict {
    let program = built().join("registry-go");
    assert!(
        program.exists(),
        "no {}: run `bash tests/run --fetch`",
        program.display()
    );
    verdict(vec![program.to_str().unwrap().to_owned()], connection, &[])
}

/// `@confluentinc/schemaregistry`, every method, and `@kafkajs/confluent-schema-registry`.
pub fn node_clients(connection: &Connection) -> Verdict {
    let program = vec![
        "env".to_owned(),
        format!("NODE_PATH={}", fetched("node").join("node_modules").display()),
        "node".to_owned(),
        project("tests/real/node/registry.js")
            .to_str()
            .unwrap()
            .to_owned(),
    ];
    verdict(program, connection, &[])
}
