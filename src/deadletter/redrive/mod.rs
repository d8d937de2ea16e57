//! Redrive: dead letters go back to where they were sent, through a gateway, which validates them again. What is pure of
//! it; the command does the rest.
//!
//! ```text
//! dead-letter topic ──► restored ──► batches ──► gateway ──► original topics ┐ one transaction, under the
//!       ▲                                           │                        ├ dead-letter topic's own
//!       └── which offsets are redriven ◄── the groups ◄──────────────────────┘ transactional id
//!                                                   └── refused: it stays where it is
//! ```
//! The transactional id is the topic's, so a second redrive fences the first and aborts what that had under way; what is
//! committed then, and only that, is redriven.

pub mod original;
pub mod progress;
pub mod refusal;
pub mod writing;

/// The `client.id` of a redrive. For it the gateway refuses what it would dead-letter, so that a record that is still
/// bad stays where it is. From anybody else it does no harm.
pub const CLIENT_ID: &str = "portcullis-redrive";

/// A topic that every gateway refuses to write for its clients, whether it is there or not.
pub const PROBED_TOPIC: &str = "__portcullis_redrive";

/// What a gateway says of its own topics, and no broker does.
pub const GATEWAYS_OWN: &str = "clients of Portcullis do not write the gateways' own topics";

/// Whoever redrives `dead_letters`.
#[must_use]
pub fn transactional_id(dead_letters: &str) -> String {
    format!("{CLIENT_ID}-{dead_letters}")
}

/// The group that keeps what is redriven of a chunk of each partition of `dead_letters`.
#[must_use]
pub fn group_id(dead_letters: &str, chunk: i64) -> String {
    format!("{CLIENT_ID}-{dead_letters}-{chunk}")
}
