//! Statements. The parser of descriptors has read the text before and found it well-formed: this one only tells what
//! it says, and does not look for mistakes.

use super::reader::{Read, Reader};
use super::{
    Enum, EnumValue, Extend, Extensions, FIELD_NUMBER_MAX, Field, FieldType, File, Group, Label, Message,
    Method, MethodType, Numbers, OneOf, OptionStatement, Reserved, ReservedItem, Service, Value, option,
};

/// Depth of messages within each other; the linker's limit comes first.
const DEPTH_MAX: usize = 34;

/// Reads `text`, which the parser of descriptors took.
///
/// # Errors
/// The line, and what was expected there.
pub(in super::super) fn parse(text: &str) -> Result<File, String> {
    let reader = &mut Reader::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut file = File::default();
    while reader.peek().is_some() {
        if reader.take(';') {
            continue;
        }
        match reader.word()? {
            "syntax" => {
                reader.require('=')?;
                file.syntax = Some(reader.string()?);
                reader.require(';')?;
            }
            "package" => {
                file.package = Some(reader.full_name()?);
                reader.require(';')?;
            }
            "import" => import(reader, &mut file)?,
            "option" => file.options.push(option_statement(reader)?),
            "message" => file.messages.push(message(reader, 1)?),
            "enum" => file.enums.push(enumeration(reader)?),
            "extend" => file.extends.push(extend(reader, 1)?),
            "service" => file.services.push(service(reader)?),
            other => return reader.error(&format!("a statement, not {other}")),
        }
    }
    Ok(file)
}

fn import(reader: &mut Reader, file: &mut File) -> Read<()> {
    let kind = match reader.peek() {
        Some('"' | '\'') => &mut file.imports,
        _ => match reader.word()? {
            "public" => &mut file.public_imports,
            "weak" => &mut file.weak_imports,
            other => return reader.error(&format!("an import's path, not {other}")),
        },
    };
    kind.push(reader.string()?);
    reader.require(';')
}

fn option_statement(reader: &mut Reader) -> Read<OptionStatement> {
    let option = option::statement(reader)?;
    reader.require(';')?;
    Ok(option)
}

/// Statements in braces; those without anything are passed over.
fn block<'a>(reader: &mut Reader<'a>, mut statement: impl FnMut(&mut Reader<'a>) -> Read<()>) -> Read<()> {
    reader.require('{')?;
    while !reader.take('}') {
        if !reader.take(';') {
            statement(reader)?;
        }
    }
    Ok(())
}

fn message(reader: &mut Reader, depth: usize) -> Read<Message> {
    let name = reader.identifier()?.to_owned();
    body(reader, name, depth)
}

/// A message's statements in braces.
fn body(reader: &mut Reader, name: String, depth: usize) -> Read<Message> {
    if depth > DEPTH_MAX {
        return reader.error("messages nested less deep");
    }
    let mut message = Message {
        name,
        ..Message::default()
    };
    block(reader, |reader| {
        match reader.word()? {
            "option" => message.options.push(option_statement(reader)?),
            "reserved" => message.reserved.push(reserved(reader)?),
            "extensions" => message.extensions.push(extensions(reader)?),
            "message" => message.messages.push(self::message(reader, depth + 1)?),
            "enum" => message.enums.push(enumeration(reader)?),
            "extend" => message.extends.push(extend(reader, depth + 1)?),
            "oneof" => message.oneofs.push(oneof(reader, depth + 1)?),
            word => match member(reader, word, depth)? {
                Member::Field(field) => message.fields.push(field),
                Member::Group(group) => message.groups.push(group),
            },
        }
        Ok(())
    })?;
    Ok(message)
}

enum Member {
    Field(Field),
    Group(Group),
}

/// A field or group that begins with `word`: a label or a type.
fn member(reader: &mut Reader, word: &str, depth: usize) -> Read<Member> {
    let label = match word {
        "optional" => Some(Label::Optional),
        "required" => Some(Label::Required),
        "repeated" => Some(Label::Repeated),
        _ => None,
    };
    let word = match label {
        Some(_) => reader.word()?,
        None => word,
    };
    if word == "group" {
        return Ok(Member::Group(group(reader, label, depth)?));
    }
    Ok(Member::Field(field(reader, label, word)?))
}

fn group(reader: &mut Reader, label: Option<Label>, depth: usize) -> Read<Group> {
    let name = reader.identifier()?.to_owned();
    reader.require('=')?;
    Ok(Group {
        label,
        number: reader.integer()?,
        options: option::list(reader)?,
        body: body(reader, name, depth + 1)?,
    })
}

fn field(reader: &mut Reader, label: Option<Label>, word: &str) -> Read<Field> {
    let r#type = if word == "map" && reader.take('<') {
        let key = reader.full_name()?;
        reader.require(',')?;
        let value = reader.full_name()?;
        reader.require('>')?;
        FieldType::Map(key, value)
    } else {
        FieldType::Named(reader.full_name_from(word)?)
    };
    let name = reader.identifier()?.to_owned();
    reader.require('=')?;
    let number = reader.integer()?;
    let mut options = option::list(reader)?;
    reader.require(';')?;
    let default = take_scalar(&mut options, "default");
    let json_name = take_scalar(&mut options, "json_name");
    Ok(Field {
        label,
        r#type,
        name,
        number,
        options,
        default,
        json_name,
    })
}

