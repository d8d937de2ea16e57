//! Redrives that are killed at random instants, or overtaken by another: each letter goes back once.
//!
//! `PORTCULLIS_KILLS`: how many are killed (default 10).
//! `PORTCULLIS_SEED`: of the instants (default: from the clock, and printed).

use crate::choices::Choices;
use crate::support::clients::{administer, read_to_end};
use crate::support::kafka::upstream;
use crate::support::payloads::Language;
use crate::{GATEWAY, KAFKA, Redriven, command, redrive};
use portcullis::kafka::client::{Client, Partition};
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::Compression;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const PARTITIONS: i32 = 3;
/// New ones for each redrive, a partition: two transactions.
const LETTERS: i32 = 4000;
/// On one topic: the more letters are there, the more of a redrive is reading.
const KILLS_MAX: u64 = 10;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// A topic and its dead letters, numbered, of which one in ten is still bad.
struct Ground {
    topic: String,
    schema: u32,
    runtime: Runtime,
    client: Client,
    next: i32,
}

fn is_bad(number: i32) -> bool {
    number % 10 == 7
}

impl Ground {
    fn new(topic: &str) -> Self {
        let commands = [
            format!("create:{topic}:{PARTITIONS}"),
            format!("create:{topic}.dlq:{PARTITIONS}"),
        ];
        administer(&KAFKA.bootstrap(), &commands.each_ref().map(String::as_str), &[]);
        Self {
            topic: topic.to_owned(),
            schema: GATEWAY.register(&format!("{topic}-value"), "AVRO", Language::Avro.schema()),
            runtime: Runtime::new().unwrap(),
            client: Client::new(&upstream(&KAFKA.bootstrap())).unwrap(),
            next: 0,
        }
    }

    fn letters(&self) -> String {
        format!("{}.dlq", self.topic)
    }

    /// Writes more of them, as a gateway would, by turns of two codes.
    fn write(&mut self) {
        for partition in 0..PARTITIONS {
            for _ in 0..5 {
                self.write_batch(partition, LETTERS / 5);
            }
        }
    }

