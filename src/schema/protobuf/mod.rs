//! Protobuf: `.proto` text (or a base64 `FileDescriptorProto`) to descriptors, to the text that is stored, and to
//! the tables that check payloads. `docs/validation-protobuf.md` lists the rules.

mod builtin;
mod limits;
mod source;
mod lenient;
mod syntax;
mod canonical;
pub mod compat;
mod program;
mod walk;
mod values;
mod explain;
mod merged;
mod tags;

pub mod parse;
pub mod validate;

pub use parse::ProtobufSchema;

#[cfg(test)]
mod tests;
