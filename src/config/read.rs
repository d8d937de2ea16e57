//! From a file, or from the command line alone, to [`Options`].

use super::diagnostic::Diagnostics;
use super::environment::Environment;
use super::section::Reading;
use super::{Options, address, dead_letters, gateway, policies, ports, registry, upstream, yaml};
use crate::gateway::GatewayOptions;
use crate::kafka::UpstreamOptions;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where everything is kept that nobody named a place for; in the working directory.
const DATA: &str = "portcullis-data";

/// What the command line says; it goes before the file.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// `HOST:PORT,...`
    pub upstream: Option<String>,
    pub data: Option<PathBuf>,
}

/// Reads the configuration file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(
    file: &Path,
    environment: Environment<'_>,
    command_line: &CommandLine,
) -> Result<Options, Diagnostics> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Diagnostics::one(file, None, format!("cannot be read: {error}")))?;
    parse(&text, file, environment, &|path| path.is_file(), command_line)
}

/// Reads a configuration's text. Touches nothing: `environment` has the variables, `exists` knows the files, and
/// `file` is only where relative paths start and what diagnostics name.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(
    text: &str,
    file: &Path,
    environment: Environment<'_>,
    exists: &dyn Fn(&Path) -> bool,
    command_line: &CommandLine,
) -> Result<Options, Diagnostics> {
    let brokers = match &command_line.upstream {
        Some(text) => Some(upstream::address_list(text).map_err(|why| on_command_line(&why))?),
        None => None,
    };
    let root = yaml::read(text, file)?;
    let mut reading = Reading::new(file, environment, exists);
    let Some(mut top) = reading.section(&root, "") else {
        return reading.finish(None);
    };

    if brokers.is_none() && top.take("upstream").is_none() {
        let suggestion = Some("for example `upstream: { bootstrap_servers: [\"kafka-1:9092\"] }`".to_owned());
        reading.report(
            root.at,
            "`upstream` is missing: which brokers to stand before",
            suggestion,
        );
    }
    let section = top.take_section("upstream", &mut reading);
    let upstream = upstream::read(section, &mut reading, brokers.as_deref());
    let gateway_at = top.take("gateway").map_or(root.at, |node| node.at);
    let section = top.take_section("gateway", &mut reading);
    let gateway = gateway::read(section, &mut reading);
    let section = top.take_section("registry", &mut reading);
    let data = command_line.data.as_deref().unwrap_or(Path::new(DATA));
    let registry = registry::read(
        section,
        &mut reading,
        data,
        command_line.data.is_some(),
        upstream.as_ref(),
    );
    let policies = policies::read(top.take("policies"), &mut reading);
    let section = top.take_section("dead_letters", &mut reading);
    let decisions = dead_letters::read(section, &mut reading, data, &policies);
    let mut admin = default_admin();
    if let Some(mut section) = top.take_section("admin", &mut reading) {
        if let Some(node) = section.take("listen") {
            admin = reading
                .parsed(node, "listen", "127.0.0.1:9644", address::listen)
                .unwrap_or(admin);
        }
        section.finish(&mut reading);
    }
    top.finish(&mut reading);
    let options = match (upstream, gateway) {
        (Some(upstream), Some(gateway)) => Some(Options {
            decisions,
            ..assemble(upstream, gateway, registry, policies, admin)
        }),
        _ => None,
    };
    for conflict in options.iter().flat_map(ports::conflicts) {
        reading.report(gateway_at, conflict, Some("move one of them".to_owned()));
    }
    reading.finish(options)
}

/// The options of `run --upstream` without a file.
///
/// # Errors
/// What is wrong with the command line.
pub fn without_file(command_line: &CommandLine) -> Result<Options, Diagnostics> {
    let Some(text) = &command_line.upstream else {
        return Err(on_command_line(
            "neither --config nor --upstream says which brokers to stand before",
        ));
    };
    let bootstrap_servers = upstream::address_list(text).map_err(|why| on_command_line(&why))?;
    let data = command_line.data.as_deref().unwrap_or(Path::new(DATA));
    Ok(assemble(
        UpstreamOptions {
            bootstrap_servers,
            tls: None,
            sasl: None,
        },
        gateway::GatewaySection::default(),
        registry::default_options(data),
        crate::contract::Policies::default(),
        default_admin(),
    ))
}

/// Looks whether `text` is a list of brokers as `--upstream` takes it.
///
/// # Errors
/// What is wrong with it.
pub fn upstream_text(text: &str) -> Result<String, String> {
    upstream::address_list(text).map(|_| text.to_owned())
}

fn assemble(
    upstream: UpstreamOptions,
    gateway: gateway::GatewaySection,
    registry: crate::registry::RegistryOptions,
    policies: crate::contract::Policies,
    admin: SocketAddr,
) -> Options {
    let gateway::GatewaySection {
        listeners,
        limits,
        drain_timeout,
    } = gateway;
    Options {
        gateway: GatewayOptions {
            listeners,
            upstream,
            limits,
            drain_timeout,
        },
        registry,
        policies,
        decisions: None,
        admin,
    }
}

/// Only this machine: the port has no authentication.
fn default_admin() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 9644))
}

fn on_command_line(what: &str) -> Diagnostics {
    Diagnostics::one(Path::new("command line"), None, what)
}

#[cfg(test)]
mod tests;
