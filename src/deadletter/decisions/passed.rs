//! Batches that passed whole: the log has nothing of them, but a retry is not to be judged anew.

use super::batch::{BatchKey, ProducerPartition};
use std::collections::{HashMap, VecDeque};

/// As many as a broker takes twice.
const BATCHES: usize = 5;

/// The last batches of each producer and partition that lost nothing.
pub struct Passed {
    batches: HashMap<ProducerPartition, VecDeque<BatchKey>>,
    producers_max: usize,
}

impl Passed {
    /// Of at most `producers_max` producers and partitions; beyond it all are forgotten, which costs stickiness only
    /// when a policy changes between a batch and its retry.
    #[must_use]
    pub fn new(producers_max: usize) -> Self {
        Self {
            batches: HashMap::new(),
            producers_max,
        }
    }

    #[must_use]
    pub fn contains(&self, of: &ProducerPartition, batch: &BatchKey) -> bool {
        self.batches
            .get(of)
            .is_some_and(|batches| batches.contains(batch))
    }

    pub fn insert(&mut self, of: &ProducerPartition, batch: BatchKey) {
        if let Some(batches) = self.batches.get_mut(of) {
            if !batches.contains(&batch) {
                if batches.len() == BATCHES {
                    batches.pop_front();
                }
                batches.push_back(batch);
            }
            return;
        }
        if self.batches.len() >= self.producers_max {
            self.batches.clear();
        }
        self.batches.insert(of.clone(), VecDeque::from([batch]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(producer_id: i64) -> ProducerPartition {
        ProducerPartition {
            producer_id,
            topic: "orders".into(),
            partition: 0,
        }
    }

    fn batch(base_sequence: i32) -> BatchKey {
        BatchKey {
            producer_epoch: 0,
            base_sequence,
            record_count: 10,
            crc: 1,
        }
    }

    #[test]
    fn the_last_five_are_remembered() {
        let mut passed = Passed::new(2);
        for number in 0..7 {
            passed.insert(&of(1), batch(number * 10));
            passed.insert(&of(1), batch(number * 10));
        }
        let remembered: Vec<i32> = (0..7)
            .map(|number| number * 10)
            .filter(|base| passed.contains(&of(1), &batch(*base)))
            .collect();
        assert_eq!(remembered, [20, 30, 40, 50, 60]);
        let other = BatchKey { crc: 2, ..batch(60) };
        assert!(!passed.contains(&of(1), &other));
    }

    #[test]
    fn producers_beyond_the_bound_do_not_take_more_memory() {
        let mut passed = Passed::new(2);
        for producer in 0..5 {
            passed.insert(&of(producer), batch(0));
        }
        assert!(passed.batches.len() <= 2 && passed.contains(&of(4), &batch(0)));
    }
}
