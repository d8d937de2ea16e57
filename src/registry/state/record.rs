//! The records of the log, as Confluent's `_schemas` topic has them: a JSON key, and a JSON value or none
//! (`storage/SchemaKey.java`, `SchemaValue.java`, `ConfigValue.java` …). Keys are the compaction's, so they are written
//! byte for byte as Jackson writes Confluent's; values have its fields in its order, without what is empty.
//!
//! ```text
//! {"keytype":"SCHEMA","subject":"orders-value","version":1,"magic":1}
//!     -> {"subject":"orders-value","version":1,"id":7,"schemaType":"JSON","references":[…],"metadata":{…},"ruleSet":{…},
//!         "schema":"…","deleted":false}
//!     -> nothing: the version is gone (tombstone)
//! {"keytype":"CONFIG","subject":"orders-value","magic":0}          no subject: the default context
//!     -> {"subject":"orders-value","compatibilityLevel":"FULL"}
//! {"keytype":"MODE","subject":"orders-value","magic":0}            no subject: the default context
//!     -> {"subject":"orders-value","mode":"READONLY"}
//! {"keytype":"DELETE_SUBJECT","subject":"orders-value","magic":0}
//!     -> {"subject":"orders-value","version":3}                    versions up to 3 are soft-deleted
//! {"keytype":"CLEAR_SUBJECT","subject":"orders-value","magic":0}   no subject: all
//!     -> {"subject":"orders-value"}                                soft-deleted versions are gone
//! {"keytype":"CONTEXT","tenant":"default","context":".billing","magic":0}
//!     -> {"tenant":"default","context":".billing"}
//! {"keytype":"NOOP","magic":0}
//! ```

