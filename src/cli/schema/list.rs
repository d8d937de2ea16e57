//! `portcullis schema list`: subjects and their versions.

use super::connection::{Connection, Stop};
use super::report::{say, say_json};
use crate::cli::Format;
use crate::registry::client::Client;
use crate::schema::Version;
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis schema list --registry http://localhost:8081
  portcullis schema list payments. --registry http://localhost:8081      subjects whose names begin so
  portcullis schema list :.billing: --registry http://localhost:8081     those of a context
  portcullis schema list --deleted --output json --registry http://localhost:8081

Exit codes: 0 also when there is none, 64 command line, 69 registry not available, 77 not permitted.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// How the subjects' names begin. [default: all, of every context]
    #[arg(value_name = "PREFIX", default_value = ":*:", hide_default_value = true)]
    prefix: String,
    #[command(flatten)]
    connection: Connection,
    /// Also what was deleted softly.
    #[arg(long)]
    deleted: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

struct Listed {
    subject: String,
    versions: Vec<(Version, bool)>,
}

pub async fn list(args: ListArgs) -> Result<ExitCode, Stop> {
    let client = args.connection.client()?;
    let mut listed = Vec::new();
    for subject in client.subjects(&args.prefix, args.deleted).await? {
        let versions = versions(&client, &subject, args.deleted).await?;
        listed.push(Listed { subject, versions });
    }
    match args.output {
        Format::Json => say_json(&json!(
            listed
                .iter()
                .map(|one| json!({
                    "subject": one.subject,
                    "versions": one.versions.iter().map(|(version, deleted)| {
                        json!({ "version": version.0, "deleted": deleted })
                    }).collect::<Vec<_>>(),
                }))
                .collect::<Vec<_>>()
        )),
        Format::Text => {
            let mut text = String::new();
            for one in &listed {
                let versions: Vec<String> = one
                    .versions
                    .iter()
                    .map(|(version, deleted)| {
                        format!("{}{}", version.0, if *deleted { " (deleted)" } else { "" })
                    })
                    .collect();
                // Writing to a string does not fail.
                let _ = writeln!(text, "{}  {}", one.subject, versions.join(", "));
            }
            say(&text);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn versions(client: &Client, subject: &str, deleted: bool) -> Result<Vec<(Version, bool)>, Stop> {
    let live = match client.versions(subject, false).await {
        Ok(live) => live,
        // All of them are deleted, or went away since the list was made.
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    if !deleted {
        return Ok(live.into_iter().map(|version| (version, false)).collect());
    }
    let live: BTreeSet<Version> = live.into_iter().collect();
    let all = client.versions(subject, true).await?;
    Ok(all
        .into_iter()
        .map(|version| (version, !live.contains(&version)))
        .collect())
}
