//! Holds the files of one plan to their languages, to each other and, if there is one, to a registry.

use super::connection::Stop;
use super::files::{self, Unreadable};
use super::plan::{Entry, Plan, PlannedReference};
use super::verdict::{Finding, Outcome, Verdict};
use crate::cli::exit;
use crate::registry::client::{Client, ClientError, References, SchemaBody};
use crate::registry::state::{Reference, level_from_name, level_name};
use crate::schema::{CompatibilityLevel, ReferencedSchema, Schema, SchemaError, Version};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Checker<'a> {
    pub folder: &'a Path,
    pub plan: &'a Plan,
    pub client: Option<&'a Client>,
    pub normalize: bool,
    texts: HashMap<usize, Result<Arc<str>, Unreadable>>,
    remote: References,
    /// The latest versions of subjects that are not among the files.
    latest: HashMap<String, Option<Version>>,
    /// By subject, where the plan's own schemas stand in the registry.
    standing: HashMap<String, Standing>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    Registered { id: u32, version: u32 },
    New,
    Bad,
}

/// Why a schema was not compared, or what a comparison came to.
pub enum Halt {
    Outcome(Outcome),
    Client(ClientError),
}

impl From<ClientError> for Halt {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<Outcome> for Halt {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

/// A schema with all that it needs.
struct Read {
    text: Arc<str>,
    schema: Schema,
}

impl<'a> Checker<'a> {
    pub fn new(folder: &'a Path, plan: &'a Plan, client: Option<&'a Client>, normalize: bool) -> Self {
        Self {
            folder,
            plan,
            client,
            normalize,
            texts: HashMap::new(),
            remote: References::default(),
            latest: HashMap::new(),
            standing: HashMap::new(),
        }
    }

    /// Every selected file, and for them those that they refer to.
    ///
    /// # Errors
    /// When the registry cannot be asked at all.
    pub async fn check(&mut self) -> Result<Vec<Verdict>, Stop> {
        let mut verdicts = Vec::new();
        for index in self.needed() {
            let Some(entry) = self.plan.get(index) else {
                continue;
            };
            for subject in &entry.subjects {
                let outcome = match self.one(index, entry, subject).await {
                    Ok(outcome) | Err(Halt::Outcome(outcome)) => outcome,
                    Err(Halt::Client(error)) => failed(error)?,
                };
                let standing = match &outcome {
                    Outcome::Unchanged { id, version } => Standing::Registered {
                        id: *id,
                        version: *version,
                    },
                    good if good.is_good() => Standing::New,
                    _ => Standing::Bad,
                };
                self.standing.insert(subject.clone(), standing);
                if entry.selected {
                    verdicts.push(self.verdict(entry, subject, outcome));
                }
            }
        }
        Ok(verdicts)
    }

    pub fn verdict(&self, entry: &Entry, subject: &str, outcome: Outcome) -> Verdict {
        Verdict {
            file: self.shown(entry),
            subject: subject.to_owned(),
            schema_type: entry.schema_type,
            outcome,
        }
    }

    fn shown(&self, entry: &Entry) -> PathBuf {
        files::shown(&self.folder.join(&entry.file))
    }

    /// The selected ones and what they refer to; a plan's order is one of dependencies.
    fn needed(&self) -> BTreeSet<usize> {
        let selected = self.plan.iter().enumerate().filter(|(_, entry)| entry.selected);
        let mut open: Vec<usize> = selected.map(|(index, _)| index).collect();
        let mut needed = BTreeSet::new();
        while let Some(index) = open.pop() {
            if needed.insert(index)
                && let Some(entry) = self.plan.get(index)
            {
                open.extend(entry.references.iter().filter_map(|reference| reference.entry));
            }
        }
        needed
    }

