//! The payload walk.
use crate::schema::Mismatch;

pub struct AvroValidator {}

impl AvroValidator {
    /// Checks one Avro binary payload: every byte belongs to the schema, and none is left over.
    pub fn validate(&self, _payload: &[u8]) -> Result<(), Mismatch> {
        todo!()
    }
}
