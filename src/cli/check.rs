//! `portcullis check`: a configuration's summary, or everything that is wrong with it.

use super::{Format, exit};
use crate::config::{self, CommandLine, Diagnostic, Diagnostics, Options};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis check portcullis.yaml
  portcullis check portcullis.yaml --output json

Exit codes: 0 good, 78 bad. A finding is one line: FILE:LINE:COLUMN: what is wrong; what to write instead.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// The configuration file (YAML).
    file: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

pub fn check(args: &CheckArgs) -> ExitCode {
    let read = config::load(&args.file, &super::environment, &CommandLine::default());
    match (&read, args.output) {
        (Ok(options), Format::Text) => print!("{}", summary(&args.file, options)),
        (Err(diagnostics), Format::Text) => eprintln!("{diagnostics}"),
        (_, Format::Json) => println!("{}", as_json(&args.file, read.as_ref())),
    }
    if read.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::CONFIG)
    }
}

fn brokers(options: &Options) -> Vec<String> {
    let servers = &options.gateway.upstream.bootstrap_servers;
    servers
        .iter()
        .map(|server| format!("{}:{}", server.host, server.port))
        .collect()
}

fn summary(file: &Path, options: &Options) -> String {
    let mut text = format!("{}: good\n", file.display());
    let tls = |on: bool| if on { "TLS" } else { "plaintext" };
    // Writing to a string does not fail.
    let upstream = &options.gateway.upstream;
    let _ = writeln!(
        text,
        "  upstream  {} ({})",
        brokers(options).join(", "),
        tls(upstream.tls.is_some())
    );
    for listener in &options.gateway.listeners {
        let last = listener
            .first_port
            .saturating_add(listener.brokers.saturating_sub(1));
        let _ = writeln!(
            text,
            "  listener  {}: {} ({}), told to clients as {}, brokers on {} to {last}",
            listener.name,
            listener.address,
            tls(listener.tls.is_some()),
            listener.advertised_host,
            listener.first_port,
        );
    }
    let registry = &options.registry;
    let _ = writeln!(
        text,
        "  registry  {}, data in {}",
        registry.listen, registry.store
    );
    let _ = writeln!(text, "  admin     {}", options.admin);
    let _ = writeln!(text, "  policies  {}, then the default", options.policies.0.len());
    text
}

fn as_json(file: &Path, read: Result<&Options, &Diagnostics>) -> Value {
    match read {
        Ok(options) => json!({
            "file": file,
            "valid": true,
            "upstream": brokers(options),
            "listeners": options.gateway.listeners.iter().map(|listener| json!({
                "name": listener.name,
                "address": listener.address.to_string(),
                "advertised_host": listener.advertised_host,
                "first_port": listener.first_port,
                "brokers": listener.brokers,
                "tls": listener.tls.is_some(),
            })).collect::<Vec<_>>(),
            "registry": { "listen": options.registry.listen.to_string(), "store": options.registry.store.to_string() },
            "admin": options.admin.to_string(),
            "policies": options.policies.0.len(),
        }),
        Err(diagnostics) => json!({
            "file": file,
            "valid": false,
            "diagnostics": diagnostics.0.iter().map(diagnostic).collect::<Vec<_>>(),
        }),
    }
}

fn diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "file": diagnostic.file,
        "line": diagnostic.position.map(|at| at.line),
        "column": diagnostic.position.map(|at| at.column),
        "message": diagnostic.what,
        "suggestion": diagnostic.suggestion,
    })
}
