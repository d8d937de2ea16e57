use super::*;
use crate::deadletter::decisions::{BatchKey, Decision, ProducerPartition};
use crate::wire::batch::Headers;
use bytes::Bytes;

/// What stands in the log.
#[derive(Clone, Debug)]
enum Logged {
    Entry(Entry, Vec<Letter>),
    Ended { producer_id: i64, committed: bool },
}

fn of(producer_id: i64) -> ProducerPartition {
    ProducerPartition {
        producer_id,
        topic: "orders".into(),
        partition: 2,
    }
}

fn target() -> DeadLetterTopic {
    DeadLetterTopic {
        name: "orders.dlq".into(),
        retention_ms: None,
    }
}

/// A decision that drops `letters` of a batch of ten.
fn decision(producer_id: i64, base_sequence: i32, transactional: bool, letters: &[&str]) -> Logged {
    let dropped = (0..).zip(letters).map(|(index, _)| index);
    let decision = Decision {
        of: of(producer_id),
        batch: BatchKey {
            producer_epoch: 0,
            base_sequence,
            record_count: 10,
            crc: 7,
        },
        dropped: dropped.collect(),
        transactional,
        target: target(),
    };
    let letter = |text: &&str| Letter {
        value: Some(Bytes::from(text.to_string())),
        ..Letter::default()
    };
    Logged::Entry(Entry::Decision(decision), letters.iter().map(letter).collect())
}

fn confirmed(producer_id: i64, decision: i64) -> Logged {
    let of = of(producer_id);
    Logged::Entry(Entry::Confirmed { of, decision }, Vec::new())
}

fn revoked(producer_id: i64, decision: i64) -> Logged {
    let of = of(producer_id);
    Logged::Entry(Entry::Revoked { of, decision }, Vec::new())
}

#[derive(Clone, Default)]
struct Log {
    items: Vec<(i64, Logged)>,
    end: i64,
}

impl Log {
    fn add(&mut self, logged: Logged) -> i64 {
        let offset = self.end;
        self.end += match &logged {
            Logged::Entry(_, letters) => 1 + letters.len() as i64,
            Logged::Ended { .. } => 1,
        };
        self.items.push((offset, logged));
        offset
    }

    /// Hands up to `count` items from where `progress` is.
    fn read(&self, progress: &mut Progress, count: usize) {
        let from = progress.next_offset();
        let first = self.items.partition_point(|(offset, _)| *offset < from);
        for (offset, logged) in self.items[first..].iter().take(count) {
            let offset = *offset;
            match logged {
                Logged::Entry(entry, letters) => {
                    let letters = letters.iter().map(|letter| LogRecord {
                        offset,
                        timestamp_ms: 0,
                        key: None,
                        value: letter.value.as_deref(),
                        headers: Headers::default(),
                    });
                    progress.take(&Item::Entry {
                        offset,
                        // So that the bounds in time matter.
                        timestamp_ms: offset * 3000,
                        entry: entry.clone(),
                        letters: letters.collect(),
                    });
                }
                Logged::Ended {
                    producer_id,
                    committed,
                } => progress.take(&Item::TransactionEnded {
                    offset,
                    producer_id: *producer_id,
                    epoch: 0,
                    committed: *committed,
                }),
            }
        }
    }

    fn letters(&self, entry: i64) -> Vec<String> {
        let index = self.items.partition_point(|(offset, _)| *offset < entry);
        let (_, logged) = &self.items[index];
        let Logged::Entry(_, letters) = logged else {
            panic!("{logged:?}")
        };
        let text = |letter: &Letter| String::from_utf8(letter.value.clone().unwrap().to_vec()).unwrap();
        letters.iter().map(text).collect()
    }
}

/// Projects what is due in rounds of `bytes_max`; as many as `rounds`.
fn project(log: &Log, progress: &mut Progress, bytes_max: usize, rounds: usize, out: &mut Vec<String>) {
    for _ in 0..rounds {
        let round = progress.round(bytes_max);
        for entry in round.iter().flat_map(|due| &due.entries) {
            let pending = progress.pending(*entry).expect("its letters are known");
            assert_eq!((&*pending.topic, pending.partition), ("orders", 2));
            // Without them it would be read again at this offset.
            out.extend(log.letters(*entry));
        }
        progress.projected(&round);
    }
}

