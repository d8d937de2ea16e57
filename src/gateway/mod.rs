//! The gateway: listeners, sessions, upstream links, address rewriting, limits, drain.

mod budget;
mod listener;
mod operations;
mod outside;
mod relay;
mod routes;
pub mod session;
mod shared;
mod topics;
mod violations;

use crate::contract::{Policies, SchemaSource};
use crate::deadletter::log::DecisionLog;
use crate::kafka::{ServerTls, UpstreamOptions};
use crate::telemetry::health::Health;
use crate::wire::compression::DecompressionLimits;
use listener::Acceptor;
use shared::{Shared, UPSTREAM_CHECK};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{info, warn};

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
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// Binds the listeners and serves. `decisions`: where policies dead-letter. Fails when a certificate cannot be read or a bootstrap port not be bound; an
/// upstream that is down is no reason to fail, only not to be ready.
#[expect(
    clippy::unused_async,
    reason = "it spawns: the type says that it wants a runtime"
)]
pub async fn start(
    options: GatewayOptions,
    policies: Policies,
    schemas: Arc<dyn SchemaSource>,
    decisions: Option<DecisionLog>,
    health: Health,
) -> io::Result<Gateway> {
    health.expect(UPSTREAM_CHECK);
    let (shared, asked) = Shared::new(options, policies, schemas, decisions)?;
    let mut addresses = Vec::new();
    let mut tasks = Vec::new();
    for listener in &shared.options.listeners {
        let acceptor = Acceptor::new(listener.clone(), Arc::clone(&shared))?;
        let (address, accepting) = acceptor.open_bootstrap()?;
        addresses.push(address);
        tasks.push(accepting);
        shared.routes.add_listener(acceptor);
    }
    tasks.push(tokio::spawn(shared::follow(Arc::clone(&shared), asked, health)));
    Ok(Gateway {
        addresses,
        shared,
        tasks,
    })
}

impl Gateway {
    /// Accepts no more, lets requests under way be answered, and returns when all connections are closed or the
    /// drain timeout has passed.
    pub async fn drain(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.routes.close();
        self.shared.draining.send_replace(true);
        let all = self
            .shared
            .options
            .limits
            .connections_max
            .min(Semaphore::MAX_PERMITS);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        let closed = self.shared.connection_permits.acquire_many(all);
        if tokio::time::timeout(self.shared.options.drain_timeout, closed)
            .await
            .is_ok()
        {
            info!("every connection is drained");
        } else {
            warn!("drain_timeout has passed: the connections that are left are cut");
        }
    }
}
