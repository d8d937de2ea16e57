//! The `portcullis` binary under test, and its registry.

use super::http;
use super::places::{free_ports, scratch};
use super::process::Leashed;
use serde_json::{Value, json};
use std::fs;
use std::process::ExitStatus;
use std::time::Duration;
use tempfile::TempDir;

/// What a test says of its gateway; the rest is worked out.
pub struct Setup {
    pub upstream: String,
    /// Lines under `upstream:` after the servers.
    pub upstream_extra: String,
    /// What the listener binds, and what clients are told.
    pub host: String,
    pub advertised_host: String,
    /// Lines of the listener, for example `tls: {...}`.
    pub listener_extra: String,
    /// The items of `policies:`; none leaves the key out.
    pub policies: String,
    /// Lines of `limits:`.
    pub limits: String,
    /// The registry's `store:`; none is a file in the gateway's folder.
    pub store: String,
    /// The level until `PUT /config`.
    pub compatibility: String,
    /// Lines under `registry.embedded`, for example `tls: {...}`.
    pub registry_extra: String,
}

impl Setup {
    pub fn new(upstream: &str) -> Self {
        Self {
            upstream: upstream.to_owned(),
            upstream_extra: String::new(),
            host: "127.0.0.1".to_owned(),
            advertised_host: "127.0.0.1".to_owned(),
            listener_extra: String::new(),
            policies: String::new(),
            limits: String::new(),
            store: String::new(),
            compatibility: "NONE".to_owned(),
            registry_extra: String::new(),
        }
    }

    pub fn policies(mut self, policies: &str) -> Self {
        policies.clone_into(&mut self.policies);
        self
    }

    /// Writes the configuration, starts the gateway and waits until it is ready.
    pub fn start(self) -> Portcullis {
        const BROKERS: u16 = 8;
        let folder = scratch();
        let first = free_ports(&self.host, BROKERS + 1);
        let others = free_ports("127.0.0.1", 2);
        let (registry, admin) = (format!("127.0.0.1:{others}"), format!("127.0.0.1:{}", others + 1));
        let servers: Vec<String> = self
            .upstream
            .split(',')
            .map(|server| format!("\"{server}\""))
            .collect();
        let mut file = format!(
            "upstream:
  bootstrap_servers: [{servers}]
{upstream_extra}gateway:
  listeners:
    - name: test
      address: {host}:{first}
      advertised_host: {advertised}
      routing: {{ port_per_broker: {{ first_port: {broker}, brokers: {BROKERS} }} }}
{listener_extra}",
            servers = servers.join(", "),
            upstream_extra = indented(&self.upstream_extra, 2),
            host = self.host,
            advertised = self.advertised_host,
            broker = first + 1,
            listener_extra = indented(&self.listener_extra, 6),
        );
        if !self.limits.is_empty() {
            file += &format!("  limits:\n{}", indented(&self.limits, 4));
        }
        let store = if self.store.is_empty() {
            format!("{{ file: {} }}", folder.path().join("registry").display())
        } else {
            self.store.clone()
        };
        file += &format!(
            "  drain_timeout: 5s
registry:
  embedded:
    listen: {registry}
    store: {store}
    compatibility: {compatibility}
{registry_extra}",
            compatibility = self.compatibility,
            registry_extra = indented(&self.registry_extra, 4),
        );
        if !self.policies.is_empty() {
            file += &format!("policies:\n{}", indented(&self.policies, 2));
        }
        file += &format!("admin: {{ listen: {admin} }}\n");
        let path = folder.path().join("portcullis.yaml");
        fs::write(&path, file).unwrap();
        let command = ["run", "--config", path.to_str().unwrap()]
            .map(str::to_owned)
            .to_vec();
        Portcullis::launch(
            command,
            folder,
            format!("{}:{first}", self.advertised_host),
            first,
            registry,
            admin,
        )
    }
}

fn indented(lines: &str, by: usize) -> String {
    lines.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

pub struct Portcullis {
    process: Leashed,
    command: Vec<String>,
    /// What clients are given.
    pub bootstrap: String,
    pub bootstrap_port: u16,
    pub registry: String,
    pub admin: String,
    folder: TempDir,
}

impl Portcullis {
    /// Starts the binary with `command` and waits until `/readyz` says yes.
    fn launch(
        mut command: Vec<String>,
        folder: TempDir,
        bootstrap: String,
        bootstrap_port: u16,
        registry: String,
        admin: String,
    ) -> Self {
        command.insert(0, env!("CARGO_BIN_EXE_portcullis").to_owned());
        let process = run(&command, &folder, &admin);
        Self {
            process,
            command,
            bootstrap,
            bootstrap_port,
            registry,
            admin,
            folder,
        }
    }

    /// SIGTERM, then the same again on the same ports; the exit status of the first.
    pub fn restart(&mut self) -> ExitStatus {
        let status = self.process.stop();
        self.process = run(&self.command, &self.folder, &self.admin);
        status
    }

    /// Registers a schema and returns its id.
    pub fn register(&self, subject: &str, schema_type: &str, text: &str) -> u32 {
        let body = json!({ "schemaType": schema_type, "schema": text }).to_string();
        let path = format!("/subjects/{subject}/versions");
        let answer = http::request("POST", &self.registry, &path, Some(&body)).expect("the registry answers");
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        u32::try_from(answer["id"].as_u64().unwrap()).unwrap()
    }

    /// One sample of `/metrics`: the sum over all series of `name` whose labels hold each of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = http::get(&self.admin, "/metrics")
            .expect("the admin port answers")
            .body;
        text.lines()
            .filter(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} ")))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// A file beside its configuration.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    pub fn said(&self) -> String {
        self.process.said()
    }
}

fn run(command: &[String], folder: &TempDir, admin: &str) -> Leashed {
    let log = folder.path().join("portcullis.log");
    let mut process = Leashed::start("TERM", command.to_vec(), folder.path(), &log);
    process.wait_until("portcullis", Duration::from_secs(20), || {
        http::get(admin, "/readyz").is_some_and(|answer| answer.status == 200)
    });
    process
}
