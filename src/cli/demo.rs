//! `portcullis demo`: a house with no file at all, and a tour of it.

use super::exit;
use crate::demo::{House, Ports, TourError};
use crate::telemetry::logs::{self, LogFormat};
use clap::Args;
use std::io::Write as _;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

const EXAMPLES: &str = "\
Examples:
  portcullis demo                         the tour, then serve: gateway 9192, registry 8081, admin 9644
  portcullis demo --port-base 19000       the same on 19000 and the ports behind it
  portcullis demo --once                  the tour alone, on free ports; status 0 only if all went as it should

Nothing is kept: broker and registry begin empty and end with the process.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoOptions {
    /// Ends after the tour, with status 0 only if every record met the fate it should have.
    #[arg(long)]
    once: bool,
    /// The gateway's port; its broker port, the registry's and the admin port are the next three.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=65_532))]
    port_base: Option<u16>,
}

impl DemoOptions {
    /// One tour may run beside anything; a house that stays is where its users look for it.
    fn ports(&self) -> Ports {
        match (self.port_base, self.once) {
            (Some(first), _) => Ports::From(first),
            (None, true) => Ports::Free,
            (None, false) => Ports::Usual,
        }
    }
}

pub async fn run(options: DemoOptions, log_format: LogFormat) -> ExitCode {
    // Who asks for a log gets it from the start; else it begins where the table ends.
    if std::env::var_os("RUST_LOG").is_some() {
        logs::install(log_format);
    }
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("portcullis demo: signals cannot be handled: {error}");
            return exit::of_start_error(&error);
        }
    };
    let house = match House::start(options.ports()).await {
        Ok(house) => house,
        Err(error) => return explain(&error),
    };
    let code = tokio::select! {
        code = visit(&house, &options) => code,
        () = signals.end() => ExitCode::FAILURE,
    };
    if options.once || code != ExitCode::SUCCESS {
        house.stop().await;
        return code;
    }
    logs::install(log_format);
    print_addresses(&house);
    signals.end().await;
    say(&"stopping\n");
    house.stop().await;
    code
}

/// The tour itself; a house that fails it is still worth a look when it stays.
async fn visit(house: &House, options: &DemoOptions) -> ExitCode {
    match house.tour().await {
        Ok(report) => {
            say(&report);
            if report.is_good() || !options.once {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("portcullis demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn explain(error: &TourError) -> ExitCode {
    eprintln!("portcullis demo: {error}");
    match error {
        TourError::Start { error, .. } => {
            if error.kind() == std::io::ErrorKind::AddrInUse {
                eprintln!("another process has that port: choose others with --port-base N");
            }
            exit::of_start_error(error)
        }
        _ => ExitCode::FAILURE,
    }
}

fn print_addresses(house: &House) {
    let House {
        gateway,
        registry,
        admin,
        broker,
        ..
    } = house;
    say(&format_args!(
        "
gateway   {gateway}   (bootstrap.servers)
registry  http://{registry}
admin     http://{admin}
broker    {}   (embedded; go through the gateway instead)

Try:
  echo hello | kcat -b {gateway} -P -t notes           passes: no schema governs the topic
  echo hello | kcat -b {gateway} -P -t orders          refused: PC-101
  kcat -b {gateway} -C -t customers -e
  curl -s http://{registry}/subjects
  curl -s http://{registry}/subjects/orders-value/versions/latest
  curl -s http://{admin}/metrics | grep portcullis_records_total
Ctrl-C ends it; nothing is kept.
",
        broker.address
    ));
}

/// To standard output. Nobody is left to be told when that is gone: `portcullis demo | head`.
fn say(text: &dyn std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
