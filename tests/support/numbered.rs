//! Producers that send steadily numbered records until they are stopped, and what two topics must then hold of them.
//! Key `NAME/PARTITION/NUMBER`; which are bad is worked out from a seed (`tests/real/java/Numbered.java`).

use super::clients::{java, java_of, python, read_to_end};
use super::places::{built, scratch};
use super::process::run_for;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RUN: i32 = 16;
/// A full run of kills, and what its producers still have to send.
const SECONDS_MAX: u32 = 7200;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// Apache Kafka's newest Java client.
    Java,
    /// Its last one before version 4.
    Java3,
    /// confluent-kafka-python: librdkafka.
    Python,
    FranzGo,
}

impl Sender {
    pub const ALL: [Self; 4] = [Self::Java, Self::Java3, Self::Python, Self::FranzGo];

    pub fn name(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Java3 => "java-3",
            Self::Python => "librdkafka",
            Self::FranzGo => "franz-go",
        }
    }

    fn program(self) -> Vec<String> {
        match self {
            Self::Java => java("SendNumbered"),
            Self::Java3 => java_of("clients-3", "SendNumbered"),
            Self::Python => python("send_numbered.py"),
            Self::FranzGo => vec![built().join("franz").to_str().unwrap().to_owned()],
        }
    }

    /// What makes it idempotent, and look for another gateway when its own is gone; two do both unasked.
    fn settings(self) -> &'static [&'static str] {
        match self {
            // Java's own defaults are idempotence, acks=all and five in flight.
            Self::Java | Self::FranzGo => &[],
            Self::Java3 => &["metadata.recovery.strategy=rebootstrap"],
            Self::Python => &["enable.idempotence=true"],
        }
    }
}

/// What all producers of a test send.
#[derive(Clone, Debug)]
pub struct Stream {
    pub topic: String,
    pub partitions: i32,
    pub schema: u32,
    pub seed: i32,
    /// Of a thousand.
    pub bad: i32,
    /// Records a second, each producer.
    pub rate: u32,
}

impl Stream {
    pub fn is_bad(&self, partition: i32, number: i32) -> bool {
        self.thousandth(partition, number) < self.bad * 3 / 5
            || self.thousandth(partition, !(number / RUN)) < self.bad * 2 / 5
    }

    /// `program` with what all of them take.
    fn command(&self, program: Vec<String>, name: &str, bootstrap: &str, folder: &Path) -> Vec<String> {
        let numbers = [
            self.partitions,
            self.schema as i32,
            self.seed,
            self.bad,
            self.rate as i32,
        ];
        let mut command = [program, vec![name.to_owned(), self.topic.clone()]].concat();
        command.extend(numbers.iter().map(i32::to_string));
        command.push(folder.to_str().unwrap().to_owned());
        command.push(format!("bootstrap.servers={bootstrap}"));
        command
    }

    fn thousandth(&self, partition: i32, number: i32) -> i32 {
        let mixed = (number as u32)
            .wrapping_mul(0x9E37_79B1)
            .wrapping_add((partition as u32).wrapping_mul(0x85EB_CA77))
            .wrapping_add(self.seed as u32);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D);
        let mixed = (mixed ^ (mixed >> 12)).wrapping_mul(0x297A_2D39);
        ((mixed ^ (mixed >> 15)) % 1000) as i32
    }
}

/// Several programs at once take their time on a machine that has other things to do.
fn await_start(program: &JoinHandle<Vec<Value>>, started: &Path) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !started.exists() {
        assert!(!program.is_finished(), "{} ended by itself", started.display());
        assert!(
            Instant::now() < deadline,
            "{} was not acknowledged anything",
            started.display()
        );
        sleep(Duration::from_millis(20));
    }
}

pub struct Producers {
    running: Vec<(Sender, JoinHandle<Vec<Value>>)>,
    folder: TempDir,
}

impl Producers {
    /// Starts them and waits until each has had its first acknowledgement.
    pub fn start(senders: &[Sender], bootstrap: &str, stream: &Stream) -> Self {
        let folder = scratch();
        let running: Vec<_> = senders
            .iter()
            .map(|&sender| {
                let mut command = stream.command(sender.program(), sender.name(), bootstrap, folder.path());
                command.extend(sender.settings().iter().map(|&setting| setting.to_owned()));
                let thread = std::thread::spawn(move || run_for(SECONDS_MAX, &command).json_lines());
                (sender, thread)
            })
            .collect();
        for (sender, thread) in &running {
            await_start(thread, &folder.path().join(sender.name()));
        }
        Self { running, folder }
    }

    /// Lets them finish what they have begun.
    pub fn stop(self) -> Sent {
        std::fs::write(self.folder.path().join("end"), "").unwrap();
        let mut sent = Sent::default();
        for (sender, thread) in self.running {
            let lines = thread.join().unwrap_or_else(|_| panic!("{sender:?} failed"));
            for line in lines {
                let partition = line["partition"].as_i64().unwrap_or(-1) as i32;
                if let Some(number) = line["failed"].as_i64() {
                    let why = line["why"].as_str().unwrap_or_default().to_owned();
                    sent.failed
                        .insert((sender.name().to_owned(), partition, number as i32), why);
                } else if let Some(count) = line["sent"].as_i64() {
                    sent.counts
                        .insert((sender.name().to_owned(), partition), count as i32);
                } else {
                    sent.retries
                        .push((sender.name(), line["retries"].as_i64().unwrap()));
                }
            }
        }
        sent
    }
}

