//! The records of the log, shaped after Confluent's `_schemas` topic: a JSON key, and a JSON value or none
//! (`storage/SchemaKey.java`, `SchemaValue.java`, `ConfigValue.java` …).
//!
//! ```text
//! {"keytype":"SCHEMA","subject":"orders-value","version":1,"magic":1}
//!     -> {"subject":"orders-value","version":1,"id":7,"md5":"…","schemaType":"JSON","references":[…],"schema":"…","deleted":false}
//!     -> nothing: the version is gone (tombstone)
//! {"keytype":"CONFIG","subject":"orders-value","magic":0}          no subject: global
//!     -> {"subject":"orders-value","compatibilityLevel":"FULL"}
//! {"keytype":"MODE","subject":"orders-value","magic":0}            no subject: global
//!     -> {"subject":"orders-value","mode":"READONLY"}
//! {"keytype":"DELETE_SUBJECT","subject":"orders-value","magic":0}
//!     -> {"subject":"orders-value","version":3}                    versions up to 3 are soft-deleted
//! ```

use super::content::{Metadata, Reference, SchemaContent};
use super::names::{Mode, level_from_name, level_name, schema_type_from_name};
use crate::schema::{CompatibilityLevel, SchemaId, SchemaType, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;

/// What a CONFIG record says. Nothing set in it falls back to the next scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConfigValue {
    pub compatibility: Option<CompatibilityLevel>,
    pub normalize: Option<bool>,
}

/// What a SCHEMA record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaValue {
    pub id: SchemaId,
    pub content: Arc<SchemaContent>,
    pub deleted: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// No value: the version is gone.
    Schema {
        subject: Arc<str>,
        version: Version,
        value: Option<SchemaValue>,
    },
    /// No subject: global. No value: not configured.
    Config {
        subject: Option<Arc<str>>,
        value: Option<ConfigValue>,
    },
    Mode {
        subject: Option<Arc<str>>,
        value: Option<Mode>,
    },
    /// Soft-deletes the versions up to this one.
    DeleteSubject { subject: Arc<str>, version: Version },
    /// Says nothing that the fold needs (NOOP, CONTEXT, CLEAR_SUBJECT).
    Ignored,
}

