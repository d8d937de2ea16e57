//! The text that Confluent's registry stores (`ProtobufSchema.canonicalString`): one spelling for all texts that
//! differ in white space and comments only. Layout and order of `ProtobufSchemaUtils.toString`; names stay as they
//! were written. `docs/validation-protobuf.md` lists where it departs.

use super::aggregate::{self, octal, unescape};
use super::source::is_implicit_map_entry;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto,
    ServiceDescriptorProto, UninterpretedOption,
};
use std::collections::HashMap;
use std::fmt::Write;

/// The largest field number.
const FIELD_NUMBER_MAX: i32 = 536_870_911;

/// Prints `file`, whose options are not interpreted.
pub(super) fn print(file: &FileDescriptorProto) -> String {
    let mut out = String::new();
    if let Some(syntax) = file.syntax.as_deref().filter(|syntax| !syntax.is_empty()) {
        put(&mut out, format_args!("syntax = \"{syntax}\";\n"));
    }
    if !file.package().is_empty() {
        put(&mut out, format_args!("package {};\n", file.package()));
    }
    imports(&mut out, file);
    let options = file
        .options
        .as_ref()
        .map_or(&[][..], |options| &options.uninterpreted_option);
    if !options.is_empty() {
        out.push('\n');
        statements(&mut out, options);
    }
    let printer = Printer {
        proto3: file.syntax() == "proto3",
    };
    let messages = printer.messages(&file.message_type, &[&file.extension]);
    if !messages.is_empty() || !file.enum_type.is_empty() {
        out.push('\n');
        out.push_str(&messages);
        file.enum_type
            .iter()
            .for_each(|enumeration| out.push_str(&self::enumeration(enumeration)));
    }
    if !file.extension.is_empty() {
        out.push('\n');
        out.push_str(&printer.extends(&file.extension, &scope(&file.message_type)));
    }
    if !file.service.is_empty() {
        out.push('\n');
        file.service
            .iter()
            .for_each(|service| out.push_str(&self::service(service)));
    }
    out
}

fn imports(out: &mut String, file: &FileDescriptorProto) {
    if !file.dependency.is_empty() {
        out.push('\n');
    }
    // Private ones first, then public, then weak, each in its order.
    for kind in ["", "public ", "weak "] {
        for (index, import) in file.dependency.iter().enumerate() {
            let index = index as i32;
            let its_kind = match () {
                () if file.public_dependency.contains(&index) => "public ",
                () if file.weak_dependency.contains(&index) => "weak ",
                () => "",
            };
            if its_kind == kind {
                put(out, format_args!("import {kind}{};\n", quote(import.as_bytes())));
            }
        }
    }
}

/// A block `head {`, sections apart by empty lines, `}`.
struct Block {
    text: String,
}

impl Block {
    fn new(head: &str) -> Self {
        Self {
            text: format!("{head} {{"),
        }
    }

    /// Starts a section: the first ends the head's line.
    fn section(&mut self, lines: &str) {
        if !lines.is_empty() {
            self.text.push('\n');
            indent(&mut self.text, lines);
        }
    }

    fn end(mut self) -> String {
        self.text.push_str("}\n");
        self.text
    }
}

/// The messages of a scope by name: those behind its groups and map fields are looked up.
type Scope<'a> = HashMap<&'a str, &'a DescriptorProto>;

fn scope(messages: &[DescriptorProto]) -> Scope<'_> {
    messages.iter().map(|message| (message.name(), message)).collect()
}

fn is_group(field: &FieldDescriptorProto) -> bool {
    field.r#type == Some(Type::Group as i32)
}

struct Printer {
    proto3: bool,
}

impl Printer {
    /// Messages of one scope, without those that the parser made for its map fields and groups.
    fn messages(&self, messages: &[DescriptorProto], fields: &[&[FieldDescriptorProto]]) -> String {
        let groups = super::source::group_names(fields.iter().copied().flatten());
        messages
            .iter()
            .filter(|message| !is_implicit_map_entry(message) && !groups.contains(message.name()))
            .map(|message| self.message(&format!("message {}", message.name()), message))
            .collect()
    }

