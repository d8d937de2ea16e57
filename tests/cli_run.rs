//! The promise: `portcullis run` starts gateway, registry and admin port, says when it is ready and why it is not, drains
//! on a signal, and ends with the code that fits when it cannot start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod ports;

use portcullis::demo::{BrokerOptions, EmbeddedBroker};
use ports::free_ports;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A process that does not outlive its test.
struct Portcullis(Child);

impl Drop for Portcullis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Portcullis {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// How it ended, and its log.
    async fn end(mut self) -> (ExitStatus, String) {
        let status = eventually("the process ends", || self.0.try_wait().unwrap()).await;
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status, log)
    }
}

async fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = probe() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("it never happened that {what}"))
}

/// Status and body.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

struct Ports {
    registry: u16,
    admin: u16,
    gateway: u16,
}

fn configure(folder: &Path, broker: &str) -> (String, Ports) {
    let first = free_ports("127.0.0.1", 4);
    let [gateway, first_broker, registry, admin] = [first, first + 1, first + 2, first + 3];
    let text = format!(
        "upstream: {{ bootstrap_servers: [\"{broker}\"] }}\n\
         gateway:\n  listeners:\n    - address: 127.0.0.1:{gateway}\n      \
         routing: {{ port_per_broker: {{ first_port: {first_broker}, brokers: 1 }} }}\n  drain_timeout: 2s\n\
         registry: {{ embedded: {{ listen: \"127.0.0.1:{registry}\", store: {{ file: store }} }} }}\n\
         admin: {{ listen: \"127.0.0.1:{admin}\" }}\n"
    );
    let file = folder.join("portcullis.yaml");
    std::fs::write(&file, text).unwrap();
    (
        file.to_str().unwrap().to_owned(),
        Ports {
            registry,
            admin,
            gateway,
        },
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_served_until_sigterm_drains_it() {
    let broker = EmbeddedBroker::start(BrokerOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, ports) = configure(folder.path(), &broker.address.to_string());
    let process = Portcullis::start(&["run", "--config", &file, "--log-format", "json"]);

    eventually("it is ready", || {
        get(ports.admin, "/readyz").filter(|(status, _)| *status == 200)
    })
    .await;
    assert_eq!(get(ports.admin, "/startupz").unwrap().0, 200);
    let report = get(ports.admin, "/readyz?verbose").unwrap().1;
    for check in ["[+] process", "[+] registry", "[+] upstream"] {
        assert!(report.contains(check), "{report}");
    }
    let metrics = get(ports.admin, "/metrics").unwrap().1;
    for line in [
        "portcullis_build_info{version=",
        "portcullis_registry_up 1",
        "portcullis_connections",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    assert_eq!(get(ports.registry, "/subjects").unwrap(), (200, "[]".to_owned()));
    TcpStream::connect(("127.0.0.1", ports.gateway)).unwrap();

    process.signal("-TERM");
    let (status, log) = process.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string(), "{line}");
    }
    assert!(
        folder.path().join("store").exists(),
        "the store is beside the file"
    );
    broker.stop().await;
}

#[tokio::test]
async fn without_brokers_it_is_alive_but_not_ready_and_sighup_does_not_end_it() {
    let nobody = free_ports("127.0.0.1", 1);
    let folder = tempfile::tempdir().unwrap();
    let (file, ports) = configure(folder.path(), &format!("127.0.0.1:{nobody}"));
    let process = Portcullis::start(&["run", "--config", &file]);

    eventually("the missing broker is reported", || {
        let (status, report) = get(ports.admin, "/readyz?verbose")?;
        (status == 503 && report.contains("[-] upstream: ") && report.contains("[+] process")).then_some(())
    })
    .await;
    process.signal("-HUP");
    eventually("the reload is counted", || {
        let metrics = get(ports.admin, "/metrics")?.1;
        metrics
            .contains("portcullis_config_reload_total{result=\"failure\"} 1")
            .then_some(())
    })
    .await;
    assert_eq!(get(ports.admin, "/livez").unwrap(), (200, "ok\n".to_owned()));
    process.signal("-INT");
    let (status, log) = process.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("the registry has nothing to reload"), "{log}");
}

#[tokio::test]
async fn a_port_that_is_taken_ends_it_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (file, ports) = configure(folder.path(), "127.0.0.1:1");
    for (port, part) in [
        (ports.admin, "the admin port"),
        (ports.registry, "the registry"),
        (ports.gateway, "the gateway"),
    ] {
        let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (status, log) = Portcullis::start(&["run", "--config", &file]).end().await;
        assert_eq!(status.code(), Some(69), "{log}");
        assert!(log.contains(part) && log.contains("cannot start"), "{log}");
        drop(taken);
    }
}

#[tokio::test]
async fn a_bad_configuration_ends_it_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.yaml");
    std::fs::write(&file, "upstreams: {}\n").unwrap();
    let (status, log) = Portcullis::start(&["run", "--config", file.to_str().unwrap()])
        .end()
        .await;
    assert_eq!(status.code(), Some(78));
    assert!(log.contains("did you mean `upstream`?"), "{log}");
}
