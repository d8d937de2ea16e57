//! What a schema is made of, and its identity: the MD5 that Confluent computes (`Schema.updateHash`).

use crate::schema::SchemaType;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// One reference to a registered version. `name` is what the referring schema calls it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reference {
    pub name: String,
    pub subject: String,
    pub version: u32,
}

/// Confluent's `Metadata`: kept and given back, part of a schema's identity.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Metadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, BTreeSet<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitive: Option<BTreeSet<String>>,
}

/// A schema as it is stored: canonical text and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaContent {
    pub schema_type: SchemaType,
    pub text: Arc<str>,
    pub references: Vec<Reference>,
    pub metadata: Option<Metadata>,
}

/// A schema's identity; shown as the GUID of the REST API.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Digest(pub [u8; 16]);

impl SchemaContent {
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
            for (key, values) in metadata.tags.iter().flatten() {
                hash.update(key.as_bytes());
                for value in values {
                    hash.update(value.as_bytes());
                }
            }
            for (key, value) in metadata.properties.iter().flatten() {
                hash.update(key.as_bytes());
                hash.update(value.as_bytes());
            }
            metadata
                .sensitive
                .iter()
                .flatten()
                .for_each(|field| hash.update(field.as_bytes()));
        }
        Digest(hash.finalize().into())
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
