//! Requests whose response has not been sent yet, in the order in which they came.

use super::produce::LocalAnswer;
use super::settle::Settlement;
use crate::wire::api::ApiKey;
use crate::wire::header::RequestHead;

/// What is to be done with a response from the broker.
pub enum Handling {
    /// Streamed through.
    Relay,
    /// Held, and brokers' addresses in it rewritten.
    RewriteAddresses,
    /// Held, and clipped to what the gateway knows.
    ClipVersions,
    /// Held, and the answers for the partitions that never reached the broker put in (Produce).
    Merge(Vec<LocalAnswer>),
    /// Held, put together with our own answers, and sent on when the log says what the broker said (Produce).
    Settle(Settlement),
    /// Held, to learn whether the broker agreed to the mechanism.
    SaslHandshake,
    /// Held, to learn whether the exchange went on.
    SaslAuthenticate,
    /// A SASL token without any header (after SaslHandshake version 0).
    SaslToken,
}

pub struct Forwarded {
    pub correlation_id: i32,
    pub api_key: ApiKey,
    pub version: i16,
    pub handling: Handling,
}

pub enum Pending {
    /// Waits for the broker.
    Forwarded(Forwarded),
    /// We answer: the whole frame.
    Local(Vec<u8>),
    /// We answer when it is this one's turn and the log has it (Produce).
    Settled(RequestHead, Settlement),
}