/// A Java producer that sends them in transactions (`tests/real/java/TransactNumbered.java`).
pub struct Transacting {
    thread: JoinHandle<Vec<Value>>,
    folder: TempDir,
}

impl Transacting {
    const NAME: &'static str = "transactional";
    /// Records of one transaction in one partition.
    const SIZE: i32 = 4;

    /// `stream.rate` is in transactions.
    pub fn start(bootstrap: &str, stream: &Stream) -> Self {
        let folder = scratch();
        let command = stream.command(java("TransactNumbered"), Self::NAME, bootstrap, folder.path());
        let thread = std::thread::spawn(move || run_for(SECONDS_MAX, &command).json_lines());
        await_start(&thread, &folder.path().join(Self::NAME));
        Self { thread, folder }
    }

    /// How each transaction ended, as its producer knows it.
    pub fn stop(self) -> Vec<Ending> {
        std::fs::write(self.folder.path().join("end"), "").unwrap();
        let lines = self.thread.join().expect("the producer of transactions failed");
        lines
            .iter()
            .map(|line| match line["ending"].as_str() {
                Some("committed") => Ending::Committed,
                Some("aborted") => Ending::Aborted,
                _ => Ending::Unknown,
            })
            .collect()
    }
}

/// A Java program that copies a topic in transactions (`tests/real/java/CopyInTransactions.java`).
pub struct Copying(JoinHandle<Vec<Value>>);

impl Copying {
    /// Until `end` is a file and all is copied.
    pub fn start(bootstrap: &str, from: &str, to: &str, end: &Path) -> Self {
        let arguments = [
            from.to_owned(),
            to.to_owned(),
            format!("until:{}", end.display()),
            format!("bootstrap.servers={bootstrap}"),
        ];
        let command = [java("CopyInTransactions"), arguments.to_vec()].concat();
        Self(std::thread::spawn(move || {
            run_for(SECONDS_MAX, &command).json_lines()
        }))
    }

    /// What it says at its end.
    pub fn wait(self) -> Value {
        self.0.join().expect("the copier failed")[0].clone()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    Committed,
    Aborted,
    /// Its producer met a fatal error while it committed.
    Unknown,
}

/// What became of transactions.
#[derive(Default, Debug)]
pub struct TransactionTally {
    pub committed: usize,
    pub aborted: usize,
    pub unknown: usize,
    pub good: usize,
    pub dead_letters: usize,
    /// Transactions of which something is missing, is there twice, or should not be there; and what was found of each
    /// of their records.
    pub torn: Vec<(usize, Ending, Vec<usize>)>,
}

impl TransactionTally {
    /// Reads both topics from the brokers.
    pub fn of(bootstrap: &str, stream: &Stream, endings: &[Ending]) -> Self {
        let mut tally = Self::default();
        let committed_bad = endings
            .iter()
            .enumerate()
            .filter(|(_, ending)| **ending == Ending::Committed)
            .flat_map(|(at, _)| Self::records(stream, at))
            .filter(|(_, bad)| *bad)
            .count();
        let topic = held(bootstrap, &stream.topic);
        let letters = dead_letters(bootstrap, &format!("{}.dlq", stream.topic), committed_bad);
        [tally.good, tally.dead_letters] = [topic.len(), letters.len()];
        let count = |held: Vec<(i32, Name)>| {
            held.into_iter()
                .fold(BTreeMap::<Name, usize>::new(), |mut counts, (_, name)| {
                    *counts.entry(name).or_default() += 1;
                    counts
                })
        };
        let counts = [count(topic), count(letters)];
        for (at, ending) in endings.iter().enumerate() {
            // In the one where it belongs; in the other it must not be.
            let found: Vec<usize> = Self::records(stream, at)
                .flat_map(|(name, bad)| {
                    let of = |bad: bool| counts[usize::from(bad)].get(&name).copied().unwrap_or(0);
                    [of(bad), if of(!bad) == 0 { of(bad) } else { usize::MAX }]
                })
                .collect();
            let all = |wanted: usize| found.iter().all(|found| *found == wanted);
            let (count, whole) = match ending {
                Ending::Committed => (&mut tally.committed, all(1)),
                Ending::Aborted => (&mut tally.aborted, all(0)),
                Ending::Unknown => (&mut tally.unknown, all(0) || all(1)),
            };
            *count += 1;
            if !whole {
                tally.torn.push((at, *ending, found));
            }
        }
        tally
    }

