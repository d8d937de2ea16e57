//! The payload walk.
use crate::schema::Mismatch;

/// A message of a schema, found by its message indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageId(pub u32);

pub struct ProtobufValidator {}

impl ProtobufValidator {
    /// The message that Confluent's message indexes name: the first is an index into the file's messages, each
    /// further one into the nested messages of the one before. `None`: they point at no message (PC-105).
    #[must_use]
    pub fn message(&self, _indexes: impl IntoIterator<Item = i64>) -> Option<MessageId> {
        None
    }

    /// Checks one serialized message.
    pub fn validate(&self, _message: MessageId, _payload: &[u8]) -> Result<(), Mismatch> {
        todo!()
    }
}
