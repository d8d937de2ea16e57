//! What a refused batch says of its records.

use crate::kafka::ClientError;
use crate::kafka::client::{RefusedRecord, TransactionError};
use kafka_protocol::ResponseError as E;

/// Why a record stays where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stays {
    /// A violation's code, or Kafka's name of the error.
    pub code: String,
    pub line: String,
}

/// Which records of a batch are not written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// These, by their index in the batch; the others may be.
    Records(Vec<(usize, Stays)>),
    /// Some, and nobody says which; each alone will tell.
    Batch(Stays),
    /// None, and no other of this topic.
    Topic(Stays),
}

impl Refusal {
    /// What `error` says of a batch of `count` records. `None`: nothing; it is about the transaction, or the brokers.
    #[must_use]
    pub fn of(error: &TransactionError, count: usize) -> Option<Self> {
        let TransactionError::Refused { error, records } = error else {
            return None;
        };
        let code = error.code()?;
        let whole = || Stays::of(error, code);
        Some(match code {
            E::TopicAuthorizationFailed | E::UnknownTopicOrPartition | E::InvalidTopicException => {
                Self::Topic(whole())
            }
            _ => {
                let mut named: Vec<(usize, Stays)> = records
                    .iter()
                    .filter_map(|record| Some((place(record, count)?, Stays::record(record, &whole()))))
                    .collect();
                named.sort_by_key(|(at, _)| *at);
                named.dedup_by_key(|(at, _)| *at);
                if named.is_empty() {
                    Self::Batch(whole())
                } else {
                    Self::Records(named)
                }
            }
        })
    }
}

impl Stays {
    #[must_use]
    pub fn new(code: &str, line: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            line: line.into(),
        }
    }

    /// The answer's own words where it has some, the error's otherwise.
    fn of(error: &ClientError, code: E) -> Self {
        let line = match error {
            ClientError::Refused {
                message: Some(message),
                ..
            } => message.clone(),
            _ => error.to_string(),
        };
        Self {
            code: violation(&line).unwrap_or_else(|| format!("{code:?}")),
            line,
        }
    }

    fn record(record: &RefusedRecord, whole: &Self) -> Self {
        let line = record.message.clone().unwrap_or_else(|| whole.line.clone());
        Self {
            code: violation(&line).unwrap_or_else(|| whole.code.clone()),
            line,
        }
    }
}

fn place(record: &RefusedRecord, count: usize) -> Option<usize> {
    usize::try_from(record.index).ok().filter(|at| *at < count)
}

/// `PC-201` of a gateway's line.
fn violation(line: &str) -> Option<String> {
    let code = line.split(' ').next()?;
    let digits = code.strip_prefix("PC-")?;
    let known = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    known.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::HostPort;

    fn refused(code: E, message: Option<&str>, records: &[(i32, Option<&str>)]) -> TransactionError {
        TransactionError::Refused {
            error: ClientError::Refused {
                server: HostPort {
                    host: "gateway".to_owned(),
                    port: 9192,
                },
                request: "Produce",
                code: code.code(),
                message: message.map(str::to_owned),
            },
            records: records
                .iter()
                .map(|(index, message)| RefusedRecord {
                    index: *index,
                    message: message.map(str::to_owned),
                })
                .collect(),
        }
    }

    #[test]
    fn named_records_stay_each_with_its_own_line_and_code() {
        let line = "PC-201 record 1 value: $.total: expected double; ref 01JD";
        let error = refused(
            E::InvalidRecord,
            Some("2 of 4 records are refused"),
            &[
                (3, None),
                (1, Some(line)),
                (1, Some("twice")),
                (9, None),
                (-1, None),
            ],
        );
        let whole = Stays::new("InvalidRecord", "2 of 4 records are refused");
        let named = vec![(1, Stays::new("PC-201", line)), (3, whole)];
        assert_eq!(Refusal::of(&error, 4), Some(Refusal::Records(named)));
    }

    #[test]
    fn a_batch_that_nobody_in_it_is_named_of_is_refused_as_a_whole() {
        let too_large = refused(E::MessageTooLarge, None, &[]);
        let line = "gateway:9192 refused Produce: MessageTooLarge (10)";
        let stays = Stays::new("MessageTooLarge", line);
        assert_eq!(Refusal::of(&too_large, 2), Some(Refusal::Batch(stays)));
        let line = "PC-301 batch: decompresses to more than 65536 bytes; ref 01JD";
        let over = refused(E::InvalidRecord, Some(line), &[(7, None)]);
        let stays = Stays::new("PC-301", line);
        assert_eq!(Refusal::of(&over, 2), Some(Refusal::Batch(stays)));
    }

    #[test]
    fn a_topic_that_may_not_be_written_is_about_all_that_goes_there() {
        let error = refused(E::TopicAuthorizationFailed, None, &[]);
        let line = "gateway:9192 refused Produce: TopicAuthorizationFailed (29)";
        let stays = Stays::new("TopicAuthorizationFailed", line);
        assert_eq!(Refusal::of(&error, 2), Some(Refusal::Topic(stays)));
    }

    #[test]
    fn other_errors_are_about_no_record() {
        assert_eq!(Refusal::of(&TransactionError::Failed, 1), None);
        let away = TransactionError::Client(ClientError::NoBroker("away".to_owned()));
        assert_eq!(Refusal::of(&away, 1), None);
    }
}
