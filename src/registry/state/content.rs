//! What a schema is made of, and its identity: the MD5 that Confluent computes (`Schema.updateHash`).

use super::lenient::{self, null_is_default};
use super::rules::RuleSet;
use crate::schema::{SchemaType, Version};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// One reference to a registered version. `name` is what the referring schema calls it; `subject` is as the schema's
/// owner wrote it, so it stands in the schema's own context unless it names another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Reference {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    pub version: u32,
}

/// Confluent's `Metadata`: kept and given back, part of a schema's identity. Empty parts are not written, but metadata
/// without any part is another thing than no metadata.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub tags: BTreeMap<String, BTreeSet<String>>,
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::properties"
    )]
    pub properties: BTreeMap<String, String>,
    #[serde(
        skip_serializing_if = "BTreeSet::is_empty",
        deserialize_with = "null_is_default"
    )]
    pub sensitive: BTreeSet<String>,
}

/// The property by which a schema says which version of its subject it is.
const CONFLUENT_VERSION: &str = "confluent:version";

impl Metadata {
    /// The version that `confluent:version` names, if it is a number.
    #[must_use]
    pub fn confluent_version(&self) -> Option<i32> {
        self.properties.get(CONFLUENT_VERSION)?.parse().ok()
    }

    #[must_use]
    pub fn has_confluent_version(&self) -> bool {
        self.properties.contains_key(CONFLUENT_VERSION)
    }

    pub fn set_confluent_version(&mut self, version: i64) {
        let value = version.to_string();
        self.properties.insert(CONFLUENT_VERSION.to_owned(), value);
    }

    #[must_use]
    pub fn without_confluent_version(&self) -> Self {
        let mut metadata = self.clone();
        metadata.properties.remove(CONFLUENT_VERSION);
        metadata
    }

    /// `later` over `earlier`, entry by entry (`Metadata.mergeMetadata`).
    #[must_use]
    pub fn merged(earlier: Option<&Self>, later: Option<&Self>) -> Option<Self> {
        let (Some(earlier), Some(later)) = (earlier, later) else {
            return later.or(earlier).cloned();
        };
        let mut merged = earlier.clone();
        merged.tags.extend(later.tags.clone());
        merged.properties.extend(later.properties.clone());
        merged.sensitive.extend(later.sensitive.iter().cloned());
        Some(merged)
    }

    fn update(&self, hash: &mut Md5) {
        for (key, values) in &self.tags {
            hash.update(key.as_bytes());
            for value in values {
                hash.update(value.as_bytes());
            }
        }
        for (key, value) in &self.properties {
            hash.update(key.as_bytes());
            hash.update(value.as_bytes());
        }
        for field in &self.sensitive {
            hash.update(field.as_bytes());
        }
    }
}

/// A schema as it is stored: canonical text and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaContent {
    pub schema_type: SchemaType,
    pub text: Arc<str>,
    pub references: Vec<Reference>,
    pub metadata: Option<Metadata>,
    pub rule_set: Option<RuleSet>,
}

/// A schema's identity; shown as the GUID of the REST API.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Digest(pub [u8; 16]);

impl SchemaContent {
    /// A schema that is nothing but its text.
    #[must_use]
    pub fn new(schema_type: SchemaType, text: &str) -> Self {
        Self {
            schema_type,
            text: text.into(),
            references: vec![],
            metadata: None,
            rule_set: None,
        }
    }

    /// The schema type takes no part in it: that is how Confluent has it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hash = Md5::new();
        hash.update(self.text.as_bytes());
        for reference in &self.references {
            hash.update(reference.name.as_bytes());
            hash.update(reference.subject.as_bytes());
            hash.update(reference.version.to_be_bytes());
        }
        if let Some(metadata) = &self.metadata {
            hash.update([1]);
            metadata.update(&mut hash);
        }
        if let Some(rule_set) = &self.rule_set {
            hash.update([1]);
            rule_set.update(&mut hash);
        }
        Digest(hash.finalize().into())
    }

    /// Whether a client that sends this schema means `previous`, which is version `version` of its subject: the same but
    /// for `confluent:version` (`ParsedSchema.canLookup`).
    #[must_use]
    pub fn means(&self, previous: &Self, version: Version) -> bool {
        self.text == previous.text
            && self.references == previous.references
            && self.agrees_besides_text(previous, version)
    }

    /// Whether the two may be the same one if their texts are: type, metadata but for `confluent:version`, and rule set.
    #[must_use]
    pub fn agrees_besides_text(&self, previous: &Self, version: Version) -> bool {
        let number = |content: &Self| content.metadata.as_ref().and_then(Metadata::confluent_version);
        let bare = |content: &Self| {
            let metadata = content.metadata.as_ref();
            metadata
                .map(Metadata::without_confluent_version)
                .unwrap_or_default()
        };
        let same_metadata = match (number(self), number(previous)) {
            (None, Some(_)) => bare(self) == bare(previous),
            (Some(own), None) => u32::try_from(own) == Ok(version.0) && bare(self) == bare(previous),
            _ => self.metadata == previous.metadata,
        };
        same_metadata && self.schema_type == previous.schema_type && self.rule_set == previous.rule_set
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl Digest {
    /// Reads a GUID with or without its dashes.
    #[must_use]
    pub fn from_guid(guid: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let mut digits = guid.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
        for byte in &mut bytes {
            let (high, low) = (digits.next()??, digits.next()??);
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        digits.next().is_none().then_some(Self(bytes))
    }
}
