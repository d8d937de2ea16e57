//! `portcullis schema`: schemas in files and in registries, for people and for pipelines. One file a subcommand.
//!
//! `files` finds schema files, `plan` gives them subjects and an order, `checker` holds them to a registry; `verdict` is what
//! became of each, `report` tells it, `github` and `junit` in others' formats. `transfer` is the file that moves a registry,
//! `settings` reads what is configured in one, `lines` compares texts.

mod check;
mod checker;
mod connection;
mod diff;
mod export;
mod files;
mod github;
mod import;
mod junit;
mod lines;
mod list;
mod plan;
mod register;
mod report;
mod settings;
mod show;
mod transfer;
mod verdict;

use clap::{Args, Subcommand};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis schema check schemas                                        offline, for a pre-commit hook
  portcullis schema check schemas --registry http://localhost:8081       would the registry take them?
  portcullis schema register schemas --registry http://localhost:8081
  portcullis schema list --registry http://localhost:8081
  portcullis schema show orders-value --registry http://localhost:8081
  portcullis schema diff orders-value 3 latest --registry http://localhost:8081
  portcullis schema export --registry http://localhost:8081 --to registry.jsonl
  portcullis schema import --registry http://other:8081 --from registry.jsonl --verify

PORTCULLIS_REGISTRY stands for --registry. Passwords and tokens come from PORTCULLIS_REGISTRY_PASSWORD and
PORTCULLIS_REGISTRY_TOKEN or from files, never from the command line.";

#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct SchemaArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks schema files: their syntax and references, and whether a registry would take them.
    Check(check::CheckArgs),
    /// Registers schema files.
    Register(register::RegisterArgs),
    /// Lists subjects and their versions.
    List(list::ListArgs),
    /// Shows one schema.
    Show(show::ShowArgs),
    /// Compares two versions of a subject, or one with a file.
    Diff(diff::DiffArgs),
    /// Writes all that a registry holds into a file.
    Export(export::ExportArgs),
    /// Brings an export into another registry, ids and versions kept.
    Import(import::ImportArgs),
}

pub async fn schema(args: SchemaArgs) -> ExitCode {
    let done = match args.command {
        Command::Check(args) => check::check(args).await,
        Command::Register(args) => register::register(args).await,
        Command::List(args) => list::list(args).await,
        Command::Show(args) => show::show(args).await,
        Command::Diff(args) => diff::diff(args).await,
        Command::Export(args) => export::export(args).await,
        Command::Import(args) => import::import(args).await,
    };
    done.unwrap_or_else(|stop| stop.tell())
}
