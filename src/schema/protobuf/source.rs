//! One file: from what was registered (text, or base64 of a descriptor) to a descriptor that is not yet linked.

use super::lenient::{as_linked, respelled, with_meta};
use super::limits::{self, Budget, DESCRIPTOR_BYTES_MAX};
use super::parse::file_label;
use crate::schema::SchemaError;
use crate::schema::place::Place;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, MessageOptions,
    ServiceDescriptorProto, UninterpretedOption, field_descriptor_proto,
};
use prost_reflect::{DescriptorPool, DynamicMessage};
use protox::file::File;
use std::collections::HashSet;

/// What the registered file itself is called: it has no import path. No import can have this name.
pub(super) const ROOT_NAME: &str = "<schema>";

/// A file that is read but not linked.
pub(super) struct Source<'a> {
    /// As written: type names not resolved; options not interpreted when it came as text.
    pub(super) written: FileDescriptorProto,
    origin: Origin<'a>,
}

enum Origin<'a> {
    /// The text again, to find the line of a linking error.
    Text(&'a str),
    /// The bytes of a descriptor: only they hold custom options.
    Descriptor(Vec<u8>),
    /// From another pool.
    Linked,
}

/// Reads `.proto` text, or else the base64 of a `FileDescriptorProto`.
pub(super) fn read<'a>(name: &str, text: &'a str, budget: &mut Budget) -> Result<Source<'a>, SchemaError> {
    let label = file_label(name);
    budget.text(&label, text)?;
    refuse_editions(&label, text)?;
    let parsed = File::from_source(name, text).or_else(|error| respelled(name, text).ok_or(error));
    let source = match parsed {
        Ok(file) => {
            let mut written = FileDescriptorProto::from(file);
            note_syntax(&mut written);
            written.source_code_info = None;
            let written = with_meta(written);
            Source {
                written,
                origin: Origin::Text(text),
            }
        }
        Err(error) => match read_base64(name, text)? {
            Some(source) => source,
            None => return Err(located(name, text, &error)),
        },
    };
    budget.file(&label, &source.written)?;
    check(&label, &source.written)?;
    Ok(source)
}

/// A parser's error, with its place if the text is the schema's own.
fn located(name: &str, text: &str, error: &protox::Error) -> SchemaError {
    let what = format!("not a Protobuf schema: {error:?}");
    // Only the parser itself tells where; the bad case pays for it with a second run.
    let place = match protox_parse::parse(name, text) {
        Err(error) if name == ROOT_NAME => error.span().map(|span| Place::Byte(span.start)),
        _ => None,
    };
    match place {
        Some(place) => SchemaError::InvalidAt { what, place },
        None => SchemaError::Invalid(what),
    }
}

/// The parser does not say whether proto2 was written or meant by silence; the position of the statement does.
fn note_syntax(file: &mut FileDescriptorProto) {
    const SYNTAX: &[i32] = &[12];
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    if file.syntax.is_none() && locations.into_iter().any(|location| location.path == SYNTAX) {
        file.syntax = Some("proto2".to_owned());
    }
}

/// Text printed from a descriptor never reads as another base64 descriptor, which would not end.
pub(super) fn refuse_descriptor(text: &str) -> Result<(), SchemaError> {
    match File::from_source(ROOT_NAME, text).or_else(|error| respelled(ROOT_NAME, text).ok_or(error)) {
        Ok(_) => Ok(()),
        Err(error) => Err(SchemaError::Invalid(format!(
            "the FileDescriptorProto cannot be written as .proto text: {error:?}"
        ))),
    }
}

