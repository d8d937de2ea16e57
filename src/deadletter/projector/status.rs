//! What the projector says of itself, beside its readiness check and in the log.

use super::CHECK;
use crate::telemetry::health::Health;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

pub struct Status {
    health: Health,
    /// The partitions of the log that are owned, with what each waits for.
    partitions: Mutex<BTreeMap<i32, Option<String>>>,
}

impl Status {
    pub fn new(health: Health) -> Self {
        health.pass(CHECK);
        let status = Self {
            health,
            partitions: Mutex::default(),
        };
        status.owned(&[]);
        status
    }

    pub fn owned(&self, partitions: &[i32]) {
        self.change(|known| *known = partitions.iter().map(|partition| (*partition, None)).collect());
    }

    /// `trouble`: why the dead letters of a partition wait; none when they do not.
    pub fn say(&self, partition: i32, trouble: Option<&str>) {
        self.change(|known| {
            if let Some(said) = known.get_mut(&partition) {
                *said = trouble.map(str::to_owned);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<i32, Option<String>>)) {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut partitions);
        self.health.note(CHECK, words(&partitions));
    }
}

fn words(partitions: &BTreeMap<i32, Option<String>>) -> String {
    if partitions.is_empty() {
        return "owns no partition of the log".to_owned();
    }
    let owned: Vec<String> = partitions.keys().map(ToString::to_string).collect();
    let mut words = format!("owns {} of the log", owned.join(", "));
    for (partition, trouble) in partitions {
        if let Some(trouble) = trouble {
            // Writing to a string does not fail.
            let _ = write!(words, "; the dead letters of {partition} wait: {trouble}");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_names_what_is_owned_and_what_waits() {
        let health = Health::default();
        let status = Status::new(health.clone());
        assert_eq!(health.report(), "[+] projector (owns no partition of the log)\n");
        status.owned(&[3, 4]);
        status.say(3, Some("dead-letter topic bad is missing"));
        status.say(7, Some("nobody's"));
        assert_eq!(
            health.report(),
            "[+] projector (owns 3, 4 of the log; the dead letters of 3 wait: dead-letter topic bad is missing)\n"
        );
        status.say(3, None);
        assert_eq!(health.report(), "[+] projector (owns 3, 4 of the log)\n");
        assert!(health.is_ready());
    }
}
