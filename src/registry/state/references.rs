//! The texts behind a schema's references, dependencies first.

use super::content::SchemaContent;
use super::fold::State;
use super::qualified::beside;
use super::view::VersionId;
use crate::schema::{ReferencedSchema, Version};
use std::collections::HashSet;
use std::sync::Arc;

/// Deeper chains are refused: nobody writes them by hand, and each level is work for the parser.
const DEPTH_MAX: usize = 64;
/// More schemas behind one are refused.
const COUNT_MAX: usize = 1_000;
/// More text behind one schema is refused.
const BYTES_MAX: usize = 16 << 20;

struct Frame {
    /// Its subject: what it refers to stands in the same context unless it names another.
    subject: String,
    content: Arc<SchemaContent>,
    /// The name under which its parent knows it, and its own place, unless it is the root.
    name: Option<String>,
    place: Option<(String, u32)>,
    next: usize,
}

/// Resolves the references of `root`, a schema of `subject`, transitively (Confluent's `AbstractSchemaProvider.resolveReferences`): a name that comes
/// twice counts once; soft-deleted versions still resolve.
///
/// # Errors
/// A sentence for the client when a version does not exist, references form a circle, or a limit is reached.
pub fn resolve(
    state: &State,
    subject: &str,
    root: &Arc<SchemaContent>,
) -> Result<Vec<ReferencedSchema>, String> {
    let mut resolved = Vec::new();
    let mut visited: HashSet<String> = HashSet::new();
    let mut bytes = 0usize;
    let mut stack = vec![Frame {
        subject: subject.to_owned(),
        content: root.clone(),
        name: None,
        place: None,
        next: 0,
    }];
    while let Some(frame) = stack.last_mut() {
        let Some(reference) = frame.content.references.get(frame.next).cloned() else {
            if let Some(Frame {
                content,
                name: Some(name),
                ..
            }) = stack.pop()
            {
                resolved.push(ReferencedSchema {
                    name,
                    text: content.text.to_string(),
                });
            }
            continue;
        };
        frame.next += 1;
        let subject = beside(&frame.subject, &reference.subject).into_owned();
        let place = (subject, reference.version);
        if stack.iter().any(|frame| frame.place.as_ref() == Some(&place)) {
            return Err(format!(
                "References form a circle at subject \"{}\" and version {}",
                place.0, place.1
            ));
        }
        let content = referenced(state, &place.0, place.1)?;
        if !visited.insert(reference.name.clone()) {
            continue;
        }
        bytes = bytes.saturating_add(content.text.len());
        if stack.len() >= DEPTH_MAX || visited.len() > COUNT_MAX || bytes > BYTES_MAX {
            return Err(format!(
                "References are over a limit: {DEPTH_MAX} deep, {COUNT_MAX} schemas, {BYTES_MAX} bytes"
            ));
        }
        stack.push(Frame {
            subject: place.0.clone(),
            content,
            name: Some(reference.name),
            place: Some(place),
            next: 0,
        });
    }
    Ok(resolved)
}

fn referenced(state: &State, subject: &str, version: u32) -> Result<Arc<SchemaContent>, String> {
    state
        .version(subject, VersionId::Number(Version(version)), true)
        .map(|(_, version)| version.content.clone())
        .ok_or_else(|| not_found(subject, i64::from(version)))
}

/// Confluent's sentence for a reference to what is not there.
pub fn not_found(subject: &str, version: i64) -> String {
    format!("No schema reference found for subject \"{subject}\" and version {version}")
}
