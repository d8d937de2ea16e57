//! What a redrive says: a line for each letter that stays, sums at the end, and on a terminal how far it is.

use super::source::Waiting;
use crate::cli::Format;
use crate::deadletter::redrive::refusal::Stays;
use crate::kafka::client::Partition;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;
use tokio::time::Instant;

/// Topics and codes that are counted on their own: their names come out of records.
const NAMES_MAX: usize = 1000;
const OTHERS: &str = "others";
const TELL_INTERVAL: Duration = Duration::from_secs(2);

pub struct Report {
    output: Format,
    dry_run: bool,
    /// Or would be.
    redriven: Counts,
    by_code: Counts,
    stay: Counts,
    redriven_before: u64,
    left_out: u64,
    no_dead_letters: u64,
    /// When it was last told how far it is; none where nobody looks.
    told: Option<Instant>,
    /// A line about it stands on the terminal.
    shown: bool,
}

/// How many of each.
#[derive(Default)]
struct Counts {
    all: u64,
    by_name: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, name: &str) {
        self.all += 1;
        let known = self.by_name.contains_key(name) || self.by_name.len() < NAMES_MAX;
        let name = if known { name } else { OTHERS };
        *self.by_name.entry(name.to_owned()).or_default() += 1;
    }

    /// `: orders 10, payments 2`
    fn text(&self) -> String {
        let each: Vec<String> = self
            .by_name
            .iter()
            .map(|(name, count)| format!("{} {count}", name.escape_debug()))
            .collect();
        if each.is_empty() {
            String::new()
        } else {
            format!(": {}", each.join(", "))
        }
    }
}

impl Report {
    pub fn new(output: Format, dry_run: bool) -> Self {
        Self {
            output,
            dry_run,
            redriven: Counts::default(),
            by_code: Counts::default(),
            stay: Counts::default(),
            redriven_before: 0,
            left_out: 0,
            no_dead_letters: 0,
            told: std::io::stderr().is_terminal().then(Instant::now),
            shown: false,
        }
    }

    pub fn no_dead_letter(&mut self) {
        self.no_dead_letters += 1;
    }

    pub fn left_out(&mut self) {
        self.left_out += 1;
    }

    pub fn redriven_before(&mut self) {
        self.redriven_before += 1;
    }

    pub fn redriven(&mut self, letter: &Waiting) {
        self.redriven.add(&letter.original.topic);
        self.by_code.add(&letter.original.code);
    }

    /// Whether anybody reads it.
    pub fn would_redrive(&mut self, partition: i32, letter: &Waiting) -> bool {
        self.redriven(letter);
        let code = &letter.original.code;
        self.line("would_redrive", partition, letter, code, code)
    }

    pub fn stays(&mut self, partition: i32, letter: &Waiting, why: &Stays) {
        self.stay.add(&why.code);
        // What is printed is lost with its reader, what is redriven is not.
        let _ = self.line("stays", partition, letter, &why.code, &why.line);
    }

    /// How many stay.
    pub fn stay(&self) -> u64 {
        self.stay.all
    }

    fn line(&mut self, result: &str, partition: i32, letter: &Waiting, code: &str, message: &str) -> bool {
        self.clear();
        let Waiting { offset, original } = letter;
        let line = match self.output {
            Format::Text => format!(
                "{}\t{partition}:{offset}\t{}-{}\t{}\t{}",
                result.replace('_', " "),
                original.topic,
                original.partition,
                original.reference.escape_debug(),
                message.escape_debug()
            ),
            Format::Json => json!({
                "result": result,
                "partition": partition,
                "offset": offset,
                "topic": original.topic,
                "original_partition": original.partition,
                "ref": original.reference,
                "code": code,
                "message": message,
            })
            .to_string(),
        };
        writeln!(std::io::stdout().lock(), "{line}").is_ok()
    }

    /// On a terminal, now and then.
    pub fn reading(&mut self, partition: Partition<'_>, next: i64, end: i64) {
        let Some(told) = &mut self.told else { return };
        if told.elapsed() < TELL_INTERVAL {
            return;
        }
        *told = Instant::now();
        self.shown = true;
        let Partition { topic, index } = partition;
        eprint!(
            "\r\u{1b}[K{topic}-{index}: at {next} of {end}; {} redriven, {} stay",
            self.redriven.all, self.stay.all
        );
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprint!("\r\u{1b}[K");
        }
    }

    pub fn summary(&mut self) {
        self.clear();
        let text = match self.output {
            Format::Text => self.text(),
            Format::Json => format!("{}\n", self.json()),
        };
        // Nobody is left to be told when standard output is gone.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    fn text(&self) -> String {
        let Self { redriven, stay, .. } = self;
        let done = if self.dry_run {
            "would be redriven"
        } else {
            "redriven"
        };
        let codes = if self.dry_run {
            format!("  by code{}\n", self.by_code.text())
        } else {
            String::new()
        };
        format!(
            "{} {done}{}\n{codes}{} redriven before\n{} stay{}\n{} left out by the filter\n{} no dead letters\n",
            redriven.all,
            redriven.text(),
            self.redriven_before,
            stay.all,
            stay.text(),
            self.left_out,
            self.no_dead_letters
        )
    }

    fn json(&self) -> Value {
        let Self { redriven, stay, .. } = self;
        json!({
            "result": "summary",
            "dry_run": self.dry_run,
            "redriven": redriven.all,
            "by_topic": redriven.by_name,
            "by_code": self.by_code.by_name,
            "redriven_before": self.redriven_before,
            "stay": stay.all,
            "stay_by_code": stay.by_name,
            "left_out": self.left_out,
            "no_dead_letters": self.no_dead_letters,
        })
    }
}
