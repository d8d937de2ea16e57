//! The file that moves a registry: one JSON object a line.
//!
//! ```text
//! {"export":{"format":1}}
//! {"schema":{"subject":…,"version":…,"id":…,"guid":…,"schemaType":…,"schema":…,"references":[…],"metadata":…,"ruleSet":…,"deleted":…}}
//! {"config":{"scope":…,"settings":{…}}}     as GET /config answers; without a scope the default context's
//! {"mode":{"scope":…,"mode":"READWRITE"}}
//! {"end":{"schemas":N,"configs":N,"modes":N}}
//! ```
//!
//! Times are not in it: no registry lets them be set. Nothing in it depends on the moment or the place of the export, so
//! that two exports of the same content are the same file.

use super::connection::Stop;
use crate::cli::exit;
use crate::registry::client::{SchemaBody, SchemaVersion};
use crate::registry::state::qualified::beside;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FORMAT: u32 = 1;
/// A longer line is no schema of any registry.
const LINE_BYTES_MAX: u64 = 64 << 20;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    Export { format: u32 },
    Schema(Box<SchemaVersion>),
    Config(Config),
    Mode(Mode),
    End(Counts),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Config {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub settings: Map<String, Value>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mode {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub mode: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    pub schemas: usize,
    pub configs: usize,
    pub modes: usize,
}

impl Line {
    pub const HEADER: Self = Self::Export { format: FORMAT };
}

impl Counts {
    /// Counts a line in.
    pub fn note(&mut self, line: &Line) {
        match line {
            Line::Schema(_) => self.schemas += 1,
            Line::Config(_) => self.configs += 1,
            Line::Mode(_) => self.modes += 1,
            Line::Export { .. } | Line::End(_) => {}
        }
    }
}

/// What a version is, without its text: enough to find it, to order it and to compare it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    pub id: u32,
    pub deleted: bool,
    /// Of type, text, references, metadata and rule set; a registry may space a text in its own way.
    pub content: [u8; 16],
}

impl Known {
    pub fn of(version: &SchemaVersion) -> Self {
        Self {
            id: version.id,
            deleted: version.is_deleted(),
            content: digest(&version.body),
        }
    }
}

fn digest(body: &SchemaBody) -> [u8; 16] {
    let mut hash = Md5::new();
    let body = SchemaBody {
        schema: without_spaces(&body.schema),
        ..body.clone()
    };
    let value = serde_json::to_value(body).map(sorted).unwrap_or_default();
    hash.update(value.to_string().as_bytes());
    hash.finalize().into()
}

/// A schema's text without the spaces between its words; those in quotes stay.
fn without_spaces(text: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    let keep = |character: &char| {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if *character == '\\' => escaped = true,
            Some(open) if *character == open => quote = None,
            Some(_) => {}
            None if matches!(character, '"' | '\'') => quote = Some(*character),
            None => return !character.is_ascii_whitespace(),
        }
        true
    };
    text.chars().filter(keep).collect()
}

/// With the keys of every object in one order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<String, Value> = object
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        other => other,
    }
}

/// A version in a file.
#[derive(Clone, Debug)]
pub struct Placed {
    pub subject: Arc<str>,
    pub version: u32,
    pub known: Known,
    offset: u64,
    /// Indexes of what must be there before.
    after: Vec<usize>,
}

/// A file's contents without its texts.
pub struct Index {
    path: PathBuf,
    file: File,
    pub schemas: Vec<Placed>,
    pub configs: Vec<Config>,
    pub modes: Vec<Mode>,
}

fn unreadable(path: &Path, error: &io::Error) -> Stop {
    Stop {
        code: exit::NO_INPUT,
        why: format!("{} cannot be read: {error}", path.display()),
    }
}

fn broken(path: &Path, line: usize, why: impl std::fmt::Display) -> Stop {
    Stop {
        code: exit::DATA,
        why: format!("{}:{line}: {why}", path.display()),
    }
}

