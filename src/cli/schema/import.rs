//! `portcullis schema import`: what an export holds, into another registry, with ids and versions kept.
//!
//! The target is read first and everything that stands in the way is told before anything is written. Then each scope is put into
//! IMPORT mode, versions are registered generation by generation, deletions are made in the opposite order, configurations
//! follow, and the scopes get the modes back that they had, whatever happens. The file's own modes come last.

use super::connection::{Connection, Stop};
use super::report::{say, say_json};
use super::settings::{self, AT_ONCE};
use super::transfer::{Config, Index, Known, Mode};
use crate::cli::interrupted::interrupted;
use crate::cli::{Format, exit};
use crate::registry::client::{Client, ClientError, Pages};
use crate::registry::state::qualified::QualifiedSubject;
use crate::schema::{SchemaId, Version};
use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::task::JoinSet;

const EXAMPLES: &str = "\
Examples:
  portcullis schema import --from registry.jsonl --registry http://other:8081 --verify
  portcullis schema import --from registry.jsonl --registry http://other:8081 --merge     into one that holds schemas, or to go on

The target must be empty, or --merge says that what is there may stay: what is the same already is passed over, so an import that
was interrupted goes on. A version or an id that is taken by something else is told before anything is written.
Exit codes: 0 imported, 64 command line, 65 the file is broken, the target not empty, or the two differ, 66 no such file,
69 registry not available, 75 interrupted, 77 not permitted.";

/// More differences are counted only.
const TOLD_MAX: usize = 20;

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    #[command(flatten)]
    connection: Connection,
    /// The file of an export.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Also into a registry that holds schemas.
    #[arg(long)]
    merge: bool,
    /// Reads the target again at the end and compares it with the file.
    #[arg(long)]
    verify: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// What a registry holds, without texts.
type Holdings = HashMap<(String, u32), Known>;

async fn holdings(client: &Client) -> Result<Holdings, ClientError> {
    let mut holdings = Holdings::new();
    let mut pages = Pages::new(client, ":*:");
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            return Ok(holdings);
        }
        for version in page {
            let known = Known::of(&version);
            holdings.insert((version.subject, version.version), known);
        }
    }
}

#[derive(Default)]
struct Done {
    registered: usize,
    already: usize,
    deleted: usize,
    settings: usize,
}

pub async fn import(args: ImportArgs) -> Result<ExitCode, Stop> {
    let mut index = Index::read(&args.from)?;
    let generations = index.generations()?;
    let client = Arc::new(args.connection.client()?);
    let there = holdings(&client).await?;
    refuse_conflicts(&index, &there, args.merge)?;
    let mut modes = Modes::default();
    let work = async {
        modes.enter(&client, &index, &there, args.merge).await?;
        let mut done = Done::default();
        register(&client, &mut index, &generations, &there, &mut done).await?;
        delete(&client, &index, &generations, &there, &mut done).await?;
        done.settings = set_configs(&client, &index).await?;
        Ok::<_, Stop>(done)
    };
    let worked = tokio::select! {
        worked = work => worked,
        () = interrupted() => Err(Stop {
            code: exit::TRY_AGAIN,
            why: "interrupted; the same command with --merge goes on".to_owned(),
        }),
    };
    let restored = modes.restore(&client).await;
    // What went wrong first is what is to be known; a mode that stays wrong is known besides.
    let mut done = match (worked, restored) {
        (Ok(done), Ok(())) => done,
        (Err(stop), Ok(())) | (Ok(_), Err(stop)) => return Err(stop),
        (Err(mut stop), Err(mode)) => {
            stop.why = format!("{}\n{}", stop.why, mode.why);
            return Err(stop);
        }
    };
    done.settings += set_modes(&client, &index).await?;
    let differences = if args.verify {
        Some(verify(&client, &index).await?)
    } else {
        None
    };
    tell(&args, &done, differences.as_deref());
    let good = differences.is_none_or(|differences| differences.is_empty());
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::DATA)
    })
}