    fn write_batch(&mut self, partition: i32, count: i32) {
        let numbers = self.next..self.next + count;
        self.next += count;
        let rows: Vec<(String, Vec<u8>, String, &str)> = numbers
            .map(|number| {
                let value = if is_bad(number) {
                    Language::Avro.bad(self.schema, number)
                } else {
                    Language::Avro.good(self.schema, number)
                };
                let code = if number % 2 == 0 { "PC-103" } else { "PC-201" };
                (number.to_string(), value, format!("01{number:024}"), code)
            })
            .collect();
        let from = partition.to_string();
        let records: Vec<NewRecord<'_>> = rows
            .iter()
            .map(|(key, value, reference, code)| NewRecord {
                timestamp_ms: crate::now_ms(),
                key: Some(key.as_bytes()),
                value: Some(value),
                headers: vec![
                    (b"own", Some(key.as_bytes())),
                    (b"__portcullis.topic", Some(self.topic.as_bytes())),
                    (b"__portcullis.partition", Some(from.as_bytes())),
                    (b"__portcullis.code", Some(code.as_bytes())),
                    (b"__portcullis.ref", Some(reference.as_bytes())),
                    (b"__portcullis.time", Some(b"1000")),
                ],
            })
            .collect();
        let mut batch = Vec::new();
        write_batch(&records, Compression::Lz4, None, &mut batch).unwrap();
        let (letters, batch) = (self.letters(), batch.into());
        let at = Partition {
            topic: &letters,
            index: partition,
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        let written = self.client.produce(at, &batch, None, deadline);
        self.runtime.block_on(written).unwrap();
    }

    fn good(&self) -> usize {
        (0..self.next).filter(|number| !is_bad(*number)).count()
    }

    /// How often each letter is in the topic, as a read-committed consumer sees it: 0 of the bad ones, 1 of the others.
    fn assert_once(&self) {
        let mut found: BTreeMap<i32, usize> = BTreeMap::new();
        for line in read_to_end(&KAFKA.bootstrap(), &self.topic) {
            *found.entry(line[2].parse().unwrap()).or_default() += 1;
        }
        let wrong: Vec<(i32, usize)> = (0..self.next)
            .map(|number| (number, found.remove(&number).unwrap_or(0)))
            .filter(|(number, times)| *times != usize::from(!is_bad(*number)))
            .collect();
        assert!(
            wrong.is_empty() && found.is_empty(),
            "{} of {} letters: {:?} {found:?}",
            wrong.len(),
            self.next,
            wrong.get(..20.min(wrong.len()))
        );
        let letters = read_to_end(&KAFKA.bootstrap(), &self.letters());
        assert_eq!(letters.len(), self.next as usize, "the letters stay");
    }
}

/// A redrive under way.
fn start(ground: &Ground, more: &[&str]) -> Child {
    let command = command(&GATEWAY.bootstrap, &ground.letters(), more);
    let (program, arguments) = command.split_first().unwrap();
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// To the end of what is there.
fn finish(ground: &Ground) -> Redriven {
    let done = redrive(&GATEWAY.bootstrap, &ground.letters(), &[]);
    assert_eq!(done.exit, Some(65), "{done:#?}");
    let bad = ground.next as usize - ground.good();
    assert_eq!(done.summary["stay"], bad, "{done:#?}");
    done
}

#[test]
fn each_letter_goes_back_once_at_whatever_instant_a_redrive_is_killed() {
    let kills = number("PORTCULLIS_KILLS").unwrap_or(10);
    let seed = number("PORTCULLIS_SEED").unwrap_or_else(|| crate::now_ms() as u64);
    println!("seed {seed}, {kills} kills");
    let mut choices = Choices::new(seed);
    for topic in 0..kills.div_ceil(KILLS_MAX) {
        let kills = KILLS_MAX.min(kills - topic * KILLS_MAX);
        kill(&mut Ground::new(&format!("killed-{topic}")), kills, &mut choices);
    }
}

fn kill(ground: &mut Ground, kills: u64, choices: &mut Choices) {
    ground.write();
    // How long one takes that is not killed.
    let began = Instant::now();
    let mut redriven = finish(ground).summary["redriven"].as_u64().unwrap();
    let whole_ms = began.elapsed().as_millis() as usize;
    let mut killed = 0;
    for _ in 0..kills {
        ground.write();
        let filter = choices.pick(&[&[][..], &["--code", "PC-103"], &["--code", "PC-201"]]);
        let mut child = start(ground, filter);
        sleep(Duration::from_millis(choices.below(whole_ms * 3 / 2) as u64));
        // SIGKILL; no error when it has ended before.
        child.kill().unwrap();
        killed += u64::from(child.wait().unwrap().code().is_none());
        if choices.chance(20) {
            redriven += finish(ground).summary["redriven"].as_u64().unwrap();
        }
    }
    redriven += finish(ground).summary["redriven"].as_u64().unwrap();
    let bad = ground.next as usize - ground.good();
    finish(ground).is(65, 0, ground.good(), &json!({ "PC-201": bad }));
    println!(
        "{}: {killed} of {kills} were killed before their end (one takes {whole_ms} ms); of {} letters that are good and \
         {bad} that are not, those that were not killed have redriven {redriven}",
        ground.topic,
        ground.good()
    );
    ground.assert_once();
}

#[test]
fn of_two_redrives_at_once_the_later_goes_on_and_each_letter_goes_back_once() {
    let mut ground = Ground::new("raced");
    for round in 0..3 {
        ground.write();
        let mut children = [(); 3].map(|()| {
            sleep(Duration::from_millis(100 * round));
            start(&ground, &[])
        });
        let codes: Vec<i32> = children
            .iter_mut()
            .map(|child| child.wait().unwrap().code().unwrap())
            .collect();
        // The last to come is overtaken by nobody.
        assert!(
            codes.iter().all(|code| [65, 75].contains(code)) && codes.contains(&65),
            "{codes:?}"
        );
        println!("{codes:?}");
    }
    finish(&ground).is(
        65,
        0,
        ground.good(),
        &json!({ "PC-201": ground.next as usize - ground.good() }),
    );
    ground.assert_once();
}
