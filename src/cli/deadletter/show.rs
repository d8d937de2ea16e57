//! `portcullis deadletter show`.

use super::letter::{Found, Which};
use super::{Place, Stop, reading};
use crate::cli::{Format, exit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

const EXAMPLES: &str = "\
Examples:
  portcullis deadletter show 01JD8Z3N5W9Q7M2K4T6V8X0YAB --topic orders.dlq --upstream localhost:9092
  portcullis deadletter show 0:17 --topic orders.dlq --config portcullis.yaml --output json

Bytes that are no text are escaped; with --output json keys, values and headers' values are base64.
Exit codes: 0, 64 command line, 66 no such topic or dead letter, 69 brokers not available, 77 not permitted,
78 configuration.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// The reference in the producer's error and the log, or where it stands.
    #[arg(value_name = "REF|PARTITION:OFFSET")]
    which: String,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

pub async fn show(args: ShowArgs) -> Result<(), Stop> {
    let which = Which::parse(&args.which)?;
    let mut shown = None;
    reading::read(&args.place, &mut |found| {
        if which.is(&found) {
            shown = Some(found);
        }
        shown.is_none()
    })
    .await?;
    let found = shown.ok_or_else(|| {
        let why = format!("no dead letter {} in {}", args.which, args.place.topic);
        Stop::new(exit::NO_INPUT, why)
    })?;
    let text = match args.output {
        Format::Text => text(&found),
        Format::Json => format!("{}\n", json(&found)),
    };
    // Nobody is left to be told when standard output is gone.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

fn text(found: &Found) -> String {
    let Found {
        partition,
        offset,
        letter,
    } = found;
    let escaped = |bytes: &Option<Bytes>| match bytes {
        Some(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        None => "null".to_owned(),
    };
    let mut text = format!(
        "at         {partition}:{offset}\ntimestamp  {}\nkey        {}\nvalue      {}\nheaders\n",
        letter.timestamp_ms,
        escaped(&letter.key),
        escaped(&letter.value)
    );
    for (key, value) in &letter.headers {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {}: {}", key.escape_ascii(), escaped(value));
    }
    text
}

fn json(found: &Found) -> Value {
    let encoded = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    let headers = found
        .letter
        .headers
        .iter()
        .map(|(key, value)| json!({ "key": String::from_utf8_lossy(key), "value": encoded(value) }));
    json!({
        "partition": found.partition,
        "offset": found.offset,
        "timestamp": found.letter.timestamp_ms,
        "key": encoded(&found.letter.key),
        "value": encoded(&found.letter.value),
        "headers": headers.collect::<Vec<_>>(),
    })
}