impl Index {
    /// Reads a whole file once and keeps what is needed to go through it again in another order.
    pub fn read(path: &Path) -> Result<Self, Stop> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let mut reader = BufReader::new(file);
        let (mut offset, mut number) = (0, 0);
        let mut index = Building::default();
        loop {
            let mut text = Vec::new();
            let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
            let length = read.map_err(|error| unreadable(path, &error))? as u64;
            if length == 0 {
                break;
            }
            number += 1;
            if length == LINE_BYTES_MAX {
                return Err(broken(
                    path,
                    number,
                    format!("a line has more than {LINE_BYTES_MAX} bytes"),
                ));
            }
            let line: Line = serde_json::from_slice(&text)
                .map_err(|error| broken(path, number, format!("no line of an export: {error}")))?;
            index.add(line, offset).map_err(|why| broken(path, number, why))?;
            offset += length;
        }
        index
            .finish()
            .map_err(|why| broken(path, number, why))
            .map(|building| Self {
                path: path.to_owned(),
                file: reader.into_inner(),
                schemas: building.schemas,
                configs: building.configs,
                modes: building.modes,
            })
    }

    /// A version with its text.
    pub fn version(&mut self, at: usize) -> Result<SchemaVersion, Stop> {
        let path = &self.path;
        let placed = self
            .schemas
            .get(at)
            .ok_or_else(|| broken(path, 0, "no such version"))?;
        let mut text = Vec::new();
        self.file
            .seek(SeekFrom::Start(placed.offset))
            .and_then(|_| {
                let mut reader = BufReader::new(&self.file);
                reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text)
            })
            .map_err(|error| unreadable(path, &error))?;
        match serde_json::from_slice(&text) {
            Ok(Line::Schema(version)) if Known::of(&version) == placed.known => Ok(*version),
            _ => Err(broken(path, 0, "the file was changed while it was read")),
        }
    }

    /// Versions by when they can be registered: each stands behind those that it refers to, and behind its subject's earlier
    /// ones.
    pub fn generations(&self) -> Result<Vec<Vec<usize>>, Stop> {
        let mut waits: Vec<usize> = self.schemas.iter().map(|placed| placed.after.len()).collect();
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); self.schemas.len()];
        for (index, placed) in self.schemas.iter().enumerate() {
            for before in &placed.after {
                if let Some(followers) = followers.get_mut(*before) {
                    followers.push(index);
                }
            }
        }
        let ready = waits.iter().enumerate().filter(|(_, waits)| **waits == 0);
        let mut ready: Vec<usize> = ready.map(|(index, _)| index).collect();
        let mut generations = Vec::new();
        let mut placed = 0;
        while !ready.is_empty() {
            placed += ready.len();
            let mut next = Vec::new();
            for follower in ready.iter().filter_map(|index| followers.get(*index)).flatten() {
                if let Some(waits) = waits.get_mut(*follower) {
                    *waits -= 1;
                    if *waits == 0 {
                        next.push(*follower);
                    }
                }
            }
            next.sort_unstable();
            generations.push(std::mem::replace(&mut ready, next));
        }
        if placed < self.schemas.len() {
            let stuck = waits.iter().position(|waits| *waits > 0);
            let stuck = stuck.and_then(|index| self.schemas.get(index));
            let name = stuck.map(|placed| format!("{} version {}", placed.subject, placed.version));
            return Err(broken(
                &self.path,
                0,
                format!("references form a circle at {}", name.unwrap_or_default()),
            ));
        }
        Ok(generations)
    }
}

#[derive(Default)]
struct Building {
    begun: bool,
    counts: Counts,
    end: Option<Counts>,
    subjects: HashMap<Arc<str>, BTreeMap<u32, usize>>,
    /// Of each version what it refers to.
    references: Vec<Vec<(String, u32)>>,
    schemas: Vec<Placed>,
    configs: Vec<Config>,
    modes: Vec<Mode>,
}

impl Building {
    fn add(&mut self, line: Line, offset: u64) -> Result<(), String> {
        if self.end.is_some() {
            return Err("something follows the end".to_owned());
        }
        self.counts.note(&line);
        match line {
            Line::Export { format } if self.begun || format != FORMAT => {
                return Err(format!("format {format} is not known here, or comes twice"));
            }
            Line::Export { .. } => self.begun = true,
            _ if !self.begun => return Err("an export begins with its format".to_owned()),
            Line::Schema(version) => return self.schema(*version, offset),
            Line::Config(config) => self.configs.push(config),
            Line::Mode(mode) => self.modes.push(mode),
            Line::End(counts) => self.end = Some(counts),
        }
        Ok(())
    }

