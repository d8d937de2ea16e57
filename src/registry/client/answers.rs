//! Bodies of Confluent's REST API as a client sends and reads them. Fields that are not known are passed over.

use crate::registry::state::Reference;
use crate::schema::{SchemaId, Version};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A schema and what belongs to it, as it is registered and given back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaBody {
    /// Older registries leave it out for Avro.
    #[serde(default = "avro")]
    pub schema_type: String,
    pub schema: String,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub references: Vec<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_set: Option<Value>,
}

fn avro() -> String {
    "AVRO".to_owned()
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl SchemaBody {
    /// The body of a registration.
    pub(super) fn request(&self, place: Option<(SchemaId, Version)>) -> Value {
        let mut body = Map::new();
        body.insert("schemaType".to_owned(), self.schema_type.as_str().into());
        body.insert("schema".to_owned(), self.schema.as_str().into());
        if !self.references.is_empty() {
            let references = self.references.iter().map(|reference| {
                serde_json::json!({
                    "name": reference.name, "subject": reference.subject, "version": reference.version,
                })
            });
            body.insert("references".to_owned(), references.collect());
        }
        if let Some(metadata) = &self.metadata {
            body.insert("metadata".to_owned(), metadata.clone());
        }
        if let Some(rule_set) = &self.rule_set {
            body.insert("ruleSet".to_owned(), rule_set.clone());
        }
        if let Some((id, version)) = place {
            body.insert("id".to_owned(), id.0.into());
            body.insert("version".to_owned(), version.0.into());
        }
        Value::Object(body)
    }
}

/// A version in its subject (`Schema` and `ExtendedSchema`).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaVersion {
    pub subject: String,
    pub version: u32,
    pub id: u32,
    /// Registries before 8.0 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    #[serde(flatten)]
    pub body: SchemaBody,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
    /// Other names of the subject, where they were asked for.
    #[serde(default, skip_serializing, deserialize_with = "null_is_empty")]
    pub aliases: Vec<String>,
}

impl SchemaVersion {
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted.unwrap_or(false)
    }
}

/// A schema by its id or its GUID (`SchemaString`).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaById {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    #[serde(flatten)]
    pub body: SchemaBody,
}

/// What a registration answers. Registries before 7.4 say only the id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct Registered {
    pub id: u32,
    pub version: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct CompatibilityAnswer {
    pub is_compatible: bool,
    /// Why not; also what the registry says besides.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub messages: Vec<String>,
}
