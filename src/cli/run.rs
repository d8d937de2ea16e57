//! `portcullis run`: puts the process together, and takes it down in the opposite order.

use super::exit;
use crate::config::{self, CommandLine, Options};
use crate::deadletter;
use crate::deadletter::projector::{self, ProjectorOptions};
use crate::gateway;
use crate::registry::{self, Registry};
use crate::telemetry::health::Health;
use crate::telemetry::{admin, metrics};
use clap::Args;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

/// Fails until everything is up, and again from the moment that draining begins.
const PROCESS_CHECK: &str = "process";

const EXAMPLES: &str = "\
Examples:
  portcullis run --upstream localhost:9092
  portcullis run --upstream kafka-1:9092,kafka-2:9092 --data /var/lib/portcullis
  portcullis run --config portcullis.yaml
  KAFKA=kafka-1:9092 portcullis run --config portcullis.yaml     ${KAFKA} in the file

SIGHUP reads certificates and keys again, as also happens when their files change; not the configuration itself.
SIGTERM and SIGINT drain: no new connections, requests under way are answered. A second signal ends at once.
Exit codes: 0 drained, 64 command line, 69 a port is taken, 71 the system refused, 77 not permitted, 78 configuration.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// The configuration file (YAML).
    #[arg(long, value_name = "FILE", required_unless_present = "upstream")]
    config: Option<PathBuf>,
    /// The brokers to stand before; goes before the file's.
    #[arg(long, value_name = "HOST:PORT,...", value_parser = config::upstream_text)]
    upstream: Option<String>,
    /// Where the registry keeps its data; goes before the file's. [default: ./portcullis-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub async fn run(args: RunArgs) -> ExitCode {
    let command_line = CommandLine {
        upstream: args.upstream,
        data: args.data,
    };
    let options = match &args.config {
        Some(file) => config::load(file, &super::environment, &command_line),
        None => config::without_file(&command_line),
    };
    let options = match options {
        Ok(options) => options,
        Err(diagnostics) => {
            eprintln!("{diagnostics}");
            return ExitCode::from(exit::CONFIG);
        }
    };
    match serve(options).await {
        Ok(code) => code,
        Err(failed) => {
            error!(error = %failed.error, "{} cannot start", failed.part);
            exit::of_start_error(&failed.error)
        }
    }
}

/// The part that did not start, and why.
struct Failed {
    part: String,
    error: io::Error,
}

fn failed(part: impl Into<String>) -> impl FnOnce(io::Error) -> Failed {
    let part = part.into();
    move |error| Failed { part, error }
}

async fn serve(options: Options) -> Result<ExitCode, Failed> {
    metrics::install();
    let mut signals = Signals::new().map_err(failed("signal handling"))?;
    let health = Health::default();
    health.expect(PROCESS_CHECK);
    warn_of_localhost(&options);

    let admin = admin::start(options.admin, health.clone())
        .await
        .map_err(failed(format!("the admin port on {}", options.admin)))?;
    let registry_at = format!("the registry on {}", options.registry.listen);
    // With its log in Kafka it waits for the brokers, as long as that takes.
    let registry = tokio::select! {
        started = registry::start(options.registry, health.clone()) => started.map_err(failed(registry_at))?,
        name = signals.end(None) => {
            info!("{name}: ending before the registry's log was loaded");
            return Ok(ExitCode::SUCCESS);
        }
    };
    metrics::registry_up().set(1.0);
    let upstream = options.gateway.upstream.clone();
    let projector = options
        .decisions
        .as_ref()
        .map(|log| {
            let options = ProjectorOptions {
                topic: log.topic.clone(),
            };
            projector::start(options, &upstream, health.clone())
        })
        .transpose()
        .map_err(failed("the projector of dead letters"))?;
    let decisions = options
        .decisions
        .map(|log| deadletter::log::start(log, &options.gateway.upstream, health.clone()))
        .transpose()
        .map_err(failed("the log of decisions"))?;
    let (decisions, deciding) = decisions.unzip();
    let gateway = gateway::start(
        options.gateway,
        options.policies,
        registry.schemas(),
        decisions,
        health.clone(),
    )
    .await
    .map_err(failed("the gateway"))?;
    health.pass(PROCESS_CHECK);
    info!(
        gateway = ?gateway.addresses,
        registry = %registry.address,
        admin = %admin.address,
        version = env!("CARGO_PKG_VERSION"),
        "portcullis serves"
    );

    let name = signals.end(Some(&registry)).await;
    info!("{name}: draining; a second signal ends at once");
    health.fail(PROCESS_CHECK, "draining".to_owned());
    registry.abdicate();
    let down = async {
        gateway.drain().await;
        if let Some(projector) = projector {
            projector.stop().await;
        }
        if let Some(deciding) = deciding {
            deciding.stop().await;
        }
        registry.stop().await;
        admin.stop();
    };
    tokio::select! {
        () = down => {
            info!("portcullis has drained");
            Ok(ExitCode::SUCCESS)
        }
        name = signals.end(None) => {
            warn!("{name} again: ending without waiting for what is under way");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What works on a laptop and nowhere else is worth a line.
fn warn_of_localhost(options: &Options) {
    for listener in &options.gateway.listeners {
        if listener.advertised_host == "localhost" && listener.address.ip().is_unspecified() {
            warn!(
                listener = listener.name,
                "clients are told to connect to `localhost`: those on other machines need `advertised_host`"
            );
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal that ends the process, and names it; one to reload reaches `registry`, if that still serves.
    async fn end(&mut self, registry: Option<&Registry>) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hang_up.recv() => {
                    let Some(registry) = registry else {
                        info!("SIGHUP: not while starting or draining");
                        continue;
                    };
                    info!("SIGHUP: files that the configuration names are read again; a change of the configuration itself needs a restart");
                    registry.reload().await;
                }
            }
        }
    }
}
