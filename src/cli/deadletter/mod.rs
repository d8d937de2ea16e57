//! `portcullis deadletter`: what is in dead-letter topics. It reads what is committed and writes nothing.

mod letter;
mod list;
mod reading;
mod show;

use super::exit;
use crate::config::{self, CommandLine};
use crate::kafka::{Client, ClientError, UpstreamOptions};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis deadletter list --topic orders.dlq --upstream localhost:9092
  portcullis deadletter list --topic orders.dlq --code PC-201 --since 1h --config portcullis.yaml
  portcullis deadletter show 01JD8Z3N5W9Q7M2K4T6V8X0YAB --topic orders.dlq --upstream localhost:9092
  portcullis deadletter show 0:17 --topic orders.dlq --upstream localhost:9092";

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
        use kafka_protocol::ResponseError::TopicAuthorizationFailed;
        let code = match &error {
            ClientError::Sasl { .. } => exit::NO_PERMISSION,
            error if error.code() == Some(TopicAuthorizationFailed) => exit::NO_PERMISSION,
            _ => exit::UNAVAILABLE,
        };
        Self::new(code, error.to_string())
    }
}

impl Place {
    fn client(&self) -> Result<Client, Stop> {
        let upstream = self.upstream()?;
        Client::new(&upstream).map_err(|error| Stop::new(exit::CONFIG, error.to_string()))
    }

    fn upstream(&self) -> Result<UpstreamOptions, Stop> {
        let command_line = CommandLine {
            upstream: self.upstream.clone(),
            data: None,
        };
        let options = match &self.config {
            Some(file) => config::load(file, &super::environment, &command_line),
            None => config::without_file(&command_line),
        };
        match options {
            Ok(options) => Ok(options.gateway.upstream),
            Err(diagnostics) => Err(Stop::new(exit::CONFIG, diagnostics.to_string())),
        }
    }
}

pub async fn deadletter(args: DeadLetterArgs) -> ExitCode {
    let done = match args.command {
        Command::List(args) => list::list(args).await,
        Command::Show(args) => show::show(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop { code, why }) => {
            eprintln!("portcullis: {why}");
            ExitCode::from(code)
        }
    }
}
