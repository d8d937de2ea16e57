//! The file as typed, turned into the rooms' own options as meant, and its diagnostics.

use crate::contract::Policies;
use crate::gateway::GatewayOptions;
use crate::registry::RegistryOptions;
use std::net::SocketAddr;

/// Everything that `portcullis run` needs.
#[derive(Clone, Debug)]
pub struct Options {
    pub gateway: GatewayOptions,
    pub registry: RegistryOptions,
    pub policies: Policies,
    pub admin: SocketAddr,
}
