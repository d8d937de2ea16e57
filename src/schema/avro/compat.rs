//! Avro schema resolution as compatibility rules (specification, "Schema Resolution"; Java `SchemaCompatibility`).
use super::AvroSchema;
use crate::schema::Incompatibility;

#[must_use]
pub fn incompatibilities(_reader: &AvroSchema, _writer: &AvroSchema) -> Vec<Incompatibility> {
    todo!()
}
