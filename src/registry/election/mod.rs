//! Who of the registries on one log leads: an election through Kafka's group protocol, in the group, the protocol type
//! and the words of Confluent's, so that nodes of both kinds can be members of one group.

pub mod member;
pub mod protocol;
#[cfg(test)]
mod simulation;
