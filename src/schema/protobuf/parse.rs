//! Schema text to a checked model.
use super::validate::ProtobufValidator;
use crate::schema::{ReferencedSchema, SchemaError};

pub struct ProtobufSchema {}

impl ProtobufSchema {
    pub fn parse(_text: &str, _references: &[ReferencedSchema]) -> Result<Self, SchemaError> {
        todo!()
    }
    #[must_use]
    pub fn canonical(&self) -> String {
        todo!()
    }
    pub fn validator(&self) -> Result<ProtobufValidator, SchemaError> {
        todo!()
    }
}
