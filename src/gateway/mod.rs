//! The gateway: listeners, sessions, upstream links, address rewriting, limits, drain.

use crate::contract::{Policies, SchemaSource};
use crate::kafka::UpstreamOptions;
use crate::telemetry::health::Health;
use crate::wire::compression::DecompressionLimits;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// TLS on a listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// PEM of those who sign clients' certificates; clients must then show one (mTLS).
    pub client_ca: Option<PathBuf>,
}

/// One bootstrap port, and the ports behind it on which the brokers are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerOptions {
    pub name: String,
    pub address: SocketAddr,
    /// The host that clients are told; they must be able to reach the broker ports there.
    pub advertised_host: String,
    /// Broker ports: `first_port` .. `first_port + brokers`.
    pub first_port: u16,
    pub brokers: u16,
    pub tls: Option<ServerTls>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GatewayLimits {
    pub frame_bytes_max: usize,
    pub connections_max: usize,
    /// What all connections together may hold.
    pub memory_bytes_max: usize,
    pub decompression: DecompressionLimits,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayOptions {
    pub listeners: Vec<ListenerOptions>,
    pub upstream: UpstreamOptions,
    pub limits: GatewayLimits,
    pub drain_timeout: Duration,
}

/// A running gateway.
pub struct Gateway {
    /// Where each listener's bootstrap port really is (port 0 in the options lets the system choose).
    pub addresses: Vec<SocketAddr>,
}

/// Binds the listeners and serves. Fails when a certificate cannot be read or a bootstrap port not be bound; an
/// upstream that is down is no reason to fail, only not to be ready.
pub async fn start(
    _options: GatewayOptions,
    _policies: Policies,
    _schemas: Arc<dyn SchemaSource>,
    _health: Health,
) -> io::Result<Gateway> {
    todo!()
}

impl Gateway {
    /// Accepts no more, lets requests under way be answered, and returns when all connections are closed or the
    /// drain timeout has passed.
    pub async fn drain(self) {
        todo!()
    }
}