/// Why a record could not be read.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("not the JSON of a registry record: {0}")]
    Json(#[from] serde_json::Error),
    #[error("unknown key type {0}: written by a newer version?")]
    UnknownKeyType(String),
    #[error("unknown value {value:?} of {field}: written by a newer version?")]
    UnknownValue { field: &'static str, value: String },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{field} {value} is out of range")]
    OutOfRange { field: &'static str, value: i64 },
}

#[derive(Serialize, Deserialize)]
struct KeyJson {
    keytype: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    magic: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaJson {
    subject: Arc<str>,
    version: i64,
    id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    /// Not written for Avro: releases before Protobuf and JSON Schema did not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    references: Vec<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    schema: Arc<str>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    normalize: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compatibility_level: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ModeJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Arc<str>>,
    mode: String,
}

#[derive(Serialize, Deserialize)]
struct DeleteSubjectJson {
    subject: Arc<str>,
    version: i64,
}

/// A record's bytes: its key, and its value unless it is a tombstone.
pub type Encoded = (Vec<u8>, Option<Vec<u8>>);

impl Record {
    /// # Errors
    /// [`RecordError::Json`] only if the serialiser fails.
    pub fn encode(&self) -> Result<Encoded, RecordError> {
        let key = |keytype: &str, subject: &Option<Arc<str>>, version: Option<Version>, magic| {
            serde_json::to_vec(&KeyJson {
                keytype: keytype.to_owned(),
                subject: subject.clone(),
                version: version.map(|version| i64::from(version.0)),
                magic,
            })
        };
        Ok(match self {
            Self::Schema {
                subject,
                version,
                value,
            } => (
                key("SCHEMA", &Some(subject.clone()), Some(*version), 1)?,
                value
                    .as_ref()
                    .map(|value| encode_schema(subject, *version, value))
                    .transpose()?,
            ),
            Self::Config { subject, value } => (
                key("CONFIG", subject, None, 0)?,
                value
                    .map(|value| {
                        serde_json::to_vec(&ConfigJson {
                            subject: subject.clone(),
                            normalize: value.normalize,
                            compatibility_level: value
                                .compatibility
                                .map(|level| level_name(level).to_owned()),
                        })
                    })
                    .transpose()?,
            ),
            Self::Mode { subject, value } => (
                key("MODE", subject, None, 0)?,
                value
                    .map(|mode| {
                        serde_json::to_vec(&ModeJson {
                            subject: subject.clone(),
                            mode: mode.as_str().to_owned(),
                        })
                    })
                    .transpose()?,
            ),
            Self::DeleteSubject { subject, version } => (
                key("DELETE_SUBJECT", &Some(subject.clone()), None, 0)?,
                Some(serde_json::to_vec(&DeleteSubjectJson {
                    subject: subject.clone(),
                    version: i64::from(version.0),
                })?),
            ),
            Self::Ignored => (key("NOOP", &None, None, 0)?, None),
        })
    }

    /// # Errors
    /// [`RecordError`] when the key or the value is not one that this version understands.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Self, RecordError> {
        let key: KeyJson = serde_json::from_slice(key)?;
        Ok(match key.keytype.as_str() {
            "SCHEMA" => Self::Schema {
                subject: key.subject.ok_or(RecordError::Missing("subject"))?,
                version: Version(positive(
                    "version",
                    key.version.ok_or(RecordError::Missing("version"))?,
                )?),
                value: value.map(decode_schema).transpose()?,
            },
            "CONFIG" => Self::Config {
                subject: key.subject,
                value: value.map(decode_config).transpose()?,
            },
            "MODE" => Self::Mode {
                subject: key.subject,
                value: value.map(decode_mode).transpose()?,
            },
            "DELETE_SUBJECT" => match value {
                Some(value) => {
                    let value: DeleteSubjectJson = serde_json::from_slice(value)?;
                    let version = Version(positive("version", value.version)?);
                    Self::DeleteSubject {
                        subject: value.subject,
                        version,
                    }
                }
                None => Self::Ignored,
            },
            "NOOP" | "CONTEXT" | "CLEAR_SUBJECT" => Self::Ignored,
            other => return Err(RecordError::UnknownKeyType(other.to_owned())),
        })
    }
}

fn encode_schema(subject: &Arc<str>, version: Version, value: &SchemaValue) -> Result<Vec<u8>, RecordError> {
    let content = &value.content;
    Ok(serde_json::to_vec(&SchemaJson {
        subject: subject.clone(),
        version: i64::from(version.0),
        id: i64::from(value.id.0),
        md5: Some(STANDARD.encode(content.digest().0)),
        schema_type: (content.schema_type != SchemaType::Avro)
            .then(|| content.schema_type.as_str().to_owned()),
        references: content.references.clone(),
        metadata: content.metadata.clone(),
        schema: content.text.clone(),
        deleted: value.deleted,
    })?)
}

fn decode_schema(value: &[u8]) -> Result<SchemaValue, RecordError> {
    let value: SchemaJson = serde_json::from_slice(value)?;
    let schema_type = match value.schema_type {
        None => SchemaType::Avro,
        Some(name) => schema_type_from_name(&name).ok_or(RecordError::UnknownValue {
            field: "schemaType",
            value: name,
        })?,
    };
    Ok(SchemaValue {
        id: SchemaId(positive("id", value.id)?),
        content: Arc::new(SchemaContent {
            schema_type,
            text: value.schema,
            references: value.references,
            metadata: value.metadata,
        }),
        deleted: value.deleted,
    })
}

fn decode_config(value: &[u8]) -> Result<ConfigValue, RecordError> {
    let value: ConfigJson = serde_json::from_slice(value)?;
    let compatibility = match value.compatibility_level {
        None => None,
        Some(name) => Some(level_from_name(&name).ok_or(RecordError::UnknownValue {
            field: "compatibilityLevel",
            value: name,
        })?),
    };
    Ok(ConfigValue {
        compatibility,
        normalize: value.normalize,
    })
}

fn decode_mode(value: &[u8]) -> Result<Mode, RecordError> {
    let value: ModeJson = serde_json::from_slice(value)?;
    Mode::from_name(&value.mode).ok_or(RecordError::UnknownValue {
        field: "mode",
        value: value.mode,
    })
}

/// 1 to 2^31-1: what Confluent's registry counts with.
fn positive(field: &'static str, value: i64) -> Result<u32, RecordError> {
    i32::try_from(value)
        .ok()
        .and_then(|value| u32::try_from(value).ok())
        .filter(|value| *value > 0)
        .ok_or(RecordError::OutOfRange { field, value })
}