    fn message(&self, head: &str, message: &DescriptorProto) -> String {
        let mut block = Block::new(head);
        block.section(&reserved(
            message
                .reserved_range
                .iter()
                .map(|range| (range.start(), range.end().saturating_sub(1))),
            FIELD_NUMBER_MAX,
            &message.reserved_name,
        ));
        let options = message
            .options
            .as_ref()
            .map_or(&[][..], |options| &options.uninterpreted_option);
        let mut lines = String::new();
        statements(&mut lines, options);
        block.section(&lines);
        let scope = &scope(&message.nested_type);
        let in_oneof =
            |field: &&FieldDescriptorProto| field.oneof_index.is_some() && !field.proto3_optional();
        let own = || message.field.iter().filter(|field| !in_oneof(field));
        block.section(
            &own()
                .filter(|field| !is_group(field))
                .map(|field| self::field(field, self.label(field), scope))
                .collect::<String>(),
        );
        block.section(&self.oneofs(message, scope));
        block.section(
            &own()
                .filter(|field| is_group(field))
                .map(|field| self.group(field, self.label(field), scope))
                .collect::<String>(),
        );
        block.section(&extension_ranges(message));
        block.section(&self.extends(&message.extension, scope));
        let mut nested = self.messages(&message.nested_type, &[&message.field, &message.extension]);
        message
            .enum_type
            .iter()
            .for_each(|nested_enum| nested.push_str(&enumeration(nested_enum)));
        block.section(&nested);
        block.end()
    }

    fn oneofs(&self, message: &DescriptorProto, scope: &Scope) -> String {
        let mut lines = String::new();
        let mut members = vec![Vec::new(); message.oneof_decl.len()];
        for field in message.field.iter().filter(|field| !field.proto3_optional()) {
            let oneof = field
                .oneof_index
                .and_then(|index| members.get_mut(usize::try_from(index).ok()?));
            if let Some(oneof) = oneof {
                oneof.push(field);
            }
        }
        for (oneof, fields) in message.oneof_decl.iter().zip(&members) {
            if fields.is_empty() {
                continue;
            }
            let mut block = Block::new(&format!("oneof {}", oneof.name()));
            let options = oneof
                .options
                .as_ref()
                .map_or(&[][..], |options| &options.uninterpreted_option);
            let mut statements_of_oneof = String::new();
            statements(&mut statements_of_oneof, options);
            block.section(&statements_of_oneof);
            let plain = fields.iter().filter(|field| !is_group(field));
            block.section(
                &plain
                    .map(|field| self::field(field, "", scope))
                    .collect::<String>(),
            );
            let groups = fields.iter().filter(|field| is_group(field));
            block.section(
                &groups
                    .map(|field| self.group(field, "", scope))
                    .collect::<String>(),
            );
            lines.push_str(&block.end());
        }
        lines
    }

    fn label(&self, field: &FieldDescriptorProto) -> &'static str {
        match field.label() {
            Label::Repeated => "repeated ",
            Label::Required => "required ",
            Label::Optional if self.proto3 && !field.proto3_optional() => "",
            Label::Optional => "optional ",
        }
    }

    fn group(&self, field: &FieldDescriptorProto, label: &str, scope: &Scope) -> String {
        let name = field.type_name().rsplit('.').next().unwrap_or_default();
        let mut head = format!("{label}group {name} = {}", field.number());
        options_list(&mut head, &field_options(field));
        match scope.get(name) {
            Some(body) => self.message(&head, body),
            None => Block::new(&head).end(),
        }
    }

    fn extends(&self, fields: &[FieldDescriptorProto], scope: &Scope) -> String {
        let mut out = String::new();
        for run in fields.chunk_by(|left, right| left.extendee() == right.extendee()) {
            let Some(first) = run.first() else { continue };
            let mut block = Block::new(&format!("extend {}", first.extendee()));
            let lines: String = run
                .iter()
                .map(|field| {
                    if is_group(field) {
                        self.group(field, self.label(field), scope)
                    } else {
                        self::field(field, self.label(field), scope)
                    }
                })
                .collect();
            block.section(&lines);
            out.push_str(&block.end());
        }
        out
    }
}

