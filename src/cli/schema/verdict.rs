//! What became of a schema, as all outputs tell it.

use super::connection::Stop;
use crate::cli::exit;
use crate::schema::place::Position;
use crate::schema::{Incompatibility, SchemaType};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// One file under one subject.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub file: PathBuf,
    pub subject: String,
    pub schema_type: SchemaType,
    pub outcome: Outcome,
}

#[derive(Clone, Debug)]
pub enum Outcome {
    /// Parses with all of its references; no registry was asked.
    Valid,
    /// Refers to what is not among the files: only its own syntax was looked at.
    Unresolved(Vec<String>),
    /// Registered already.
    Unchanged {
        id: u32,
        version: u32,
    },
    /// Would be a new version, the first or one that is compatible.
    New {
        first: bool,
        /// What is to be known besides: by whom it was compared, or that it was not.
        note: Option<String>,
    },
    Registered {
        id: u32,
        version: Option<u32>,
    },
    Incompatible {
        findings: Vec<Finding>,
        /// In the registry's own words.
        messages: Vec<String>,
    },
    Invalid(Finding),
    /// Not looked at, because of another one.
    Skipped(String),
    /// The registry could not be asked, or refused for another reason than the schema.
    Failed {
        code: u8,
        why: String,
    },
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    pub position: Option<Position>,
    /// Of a difference: `READER_FIELD_MISSING_DEFAULT_VALUE`.
    pub kind: Option<&'static str>,
    /// Where in the schema: `/fields/1`.
    pub path: Option<String>,
    pub message: String,
    /// The version that it is not compatible with.
    pub old_version: Option<u32>,
}

impl Finding {
    pub fn plain(message: impl Into<String>, position: Option<Position>) -> Self {
        Self {
            position,
            kind: None,
            path: None,
            message: message.into(),
            old_version: None,
        }
    }

    /// `reader` and `writer` say which of the two is new. A path leads into the reader.
    pub fn difference(
        found: &Incompatibility,
        reader: &str,
        writer: &str,
        old_version: u32,
        new_text: &str,
    ) -> Self {
        let place = crate::schema::place::Place::Pointer(found.path.trim_end_matches('/').to_owned());
        let in_text = reader == "new" && found.schema_type != SchemaType::Protobuf;
        Self {
            position: in_text.then(|| place.position(new_text)).flatten(),
            kind: Some(found.kind),
            path: Some(found.path.clone()),
            message: found.sentence(reader, writer),
            old_version: Some(old_version),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "line": self.position.map(|at| at.line),
            "column": self.position.map(|at| at.column),
            "kind": self.kind,
            "path": self.path,
            "message": self.message,
            "old_version": self.old_version,
        })
    }

    /// `KIND at PATH: message (version 3)`.
    pub fn line(&self) -> String {
        let mut line = String::new();
        if let Some(kind) = self.kind {
            line.push_str(kind);
            if let Some(path) = self.path.as_deref().filter(|path| !path.is_empty()) {
                line.push_str(" at ");
                line.push_str(path);
            }
            line.push_str(": ");
        }
        line.push_str(&self.message);
        if let Some(version) = self.old_version {
            let _ = write!(line, " (against version {version})");
        }
        line
    }
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        Self::Failed {
            code: stop.code,
            why: stop.why,
        }
    }
}

impl Outcome {
    /// One word, stable: what JSON says.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Unresolved(_) => "unresolved",
            Self::Unchanged { .. } => "unchanged",
            Self::New { .. } => "new",
            Self::Registered { .. } => "registered",
            Self::Incompatible { .. } => "incompatible",
            Self::Invalid(_) => "invalid",
            Self::Skipped(_) => "skipped",
            Self::Failed { .. } => "failed",
        }
    }

    pub fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Valid
                | Self::Unresolved(_)
                | Self::Unchanged { .. }
                | Self::New { .. }
                | Self::Registered { .. }
        )
    }

    /// A sentence behind the word; may be empty.
    pub fn detail(&self) -> String {
        match self {
            Self::Valid | Self::Incompatible { .. } => String::new(),
            Self::Unresolved(missing) => format!(
                "only its syntax was looked at: {} not among the files (say --registry to ask for them)",
                missing.join(", ")
            ),
            Self::Unchanged { id, version } => format!("version {version}, id {id}"),
            Self::New { first, note } => {
                let mut text = if *first { "first version" } else { "compatible" }.to_owned();
                if let Some(note) = note {
                    text.push_str("; ");
                    text.push_str(note);
                }
                text
            }
            Self::Registered { id, version } => match version {
                Some(version) => format!("version {version}, id {id}"),
                None => format!("id {id}"),
            },
            Self::Invalid(finding) => finding.line(),
            Self::Skipped(why) | Self::Failed { why, .. } => why.clone(),
        }
    }

    /// What is wrong, each with its place.
    pub fn findings(&self) -> Vec<Finding> {
        match self {
            Self::Incompatible { findings, .. } => findings.clone(),
            Self::Invalid(finding) => vec![finding.clone()],
            Self::Failed { why, .. } => vec![Finding::plain(why.clone(), None)],
            _ => Vec::new(),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Failed { code, .. } => *code,
            Self::Incompatible { .. } | Self::Invalid(_) | Self::Skipped(_) => exit::INCOMPATIBLE,
            _ => 0,
        }
    }
}

impl Verdict {
    pub fn json(&self) -> Value {
        let mut value = json!({
            "file": self.file,
            "subject": self.subject,
            "schema_type": self.schema_type.as_str(),
            "result": self.outcome.word(),
        });
        let mut set = |name: &str, to: Value| {
            if let Some(object) = value.as_object_mut() {
                object.insert(name.to_owned(), to);
            }
        };
        match &self.outcome {
            Outcome::Unchanged { id, version } => {
                set("id", json!(id));
                set("version", json!(version));
            }
            Outcome::Registered { id, version } => {
                set("id", json!(id));
                set("version", json!(version));
            }
            Outcome::New { first, note } => {
                set("first", json!(first));
                set("note", json!(note));
            }
            Outcome::Unresolved(missing) => set("missing", json!(missing)),
            Outcome::Skipped(why) => set("reason", json!(why)),
            Outcome::Incompatible { messages, .. } => set("registry_messages", json!(messages)),
            Outcome::Valid | Outcome::Invalid(_) | Outcome::Failed { .. } => {}
        }
        let findings: Vec<Value> = self.outcome.findings().iter().map(Finding::json).collect();
        if !findings.is_empty() {
            set("findings", Value::Array(findings));
        }
        value
    }
}

/// What the registry or the system refused counts before what is wrong with a schema.
pub fn exit_code(verdicts: &[Verdict]) -> u8 {
    let codes = || verdicts.iter().map(|verdict| verdict.outcome.code());
    codes()
        .filter(|code| *code > exit::INCOMPATIBLE)
        .max()
        .or_else(|| codes().max())
        .unwrap_or(0)
}