#[test]
fn a_decision_is_due_when_it_is_confirmed_and_its_letters_are_gone_when_it_is_projected() {
    let mut log = Log::default();
    let first = log.add(decision(1, 0, false, &["a", "b"]));
    let second = log.add(decision(1, 10, false, &["c"]));
    log.add(confirmed(1, second));
    let mut progress = Progress::new(Position::at(0), 1 << 20);
    log.read(&mut progress, 2);
    assert_eq!(progress.round(1 << 20), []);
    log.read(&mut progress, 1);
    let round = progress.round(1 << 20);
    // The first is still to come, and stands before.
    let then = Position {
        cursor: log.end,
        replay: first,
    };
    assert_eq!(
        round,
        [Due {
            then,
            entries: vec![second]
        }]
    );
    let letters = progress.pending(second).unwrap().letters.clone().unwrap();
    assert_eq!(letters[0].value.as_deref(), Some(&b"c"[..]));
    progress.projected(&round);
    assert!(progress.pending(second).is_none() && progress.pending(first).is_some());
    assert_eq!((progress.cursor(), progress.idle()), (log.end, None));
    log.add(confirmed(1, first));
    log.read(&mut progress, 1);
    assert_eq!(progress.cursor(), log.end - 1);
    let round = progress.round(1 << 20);
    assert_eq!(round[0].then, Position::at(log.end));
    progress.projected(&round);
    assert_eq!(progress.held, 0);
}

#[test]
fn a_new_owner_leaves_out_what_was_projected_and_projects_what_was_decided_before_its_cursor() {
    let mut log = Log::default();
    let early = log.add(decision(1, 0, false, &["early"]));
    let done = log.add(decision(2, 0, false, &["done"]));
    log.add(confirmed(2, done));
    let cursor = log.end;
    log.add(confirmed(1, early));
    let position = Position {
        cursor,
        replay: early,
    };
    let mut progress = Progress::new(position, 1 << 20);
    log.read(&mut progress, 3);
    assert_eq!((progress.idle(), progress.cursor()), (None, cursor));
    log.read(&mut progress, 1);
    let mut out = Vec::new();
    project(&log, &mut progress, 1 << 20, 1, &mut out);
    assert_eq!(out, ["early"]);
}

#[test]
fn the_end_of_a_transaction_is_what_makes_its_dead_letters_certain() {
    for committed in [true, false] {
        let mut log = Log::default();
        let one = log.add(decision(1, 0, true, &["one"]));
        let two = log.add(decision(1, 10, true, &["two"]));
        let open = log.add(decision(1, 20, true, &["open"]));
        log.add(confirmed(1, two));
        log.add(confirmed(1, one));
        log.add(Logged::Ended {
            producer_id: 1,
            committed,
        });
        let mut progress = Progress::new(Position::at(0), 1 << 20);
        log.read(&mut progress, 5);
        assert_eq!(progress.round(1 << 20), []);
        log.read(&mut progress, 1);
        let mut out = Vec::new();
        project(&log, &mut progress, 1 << 20, 1, &mut out);
        assert_eq!(out, if committed { vec!["one", "two"] } else { vec![] });
        assert!(progress.pending(open).is_none());
        assert_eq!(progress.take_dropped(), if committed { 1 } else { 3 });
        assert_eq!(progress.held, 0);
    }
}

#[test]
fn letters_over_the_bound_are_left_in_the_log() {
    let mut log = Log::default();
    let first = log.add(decision(1, 0, false, &["a"]));
    let second = log.add(decision(1, 10, false, &["b"]));
    log.add(confirmed(1, first));
    let mut progress = Progress::new(Position::at(0), 40);
    log.read(&mut progress, 2);
    assert!(progress.pending(first).unwrap().letters.is_some());
    assert!(progress.pending(second).unwrap().letters.is_none());
    log.read(&mut progress, 1);
    project(&log, &mut progress, 1, 1, &mut Vec::new());
    assert_eq!(progress.held, 0);
    let third = log.add(decision(1, 20, false, &["c"]));
    log.read(&mut progress, 1);
    assert!(progress.pending(third).unwrap().letters.is_some());
}