fn field(field: &FieldDescriptorProto, label: &str, scope: &Scope) -> String {
    let entry = map_entry(field, scope);
    let (label, type_name) = match entry {
        Some((key, value)) => ("", format!("map<{}, {}>", type_name(key), type_name(value))),
        None => (label, type_name(field)),
    };
    let mut line = format!("{label}{type_name} {} = {}", field.name(), field.number());
    options_list(&mut line, &field_options(field));
    line.push_str(";\n");
    line
}

/// The key and value of a field written as `map<…>`.
fn map_entry<'a>(
    field: &FieldDescriptorProto,
    scope: &Scope<'a>,
) -> Option<(&'a FieldDescriptorProto, &'a FieldDescriptorProto)> {
    if field.label() != Label::Repeated || !field.type_name().ends_with("Entry") {
        return None;
    }
    let entry = scope
        .get(field.type_name())
        .filter(|message| is_implicit_map_entry(message))?;
    match entry.field.as_slice() {
        [key, value] => Some((key, value)),
        _ => None,
    }
}

fn type_name(field: &FieldDescriptorProto) -> String {
    match field.type_name.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => match field.r#type() {
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
        .to_owned(),
    }
}

/// The options of a field, its default and JSON name last.
fn field_options(field: &FieldDescriptorProto) -> Vec<String> {
    let written = field
        .options
        .as_ref()
        .map_or(&[][..], |options| &options.uninterpreted_option);
    let mut options: Vec<String> = written.iter().map(option).collect();
    if let Some(default) = &field.default_value {
        let value = match (field.type_name.is_none(), field.r#type()) {
            (true, Type::String) => quote(default.as_bytes()),
            (true, Type::Bytes) => {
                let mut bytes = Vec::new();
                unescape(default, &mut bytes);
                quote(&bytes)
            }
            _ => default.clone(),
        };
        options.push(format!("default = {value}"));
    }
    if let Some(name) = &field.json_name {
        options.push(format!("json_name = {}", quote(name.as_bytes())));
    }
    options
}

fn options_list(line: &mut String, options: &[String]) {
    match options {
        [] => {}
        [one] => put(line, format_args!(" [{one}]")),
        many => {
            line.push_str(" [\n");
            for (index, option) in many.iter().enumerate() {
                let comma = if index + 1 < many.len() { "," } else { "" };
                indent(line, &format!("{option}{comma}"));
            }
            line.push(']');
        }
    }
}

fn written_options(options: &[UninterpretedOption]) -> Vec<String> {
    options.iter().map(option).collect()
}

/// `option name = value;` for each.
fn statements(out: &mut String, options: &[UninterpretedOption]) {
    for written in options {
        put(out, format_args!("option {};\n", option(written)));
    }
}

/// `name = value`
fn option(option: &UninterpretedOption) -> String {
    let mut text = String::new();
    for (index, part) in option.name.iter().enumerate() {
        let dot = if index > 0 { "." } else { "" };
        let (open, close) = if part.is_extension { ("(", ")") } else { ("", "") };
        put(&mut text, format_args!("{dot}{open}{}{close}", part.name_part));
    }
    text.push_str(" = ");
    if let Some(identifier) = &option.identifier_value {
        text.push_str(identifier);
    } else if let Some(number) = option.positive_int_value {
        put(&mut text, format_args!("{number}"));
    } else if let Some(number) = option.negative_int_value {
        put(&mut text, format_args!("{number}"));
    } else if let Some(number) = option.double_value {
        match number {
            // `-inf` is no option value in .proto text.
            f64::NEG_INFINITY => text.push_str("-1e999"),
            number => put(&mut text, format_args!("{number:?}")),
        }
    } else if let Some(bytes) = &option.string_value {
        text.push_str(&quote(bytes));
    } else if let Some(aggregate) = &option.aggregate_value {
        text.push_str(&aggregate::print(aggregate));
    }
    text
}