/// Takes what is no option but looks like one.
fn take_scalar(options: &mut Vec<OptionStatement>, name: &str) -> Option<String> {
    let is_it = |option: &OptionStatement| option.name.name == name && !option.name.is_extension;
    let at = options.iter().position(is_it)?;
    match options.remove(at).value {
        Value::Text(text) | Value::Word(text) | Value::Number(text) => Some(text),
        Value::Message(_) | Value::List(_) => None,
    }
}

fn oneof(reader: &mut Reader, depth: usize) -> Read<OneOf> {
    let mut oneof = OneOf {
        name: reader.identifier()?.to_owned(),
        options: Vec::new(),
        fields: Vec::new(),
        groups: Vec::new(),
    };
    block(reader, |reader| {
        match reader.word()? {
            "option" => oneof.options.push(option_statement(reader)?),
            "group" => oneof.groups.push(group(reader, None, depth)?),
            word => oneof.fields.push(field(reader, None, word)?),
        }
        Ok(())
    })?;
    Ok(oneof)
}

fn reserved(reader: &mut Reader) -> Read<Reserved> {
    let mut items = Vec::new();
    loop {
        items.push(match reader.peek() {
            Some('"' | '\'') => ReservedItem::Name(reader.string()?),
            _ => ReservedItem::Numbers(numbers(reader)?),
        });
        if reader.take(';') {
            return Ok(Reserved(items));
        }
        reader.require(',')?;
    }
}

fn numbers(reader: &mut Reader) -> Read<Numbers> {
    let first = reader.integer()?;
    if matches!(reader.peek(), Some(',' | ';' | '[')) {
        return Ok(Numbers::One(first));
    }
    if reader.word()? != "to" {
        return reader.error("to, ',' or ';'");
    }
    if reader.peek() == Some('m') {
        reader.word()?;
        return Ok(Numbers::Range(first, FIELD_NUMBER_MAX));
    }
    Ok(Numbers::Range(first, reader.integer()?))
}

fn extensions(reader: &mut Reader) -> Read<Extensions> {
    let mut ranges = Vec::new();
    loop {
        ranges.push(numbers(reader)?);
        if !reader.take(',') {
            break;
        }
    }
    let options = option::list(reader)?;
    reader.require(';')?;
    Ok(Extensions { ranges, options })
}

fn extend(reader: &mut Reader, depth: usize) -> Read<Extend> {
    let mut extend = Extend {
        name: reader.full_name()?,
        fields: Vec::new(),
        groups: Vec::new(),
    };
    block(reader, |reader| {
        let word = reader.word()?;
        match member(reader, word, depth)? {
            Member::Field(field) => extend.fields.push(field),
            Member::Group(group) => extend.groups.push(group),
        }
        Ok(())
    })?;
    Ok(extend)
}

fn enumeration(reader: &mut Reader) -> Read<Enum> {
    let mut enumeration = Enum {
        name: reader.identifier()?.to_owned(),
        reserved: Vec::new(),
        options: Vec::new(),
        values: Vec::new(),
    };
    block(reader, |reader| {
        match reader.identifier()? {
            "option" if reader.peek() != Some('=') => enumeration.options.push(option_statement(reader)?),
            "reserved" if reader.peek() != Some('=') => enumeration.reserved.push(reserved(reader)?),
            name => {
                reader.require('=')?;
                let number = reader.integer()?;
                let options = option::list(reader)?;
                reader.require(';')?;
                enumeration.values.push(EnumValue {
                    name: name.to_owned(),
                    number,
                    options,
                });
            }
        }
        Ok(())
    })?;
    Ok(enumeration)
}

fn service(reader: &mut Reader) -> Read<Service> {
    let mut service = Service {
        name: reader.identifier()?.to_owned(),
        options: Vec::new(),
        methods: Vec::new(),
    };
    block(reader, |reader| {
        match reader.word()? {
            "option" => service.options.push(option_statement(reader)?),
            "rpc" => service.methods.push(method(reader)?),
            other => return reader.error(&format!("rpc or option, not {other}")),
        }
        Ok(())
    })?;
    Ok(service)
}

fn method(reader: &mut Reader) -> Read<Method> {
    let name = reader.identifier()?.to_owned();
    let input = method_type(reader)?;
    if reader.word()? != "returns" {
        return reader.error("returns");
    }
    let output = method_type(reader)?;
    let mut options = Vec::new();
    if reader.peek() == Some('{') {
        block(reader, |reader| {
            if reader.word()? != "option" {
                return reader.error("option");
            }
            options.push(option_statement(reader)?);
            Ok(())
        })?;
    } else {
        reader.require(';')?;
    }
    Ok(Method {
        name,
        input,
        output,
        options,
    })
}

fn method_type(reader: &mut Reader) -> Read<MethodType> {
    reader.require('(')?;
    let word = reader.word()?;
    let is_stream = word == "stream" && reader.peek() != Some(')');
    let name = if is_stream {
        reader.full_name()?
    } else {
        reader.full_name_from(word)?
    };
    reader.require(')')?;
    Ok(MethodType { name, is_stream })
}
