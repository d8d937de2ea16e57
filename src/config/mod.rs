//! The file as typed, turned into the rooms' own options as meant, and its diagnostics.
//!
//! [`yaml`] reads text into a tree with positions, [`section`] takes typed values out of it and gathers every mistake,
//! and one file a section says what its keys mean. [`manifest`] is the other file that is read so: the one beside schemas. No other room sees the tree.

mod address;
mod dead_letters;
mod diagnostic;
mod environment;
mod gateway;
pub mod manifest;
mod policies;
mod ports;
mod read;
mod registry;
mod section;
mod server_tls;
mod units;
mod upstream;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Position, suggest};
pub use environment::Environment;
pub use read::{CommandLine, load, parse, upstream_text, without_file};

use crate::contract::Policies;
use crate::deadletter::log::DecisionLogOptions;
use crate::gateway::GatewayOptions;
use crate::registry::RegistryOptions;
use std::net::SocketAddr;

/// Everything that `portcullis run` needs.
#[derive(Clone, Debug)]
pub struct Options {
    pub gateway: GatewayOptions,
    pub registry: RegistryOptions,
    pub policies: Policies,
    /// None when no policy dead-letters.
    pub decisions: Option<DecisionLogOptions>,
    pub admin: SocketAddr,
}
