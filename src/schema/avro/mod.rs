//! Avro (specification 1.12): parse, canonical text, compatibility, and the payload walk.
//!
//! `model` is what the others share. `parse` makes it, `canonical` writes it, `normalize` writes it in one order,
//! `defaults` holds it to what a new
//! schema must keep, `compat` compares two, `tags` changes its tags, `program` compiles it, `validate` runs the program over payloads, and
//! `explain` says where a refused payload went wrong.

pub mod canonical;
pub mod compat;
mod defaults;
mod explain;
mod model;
mod names;
mod normalize;
pub mod parse;
mod program;
mod tags;
pub mod validate;

pub use model::AvroSchema;

#[cfg(test)]
mod tests;
