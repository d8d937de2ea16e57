//! What a record batch costs: the walk over its records beside kafka-protocol's decoder, and the whole check of a batch
//! beside the sum of its parts. `cargo bench --bench batches`.
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
use subjects::batches::{BATCH_RECORDS, decompression, records_alone, walks, whole};

const ROUNDS: usize = 101;
/// The whole may cost its decompression and this much of its records validated alone.
const RECORDS_SHARE: f64 = 1.15;

fn main() {
    println!("{}", conditions::line());
    println!(
        "batches of {BATCH_RECORDS} varied records, {ROUNDS} interleaved rounds; ns a record; ratios of the least, which a busy machine changes least\n"
    );
    walk();
    for language in orders::LANGUAGES {
        whole_batches(language);
    }
}

/// Goals: at most 30 ns a record, and the peer at least 4 times that.
fn walk() {
    let mut subjects = walks();
    let timed = subjects::time(&mut subjects, ROUNDS);
    println!(
        "| record batch walk | bytes | median ns | least ns | peer / ours | goal |\n|---|---|---|---|---|---|"
    );
    for (subject, figures) in subjects.iter().zip(&timed) {
        let ratio = figures.least_ns() / timed[0].least_ns();
        let goal = match subject.name.as_str() {
            "portcullis" => "at most 30 ns",
            "kafka-protocol" => "at least 4",
            _ => "",
        };
        println!(
            "| {} | {} | {:.1} | {:.1} | {ratio:.2} | {goal} |",
            subject.name,
            subject.bytes_per_record,
            figures.median_ns(),
            figures.least_ns()
        );
    }
}

fn whole_batches(language: SchemaType) {
    let mut subjects = vec![records_alone(language)];
    for codec in Compression::ALL {
        subjects.push(whole(language, codec));
        subjects.push(decompression(language, codec));
    }
    let timed = subjects::time(&mut subjects, ROUNDS);
    println!(
        "\n| whole {} batch | bytes | whole | decompression | records alone | (whole - decompression) / records | whole / (decompression + {RECORDS_SHARE} x records), goal 1 |\n|---|---|---|---|---|---|---|",
        language.as_str()
    );
    for (pair, codec) in Compression::ALL.iter().enumerate() {
        let [whole, decompression, records] =
            [1 + 2 * pair, 2 + 2 * pair, 0].map(|row| timed[row].least_ns());
        println!(
            "| {codec:?} | {} | {whole:.1} | {decompression:.1} | {records:.1} | {:.3} | {:.3} |",
            subjects[1 + 2 * pair].bytes_per_record,
            (whole - decompression) / records,
            whole / (decompression + RECORDS_SHARE * records),
        );
    }
}
