//! What stands in the log. An entry is a record whose key names its kind and whose value is JSON; the records that it
//! speaks of follow it in the same batch, each as it will stand in the dead-letter topic.

use super::batch::{BatchKey, ProducerPartition};
use crate::wire::record_indexes::RecordIndexes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;

/// What becomes of one batch of a producer with sequence numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    pub of: ProducerPartition,
    pub batch: BatchKey,
    /// The records that leave the batch; they follow the entry.
    pub dropped: RecordIndexes,
    /// The log's partition is in the producer's transaction, and its end will be marked here.
    pub transactional: bool,
    pub target: DeadLetterTopic,
}

/// Where dead letters go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeadLetterTopic {
    pub name: Arc<str>,
    /// For when it has to be created: `retention.ms`, and whose partition count it gets.
    pub retention_ms: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    Decision(Decision),
    /// The broker has taken what was left of the batch of the decision at this offset, or nothing was left.
    Confirmed {
        of: ProducerPartition,
        decision: i64,
    },
    /// The broker has refused it: nothing of it was appended.
    Revoked {
        of: ProducerPartition,
        decision: i64,
    },
    /// Bad records of a producer without sequence numbers: dead letters from here on. `count` records follow.
    Letters {
        topic: Arc<str>,
        partition: i32,
        count: u32,
        target: DeadLetterTopic,
    },
}

/// Why a record of the log is no entry.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NoEntry {
    #[error("its kind is unknown (written by a newer gateway?)")]
    Kind,
    #[error("{0}")]
    Content(String),
}

const DECISION: &[u8] = b"decision";
const CONFIRMED: &[u8] = b"confirmed";
const REVOKED: &[u8] = b"revoked";
const LETTERS: &[u8] = b"letters";

#[derive(Serialize, Deserialize)]
struct DecisionJson {
    #[serde(flatten)]
    of: ProducerPartition,
    #[serde(flatten)]
    batch: BatchKey,
    dropped: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    transactional: bool,
    dead_letter_topic: DeadLetterTopic,
}

#[derive(Serialize, Deserialize)]
struct OutcomeJson {
    #[serde(flatten)]
    of: ProducerPartition,
    decision: i64,
}

#[derive(Serialize, Deserialize)]
struct LettersJson {
    topic: Arc<str>,
    partition: i32,
    count: u32,
    dead_letter_topic: DeadLetterTopic,
}

impl Entry {
    /// What it is counted as.
    #[must_use]
    pub fn result(&self) -> &'static str {
        match self {
            Self::Decision(_) => "decided",
            Self::Confirmed { .. } => "confirmed",
            Self::Revoked { .. } => "revoked",
            Self::Letters { .. } => "lettered",
        }
    }

    /// How many records after the entry's own belong to it.
    #[must_use]
    pub fn records(&self) -> u32 {
        match self {
            Self::Decision(decision) => decision.dropped.len(),
            Self::Letters { count, .. } => *count,
            Self::Confirmed { .. } | Self::Revoked { .. } => 0,
        }
    }

    /// Key and value of the entry's record.
    #[must_use]
    pub fn encode(&self) -> (&'static [u8], Vec<u8>) {
        let outcome = |of: &ProducerPartition, decision: i64| {
            json(&OutcomeJson {
                of: of.clone(),
                decision,
            })
        };
        match self {
            Self::Decision(decision) => {
                let value = json(&DecisionJson {
                    of: decision.of.clone(),
                    batch: decision.batch,
                    dropped: decision.dropped.to_string(),
                    transactional: decision.transactional,
                    dead_letter_topic: decision.target.clone(),
                });
                (DECISION, value)
            }
            Self::Confirmed { of, decision } => (CONFIRMED, outcome(of, *decision)),
            Self::Revoked { of, decision } => (REVOKED, outcome(of, *decision)),
            Self::Letters {
                topic,
                partition,
                count,
                target,
            } => {
                let value = json(&LettersJson {
                    topic: topic.clone(),
                    partition: *partition,
                    count: *count,
                    dead_letter_topic: target.clone(),
                });
                (LETTERS, value)
            }
        }
    }

    /// # Errors
    /// [`NoEntry`]: what follows in the batch cannot be told apart then.
    pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, NoEntry> {
        let content = |error: serde_json::Error| NoEntry::Content(error.to_string());
        let value = value.unwrap_or_default();
        match key {
            Some(DECISION) => {
                let read: DecisionJson = serde_json::from_slice(value).map_err(content)?;
                let dropped = RecordIndexes::parse(&read.dropped, read.batch.record_count)
                    .map_err(|why| NoEntry::Content(why.to_string()))?;
                Ok(Self::Decision(Decision {
                    of: read.of,
                    batch: read.batch,
                    dropped,
                    transactional: read.transactional,
                    target: read.dead_letter_topic,
                }))
            }
            Some(CONFIRMED | REVOKED) => {
                let OutcomeJson { of, decision } = serde_json::from_slice(value).map_err(content)?;
                Ok(if key == Some(CONFIRMED) {
                    Self::Confirmed { of, decision }
                } else {
                    Self::Revoked { of, decision }
                })
            }
            Some(LETTERS) => {
                let read: LettersJson = serde_json::from_slice(value).map_err(content)?;
                Ok(Self::Letters {
                    topic: read.topic,
                    partition: read.partition,
                    count: read.count,
                    target: read.dead_letter_topic,
                })
            }
            _ => Err(NoEntry::Kind),
        }
    }
}

