//! What a broker's answer says of the batch that it was sent.

use crate::wire::error_code::ErrorCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is in the log; a duplicate was before.
    Taken,
    /// Nothing of it was appended, and this copy of it never will be.
    Refused,
    /// It may be in the log, or get there.
    Unknown,
}

impl Answer {
    /// Of a Produce response's partition (`ReplicaManager.appendRecords`, `UnifiedLog.append`). What is not known to be
    /// said before anything is appended counts as unknown: a decision that stays open does no harm, one that is
    /// revoked although its batch was taken would. So does what a client answers by sending the same batch again.
    #[must_use]
    pub fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Self::Taken,
            ErrorCode::CORRUPT_MESSAGE
            | ErrorCode::MESSAGE_TOO_LARGE
            | ErrorCode::INVALID_TOPIC
            | ErrorCode::RECORD_LIST_TOO_LARGE
            | ErrorCode::INVALID_REQUIRED_ACKS
            | ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::INVALID_TIMESTAMP
            | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
            | ErrorCode::POLICY_VIOLATION
            | ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_TXN_STATE
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
            | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
            | ErrorCode::INVALID_RECORD
            | ErrorCode::PRODUCER_FENCED
            | ErrorCode::TRANSACTION_ABORTABLE => Self::Refused,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_appended_is_not_called_refused() {
        for code in [
            ErrorCode::REQUEST_TIMED_OUT,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::UNKNOWN_SERVER_ERROR,
            ErrorCode(56), // KAFKA_STORAGE_ERROR
            ErrorCode(4242),
        ] {
            assert_eq!(Answer::of(code), Answer::Unknown, "{code:?}");
        }
        assert_eq!(Answer::of(ErrorCode::NONE), Answer::Taken);
        assert_eq!(Answer::of(ErrorCode::MESSAGE_TOO_LARGE), Answer::Refused);
    }
}
