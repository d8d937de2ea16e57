//! `portcullis schema show`: one schema with what belongs to it.

use super::connection::{Connection, Stop};
use super::report::{say, say_json};
use crate::cli::Format;
use crate::registry::client::{Client, SchemaBody};
use crate::schema::{SchemaId, Version};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portcullis schema show orders-value --registry http://localhost:8081             the latest version
  portcullis schema show orders-value:3 --registry http://localhost:8081
  portcullis schema show id:42 --registry http://localhost:8081
  portcullis schema show guid:0b8c0b86-7f4f-4a2a-9f0d-1f6f0e9c2d11 --registry http://localhost:8081
  portcullis schema show :.billing:orders:2 --registry http://localhost:8081       of a context

Exit codes: 0 shown, 64 command line, 66 not there, 69 registry not available, 77 not permitted.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// SUBJECT[:VERSION], id:N or guid:…
    #[arg(value_name = "SCHEMA", value_parser = asked)]
    schema: Asked,
    #[command(flatten)]
    connection: Connection,
    /// Also what was deleted softly.
    #[arg(long)]
    deleted: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Asked {
    Version(String, Option<Version>),
    Id(SchemaId),
    Guid(String),
}

/// What follows the last colon is a version if it looks like one; a subject of which that is not true ends in `:latest`.
fn asked(text: &str) -> Result<Asked, String> {
    if text.is_empty() {
        return Err("a subject has a name".to_owned());
    }
    if let Some(id) = text.strip_prefix("id:") {
        let id = id
            .parse()
            .map_err(|_| format!("`{id}` is no id: they are numbers"))?;
        return Ok(Asked::Id(SchemaId(id)));
    }
    if let Some(guid) = text.strip_prefix("guid:") {
        return Ok(Asked::Guid(guid.to_owned()));
    }
    Ok(match text.rsplit_once(':') {
        Some((subject, "latest")) if !subject.is_empty() => Asked::Version(subject.to_owned(), None),
        Some((subject, number)) if !subject.is_empty() => match number.parse() {
            Ok(number) => Asked::Version(subject.to_owned(), Some(Version(number))),
            Err(_) => Asked::Version(text.to_owned(), None),
        },
        _ => Asked::Version(text.to_owned(), None),
    })
}

/// A schema and the names that it goes by.
struct Shown {
    subject: Option<String>,
    version: Option<u32>,
    id: Option<u32>,
    guid: Option<String>,
    deleted: bool,
    body: SchemaBody,
}

async fn find(client: &Client, asked: &Asked, deleted: bool) -> Result<Shown, Stop> {
    let by_id = match asked {
        Asked::Version(subject, version) => {
            let found = client.version(subject, *version, deleted).await?;
            return Ok(Shown {
                deleted: found.is_deleted(),
                subject: Some(found.subject),
                version: Some(found.version),
                id: Some(found.id),
                guid: found.guid,
                body: found.body,
            });
        }
        Asked::Id(id) => client.schema_by_id(*id, None).await?,
        Asked::Guid(guid) => client.schema_by_guid(guid).await?,
    };
    let id = if let Asked::Id(id) = asked {
        Some(id.0)
    } else {
        None
    };
    Ok(Shown {
        subject: by_id.subject,
        version: by_id.version,
        id,
        guid: by_id.guid,
        deleted: false,
        body: by_id.body,
    })
}

pub async fn show(args: ShowArgs) -> Result<ExitCode, Stop> {
    let client = args.connection.client()?;
    let shown = find(&client, &args.schema, args.deleted).await?;
    match args.output {
        Format::Json => say_json(&as_json(&shown)),
        Format::Text => say(&as_text(&shown)),
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(shown: &Shown) -> Value {
    json!({
        "subject": shown.subject,
        "version": shown.version,
        "id": shown.id,
        "guid": shown.guid,
        "deleted": shown.deleted,
        "schema_type": shown.body.schema_type,
        "references": shown.body.references,
        "metadata": shown.body.metadata,
        "rule_set": shown.body.rule_set,
        "schema": shown.body.schema,
    })
}

fn as_text(shown: &Shown) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name:<11}{value}");
        }
    };
    line("subject", shown.subject.clone());
    let deleted = if shown.deleted { " (deleted)" } else { "" };
    line(
        "version",
        shown.version.map(|version| format!("{version}{deleted}")),
    );
    line("id", shown.id.map(|id| id.to_string()));
    line("guid", shown.guid.clone());
    line("type", Some(shown.body.schema_type.clone()));
    for reference in &shown.body.references {
        let (name, subject, version) = (&reference.name, &reference.subject, reference.version);
        line("reference", Some(format!("{name} -> {subject}:{version}")));
    }
    line("metadata", shown.body.metadata.as_ref().map(Value::to_string));
    line("rule set", shown.body.rule_set.as_ref().map(Value::to_string));
    text.push('\n');
    text.push_str(&pretty(&shown.body));
    text
}

/// A schema's text over several lines, ended by one. Numbers stay as they are written.
pub fn pretty(body: &SchemaBody) -> String {
    let text = body.schema.trim_end();
    if body.schema_type == "PROTOBUF" {
        return format!("{text}\n");
    }
    format!("{}\n", indented(text).unwrap_or_else(|| text.to_owned()))
}

/// JSON with two spaces a level. Works on the text: a number like 1e400 or 1.0 is part of a schema.
fn indented(text: &str) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    let mut characters = text.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = characters.next() {
        if in_string {
            out.push(character);
            in_string = escaped || character != '"';
            escaped = character == '\\' && !escaped;
            continue;
        }
        match character {
            '"' => {
                in_string = true;
                out.push(character);
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_named_by_subject_version_id_or_guid() {
        for (text, expected) in [
            ("orders-value", Asked::Version("orders-value".to_owned(), None)),
            (
                "orders-value:3",
                Asked::Version("orders-value".to_owned(), Some(Version(3))),
            ),
            ("orders:latest", Asked::Version("orders".to_owned(), None)),
            (
                ":.billing:orders",
                Asked::Version(":.billing:orders".to_owned(), None),
            ),
            (
                ":.billing:orders:2",
                Asked::Version(":.billing:orders".to_owned(), Some(Version(2))),
            ),
            ("a:b", Asked::Version("a:b".to_owned(), None)),
            ("id:7", Asked::Id(SchemaId(7))),
            ("guid:ab", Asked::Guid("ab".to_owned())),
        ] {
            assert_eq!(asked(text), Ok(expected), "{text}");
        }
        assert!(asked("id:x").is_err());
        assert!(asked("").is_err());
    }

    #[test]
    fn json_is_indented_without_a_change_to_what_it_says() {
        let text = r#"{"a":[1.0,{"b":"x,{\"}"}],"c":{},"d":[ ],"e":1e400}"#;
        let pretty = indented(text).unwrap();
        assert_eq!(
            pretty,
            "{\n  \"a\": [\n    1.0,\n    {\n      \"b\": \"x,{\\\"}\"\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": 1e400\n}"
        );
        assert_eq!(indented("{"), None);
    }
}
