//! `schemas.yaml`: what a folder of schemas says beyond its files' names. Read with the configuration's own sections, so
//! that a mistake has its line and a suggestion.
//!
//! ```yaml
//! folders:                       # what holds for all files below a folder; the deepest folder that says it wins
//!   - folder: billing
//!     context: .billing          # subjects are :.billing:NAME
//!     compatibility: FULL
//! schemas:                       # only files that need more than their name says
//!   - file: orders-value.avsc
//!     subjects: [orders-value]   # else the file's name without its ending
//!     references:
//!       - { name: com.example.Customer, file: customer.avsc }             # another file here
//!       - { name: com.example.Money, subject: money, version: 3 }         # a subject; without a version its latest
//!     compatibility: FULL_TRANSITIVE
//!     metadata: { properties: { owner: payments } }
//!     rule_set: { domainRules: [{ name: positive, kind: CONDITION, type: CEL, expr: "message.total > 0" }] }
//! ```

use super::diagnostic::{Diagnostics, Position};
use super::environment::Environment;
use super::registry::LEVELS;
use super::section::{Reading, Section};
use super::yaml::{self, Node, Value};
use crate::registry::state::{Metadata, RuleSet};
use crate::schema::{CompatibilityLevel, Version};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::path::{Component, Path, PathBuf};

