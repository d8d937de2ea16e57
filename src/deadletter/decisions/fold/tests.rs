use super::super::entry::DeadLetterTopic;
use super::*;

fn of(producer_id: i64) -> ProducerPartition {
    ProducerPartition {
        producer_id,
        topic: "orders".into(),
        partition: 0,
    }
}

fn batch(epoch: i16, base_sequence: i32) -> BatchKey {
    BatchKey {
        producer_epoch: epoch,
        base_sequence,
        record_count: 10,
        crc: base_sequence.unsigned_abs() + 1,
    }
}

/// A fold, and the offset that its next entry has.
#[derive(Default)]
struct Log {
    fold: Fold,
    at_ms: i64,
}

impl Log {
    fn write(&mut self, entry: &Entry) -> (i64, Settled) {
        let offset = self.fold.next_offset();
        (offset, self.fold.apply(offset, self.at_ms, entry))
    }

    fn decide(
        &mut self,
        of: ProducerPartition,
        batch: BatchKey,
        dropped: &[u32],
        transactional: bool,
    ) -> i64 {
        let decision = Decision {
            of,
            batch,
            dropped: dropped.iter().copied().collect(),
            transactional,
            target: DeadLetterTopic {
                name: "orders.dlq".into(),
                retention_ms: None,
            },
        };
        self.write(&Entry::Decision(decision)).0
    }

    fn confirm(&mut self, decision: i64) -> Settled {
        self.write(&Entry::Confirmed { of: of(1), decision }).1
    }

    fn revoke(&mut self, decision: i64) {
        self.write(&Entry::Revoked { of: of(1), decision });
    }

    fn held(&self, batch: &BatchKey) -> Option<(i64, String)> {
        let held = self.fold.held(&of(1), batch)?;
        Some((held.decision, held.dropped.to_string()))
    }
}

fn letters(decisions: &[i64]) -> Settled {
    Settled {
        dead_letters: decisions.to_vec(),
        dropped: Vec::new(),
    }
}

#[test]
fn the_first_decision_on_a_batch_holds() {
    let mut log = Log::default();
    let first = log.decide(of(1), batch(0, 0), &[1, 2], false);
    let second = log.decide(of(1), batch(0, 0), &[7], false);
    assert_eq!(log.held(&batch(0, 0)), Some((first, "1-2".to_owned())));
    assert_eq!(log.confirm(second), Settled::default(), "it never held");
    assert_eq!(log.confirm(first), letters(&[first]));
    assert_eq!(log.confirm(first), Settled::default(), "once");
}

#[test]
fn another_batch_at_the_same_sequence_is_another_batch() {
    let mut log = Log::default();
    log.decide(of(1), batch(0, 0), &[1], false);
    let content = BatchKey {
        crc: 77,
        ..batch(0, 0)
    };
    let split = BatchKey {
        record_count: 5,
        ..batch(0, 0)
    };
    assert_eq!((log.held(&content), log.held(&split)), (None, None));
    assert_eq!(log.held(&batch(1, 0)), None);
}

#[test]
fn the_shift_is_what_was_dropped_before_in_the_epoch() {
    let mut log = Log::default();
    let first = log.decide(of(1), batch(0, 0), &[1, 2], false);
    log.decide(of(1), batch(0, 10), &[0], false);
    log.decide(of(2), batch(0, 0), &[0, 1, 2, 3], false);
    let shift = |log: &Log, epoch, base| log.fold.shift(&of(1), epoch, base);
    assert_eq!([0, 5, 10, 20].map(|base| shift(&log, 0, base)), [0, 2, 2, 3]);
    assert_eq!(shift(&log, 1, 20), 0, "another epoch");
    log.revoke(first);
    assert_eq!([10, 20].map(|base| shift(&log, 0, base)), [0, 1]);
    assert_eq!(log.held(&batch(0, 0)), None, "it may be decided anew");
}

