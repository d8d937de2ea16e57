//! The texts that Confluent's registry makes of a schema: the canonical one, which it stores and compares
//! (`ProtobufSchema.canonicalString()`), the normalised one ([`normalize`]) and the one without extensions
//! ([`ignore_extensions`]), each printed from a tree by one printer.
//! `docs/validation-protobuf.md` lists where they depart.

mod extensions;
mod merge;
mod names;
mod normalize;
mod number;
mod option;
mod print;

pub(super) use extensions::ignore_extensions;
pub(super) use normalize::normalize;
pub(super) use print::print;
