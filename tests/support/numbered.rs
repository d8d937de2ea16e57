//! Producers that send steadily numbered records until they are stopped, and what two topics must then hold of them.
//! Key `NAME/PARTITION/NUMBER`; which are bad is worked out from a seed (`tests/real/java/Numbered.java`).

use super::clients::{java, java_of, python};
use super::places::{built, scratch};
use super::process::{eventually, run_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread::JoinHandle;
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
                let arguments = [
                    sender.name().to_owned(),
                    stream.topic.clone(),
                    stream.partitions.to_string(),
                    stream.schema.to_string(),
                    stream.seed.to_string(),
                    stream.bad.to_string(),
                    stream.rate.to_string(),
                    folder.path().to_str().unwrap().to_owned(),
                    format!("bootstrap.servers={bootstrap}"),
                ];
                let mut command = [sender.program(), arguments.to_vec()].concat();
                command.extend(sender.settings().iter().map(|&setting| setting.to_owned()));
                let thread = std::thread::spawn(move || run_for(SECONDS_MAX, &command).json_lines());
                (sender, thread)
            })
            .collect();
        for (sender, thread) in &running {
            eventually(&format!("{sender:?} is acknowledged a record"), || {
                assert!(!thread.is_finished(), "{sender:?} ended by itself");
                folder.path().join(sender.name()).exists()
            });
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
    let server = format!("bootstrap.servers={bootstrap}");
    let ran = run_for(300, &[java("ReadToEnd"), vec![topic.to_owned(), server]].concat());
    assert!(ran.status.success(), "{ran:#?}");
    ran.out
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let partition = fields.next().unwrap().parse().unwrap();
            (partition, name_of(fields.nth(1).unwrap()))
        })
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
        std::thread::sleep(std::time::Duration::from_secs(1));
        seen = held(bootstrap, topic);
    }
    // What comes twice comes after what comes once.
    std::thread::sleep(std::time::Duration::from_secs(2));
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
