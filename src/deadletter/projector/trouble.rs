//! Why dead letters wait. They are in the log all the while.

use crate::kafka::ClientError;
use crate::kafka::client::TransactionError;
use kafka_protocol::ResponseError as E;

/// What an owner does about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Then {
    /// The same again, a little later: the group is being rebalanced.
    Soon,
    /// The same again: what is wrong can only be mended elsewhere.
    Wait,
    /// The same in smaller batches.
    Smaller,
    /// From what was committed last, under a new epoch: nobody knows what has become of the transaction.
    Anew,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    pub then: Then,
    /// The `kind` of `portcullis_projector_errors_total`.
    pub kind: &'static str,
    pub why: String,
}

impl Trouble {
    fn of(then: Then, error: &ClientError, why: String) -> Self {
        Self {
            then,
            kind: kind(error),
            why,
        }
    }

    #[must_use]
    pub fn anew(what: &str, error: &ClientError) -> Self {
        Self::of(Then::Anew, error, format!("{what}: {error}"))
    }

    #[must_use]
    pub fn topic(name: &str, error: &ClientError) -> Self {
        Self::of(
            Then::Wait,
            error,
            format!("topic {name} cannot be looked at: {error}"),
        )
    }

    #[must_use]
    pub fn missing(name: &str, error: &ClientError) -> Self {
        Self {
            then: Then::Wait,
            kind: "topic",
            why: format!("dead-letter topic {name} is missing and cannot be created: {error}"),
        }
    }

    #[must_use]
    pub fn unseen(name: &str) -> Self {
        Self {
            then: Then::Wait,
            kind: "topic",
            why: format!("dead-letter topic {name} was created, but no broker has it yet"),
        }
    }

    #[must_use]
    pub fn reading(what: &str, error: &ClientError) -> Self {
        Self::of(Then::Wait, error, format!("{what}: {error}"))
    }

    #[must_use]
    pub fn unreadable(offset: i64, why: &str) -> Self {
        Self {
            then: Then::Anew,
            kind: "log",
            why: format!("the log cannot be read at offset {offset}: {why}"),
        }
    }

    /// `what` of a transaction failed, before it was to be committed.
    #[must_use]
    pub fn in_transaction(what: &str, error: &TransactionError) -> Self {
        let why = format!("{what}: {error}");
        let Some(error) = error.client_error() else {
            return Self {
                then: Then::Anew,
                kind: "upstream",
                why,
            };
        };
        let then = match error.code() {
            Some(E::IllegalGeneration | E::UnknownMemberId | E::RebalanceInProgress) => Then::Soon,
            Some(E::MessageTooLarge | E::RecordListTooLarge) => Then::Smaller,
            Some(E::InvalidProducerIdMapping | E::InvalidTxnState | E::OutOfOrderSequenceNumber) => {
                Then::Anew
            }
            _ if error.is_fenced() => Then::Anew,
            _ => Then::Wait,
        };
        Self::of(then, error, why)
    }

    /// The transaction may be committed or not.
    #[must_use]
    pub fn committing(error: &TransactionError) -> Self {
        Self {
            then: Then::Anew,
            ..Self::in_transaction("the transaction was not committed", error)
        }
    }
}

fn kind(error: &ClientError) -> &'static str {
    match error.code() {
        Some(
            E::TopicAuthorizationFailed
            | E::GroupAuthorizationFailed
            | E::TransactionalIdAuthorizationFailed
            | E::ClusterAuthorizationFailed,
        ) => "not_authorized",
        Some(E::MessageTooLarge | E::RecordListTooLarge) => "too_large",
        Some(E::UnknownTopicOrPartition | E::InvalidTopicException) => "topic",
        Some(E::IllegalGeneration | E::UnknownMemberId | E::RebalanceInProgress) => "rebalance",
        Some(_) if error.is_fenced() => "fenced",
        Some(_) if !error.is_retriable() => "refused",
        _ => "upstream",
    }
}
