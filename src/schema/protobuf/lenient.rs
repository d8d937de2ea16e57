//! What Confluent's registry takes or stores, and the parser and the linker of descriptors refuse, made fit for them.

use super::source::{is_explicit_map_entry, names};
use super::{canonical, syntax};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, UninterpretedOption,
};
use protox::file::File;

/// A text that Confluent's registry takes and the linker does not, in a spelling of which it takes more.
pub(super) fn respelled(name: &str, text: &str) -> Option<File> {
    let tree = syntax::for_linker(syntax::parse(text).ok()?);
    File::from_source(name, &canonical::print(&tree)).ok()
}

/// A file that came as text, as the linker wants it.
pub(super) fn as_linked(mut file: FileDescriptorProto) -> FileDescriptorProto {
    file.source_code_info = None;
    file = with_meta(file);
    file.message_type.iter_mut().for_each(interpret_map_entry);
    if file.syntax() == "proto3" {
        file.enum_type.iter_mut().for_each(zero_first);
        file.message_type.iter_mut().for_each(zero_first_within);
    }
    file
}

/// Where Confluent's own options are.
const META: &str = "confluent/meta.proto";

/// Confluent's registry knows its own options without their import, and writes them so where it adds a tag.
pub(super) fn with_meta(mut file: FileDescriptorProto) -> FileDescriptorProto {
    let is_there = file.package() == "confluent" || file.dependency.iter().any(|path| path == META);
    if !is_there && file.message_type.iter().any(uses_meta) {
        file.dependency.push(META.to_owned());
    }
    file
}

fn uses_meta(message: &DescriptorProto) -> bool {
    let own = message
        .options
        .iter()
        .flat_map(|options| &options.uninterpreted_option);
    let of_fields = message.field.iter().filter_map(|field| field.options.as_ref());
    let of_fields = of_fields.flat_map(|options| &options.uninterpreted_option);
    let is_meta = |option: &UninterpretedOption| {
        let name = option.name.first().map_or("", |part| part.name_part.as_str());
        let name = name.strip_prefix('.').unwrap_or(name);
        matches!(name, "confluent.message_meta" | "confluent.field_meta")
    };
    own.chain(of_fields).any(is_meta) || message.nested_type.iter().any(uses_meta)
}

/// Confluent's registry stores what came as a descriptor with the messages behind its map fields spelled out
/// (`option map_entry = true;`), which protoc would refuse.
fn interpret_map_entry(message: &mut DescriptorProto) {
    if is_explicit_map_entry(message)
        && let Some(options) = &mut message.options
    {
        options
            .uninterpreted_option
            .retain(|option| !names(option, "map_entry"));
        options.map_entry = Some(true);
    }
    message.nested_type.iter_mut().for_each(interpret_map_entry);
}

/// The linker wants zero first in proto3. Confluent's registry does not: its normalised form, which it stores, has
/// negative numbers before it.
fn zero_first(enumeration: &mut EnumDescriptorProto) {
    let zero = enumeration.value.iter().position(|value| value.number() == 0);
    if let Some(values) = zero.and_then(|zero| enumeration.value.get_mut(..=zero)) {
        values.rotate_right(1);
    }
}

fn zero_first_within(message: &mut DescriptorProto) {
    message.enum_type.iter_mut().for_each(zero_first);
    message.nested_type.iter_mut().for_each(zero_first_within);
}
