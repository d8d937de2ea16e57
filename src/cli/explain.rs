//! `portcullis explain`: what a violation code means, what the producer sees, what to do.

use super::{Format, exit};
use crate::contract::Code;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use ulid::Ulid;

const EXAMPLES: &str = "\
Examples:
  portcullis explain PC-201
  portcullis explain \"PC-201 record 17 value: $.total: expected double, 3 bytes left; schema 42 ...\"
  portcullis explain PC-102 --output json
  portcullis explain 01JD8Z3N5W9Q7M2K4T6V8X0YAB      when a reference was made, and how to find its line";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// A code, a whole line that begins with one, or the reference of one refusal.
    #[arg(value_name = "CODE|REF")]
    subject: String,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// A code's page.
struct Explanation {
    code: &'static str,
    meaning: &'static str,
    producer_sees: &'static str,
    to_do: &'static str,
}

const INVALID_RECORD: &str = "INVALID_RECORD (87) for the partition, with the record's index and line from Produce version 8 on; not retriable.";

pub fn explain(args: &ExplainArgs) -> ExitCode {
    let first = args.subject.split_whitespace().next().unwrap_or_default();
    let code = first.trim_end_matches([':', ';', ',']).to_ascii_uppercase();
    let bare = code.strip_prefix("PC-").unwrap_or(&code);
    if let Some(code) = Code::ALL
        .into_iter()
        .find(|code| code.as_str().strip_prefix("PC-") == Some(bare))
    {
        print(&explanation(code), args.output);
        return ExitCode::SUCCESS;
    }
    if let Ok(reference) = Ulid::from_string(&code) {
        print_reference(reference, args.output);
        return ExitCode::SUCCESS;
    }
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    eprintln!(
        "portcullis: `{first}` is neither a code nor a reference; codes: {}",
        known.join(", ")
    );
    ExitCode::from(exit::USAGE)
}

fn print(explanation: &Explanation, output: Format) {
    let Explanation {
        code,
        meaning,
        producer_sees,
        to_do,
    } = explanation;
    match output {
        Format::Text => {
            println!("{code}: {meaning}\n\nThe producer sees: {producer_sees}\n\nWhat to do: {to_do}");
        }
        Format::Json => println!(
            "{}",
            json!({ "code": code, "meaning": meaning, "producer_sees": producer_sees, "to_do": to_do })
        ),
    }
}

fn print_reference(reference: Ulid, output: Format) {
    let made_ms = reference.timestamp_ms();
    match output {
        Format::Text => println!(
            "A reference made {made_ms} ms after 1970-01-01 UTC. Its line is in the log of the gateway that refused \
             the record, and in the error that the producer got: search them for\n\n  ref {reference}"
        ),
        Format::Json => println!(
            "{}",
            json!({ "reference": reference.to_string(), "made_ms": made_ms })
        ),
    }
}

fn explanation(code: Code) -> Explanation {
    let (meaning, producer_sees, to_do) = match code {
        Code::NoFraming => (
            "The policy wants Confluent's framing (a zero byte, a 4-byte schema id), and the bytes have none.",
            INVALID_RECORD,
            "let the producer use a schema-registry serializer with this registry's URL, or set the level of this key or value to `off`.",
        ),
        Code::UnknownSchema => (
            "No schema of the registry has the id that the record carries.",
            INVALID_RECORD,
            "point the producer's serializer at the same registry as the gateway; it may hold an id from another one.",
        ),
        Code::OtherSubject => (
            "The schema exists, but is not a live version of the subject that governs the topic.",
            INVALID_RECORD,
            "register it under that subject, or name the right `subject` in the policy; a version deleted softly does not count.",
        ),
        Code::NoSchema => (
            "The subject that governs the topic has no schema at all.",
            INVALID_RECORD,
            "register a schema under the subject, or set the level to `auto`, which passes topics without one.",
        ),
        Code::NoMessage => (
            "The Protobuf message indexes behind the schema id point at no message of the schema.",
            INVALID_RECORD,
            "look whether the producer's generated classes come from the schema that it registered.",
        ),
        Code::NullForbidden => (
            "The value is null (a tombstone), and the policy says `null_value: reject`.",
            INVALID_RECORD,
            "send a value, or set `null_value: allow`, as topics with compaction need it.",
        ),
        Code::Avro => (
            "The payload is not what its Avro schema says.",
            INVALID_RECORD,
            "compare the path and the expectation in the line with what the producer writes; it often serializes by another schema than it names.",
        ),
        Code::Protobuf => (
            "The payload is not what its Protobuf message says, or has a field that it does not say and the policy says `unknown_fields: reject`.",
            INVALID_RECORD,
            "compare the path and the expectation in the line with what the producer writes; `unknown_fields: allow` lets a newer producer through.",
        ),
        Code::JsonSchema => (
            "The payload is JSON, but not what its JSON Schema says; a `format` counts where the policy says `formats: assert`.",
            INVALID_RECORD,
            "compare the path and the expectation in the line with the document; `formats: annotate` makes formats mere notes again.",
        ),
        Code::NotJson => (
            "The schema is a JSON Schema, and the payload is not JSON (RFC 8259).",
            INVALID_RECORD,
            "look for a truncated document, a trailing comma, NaN, or bytes that are not UTF-8.",
        ),
        Code::OverLimit => (
            "Over a limit: a batch that decompresses to too much, a payload nested too deep, a schema too large to compile.",
            INVALID_RECORD,
            "raise `gateway.limits.decompressed_batch` or `decompression_ratio` if the data is honest, or let the producer send smaller batches.",
        ),
        Code::Malformed => (
            "The batch is malformed: counts, offsets, lengths, checksum or compressed bytes are not as Kafka wants them.",
            "what a broker answers: INVALID_RECORD (87), CORRUPT_MESSAGE (2, retriable) for a checksum, UNSUPPORTED_COMPRESSION_TYPE (76).",
            "look at the client library and at what lies between it and the gateway; the broker would have refused the batch too.",
        ),
        Code::RegistryUnreachable => (
            "A schema is not in memory and the registry cannot be asked.",
            "NOT_ENOUGH_REPLICAS (19), which is retriable: a client tries again by itself, and nothing is lost.",
            "look at `/readyz?verbose` and at the registry; `on_registry_down: pass` lets such records through unchecked.",
        ),
        Code::DeadLetterNotWritten => (
            "Bad records were to go to the dead-letter topic, and cannot be written; the policy's action is `dead_letter`.",
            "NOT_ENOUGH_REPLICAS (19), which is retriable: nothing is acknowledged and nothing is lost. With `on_failure: reject`, INVALID_RECORD (87) as from `reject`.",
            "the line says why: a topic that is missing and may not be created, a right that the gateway lacks, a record too large for the topic, brokers out of reach.",
        ),
    };
    Explanation {
        code: code.as_str(),
        meaning,
        producer_sees,
        to_do,
    }
}
