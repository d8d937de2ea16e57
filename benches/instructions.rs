//! Instructions a record, counted by valgrind: `cargo bench --bench instructions` (valgrind from the system's packages).
//!
//! The benchmark runs itself under callgrind, each subject with some passes and with twice as many; the difference is
//! what the records cost, whatever was paid to set up. No clock is read: a busy machine gives the same figures.
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
/// Given to itself: the subject's place in [`subjects`], and the passes.
const COUNTED: &str = "--counted";

fn main() {
    let mut arguments = std::env::args()
        .skip_while(|argument| argument != COUNTED)
        .skip(1);
    if let (Some(place), Some(passes)) = (arguments.next(), arguments.next()) {
        let mut subject = subjects().swap_remove(place.parse().unwrap());
        (0..passes.parse::<usize>().unwrap()).for_each(|_| subject.run());
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("no valgrind on this machine: install it from the system's packages to count instructions");
        return;
    }
    println!("{}", conditions::line());
    println!("instructions a record, over {PASSES} passes (callgrind; it knows no AVX-512)\n");
    println!("| work | bytes | who | instructions a record | of ours |\n|---|---|---|---|---|");
    let mut first = ("", 0.0);
    for (place, subject) in subjects().iter().enumerate() {
        let instructions = instructions(place, PASSES * 2).saturating_sub(instructions(place, PASSES));
        let instructions = instructions as f64 / (PASSES * subject.records) as f64;
        if first.0 != subject.group {
            first = (subject.group, instructions);
        }
        println!(
            "| {} | {} | {} | {instructions:.0} | {:.2} |",
            subject.group,
            subject.bytes_per_record,
            subject.name,
            instructions / first.1
        );
    }
}

/// Ours and the peers', and the whole batch by codec.
fn subjects() -> Vec<Subject> {
    let mut subjects = validators::subjects();
    subjects.extend(batches::walks());
    subjects.push(batches::records_alone(SchemaType::Avro));
    for codec in Compression::ALL {
        subjects.push(batches::whole(SchemaType::Avro, codec));
        subjects.push(batches::decompression(SchemaType::Avro, codec));
    }
    subjects
}

/// Of the whole process.
fn instructions(place: usize, passes: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([COUNTED, &place.to_string(), &passes.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // "==123== Collected : 456"
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.unwrap_or_else(|| panic!("no count in\n{said}"));
    count.trim().parse().unwrap()
}
