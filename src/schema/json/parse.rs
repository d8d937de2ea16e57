//! Schema text to a checked model.
use super::validate::JsonValidator;
use crate::schema::{ReferencedSchema, SchemaError};

pub struct JsonSchema {}

impl JsonSchema {
    pub fn parse(_text: &str, _references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        todo!()
    }
    #[must_use]
    pub fn canonical(&self) -> String {
        todo!()
    }
    pub fn validator(&self) -> Result<JsonValidator, SchemaError> {
        todo!()
    }
}
