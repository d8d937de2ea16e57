//! From files and a manifest to schemas with subjects and references, those that are referred to first. Pure.

use super::files::type_of;
use crate::config::manifest::{Manifest, ReferenceEntry, SchemaEntry, Target};
use crate::config::{Diagnostic, Diagnostics, Position, suggest};
use crate::registry::state::qualified::{QualifiedSubject, beside, normalized};
use crate::registry::state::{Metadata, RuleSet};
use crate::schema::{CompatibilityLevel, SchemaType, Version};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// One file.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Relative to the plan's folder.
    pub file: PathBuf,
    pub schema_type: SchemaType,
    /// With their contexts.
    pub subjects: Vec<String>,
    pub references: Vec<PlannedReference>,
    pub compatibility: Option<CompatibilityLevel>,
    pub metadata: Option<Metadata>,
    pub rule_set: Option<RuleSet>,
    /// Whether the command is about it; if not, another one needs it.
    pub selected: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct PlannedReference {
    pub name: String,
    /// As it is registered: without its context when that is the referring schema's own.
    pub written: String,
    /// With its context.
    pub subject: String,
    pub version: Option<Version>,
    /// The entry that has this subject, if it is one of the files.
    pub entry: Option<usize>,
}

/// Those that are referred to stand before those that refer to them.
pub type Plan = Vec<Entry>;

struct Planner<'a> {
    manifest: &'a Manifest,
    /// What diagnostics name.
    file: &'a Path,
    wrong: Vec<Diagnostic>,
}

/// `files`: relative to the folder of the manifest `file`.
///
/// # Errors
/// A file that is not there, a subject of two files, references in a circle.
pub fn plan(
    manifest: &Manifest,
    file: &Path,
    files: &BTreeSet<PathBuf>,
    selected: &BTreeSet<PathBuf>,
) -> Result<Plan, Diagnostics> {
    let mut planner = Planner {
        manifest,
        file,
        wrong: Vec::new(),
    };
    let said = planner.said(files);
    let mut entries: Vec<Entry> = files
        .iter()
        .filter_map(|path| {
            let said = said.get(path.as_path()).copied();
            Some(Entry {
                schema_type: type_of(path)?,
                subjects: planner.subjects(path, said),
                references: Vec::new(),
                compatibility: planner.level(path, said),
                metadata: said.and_then(|said| said.metadata.clone()),
                rule_set: said.and_then(|said| said.rule_set.clone()),
                selected: selected.contains(path),
                file: path.clone(),
            })
        })
        .collect();
    let by_subject = planner.by_subject(&entries, &said);
    let by_file: HashMap<PathBuf, usize> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| (entry.file.clone(), index))
        .collect();
    let mut references = Vec::new();
    for entry in &entries {
        let said = said.get(entry.file.as_path());
        let own = said.map_or(&[][..], |said| said.references.as_slice());
        let found = own
            .iter()
            .filter_map(|reference| planner.reference(reference, entry, &entries, &by_file, &by_subject));
        references.push(found.collect::<Vec<_>>());
    }
    for (entry, references) in entries.iter_mut().zip(references) {
        entry.references = references;
    }
    match planner.order(&entries, &said) {
        Some(order) if planner.wrong.is_empty() => Ok(sorted(entries, &order)),
        _ => {
            planner.wrong.sort_by_key(|diagnostic| diagnostic.position);
            Err(Diagnostics(planner.wrong))
        }
    }
}

impl<'a> Planner<'a> {
    fn report(&mut self, position: Option<Position>, what: String, suggestion: Option<String>) {
        self.wrong.push(Diagnostic {
            file: self.file.to_owned(),
            position,
            what,
            suggestion,
        });
    }

    fn said(&mut self, files: &BTreeSet<PathBuf>) -> HashMap<&'a Path, &'a SchemaEntry> {
        let mut said: HashMap<&Path, &SchemaEntry> = HashMap::new();
        for entry in &self.manifest.schemas {
            let shown = entry.file.display();
            if !files.contains(&entry.file) {
                self.no_file(entry.at, &entry.file, files);
            } else if let Some(first) = said.insert(&entry.file, entry) {
                let line = first.at.line;
                self.report(
                    Some(entry.at),
                    format!("`file`: `{shown}` was described in line {line} already"),
                    None,
                );
            }
        }
        said
    }

    fn no_file(&mut self, at: Position, path: &Path, files: &BTreeSet<PathBuf>) {
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        let names: Vec<&str> = names.iter().take(1_000).map(String::as_str).collect();
        let shown = path.display().to_string();
        let suggestion = suggest(&shown, &names).filter(|text| text.len() < 400);
        let what = if type_of(path).is_none() {
            format!("`file`: `{shown}` is no schema file: their names end in .avsc, .proto or .json")
        } else {
            format!("`file`: there is no file `{shown}` here")
        };
        self.report(Some(at), what, suggestion);
    }

