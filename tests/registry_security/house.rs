//! The built binary with a `security` section, and requests to it.

use super::ports::free_ports;
use portcullis::registry::access::users;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_mins(1);
pub const JSON: &str = "application/vnd.schemaregistry.v1+json";

pub struct House {
    pub folder: TempDir,
    pub port: u16,
    pub admin: u16,
    process: Child,
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// An answer's status, head and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// The status and the `error_code`, 0 without one.
    pub fn code(&self) -> (u16, u64) {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        (self.status, body["error_code"].as_u64().unwrap_or(0))
    }

    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// Lines of a users' file: names with passwords, and groups.
pub fn users(of: &[(&str, &str, &[&str])]) -> String {
    let lines = of.iter().map(|(name, password, groups)| {
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        users::line(name, password, &groups).unwrap()
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub fn basic(name: &str, password: &str) -> String {
    use base64::Engine;
    let text = format!("{name}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

pub fn schema(name: &str) -> Value {
    json!({ "schema": json!({ "type": "record", "name": name, "fields": [] }).to_string() })
}

impl House {
    /// `security`: what stands below that key, indented by six. `files` are written beside the configuration first.
    pub fn start(security: &str, files: &[(&str, &str)]) -> Self {
        let mut house = Self::begin(security, files);
        let deadline = Instant::now() + PATIENCE;
        while !house.log().contains("portcullis serves") {
            if let Some(status) = house.process.try_wait().unwrap() {
                panic!("ended with {status}: {}", house.log());
            }
            assert!(Instant::now() < deadline, "not ready: {}", house.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        house
    }

    /// What a start that fails says, and its exit code.
    pub fn fails(security: &str, files: &[(&str, &str)]) -> (i32, String) {
        let mut house = Self::begin(security, files);
        let status = house.end();
        (status.unwrap(), house.log())
    }

    fn begin(security: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let first = free_ports("127.0.0.1", 4);
        let (registry, admin) = (first + 2, first + 3);
        let text = format!(
            "upstream: {{ bootstrap_servers: [\"127.0.0.1:1\"] }}\n\
             gateway:\n  listeners:\n    - address: 127.0.0.1:{first}\n      routing: {{ port_per_broker: {{ first_port: {}, brokers: 1 }} }}\n\
             registry:\n  embedded:\n    listen: 127.0.0.1:{registry}\n    store: {{ file: store }}\n    security:\n{security}\n\
             admin: {{ listen: 127.0.0.1:{admin} }}\n",
            first + 1
        );
        std::fs::write(folder.path().join("portcullis.yaml"), text).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["run", "--config", "portcullis.yaml"])
            .current_dir(folder.path())
            .env("RUST_LOG", "info,portcullis=trace")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            folder,
            port: registry,
            admin,
            process,
        }
    }

    /// Waits for the process; its exit code.
    fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// SIGTERM, and all that it has said.
    pub fn stop(mut self) -> String {
        self.signal("-TERM");
        assert_eq!(self.end(), Some(0));
        self.log()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> String {
        read(&self.path("log"))
    }

    /// Sends a request with these headers and this body; the path goes as it is.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let headers = headers.concat();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {JSON}\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).unwrap();
        // A body that is too large is not read to its end.
        let _ = socket.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("{method} {path}: {answer}"));
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The same as somebody; nobody when `authorization` is empty.
    pub fn ask(&self, authorization: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let headers = [("Authorization", authorization)];
        let headers = if authorization.is_empty() {
            &[][..]
        } else {
            &headers
        };
        self.send(
            method,
            path,
            headers,
            &body.map(|body| body.to_string()).unwrap_or_default(),
        )
    }

    pub fn get(&self, authorization: &str, path: &str) -> Answer {
        self.ask(authorization, "GET", path, None)
    }

    /// Registers a record without fields; its id.
    pub fn register(&self, authorization: &str, subject: &str, name: &str) -> u64 {
        let path = format!("/subjects/{subject}/versions");
        let answer = self.ask(authorization, "POST", &path, Some(schema(name)));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["id"].as_u64().unwrap()
    }

    /// The audit's lines, once `enough`.
    pub fn audit(&self, file: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = read(&self.path(file));
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let lines: Vec<Value> = whole
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            if enough(&lines) {
                return lines;
            }
            assert!(Instant::now() < deadline, "{text}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

/// The body of a page on another port of the process.
pub fn http_get(port: u16, path: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

pub fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
