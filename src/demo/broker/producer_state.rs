//! Idempotence: what a partition remembers of its producers (Kafka's `ProducerStateManager`, `ProducerAppendInfo`).

use crate::wire::batch::BatchHeader;
use kafka_protocol::ResponseError;
use std::collections::{HashMap, VecDeque};

/// Kafka's `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`: a retry of one of these is recognised.
const BATCHES_KEPT: usize = 5;

/// Beyond these the one that has been silent longest is forgotten, as Kafka forgets by time.
const PRODUCERS_MAX: usize = 10_000;

#[derive(Clone, Copy)]
struct Appended {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

struct Producer {
    epoch: i16,
    last_batches: VecDeque<Appended>,
    last_append: u64,
}

/// What is to be done with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sequencing {
    Append,
    /// Appended before, at this offset: answer with success, append nothing.
    Duplicate {
        base_offset: i64,
    },
}

#[derive(Default)]
pub struct ProducerStates {
    producers: HashMap<i64, Producer>,
    appends: u64,
}

/// A sequence so many further; they wrap from 2^31 - 1 to 0.
fn advance(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) & i64::from(i32::MAX)) as i32
}

impl ProducerStates {
    /// Judges a batch against what its producer appended before. Batches without a producer id always append.
    pub fn check(&self, batch: &BatchHeader) -> Result<Sequencing, ResponseError> {
        if batch.producer_id < 0 {
            return Ok(Sequencing::Append);
        }
        if batch.base_sequence < 0 || batch.producer_epoch < 0 {
            return Err(ResponseError::InvalidRecord);
        }
        // A producer that is not known may begin anywhere: its state may have been forgotten.
        let Some(producer) = self.producers.get(&batch.producer_id) else {
            return Ok(Sequencing::Append);
        };
        if batch.producer_epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if batch.producer_epoch > producer.epoch {
            return if batch.base_sequence == 0 {
                Ok(Sequencing::Append)
            } else {
                Err(ResponseError::OutOfOrderSequenceNumber)
            };
        }
        let last_sequence = advance(batch.base_sequence, batch.last_offset_delta);
        let duplicate = producer.last_batches.iter().find(|appended| {
            appended.first_sequence == batch.base_sequence && appended.last_sequence == last_sequence
        });
        if let Some(appended) = duplicate {
            return Ok(Sequencing::Duplicate {
                base_offset: appended.base_offset,
            });
        }
        match producer.last_batches.back() {
            Some(last) if advance(last.last_sequence, 1) != batch.base_sequence => {
                Err(ResponseError::OutOfOrderSequenceNumber)
            }
            _ => Ok(Sequencing::Append),
        }
    }

    /// Remembers a batch that [`Self::check`] let through.
    pub fn appended(&mut self, batch: &BatchHeader, base_offset: i64) {
        if batch.producer_id < 0 {
            return;
        }
        self.appends += 1;
        if self.producers.len() >= PRODUCERS_MAX && !self.producers.contains_key(&batch.producer_id) {
            self.forget_the_most_silent();
        }
        let producer = self
            .producers
            .entry(batch.producer_id)
            .or_insert_with(|| Producer {
                epoch: batch.producer_epoch,
                last_batches: VecDeque::new(),
                last_append: 0,
            });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.last_batches.clear();
        }
        if producer.last_batches.len() == BATCHES_KEPT {
            producer.last_batches.pop_front();
        }
        producer.last_batches.push_back(Appended {
            first_sequence: batch.base_sequence,
            last_sequence: advance(batch.base_sequence, batch.last_offset_delta),
            base_offset,
        });
        producer.last_append = self.appends;
    }

    fn forget_the_most_silent(&mut self) {
        let silent = self
            .producers
            .iter()
            .min_by_key(|(_, producer)| producer.last_append)
            .map(|(id, _)| *id);
        if let Some(id) = silent {
            self.producers.remove(&id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn batch(epoch: i16, base_sequence: i32, records: i32) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            length: 0,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: 0,
            last_offset_delta: records - 1,
            first_timestamp_ms: 0,
            max_timestamp_ms: 0,
            producer_id: 7,
            producer_epoch: epoch,
            base_sequence,
            record_count: records,
        }
    }

    fn append(
        states: &mut ProducerStates,
        batch: &BatchHeader,
        offset: i64,
    ) -> Result<Sequencing, ResponseError> {
        let sequencing = states.check(batch)?;
        if sequencing == Sequencing::Append {
            states.appended(batch, offset);
        }
        Ok(sequencing)
    }

    #[test]
    fn sequences_must_follow_one_another_within_an_epoch() {
        let mut states = ProducerStates::default();
        assert_eq!(append(&mut states, &batch(0, 0, 3), 0), Ok(Sequencing::Append));
        assert_eq!(
            append(&mut states, &batch(0, 4, 1), 3),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        assert_eq!(append(&mut states, &batch(0, 3, 1), 3), Ok(Sequencing::Append));
    }

    #[test]
    fn a_retry_of_one_of_the_last_five_batches_is_answered_with_its_first_offset() {
        let mut states = ProducerStates::default();
        for index in 0..6 {
            append(&mut states, &batch(0, index, 1), i64::from(index) + 100).unwrap();
        }
        assert_eq!(
            append(&mut states, &batch(0, 1, 1), 0),
            Ok(Sequencing::Duplicate { base_offset: 101 })
        );
        assert_eq!(
            append(&mut states, &batch(0, 0, 1), 0),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        // The same base with another count is not a retry.
        assert_eq!(
            append(&mut states, &batch(0, 5, 2), 0),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old_one() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(1, 0, 1), 0).unwrap();
        assert_eq!(
            append(&mut states, &batch(2, 1, 1), 1),
            Err(ResponseError::OutOfOrderSequenceNumber)
        );
        assert_eq!(append(&mut states, &batch(2, 0, 1), 1), Ok(Sequencing::Append));
        assert_eq!(
            append(&mut states, &batch(1, 1, 1), 2),
            Err(ResponseError::InvalidProducerEpoch)
        );
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut states = ProducerStates::default();
        append(&mut states, &batch(0, i32::MAX - 1, 3), 0).unwrap();
        assert_eq!(append(&mut states, &batch(0, 1, 1), 3), Ok(Sequencing::Append));
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere() {
        assert_eq!(
            ProducerStates::default().check(&batch(3, 17, 1)),
            Ok(Sequencing::Append)
        );
    }
}