fn read_base64<'a>(name: &str, text: &str) -> Result<Option<Source<'a>>, SchemaError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let Ok(mut bytes) = STANDARD.decode(text) else {
        return Ok(None);
    };
    if bytes.len() > DESCRIPTOR_BYTES_MAX {
        return limits::over(format!(
            "the FileDescriptorProto has {} bytes, at most {DESCRIPTOR_BYTES_MAX}",
            bytes.len()
        ));
    }
    // The import path it is referenced by is its name here. A later value of a field replaces an earlier one.
    let rename = FileDescriptorProto {
        name: Some(name.to_owned()),
        ..FileDescriptorProto::default()
    };
    bytes.extend_from_slice(&rename.encode_to_vec());
    let Ok(mut written) = FileDescriptorProto::decode(bytes.as_slice()) else {
        return Ok(None);
    };
    written.source_code_info = None;
    if written.syntax.as_deref() == Some("") {
        // Empty is as good as none, which means proto2; the linker panics over it.
        let proto2 = FileDescriptorProto {
            syntax: Some("proto2".to_owned()),
            ..FileDescriptorProto::default()
        };
        bytes.extend_from_slice(&proto2.encode_to_vec());
        written.syntax = None;
    }
    check_names(&written)?;
    if let Some(edition) = edition(&written, &bytes) {
        return refuse_edition(&file_label(name), &edition);
    }
    if !matches!(written.syntax(), "" | "proto2" | "proto3") {
        return Err(SchemaError::Invalid(format!(
            "{} uses syntax \"{}\": only proto2 and proto3 are supported",
            file_label(name),
            written.syntax()
        )));
    }
    Ok(Some(Source {
        written,
        origin: Origin::Descriptor(bytes),
    }))
}

impl Source<'_> {
    /// A file of another pool.
    pub(super) fn linked(written: FileDescriptorProto) -> Self {
        Self {
            written,
            origin: Origin::Linked,
        }
    }

    pub(super) fn is_descriptor(&self) -> bool {
        matches!(self.origin, Origin::Descriptor(_))
    }

    /// Adds the full names of the messages behind maps that are messages of their own in the text that Confluent's registry
    /// makes of this file: all of a descriptor, and those that a text spells out.
    pub(super) fn note_spelled_entries(&self, names: &mut HashSet<String>) {
        fn note(all: bool, scope: &str, messages: &[DescriptorProto], names: &mut HashSet<String>) {
            for message in messages {
                let name = if scope.is_empty() {
                    message.name().to_owned()
                } else {
                    format!("{scope}.{}", message.name())
                };
                note(all, &name, &message.nested_type, names);
                if is_explicit_map_entry(message) || (all && is_implicit_map_entry(message)) {
                    names.insert(name);
                }
            }
        }
        note(
            self.is_descriptor(),
            self.written.package(),
            &self.written.message_type,
            names,
        );
    }

    /// Links this file with those already in `pool`.
    pub(super) fn add_to(self, pool: &mut DescriptorPool) -> Result<(), SchemaError> {
        let name = self.written.name().to_owned();
        let result = match &self.origin {
            Origin::Descriptor(bytes) => pool.decode_file_descriptor_proto(bytes.as_slice()),
            Origin::Linked => pool.add_file_descriptor_proto(self.written),
            Origin::Text(_) => pool.add_file_descriptor_proto(as_linked(self.written)),
        };
        let Err(mut error) = result else { return Ok(()) };
        if let Origin::Text(text) = self.origin {
            // The bad case pays with a second run, and for positions, which are not kept for the good one, with a third.
            if let Some(file) = respelled(&name, text)
                && pool.add_file_descriptor_proto(as_linked(file.into())).is_ok()
            {
                return Ok(());
            }
            if let Ok(file) = File::from_source(&name, text)
                && let Err(located) =
                    pool.add_file_descriptor_proto(with_meta(FileDescriptorProto::from(file)))
            {
                error = located.with_source_code(text);
            }
        }
        let what = format!("{error:?}");
        let place = error.line().zip(error.column()).filter(|_| name == ROOT_NAME);
        Err(match place {
            // Counted from 0.
            Some((line, column)) => SchemaError::InvalidAt {
                what,
                place: Place::line_and_column(line + 1, column + 1),
            },
            None => SchemaError::Invalid(what),
        })
    }
}

/// Spelled out in the text as a message of its own.
pub(super) fn is_explicit_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|options| {
        options
            .uninterpreted_option
            .iter()
            .any(|option| names(option, "map_entry") && option.identifier_value() == "true")
    })
}

/// Made by the parser for a `map<…>` field.
pub(super) fn is_implicit_map_entry(message: &DescriptorProto) -> bool {
    message
        .options
        .as_ref()
        .is_some_and(|options: &MessageOptions| options.map_entry())
}

