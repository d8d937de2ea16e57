//! Avro schema text to a checked model.
use super::validate::AvroValidator;
use crate::schema::{ReferencedSchema, SchemaError};

pub struct AvroSchema {}

impl AvroSchema {
    pub fn parse(_text: &str, _references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        todo!()
    }
    #[must_use]
    pub fn canonical(&self) -> String {
        todo!()
    }
    pub fn validator(&self) -> Result<AvroValidator, SchemaError> {
        todo!()
    }
}
