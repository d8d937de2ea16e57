//! The tree that Confluent's registry makes of a `FileDescriptorProto` (`ProtobufSchema.toProtoFile`): messages behind maps
//! are messages of their own, names are the descriptor's. Groups, which Confluent makes plain fields of, stay groups:
//! their payloads are written differently.

use super::known_options::{self, Kept};
use super::reader::unescape;
use super::{
    Enum, EnumValue, Extend, Extensions, Field, FieldType, File, Group, Label, Message, Method, MethodType,
    Numbers, OneOf, Reserved, ReservedItem, Service,
};
use crate::schema::protobuf::source::group_names;
use prost_reflect::prost_types::field_descriptor_proto::{self, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};
use prost_reflect::{DynamicMessage, EnumDescriptor, FileDescriptor, MessageDescriptor, ServiceDescriptor};

/// `file`, whose type names are as they came, as a tree. `linked` is the same file: only it holds extensions of options.
pub(in super::super) fn from_descriptor(file: &FileDescriptorProto, linked: &FileDescriptor) -> File {
    let converter = Converter {
        is_proto3: file.syntax() == "proto3",
    };
    let groups = group_names(&file.extension);
    let messages = file.message_type.iter().zip(linked.messages());
    let extension_options = linked.extensions().map(|extension| extension.options());
    let mut tree = File {
        syntax: file.syntax.clone().filter(|syntax| !syntax.is_empty()),
        package: file.package.clone().filter(|package| !package.is_empty()),
        options: known_options::written(&linked.options(), known_options::FILE),
        messages: messages
            .filter(|(message, _)| !groups.contains(message.name()))
            .map(|(message, linked)| converter.message(message, &linked))
            .collect(),
        enums: file
            .enum_type
            .iter()
            .zip(linked.enums())
            .map(|(enumeration, linked)| self::enumeration(enumeration, &linked))
            .collect(),
        extends: converter.extends(file.extension.iter().zip(extension_options), |name| {
            let at = file
                .message_type
                .iter()
                .position(|message| message.name() == name)?;
            Some((file.message_type.get(at)?, linked.messages().nth(at)?))
        }),
        services: linked
            .services()
            .map(|service| self::service(file, &service))
            .collect(),
        ..File::default()
    };
    for (index, path) in file.dependency.iter().enumerate() {
        let index = index as i32;
        let imports = if file.public_dependency.contains(&index) {
            &mut tree.public_imports
        } else if file.weak_dependency.contains(&index) {
            &mut tree.weak_imports
        } else {
            &mut tree.imports
        };
        imports.push(path.clone());
    }
    tree
}

struct Converter {
    is_proto3: bool,
}

impl Converter {
    fn message(&self, message: &DescriptorProto, linked: &MessageDescriptor) -> Message {
        let nested = |name: &str| {
            let at = message
                .nested_type
                .iter()
                .position(|nested| nested.name() == name)?;
            Some((message.nested_type.get(at)?, linked.child_messages().nth(at)?))
        };
        let options_of = |field: &FieldDescriptorProto| {
            let linked = linked.get_field(field.number() as u32);
            known_options::written_if_any(linked.map(|linked| linked.options()), known_options::FIELD)
        };
        let groups = group_names(message.field.iter().chain(&message.extension));
        let mut tree = Message {
            name: message.name().to_owned(),
            reserved: reserved(message),
            options: known_options::written(&linked.options(), known_options::MESSAGE),
            oneofs: message
                .oneof_decl
                .iter()
                .map(|oneof| OneOf {
                    name: oneof.name().to_owned(),
                    options: Vec::new(),
                    fields: Vec::new(),
                    groups: Vec::new(),
                })
                .collect(),
            extensions: message
                .extension_range
                .iter()
                .map(|range| Extensions {
                    ranges: vec![numbers(range.start(), range.end().saturating_sub(1))],
                    options: Vec::new(),
                })
                .collect(),
            extends: self.extends(
                message
                    .extension
                    .iter()
                    .zip(linked.child_extensions().map(|extension| extension.options())),
                nested,
            ),
            messages: message
                .nested_type
                .iter()
                .zip(linked.child_messages())
                .filter(|(nested, _)| !groups.contains(nested.name()))
                .map(|(nested, linked)| self.message(nested, &linked))
                .collect(),
            enums: message
                .enum_type
                .iter()
                .zip(linked.child_enums())
                .map(|(nested, linked)| enumeration(nested, &linked))
                .collect(),
            ..Message::default()
        };
        for field in &message.field {
            let oneof = field.oneof_index.filter(|_| !field.proto3_optional());
            let oneof = oneof.and_then(|index| tree.oneofs.get_mut(usize::try_from(index).ok()?));
            let label = if oneof.is_some() { None } else { self.label(field) };
            let (fields, groups) = match oneof {
                Some(oneof) => (&mut oneof.fields, &mut oneof.groups),
                None => (&mut tree.fields, &mut tree.groups),
            };
            match self.group(field, label, nested) {
                Some(group) => groups.push(group),
                None => fields.push(self.field(field, label, options_of(field))),
            }
        }
        // Those of optional fields in proto3 are no oneofs of the text.
        tree.oneofs
            .retain(|oneof| !(oneof.fields.is_empty() && oneof.groups.is_empty()));
        tree
    }

