//! What is measured, apart from how: each subject goes over all its records once a pass. By the clock in
//! `validators` and `batches`, by the instruction in `instructions`.
#![allow(dead_code, reason = "each benchmark runs some of the subjects")]

pub mod batches;
mod structs;
pub mod validators;

use std::time::Instant;

/// One row: a piece of work over the same records in every pass.
pub struct Subject {
    /// What is worked on; rows of one group are held against its first.
    pub group: &'static str,
    /// Who does it.
    pub name: String,
    pub records: usize,
    pub bytes_per_record: usize,
    /// Goes over all records and counts those that are right.
    pub pass: Box<dyn FnMut() -> usize>,
}

impl Subject {
    /// One pass, which every record has to stand.
    pub fn run(&mut self) {
        let right = (self.pass)();
        assert_eq!(right, self.records, "{} {} refuses orders", self.group, self.name);
    }
}

/// Nanoseconds a record, round by round.
pub struct Timed(Vec<f64>);

impl Timed {
    pub fn median_ns(&self) -> f64 {
        median(self.0.clone())
    }

    pub fn least_ns(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// Runs the subjects in turn, `rounds` times after one to warm up.
pub fn time(subjects: &mut [Subject], rounds: usize) -> Vec<Timed> {
    let mut timed: Vec<Timed> = subjects.iter().map(|_| Timed(Vec::new())).collect();
    for round in 0..=rounds {
        for (subject, timed) in subjects.iter_mut().zip(&mut timed) {
            let start = Instant::now();
            subject.run();
            let ns = start.elapsed().as_nanos() as f64 / subject.records as f64;
            if round > 0 {
                timed.0.push(ns);
            }
        }
    }
    timed
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
