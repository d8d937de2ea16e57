//! Tags inside a schema's text, as requests change them (`AbstractSchemaRegistry.toSchemaWithTags`, `modifySchemaTags`,
//! `maybePropagateSchemaTags`) and ask for them (`extractSchemaTags`). Slow as `registration` is, and run as it is.

use super::admission::{Reading, ReferenceRequest, SchemaRequest, parse, parse_stored};
use super::errors::RegistryError;
use super::state::{Metadata, RuleSet, SchemaContent, State, VersionId, lenient};
use crate::schema::tags::{TagChanges, Tagged};
use serde::Deserialize;
use std::sync::Arc;

/// Confluent's `TagSchemaRequest`: a new version made of an old one.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TagRequest {
    /// Must be the number that the subject's next version gets; -1 and none are that number.
    #[serde(deserialize_with = "lenient::integer")]
    pub new_version: Option<i64>,
    #[serde(deserialize_with = "lenient::null_is_default")]
    pub tags_to_add: Vec<Tagged>,
    #[serde(deserialize_with = "lenient::null_is_default")]
    pub tags_to_remove: Vec<Tagged>,
    /// Instead of the old version's.
    pub metadata: Option<Metadata>,
    /// Instead of the latest version's.
    pub rule_set: Option<RuleSet>,
    pub rules_to_merge: Option<RuleSet>,
    /// By name.
    pub rules_to_remove: Option<Vec<String>>,
}

/// A change of the rules of the version before the new one: merged first, then removed.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleChanges {
    merge: Option<RuleSet>,
    remove: Vec<String>,
}

impl TagRequest {
    /// The registration that makes the new version.
    ///
    /// # Errors
    /// [`RegistryError::InvalidRuleSet`] for rules that are none, or given in both ways.
    pub fn over(self, old: &SchemaContent) -> Result<SchemaRequest, RegistryError> {
        let changes_rules = self.rules_to_merge.is_some() || self.rules_to_remove.is_some();
        if changes_rules && self.rule_set.is_some() {
            return Err(RegistryError::InvalidRuleSet(
                "ruleSet should be omitted if specifying rulesToMerge or rulesToRemove".to_owned(),
            ));
        }
        for rules in self.rules_to_merge.iter().chain(&self.rule_set) {
            rules.validate().map_err(RegistryError::InvalidRuleSet)?;
        }
        let new_version = self.new_version.unwrap_or(0);
        let mut metadata = self.metadata.or_else(|| old.metadata.clone()).unwrap_or_default();
        metadata.set_confluent_version(new_version);
        Ok(SchemaRequest {
            schema: Some(old.text.to_string()),
            schema_type: Some(old.schema_type.as_str().to_owned()),
            references: Some(old.references.iter().map(ReferenceRequest::from).collect()),
            metadata: Some(metadata),
            rule_set: self.rule_set,
            version: Some(new_version),
            schema_tags_to_add: self.tags_to_add,
            schema_tags_to_remove: self.tags_to_remove,
            rule_changes: changes_rules.then(|| RuleChanges {
                merge: self.rules_to_merge,
                remove: self.rules_to_remove.unwrap_or_default(),
            }),
            ..SchemaRequest::default()
        })
    }
}

/// The request with its tags in its text and its rules complete, if it asks for a change of them.
///
/// # Errors
/// [`RegistryError::InvalidSchema`] for an entity that is not there.
pub(super) fn tagged(
    state: &State,
    subject: &str,
    request: &SchemaRequest,
) -> Result<Option<SchemaRequest>, RegistryError> {
    if !request.changes_tags() && request.rule_changes.is_none() {
        return Ok(None);
    }
    let mut tagged = request.clone();
    if request.changes_tags() {
        let changes = TagChanges {
            add: std::mem::take(&mut tagged.schema_tags_to_add),
            remove: std::mem::take(&mut tagged.schema_tags_to_remove),
        };
        tagged.schema = Some(retagged(state, subject, request, &changes)?);
    }
    if let Some(changes) = tagged.rule_changes.take() {
        tagged.rule_set = changes.of(state, subject, request.version.unwrap_or(0))?;
    }
    Ok(Some(tagged))
}

fn retagged(
    state: &State,
    subject: &str,
    request: &SchemaRequest,
    changes: &TagChanges,
) -> Result<String, RegistryError> {
    let parsed = parse(state, subject, request, Reading::default())?;
    let text = parsed.schema.retagged(changes);
    text.map_err(|error| RegistryError::InvalidSchema(error.to_string()))
}

/// The text with the tags of the version before, if that has any.
///
/// # Errors
/// [`RegistryError::InvalidSchema`] when what had a tag is not there any more.
pub(super) fn propagated(
    state: &State,
    subject: &str,
    request: &SchemaRequest,
    previous: &Arc<SchemaContent>,
) -> Result<Option<String>, RegistryError> {
    let add = tags_of(state, subject, previous)?;
    if add.is_empty() {
        return Ok(None);
    }
    let changes = TagChanges { add, remove: vec![] };
    retagged(state, subject, request, &changes).map(Some)
}

/// The tagged entities of what `subject` holds.
///
/// # Errors
/// [`RegistryError::InvalidSchema`] when it no longer parses, or they are too much.
pub fn tags_of(
    state: &State,
    subject: &str,
    content: &Arc<SchemaContent>,
) -> Result<Vec<Tagged>, RegistryError> {
    let schema = parse_stored(state, subject, content).map_err(RegistryError::InvalidSchema)?;
    let tagged = schema.tagged();
    tagged.map_err(|error| RegistryError::InvalidSchema(error.to_string()))
}

impl RuleChanges {
    fn of(self, state: &State, subject: &str, new_version: i64) -> Result<Option<RuleSet>, RegistryError> {
        let before = VersionId::parse(&(new_version - 1).to_string())?;
        let old = state.version(subject, before, false);
        let old = old.and_then(|(_, version)| version.content.rule_set.as_ref());
        let mut rules = match &self.merge {
            Some(merge) => RuleSet::merged(old, Some(merge)),
            None => old.cloned(),
        };
        if let Some(rules) = &mut rules {
            rules.remove(&self.remove);
        }
        Ok(rules)
    }
}
