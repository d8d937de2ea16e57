//! The three schema languages behind one door. Pure: text and bytes in, values out.
//!
//! [`Schema::parse`] reads a schema with its references, [`Schema::canonical`] gives the text that makes its
//! identity, [`Schema::validator`] compiles it, and [`Schema::incompatibilities`] compares it with others.

pub mod avro;
pub mod json;
pub mod protobuf;
pub mod place;
pub mod tags;
mod utf8;

use place::Place;
use std::sync::Arc;
use tags::{TagChanges, Tagged};
use thiserror::Error;

/// A schema's id in a registry: positive, unique in a context.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SchemaId(pub u32);

/// A version of a subject: 1, 2, 3 …
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Version(pub u32);

/// A subject's name, for example `orders-value`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Subject(pub Arc<str>);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SchemaType {
    Avro,
    Protobuf,
    Json,
}

impl SchemaType {
    /// The name that the registry's REST API gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avro => "AVRO",
            Self::Protobuf => "PROTOBUF",
            Self::Json => "JSON",
        }
    }
}

/// The text behind one reference of a schema. `name` is what the referring schema calls it: an Avro full name,
/// a Protobuf import path, a JSON Schema `$ref` URI. A list of these is transitive, dependencies first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferencedSchema {
    pub name: String,
    pub text: String,
}

/// Confluent's seven compatibility levels. The transitive ones differ only in how many earlier versions the
/// caller hands in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompatibilityLevel {
    None,
    Backward,
    BackwardTransitive,
    Forward,
    ForwardTransitive,
    Full,
    FullTransitive,
}

/// How JSON Schemas are compared (`CompatibilityPolicy.java`). The other languages know no difference.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum JsonComparison {
    #[default]
    Strict,
    /// Properties may come and go although an open content model accepted anything under their names, or a closed one
    /// nothing.
    Lenient,
}

/// What `format` is in a JSON Schema.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Formats {
    /// An annotation: it refuses nothing. What every draft says of it by default, or allows.
    #[default]
    Annotate,
    /// A string must have the format, if the schema's draft defines it; a format of another name stays an annotation.
    Assert,
}

/// One reason why two schemas are not compatible, in Confluent's words where it has them
/// (`READER_FIELD_MISSING_DEFAULT_VALUE`, `FIELD_SCALAR_KIND_CHANGED`, `REQUIRED_ATTRIBUTE_ADDED` …).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Incompatibility {
    /// The language whose rule it is: Confluent prints each a little differently.
    pub schema_type: SchemaType,
    pub kind: &'static str,
    /// A sentence that speaks of `the reader schema` and `the writer schema`.
    pub description: String,
    /// What Confluent gives besides for Avro: the missing field's name, the two types. May be empty.
    pub additional_info: String,
    /// Where: `/fields/1/type` (Avro), `#/Order/3` (Protobuf), `#/properties/total` (JSON Schema).
    pub path: String,
}

impl Incompatibility {
    /// The description with `reader` and `writer` put in.
    #[must_use]
    pub fn sentence(&self, reader: &str, writer: &str) -> String {
        self.description
            .replace("he reader schema", &format!("he {reader} schema"))
            .replace("he writer schema", &format!("he {writer} schema"))
            // Confluent's words for two kinds of JSON Schema's.
            .replace(
                "he reader and writer schema",
                &format!("he {reader} and {writer} schema"),
            )
            .replace("he reader has a closed", &format!("he {reader} has a closed"))
    }

    /// The reason as Confluent's registry prints it. `reader` and `writer` say which is which: for a backward check
    /// the reader is `new` and the writer `old`.
    #[must_use]
    pub fn confluent_message(&self, reader: &str, writer: &str) -> String {
        let description = self.sentence(reader, writer);
        let kind = self.kind;
        match self.schema_type {
            SchemaType::Avro => format!(
                "{{errorType:'{kind}', description:'{description}', additionalInfo:'{}'}}",
                self.additional_info
            ),
            SchemaType::Protobuf => format!("{{errorType:\"{kind}\", description:\"{description}\"}}"),
            // Its two quotes do not match in Confluent's text either.
            SchemaType::Json => format!("{{errorType:\"{kind}\", description:\"{description}'}}"),
        }
    }
}

/// Why a schema was not accepted.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SchemaError {
    /// The text is not a schema of its language.
    #[error("{0}")]
    Invalid(String),
    /// The same, and where in the text.
    #[error("{what}")]
    InvalidAt { what: String, place: Place },
    /// Over a limit that keeps parsing and compiling bounded.
    #[error("schema over a limit: {0}")]
    OverLimit(String),
}