use super::config::{ConfigValue, LevelKey};
use super::content::{Digest, Metadata, Reference, SchemaContent};
use super::names::{CompatibilityPolicy, Mode, level_from_name, schema_type_from_name};
use super::rules::RuleSet;
use crate::schema::{SchemaId, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;

/// The only tenant that there is.
pub const TENANT: &str = "default";

/// What a SCHEMA record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchemaValue {
    pub id: SchemaId,
    pub content: Arc<SchemaContent>,
    /// The identity that the record itself gives. Confluent writes it when metadata is stored encrypted, for then the
    /// rest of the record does not tell it.
    pub md5: Option<Digest>,
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
    /// No subject: the default context. No value: not configured.
    Config {
        subject: Option<Arc<str>>,
        value: Option<Box<ConfigValue>>,
    },
    Mode {
        subject: Option<Arc<str>>,
        value: Option<Mode>,
    },
    /// Soft-deletes the versions up to this one; without one (a tombstone) nothing.
    DeleteSubject {
        subject: Arc<str>,
        version: Option<Version>,
    },
    /// Forgets the soft-deleted versions of a subject, of a context's subjects, or of all.
    ClearSubject {
        subject: Option<Arc<str>>,
        tombstone: bool,
    },
    /// A context that has, or had, subjects; as a tombstone one that has gone.
    Context {
        tenant: Arc<str>,
        context: Arc<str>,
        tombstone: bool,
    },
    /// Says nothing; Confluent writes it to learn where the log ends.
    Noop,
    /// What this version does not understand: kept as it is, and reported.
    Unknown(Box<UnknownRecord>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownRecord {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
    /// Its key's `keytype`, shortened; `none` where there is none.
    pub kind: String,
    pub why: String,
}

/// Why a record could not be written, or is not understood.
#[derive(Debug, Error)]
pub enum RecordError {
    #[error("not the JSON of a registry record: {0}")]
    Json(#[from] serde_json::Error),
    #[error("unknown key type {0}")]
    UnknownKeyType(String),
    #[error("unknown value {value:?} of {field}")]
    UnknownValue { field: &'static str, value: String },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{field} {value} is out of range")]
    OutOfRange { field: &'static str, value: i64 },
}

/// The longest key type that is quoted.
const KIND_BYTES_MAX: usize = 64;

#[derive(Serialize, Deserialize)]
struct KeyJson {
    keytype: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<Arc<str>>,
    #[serde(default)]
    magic: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SchemaOut<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    subject: &'a str,
    version: u32,
    id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    schema_type: &'static str,
    #[serde(skip_serializing_if = "<[Reference]>::is_empty")]
    references: &'a [Reference],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<&'a RuleSet>,
    schema: &'a str,
    deleted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaIn {
    id: i64,
    #[serde(default)]
    md5: Option<String>,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(default)]
    rule_set: Option<RuleSet>,
    schema: Arc<str>,
    #[serde(default)]
    deleted: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ConfigIn {
    alias: Option<String>,
    alias_for_deks: Option<String>,
    normalize: Option<bool>,
    validate_fields: Option<bool>,
    validate_new_schemas: Option<bool>,
    validate_rules: Option<bool>,
    compatibility_level: Option<String>,
    compatibility_policy: Option<String>,
    compatibility_group: Option<String>,
    default_metadata: Option<Metadata>,
    override_metadata: Option<Metadata>,
    default_rule_set: Option<RuleSet>,
    override_rule_set: Option<RuleSet>,
}

#[derive(Serialize)]
struct ModeJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    mode: &'static str,
}

#[derive(Deserialize)]
struct ModeIn {
    mode: String,
}

#[derive(Serialize, Deserialize)]
struct SubjectValueJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
}

#[derive(Serialize)]
struct ContextJson<'a> {
    tenant: &'a str,
    context: &'a str,
}

/// A record's bytes: its key, and its value unless it is a tombstone.
pub type Encoded = (Vec<u8>, Option<Vec<u8>>);

fn key(keytype: &str, subject: Option<&Arc<str>>) -> KeyJson {
    KeyJson {
        keytype: keytype.to_owned(),
        subject: subject.filter(|subject| !subject.is_empty()).cloned(),
        version: None,
        tenant: None,
        context: None,
        magic: 0,
    }
}

impl Record {
    /// # Errors
    /// [`RecordError::Json`] only if the serialiser fails.
    pub fn encode(&self) -> Result<Encoded, RecordError> {
        let (key, value) = match self {
            Self::Schema {
                subject,
                version,
                value,
            } => {
                let key = KeyJson {
                    version: Some(version.0.into()),
                    magic: 1,
                    ..key("SCHEMA", Some(subject))
                };
                let value = value
                    .as_ref()
                    .map(|value| encode_schema(subject, *version, value));
                (key, value.transpose()?)
            }
            Self::Config { subject, value } => {
                let value = value.as_ref().map(|value| {
                    let mut json = value.shown(LevelKey::CompatibilityLevel);
                    json.subject = subject.as_deref();
                    serde_json::to_vec(&json)
                });
                (key("CONFIG", subject.as_ref()), value.transpose()?)
            }
            Self::Mode { subject, value } => {
                let value = value.map(|mode| {
                    serde_json::to_vec(&ModeJson {
                        subject: subject.as_deref(),
                        mode: mode.as_str(),
                    })
                });
                (key("MODE", subject.as_ref()), value.transpose()?)
            }
            Self::DeleteSubject { subject, version } => {
                let value = version.map(|version| subject_value(Some(subject), Some(version)));
                (key("DELETE_SUBJECT", Some(subject)), value.transpose()?)
            }
            Self::ClearSubject { subject, tombstone } => {
                let value = (!tombstone).then(|| subject_value(subject.as_ref(), None));
                (key("CLEAR_SUBJECT", subject.as_ref()), value.transpose()?)
            }
            Self::Context {
                tenant,
                context,
                tombstone,
            } => {
                let key = KeyJson {
                    tenant: Some(tenant.clone()),
                    context: Some(context.clone()),
                    ..key("CONTEXT", None)
                };
                let value = (!tombstone).then(|| serde_json::to_vec(&ContextJson { tenant, context }));
                (key, value.transpose()?)
            }
            Self::Noop => (key("NOOP", None), None),
            Self::Unknown(unknown) => return Ok((unknown.key.clone(), unknown.value.clone())),
        };
        Ok((serde_json::to_vec(&key)?, value))
    }

    /// Reads a record. One that this version does not understand is [`Record::Unknown`]: the log is somebody else's
    /// too, so nothing in it stops a registry.
    #[must_use]
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Self {
        decode(key, value).unwrap_or_else(|why| {
            Self::Unknown(Box::new(UnknownRecord {
                key: key.to_owned(),
                value: value.map(<[u8]>::to_owned),
                kind: kind_of(key),
                why: why.to_string(),
            }))
        })
    }
}

fn kind_of(key: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Kind {
        keytype: String,
    }
    let kind = serde_json::from_slice::<Kind>(key).map(|kind| kind.keytype);
    kind.ok()
        .filter(|kind| kind.len() <= KIND_BYTES_MAX)
        .unwrap_or_else(|| "none".to_owned())
}

fn subject_value(subject: Option<&Arc<str>>, version: Option<Version>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&SubjectValueJson {
        subject: subject.cloned(),
        version: version.map(|version| version.0.into()),
    })
}

fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Record, RecordError> {
    let key: KeyJson = serde_json::from_slice(key)?;
    // An empty subject is written as none.
    let subject = key.subject.clone().filter(|subject| !subject.is_empty());
    Ok(match key.keytype.as_str() {
        "SCHEMA" if !matches!(key.magic, 0 | 1) => {
            return Err(RecordError::OutOfRange {
                field: "magic",
                value: key.magic,
            });
        }
        "SCHEMA" => Record::Schema {
            subject: key.subject.unwrap_or_default(),
            version: Version(positive(
                "version",
                key.version.ok_or(RecordError::Missing("version"))?,
            )?),
            value: value.map(decode_schema).transpose()?,
        },
        "CONFIG" => Record::Config {
            subject,
            value: value
                .map(|value| decode_config(value).map(Box::new))
                .transpose()?,
        },
        "MODE" => Record::Mode {
            subject,
            value: value.map(decode_mode).transpose()?,
        },
        "DELETE_SUBJECT" => decode_delete(subject, value)?,
        "CLEAR_SUBJECT" => Record::ClearSubject {
            subject,
            tombstone: value.is_none(),
        },
        "CONTEXT" => Record::Context {
            tenant: key.tenant.unwrap_or_else(|| TENANT.into()),
            context: key.context.ok_or(RecordError::Missing("context"))?,
            tombstone: value.is_none(),
        },
        "NOOP" => Record::Noop,
        other => {
            return Err(RecordError::UnknownKeyType(
                other.chars().take(KIND_BYTES_MAX).collect(),
            ));
        }
    })
}

fn decode_delete(subject: Option<Arc<str>>, value: Option<&[u8]>) -> Result<Record, RecordError> {
    let read = value
        .map(serde_json::from_slice::<SubjectValueJson>)
        .transpose()?;
    let version = match &read {
        None => None,
        Some(read) => {
            let version = read.version.ok_or(RecordError::Missing("version"))?;
            Some(Version(not_negative("version", version)?))
        }
    };
    let subject = read.and_then(|read| read.subject).or(subject);
    Ok(Record::DeleteSubject {
        subject: subject.ok_or(RecordError::Missing("subject"))?,
        version,
    })
}

fn encode_schema(subject: &str, version: Version, value: &SchemaValue) -> serde_json::Result<Vec<u8>> {
    let content = &value.content;
    serde_json::to_vec(&SchemaOut {
        subject,
        version: version.0,
        id: value.id.0,
        md5: value.md5.map(|md5| STANDARD.encode(md5.0)),
        schema_type: content.schema_type.as_str(),
        references: &content.references,
        metadata: content.metadata.as_ref(),
        rule_set: content.rule_set.as_ref(),
        schema: &content.text,
        deleted: value.deleted,
    })
}

fn decode_schema(value: &[u8]) -> Result<SchemaValue, RecordError> {
    let value: SchemaIn = serde_json::from_slice(value)?;
    let name = value.schema_type.unwrap_or_else(|| "AVRO".to_owned());
    let schema_type = schema_type_from_name(&name).ok_or(RecordError::UnknownValue {
        field: "schemaType",
        value: name,
    })?;
    let content = SchemaContent {
        schema_type,
        text: value.schema,
        references: value.references.unwrap_or_default(),
        metadata: value.metadata,
        rule_set: value.rule_set,
    };
    // What the content says by itself is not kept beside it.
    let md5 = match value.md5 {
        None => None,
        Some(md5) => {
            let bytes = STANDARD.decode(&md5).ok().and_then(|bytes| bytes.try_into().ok());
            let bytes = bytes.ok_or(RecordError::UnknownValue {
                field: "md5",
                value: md5,
            })?;
            Some(Digest(bytes)).filter(|md5| *md5 != content.digest())
        }
    };
    Ok(SchemaValue {
        // Confluent's `@Min(0)`: an imported schema may have the id 0.
        id: SchemaId(not_negative("id", value.id)?),
        content: Arc::new(content),
        md5,
        deleted: value.deleted.unwrap_or(false),
    })
}

/// A value that is one of a few names.
fn named<T>(
    field: &'static str,
    name: Option<String>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, RecordError> {
    name.map(|name| read(&name).ok_or(RecordError::UnknownValue { field, value: name }))
        .transpose()
}

fn decode_config(value: &[u8]) -> Result<ConfigValue, RecordError> {
    let value: ConfigIn = serde_json::from_slice(value)?;
    Ok(ConfigValue {
        alias: value.alias,
        alias_for_deks: value.alias_for_deks,
        normalize: value.normalize,
        validate_fields: value.validate_fields,
        validate_new_schemas: value.validate_new_schemas,
        validate_rules: value.validate_rules,
        compatibility: named("compatibilityLevel", value.compatibility_level, level_from_name)?,
        compatibility_policy: named(
            "compatibilityPolicy",
            value.compatibility_policy,
            CompatibilityPolicy::from_name,
        )?,
        compatibility_group: value.compatibility_group,
        default_metadata: value.default_metadata,
        override_metadata: value.override_metadata,
        default_rule_set: value.default_rule_set,
        override_rule_set: value.override_rule_set,
    }
    .without_empty_text())
}

fn decode_mode(value: &[u8]) -> Result<Mode, RecordError> {
    let value: ModeIn = serde_json::from_slice(value)?;
    Mode::from_name(&value.mode).ok_or(RecordError::UnknownValue {
        field: "mode",
        value: value.mode,
    })
}

/// 1 to 2^31-1: what Confluent's registry counts with.
fn positive(field: &'static str, value: i64) -> Result<u32, RecordError> {
    not_negative(field, value).and_then(|read| {
        if read == 0 {
            Err(RecordError::OutOfRange { field, value })
        } else {
            Ok(read)
        }
    })
}

fn not_negative(field: &'static str, value: i64) -> Result<u32, RecordError> {
    i32::try_from(value)
        .ok()
        .and_then(|value| u32::try_from(value).ok())
        .ok_or(RecordError::OutOfRange { field, value })
}

#[cfg(test)]
mod tests;