    /// The manifest's folders that hold a file, the deepest first.
    fn around(&self, path: &Path) -> impl Iterator<Item = &'a crate::config::manifest::FolderEntry> {
        let mut around: Vec<_> = self
            .manifest
            .folders
            .iter()
            .filter(|entry| path.starts_with(&entry.folder))
            .collect();
        around.sort_by_key(|entry| std::cmp::Reverse(entry.folder.components().count()));
        around.into_iter()
    }

    fn subjects(&self, path: &Path, said: Option<&SchemaEntry>) -> Vec<String> {
        let prefix = self.around(path).find_map(|folder| folder.context.as_deref());
        let qualified = |name: &str| {
            let prefix = prefix.unwrap_or_default();
            if prefix.is_empty() {
                normalized(name).into_owned()
            } else {
                beside(prefix, name).into_owned()
            }
        };
        match said {
            Some(said) if !said.subjects.is_empty() => {
                said.subjects.iter().map(|subject| qualified(subject)).collect()
            }
            _ => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                vec![qualified(&stem)]
            }
        }
    }

    fn level(&self, path: &Path, said: Option<&SchemaEntry>) -> Option<CompatibilityLevel> {
        let own = said.and_then(|said| said.compatibility);
        own.or_else(|| self.around(path).find_map(|folder| folder.compatibility))
    }

    fn by_subject(
        &mut self,
        entries: &[Entry],
        said: &HashMap<&Path, &SchemaEntry>,
    ) -> BTreeMap<String, usize> {
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            for subject in &entry.subjects {
                let Some(other) = known.insert(subject.clone(), index) else {
                    continue;
                };
                let other = entries.get(other).map(|other| other.file.display().to_string());
                let what = format!(
                    "subject `{subject}` is that of {} and of {}",
                    other.unwrap_or_default(),
                    entry.file.display()
                );
                let suggestion = "say `subject:` for one of them in schemas.yaml".to_owned();
                let at = said.get(entry.file.as_path()).map(|said| said.at);
                self.report(at, what, Some(suggestion));
            }
        }
        known
    }

    fn reference(
        &mut self,
        reference: &ReferenceEntry,
        entry: &Entry,
        entries: &[Entry],
        by_file: &HashMap<PathBuf, usize>,
        by_subject: &BTreeMap<String, usize>,
    ) -> Option<PlannedReference> {
        let own = entry.subjects.first()?;
        let (index, subject, written) = match &reference.target {
            Target::File(path) => {
                let Some(index) = by_file.get(path).copied() else {
                    self.no_file(reference.at, path, &by_file.keys().cloned().collect());
                    return None;
                };
                let subject = entries.get(index)?.subjects.first()?.clone();
                let Some(written) = written(own, &subject) else {
                    self.report(
                        Some(reference.at),
                        format!("`{own}` cannot refer to `{subject}`, which is in the default context"),
                        Some("put it into the same context, or into one with a name".to_owned()),
                    );
                    return None;
                };
                (Some(index), subject, written)
            }
            Target::Subject(written) => {
                let subject = beside(own, written).into_owned();
                (by_subject.get(&subject).copied(), subject, written.clone())
            }
        };
        Some(PlannedReference {
            name: reference.name.clone(),
            written,
            subject,
            version: reference.version,
            entry: index,
        })
    }

    /// Depth first, on a stack of its own.
    fn order(&mut self, entries: &[Entry], said: &HashMap<&Path, &SchemaEntry>) -> Option<Vec<usize>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Seen {
            Not,
            Open,
            Done,
        }
        let mut seen = vec![Seen::Not; entries.len()];
        let mut order = Vec::with_capacity(entries.len());
        for start in 0..entries.len() {
            if seen.get(start) != Some(&Seen::Not) {
                continue;
            }
            let mut stack = vec![(start, 0)];
            if let Some(seen) = seen.get_mut(start) {
                *seen = Seen::Open;
            }
            while let Some((index, next)) = stack.last_mut() {
                let references = &entries.get(*index)?.references;
                let Some(reference) = references.get(*next) else {
                    if let Some(seen) = seen.get_mut(*index) {
                        *seen = Seen::Done;
                    }
                    order.push(*index);
                    stack.pop();
                    continue;
                };
                *next += 1;
                let Some(target) = reference.entry else { continue };
                match seen.get(target) {
                    Some(Seen::Done) | None => {}
                    Some(Seen::Not) => {
                        if let Some(seen) = seen.get_mut(target) {
                            *seen = Seen::Open;
                        }
                        stack.push((target, 0));
                    }
                    Some(Seen::Open) => {
                        let way = stack.iter().map(|(index, _)| *index);
                        let mut circle: Vec<usize> = way.skip_while(|index| *index != target).collect();
                        circle.push(target);
                        let names: Vec<String> = circle
                            .iter()
                            .filter_map(|index| entries.get(*index))
                            .map(|entry| entry.file.display().to_string())
                            .collect();
                        let at = entries
                            .get(target)
                            .and_then(|entry| said.get(entry.file.as_path()));
                        self.report(
                            at.map(|said| said.at),
                            format!("references form a circle: {}", names.join(" -> ")),
                            Some("a schema can only refer to one that is registered before it".to_owned()),
                        );
                        return None;
                    }
                }
            }
        }
        Some(order)
    }
}

