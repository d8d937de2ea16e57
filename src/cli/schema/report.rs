//! Verdicts told to people, to programs, to GitHub and to whoever reads JUnit's XML.

use super::connection::Stop;
use super::verdict::{Outcome, Verdict, exit_code};
use super::{github, junit};
use crate::cli::{Format, exit};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Annotations {
    Github,
    None,
}

#[derive(Args)]
pub struct ReportArgs {
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// Marks lines of a pull request. [default: github where GITHUB_ACTIONS is true]
    #[arg(long, value_enum)]
    annotations: Option<Annotations>,
    /// Writes a report as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// To standard output. Nobody is left to be told when that is gone: `… | head`.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

pub fn say_json(value: &Value) {
    say(&format!("{value}\n"));
}

impl ReportArgs {
    fn to_github(&self) -> bool {
        match self.annotations {
            Some(annotations) => annotations == Annotations::Github,
            None => crate::cli::environment("GITHUB_ACTIONS").as_deref() == Some("true"),
        }
    }

    /// Tells everything; gives the exit code. `suite`: what was done, for JUnit.
    pub fn tell(&self, suite: &str, verdicts: &[Verdict], took: Duration) -> Result<ExitCode, Stop> {
        match self.output {
            Format::Json => say_json(&json!({
                "good": verdicts.iter().all(|verdict| verdict.outcome.is_good()),
                "schemas": verdicts.iter().map(Verdict::json).collect::<Vec<_>>(),
            })),
            Format::Text => say(&text(verdicts, std::io::stdout().is_terminal())),
        }
        if self.to_github() {
            let annotations = github::annotations(verdicts);
            match self.output {
                Format::Text => say(&annotations),
                // The runner reads both; a program that reads JSON only the one.
                Format::Json => eprint!("{annotations}"),
            }
        }
        if let Some(file) = &self.junit {
            std::fs::write(file, junit::report(suite, verdicts, took)).map_err(|error| Stop {
                code: exit::CANNOT_CREATE,
                why: format!("{} cannot be written: {error}", file.display()),
            })?;
        }
        Ok(ExitCode::from(exit_code(verdicts)))
    }
}

fn text(verdicts: &[Verdict], colour: bool) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let outcome = &verdict.outcome;
        let word = if colour {
            let code = match outcome {
                Outcome::Unresolved(_) | Outcome::Skipped(_) => 33,
                good if good.is_good() => 32,
                _ => 31,
            };
            format!("\u{1b}[{code}m{}\u{1b}[0m", outcome.word())
        } else {
            outcome.word().to_owned()
        };
        let file = verdict.file.display();
        // Writing to a string does not fail.
        let _ = match outcome {
            Outcome::Invalid(finding) => match finding.position {
                Some(at) => writeln!(
                    text,
                    "{file}:{}:{}: {}: {word}: {}",
                    at.line,
                    at.column,
                    verdict.subject,
                    finding.line()
                ),
                None => writeln!(text, "{file}: {}: {word}: {}", verdict.subject, finding.line()),
            },
            Outcome::Incompatible { findings, .. } => {
                let _ = writeln!(text, "{file}: {}: {word}", verdict.subject);
                for finding in findings {
                    let place = finding.position;
                    let place = place.map(|at| format!("{file}:{}:{}: ", at.line, at.column));
                    let _ = writeln!(text, "  {}{}", place.unwrap_or_default(), finding.line());
                }
                Ok(())
            }
            other => {
                let detail = other.detail();
                let detail = if detail.is_empty() {
                    detail
                } else {
                    format!(" ({detail})")
                };
                writeln!(text, "{file}: {}: {word}{detail}", verdict.subject)
            }
        };
    }
    let bad = verdicts
        .iter()
        .filter(|verdict| !verdict.outcome.is_good())
        .count();
    let _ = match (verdicts.len(), bad) {
        (0, _) => writeln!(text, "no schema files"),
        (all, 0) => writeln!(text, "{all} good"),
        (all, bad) => writeln!(text, "{bad} of {all} not good"),
    };
    text
}