    fn label(&self, field: &FieldDescriptorProto) -> Option<Label> {
        use field_descriptor_proto::Label as Written;
        match field.label() {
            Written::Repeated => Some(Label::Repeated),
            Written::Required | Written::Optional if self.is_proto3 && !field.proto3_optional() => None,
            Written::Required => Some(Label::Required),
            Written::Optional => Some(Label::Optional),
        }
    }

    fn field(&self, field: &FieldDescriptorProto, label: Option<Label>, options: Kept) -> Field {
        let named = field.type_name.as_deref().filter(|name| !name.is_empty());
        let default = field.default_value.as_ref().filter(|_| !self.is_proto3);
        Field {
            label,
            r#type: FieldType::Named(named.map_or_else(|| scalar(field.r#type()).to_owned(), str::to_owned)),
            name: field.name().to_owned(),
            number: field.number(),
            options,
            default: default.map(|default| match field.r#type() {
                Type::Bytes => unescape(default),
                _ => default.clone(),
            }),
            json_name: field.json_name.clone(),
        }
    }

    /// `None`: no group.
    fn group<'a>(
        &self,
        field: &FieldDescriptorProto,
        label: Option<Label>,
        nested: impl Fn(&str) -> Option<(&'a DescriptorProto, MessageDescriptor)>,
    ) -> Option<Group> {
        if field.r#type() != Type::Group {
            return None;
        }
        let (body, linked) = nested(field.type_name().rsplit('.').next()?)?;
        Some(Group {
            label,
            number: field.number(),
            options: Vec::new(),
            body: self.message(body, &linked),
        })
    }

    /// A block for each extended message.
    fn extends<'a>(
        &self,
        fields: impl Iterator<Item = (&'a FieldDescriptorProto, DynamicMessage)>,
        nested: impl Fn(&str) -> Option<(&'a DescriptorProto, MessageDescriptor)>,
    ) -> Vec<Extend> {
        let mut blocks: Vec<Extend> = Vec::new();
        for (field, options) in fields {
            let at = blocks.iter().position(|block| block.name == field.extendee());
            let at = at.unwrap_or_else(|| {
                blocks.push(Extend {
                    name: field.extendee().to_owned(),
                    fields: Vec::new(),
                    groups: Vec::new(),
                });
                blocks.len() - 1
            });
            let Some(block) = blocks.get_mut(at) else { continue };
            let label = self.label(field);
            match self.group(field, label, &nested) {
                Some(group) => block.groups.push(group),
                None => block.fields.push(self.field(
                    field,
                    label,
                    known_options::written(&options, known_options::FIELD),
                )),
            }
        }
        blocks
    }
}

fn reserved(message: &DescriptorProto) -> Vec<Reserved> {
    let ranges = message
        .reserved_range
        .iter()
        .map(|range| ReservedItem::Numbers(numbers(range.start(), range.end().saturating_sub(1))));
    let names = message.reserved_name.iter().cloned().map(ReservedItem::Name);
    ranges.chain(names).map(|item| Reserved(vec![item])).collect()
}

fn numbers(first: i32, last: i32) -> Numbers {
    if first == last {
        Numbers::One(first)
    } else {
        Numbers::Range(first, last)
    }
}

fn enumeration(enumeration: &EnumDescriptorProto, linked: &EnumDescriptor) -> Enum {
    let ranges = enumeration
        .reserved_range
        .iter()
        .map(|range| ReservedItem::Numbers(numbers(range.start(), range.end())));
    let names = enumeration.reserved_name.iter().cloned().map(ReservedItem::Name);
    let values = enumeration.value.iter().map(|value| EnumValue {
        name: value.name().to_owned(),
        number: value.number(),
        options: known_options::written_if_any(
            linked
                .get_value_by_name(value.name())
                .map(|linked| linked.options()),
            known_options::ENUM_VALUE,
        ),
    });
    Enum {
        name: enumeration.name().to_owned(),
        reserved: ranges.chain(names).map(|item| Reserved(vec![item])).collect(),
        options: known_options::written(&linked.options(), known_options::ENUM),
        values: values.collect(),
    }
}

fn service(file: &FileDescriptorProto, linked: &ServiceDescriptor) -> Service {
    let written = file
        .service
        .iter()
        .find(|service| service.name() == linked.name());
    let methods = written.map_or(&[][..], |service| &service.method);
    Service {
        name: linked.name().to_owned(),
        options: known_options::written(&linked.options(), known_options::SERVICE),
        methods: methods
            .iter()
            .zip(linked.methods())
            .map(|(method, linked)| Method {
                name: method.name().to_owned(),
                input: MethodType {
                    name: method.input_type().to_owned(),
                    is_stream: method.client_streaming(),
                },
                output: MethodType {
                    name: method.output_type().to_owned(),
                    is_stream: method.server_streaming(),
                },
                options: known_options::written(&linked.options(), known_options::METHOD),
            })
            .collect(),
    }
}

fn scalar(kind: Type) -> &'static str {
    match kind {
        Type::Double => "double",
        Type::Float => "float",
        Type::Int64 => "int64",
        Type::Uint64 => "uint64",
        Type::Int32 => "int32",
        Type::Fixed64 => "fixed64",
        Type::Fixed32 => "fixed32",
        Type::Bool => "bool",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Uint32 => "uint32",
        Type::Sfixed32 => "sfixed32",
        Type::Sfixed64 => "sfixed64",
        Type::Sint32 => "sint32",
        Type::Sint64 => "sint64",
        Type::Group | Type::Message | Type::Enum => "",
    }
}