    async fn one(&mut self, index: usize, entry: &Entry, subject: &str) -> Result<Outcome, Halt> {
        for reference in &entry.references {
            if self.standing.get(&reference.subject) == Some(&Standing::Bad) {
                let why = format!("it refers to `{}`, which is not good", reference.subject);
                return Ok(Outcome::Skipped(why));
            }
        }
        let read = self.read(index, entry).await?;
        let Some(client) = self.client else {
            let new = read.schema.check_as_new();
            return Ok(new.map_or_else(|error| invalid(&read.text, &error), |()| Outcome::Valid));
        };
        let references = self.numbered(client, entry).await?;
        if let Some(references) = &references {
            let body = body(entry, &read.text, references.clone());
            match client.look_up(subject, &body, self.normalize).await {
                Ok(found) => {
                    return Ok(Outcome::Unchanged {
                        id: found.id,
                        version: found.version,
                    });
                }
                Err(error) if error.is_not_found() => {}
                Err(error) if error.is_invalid_schema() => return Ok(refused(&error)),
                Err(error) => return Err(error.into()),
            }
        }
        if let Err(error) = read.schema.check_as_new() {
            return Ok(invalid(&read.text, &error));
        }
        self.as_next(client, entry, subject, &read, references).await
    }

    /// Whether a schema may be the next version of its subject.
    async fn as_next(
        &mut self,
        client: &Client,
        entry: &Entry,
        subject: &str,
        read: &Read,
        references: Option<Vec<Reference>>,
    ) -> Result<Outcome, Halt> {
        let versions = match client.versions(subject, false).await {
            Ok(versions) => versions,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        if versions.is_empty() {
            return Ok(Outcome::New {
                first: true,
                note: None,
            });
        }
        let effective = client.effective_config(subject).await?;
        let effective = effective
            .get("compatibilityLevel")
            .and_then(|level| level.as_str());
        let effective = effective
            .and_then(level_from_name)
            .unwrap_or(CompatibilityLevel::Backward);
        let level = entry.compatibility.unwrap_or(effective);
        match references {
            Some(references) if level == effective => {
                let body = body(entry, &read.text, references);
                let answer = client.compatibility(subject, &body, self.normalize).await?;
                if answer.is_compatible {
                    let note = (!answer.messages.is_empty()).then(|| answer.messages.join(" "));
                    return Ok(Outcome::New { first: false, note });
                }
                // The registry's words hold no lines. Ours are of the same rules.
                let mut findings = self.compare(client, subject, read, level, &versions).await?;
                if findings.is_empty() {
                    let messages = answer.messages.iter();
                    findings = messages.map(|said| Finding::plain(said.clone(), None)).collect();
                }
                Ok(Outcome::Incompatible {
                    findings,
                    messages: answer.messages,
                })
            }
            references => {
                let findings = self.compare(client, subject, read, level, &versions).await?;
                if !findings.is_empty() {
                    return Ok(Outcome::Incompatible {
                        findings,
                        messages: Vec::new(),
                    });
                }
                let why = if references.is_none() {
                    "what it refers to is not registered yet".to_owned()
                } else {
                    format!("the manifest says {}", level_name(level))
                };
                Ok(Outcome::New {
                    first: false,
                    note: Some(format!("compared here, not by the registry: {why}")),
                })
            }
        }
    }

    /// Compares with the versions that a level wants, newest first, until one is not compatible.
    async fn compare(
        &mut self,
        client: &Client,
        subject: &str,
        read: &Read,
        level: CompatibilityLevel,
        versions: &[Version],
    ) -> Result<Vec<Finding>, ClientError> {
        let looked_at = if is_transitive(level) { versions.len() } else { 1 };
        for version in versions.iter().rev().take(looked_at) {
            let old = client.version(subject, Some(*version), false).await?;
            let references = self.remote.resolve(client, subject, &old.body.references).await?;
            let Some(schema_type) = crate::registry::state::schema_type_from_name(&old.body.schema_type)
            else {
                continue;
            };
            let old = match Schema::parse(schema_type, &old.body.schema, &references) {
                Ok(old) => old,
                Err(error) => {
                    return Ok(vec![Finding::plain(
                        format!("version {} cannot be read: {error}", version.0),
                        None,
                    )]);
                }
            };
            let findings = differences(&read.schema, &old, level, version.0, &read.text);
            if !findings.is_empty() {
                return Ok(findings);
            }
        }
        Ok(Vec::new())
    }

    fn text(&mut self, index: usize, entry: &Entry) -> Result<Arc<str>, Unreadable> {
        let path = self.folder.join(&entry.file);
        let read = || files::read(&path).map(Arc::from);
        self.texts.entry(index).or_insert_with(read).clone()
    }

    async fn read(&mut self, index: usize, entry: &Entry) -> Result<Read, Halt> {
        let text = self
            .text(index, entry)
            .map_err(|error| Outcome::Invalid(Finding::plain(error.why, error.position)))?;
        let references = match self.references(index, entry).await {
            Err(Halt::Outcome(Outcome::Unresolved(missing))) => {
                // The language's own parser would stop at the first name that is not there.
                let outcome = syntax(entry, &text).unwrap_or(Outcome::Unresolved(missing));
                return Err(outcome.into());
            }
            other => other?,
        };
        let schema =
            Schema::parse(entry.schema_type, &text, &references).map_err(|error| invalid(&text, &error))?;
        Ok(Read { text, schema })
    }

    /// The texts behind an entry's references: what only the registry has, then files, in the plan's order.
    async fn references(&mut self, index: usize, entry: &Entry) -> Result<Vec<ReferencedSchema>, Halt> {
        let mut resolved = Vec::new();
        let mut named: HashSet<String> = HashSet::new();
        let mut files: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        let mut missing = Vec::new();
        let mut open: Vec<(&Entry, &PlannedReference)> = entry
            .references
            .iter()
            .map(|reference| (entry, reference))
            .collect();
        let mut seen = HashSet::from([index]);
        while let Some((owner, reference)) = open.pop() {
            if let Some(target) = reference.entry
                && !self.is_pinned_elsewhere(reference).await?
            {
                files.entry(target).or_default().insert(&reference.name);
                if seen.insert(target)
                    && let Some(target) = self.plan.get(target)
                {
                    open.extend(target.references.iter().map(|reference| (target, reference)));
                }
                continue;
            }
            let Some(client) = self.client else {
                missing.push(format!("subject `{}`", reference.subject));
                continue;
            };
            let number = self.number(client, reference).await?;
            let own = owner.subjects.first().map_or("", String::as_str);
            let whole = [registered(reference, number)];
            let behind = self.remote.resolve(client, own, &whole).await?;
            resolved.extend(
                behind
                    .into_iter()
                    .filter(|schema| named.insert(schema.name.clone())),
            );
        }
        if !missing.is_empty() {
            missing.sort();
            missing.dedup();
            return Err(Outcome::Unresolved(missing).into());
        }
        for (target, names) in files {
            let Some(entry) = self.plan.get(target) else {
                continue;
            };
            let text = self.text(target, entry).map_err(|error| {
                let file = self.shown(entry);
                Outcome::Skipped(format!("it refers to {}, which {}", file.display(), error.why))
            })?;
            for name in names {
                if named.insert(name.to_owned()) {
                    resolved.push(ReferencedSchema {
                        name: name.to_owned(),
                        text: text.to_string(),
                    });
                }
            }
        }
        Ok(resolved)
    }

    /// A pinned version of a file's own subject is the registry's, once it is there.
    async fn is_pinned_elsewhere(&mut self, reference: &PlannedReference) -> Result<bool, Halt> {
        let (Some(client), Some(version)) = (self.client, reference.version) else {
            return Ok(false);
        };
        match client.version(&reference.subject, Some(version), true).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The number of a version that only the registry has.
    async fn number(&mut self, client: &Client, reference: &PlannedReference) -> Result<Version, Halt> {
        let subject = &reference.subject;
        if let Some(version) = reference.version {
            let found = client.version(subject, Some(version), false).await;
            return match found {
                Ok(_) => Ok(version),
                Err(error) if error.is_not_found() => {
                    Err(no_reference(&format!("version {} of `{subject}`", version.0)).into())
                }
                Err(error) => Err(error.into()),
            };
        }
        if !self.latest.contains_key(subject) {
            let latest = match client.version(subject, None, false).await {
                Ok(found) => Some(Version(found.version)),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error.into()),
            };
            self.latest.insert(subject.clone(), latest);
        }
        let latest = self.latest.get(subject).copied().flatten();
        latest.ok_or_else(|| no_reference(&format!("`{subject}`")).into())
    }

    /// An entry's references as they are registered; `None` while one of them is itself new.
    pub async fn numbered(&mut self, client: &Client, entry: &Entry) -> Result<Option<Vec<Reference>>, Halt> {
        let mut references = Vec::with_capacity(entry.references.len());
        for reference in &entry.references {
            let number = match (reference.entry, reference.version) {
                (Some(_), None) => match self.standing.get(&reference.subject) {
                    Some(Standing::Registered { version, .. }) => Version(*version),
                    _ => return Ok(None),
                },
                (Some(_), Some(version)) => {
                    if !self.is_pinned_elsewhere(reference).await? {
                        return Ok(None);
                    }
                    version
                }
                (None, _) => self.number(client, reference).await?,
            };
            references.push(registered(reference, number));
        }
        Ok(Some(references))
    }

    /// The first selected file's schema, parsed.
    pub async fn selected_schema(&mut self) -> Result<Option<Schema>, Halt> {
        let mut selected = self.plan.iter().enumerate().filter(|(_, entry)| entry.selected);
        match selected.next() {
            Some((index, entry)) => Ok(Some(self.read(index, entry).await?.schema)),
            None => Ok(None),
        }
    }

    /// Where a subject stands after [`Self::check`], or after it was registered.
    pub fn standing(&self, subject: &str) -> Option<Standing> {
        self.standing.get(subject).copied()
    }

    pub fn stands(&mut self, subject: &str, standing: Standing) {
        self.standing.insert(subject.to_owned(), standing);
    }

    /// The body that registers an entry.
    pub fn body(&mut self, index: usize, entry: &Entry, references: Vec<Reference>) -> Option<SchemaBody> {
        let text = self.text(index, entry).ok()?;
        Some(body(entry, &text, references))
    }
}

fn registered(reference: &PlannedReference, version: Version) -> Reference {
    Reference {
        name: reference.name.clone(),
        subject: reference.written.clone(),
        version: version.0,
    }
}

fn body(entry: &Entry, text: &str, references: Vec<Reference>) -> SchemaBody {
    SchemaBody {
        schema_type: entry.schema_type.as_str().to_owned(),
        schema: text.to_owned(),
        references,
        metadata: entry
            .metadata
            .as_ref()
            .and_then(|value| serde_json::to_value(value).ok()),
        rule_set: entry
            .rule_set
            .as_ref()
            .and_then(|value| serde_json::to_value(value).ok()),
    }
}

pub fn invalid(text: &str, error: &SchemaError) -> Outcome {
    let position = error.place().and_then(|place| place.position(text));
    Outcome::Invalid(Finding::plain(error.to_string(), position))
}

fn refused(error: &ClientError) -> Outcome {
    Outcome::Invalid(Finding::plain(error.to_string(), None))
}

fn no_reference(what: &str) -> Outcome {
    Outcome::Invalid(Finding::plain(
        format!("it refers to {what}, which neither the files nor the registry have"),
        None,
    ))
}

/// What can be said of a text without what it refers to.
fn syntax(entry: &Entry, text: &str) -> Option<Outcome> {
    let wrong = Schema::check_syntax(entry.schema_type, text).err()?;
    Some(invalid(text, &wrong))
}

/// A refusal is one schema's outcome; a registry that cannot be asked ends the command.
pub fn failed(error: ClientError) -> Result<Outcome, Stop> {
    if error.is_invalid_schema() {
        return Ok(refused(&error));
    }
    let stop = Stop::from(error);
    if matches!(stop.code, exit::UNAVAILABLE | exit::NO_PERMISSION | exit::USAGE) {
        return Err(stop);
    }
    Ok(stop.into())
}

fn is_transitive(level: CompatibilityLevel) -> bool {
    use CompatibilityLevel::{BackwardTransitive, ForwardTransitive, FullTransitive};
    matches!(level, BackwardTransitive | ForwardTransitive | FullTransitive)
}

/// Why `new` may not follow `old` at a level.
pub fn differences(
    new: &Schema,
    old: &Schema,
    level: CompatibilityLevel,
    old_version: u32,
    new_text: &str,
) -> Vec<Finding> {
    use CompatibilityLevel::{
        Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive,
    };
    let backward = matches!(level, Backward | BackwardTransitive | Full | FullTransitive);
    let forward = matches!(level, Forward | ForwardTransitive | Full | FullTransitive);
    let mut findings = Vec::new();
    if backward {
        let found = new.incompatibilities(old);
        findings.extend(
            found
                .iter()
                .map(|found| Finding::difference(found, "new", "old", old_version, new_text)),
        );
    }
    if forward {
        let found = old.incompatibilities(new);
        findings.extend(
            found
                .iter()
                .map(|found| Finding::difference(found, "old", "new", old_version, new_text)),
        );
    }
    findings
}
