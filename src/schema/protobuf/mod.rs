//! Protobuf.

pub mod parse;
pub mod validate;

pub use parse::ProtobufSchema;
