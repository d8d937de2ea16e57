//! The door of the payload check: which message, and whether the bytes are one.

use super::explain;
use super::program::Program;
use super::walk::Walk;
use crate::schema::Mismatch;
use std::sync::Arc;

/// A message of a schema, found by its message indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageId(pub u32);

/// A compiled schema. Checking allocates nothing unless the payload is refused.
pub struct ProtobufValidator {
    program: Arc<Program>,
}

impl ProtobufValidator {
    pub(super) fn new(program: Arc<Program>) -> Self {
        Self { program }
    }

    /// The message that Confluent's message indexes name: the first is an index into the file's messages, each
    /// further one into the nested messages of the one before. No index at all is the first message, as the
    /// single byte 0 is on the wire. `None`: they point at no message (PC-105).
    #[must_use]
    pub fn message(&self, indexes: impl IntoIterator<Item = i64>) -> Option<MessageId> {
        self.program.by_indexes(indexes).map(MessageId)
    }

    /// Checks one serialized message.
    ///
    /// # Errors
    /// [`Mismatch`] with the place in the payload: of kind `OverLimit` when messages nest more than 100 deep, else
    /// of kind `Payload`.
    pub fn validate(&self, message: MessageId, payload: &[u8]) -> Result<(), Mismatch> {
        let mut walk = Walk {
            program: &self.program,
            trace: (),
        };
        match walk.message(payload, 0, message.0, 0, 0) {
            Ok(_) => Ok(()),
            Err(_) => Err(explain::explain(&self.program, message.0, payload)),
        }
    }
}
