//! A small Kafka broker in memory: one node, no durability, no transactions. What it lacks it does not advertise.
//!
//! The embedded cluster of `portcullis demo`, and the faulty upstream of the gateway's tests: see [`Faults`]. Its
//! requests and responses are `kafka-protocol`'s on purpose: a second opinion on the gateway's own `wire`. That
//! library allocates by lengths it has not checked, so this broker is for loopback and for friendly clients only.

mod admin;
mod api_versions;
mod connection;
mod coordinator;
mod dispatch;
pub mod faults;
mod fetch;
mod group;
mod group_offsets;
mod list_offsets;
mod metadata;
mod partition_log;
mod produce;
mod producer_state;
mod requests_seen;
mod server;
mod shared;
mod topics;

pub use faults::{Faults, ResponseFault};
pub use requests_seen::RequestSeen;
pub use server::{BrokerOptions, EmbeddedBroker};
