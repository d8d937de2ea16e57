//! The command line: one file a subcommand.

mod check;
mod deadletter;
mod demo;
mod exit;
mod explain;
mod interrupted;
mod run;
mod schema;
mod user;

use crate::telemetry::logs::{self, LogFormat};
use clap::{Parser, Subcommand, ValueEnum};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis demo                               everything on an embedded broker, with good and bad records
  portcullis run --upstream localhost:9092      a gateway on 9192, a registry on 8081, no file needed
  portcullis run --config portcullis.yaml
  portcullis check portcullis.yaml              what is wrong with a configuration
  portcullis schema check schemas               are these schema files good? Also: register, list, show, diff, export
  portcullis deadletter list --topic orders.dlq --upstream localhost:9092
  portcullis explain PC-201                     what a code means, and what to do

RUST_LOG says what is logged (for example RUST_LOG=portcullis=debug); the log goes to standard error.";

/// A validating gateway for Apache Kafka, with the schema registry in the same binary.
#[derive(Parser)]
#[command(name = "portcullis", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct CommandLine {
    /// How the log is written.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    log_format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs gateway, registry and admin port until SIGTERM.
    Run(run::RunArgs),
    /// Runs everything on an embedded broker, and shows what becomes of good and bad records.
    Demo(demo::DemoOptions),
    /// Reads a configuration and says what is wrong with it; starts nothing.
    Check(check::CheckArgs),
    /// Schemas in files and in registries: check, register, list, show, diff, export, import.
    Schema(Box<schema::SchemaArgs>),
    /// Dead letters in their topics: list, show, redrive.
    Deadletter(deadletter::DeadLetterArgs),
    /// Keeps the file of the registry's users.
    User(user::UserArgs),
    /// Explains a violation code.
    Explain(explain::ExplainArgs),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs the command line of this process and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            // Nobody is left to be told when the terminal is gone.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(exit::USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let log_format = match command_line.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    // The demo's table says what the log would: it begins its log behind that.
    if !matches!(command_line.command, Command::Demo(_)) {
        logs::install(log_format);
    }
    match command_line.command {
        Command::Run(args) => on_runtime(run::run(args)),
        Command::Demo(options) => on_runtime(demo::run(options, log_format)),
        Command::Check(args) => check::check(&args),
        Command::Schema(args) => on_runtime(schema::schema(*args)),
        Command::Deadletter(args) => on_runtime(deadletter::deadletter(args)),
        Command::User(args) => user::user(args),
        Command::Explain(args) => explain::explain(&args),
    }
}

/// One worker thread a core.
fn on_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            eprintln!("portcullis: the runtime cannot start: {error}");
            ExitCode::from(exit::OS_ERROR)
        }
    }
}

/// An environment variable, for the configuration.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_level_has_an_example_in_its_help() {
        fn visit(command: &clap::Command) {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("portcullis "),
                "{} has no example",
                command.get_name()
            );
            command.get_subcommands().for_each(visit);
        }
        let command = CommandLine::command();
        command.clone().debug_assert();
        visit(&command);
    }

    #[test]
    fn run_needs_a_file_or_an_upstream() {
        assert!(CommandLine::try_parse_from(["portcullis", "run"]).is_err());
        assert!(CommandLine::try_parse_from(["portcullis", "run", "--config", "p.yaml"]).is_ok());
        assert!(CommandLine::try_parse_from(["portcullis", "run", "--upstream", "a:1,b:2"]).is_ok());
        assert!(CommandLine::try_parse_from(["portcullis", "run", "--upstream", "a"]).is_err());
    }
}