#[test]
fn the_shift_holds_across_the_wrap_and_for_any_number_of_decisions() {
    let mut log = Log::default();
    let start = i32::MAX - 499;
    for number in 0..100 {
        let base = sequence::after(start, number * 10);
        let decision = log.decide(of(1), batch(0, base), &[0, 9], false);
        assert_eq!(log.fold.shift(&of(1), 0, base), number * 2);
        log.confirm(decision);
    }
    assert_eq!(log.fold.shift(&of(1), 0, sequence::after(start, 1000)), 200);
    let known = &log.fold.producers[&of(1)][0].known;
    assert_eq!(known.len(), KEPT);
    assert!(log.fold.is_forgotten(&of(1), 0, start));
    assert!(!log.fold.is_forgotten(&of(1), 0, sequence::after(start, 990)));
    assert!(!log.fold.is_forgotten(&of(1), 1, start));
    let stray = log.decide(of(1), batch(0, start), &[0, 9], false);
    assert_eq!(log.confirm(stray), Settled::default());
}

#[test]
fn what_was_taken_is_confirmed_although_another_gateway_was_refused() {
    let mut log = Log::default();
    let first = log.decide(of(1), batch(0, 0), &[1], false);
    log.revoke(first);
    let second = log.decide(of(1), batch(0, 0), &[1, 2], false);
    let settled = log.confirm(first);
    assert_eq!(
        (settled.dead_letters, settled.dropped),
        (vec![first], vec![second])
    );
    assert_eq!(log.held(&batch(0, 0)), Some((first, "1".to_owned())));
    assert_eq!(log.confirm(second), Settled::default());
    log.revoke(first);
    assert_eq!(log.fold.shift(&of(1), 0, 10), 1, "a confirmed decision stands");
}

#[test]
fn a_transactions_dead_letters_wait_for_its_end() {
    let mut log = Log::default();
    let decisions: Vec<i64> = [0, 10, 20]
        .iter()
        .map(|base| log.decide(of(1), batch(3, *base), &[0], true))
        .collect();
    assert_eq!(log.confirm(decisions[1]), Settled::default());
    assert_eq!(log.confirm(decisions[0]), Settled::default());
    assert_eq!(log.fold.unsettled_from(), decisions[0]);
    assert_eq!(
        log.fold.transaction_ended(1, 2, true),
        Settled::default(),
        "another's epoch"
    );
}

#[test]
fn a_commit_makes_dead_letters_of_what_was_confirmed_and_an_abort_of_nothing() {
    for (marker_epoch, committed) in [(3, true), (4, true), (3, false), (4, false)] {
        let mut log = Log::default();
        let first = log.decide(of(1), batch(3, 0), &[0], true);
        let second = log.decide(of(1), batch(3, 10), &[0], true);
        let other = log.decide(of(2), batch(3, 0), &[0], true);
        log.confirm(first);
        log.confirm(second);
        let unanswered = log.decide(of(1), batch(3, 20), &[0], true);
        let settled = log.fold.transaction_ended(1, marker_epoch, committed);
        if committed {
            assert_eq!(settled.dead_letters, [first, second]);
            assert_eq!(settled.dropped, [unanswered]);
        } else {
            assert_eq!(settled.dead_letters, [0i64; 0]);
            assert_eq!(settled.dropped, [first, second, unanswered]);
        }
        assert_eq!(log.fold.unsettled_from(), other);
        assert_eq!(log.fold.shift(&of(1), 3, 30), 3, "sequence numbers go on");
        if marker_epoch == 3 {
            // The next transaction of the epoch, as before transactions v2.
            let next = log.decide(of(1), batch(3, 30), &[0], true);
            log.confirm(next);
            assert_eq!(log.fold.transaction_ended(1, 3, true), letters(&[next]));
        }
    }
}

#[test]
fn what_nobody_asks_for_any_more_is_forgotten_by_the_logs_own_clock() {
    let mut log = Log::default();
    let given_up = log.decide(of(1), batch(0, 0), &[], false);
    let confirmed = log.decide(of(1), batch(1, 0), &[0], false);
    log.confirm(confirmed);
    log.at_ms += OPEN_KEPT_MS + 1;
    let (_, settled) = log.write(&Entry::Letters {
        topic: "clicks".into(),
        partition: 0,
        count: 3,
        target: DeadLetterTopic {
            name: "clicks.dlq".into(),
            retention_ms: None,
        },
    });
    assert_eq!((settled.dead_letters, settled.dropped), (vec![4], vec![given_up]));
    assert_eq!(log.fold.next_offset(), 8);
    assert_eq!(log.held(&batch(0, 0)), None);
    assert_eq!(log.fold.shift(&of(1), 1, 10), 1);
    assert_eq!(log.fold.unsettled_from(), log.fold.next_offset());
    log.at_ms += EPOCH_KEPT_MS;
    log.decide(of(3), batch(0, 0), &[0], false);
    assert_eq!(log.fold.len(), 1);
}

