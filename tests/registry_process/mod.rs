//! The built binary as a registry, and as the command line that talks to one.

#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests are processes, with no runtime to block"
)]

#[path = "../ports/mod.rs"]
mod ports;

pub use ports::free_ports;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const HOST: &str = "127.0.0.1";

/// A registry in a process of its own, gone with it; its brokers are not there, and it does not need them.
pub struct Registry {
    child: Child,
    pub port: u16,
    data: TempDir,
}

impl Registry {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// `more`: settings of `registry.embedded` besides, for example `tls: { … }`.
    pub fn start_with(more: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let first = free_ports(HOST, 4);
        let port = first + 2;
        let config = format!(
            "upstream: {{ bootstrap_servers: [\"{HOST}:1\"] }}\n\
             gateway: {{ listeners: [{{ name: a, address: \"{HOST}:{first}\", advertised_host: localhost,\n  \
               routing: {{ port_per_broker: {{ first_port: {}, brokers: 1 }} }} }}] }}\n\
             registry: {{ embedded: {{ listen: \"{HOST}:{port}\", store: {{ file: ./registry }}, {more} }} }}\n\
             admin: {{ listen: \"{HOST}:{}\" }}\n",
            first + 1,
            first + 3
        );
        let file = data.path().join("portcullis.yaml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["run", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(data.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut registry = Self { child, port, data };
        let deadline = Instant::now() + Duration::from_mins(1);
        // Over TLS nothing is asked: it listens once it is ready.
        let ready = |registry: &Self| match more {
            "" => registry
                .call("GET", "/subjects", "")
                .is_some_and(|(status, _)| status == 200),
            _ => TcpStream::connect((HOST, registry.port)).is_ok(),
        };
        while !ready(&registry) {
            let log = std::fs::read_to_string(registry.data.path().join("log")).unwrap();
            assert!(registry.child.try_wait().unwrap().is_none(), "ended: {log}");
            assert!(Instant::now() < deadline, "not ready: {log}");
            std::thread::sleep(Duration::from_millis(30));
        }
        registry
    }

    pub fn url(&self) -> String {
        format!("http://{HOST}:{}", self.port)
    }

    /// Status and body of one request.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Option<(u16, serde_json::Value)> {
        let mut socket = TcpStream::connect((HOST, self.port)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).unwrap_or_default()))
    }

    /// A request that must succeed.
    pub fn ok(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let (status, body) = self.call(method, path, body).unwrap();
        assert!(status < 300, "{method} {path}: {status} {body}");
        body
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command has said, and its exit code.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:#?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// `portcullis schema ARGS` in a folder, with no environment but `environment`.
pub fn schema_with(folder: &Path, environment: &[(&str, &str)], args: &[&str]) -> Said {
    Command::new("timeout")
        .args(["-k", "5", "120", env!("CARGO_BIN_EXE_portcullis"), "schema"])
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into()
}

pub fn schema(folder: &Path, args: &[&str]) -> Said {
    schema_with(folder, &[], args)
}

/// Writes files, with the folders that they need.
pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}