fn reserved(ranges: impl Iterator<Item = (i32, i32)>, max: i32, names: &[String]) -> String {
    let mut lines = String::new();
    for (start, last) in ranges {
        put(
            &mut lines,
            format_args!("reserved {};\n", range(start, last, max)),
        );
    }
    for name in names {
        put(&mut lines, format_args!("reserved {};\n", quote(name.as_bytes())));
    }
    lines
}

fn range(start: i32, last: i32, max: i32) -> String {
    match last {
        last if last == start => start.to_string(),
        last if last >= max => format!("{start} to max"),
        last => format!("{start} to {last}"),
    }
}

fn extension_ranges(message: &DescriptorProto) -> String {
    let mut lines = String::new();
    for extensions in &message.extension_range {
        let (start, last) = (extensions.start(), extensions.end().saturating_sub(1));
        put(
            &mut lines,
            format_args!("extensions {}", range(start, last, FIELD_NUMBER_MAX)),
        );
        let options = extensions
            .options
            .as_ref()
            .map_or(&[][..], |options| &options.uninterpreted_option);
        options_list(&mut lines, &written_options(options));
        lines.push_str(";\n");
    }
    lines
}

fn enumeration(enumeration: &EnumDescriptorProto) -> String {
    let mut block = Block::new(&format!("enum {}", enumeration.name()));
    let ranges = enumeration
        .reserved_range
        .iter()
        .map(|range| (range.start(), range.end()));
    // No empty line after the reserved ones, unlike in a message.
    let mut lines = reserved(ranges, i32::MAX, &enumeration.reserved_name);
    let options = enumeration
        .options
        .as_ref()
        .map_or(&[][..], |options| &options.uninterpreted_option);
    statements(&mut lines, options);
    for value in &enumeration.value {
        put(&mut lines, format_args!("{} = {}", value.name(), value.number()));
        let options = value
            .options
            .as_ref()
            .map_or(&[][..], |options| &options.uninterpreted_option);
        options_list(&mut lines, &written_options(options));
        lines.push_str(";\n");
    }
    block.section(&lines);
    block.end()
}

fn service(service: &ServiceDescriptorProto) -> String {
    let mut block = Block::new(&format!("service {}", service.name()));
    let options = service
        .options
        .as_ref()
        .map_or(&[][..], |options| &options.uninterpreted_option);
    let mut lines = String::new();
    statements(&mut lines, options);
    block.section(&lines);
    block.section(&service.method.iter().map(rpc).collect::<String>());
    block.end()
}

fn rpc(method: &MethodDescriptorProto) -> String {
    let stream = |is_stream| if is_stream { "stream " } else { "" };
    let mut line = format!(
        "rpc {} ({}{}) returns ({}{})",
        method.name(),
        stream(method.client_streaming()),
        method.input_type(),
        stream(method.server_streaming()),
        method.output_type()
    );
    let options = method
        .options
        .as_ref()
        .map_or(&[][..], |options| &options.uninterpreted_option);
    if !options.is_empty() {
        line.push_str(" {\n");
        let mut lines = String::new();
        statements(&mut lines, options);
        indent(&mut line, &lines);
        line.push('}');
    }
    line.push_str(";\n");
    line
}

/// Appends `lines`, two spaces deeper: empty lines too, as Confluent does.
pub(super) fn indent(out: &mut String, lines: &str) {
    for line in lines.lines() {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
}

/// A string literal. Characters stay; what Confluent escapes, and other control characters and bytes, are escaped.
pub(super) fn quote(bytes: &[u8]) -> String {
    let mut out = "\"".to_owned();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{7}' => out.push_str("\\a"),
                '\u{8}' => out.push_str("\\b"),
                '\u{b}' => out.push_str("\\v"),
                '\u{c}' => out.push_str("\\f"),
                '\\' | '\'' | '"' => {
                    out.push('\\');
                    out.push(c);
                }
                c if c.is_ascii_control() => octal(&mut out, c as u8),
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| octal(&mut out, *byte));
    }
    out.push('"');
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}
