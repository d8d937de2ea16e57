//! Options: `name = value`, and the text format within braces.

use super::reader::{Read, Reader};
use super::{NamePart, OptionStatement, Value};

/// Depth of values within each other; the linker's limit comes first.
const DEPTH_MAX: usize = 34;

/// `[a = 1, b = 2]`, or nothing.
pub(super) fn list(reader: &mut Reader) -> Read<Vec<OptionStatement>> {
    let mut options = Vec::new();
    if reader.take('[') {
        loop {
            options.push(statement(reader)?);
            if reader.take(']') {
                break;
            }
            reader.require(',')?;
        }
    }
    Ok(options)
}

/// `name = value`
pub(super) fn statement(reader: &mut Reader) -> Read<OptionStatement> {
    let (name, mut goes_on) = if reader.peek() == Some('(') {
        (extension_part(reader)?, false)
    } else {
        // A name without parentheses keeps its dots.
        let word = reader.word()?;
        let name = word.strip_suffix('.').unwrap_or(word);
        (plain_part(name), name.len() < word.len())
    };
    let mut path = Vec::new();
    while std::mem::take(&mut goes_on) || reader.take('.') {
        path.push(match reader.peek() {
            Some('(') => extension_part(reader)?,
            _ => plain_part(reader.identifier()?),
        });
    }
    reader.require('=')?;
    Ok(OptionStatement {
        name,
        path,
        value: value(reader, 0)?,
    })
}

fn extension_part(reader: &mut Reader) -> Read<NamePart> {
    reader.require('(')?;
    let name = reader.full_name()?;
    reader.require(')')?;
    Ok(NamePart {
        name,
        is_extension: true,
    })
}

fn plain_part(name: &str) -> NamePart {
    NamePart {
        name: name.to_owned(),
        is_extension: false,
    }
}

fn value(reader: &mut Reader, depth: usize) -> Read<Value> {
    if depth > DEPTH_MAX {
        return reader.error("values nested less deep");
    }
    match reader.peek() {
        Some('{') => message(reader, '{', '}', depth),
        Some('<') => message(reader, '<', '>', depth),
        Some('[') => {
            reader.require('[')?;
            let mut values = Vec::new();
            while !reader.take(']') {
                values.push(value(reader, depth + 1)?);
                if !reader.take(',') && reader.peek() != Some(']') {
                    return reader.error("',' or ']'");
                }
            }
            Ok(Value::List(values))
        }
        Some('"' | '\'') => Ok(Value::Text(reader.string()?)),
        Some(c) if c.is_ascii_digit() || c == '-' => Ok(Value::Number(reader.number()?)),
        // Confluent takes the others, `.5`, for words.
        Some('+') => Ok(Value::Word(reader.number()?)),
        _ => Ok(Value::Word(reader.word()?.to_owned())),
    }
}

fn message(reader: &mut Reader, open: char, close: char, depth: usize) -> Read<Value> {
    reader.require(open)?;
    let mut fields: Vec<(String, Value)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    while !reader.take(close) {
        let key = key(reader)?;
        reader.take(':');
        let value = value(reader, depth + 1)?;
        let _ = reader.take(',') || reader.take(';');
        // A key that comes again is one more value of a repeated field.
        let place = *places.entry(key.clone()).or_insert(fields.len());
        match fields.get_mut(place) {
            Some((_, known)) => known.add(value),
            None => fields.push((key, value)),
        }
    }
    Ok(Value::Message(fields))
}

fn key(reader: &mut Reader) -> Read<String> {
    if !reader.take('[') {
        return Ok(reader.word()?.to_owned());
    }
    let mut name = reader.full_name()?;
    // The type of an `Any`: `[type.googleapis.com/a.B]`
    while reader.take('/') {
        name.push('/');
        name.push_str(&reader.full_name()?);
    }
    reader.require(']')?;
    Ok(format!("[{name}]"))
}