#[test]
fn records_of_producers_without_sequences_are_due_at_once() {
    let mut log = Log::default();
    let entry = Entry::Letters {
        topic: "orders".into(),
        partition: 2,
        count: 1,
        target: target(),
    };
    let letter = Letter {
        value: Some(Bytes::from("plain")),
        ..Letter::default()
    };
    log.add(Logged::Entry(entry, vec![letter]));
    let mut progress = Progress::new(Position::at(0), 1 << 20);
    log.read(&mut progress, 1);
    let mut out = Vec::new();
    project(&log, &mut progress, 1 << 20, 1, &mut out);
    assert_eq!(out, ["plain"]);
}

#[test]
fn a_new_owner_knows_which_transactions_have_ended_not_long_before() {
    let mut log = Log::default();
    let marker = log.add(Logged::Ended {
        producer_id: 1,
        committed: false,
    });
    let done = log.add(decision(2, 0, false, &["done"]));
    log.add(confirmed(2, done));
    let mut progress = Progress::new(Position::at(0), 1 << 20);
    log.read(&mut progress, 3);
    assert_eq!(progress.position().replay, marker);
    for base_sequence in 1..=MARKERS_REPLAYED_MS / 3000 {
        let decision = log.add(decision(
            3,
            i32::try_from(base_sequence).unwrap() * 10,
            false,
            &[],
        ));
        log.add(confirmed(3, decision));
    }
    log.read(&mut progress, usize::MAX);
    assert_eq!(progress.position().replay, log.end);
}

/// A log of several producers, some of them transactional, whose batches are decided, decided twice, refused and tried
/// again, confirmed late. With what its dead letters are, by how it was made.
fn written(random: &mut impl FnMut(u64) -> u64) -> (Log, Vec<String>) {
    struct Producing {
        id: i64,
        transactional: bool,
        next_sequence: i32,
        open: Vec<i64>,
        in_transaction: Vec<i64>,
    }
    let mut log = Log::default();
    let mut expected = Vec::new();
    let mut producers: Vec<Producing> = (1..=4)
        .map(|id| Producing {
            id,
            transactional: id > 2,
            next_sequence: 0,
            open: Vec::new(),
            in_transaction: Vec::new(),
        })
        .collect();
    for step in 0..150 {
        let index = random(4) as usize;
        let producer = &mut producers[index];
        match random(8) {
            0..=2 => {
                let texts: Vec<String> = (0..=random(3)).map(|letter| format!("{step}-{letter}")).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let decided = decision(
                    producer.id,
                    producer.next_sequence,
                    producer.transactional,
                    &texts,
                );
                let mut offset = log.add(decided.clone());
                // Two gateways at once: the first holds.
                if random(4) == 0 {
                    log.add(decided.clone());
                }
                if random(4) == 0 {
                    log.add(revoked(producer.id, offset));
                    offset = log.add(decided);
                }
                producer.open.push(offset);
                producer.next_sequence += 10;
            }
            3..=5 if !producer.open.is_empty() => {
                let decision = producer.open.remove(0);
                log.add(confirmed(producer.id, decision));
                if random(4) == 0 {
                    log.add(confirmed(producer.id, decision));
                }
                if producer.transactional {
                    producer.in_transaction.push(decision);
                } else {
                    expected.extend(log.letters(decision));
                }
            }
            6 if producer.transactional => {
                let committed = random(2) == 0;
                let producer_id = producer.id;
                log.add(Logged::Ended {
                    producer_id,
                    committed,
                });
                producer.in_transaction.sort_unstable();
                for decision in producer.in_transaction.drain(..) {
                    if committed {
                        expected.extend(log.letters(decision));
                    }
                }
                producer.open.clear();
            }
            _ => {}
        }
    }
    (log, expected)
}

#[test]
fn owners_that_crash_anywhere_project_each_dead_letter_once_and_in_order() {
    for seed in 0..60_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let (log, expected) = written(&mut random);
        assert!(expected.len() > 10, "seed {seed}");
        let mut out = Vec::new();
        let mut committed = Position::at(0);
        let mut progress = Progress::new(committed, 300);
        while progress.cursor() < log.end {
            log.read(&mut progress, random(12) as usize);
            for _ in 0..random(4) {
                project(&log, &mut progress, random(200) as usize, 1, &mut out);
                committed = progress.committed;
            }
            if random(3) == 0
                && let Some(idle) = progress.idle()
            {
                progress.committed(idle);
                committed = idle;
            }
            // What was not committed is undone with the transaction, so `out` is what is seen.
            if random(4) == 0 {
                progress = Progress::new(committed, 300);
            }
        }
        assert_eq!(out, expected, "seed {seed}");
    }
}