fn tell(args: &ImportArgs, done: &Done, differences: Option<&[String]>) {
    match args.output {
        Format::Json => say_json(&json!({
            "file": args.from,
            "registered": done.registered,
            "already_there": done.already,
            "deleted": done.deleted,
            "settings": done.settings,
            "differences": differences,
        })),
        Format::Text => {
            say(&format!(
                "{} schemas registered, {} there already, {} deleted softly, {} configurations and modes set\n",
                done.registered, done.already, done.deleted, done.settings
            ));
            match differences {
                None => {}
                Some([]) => say("verified: the registry holds what the file says\n"),
                Some(differences) => {
                    for difference in differences.iter().take(TOLD_MAX) {
                        say(&format!("differs: {difference}\n"));
                    }
                    say(&format!("{} differences\n", differences.len()));
                }
            }
        }
    }
}

/// # Errors
/// When the target is not empty and should be, or holds something else under a version or an id of the file.
fn refuse_conflicts(index: &Index, there: &Holdings, merge: bool) -> Result<(), Stop> {
    if !merge && !there.is_empty() {
        return Err(Stop::data(format!(
            "the registry is not empty: it holds {} versions. Say --merge if they may stay",
            there.len()
        )));
    }
    let context = |subject: &str| QualifiedSubject::of(subject).context.to_owned();
    let ids: HashMap<(String, u32), [u8; 16]> = there
        .iter()
        .map(|((subject, _), known)| ((context(subject), known.id), known.content))
        .collect();
    let mut conflicts = Vec::new();
    for placed in &index.schemas {
        let name = format!("{} version {}", placed.subject, placed.version);
        match there.get(&(placed.subject.to_string(), placed.version)) {
            Some(other) if other.id != placed.known.id => {
                conflicts.push(format!(
                    "{name} has id {} there, {} in the file",
                    other.id, placed.known.id
                ));
            }
            Some(other) if other.content != placed.known.content => {
                conflicts.push(format!("{name} is another schema there"));
            }
            Some(_) => {}
            None => {
                let holder = ids.get(&(context(&placed.subject), placed.known.id));
                if holder.is_some_and(|content| *content != placed.known.content) {
                    conflicts.push(format!(
                        "id {} of {name} is another schema there",
                        placed.known.id
                    ));
                }
            }
        }
    }
    if conflicts.is_empty() {
        return Ok(());
    }
    let count = conflicts.len();
    conflicts.truncate(TOLD_MAX);
    Err(Stop::data(format!(
        "nothing was written, {count} versions are in the way:\n{}",
        conflicts.join("\n")
    )))
}

/// The scopes that were put into IMPORT mode, and what they were in before.
#[derive(Default)]
struct Modes(Vec<(Option<String>, Before)>);

enum Before {
    Mode(String),
    /// Whatever is around the scope.
    Inherited,
}

const IMPORT: &str = "IMPORT";

impl Modes {
    async fn enter(
        &mut self,
        client: &Client,
        index: &Index,
        there: &Holdings,
        merge: bool,
    ) -> Result<(), ClientError> {
        let subjects = || index.schemas.iter().map(|placed| placed.subject.as_ref());
        let contexts: BTreeSet<String> = subjects()
            .map(|subject| QualifiedSubject::of(subject).prefix())
            .collect();
        for context in contexts {
            let scope = Some(context).filter(|context| !context.is_empty());
            self.enter_scope(client, scope, merge).await?;
        }
        // A subject's own mode goes before its context's.
        let known: HashSet<&str> = there.keys().map(|(subject, _)| subject.as_str()).collect();
        let both: BTreeSet<&str> = subjects().filter(|subject| known.contains(subject)).collect();
        for subject in both {
            if client.mode(Some(subject)).await?.is_some() {
                self.enter_scope(client, Some(subject.to_owned()), merge).await?;
            }
        }
        Ok(())
    }

