//! Layout and order of `ProtobufSchemaUtils.toString`.

use super::super::syntax::{
    Enum, Extend, Extensions, FIELD_NUMBER_MAX, Field, FieldType, File, Group, Label, Message, Method,
    MethodType, Numbers, OneOf, OptionStatement, Reserved, ReservedItem, Service,
};
use super::option::{self, indent, put};

/// Prints `file`.
pub(in super::super) fn print(file: &File) -> String {
    let mut out = String::new();
    if let Some(syntax) = &file.syntax {
        put(&mut out, format_args!("syntax = \"{syntax}\";\n"));
    }
    if let Some(package) = &file.package {
        put(&mut out, format_args!("package {package};\n"));
    }
    let mut imports = String::new();
    for (kind, paths) in [
        ("", &file.imports),
        ("public ", &file.public_imports),
        ("weak ", &file.weak_imports),
    ] {
        for path in paths {
            put(&mut imports, format_args!("import {kind}\"{path}\";\n"));
        }
    }
    section(&mut out, &imports);
    section(&mut out, &option::statements(&file.options));
    let messages = file.messages.iter().map(message);
    section(
        &mut out,
        &messages
            .chain(file.enums.iter().map(enumeration))
            .collect::<String>(),
    );
    section(&mut out, &file.extends.iter().map(extend).collect::<String>());
    section(&mut out, &file.services.iter().map(service).collect::<String>());
    out
}

/// An empty line before lines at the file's own level.
fn section(out: &mut String, lines: &str) {
    if !lines.is_empty() {
        out.push('\n');
        out.push_str(lines);
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

fn message(message: &Message) -> String {
    body(&format!("message {}", message.name), message)
}

fn body(head: &str, message: &Message) -> String {
    let mut block = Block::new(head);
    block.section(&message.reserved.iter().map(reserved).collect::<String>());
    block.section(&option::statements(&message.options));
    block.section(&message.fields.iter().map(field).collect::<String>());
    block.section(&message.oneofs.iter().map(oneof).collect::<String>());
    block.section(&message.groups.iter().map(group).collect::<String>());
    block.section(&message.extensions.iter().map(extensions).collect::<String>());
    block.section(&message.extends.iter().map(extend).collect::<String>());
    let nested = message.messages.iter().map(self::message);
    block.section(
        &nested
            .chain(message.enums.iter().map(enumeration))
            .collect::<String>(),
    );
    block.end()
}

fn label(label: Option<Label>) -> &'static str {
    match label {
        None => "",
        Some(Label::Optional) => "optional ",
        Some(Label::Required) => "required ",
        Some(Label::Repeated) => "repeated ",
    }
}

fn field(field: &Field) -> String {
    let r#type = match &field.r#type {
        FieldType::Named(name) => name.clone(),
        FieldType::Map(key, value) => format!("map<{key}, {value}>"),
    };
    let label = label(field.label);
    let options = option::list(&option::of_field(field));
    format!("{label}{} {} = {}{options};\n", r#type, field.name, field.number)
}

fn group(group: &Group) -> String {
    let (label, options) = (label(group.label), option::list(&group.options));
    body(
        &format!("{label}group {} = {}{options}", group.body.name, group.number),
        &group.body,
    )
}

fn oneof(oneof: &OneOf) -> String {
    let mut block = Block::new(&format!("oneof {}", oneof.name));
    block.section(&option::statements(&oneof.options));
    block.section(&oneof.fields.iter().map(field).collect::<String>());
    block.section(&oneof.groups.iter().map(group).collect::<String>());
    block.end()
}

fn extend(extend: &Extend) -> String {
    let mut block = Block::new(&format!("extend {}", extend.name));
    let fields = extend.fields.iter().map(field);
    block.section(&fields.chain(extend.groups.iter().map(group)).collect::<String>());
    block.end()
}

fn reserved(reserved: &Reserved) -> String {
    let items = reserved.0.iter().map(|item| match item {
        // Not escaped: there is nothing to escape in a name.
        ReservedItem::Name(name) => format!("\"{name}\""),
        ReservedItem::Numbers(numbers) => self::numbers(*numbers),
    });
    format!("reserved {};\n", items.collect::<Vec<_>>().join(", "))
}

fn numbers(numbers: Numbers) -> String {
    match numbers {
        Numbers::One(number) => number.to_string(),
        Numbers::Range(first, last) if last < FIELD_NUMBER_MAX => format!("{first} to {last}"),
        Numbers::Range(first, _) => format!("{first} to max"),
    }
}

fn extensions(extensions: &Extensions) -> String {
    let ranges: Vec<String> = extensions.ranges.iter().map(|range| numbers(*range)).collect();
    let options = option::list(&extensions.options);
    format!("extensions {}{options};\n", ranges.join(", "))
}

fn enumeration(enumeration: &Enum) -> String {
    let mut block = Block::new(&format!("enum {}", enumeration.name));
    // No empty line after the reserved ones, unlike in a message.
    let mut lines: String = enumeration.reserved.iter().map(reserved).collect();
    lines.push_str(&option::statements(&enumeration.options));
    for value in &enumeration.values {
        let options = option::list(&value.options);
        put(
            &mut lines,
            format_args!("{} = {}{options};\n", value.name, value.number),
        );
    }
    block.section(&lines);
    block.end()
}

fn service(service: &Service) -> String {
    let mut block = Block::new(&format!("service {}", service.name));
    block.section(&option::statements(&service.options));
    block.section(&service.methods.iter().map(method).collect::<String>());
    block.end()
}

fn method(method: &Method) -> String {
    let (input, output) = (method_type(&method.input), method_type(&method.output));
    let mut line = format!("rpc {} ({input}) returns ({output})", method.name);
    block_of_options(&mut line, &method.options);
    line.push_str(";\n");
    line
}

fn block_of_options(line: &mut String, options: &[OptionStatement]) {
    if !options.is_empty() {
        line.push_str(" {\n");
        indent(line, &option::statements(options));
        line.push('}');
    }
}

fn method_type(r#type: &MethodType) -> String {
    let stream = if r#type.is_stream { "stream " } else { "" };
    format!("{stream}{}", r#type.name)
}