/// Names of the messages that the parser made for `group` fields among these.
pub(super) fn group_names<'a>(
    fields: impl IntoIterator<Item = &'a FieldDescriptorProto>,
) -> HashSet<&'a str> {
    fields
        .into_iter()
        .filter(|field| field.r#type == Some(field_descriptor_proto::Type::Group as i32))
        .filter_map(|field| field.type_name().rsplit('.').next())
        .collect()
}

pub(super) fn names(option: &UninterpretedOption, name: &str) -> bool {
    matches!(option.name.as_slice(), [part] if !part.is_extension && part.name_part == name)
}

/// The edition of a descriptor that has one; the plain descriptors do not know that field.
fn edition(file: &FileDescriptorProto, bytes: &[u8]) -> Option<String> {
    /// `EDITION_PROTO2` and `EDITION_PROTO3`, which are no editions of their own.
    const LEGACY: [i32; 2] = [998, 999];
    let descriptor = DescriptorPool::global().get_message_by_name("google.protobuf.FileDescriptorProto")?;
    let number = DynamicMessage::decode(descriptor, bytes)
        .ok()
        .and_then(|file| file.get_field_by_name("edition")?.as_enum_number())
        .filter(|number| *number != 0 && !LEGACY.contains(number));
    match number {
        // `EDITION_2023`, `EDITION_2024`
        Some(number @ 1000..=1001) => Some((number + 1023).to_string()),
        Some(number) => Some(format!("number {number}")),
        None => (file.syntax() == "editions").then(|| "unknown".to_owned()),
    }
}

/// Neither the parser nor the linker knows an edition's features, on which it depends what a payload must be.
fn refuse_edition<T>(label: &str, edition: &str) -> Result<T, SchemaError> {
    Err(SchemaError::Invalid(format!(
        "{label} uses Protobuf edition {edition}: editions are not supported, only syntax = \"proto2\" and \"proto3\" are"
    )))
}

/// An own message beats "expected a statement".
fn refuse_editions(label: &str, text: &str) -> Result<(), SchemaError> {
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment
                .split_once('\n')
                .map_or("", |(_, after)| after)
                .trim_start();
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment
                .split_once("*/")
                .map_or("", |(_, after)| after)
                .trim_start();
        } else {
            break;
        }
    }
    match rest.strip_prefix("edition") {
        Some(after) if after.trim_start().starts_with('=') => {
            let value = after.trim_start().trim_start_matches('=').trim_start();
            let name = value
                .strip_prefix(['"', '\''])
                .and_then(|value| value.split(['"', '\'']).next())
                .filter(|name| {
                    !name.is_empty()
                        && name.len() <= 16
                        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
                });
            refuse_edition(label, name.unwrap_or("unknown"))
        }
        _ => Ok(()),
    }
}

/// What the linker takes for granted: map entries as protoc makes them, and option values it can recurse on.
fn check(label: &str, file: &FileDescriptorProto) -> Result<(), SchemaError> {
    let mut options = file
        .options
        .iter()
        .flat_map(|options| &options.uninterpreted_option);
    options.try_for_each(limits::option_depth)?;
    file.message_type
        .iter()
        .try_for_each(|message| check_message(label, message))?;
    file.enum_type.iter().try_for_each(check_enum)?;
    file.extension.iter().try_for_each(check_field)?;
    file.service.iter().try_for_each(check_service)
}

fn check_message(label: &str, message: &DescriptorProto) -> Result<(), SchemaError> {
    if (is_explicit_map_entry(message) || is_implicit_map_entry(message)) && !is_well_formed_entry(message) {
        return Err(SchemaError::Invalid(format!(
            "{label}: message {} is a map entry, which has two fields: key = 1 and value = 2",
            message.name()
        )));
    }
    let mut options = message
        .options
        .iter()
        .flat_map(|options| &options.uninterpreted_option);
    options.try_for_each(limits::option_depth)?;
    message
        .field
        .iter()
        .chain(&message.extension)
        .try_for_each(check_field)?;
    for oneof in &message.oneof_decl {
        let mut options = oneof
            .options
            .iter()
            .flat_map(|options| &options.uninterpreted_option);
        options.try_for_each(limits::option_depth)?;
    }
    for range in &message.extension_range {
        let mut options = range
            .options
            .iter()
            .flat_map(|options| &options.uninterpreted_option);
        options.try_for_each(limits::option_depth)?;
    }
    message.enum_type.iter().try_for_each(check_enum)?;
    message
        .nested_type
        .iter()
        .try_for_each(|nested| check_message(label, nested))
}