impl SchemaError {
    /// The same error, where its place is one of another text than the schema's own.
    #[must_use]
    pub fn without_place(self) -> Self {
        match self {
            Self::InvalidAt { what, .. } => Self::Invalid(what),
            other => other,
        }
    }

    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::InvalidAt { place, .. } => Some(place),
            Self::Invalid(_) | Self::OverLimit(_) => None,
        }
    }
}

/// What about a payload did not match. `kind` decides the violation code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MismatchKind {
    /// The payload does not match its schema (PC-201, PC-202, PC-203 by language).
    Payload,
    /// The payload is not JSON at all (PC-204).
    NotJson,
    /// A limit was reached: depth or size (PC-301).
    OverLimit,
}

/// Whether a payload may hold what its schema does not know. Only Protobuf's encoding can: a field number that the
/// message does not have, or a number without a name for a closed enum, which parsers keep as an unknown field.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum UnknownFields {
    /// Walked to their end and accepted, as every Protobuf parser does: the writer may have a newer schema.
    #[default]
    Allow,
    /// A mismatch: every field must be in the schema that the payload names.
    Reject,
}

/// Where and how a payload departs from its schema. Made only on failure; the valid path never pays for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    pub kind: MismatchKind,
    /// `$`, `$.customer.email`, `$.items[3].sku`, `$.labels["a b"]`.
    pub path: String,
    /// For example `expected double, 3 bytes left`. Never the payload's own content.
    pub expected: String,
}

/// A parsed schema.
pub enum Schema {
    Avro(avro::AvroSchema),
    Protobuf(Box<protobuf::ProtobufSchema>),
    Json(json::JsonSchema),
}

impl Schema {
    /// Parses `text`. `references` are transitive, dependencies first.
    ///
    /// # Errors
    /// [`SchemaError`] when the text is not a schema, a reference is missing, or a limit is reached.
    pub fn parse(
        schema_type: SchemaType,
        text: &str,
        references: &[ReferencedSchema],
    ) -> Result<Self, SchemaError> {
        Ok(match schema_type {
            SchemaType::Avro => Self::Avro(avro::AvroSchema::parse(text, references)?),
            SchemaType::Protobuf => {
                Self::Protobuf(Box::new(protobuf::ProtobufSchema::parse(text, references)?))
            }
            SchemaType::Json => Self::Json(json::JsonSchema::parse(text, references)?),
        })
    }

    /// What can be said of a text alone, when what it refers to is not at hand: whether it is JSON, or parses as Protobuf.
    ///
    /// # Errors
    /// [`SchemaError`] with the place.
    pub fn check_syntax(schema_type: SchemaType, text: &str) -> Result<(), SchemaError> {
        match schema_type {
            SchemaType::Avro => avro::parse::check_syntax(text),
            SchemaType::Protobuf => protobuf::parse::check_syntax(text),
            SchemaType::Json => json::JsonSchema::check_syntax(text),
        }
    }

    /// What Confluent's registry asks of a schema besides when it is registered for the first time: for Avro, ASCII
    /// names and defaults that fit. A schema that a registry already holds need not keep it.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] names what does not fit.
    pub fn check_as_new(&self) -> Result<(), SchemaError> {
        match self {
            Self::Avro(schema) => schema.check_as_new(),
            Self::Protobuf(_) | Self::Json(_) => Ok(()),
        }
    }

    /// What `validateFields` asks of a schema besides: nothing but of JSON Schema.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] says which rule its fields break.
    pub fn check_fields(&self) -> Result<(), SchemaError> {
        match self {
            Self::Avro(_) | Self::Protobuf(_) => Ok(()),
            Self::Json(schema) => schema.check_fields(),
        }
    }

