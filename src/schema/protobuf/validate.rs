//! The door of the payload check: which message, and whether the bytes are one.

use super::explain;
use super::program::Program;
use super::walk::Walk;
use crate::schema::{Mismatch, UnknownFields};
use std::sync::Arc;

/// A message of a schema, found by its message indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageId(pub u32);

/// A compiled schema. Checking allocates nothing unless the payload is refused, or a message with required fields comes
/// in several pieces.
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

    /// Checks one serialized message; fields that the schema does not have are allowed.
    ///
    /// # Errors
    /// [`Mismatch`] with the place in the payload: of kind `OverLimit` when messages nest more than 100 deep, else
    /// of kind `Payload`. That a required field is missing is said only of a payload that is right but for that.
    pub fn validate(&self, message: MessageId, payload: &[u8]) -> Result<(), Mismatch> {
        self.check::<false>(message, payload)
    }

    /// Checks one serialized message. With [`UnknownFields::Reject`], a field number that a message, a group or a map's
    /// entry does not have is refused, an undeclared extension too, and so is a number without a name for a closed
    /// enum, which the specification stores as an unknown field
    /// (<https://protobuf.dev/programming-guides/enum/#closed>).
    ///
    /// # Errors
    /// As [`Self::validate`]; the path of an unknown field is that of the message that holds it.
    pub fn validate_with(
        &self,
        message: MessageId,
        payload: &[u8],
        unknown_fields: UnknownFields,
    ) -> Result<(), Mismatch> {
        match unknown_fields {
            UnknownFields::Allow => self.check::<false>(message, payload),
            UnknownFields::Reject => self.check::<true>(message, payload),
        }
    }

    fn check<const REJECT: bool>(&self, message: MessageId, payload: &[u8]) -> Result<(), Mismatch> {
        let mut walk = Walk::<_, REJECT> {
            program: &self.program,
            payload,
            trace: (),
        };
        match walk.message(payload, 0, message.0, 0, 0) {
            Ok(_) => Ok(()),
            Err(_) => explain::look_again::<REJECT>(&self.program, message.0, payload),
        }
    }
}
