//! `portcullis schema register`: registers a folder's schemas, those that are referred to first.

use super::check::plan_of;
use super::checker::{Checker, Halt, Standing, failed};
use super::connection::{Connection, Stop};
use super::files;
use super::plan::{Entry, Plan};
use super::report::ReportArgs;
use super::verdict::{Finding, Outcome, Verdict};
use crate::registry::client::{Client, ClientError};
use crate::registry::state::level_name;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  portcullis schema register schemas --registry http://localhost:8081
  portcullis schema register schemas --registry http://localhost:8081 --dry-run
  PORTCULLIS_REGISTRY_TOKEN=… portcullis schema register schemas/orders-value.avsc --registry https://registry:8081

All files are checked first: when one of them would be refused, none is registered. What is registered already stays as it is.
Exit codes: 0 all registered, 1 incompatible or invalid, 64 command line, 66 no such file, 69 registry not available,
77 not permitted, 78 bad schemas.yaml.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RegisterArgs {
    /// Folders, or files that end in .avsc, .proto or .json.
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    /// Says what would be done, and does nothing.
    #[arg(long)]
    dry_run: bool,
    /// Registers schemas in their normalised form, so that one that is only written differently is no new version.
    #[arg(long)]
    normalize: bool,
    #[command(flatten)]
    report: ReportArgs,
}

pub async fn register(args: RegisterArgs) -> Result<ExitCode, Stop> {
    let started = Instant::now();
    let client = args.connection.client()?;
    let roots = files::roots(&args.paths)?;
    let mut plans = Vec::with_capacity(roots.len());
    for root in &roots {
        plans.push(plan_of(root)?);
    }
    let mut checkers = Vec::with_capacity(roots.len());
    let mut verdicts = Vec::new();
    for (root, plan) in roots.iter().zip(&plans) {
        let mut checker = Checker::new(&root.folder, plan, Some(&client), args.normalize);
        verdicts.extend(checker.check().await?);
        checkers.push((checker, plan));
    }
    if !args.dry_run && verdicts.iter().all(|verdict| verdict.outcome.is_good()) {
        verdicts.clear();
        let mut stopped = false;
        for (checker, plan) in &mut checkers {
            verdicts.extend(all(&client, checker, plan, &mut stopped).await?);
        }
    }
    args.report
        .tell("portcullis schema register", &verdicts, started.elapsed())
}

async fn all(
    client: &Client,
    checker: &mut Checker<'_>,
    plan: &Plan,
    stopped: &mut bool,
) -> Result<Vec<Verdict>, Stop> {
    let mut verdicts = Vec::new();
    for (index, entry) in plan.iter().enumerate().filter(|(_, entry)| entry.selected) {
        for subject in &entry.subjects {
            let outcome = if *stopped {
                Outcome::Skipped("an earlier one was refused".to_owned())
            } else {
                match one(client, checker, index, entry, subject).await {
                    Ok(outcome) | Err(Halt::Outcome(outcome)) => outcome,
                    Err(Halt::Client(error)) if error.is_incompatible() => refused(&error),
                    Err(Halt::Client(error)) => failed(error)?,
                }
            };
            if let Outcome::Registered {
                id,
                version: Some(version),
            } = outcome
            {
                checker.stands(subject, Standing::Registered { id, version });
            }
            *stopped |= !outcome.is_good();
            verdicts.push(checker.verdict(entry, subject, outcome));
        }
    }
    Ok(verdicts)
}

fn refused(error: &ClientError) -> Outcome {
    Outcome::Incompatible {
        findings: vec![Finding::plain(error.to_string(), None)],
        messages: vec![error.to_string()],
    }
}

async fn one(
    client: &Client,
    checker: &mut Checker<'_>,
    index: usize,
    entry: &Entry,
    subject: &str,
) -> Result<Outcome, Halt> {
    set_level(client, entry, subject).await?;
    if let Some(Standing::Registered { id, version }) = checker.standing(subject) {
        return Ok(Outcome::Unchanged { id, version });
    }
    let Some(references) = checker.numbered(client, entry).await? else {
        return Err(Outcome::Skipped(
            "it refers to a file that is not registered: register that, too".to_owned(),
        )
        .into());
    };
    let Some(body) = checker.body(index, entry, references) else {
        return Err(Outcome::Skipped("its file cannot be read any more".to_owned()).into());
    };
    let registered = client.register(subject, &body, checker.normalize).await?;
    let version = match registered.version {
        Some(version) => version,
        // Older registries answer only the id.
        None => client.look_up(subject, &body, checker.normalize).await?.version,
    };
    Ok(Outcome::Registered {
        id: registered.id,
        version: Some(version),
    })
}

/// The manifest's level becomes the subject's own.
async fn set_level(client: &Client, entry: &Entry, subject: &str) -> Result<(), ClientError> {
    let Some(level) = entry.compatibility.map(level_name) else {
        return Ok(());
    };
    let own = client.config(Some(subject)).await?;
    let own = own
        .as_ref()
        .and_then(|own| own.get("compatibilityLevel"))
        .and_then(|own| own.as_str());
    if own == Some(level) {
        return Ok(());
    }
    let settings = [("compatibility".to_owned(), level.into())].into_iter().collect();
    client.set_config(Some(subject), settings).await
}