    async fn enter_scope(
        &mut self,
        client: &Client,
        scope: Option<String>,
        merge: bool,
    ) -> Result<(), ClientError> {
        let own = client.mode(scope.as_deref()).await?;
        // Of the default context a mode is shown even when none is set.
        let effective = client.effective_mode(scope.as_deref()).await?;
        let before = match own {
            Some(mode) if mode == effective => Before::Mode(mode),
            _ => Before::Inherited,
        };
        // Noted first: an answer may be lost when the mode is set.
        self.0.push((scope.clone(), before));
        client.set_mode(scope.as_deref(), IMPORT, merge).await
    }

    /// The innermost scopes first. Goes on when one fails.
    async fn restore(&self, client: &Client) -> Result<(), Stop> {
        let mut failed = Vec::new();
        for (scope, before) in self.0.iter().rev() {
            let scope = scope.as_deref();
            let restored = match before {
                Before::Mode(mode) => client.set_mode(scope, mode, true).await,
                Before::Inherited => client.delete_mode(scope).await,
            };
            if let Err(error) = restored {
                let scope = scope.unwrap_or("the default context");
                failed.push(format!(
                    "the mode of {scope} is still {IMPORT} and could not be restored: {error}"
                ));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(Stop {
            code: exit::UNAVAILABLE,
            why: failed.join("\n"),
        })
    }
}

async fn register(
    client: &Arc<Client>,
    index: &mut Index,
    generations: &[Vec<usize>],
    there: &Holdings,
    done: &mut Done,
) -> Result<(), Stop> {
    for generation in generations {
        for chunk in generation.chunks(AT_ONCE) {
            let mut under_way = JoinSet::new();
            for at in chunk {
                let version = index.version(*at)?;
                if there.contains_key(&(version.subject.clone(), version.version)) {
                    done.already += 1;
                    continue;
                }
                let client = client.clone();
                under_way.spawn(async move {
                    let (id, number) = (SchemaId(version.id), Version(version.version));
                    let name = format!("{} version {}, id {}", version.subject, number.0, id.0);
                    let answer = client.import(&version.subject, &version.body, id, number).await;
                    let answer = answer.map_err(|error| refused(&name, error))?;
                    if answer.id == id.0 && answer.version.is_none_or(|given| given == number.0) {
                        return Ok(());
                    }
                    Err(Stop::data(format!(
                        "{name} was given id {} and version {}: the registry is not in {IMPORT} mode any more",
                        answer.id,
                        answer.version.unwrap_or_default()
                    )))
                });
            }
            while let Some(registered) = under_way.join_next().await {
                registered.map_err(|error| Stop::data(error.to_string()))??;
                done.registered += 1;
            }
        }
    }
    Ok(())
}

fn refused(name: &str, error: ClientError) -> Stop {
    let mut stop = Stop::from(error);
    if stop.code == exit::INCOMPATIBLE || stop.code == exit::NO_INPUT {
        stop.code = exit::DATA;
    }
    stop.why = format!("{name}: {}", stop.why);
    stop
}

/// In the opposite order: what is referred to can only be deleted after what refers to it.
async fn delete(
    client: &Client,
    index: &Index,
    generations: &[Vec<usize>],
    there: &Holdings,
    done: &mut Done,
) -> Result<(), Stop> {
    for at in generations.iter().rev().flatten() {
        let Some(placed) = index.schemas.get(*at).filter(|placed| placed.known.deleted) else {
            continue;
        };
        let key = (placed.subject.to_string(), placed.version);
        if there.get(&key).is_some_and(|known| known.deleted) {
            continue;
        }
        match client
            .delete_version(&placed.subject, Version(placed.version))
            .await
        {
            Ok(()) => done.deleted += 1,
            Err(error) if error.is_soft_deleted_already() => {}
            Err(error) => {
                let name = format!("{} version {}", placed.subject, placed.version);
                return Err(refused(&name, error));
            }
        }
    }
    Ok(())
}

/// `GET /config` says `compatibilityLevel` where `PUT` wants `compatibility`.
fn to_put(settings: &Map<String, Value>) -> Map<String, Value> {
    let rename = |key: &str| {
        if key == "compatibilityLevel" {
            "compatibility"
        } else {
            key
        }
        .to_owned()
    };
    settings
        .iter()
        .map(|(key, value)| (rename(key), value.clone()))
        .collect()
}

/// Sets the configurations that are not so already; says how many. Before the modes are given back: READONLY would refuse it.
async fn set_configs(client: &Arc<Client>, index: &Index) -> Result<usize, ClientError> {
    let (configs, _) = differing(client, index).await?;
    for config in &configs {
        client
            .set_config(config.scope.as_deref(), to_put(&config.settings))
            .await?;
    }
    Ok(configs.len())
}

/// The same for the modes, which come last of all.
async fn set_modes(client: &Arc<Client>, index: &Index) -> Result<usize, ClientError> {
    let (_, modes) = differing(client, index).await?;
    for mode in &modes {
        client.set_mode(mode.scope.as_deref(), &mode.mode, true).await?;
    }
    Ok(modes.len())
}

/// The settings of a file that a registry does not have so.
async fn differing<'a>(
    client: &Arc<Client>,
    index: &'a Index,
) -> Result<(Vec<&'a Config>, Vec<&'a Mode>), ClientError> {
    let of_configs = index.configs.iter().map(|config| config.scope.clone());
    let of_modes = index.modes.iter().map(|mode| mode.scope.clone());
    let scopes: BTreeSet<Option<String>> = of_configs.chain(of_modes).collect();
    let (configs, modes) = settings::read(client, scopes.into_iter().collect()).await?;
    let configs: HashMap<Option<String>, Map<String, Value>> = configs
        .into_iter()
        .map(|config| (config.scope, config.settings))
        .collect();
    let modes: HashMap<Option<String>, String> =
        modes.into_iter().map(|mode| (mode.scope, mode.mode)).collect();
    let config_differs = |config: &&Config| configs.get(&config.scope) != Some(&config.settings);
    let mode_differs = |mode: &&Mode| modes.get(&mode.scope) != Some(&mode.mode);
    Ok((
        index.configs.iter().filter(config_differs).collect(),
        index.modes.iter().filter(mode_differs).collect(),
    ))
}

/// Where the target is not what the file says.
async fn verify(client: &Arc<Client>, index: &Index) -> Result<Vec<String>, Stop> {
    let there = holdings(client).await?;
    let mut differences = Vec::new();
    for placed in &index.schemas {
        let name = format!("{} version {}", placed.subject, placed.version);
        match there.get(&(placed.subject.to_string(), placed.version)) {
            None => differences.push(format!("{name} is not there")),
            Some(known) if known.id != placed.known.id => {
                differences.push(format!("{name} has id {}, not {}", known.id, placed.known.id));
            }
            Some(known) if known.deleted != placed.known.deleted => {
                let is = if known.deleted { "deleted" } else { "not deleted" };
                differences.push(format!("{name} is {is}"));
            }
            Some(known) if known.content != placed.known.content => {
                differences.push(format!(
                    "{name} has another text, type, reference, metadata or rule set"
                ));
            }
            Some(_) => {}
        }
    }
    let (configs, modes) = differing(client, index).await?;
    let named = |scope: &Option<String>| scope.clone().unwrap_or_else(|| "the default context".to_owned());
    differences.extend(
        configs
            .iter()
            .map(|config| format!("the configuration of {}", named(&config.scope))),
    );
    differences.extend(
        modes
            .iter()
            .map(|mode| format!("the mode of {}", named(&mode.scope))),
    );
    Ok(differences)
}