/// Names of a descriptor are printed into text: each must be one.
fn check_names(file: &FileDescriptorProto) -> Result<(), SchemaError> {
    fn identifier(name: &str) -> Result<(), SchemaError> {
        let mut bytes = name.bytes();
        let starts = bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Ok(());
        }
        Err(SchemaError::Invalid(format!(
            "the FileDescriptorProto names something {name:?}: not an identifier"
        )))
    }
    fn path(name: &str) -> Result<(), SchemaError> {
        name.strip_prefix('.')
            .unwrap_or(name)
            .split('.')
            .try_for_each(identifier)
    }
    fn field(field: &FieldDescriptorProto) -> Result<(), SchemaError> {
        identifier(field.name())?;
        field.extendee.as_deref().map_or(Ok(()), path)?;
        field.type_name.as_deref().map_or(Ok(()), path)
    }
    fn enumeration(enumeration: &EnumDescriptorProto) -> Result<(), SchemaError> {
        identifier(enumeration.name())?;
        enumeration
            .value
            .iter()
            .try_for_each(|value| identifier(value.name()))
    }
    fn message(message_type: &DescriptorProto) -> Result<(), SchemaError> {
        identifier(message_type.name())?;
        message_type
            .field
            .iter()
            .chain(&message_type.extension)
            .try_for_each(field)?;
        message_type
            .oneof_decl
            .iter()
            .try_for_each(|oneof| identifier(oneof.name()))?;
        message_type.enum_type.iter().try_for_each(enumeration)?;
        message_type.nested_type.iter().try_for_each(message)
    }
    if !file.package().is_empty() {
        path(file.package())?;
    }
    file.message_type.iter().try_for_each(message)?;
    file.enum_type.iter().try_for_each(enumeration)?;
    file.extension.iter().try_for_each(field)?;
    file.service.iter().try_for_each(|service| {
        identifier(service.name())?;
        service.method.iter().try_for_each(|method| {
            identifier(method.name())?;
            path(method.input_type())?;
            path(method.output_type())
        })
    })
}

fn is_well_formed_entry(message: &DescriptorProto) -> bool {
    use field_descriptor_proto::Type;
    let [key, value] = message.field.as_slice() else {
        return false;
    };
    let key_type = key.r#type.and_then(|number| Type::try_from(number).ok());
    (key.number(), value.number()) == (1, 2)
        && (key.name(), value.name()) == ("key", "value")
        && !is_repeated(key)
        && !is_repeated(value)
        && key.oneof_index.is_none()
        && value.oneof_index.is_none()
        && value.r#type != Some(Type::Group as i32)
        && !matches!(
            key_type,
            None | Some(Type::Double | Type::Float | Type::Bytes | Type::Message | Type::Group | Type::Enum)
        )
}

fn is_repeated(field: &FieldDescriptorProto) -> bool {
    field.label == Some(field_descriptor_proto::Label::Repeated as i32)
}

fn check_field(field: &FieldDescriptorProto) -> Result<(), SchemaError> {
    let mut options = field
        .options
        .iter()
        .flat_map(|options| &options.uninterpreted_option);
    options.try_for_each(limits::option_depth)
}

fn check_enum(enumeration: &EnumDescriptorProto) -> Result<(), SchemaError> {
    let of_values = enumeration
        .value
        .iter()
        .filter_map(|value| value.options.as_ref());
    let options = enumeration
        .options
        .iter()
        .flat_map(|options| &options.uninterpreted_option);
    options
        .chain(of_values.flat_map(|options| &options.uninterpreted_option))
        .try_for_each(limits::option_depth)
}

fn check_service(service: &ServiceDescriptorProto) -> Result<(), SchemaError> {
    let of_methods = service.method.iter().filter_map(|method| method.options.as_ref());
    let options = service
        .options
        .iter()
        .flat_map(|options| &options.uninterpreted_option);
    options
        .chain(of_methods.flat_map(|options| &options.uninterpreted_option))
        .try_for_each(limits::option_depth)
}