/// `subject` as a schema under `own` refers to it. From another context there is no way to say the default one.
fn written(own: &str, subject: &str) -> Option<String> {
    let (own, parts) = (QualifiedSubject::of(own), QualifiedSubject::of(subject));
    if own.context == parts.context {
        Some(parts.subject.to_owned())
    } else {
        (!parts.is_in_default_context()).then(|| subject.to_owned())
    }
}

fn sorted(entries: Vec<Entry>, order: &[usize]) -> Plan {
    let mut place = vec![0; entries.len()];
    for (new, old) in order.iter().enumerate() {
        if let Some(place) = place.get_mut(*old) {
            *place = new;
        }
    }
    let mut sorted: Vec<(usize, Entry)> = entries
        .into_iter()
        .enumerate()
        .map(|(old, mut entry)| {
            for reference in &mut entry.references {
                reference.entry = reference.entry.and_then(|old| place.get(old).copied());
            }
            (place.get(old).copied().unwrap_or(old), entry)
        })
        .collect();
    sorted.sort_by_key(|(new, _)| *new);
    sorted.into_iter().map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(manifest: &str, files: &[&str]) -> Result<Plan, String> {
        let file = Path::new("schemas.yaml");
        let manifest = Manifest::parse(manifest, file, &|_| None).unwrap();
        let files: BTreeSet<PathBuf> = files.iter().map(PathBuf::from).collect();
        plan(&manifest, file, &files, &files).map_err(|wrong| wrong.to_string())
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.iter().map(|entry| entry.file.to_str().unwrap()).collect()
    }

    #[test]
    fn a_files_name_is_its_subject_in_the_context_of_its_folder() {
        let plan = planned(
            "folders:\n  - { folder: billing, context: .billing, compatibility: FULL }\n  - { folder: billing/old, context: .old }\nschemas:\n  - { file: billing/b.proto, subjects: [x, \":.y:z\"] }\n",
            &["orders-value.avsc", "billing/a.json", "billing/b.proto", "billing/old/c.avsc", "deep/er/d.json"],
        )
        .unwrap();
        let subjects: Vec<&str> = plan
            .iter()
            .flat_map(|entry| entry.subjects.iter().map(String::as_str))
            .collect();
        assert_eq!(
            subjects,
            [
                ":.billing:a",
                ":.billing:x",
                ":.y:z",
                ":.old:c",
                "d",
                "orders-value"
            ]
        );
        assert_eq!(plan[2].compatibility, Some(CompatibilityLevel::Full));
        assert_eq!(plan[3].compatibility, None);
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let plan = planned(
            "schemas:\n  - { file: a.avsc, references: [{ name: B, file: b.avsc }, { name: M, subject: money, version: 2 }] }\n  - { file: b.avsc, references: [{ name: C, subject: c }] }\n",
            &["a.avsc", "b.avsc", "c.avsc"],
        )
        .unwrap();
        assert_eq!(names(&plan), ["c.avsc", "b.avsc", "a.avsc"]);
        assert_eq!(plan[2].references[0].entry, Some(1));
        assert_eq!(plan[2].references[1].entry, None);
        assert_eq!(plan[1].references[0].entry, Some(0));
    }

    #[test]
    fn a_circle_is_named() {
        let error = planned(
            "schemas:\n  - { file: a.avsc, references: [{ name: B, file: b.avsc }] }\n  - { file: b.avsc, references: [{ name: C, file: c.avsc }] }\n  - { file: c.avsc, references: [{ name: B, subject: b }] }\n",
            &["a.avsc", "b.avsc", "c.avsc"],
        )
        .unwrap_err();
        assert_eq!(
            error,
            "schemas.yaml:3:5: references form a circle: b.avsc -> c.avsc -> b.avsc; a schema can only refer to one that is registered before it"
        );
    }

    #[test]
    fn a_file_that_is_missing_and_a_subject_of_two_files_are_refused() {
        let error = planned("schemas:\n  - { file: order.avsc }\n", &["orders.avsc"]).unwrap_err();
        assert_eq!(
            error,
            "schemas.yaml:2:5: `file`: there is no file `order.avsc` here; did you mean `orders.avsc`?"
        );
        let error = planned("", &["a/x.avsc", "b/x.json"]).unwrap_err();
        assert!(
            error.contains("subject `x` is that of a/x.avsc and of b/x.json"),
            "{error}"
        );
    }

    #[test]
    fn a_reference_across_contexts_names_the_context() {
        assert_eq!(written(":.a:x", "y"), None);
        for (own, subject, as_written) in [(":.a:x", ":.a:y", "y"), ("x", ":.a:y", ":.a:y"), ("x", "y", "y")]
        {
            assert_eq!(written(own, subject).as_deref(), Some(as_written));
            assert_eq!(beside(own, as_written), subject);
        }
    }
}