#[test]
fn a_snapshot_goes_on_where_the_fold_was() {
    let mut log = Log::default();
    for number in 0..40 {
        let decision = log.decide(
            of(number % 3),
            batch(0, number as i32 * 10),
            &[0, 3, 4],
            number % 2 == 0,
        );
        if number % 4 != 0 {
            log.write(&Entry::Confirmed {
                of: of(number % 3),
                decision,
            });
        }
    }
    let text = serde_json::to_string(&log.fold).unwrap();
    let read: Fold = serde_json::from_str(&text).unwrap();
    assert_eq!(read.next_offset(), log.fold.next_offset());
    assert_eq!(read.unsettled, log.fold.unsettled);
    for number in 0..40 {
        let (of, batch) = (of(number % 3), batch(0, number as i32 * 10));
        assert_eq!(read.held(&of, &batch), log.fold.held(&of, &batch));
        assert_eq!(
            read.shift(&of, 0, batch.base_sequence),
            log.fold.shift(&of, 0, batch.base_sequence)
        );
    }
    assert_eq!(read.transactions, log.fold.transactions);
}

#[test]
fn what_is_confirmed_after_its_transaction_has_ended_is_no_dead_letter() {
    for committed in [false, true] {
        let mut log = Log::default();
        let decision = log.decide(of(1), batch(0, 0), &[1, 2], true);
        let ended = log.fold.transaction_ended(1, 0, committed);
        assert_eq!(ended.dropped, [decision]);
        assert_eq!(log.confirm(decision), Settled::default(), "{committed}");
        assert_eq!(
            log.fold.shift(&of(1), 0, 10),
            2,
            "the batch was taken all the same"
        );
        assert_eq!(log.fold.unsettled_from(), log.fold.next_offset());
    }
}

#[test]
fn what_a_client_has_numbered_anew_counts_no_more_under_its_old_number() {
    // Java subtracts a refused batch's records from those behind it, in the same epoch; of the second the answer was lost.
    let mut log = Log::default();
    let stale = log.decide(of(1), batch(0, 13), &[0], false);
    let anew = BatchKey {
        crc: 99,
        ..batch(0, 10)
    };
    assert_eq!(log.fold.displaced(&of(1), &anew), Some(stale));
    assert_eq!(log.fold.displaced(&of(1), &batch(0, 13)), None, "the same");
    assert_eq!(log.fold.displaced(&of(1), &batch(0, 23)), None, "behind it");
    assert_eq!(log.fold.displaced(&of(1), &batch(1, 13)), None, "another epoch");
    let decision = log.decide(of(1), anew, &[1, 2], false);
    assert_eq!(log.fold.shift(&of(1), 0, 20), 2);
    log.confirm(decision);
    assert!(log.fold.is_stray(&of(1), &batch(0, 13)) && !log.fold.is_stray(&of(1), &anew));
    let stray = log.decide(of(1), batch(0, 13), &[0], false);
    assert_eq!(log.held(&batch(0, 13)), None);
    assert_eq!(log.confirm(stray), Settled::default());
}

#[test]
fn a_stray_copy_that_is_decided_on_after_its_transaction_waits_for_no_other() {
    // Transactions v2: each has its own epoch, and its marker bears the next one.
    let mut log = Log::default();
    log.fold.transaction_ended(1, 5, false);
    let stray = log.decide(of(1), batch(4, 0), &[1], true);
    assert_eq!(log.confirm(stray), Settled::default());
    let next = log.decide(of(1), batch(5, 0), &[1], true);
    log.confirm(next);
    assert_eq!(log.fold.transaction_ended(1, 6, true), letters(&[next]));
}

#[test]
fn a_transaction_that_never_ends_is_forgotten_with_its_producer() {
    let mut log = Log::default();
    let decision = log.decide(of(1), batch(0, 0), &[1], true);
    log.confirm(decision);
    log.at_ms += EPOCH_KEPT_MS + 1;
    let other = log.decide(of(2), batch(0, 0), &[1], false);
    assert_eq!((log.fold.len(), log.fold.unsettled_from()), (1, other));
}
