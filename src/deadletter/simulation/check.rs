//! What must hold when everybody is done: both topics are read, record by record.

use super::broker::Stored;
use super::world::{Quality, World};
use crate::deadletter::decisions::Entry;
use crate::deadletter::decisions::entry::DeadLetterTopic;
use std::collections::BTreeMap;

/// Longer than anything is kept (`EPOCH_KEPT_MS`).
const LATER_MS: i64 = 8 * 24 * 60 * 60 * 1000;

impl World {
    pub fn check(&mut self) {
        let topic = self.topic();
        let letters = self.letters();
        for (record, known) in self.records.iter().enumerate() {
            let (good, bad) = (topic[record], letters[record]);
            let acknowledged = self.acknowledged[record];
            let why = if good + bad > 1 {
                "is there twice"
            } else if acknowledged && good + bad == 0 {
                "was acknowledged and is lost"
            } else if good > 0 && known.quality == Quality::Bad {
                "is bad and in the topic"
            } else if bad > 0 && known.quality == Quality::Good {
                "is good and a dead letter"
            } else if good + bad > 0 && !self.may_be_there(record) {
                "was in a transaction that was not committed"
            } else {
                continue;
            };
            let what = format!(
                "record {record} of client {}.{} ({:?}) {why}: {good} in the topic, {bad} dead letters",
                known.client, known.lane, known.quality
            );
            return self.break_with(|| what);
        }
        self.check_order();
        self.check_memory();
    }

    fn may_be_there(&self, record: usize) -> bool {
        let known = self.records[record];
        known.transaction.is_none_or(|transaction| {
            let outcomes = &self.coordinators[known.client].outcomes;
            outcomes.contains(&(transaction, true))
        })
    }

    /// As a consumer with `read_committed` sees each partition.
    fn visible(&self, partition: usize) -> Vec<u32> {
        let mut visible = Vec::new();
        let mut open: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for stored in self.partitions[partition].log() {
            match stored {
                Stored::Batch(batch) if batch.transaction.is_none() => visible.extend(&batch.records),
                Stored::Batch(batch) => open.entry(batch.producer_id).or_default().extend(&batch.records),
                Stored::Marker {
                    producer_id,
                    committed,
                    ..
                } => {
                    let ended = open.remove(producer_id).unwrap_or_default();
                    if *committed {
                        visible.extend(ended);
                    }
                }
            }
        }
        visible
    }

    /// How often each record is in its topic.
    fn topic(&self) -> Vec<u32> {
        let mut count = vec![0; self.records.len()];
        for partition in 0..self.partitions.len() {
            for record in self.visible(partition) {
                count[record as usize] += 1;
            }
        }
        count
    }

    /// How often each record is in the dead-letter topic.
    fn letters(&self) -> Vec<u32> {
        let mut count = vec![0; self.records.len()];
        for (log, owner) in self.logs.iter().zip(&self.owners) {
            for decision in &owner.letters {
                for record in log.records(*decision) {
                    count[*record as usize] += 1;
                }
            }
        }
        count
    }

    /// A client's records are numbered as it sent them.
    fn check_order(&mut self) {
        for partition in 0..self.partitions.len() {
            let mut visible = self.visible(partition);
            visible.retain(|record| self.acknowledged[*record as usize]);
            if let Some(pair) = visible.windows(2).find(|pair| pair[0] > pair[1]) {
                let pair = pair.to_vec();
                return self.break_with(|| format!("partition {partition} has {pair:?} in this order"));
            }
        }
    }

    fn check_memory(&mut self) {
        for log in 0..self.logs.len() {
            let mut fold = self.owners[log].fold().clone();
            let letters = Entry::Letters {
                topic: "orders".into(),
                partition: 0,
                count: 1,
                target: DeadLetterTopic {
                    name: "orders.dlq".into(),
                    retention_ms: None,
                },
            };
            let end = self.logs[log].end();
            if fold.next_offset() != end {
                return self.break_with(|| format!("log {log} is not projected up to its end {end}"));
            }
            fold.apply(end, self.now as i64 + LATER_MS, &letters);
            if !fold.is_empty() || fold.unsettled_from() != fold.next_offset() {
                return self.break_with(|| format!("log {log}: producers are remembered for ever: {fold:?}"));
            }
        }
    }
}
