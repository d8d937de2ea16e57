//! Json.

pub mod parse;
pub mod validate;

pub use parse::JsonSchema;
