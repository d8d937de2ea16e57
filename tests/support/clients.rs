//! The client programs of `tests/real/`, and kcat.

use super::places::{built, fetched, project, scratch};
use super::process::{Ran, run, run_for};
use super::records::{Consumed, Outcome, Record, file_text};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::thread::JoinHandle;
use tempfile::TempDir;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    /// Apache Kafka's own Java client.
    Java,
    /// confluent-kafka-python: librdkafka.
    Python,
}

/// How records are handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// As many in a batch as fit.
    Together,
    /// One batch a record.
    Apart,
    /// Together, in a transaction that is committed.
    Commit,
    /// Together, in a transaction that is aborted.
    Abort,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Apart => "apart",
            Self::Commit => "commit",
            Self::Abort => "abort",
        }
    }
}

impl Client {
    /// Sends `records` and returns what the producer was told of each, in their order.
    pub fn produce(self, bootstrap: &str, records: &[Record], how: How, settings: &[&str]) -> Vec<Outcome> {
        let lines = self.produce_lines(bootstrap, records, how, settings);
        lines.iter().take(records.len()).map(Outcome::read).collect()
    }

    /// The same, as the program printed it: a transaction's end has a line of its own.
    pub fn produce_lines(
        self,
        bootstrap: &str,
        records: &[Record],
        how: How,
        settings: &[&str],
    ) -> Vec<Value> {
        let folder = scratch();
        let file = folder.path().join("records");
        fs::write(&file, file_text(records)).unwrap();
        let (program, file) = (
            self.program("Produce", "produce.py"),
            file.to_str().unwrap().to_owned(),
        );
        let lines = run(&[
            program,
            vec![file, how.word().to_owned()],
            configuration(bootstrap, settings),
        ]
        .concat())
        .json_lines();
        assert!(lines.len() >= records.len(), "{lines:#?}");
        lines
    }

    /// Reads `topics` from their beginning, `count` records and whatever comes within a second after.
    pub fn consume(self, bootstrap: &str, topics: &[&str], count: usize, settings: &[&str]) -> Vec<Consumed> {
        let program = self.program("Consume", "consume.py");
        let arguments = vec![topics.join(","), count.to_string()];
        let lines = run(&[program, arguments, configuration(bootstrap, settings)].concat()).json_lines();
        let mut records: Vec<Consumed> = lines.iter().map(Consumed::read).collect();
        records.sort();
        records
    }

    fn program(self, class: &str, script: &str) -> Vec<String> {
        match self {
            Self::Java => java(class),
            Self::Python => python(script),
        }
    }
}

/// A Java producer that sends record after record, each acknowledged before the next, until it is stopped.
pub struct Sending {
    thread: JoinHandle<Vec<Outcome>>,
    end: PathBuf,
    _folder: TempDir,
}

impl Sending {
    pub fn start(bootstrap: &str, records: &[Record]) -> Self {
        let folder = scratch();
        let (file, end) = (folder.path().join("records"), folder.path().join("end"));
        fs::write(&file, file_text(records)).unwrap();
        let arguments = vec![
            file.to_str().unwrap().to_owned(),
            format!("until:{}", end.display()),
        ];
        let settings = configuration(bootstrap, &["delivery.timeout.ms=120000", "max.block.ms=120000"]);
        let command = [java("Produce"), arguments, settings].concat();
        let thread = std::thread::spawn(move || {
            let lines = run_for(300, &command).json_lines();
            lines.iter().map(Outcome::read).collect()
        });
        Self {
            thread,
            end,
            _folder: folder,
        }
    }

    /// What became of each record that was sent; panics when all had been sent before.
    pub fn stop(self) -> Vec<Outcome> {
        assert!(!self.thread.is_finished(), "it was to be stopped in mid-stream");
        fs::write(&self.end, "").unwrap();
        self.thread.join().unwrap()
    }
}

