//! Instructions a record, counted by valgrind: `cargo bench --bench instructions` (valgrind from the system's packages).
//!
//! The benchmark runs itself under callgrind once a row, where one function alone is counted: the passes over records
//! that have been gone over before. No clock is read: a busy machine gives the same figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod conditions;
mod orders;
mod subjects;

use portcullis::schema::SchemaType;
use portcullis::wire::compression::Compression;
use std::process::Command;
use subjects::{Subject, batches, validators};

const PASSES: usize = 2;
/// Given to itself: the row.
const COUNTED: &str = "--counted";

fn main() {
    let mut arguments = std::env::args()
        .skip_while(|argument| argument != COUNTED)
        .skip(1);
    if let Some(row) = arguments.next() {
        let mut subject = rows().swap_remove(row.parse().unwrap())();
        subject.run();
        counted_passes(&mut subject);
        println!(
            "{}\t{}\t{}\t{}",
            subject.group, subject.bytes_per_record, subject.name, subject.records
        );
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("no valgrind on this machine: install it from the system's packages to count instructions");
        return;
    }
    println!("{}", conditions::line());
    println!(
        "instructions a record (callgrind; it knows no AVX-512, which the CRC uses where there is some)\n"
    );
    println!("| work | bytes | who | instructions a record | of the first |\n|---|---|---|---|---|");
    let mut first = (String::new(), 0.0);
    for row in 0..rows().len() {
        let (said, instructions) = count(row);
        let mut said = said.trim().split('\t');
        let [group, bytes, name, records] = [(); 4].map(|()| said.next().unwrap().to_owned());
        let instructions = instructions as f64 / (PASSES * records.parse::<usize>().unwrap()) as f64;
        if first.0 != group {
            first = (group.clone(), instructions);
        }
        println!(
            "| {group} | {bytes} | {name} | {instructions:.0} | {:.2} |",
            instructions / first.1
        );
    }
}

/// What is counted. By this name callgrind finds it.
#[inline(never)]
fn counted_passes(subject: &mut Subject) {
    for _ in 0..PASSES {
        subject.run();
    }
}

type Row = Box<dyn FnOnce() -> Subject>;
type Rows = fn() -> Vec<Subject>;

/// Ours and the peers', and the whole batch by codec. Made one by one: a process has its own row only.
fn rows() -> Vec<Row> {
    let several: [(Rows, usize); 4] = [
        (validators::avro, 3),
        (validators::protobuf, 3),
        (validators::json, 2),
        (batches::walks, 3),
    ];
    let mut rows: Vec<Row> = Vec::new();
    for (make, count) in several {
        rows.extend((0..count).map(|row| Box::new(move || make().swap_remove(row)) as Row));
    }
    rows.push(Box::new(|| batches::records_alone(SchemaType::Avro)));
    for codec in Compression::ALL {
        rows.push(Box::new(move || batches::whole(SchemaType::Avro, codec)));
        rows.push(Box::new(move || batches::decompression(SchemaType::Avro, codec)));
    }
    rows
}

/// What the row says of itself, and the instructions of its counted passes.
fn count(row: usize) -> (String, u64) {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*counted_passes*"])
        .arg(std::env::current_exe().unwrap())
        .args([COUNTED, &row.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // "==123== Collected : 456"
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.unwrap_or_else(|| panic!("no count in\n{said}"));
    let count = count.trim().parse().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), count)
}
