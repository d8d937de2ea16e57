//! Avro (specification 1.12): parse, canonical text, compatibility, and the payload walk.

pub mod canonical;
pub mod compat;
pub mod parse;
pub mod validate;

pub use parse::AvroSchema;