    fn schema(&mut self, version: SchemaVersion, offset: u64) -> Result<(), String> {
        let known = Known::of(&version);
        let subject: Arc<str> = match self.subjects.get_key_value(version.subject.as_str()) {
            Some((subject, _)) => subject.clone(),
            None => version.subject.as_str().into(),
        };
        let versions = self.subjects.entry(subject.clone()).or_default();
        if versions.insert(version.version, self.schemas.len()).is_some() {
            return Err(format!("{subject} version {} comes twice", version.version));
        }
        let references = version.body.references.into_iter();
        let references = references.map(|reference| {
            (
                beside(&subject, &reference.subject).into_owned(),
                reference.version,
            )
        });
        self.references.push(references.collect());
        self.schemas.push(Placed {
            subject,
            version: version.version,
            known,
            offset,
            after: Vec::new(),
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Self, String> {
        match self.end {
            Some(end) if end == self.counts => {}
            Some(_) => return Err("lines are missing: the end counts more or fewer".to_owned()),
            None => return Err("the file is cut off: its end is missing".to_owned()),
        }
        for (index, placed) in self.schemas.iter_mut().enumerate() {
            let earlier = self
                .subjects
                .get(&placed.subject)
                .and_then(|versions| versions.range(..placed.version).next_back());
            placed.after.extend(earlier.map(|(_, index)| *index));
            for (subject, version) in self.references.get(index).into_iter().flatten() {
                let there = self.subjects.get(subject.as_str());
                let there = there.and_then(|versions| versions.get(version));
                placed.after.extend(there.copied());
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::state::Reference;

    fn version(subject: &str, number: u32, id: u32, references: &[(&str, u32)]) -> Line {
        let references = references.iter().map(|(subject, version)| Reference {
            name: (*subject).to_owned(),
            subject: (*subject).to_owned(),
            version: *version,
        });
        Line::Schema(Box::new(SchemaVersion {
            subject: subject.to_owned(),
            version: number,
            id,
            guid: None,
            body: SchemaBody {
                schema_type: "AVRO".to_owned(),
                schema: "\"int\"".to_owned(),
                references: references.collect(),
                metadata: Some(serde_json::json!({ "properties": { "b": "1", "a": "2" } })),
                rule_set: None,
            },
            deleted: Some(false),
            aliases: vec![],
        }))
    }

    fn file(lines: &[Line]) -> tempfile::NamedTempFile {
        use std::io::Write as _;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in lines {
            writeln!(file, "{}", serde_json::to_string(line).unwrap()).unwrap();
        }
        file
    }

    fn whole(mut lines: Vec<Line>) -> Vec<Line> {
        let mut counts = Counts::default();
        for line in &lines {
            counts.note(line);
        }
        lines.insert(0, Line::HEADER);
        lines.push(Line::End(counts));
        lines
    }

    #[test]
    fn versions_are_ordered_by_references_and_numbers() {
        let lines = whole(vec![
            version("a", 1, 1, &[("z", 2)]),
            version("a", 2, 9, &[]),
            version(":.c:x", 1, 1, &[("y", 1)]),
            version(":.c:y", 1, 2, &[]),
            version("z", 1, 3, &[]),
            version("z", 2, 4, &[("gone", 1)]),
        ]);
        let file = file(&lines);
        let mut index = Index::read(file.path()).unwrap();
        assert_eq!(
            index.generations().unwrap(),
            [vec![3, 4], vec![2, 5], vec![0], vec![1]]
        );
        let read = index.version(2).unwrap();
        assert_eq!(lines[3], Line::Schema(Box::new(read)));
    }

    #[test]
    fn a_file_that_is_not_whole_is_refused_at_its_line() {
        let good = whole(vec![version("a", 1, 1, &[])]);
        let refused = |lines: &[Line]| match Index::read(file(lines).path()) {
            Ok(_) => panic!("read"),
            Err(stop) => {
                assert_eq!(stop.code, exit::DATA);
                stop.why
                    .rsplit_once(".tmp")
                    .map_or(stop.why.clone(), |(_, why)| why[6..].to_owned())
            }
        };
        for (lines, why) in [
            (&good[..2], "cut off"),
            (&good[1..], "begins with its format"),
            (&[good[0].clone(), good[2].clone()][..], "lines are missing"),
            (
                &[good[0].clone(), good[1].clone(), good[1].clone()],
                "comes twice",
            ),
            (
                &[good[0].clone(), Line::End(Counts::default()), good[1].clone()],
                "follows the end",
            ),
            (&[Line::Export { format: 2 }], "format 2 is not known"),
        ] {
            let said = refused(lines);
            assert!(said.contains(why), "{said}");
        }
        let circle = whole(vec![
            version("a", 1, 1, &[("b", 1)]),
            version("b", 1, 2, &[("a", 1)]),
        ]);
        let index = Index::read(file(&circle).path()).unwrap();
        assert!(index.generations().is_err());
    }

    #[test]
    fn only_spaces_between_words_are_no_difference() {
        assert_eq!(
            without_spaces("{ \"a b\" : \"c\\\" d\",\n 1 }"),
            "{\"a b\":\"c\\\" d\",1}"
        );
        assert_eq!(without_spaces("string a = 'x \" y';"), "stringa='x \" y';");
    }

    #[test]
    fn the_order_of_keys_is_no_difference() {
        let value = |text: &str| sorted(serde_json::from_str(text).unwrap()).to_string();
        assert_eq!(
            value(r#"{"b":[{"d":1,"c":2}],"a":0}"#),
            r#"{"a":0,"b":[{"c":2,"d":1}]}"#
        );
    }
}