/// These shapes have string keys and no floating point: nothing in them cannot be written.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of() -> ProducerPartition {
        ProducerPartition {
            producer_id: 4_000_001,
            topic: "orders".into(),
            partition: 3,
        }
    }

    fn decision() -> Entry {
        let dropped = RecordIndexes::from_iter([0, 3, 4, 5, 9]);
        Entry::Decision(Decision {
            of: of(),
            batch: BatchKey {
                producer_epoch: 2,
                base_sequence: 170,
                record_count: 10,
                crc: 0xffff_fffe,
            },
            dropped,
            transactional: false,
            target: DeadLetterTopic {
                name: "orders.dlq".into(),
                retention_ms: None,
            },
        })
    }

    #[test]
    fn a_decision_reads_like_a_sentence() {
        let (key, value) = decision().encode();
        assert_eq!(key, b"decision");
        assert_eq!(
            String::from_utf8(value).unwrap(),
            r#"{"producer_id":4000001,"topic":"orders","partition":3,"producer_epoch":2,"base_sequence":170,"record_count":10,"crc":4294967294,"dropped":"0,3-5,9","dead_letter_topic":{"name":"orders.dlq","retention_ms":null}}"#
        );
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let entries = [
            decision(),
            Entry::Confirmed {
                of: of(),
                decision: 42,
            },
            Entry::Revoked {
                of: of(),
                decision: 42,
            },
            Entry::Letters {
                topic: "orders".into(),
                partition: 0,
                count: 7,
                target: DeadLetterTopic {
                    name: "bad".into(),
                    retention_ms: Some(86_400_000),
                },
            },
        ];
        let records = [5, 0, 0, 7];
        for (entry, records) in entries.iter().zip(records) {
            let (key, value) = entry.encode();
            assert_eq!(&Entry::decode(Some(key), Some(&value)).unwrap(), entry);
            assert_eq!(entry.records(), records);
        }
    }

    #[test]
    fn what_is_no_entry_is_told() {
        assert_eq!(Entry::decode(Some(b"epilogue"), Some(b"{}")), Err(NoEntry::Kind));
        assert_eq!(Entry::decode(None, None), Err(NoEntry::Kind));
        for value in [&b"{"[..], b"{}", br#"{"decision":1}"#] {
            assert!(matches!(
                Entry::decode(Some(CONFIRMED), Some(value)),
                Err(NoEntry::Content(_))
            ));
        }
        // An index that the batch does not have.
        let (_, value) = decision().encode();
        let value = String::from_utf8(value).unwrap().replace("3-5", "3-5000000000");
        assert!(matches!(
            Entry::decode(Some(DECISION), Some(value.as_bytes())),
            Err(NoEntry::Content(_))
        ));
    }
}
