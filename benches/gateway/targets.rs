//! The processes that are measured: HAProxy in TCP mode, and the gateway.

use super::processes::{Process, free_port, http, wait_for};
use super::{orders, topic};
use portcullis::schema::SchemaType;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const START_TIME_MAX: Duration = Duration::from_secs(20);

/// `None` when HAProxy is not installed.
pub fn haproxy(folder: &Path, upstream: SocketAddr) -> Option<Process> {
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let file = folder.join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend f\n  bind {address}\n  default_backend b\nbackend b\n  server s {upstream}\n"
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f"]).arg(&file);
    let process = Process::start(&mut command, address, &folder.join("haproxy.log"), None)?;
    wait_for("HAProxy", START_TIME_MAX, || TcpStream::connect(address).is_ok());
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
    let mut command = Command::new(program);
    command.args(["run", "--config"]).arg(&file);
    let log = folder.path().join("portcullis.log");
    let process = Process::start(&mut command, ([127, 0, 0, 1], gateway).into(), &log, Some(folder)).unwrap();
    wait_for("the gateway", START_TIME_MAX, || {
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
