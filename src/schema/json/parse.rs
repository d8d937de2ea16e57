//! Schema text to a compiled model.

use super::compile::{CompileError, Programs, compile};
use super::document::Json;
use super::resources::Document;
use super::validate::JsonValidator;
use crate::schema::{ReferencedSchema, SchemaError};

/// A JSON Schema of draft 4, 6, 7, 2019-09 or 2020-12.
pub struct JsonSchema {
    canonical: String,
    /// The schema and what it refers to.
    documents: Vec<Document>,
    /// The programs, or why this schema, though one, is not enforced.
    programs: Result<Programs, SchemaError>,
}

impl JsonSchema {
    /// Parses and compiles `text`. Its draft is that of `$schema`; without one it is draft 7, as in Confluent's
    /// registry. A `$ref` leads into the schema itself, to one of `references` or to a draft's meta-schema;
    /// nothing is fetched.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] when the text is no JSON, no schema, or refers to what is not there;
    /// [`SchemaError::OverLimit`] when it is larger than the limits allow.
    pub fn parse(text: &str, references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        let mut documents = vec![Document {
            name: String::new(),
            json: Json::parse(text, "the schema")?,
        }];
        for reference in references {
            let what = format!("the reference \"{}\"", reference.name);
            let json = Json::parse(&reference.text, &what).map_err(SchemaError::without_place)?;
            documents.push(Document {
                name: reference.name.clone(),
                json,
            });
        }
        let programs = match compile(&documents) {
            Ok(programs) => Ok(programs),
            Err(CompileError::Unsupported(error)) => Err(error),
            Err(CompileError::Schema(error)) => return Err(error),
        };
        let canonical = documents
            .first()
            .map(|document| document.json.canonical())
            .unwrap_or_default();
        Ok(Self {
            canonical,
            documents,
            programs,
        })
    }

    pub(super) fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Whether a text is JSON at all; what it refers to is not looked at.
    ///
    /// # Errors
    /// [`SchemaError`] with the place.
    pub fn check_syntax(text: &str) -> Result<(), SchemaError> {
        Json::parse(text, "the schema").map(|_| ())
    }

    /// Jackson's compact form, keys in their order: Confluent's `JsonSchema.canonicalString()`.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.canonical.clone()
    }

    /// The same with the keys of every object sorted: Confluent's `JsonSchema.normalize()`.
    #[must_use]
    pub fn normalized(&self) -> String {
        // Its own text: it parses.
        Json::parse(&self.canonical, "the schema")
            .map_or_else(|_| self.canonical(), |json| json.sorted().canonical())
    }

    /// The program that checks payloads.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`] naming the pattern that cannot be matched in linear time.
    pub fn validator(&self) -> Result<JsonValidator, SchemaError> {
        self.programs.clone().map(JsonValidator::new)
    }
}
