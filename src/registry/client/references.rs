//! The texts behind a schema's references, asked of a registry.

use super::{Client, ClientError, SchemaVersion};
use crate::registry::state::Reference;
use crate::registry::state::qualified::beside;
use crate::schema::{ReferencedSchema, Version};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// References of references of one schema.
const REFERENCES_MAX: usize = 1_000;

/// Versions that were asked for once: they do not change.
#[derive(Default)]
pub struct References {
    known: HashMap<(String, u32), Arc<SchemaVersion>>,
}

impl References {
    async fn version(
        &mut self,
        client: &Client,
        subject: &str,
        version: u32,
    ) -> Result<Arc<SchemaVersion>, ClientError> {
        let key = (subject.to_owned(), version);
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        // A stored schema may refer to a version that was deleted softly.
        let found = Arc::new(client.version(subject, Some(Version(version)), true).await?);
        self.known.insert(key, found.clone());
        Ok(found)
    }

    /// What `references` of a schema under `subject` mean, with all that those refer to: dependencies first, each name once.
    ///
    /// # Errors
    /// When a version is not there, or there are more than a thousand.
    pub async fn resolve(
        &mut self,
        client: &Client,
        subject: &str,
        references: &[Reference],
    ) -> Result<Vec<ReferencedSchema>, ClientError> {
        enum Step {
            Open(String, Reference),
            Close(ReferencedSchema),
        }
        let mut resolved = Vec::new();
        let mut named = HashSet::new();
        let open = |parent: &str, references: &[Reference]| -> Vec<Step> {
            let last_first = references.iter().rev();
            last_first
                .map(|reference| Step::Open(parent.to_owned(), reference.clone()))
                .collect()
        };
        let mut stack = open(subject, references);
        while let Some(step) = stack.pop() {
            match step {
                Step::Close(schema) => resolved.push(schema),
                Step::Open(parent, reference) => {
                    if !named.insert(reference.name.clone()) {
                        continue;
                    }
                    if named.len() > REFERENCES_MAX {
                        return Err(ClientError::Setup(format!(
                            "{subject} refers to more than {REFERENCES_MAX} schemas"
                        )));
                    }
                    let place = beside(&parent, &reference.subject).into_owned();
                    let found = self.version(client, &place, reference.version).await?;
                    stack.push(Step::Close(ReferencedSchema {
                        name: reference.name,
                        text: found.body.schema.clone(),
                    }));
                    stack.extend(open(&place, &found.body.references));
                }
            }
        }
        Ok(resolved)
    }
}