    /// Whether the record, one of the messages, or the object at the top has a field of this name
    /// (`ParsedSchema.hasTopLevelField`).
    #[must_use]
    pub fn has_top_level_field(&self, name: &str) -> bool {
        match self {
            Self::Avro(schema) => schema.has_top_level_field(name),
            Self::Protobuf(schema) => schema.descriptor().messages().any(|message| {
                let field = message.get_field_by_name(name);
                field.is_some_and(|field| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic()))
            }),
            Self::Json(schema) => schema.has_top_level_field(name),
        }
    }

    #[must_use]
    pub fn schema_type(&self) -> SchemaType {
        match self {
            Self::Avro(_) => SchemaType::Avro,
            Self::Protobuf(_) => SchemaType::Protobuf,
            Self::Json(_) => SchemaType::Json,
        }
    }

    /// The text that Confluent's registry stores and compares (`ParsedSchema.canonicalString()`).
    #[must_use]
    pub fn canonical(&self) -> String {
        match self {
            Self::Avro(schema) => schema.canonical(),
            Self::Protobuf(schema) => schema.canonical(),
            Self::Json(schema) => schema.canonical(),
        }
    }

    /// The text with everything in one order, which `normalize=true` asks for (`ParsedSchema.normalize()`): schemas that
    /// differ only in how they are written have one text.
    #[must_use]
    pub fn normalized(&self) -> String {
        match self {
            Self::Avro(schema) => schema.normalized(),
            Self::Protobuf(schema) => schema.normalized(),
            Self::Json(schema) => schema.normalized(),
        }
    }

    /// The text in the form that `format` names, in upper or lower case (`ParsedSchema.formattedString()`): `serialized` is the
    /// base64 of a Protobuf `FileDescriptorProto`, `ignore_extensions` Protobuf without custom options and extensions,
    /// `resolved` Avro with its references written out. Any other name means the canonical text.
    #[must_use]
    pub fn formatted(&self, format: &str) -> String {
        match (self, format.to_ascii_lowercase().as_str()) {
            (Self::Protobuf(schema), "serialized") => schema.serialized(),
            (Self::Protobuf(schema), "ignore_extensions") => schema.without_extensions(),
            (Self::Avro(schema), "resolved") => schema.resolved().unwrap_or_else(|_| schema.canonical()),
            _ => self.canonical(),
        }
    }

    /// The canonical text with tags of its records and fields added and removed (`ParsedSchema.copy(tagsToAdd,
    /// tagsToRemove)`). It is another schema, which has to be parsed with the same references.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] for an entity that is not there, [`SchemaError::OverLimit`] for too many of them.
    pub fn retagged(&self, changes: &TagChanges) -> Result<String, SchemaError> {
        changes.check()?;
        match self {
            Self::Avro(schema) => schema.retagged(changes),
            Self::Json(schema) => schema.retagged(changes),
            Self::Protobuf(schema) => schema.retagged(changes),
        }
    }

    /// The tagged records and fields, also those of references where the language's own search goes there
    /// (`ParsedSchema.inlineTaggedEntities()`).
    ///
    /// # Errors
    /// [`SchemaError::OverLimit`] when they are too much for one answer.
    pub fn tagged(&self) -> Result<Vec<Tagged>, SchemaError> {
        match self {
            Self::Avro(schema) => schema.tagged(),
            Self::Json(schema) => schema.tagged(),
            Self::Protobuf(schema) => schema.tagged(),
        }
    }

    /// Compiles the program that checks payloads.
    ///
    /// # Errors
    /// [`SchemaError`] when the schema cannot be compiled within its limits.
    pub fn validator(&self) -> Result<Validator, SchemaError> {
        Ok(match self {
            Self::Avro(schema) => Validator::Avro(schema.validator()?),
            Self::Protobuf(schema) => Validator::Protobuf(schema.validator()?),
            Self::Json(schema) => Validator::Json(schema.validator()?),
        })
    }

    /// Why a reader with `self` cannot read what a writer with `writer` wrote: empty when it can.
    #[must_use]
    pub fn incompatibilities(&self, writer: &Self) -> Vec<Incompatibility> {
        self.incompatibilities_under(JsonComparison::Strict, writer)
    }

    /// The same under one of Confluent's compatibility policies.
    #[must_use]
    pub fn incompatibilities_under(&self, comparison: JsonComparison, writer: &Self) -> Vec<Incompatibility> {
        match (self, writer) {
            (Self::Avro(reader), Self::Avro(writer)) => avro::compat::incompatibilities(reader, writer),
            (Self::Protobuf(reader), Self::Protobuf(writer)) => {
                protobuf::compat::incompatibilities(reader, writer)
            }
            (Self::Json(reader), Self::Json(writer)) => {
                json::compat::incompatibilities(reader, writer, comparison)
            }
            (reader, writer) => vec![Incompatibility {
                schema_type: reader.schema_type(),
                kind: "TYPE_MISMATCH",
                description: format!(
                    "schema types differ: {} and {}",
                    reader.schema_type().as_str(),
                    writer.schema_type().as_str()
                ),
                additional_info: String::new(),
                path: "/".to_owned(),
            }],
        }
    }
}

/// A compiled schema: walks a payload's bytes and builds no value.
pub enum Validator {
    Avro(avro::validate::AvroValidator),
    Protobuf(protobuf::validate::ProtobufValidator),
    Json(json::validate::JsonValidator),
}

impl Validator {
    #[must_use]
    pub fn schema_type(&self) -> SchemaType {
        match self {
            Self::Avro(_) => SchemaType::Avro,
            Self::Protobuf(_) => SchemaType::Protobuf,
            Self::Json(_) => SchemaType::Json,
        }
    }
}
