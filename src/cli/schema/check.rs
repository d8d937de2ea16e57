//! `portcullis schema check`: are these schemas good, and would a registry take them?

use super::checker::{Checker, differences, invalid};
use super::connection::{Connection, Stop};
use super::files::{self, Root};
use super::plan::{Plan, plan};
use super::report::ReportArgs;
use super::verdict::{Finding, Outcome, Verdict};
use crate::cli::exit;
use crate::config::manifest::{MANIFEST, Manifest};
use crate::registry::client::Client;
use crate::registry::state::level_from_name;
use crate::schema::{CompatibilityLevel, Schema};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  portcullis schema check schemas                                     syntax and references, offline
  portcullis schema check schemas/orders-value.avsc                   some files, as a pre-commit hook gives them
  portcullis schema check schemas --registry http://localhost:8081    would the registry take them? Changes nothing
  portcullis schema check new.avsc --against old.avsc --compatibility FULL
  portcullis schema check schemas --junit report.xml --annotations github

A file's name without its ending is its subject, unless schemas.yaml in the folder (or above it) says more.
Exit codes: 0 good, 1 incompatible or invalid, 64 command line, 66 no such file, 69 registry not available, 77 not permitted,
78 bad schemas.yaml.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// Folders, or files that end in .avsc, .proto or .json.
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    /// Compares the one file that is named with an older state of it.
    #[arg(long, value_name = "FILE", conflicts_with = "registry")]
    against: Option<PathBuf>,
    /// The level for --against.
    #[arg(long, value_name = "LEVEL", default_value = "BACKWARD", value_parser = level)]
    compatibility: CompatibilityLevel,
    /// Looks schemas up in their normalised form, as `register --normalize` does.
    #[arg(long)]
    normalize: bool,
    #[command(flatten)]
    report: ReportArgs,
}

fn level(name: &str) -> Result<CompatibilityLevel, String> {
    level_from_name(name).ok_or_else(|| {
        "one of NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE, FULL_TRANSITIVE"
            .to_owned()
    })
}

pub async fn check(args: CheckArgs) -> Result<ExitCode, Stop> {
    let started = Instant::now();
    let verdicts = if let Some(old) = &args.against {
        against(&args.paths, old, args.compatibility)?
    } else {
        let client = if args.connection.is_given() {
            Some(args.connection.client()?)
        } else {
            None
        };
        all(&args.paths, client.as_ref(), args.normalize).await?
    };
    args.report
        .tell("portcullis schema check", &verdicts, started.elapsed())
}

/// The plan of a folder's files.
pub fn plan_of(root: &Root) -> Result<Plan, Stop> {
    let bad = |wrong: crate::config::Diagnostics| Stop {
        code: exit::CONFIG,
        why: format!("the manifest is not good\n{wrong}"),
    };
    let file = root
        .manifest
        .clone()
        .unwrap_or_else(|| root.folder.join(MANIFEST));
    let shown = files::shown(&file);
    let manifest = match &root.manifest {
        Some(_) => Manifest::load(&shown, &crate::cli::environment).map_err(bad)?,
        None => Manifest::default(),
    };
    plan(&manifest, &shown, &root.files, &root.selected).map_err(bad)
}

async fn all(paths: &[PathBuf], client: Option<&Client>, normalize: bool) -> Result<Vec<Verdict>, Stop> {
    let mut verdicts = Vec::new();
    for root in files::roots(paths)? {
        let plan = plan_of(&root)?;
        verdicts.extend(
            Checker::new(&root.folder, &plan, client, normalize)
                .check()
                .await?,
        );
    }
    Ok(verdicts)
}

/// One file and what it was: both by themselves.
fn against(paths: &[PathBuf], old: &Path, level: CompatibilityLevel) -> Result<Vec<Verdict>, Stop> {
    let [new] = paths else {
        return Err(Stop::usage("--against compares one file with another: name one"));
    };
    let schema_type = files::type_of(new).ok_or_else(|| {
        Stop::usage(format!(
            "{} is no schema file: their names end in .avsc, .proto or .json",
            new.display()
        ))
    })?;
    let read = |path: &Path| {
        let text = files::read(path).map_err(|error| Stop {
            code: exit::NO_INPUT,
            why: format!("{} {}", path.display(), error.why),
        })?;
        let parsed = Schema::parse(schema_type, &text, &[]);
        Ok::<_, Stop>((text, parsed))
    };
    let ((text, new_schema), (old_text, old_schema)) = (read(new)?, read(old)?);
    let verdict = |file: &Path, outcome: Outcome| Verdict {
        file: file.to_owned(),
        subject: new.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        schema_type,
        outcome,
    };
    let (new_schema, old_schema) = match (new_schema, old_schema) {
        (Err(error), _) => return Ok(vec![verdict(new, invalid(&text, &error))]),
        (_, Err(error)) => return Ok(vec![verdict(old, invalid(&old_text, &error))]),
        (Ok(new), Ok(old)) => (new, old),
    };
    let findings: Vec<Finding> = differences(&new_schema, &old_schema, level, 0, &text)
        .into_iter()
        .map(|finding| Finding {
            old_version: None,
            ..finding
        })
        .collect();
    let outcome = if findings.is_empty() {
        Outcome::New {
            first: false,
            note: None,
        }
    } else {
        Outcome::Incompatible {
            findings,
            messages: Vec::new(),
        }
    };
    Ok(vec![verdict(new, outcome)])
}
