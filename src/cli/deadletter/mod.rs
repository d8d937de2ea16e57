//! `portcullis deadletter`: what is in dead-letter topics, read as far as it is committed, and its way back.

mod letter;
mod list;
mod reading;
mod redrive;
mod show;

use super::exit;
use crate::config::{self, CommandLine};
use crate::kafka::{Client, ClientError, UpstreamOptions};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis deadletter list --topic orders.dlq --upstream localhost:9092
  portcullis deadletter list --topic orders.dlq --code PC-201 --since 1h --config portcullis.yaml
  portcullis deadletter show 01JD8Z3N5W9Q7M2K4T6V8X0YAB --topic orders.dlq --upstream localhost:9092
  portcullis deadletter show 0:17 --topic orders.dlq --upstream localhost:9092
  portcullis deadletter redrive --topic orders.dlq --via localhost:9192 --code PC-103 --dry-run";

#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct DeadLetterArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists dead letters, a line each.
    List(list::ListArgs),
    /// Shows one dead letter whole.
    Show(show::ShowArgs),
    /// Sends dead letters back to where they came from, each once, validated again.
    Redrive(redrive::RedriveArgs),
}

/// Where the dead letters are.
#[derive(Args)]
struct Place {
    /// The dead-letter topic.
    #[arg(long, value_name = "NAME")]
    topic: String,
    /// The brokers, without TLS and SASL.
    #[arg(long, value_name = "HOST:PORT,...", value_parser = config::upstream_text, conflicts_with = "config")]
    upstream: Option<String>,
    /// The gateway's configuration: its `upstream`, with TLS and SASL.
    #[arg(long, value_name = "FILE", required_unless_present = "upstream")]
    config: Option<PathBuf>,
}

/// Why a command ends early.
struct Stop {
    code: u8,
    why: String,
}

impl Stop {
    fn new(code: u8, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
        }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        use kafka_protocol::ResponseError as E;
        let forbidden = matches!(
            error.code(),
            Some(
                E::TopicAuthorizationFailed
                    | E::GroupAuthorizationFailed
                    | E::TransactionalIdAuthorizationFailed
                    | E::ClusterAuthorizationFailed
            )
        );
        let code = if forbidden || matches!(error, ClientError::Sasl { .. }) {
            exit::NO_PERMISSION
        } else {
            exit::UNAVAILABLE
        };
        Self::new(code, error.to_string())
    }
}

impl Place {
    fn client(&self) -> Result<Client, Stop> {
        let upstream = upstream(self.upstream.as_deref(), self.config.as_deref())?;
        Client::new(&upstream).map_err(|error| Stop::new(exit::CONFIG, error.to_string()))
    }
}

/// How to connect: to `servers`, which go before the file's, with the file's TLS and SASL.
fn upstream(servers: Option<&str>, file: Option<&Path>) -> Result<UpstreamOptions, Stop> {
    let command_line = CommandLine {
        upstream: servers.map(str::to_owned),
        data: None,
    };
    let options = match file {
        Some(file) => config::load(file, &super::environment, &command_line),
        None => config::without_file(&command_line),
    };
    match options {
        Ok(options) => Ok(options.gateway.upstream),
        Err(diagnostics) => Err(Stop::new(exit::CONFIG, diagnostics.to_string())),
    }
}

pub async fn deadletter(args: DeadLetterArgs) -> ExitCode {
    let done = match args.command {
        Command::List(args) => list::list(args).await,
        Command::Show(args) => show::show(args).await,
        Command::Redrive(args) => redrive::redrive(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop { code, why }) => {
            eprintln!("portcullis: {why}");
            ExitCode::from(code)
        }
    }
}
