//! Who of the registries on one log leads: an election through Kafka's group protocol, in the group, the protocol type
//! and the words of Confluent's, so that nodes of both kinds can be members of one group.

pub mod member;
pub mod protocol;
#[cfg(test)]
mod simulation;
mod task;
mod watch;

pub use task::Election;

use crate::kafka::ClientTls;

/// Confluent's `schema.registry.group.id`.
pub const GROUP_ID: &str = "schema-registry";

/// How this registry takes part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ElectionOptions {
    pub group_id: String,
    /// Where the others reach this one; the machine's name when it is not said.
    pub advertised_host: Option<String>,
    /// The port that the registry listens on when it is not said.
    pub advertised_port: Option<u16>,
    /// `false`: never leads (`leader.eligibility`).
    pub eligible: bool,
    /// Whose certificate a leader that is reached by `https` may have, and what it is shown.
    pub leader_tls: Option<ClientTls>,
}

impl Default for ElectionOptions {
    fn default() -> Self {
        Self {
            group_id: GROUP_ID.to_owned(),
            advertised_host: None,
            advertised_port: None,
            eligible: true,
            leader_tls: None,
        }
    }
}
