//! What may change between two versions of a schema.

use super::JsonSchema;
use crate::schema::Incompatibility;

/// Why a reader with `reader` cannot read all that a writer with `writer` may have written; empty when it can.
#[must_use]
pub fn incompatibilities(_reader: &JsonSchema, _writer: &JsonSchema) -> Vec<Incompatibility> {
    Vec::new()
}
