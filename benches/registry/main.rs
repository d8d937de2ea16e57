//! The registry as a process beside Apicurio Registry's Confluent-compatible API, in rounds that alternate over the same
//! requests: look-ups by id, registrations, and the list of 10,000 subjects.
//!
//! `bash tests/run --peer` once (it fetches Apicurio and a Java), then `cargo bench --bench registry`. Prints; asserts
//! nothing about time. Words behind `--` choose rows: `look-up`, `again`, `new`, `list`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../conditions/mod.rs"]
mod conditions;
mod load;
#[path = "../processes/mod.rs"]
mod processes;
mod targets;

use load::{Outcome, Request};
use std::time::{Duration, Instant};
use targets::Target;

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 8;
/// Subjects with a schema each, made before anything is timed.
const SUBJECTS: usize = 10_000;
/// Requests a round.
const LOOK_UPS: usize = 20_000;
const REGISTRATIONS: usize = 2_000;
/// The peer compiles what it runs often; it gets this many requests to do so.
const WARM_UP: usize = 20_000;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wanted = |row: &str| words.is_empty() || words.iter().any(|word| row.contains(word));
    let folder = tempfile::tempdir().unwrap();
    let Some(peer) = targets::apicurio(folder.path()) else {
        println!("no Apicurio Registry in target/real (or PORTCULLIS_REAL): run `bash tests/run --peer`");
        return;
    };
    let targets = [targets::portcullis(env!("CARGO_BIN_EXE_portcullis")), peer];
    println!("{}", conditions::line());
    for target in &targets {
        let made = registrations(target, 0, SUBJECTS);
        let outcome = load::run(target.process.address, CONNECTIONS, &made);
        assert_eq!(outcome.failed, 0, "{}: {:?}", target.name, outcome.failure);
    }
    println!(
        "{CONNECTIONS} connections, median of {ROUNDS} rounds that alternate; {SUBJECTS} subjects with a schema each"
    );
    println!(
        "{:<26} {:<12} {:>12} {:>9} {:>9} {:>14}",
        "", "", "requests/s", "p50 µs", "p99 µs", "CPU µs/request"
    );
    if wanted("look-up") {
        row("look-up by id", &targets, LOOK_UPS, &look_ups);
    }
    if wanted("again") {
        row(
            "register what is there",
            &targets,
            LOOK_UPS / 4,
            &|target, round, count| registrations(target, (round * count) % SUBJECTS, count),
        );
    }
    if wanted("new") {
        row(
            "register a new subject",
            &targets,
            REGISTRATIONS,
            &|target, round, count| registrations(target, SUBJECTS + round * count, count),
        );
    }
    if wanted("list") {
        list(&targets);
    }
    for target in &targets {
        println!(
            "{}: {} MiB resident",
            target.name,
            target.process.resident_kib() / 1024
        );
    }
}

/// Ids of all subjects in turn, so that no answer is the one just given.
fn look_ups(target: &Target, round: usize, count: usize) -> Vec<Request> {
    let id = |number: usize| target.first_id + (round * count + number * 7_919) % SUBJECTS;
    (0..count)
        .map(|number| Request::get(&format!("{}/schemas/ids/{}", target.prefix, id(number))))
        .collect()
}

fn registrations(target: &Target, from: usize, count: usize) -> Vec<Request> {
    (from..from + count)
        .map(|number| {
            let path = format!(
                "{}/subjects/team-{}.subject-{number}-value/versions",
                target.prefix,
                number % 50
            );
            Request::post(
                &path,
                &serde_json::json!({ "schema": schema(number) }).to_string(),
            )
        })
        .collect()
}

/// An Avro record of a dozen fields, 900 bytes, different for each number.
fn schema(number: usize) -> String {
    let fields: Vec<_> = (0..12)
        .map(|field| {
            let kind = ["string", "long", "double", "boolean"][(number + field) % 4];
            serde_json::json!({"name": format!("field_{field}_{}", number % 97), "type": ["null", kind], "default": null})
        })
        .collect();
    serde_json::json!({"type": "record", "name": format!("Order{number}"), "namespace": "com.example.bench", "fields": fields})
        .to_string()
}

type Requests<'a> = &'a dyn Fn(&Target, usize, usize) -> Vec<Request>;

/// Round 0 warms up.
fn row(what: &str, targets: &[Target], count: usize, requests: Requests<'_>) {
    let mut figures: Vec<Vec<(Outcome, Duration)>> = targets.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (target, figures) in targets.iter().zip(&mut figures) {
            let times = if round == 0 {
                WARM_UP.div_ceil(count).min(4)
            } else {
                1
            };
            for time in 0..times {
                let batch = requests(target, round + time * (ROUNDS + 1), count);
                let before = target.process.cpu();
                let outcome = load::run(target.process.address, CONNECTIONS, &batch);
                let cpu = target.process.cpu().saturating_sub(before);
                assert_eq!(outcome.failed, 0, "{}: {:?}", target.name, outcome.failure);
                if round > 0 {
                    figures.push((outcome, cpu));
                }
            }
        }
    }
    let mut rates = Vec::new();
    for (target, figures) in targets.iter().zip(&figures) {
        let of = |figure: &dyn Fn(&(Outcome, Duration)) -> f64| median(figures.iter().map(figure).collect());
        let rate = of(&|(outcome, _)| count as f64 / outcome.took.as_secs_f64());
        println!(
            "{what:<26} {:<12} {rate:>12.0} {:>9.0} {:>9.0} {:>14.1}",
            target.name,
            of(&|(outcome, _)| outcome.percentile(0.50).as_secs_f64() * 1e6),
            of(&|(outcome, _)| outcome.percentile(0.99).as_secs_f64() * 1e6),
            of(&|(_, cpu)| cpu.as_secs_f64() * 1e6 / count as f64),
        );
        rates.push(rate);
    }
    println!("{:<26} {:<12} {:>11.1}x", "", "ours / peer", rates[0] / rates[1]);
}

fn list(targets: &[Target]) {
    for target in targets {
        let request = [Request::get(&format!("{}/subjects", target.prefix))];
        let mut bytes = 0;
        let times = (0..=ROUNDS * 2).map(|_| {
            let began = Instant::now();
            let outcome = load::run(target.process.address, 1, &request);
            assert_eq!(outcome.failed, 0, "{}: {:?}", target.name, outcome.failure);
            bytes = outcome.bytes;
            began.elapsed().as_secs_f64() * 1e3
        });
        let times: Vec<f64> = times.skip(1).collect();
        println!(
            "{:<26} {:<12} {:>9.1} ms, {bytes} bytes",
            "list all subjects",
            target.name,
            median(times)
        );
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
