//! `portcullis schema diff`: what changed between two versions, and what that means for readers and writers.

use super::check::plan_of;
use super::checker::{Checker, Halt, differences};
use super::connection::{Connection, Stop};
use super::files;
use super::lines::{Change, changes, hunks};
use super::report::{say, say_json};
use super::show::pretty;
use super::verdict::{Finding, Outcome};
use crate::cli::{Format, exit};
use crate::registry::client::{Client, References, SchemaBody};
use crate::registry::state::{level_from_name, level_name, schema_type_from_name};
use crate::schema::{CompatibilityLevel, Schema, Version};
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis schema diff orders-value 3 4 --registry http://localhost:8081
  portcullis schema diff orders-value 3 latest --registry http://localhost:8081
  portcullis schema diff orders-value latest schemas/orders-value.avsc --registry http://localhost:8081

Without a registry two files are compared by `portcullis schema check NEW --against OLD`.
Exit codes: 0 the same or compatible at the subject's level, 1 incompatible or invalid, 64 command line, 66 not there,
69 registry not available, 77 not permitted.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    subject: String,
    /// A version, or `latest`.
    #[arg(value_parser = version)]
    old: Asked,
    /// A version, `latest`, or a file that ends in .avsc, .proto or .json.
    #[arg(value_parser = version_or_file)]
    new: Asked,
    #[command(flatten)]
    connection: Connection,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Asked {
    Latest,
    Version(Version),
    File(PathBuf),
}

fn version(text: &str) -> Result<Asked, String> {
    if text == "latest" {
        return Ok(Asked::Latest);
    }
    let number = text
        .parse()
        .map_err(|_| format!("`{text}` is no version: they are numbers, or `latest`"))?;
    Ok(Asked::Version(Version(number)))
}

fn version_or_file(text: &str) -> Result<Asked, String> {
    if files::type_of(Path::new(text)).is_some() {
        return Ok(Asked::File(PathBuf::from(text)));
    }
    version(text).map_err(|why| format!("{why}, or a file that ends in .avsc, .proto or .json"))
}

/// One side.
struct Side {
    name: String,
    number: u32,
    schema: Schema,
    /// As it is shown.
    text: String,
}

fn invalid(what: &str, why: &dyn std::fmt::Display) -> Stop {
    Stop {
        code: exit::INCOMPATIBLE,
        why: format!("{what}: {why}"),
    }
}

async fn registered(client: &Client, subject: &str, asked: Option<Version>) -> Result<Side, Stop> {
    let found = client.version(subject, asked, true).await?;
    let name = format!("{subject} version {}", found.version);
    let references = References::default()
        .resolve(client, subject, &found.body.references)
        .await?;
    let schema_type = schema_type_from_name(&found.body.schema_type).ok_or_else(|| {
        invalid(
            &name,
            &format!("type {} is not known here", found.body.schema_type),
        )
    })?;
    let schema = Schema::parse(schema_type, &found.body.schema, &references)
        .map_err(|error| invalid(&name, &error))?;
    Ok(Side {
        number: found.version,
        text: pretty(&found.body),
        schema,
        name,
    })
}

async fn in_file(client: &Client, path: &Path) -> Result<Side, Stop> {
    let name = path.display().to_string();
    for root in files::roots(&[path.to_owned()])? {
        let plan = plan_of(&root)?;
        let mut checker = Checker::new(&root.folder, &plan, Some(client), false);
        let schema = match checker.selected_schema().await {
            Ok(Some(schema)) => schema,
            Ok(None) => continue,
            Err(Halt::Client(error)) => return Err(error.into()),
            Err(Halt::Outcome(outcome)) => {
                let found = outcome.findings();
                let place = found.first().and_then(|finding| finding.position);
                let place = place
                    .map(|at| format!(":{}:{}", at.line, at.column))
                    .unwrap_or_default();
                let why = match &outcome {
                    Outcome::Invalid(finding) => finding.line(),
                    other => other.detail(),
                };
                return Err(invalid(&format!("{name}{place}"), &why));
            }
        };
        let body = SchemaBody {
            schema_type: schema.schema_type().as_str().to_owned(),
            schema: schema.canonical(),
            references: Vec::new(),
            metadata: None,
            rule_set: None,
        };
        return Ok(Side {
            number: 0,
            text: pretty(&body),
            schema,
            name,
        });
    }
    Err(invalid(&name, &"it is no schema file"))
}

pub async fn diff(args: DiffArgs) -> Result<ExitCode, Stop> {
    let client = args.connection.client()?;
    let mut sides = Vec::with_capacity(2);
    for asked in [&args.old, &args.new] {
        sides.push(match asked {
            Asked::Latest => registered(&client, &args.subject, None).await?,
            Asked::Version(version) => registered(&client, &args.subject, Some(*version)).await?,
            Asked::File(path) => in_file(&client, path).await?,
        });
    }
    let [old, new] = sides.as_slice() else {
        return Err(Stop::usage("two schemas are compared"));
    };
    let effective = client.effective_config(&args.subject).await?;
    let level = effective
        .get("compatibilityLevel")
        .and_then(|level| level.as_str());
    let level = level
        .and_then(level_from_name)
        .unwrap_or(CompatibilityLevel::Backward);
    let found = |level| differences(&new.schema, &old.schema, level, old.number, &new.text);
    let backward = found(CompatibilityLevel::Backward);
    let forward = found(CompatibilityLevel::Forward);
    let good = found(level).is_empty();
    let lines = changes(&old.text, &new.text);
    match args.output {
        Format::Json => say_json(&json!({
            "subject": args.subject,
            "old": old.name,
            "new": new.name,
            "same": old.text == new.text,
            "level": level_name(level),
            "compatible": good,
            "backward": backward.iter().map(Finding::json).collect::<Vec<_>>(),
            "forward": forward.iter().map(Finding::json).collect::<Vec<_>>(),
            "lines": lines.iter().filter_map(|change| match change {
                Change::Same(_) => None,
                Change::Gone(line) => Some(json!({ "gone": line })),
                Change::New(line) => Some(json!({ "new": line })),
            }).collect::<Vec<_>>(),
        })),
        Format::Text => say(&text(old, new, &lines, &backward, &forward)),
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::INCOMPATIBLE)
    })
}

fn text(old: &Side, new: &Side, lines: &[Change<'_>], backward: &[Finding], forward: &[Finding]) -> String {
    let mut text = format!("--- {}\n+++ {}\n", old.name, new.name);
    if old.text == new.text {
        text.push_str("the same\n");
        return text;
    }
    text.push_str(&hunks(lines));
    for (what, findings) in [
        ("the new schema reads old data (BACKWARD)", backward),
        ("the old schema reads new data (FORWARD)", forward),
    ] {
        let answer = match findings {
            [] => "yes",
            _ => "no",
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{what}: {answer}");
        for finding in findings {
            let _ = writeln!(
                text,
                "  {}",
                Finding {
                    old_version: None,
                    ..finding.clone()
                }
                .line()
            );
        }
    }
    text
}
