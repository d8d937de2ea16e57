//! `portcullis schema export`: all that a registry holds, into a file.

use super::connection::{Connection, Stop};
use super::report::{say, say_json};
use super::settings;
use super::transfer::{Counts, Line};
use crate::cli::{Format, exit};
use crate::registry::client::{Client, Pages};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  portcullis schema export --registry http://localhost:8081 --to registry.jsonl
  portcullis schema import --registry http://other:8081 --from registry.jsonl --verify

Ids, versions, references, metadata, rule sets, deletions, configurations, modes and contexts are kept; times are not, because
no registry lets them be set. A configuration or mode of a subject that has never had a version is not found: no resource
lists those. Nobody should write meanwhile: set the registry READONLY first.
Exit codes: 0 written, 64 command line, 65 changed meanwhile, 69 registry not available, 73 cannot be written, 77 not permitted.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    #[command(flatten)]
    connection: Connection,
    /// The file to write; it is there only when it is whole.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

struct Writing {
    file: BufWriter<File>,
    counts: Counts,
}

impl Writing {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        self.counts.note(line);
        serde_json::to_writer(&mut self.file, line)?;
        self.file.write_all(b"\n")
    }
}

pub async fn export(args: ExportArgs) -> Result<ExitCode, Stop> {
    let client = Arc::new(args.connection.client()?);
    let mut name = args.to.clone().into_os_string();
    name.push(".partial");
    let partial = PathBuf::from(name);
    let cannot = |path: &Path, error: &io::Error| Stop {
        code: exit::CANNOT_CREATE,
        why: format!("{} cannot be written: {error}", path.display()),
    };
    let file = File::create(&partial).map_err(|error| cannot(&partial, &error))?;
    let written = write(&client, file, |error| cannot(&partial, error)).await;
    let counts = match written {
        Ok(counts) => counts,
        Err(stop) => {
            // What is there is of no use, and the reason is told.
            let _ = std::fs::remove_file(&partial);
            return Err(stop);
        }
    };
    std::fs::rename(&partial, &args.to).map_err(|error| cannot(&args.to, &error))?;
    let Counts {
        schemas,
        configs,
        modes,
    } = counts;
    match args.output {
        Format::Json => say_json(&json!({
            "file": args.to, "schemas": schemas, "configs": configs, "modes": modes,
        })),
        Format::Text => say(&format!(
            "{}: {schemas} schemas, {configs} configurations, {modes} modes\n",
            args.to.display()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

async fn write(
    client: &Arc<Client>,
    file: File,
    cannot: impl Fn(&io::Error) -> Stop,
) -> Result<Counts, Stop> {
    let mut writing = Writing {
        file: BufWriter::new(file),
        counts: Counts::default(),
    };
    let put = |writing: &mut Writing, line: &Line| writing.line(line).map_err(|error| cannot(&error));
    put(&mut writing, &Line::HEADER)?;
    // A subject keeps its settings when all of its versions are deleted softly; an alias has settings and no versions.
    let mut subjects: BTreeSet<String> = BTreeSet::new();
    let mut pages = Pages::new(client, ":*:");
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        for mut version in page {
            subjects.extend(std::mem::take(&mut version.aliases));
            subjects.insert(version.subject.clone());
            put(&mut writing, &Line::Schema(Box::new(version)))?;
        }
    }
    let contexts = client.contexts().await?;
    let (configs, modes) = settings::read(client, settings::scopes(&contexts, &subjects)).await?;
    for config in configs {
        put(&mut writing, &Line::Config(config))?;
    }
    for mode in modes {
        put(&mut writing, &Line::Mode(mode))?;
    }
    let counts = writing.counts;
    put(&mut writing, &Line::End(counts))?;
    let file = writing.file.into_inner().map_err(|error| cannot(error.error()))?;
    file.sync_all().map_err(|error| cannot(&error))?;
    Ok(counts)
}
