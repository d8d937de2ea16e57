//! What the check of one payload costs, beside the library that one would otherwise use, in one run:
//! `cargo bench --bench validators`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod conditions;
mod orders;
mod subjects;

const ROUNDS: usize = 101;
/// Group, the most nanoseconds a record; the least ratio of its peers in their order.
const GOALS: [(&str, f64, &[f64]); 3] = [
    ("Avro", 150.0, &[12.0, 1.7]),
    ("Protobuf", 120.0, &[12.0, 1.5]),
    ("JSON Schema", 450.0, &[4.5]),
];

fn main() {
    let mut subjects = subjects::validators::subjects();
    let timed = subjects::time(&mut subjects, ROUNDS);
    println!("{}", conditions::line());
    println!(
        "{} varied orders, {ROUNDS} interleaved rounds; ns a record; ratios of the least, which a busy machine changes least\n",
        orders::RECORDS
    );
    println!(
        "| language | bytes | who | median ns | least ns | peer / ours | goal |\n|---|---|---|---|---|---|---|"
    );
    for (group, ns_max, ratios) in GOALS {
        let rows: Vec<_> = subjects
            .iter()
            .zip(&timed)
            .filter(|(subject, _)| subject.group == group)
            .collect();
        for (index, (subject, figures)) in rows.iter().enumerate() {
            let (ratio, goal) = match index.checked_sub(1) {
                None => (String::new(), format!("at most {ns_max} ns")),
                Some(peer) => (
                    format!("{:.2}", figures.least_ns() / rows[0].1.least_ns()),
                    format!("at least {}", ratios[peer]),
                ),
            };
            println!(
                "| {group} | {} | {} | {:.0} | {:.0} | {ratio} | {goal} |",
                subject.bytes_per_record,
                subject.name,
                figures.median_ns(),
                figures.least_ns()
            );
        }
    }
}
