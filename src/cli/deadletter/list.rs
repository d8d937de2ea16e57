//! `portcullis deadletter list`.

use super::letter::{Filter, Found};
use super::{Place, Stop, reading};
use crate::cli::Format;
use clap::Args;
use serde_json::json;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  portcullis deadletter list --topic orders.dlq --upstream localhost:9092
  portcullis deadletter list --topic orders.dlq --code PC-201 --since 2d --config portcullis.yaml
  portcullis deadletter list --topic orders.dlq --upstream localhost:9092 --output json | jq .ref

With --output json it prints one object a line.
Exit codes: 0 also when there is none, 64 command line, 66 no such topic, 69 brokers not available, 77 not permitted,
78 configuration.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filter: Filter,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

pub async fn list(args: ListArgs) -> Result<(), Stop> {
    let mut count = 0_u64;
    reading::read(&args.place, &mut |found| {
        if !args.filter.takes(&found) {
            return true;
        }
        count += 1;
        let line = match args.output {
            Format::Text => line(&found),
            Format::Json => json(&found),
        };
        // Whoever reads may have read enough: `… | head`.
        writeln!(std::io::stdout().lock(), "{line}").is_ok()
    })
    .await?;
    if args.output == Format::Text {
        eprintln!("{count} dead letters in {}", args.place.topic);
    }
    Ok(())
}

/// `0:17  orders-3  01JD…  PC-201 record 17 value: …`; control characters escaped.
fn line(found: &Found) -> String {
    let about = |name: &str| found.about(name).unwrap_or_else(|| "?".to_owned());
    let Found {
        partition, offset, ..
    } = found;
    let message = about("message");
    format!(
        "{partition}:{offset}\t{}-{}\t{}",
        about("topic").escape_debug(),
        about("partition").escape_debug(),
        message.escape_debug()
    )
}

fn json(found: &Found) -> String {
    let mut object = json!({ "partition": found.partition, "offset": found.offset });
    if let Some(object) = object.as_object_mut() {
        for (key, name) in [
            ("topic", "topic"),
            ("original_partition", "partition"),
            ("code", "code"),
            ("message", "message"),
            ("ref", "ref"),
            ("schema_id", "schema_id"),
            ("subject", "subject"),
            ("version", "version"),
            ("time", "time"),
        ] {
            if let Some(value) = found.about(name) {
                object.insert(key.to_owned(), json!(value));
            }
        }
    }
    object.to_string()
}