fn configuration(bootstrap: &str, settings: &[&str]) -> Vec<String> {
    let mut all = vec![format!("bootstrap.servers={bootstrap}")];
    all.extend(settings.iter().map(|&setting| setting.to_owned()));
    all
}

/// The command line of a class of `tests/real/java`, with the newest client.
pub fn java(class: &str) -> Vec<String> {
    java_of("clients", class)
}

/// The same with the client in that folder: `clients` or `clients-3`.
pub fn java_of(clients: &str, class: &str) -> Vec<String> {
    // The client is short-lived: the first compiler tier is all it needs.
    vec![
        "java".to_owned(),
        "-Xmx256m".to_owned(),
        "-XX:+UseSerialGC".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned(),
        "-cp".to_owned(),
        format!("{}/classes:{}/*", built().display(), fetched(clients).display()),
        class.to_owned(),
    ]
}

/// The command line of a script of `tests/real/python`.
pub fn python(script: &str) -> Vec<String> {
    vec![
        "env".to_owned(),
        format!("PYTHONPATH={}", built().join("messages").display()),
        fetched("venv").join("bin/python").to_str().unwrap().to_owned(),
        project("tests/real/python")
            .join(script)
            .to_str()
            .unwrap()
            .to_owned(),
    ]
}

/// What is committed in `topic` now, a line each: partition, offset, key, and what `__portcullis.topic` says. Nothing when
/// there is no such topic, which a consumer that asked for it would create.
pub fn read_to_end(bootstrap: &str, topic: &str) -> Vec<Vec<String>> {
    let arguments = vec![topic.to_owned()];
    let ran = run_for(
        300,
        &[java("ReadToEnd"), arguments, configuration(bootstrap, &[])].concat(),
    );
    assert!(ran.status.success(), "{ran:#?}");
    let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
    ran.out.lines().map(fields).collect()
}

/// Runs commands of `Administer`; one JSON line each.
pub fn administer(bootstrap: &str, commands: &[&str], settings: &[&str]) -> Vec<Value> {
    run(&[
        java("Administer"),
        vec![commands.join(",")],
        configuration(bootstrap, settings),
    ]
    .concat())
    .json_lines()
}

/// Creates `topics` of `partitions` each.
pub fn create_topics(bootstrap: &str, topics: &[&str], partitions: i32) {
    let commands: Vec<String> = topics
        .iter()
        .map(|topic| format!("create:{topic}:{partitions}"))
        .collect();
    administer(
        bootstrap,
        &commands.iter().map(String::as_str).collect::<Vec<_>>(),
        &[],
    );
}

/// Sends `lines` (`key:value`) with kcat to partition 0, all with one header.
pub fn kcat_produce(bootstrap: &str, topic: &str, lines: &[&str], settings: &[&str]) -> Ran {
    let folder = scratch();
    let file = folder.path().join("lines");
    fs::write(
        &file,
        lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    let mut command: Vec<String> = [
        "kcat",
        "-P",
        "-b",
        bootstrap,
        "-t",
        topic,
        "-p",
        "0",
        "-K:",
        "-H",
        "from=kcat",
    ]
    .map(str::to_owned)
    .to_vec();
    for setting in settings {
        command.extend(["-X".to_owned(), (*setting).to_owned()]);
    }
    command.extend(["-l".to_owned(), file.to_str().unwrap().to_owned()]);
    run(&command)
}

/// Reads partition 0 with kcat to its end: `offset key value headers`, one line a record.
pub fn kcat_consume(bootstrap: &str, topic: &str, settings: &[&str]) -> Ran {
    let mut command: Vec<String> = [
        "kcat",
        "-C",
        "-q",
        "-e",
        "-b",
        bootstrap,
        "-t",
        topic,
        "-p",
        "0",
        "-o",
        "beginning",
        "-f",
        "%o %k %s %h\n",
    ]
    .map(str::to_owned)
    .to_vec();
    for setting in settings {
        command.extend(["-X".to_owned(), (*setting).to_owned()]);
    }
    run(&command)
}
