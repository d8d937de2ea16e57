//! JSON Schema, drafts 4, 6, 7, 2019-09 and 2020-12.
//!
//! A schema's text becomes a tree ([`document`]), its references are found ([`resources`], [`uri`], [`draft`]) and
//! it is compiled ([`compile`], [`keywords`], [`pattern`], [`simple_pattern`]) to a flat [`program`]. Most payloads are
//! accepted by a [`single_pass`] over the text ([`scan`], [`way`]); any other becomes a [`tape`], and the [`walk`]
//! applies the program to it ([`applied`], [`unevaluated`], [`equal`], [`number`], [`text`], [`mod@format`]); [`path`] says where it failed.
//! [`compat`] compares schemas, [`tags`] changes their tags.

mod applied;
pub mod compat;
mod compile;
mod document;
mod draft;
mod equal;
mod format;
mod keywords;
mod number;
pub mod parse;
mod path;
mod pattern;
mod program;
mod resources;
mod scan;
mod simple_pattern;
mod single_pass;
mod tags;
mod tape;
mod text;
mod unevaluated;
mod uri;
pub mod validate;
mod walk;
mod way;

pub use parse::JsonSchema;
#[cfg(test)]
mod tests;
