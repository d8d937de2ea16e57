//! The processes that are measured: HAProxy in TCP mode, and the gateway.

use super::{orders, topic};
use portcullis::schema::SchemaType;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Ended, by its own pid, when dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// What it lives in goes when it has gone.
    _folder: Option<TempDir>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// CPU time of all its threads so far, by the scheduler's own clock.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanos = tasks.flatten().filter_map(|task| {
            let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} is not up");
        #[allow(clippy::disallowed_methods, reason = "no runtime here")]
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `None` when HAProxy is not installed.
pub fn haproxy(folder: &Path, upstream: SocketAddr) -> Option<Process> {
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let file = folder.join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend f\n  bind {address}\n  default_backend b\nbackend b\n  server s {upstream}\n"
    );
    fs::write(&file, text).unwrap();
    let child = Command::new("haproxy")
        .args(["-db", "-f"])
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    let process = Process {
        child,
        address,
        _folder: None,
    };
    wait_for("HAProxy", || TcpStream::connect(address).is_ok());
    Some(process)
}

/// The gateway with a schema for each language, and their ids.
pub fn portcullis(program: &str, upstream: SocketAddr) -> (Process, Vec<(SchemaType, u32)>) {
    let folder = tempfile::tempdir().unwrap();
    let [gateway, registry, admin] = [free_port(), free_port(), free_port()];
    let brokers = (20_000..40_000u16)
        .step_by(4)
        .find(|first| (*first..first + 4).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()))
        .unwrap();
    let file = folder.path().join("portcullis.yaml");
    let text = format!(
        "upstream:\n  bootstrap_servers: [\"{upstream}\"]\n\
         gateway:\n  listeners:\n    - name: bench\n      address: 127.0.0.1:{gateway}\n      advertised_host: 127.0.0.1\n      \
         routing: {{ port_per_broker: {{ first_port: {brokers}, brokers: 4 }} }}\n\
         registry:\n  embedded:\n    listen: 127.0.0.1:{registry}\n    store: {{ file: ./registry }}\n\
         admin: {{ listen: 127.0.0.1:{admin} }}\n"
    );
    fs::write(&file, text).unwrap();
    let log = fs::File::create(folder.path().join("portcullis.log")).unwrap();
    let child = Command::new(program)
        .args(["run", "--config"])
        .arg(&file)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let process = Process {
        child,
        address: ([127, 0, 0, 1], gateway).into(),
        _folder: Some(folder),
    };
    wait_for("the gateway", || {
        http(admin, "GET", "/readyz", "").is_some_and(|answer| answer.contains(" 200 "))
    });
    let schemas = orders::LANGUAGES
        .iter()
        .map(|language| {
            let body =
                serde_json::json!({"schemaType": language.as_str(), "schema": orders::schema(*language)})
                    .to_string();
            let path = format!("/subjects/{}-value/versions", topic(*language));
            let answer = http(registry, "POST", &path, &body).unwrap();
            let json = answer.rsplit("\r\n\r\n").next().unwrap();
            let json: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|_| panic!("{answer}"));
            (
                *language,
                json["id"].as_u64().unwrap_or_else(|| panic!("{answer}")) as u32,
            )
        })
        .collect();
    (process, schemas)
}

fn http(port: u16, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