/// A manifest's name in its folder.
pub const MANIFEST: &str = "schemas.yaml";
/// A larger manifest is not read.
const BYTES_MAX: u64 = 16 << 20;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Manifest {
    pub folders: Vec<FolderEntry>,
    pub schemas: Vec<SchemaEntry>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct FolderEntry {
    /// Relative to the manifest's folder; empty for that itself.
    pub folder: PathBuf,
    /// As subjects begin (`:.billing:`), empty for the default one.
    pub context: Option<String>,
    pub compatibility: Option<CompatibilityLevel>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct SchemaEntry {
    /// Relative to the manifest's folder.
    pub file: PathBuf,
    pub at: Position,
    /// As they are written; without any, the file's name decides.
    pub subjects: Vec<String>,
    pub references: Vec<ReferenceEntry>,
    pub compatibility: Option<CompatibilityLevel>,
    pub metadata: Option<Metadata>,
    pub rule_set: Option<RuleSet>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct ReferenceEntry {
    pub at: Position,
    /// What the schema calls it.
    pub name: String,
    pub target: Target,
    /// The latest when absent.
    pub version: Option<Version>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    File(PathBuf),
    Subject(String),
}

impl Manifest {
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let cannot = |why: String| Diagnostics::one(file, None, format!("cannot be read: {why}"));
        let size = std::fs::metadata(file)
            .map_err(|error| cannot(error.to_string()))?
            .len();
        if size > BYTES_MAX {
            return Err(cannot(format!("it has {size} bytes, more than {BYTES_MAX}")));
        }
        let text = std::fs::read_to_string(file).map_err(|error| cannot(error.to_string()))?;
        Self::parse(&text, file, environment)
    }

    /// `file` is only what diagnostics name.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file: &Path, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let root = yaml::read(text, file)?;
        let mut reading = Reading::new(file, environment, &|_| true);
        let manifest = reading.section(&root, "").map(|mut top| {
            let folders = each(top.take("folders"), "folders", &mut reading, folder);
            let schemas = each(top.take("schemas"), "schemas", &mut reading, schema);
            top.finish(&mut reading);
            Self { folders, schemas }
        });
        reading.finish(manifest)
    }
}

/// The items of a list of sections.
fn each<T>(
    node: Option<&Node>,
    key: &'static str,
    reading: &mut Reading<'_>,
    mut read: impl FnMut(Section<'_>, &mut Reading<'_>) -> Option<T>,
) -> Vec<T> {
    let nodes = node.and_then(|node| reading.list(node, key)).unwrap_or_default();
    let mut items = Vec::with_capacity(nodes.len());
    for node in nodes {
        let section = reading.section(node, key);
        items.extend(section.and_then(|section| read(section, reading)));
    }
    items
}

fn folder(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<FolderEntry> {
    let node = section.require("folder", reading, "billing");
    let folder = node.and_then(|node| inside(node, "folder", reading));
    let context = section.take("context").and_then(|node| {
        reading.parsed(
            node,
            "context",
            ".billing",
            crate::registry::state::qualified::context_prefix,
        )
    });
    let compatibility = level(&mut section, reading);
    section.finish(reading);
    Some(FolderEntry {
        folder: folder?,
        context,
        compatibility,
    })
}

fn level(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<CompatibilityLevel> {
    let node = section.take("compatibility")?;
    reading.word(node, "compatibility", &LEVELS)
}

/// A path that stays in the manifest's folder, without `.` and `..`.
fn inside(node: &Node, key: &str, reading: &mut Reading<'_>) -> Option<PathBuf> {
    let text = reading.text(node, key)?;
    let mut path = PathBuf::new();
    for part in Path::new(&text).components() {
        let goes_on = match part {
            Component::Normal(name) => {
                path.push(name);
                true
            }
            Component::CurDir => true,
            Component::ParentDir => path.pop(),
            Component::RootDir | Component::Prefix(_) => false,
        };
        if !goes_on {
            let what = format!("`{key}`: `{text}` leads out of the manifest's folder");
            reading.report(node.at, what, Some("paths here are relative to it".to_owned()));
            return None;
        }
    }
    Some(path)
}

fn schema(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<SchemaEntry> {
    let at = section.at;
    let node = section.require("file", reading, "orders-value.avsc");
    let file = node.and_then(|node| inside(node, "file", reading));
    let mut subjects = Vec::new();
    if let Some(node) = section.take("subject") {
        subjects.extend(subject(node, "subject", reading));
    }
    if let Some(node) = section.take("subjects") {
        for node in reading.list(node, "subjects").unwrap_or_default() {
            subjects.extend(subject(node, "subjects", reading));
        }
    }
    let references = each(section.take("references"), "references", reading, reference);
    let compatibility = level(&mut section, reading);
    let metadata = section.take("metadata").and_then(|node| metadata(node, reading));
    let rule_set = section.take("rule_set").and_then(|node| rule_set(node, reading));
    section.finish(reading);
    Some(SchemaEntry {
        file: file?,
        at,
        subjects,
        references,
        compatibility,
        metadata,
        rule_set,
    })
}

fn subject(node: &Node, key: &str, reading: &mut Reading<'_>) -> Option<String> {
    reading.parsed(node, key, "orders-value", |text| {
        crate::registry::state::subject_name(text)
            .map(std::borrow::Cow::into_owned)
            .map_err(|error| error.to_string())
    })
}

fn reference(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<ReferenceEntry> {
    let at = section.at;
    let node = section.require("name", reading, "com.example.Customer");
    let name = node.and_then(|node| reading.text(node, "name"));
    let file = section
        .take("file")
        .and_then(|node| inside(node, "file", reading));
    let subject = section
        .take("subject")
        .and_then(|node| subject(node, "subject", reading));
    let version = match section.take("version") {
        Some(node) if node.value == Value::Text("latest".to_owned()) => None,
        Some(node) => reading
            .number::<u32>(node, "version", 1..=i32::MAX as u32)
            .map(Version),
        None => None,
    };
    section.finish(reading);
    let target = match (file, subject) {
        (Some(file), None) => Target::File(file),
        (None, Some(subject)) => Target::Subject(subject),
        (_, both) => {
            let what = if both.is_some() {
                "a reference has a `file` or a `subject`, not both"
            } else {
                "a reference has a `file` or a `subject`"
            };
            reading.report(at, what, Some("for example `file: customer.avsc`".to_owned()));
            return None;
        }
    };
    Some(ReferenceEntry {
        at,
        name: name?,
        target,
        version,
    })
}

fn metadata(node: &Node, reading: &mut Reading<'_>) -> Option<Metadata> {
    known_keys(node, "metadata", &["tags", "properties", "sensitive"], reading)?;
    typed(node, "metadata", reading)
}

fn rule_set(node: &Node, reading: &mut Reading<'_>) -> Option<RuleSet> {
    const RULE: [&str; 11] = [
        "name",
        "doc",
        "kind",
        "mode",
        "type",
        "tags",
        "params",
        "expr",
        "onSuccess",
        "onFailure",
        "disabled",
    ];
    const LISTS: [&str; 3] = ["migrationRules", "domainRules", "encodingRules"];
    let known = ["migrationRules", "domainRules", "encodingRules", "enableAt"];
    known_keys(node, "rule_set", &known, reading)?;
    let mut section = reading.section(node, "rule_set")?;
    for list in LISTS {
        let Some(rules) = section.take(list) else { continue };
        for rule in reading.list(rules, list)? {
            known_keys(rule, list, &RULE, reading)?;
        }
    }
    let read: RuleSet = typed(node, "rule_set", reading)?;
    if let Err(why) = read.validate() {
        reading.report(node.at, format!("`rule_set`: {why}"), None);
        return None;
    }
    Some(read)
}

/// Reports what a section holds besides.
fn known_keys(node: &Node, key: &str, known: &[&'static str], reading: &mut Reading<'_>) -> Option<()> {
    let mut section = reading.section(node, key)?;
    for known in known {
        section.take(known);
    }
    section.finish(reading);
    Some(())
}

/// What the REST API reads as JSON.
fn typed<T: DeserializeOwned>(node: &Node, key: &str, reading: &mut Reading<'_>) -> Option<T> {
    match serde_json::from_value(as_json(node)) {
        Ok(value) => Some(value),
        Err(error) => {
            reading.report(node.at, format!("`{key}`: {error}"), None);
            None
        }
    }
}

/// Text is as it stands: rules may hold `${`.
fn as_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        Value::Text(text) => text.as_str().into(),
        Value::List(nodes) => nodes.iter().map(as_json).collect(),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), as_json(&entry.value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        Manifest::parse(text, Path::new("schemas.yaml"), &|_| None).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn the_example_of_the_module_is_read() {
        let manifest = read(
            "folders:\n  - { folder: ./billing, context: .billing, compatibility: FULL }\nschemas:\n  - file: orders-value.avsc\n    subjects: [orders-value, \":.x:orders\"]\n    references:\n      - { name: C, file: customer.avsc }\n      - { name: M, subject: money, version: 3 }\n      - { name: N, subject: n, version: latest }\n    metadata: { properties: { owner: payments }, tags: { \"a.b\": [PII] } }\n    rule_set: { domainRules: [{ name: positive, kind: CONDITION, type: CEL, expr: \"${x} > 0\" }] }\n",
        )
        .unwrap();
        assert_eq!(manifest.folders[0].context.as_deref(), Some(":.billing:"));
        assert_eq!(manifest.folders[0].folder, Path::new("billing"));
        let schema = &manifest.schemas[0];
        assert_eq!(schema.subjects, ["orders-value", ":.x:orders"]);
        assert_eq!(schema.references[0].target, Target::File("customer.avsc".into()));
        assert_eq!(schema.references[1].version, Some(Version(3)));
        assert_eq!(schema.references[2].version, None);
        let rules = schema.rule_set.as_ref().unwrap();
        assert_eq!(rules.domain_rules[0].expr.as_deref(), Some("${x} > 0"));
        assert_eq!(schema.metadata.as_ref().unwrap().properties["owner"], "payments");
        assert_eq!(read("").unwrap(), Manifest::default());
    }

    #[test]
    fn a_mistake_has_its_line_and_a_suggestion() {
        for (text, expected) in [
            (
                "schemas:\n  - file: a.avsc\n    subjetc: a\n",
                "schemas.yaml:3:5: unknown key `subjetc` in `schemas`; did you mean `subject`?",
            ),
            (
                "schemas:\n  - file: ../a.avsc\n",
                "schemas.yaml:2:11: `file`: `../a.avsc` leads out of the manifest's folder; paths here are relative to it",
            ),
            (
                "schemas:\n  - file: a.avsc\n    compatibility: BACKWARDS\n",
                "schemas.yaml:3:20: `compatibility`: `BACKWARDS` is not known; did you mean `BACKWARD`?",
            ),
            (
                "schemas:\n  - file: a.avsc\n    references:\n      - { name: x }\n",
                "schemas.yaml:4:9: a reference has a `file` or a `subject`; for example `file: customer.avsc`",
            ),
            (
                "schemas:\n  - file: a.avsc\n    rule_set: { domainRules: [{ name: a, typo: CEL, type: CEL }] }\n",
                "schemas.yaml:3:42: unknown key `typo` in `domainRules`; did you mean `type`?",
            ),
            (
                "schemas:\n  - file: a.avsc\n    references:\n      - { name: x, subject: s, version: newest }\n",
                "schemas.yaml:4:41: `version`: `newest` is not a number from 1 to 2147483647",
            ),
            (
                "schemas:\n  - subject: a\n",
                "schemas.yaml:2:5: `schemas.file` is missing; for example `file: orders-value.avsc`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
        }
    }
}