    /// What transaction `at` sent, and whether it is bad.
    fn records(stream: &Stream, at: usize) -> impl Iterator<Item = (Name, bool)> {
        let first = at as i32 * Transacting::SIZE;
        (first..first + Transacting::SIZE).flat_map(move |number| {
            (0..stream.partitions).map(move |partition| {
                let bad = at % 8 == 5 || stream.is_bad(partition, number);
                ((Transacting::NAME.to_owned(), partition, number), bad)
            })
        })
    }
}

impl fmt::Display for TransactionTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            committed,
            aborted,
            unknown,
            good,
            dead_letters,
            torn,
        } = self;
        write!(
            f,
            "{committed} transactions committed, {aborted} aborted, {unknown} of unknown ending; the topic holds {good}, \
             {dead_letters} dead letters; {} torn",
            torn.len()
        )
    }
}

/// Who sent it, to which partition, and its number there.
type Name = (String, i32, i32);

#[derive(Default, Debug)]
pub struct Sent {
    /// How many, a producer and partition.
    counts: BTreeMap<(String, i32), i32>,
    /// Those that were not acknowledged, and what the client said.
    pub failed: BTreeMap<Name, String>,
    retries: Vec<(&'static str, i64)>,
}

/// A topic's records in order: the partition that holds each, and its name.
fn held(bootstrap: &str, topic: &str) -> Vec<(i32, Name)> {
    let lines = read_to_end(bootstrap, topic);
    lines
        .iter()
        .map(|fields| (fields[0].parse().unwrap(), name_of(&fields[2])))
        .collect()
}

fn name_of(key: &str) -> Name {
    let mut parts = key.split('/');
    let producer = parts.next().unwrap().to_owned();
    let [partition, number] = [(); 2].map(|()| parts.next().unwrap().parse().unwrap());
    (producer, partition, number)
}

/// How many dead letters there are once as many as `wanted` have come, or none has come for a while.
fn dead_letters(bootstrap: &str, topic: &str, wanted: usize) -> Vec<(i32, Name)> {
    let mut seen = held(bootstrap, topic);
    for _ in 0..30 {
        if seen.len() >= wanted {
            break;
        }
        sleep(Duration::from_secs(1));
        seen = held(bootstrap, topic);
    }
    // What comes twice comes after what comes once.
    sleep(Duration::from_secs(2));
    held(bootstrap, topic)
}

/// The counts of the issue.
#[derive(Default, Debug)]
pub struct Tally {
    pub sent: usize,
    pub acknowledged: usize,
    pub good: usize,
    pub bad: usize,
    pub in_topic: usize,
    pub dead_letters: usize,
    pub lost: Vec<Name>,
    pub doubled: Vec<Name>,
    pub misplaced: Vec<Name>,
    pub misordered: Vec<Name>,
    pub retries: Vec<(&'static str, i64)>,
}

impl Tally {
    /// Reads both topics from the brokers.
    pub fn of(bootstrap: &str, stream: &Stream, sent: &Sent) -> Self {
        let mut tally = Self {
            retries: sent.retries.clone(),
            ..Self::default()
        };
        let mut wanted = [BTreeSet::new(), BTreeSet::new()];
        for ((producer, partition), count) in &sent.counts {
            for number in 0..*count {
                let name = (producer.clone(), *partition, number);
                tally.sent += 1;
                if sent.failed.contains_key(&name) {
                    continue;
                }
                tally.acknowledged += 1;
                wanted[usize::from(stream.is_bad(*partition, number))].insert(name);
            }
        }
        [tally.good, tally.bad] = [0, 1].map(|which| wanted[which].len());
        let topic = held(bootstrap, &stream.topic);
        let letters = dead_letters(bootstrap, &format!("{}.dlq", stream.topic), tally.bad);
        [tally.in_topic, tally.dead_letters] = [topic.len(), letters.len()];
        for (bad, (held, wanted)) in [topic, letters].iter().zip(&wanted).enumerate() {
            tally.compare(stream, bad == 1, held, wanted);
        }
        tally
    }

    fn compare(&mut self, stream: &Stream, bad: bool, held: &[(i32, Name)], wanted: &BTreeSet<Name>) {
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<(&str, i32), i32> = BTreeMap::new();
        for (partition, name) in held {
            if name.1 != *partition || stream.is_bad(name.1, name.2) != bad {
                self.misplaced.push(name.clone());
            }
            if !seen.insert(name) {
                self.doubled.push(name.clone());
                continue;
            }
            let last = last.entry((&name.0, name.1)).or_insert(-1);
            if name.2 < *last && wanted.contains(name) {
                self.misordered.push(name.clone());
            }
            *last = name.2.max(*last);
        }
        self.lost
            .extend(wanted.iter().filter(|name| !seen.contains(name)).cloned());
    }

    pub fn is_clean(&self) -> bool {
        [&self.lost, &self.doubled, &self.misplaced, &self.misordered]
            .iter()
            .all(|names| names.is_empty())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sent, {} acknowledged ({} good, {} bad); the topic holds {}, {} dead letters; {} lost, {} doubled, \
             {} misplaced, {} misordered; retries:",
            self.sent,
            self.acknowledged,
            self.good,
            self.bad,
            self.in_topic,
            self.dead_letters,
            self.lost.len(),
            self.doubled.len(),
            self.misplaced.len(),
            self.misordered.len()
        )?;
        for (producer, retries) in &self.retries {
            write!(f, " {producer} {retries}")?;
        }
        Ok(())
    }
}
