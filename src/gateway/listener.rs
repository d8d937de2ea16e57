//! One listener: its bootstrap port and the brokers' ports behind it.

use super::ListenerOptions;
use super::relay;
use super::shared::Shared;
use crate::kafka::stream::tune;
use crate::kafka::{ServerTls, Stream};
use crate::telemetry::metrics;
use ::metrics::Gauge;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

const BACKLOG: i32 = 1024;
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Waited for after the system refused a new connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is behind a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Any of the bootstrap servers.
    Bootstrap,
    /// The broker of this node id.
    Broker(i32),
}

/// What all ports of one listener have in common.
pub struct Acceptor {
    options: ListenerOptions,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    connections: Gauge,
}

impl Acceptor {
    pub fn new(options: ListenerOptions, shared: Arc<Shared>) -> io::Result<Arc<Self>> {
        let tls = options.tls.as_ref().map(ServerTls::config).transpose()?;
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let connections = metrics::connections(&options.name);
        connections.set(0.0);
        Ok(Arc::new(Self {
            options,
            tls,
            shared,
            connections,
        }))
    }

    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// What clients of this listener are told of the broker in `slot`.
    pub fn advertise(&self, slot: u16) -> (String, u16) {
        (
            self.options.advertised_host.clone(),
            self.options.first_port.saturating_add(slot),
        )
    }

    /// Opens the bootstrap port and accepts on it.
    pub fn open_bootstrap(self: &Arc<Self>) -> io::Result<(SocketAddr, JoinHandle<()>)> {
        self.listen(self.options.address, Target::Bootstrap)
    }

    /// Opens the port of the broker in `slot` and accepts on it.
    pub fn open(self: &Arc<Self>, slot: u16, target: Target) -> io::Result<JoinHandle<()>> {
        let port = self.options.first_port.saturating_add(slot);
        self.listen(SocketAddr::new(self.options.address.ip(), port), target)
            .map(|(_, task)| task)
    }

    fn listen(
        self: &Arc<Self>,
        address: SocketAddr,
        target: Target,
    ) -> io::Result<(SocketAddr, JoinHandle<()>)> {
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )
        .map_err(at)?;
        socket.set_reuse_address(true).map_err(at)?;
        socket.set_nonblocking(true).map_err(at)?;
        socket.bind(&address.into()).map_err(at)?;
        socket.listen(BACKLOG).map_err(at)?;
        let listener = TcpListener::from_std(socket.into()).map_err(at)?;
        let local = listener.local_addr().map_err(at)?;
        info!(listener = self.name(), address = %local, ?target, "listening");
        Ok((local, tokio::spawn(accept(Arc::clone(self), listener, target))))
    }
}

async fn accept(acceptor: Arc<Acceptor>, listener: TcpListener, target: Target) {
    let mut pause = 0u32;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                pause = 0;
                let Ok(permit) = Arc::clone(&acceptor.shared.connection_permits).try_acquire_owned() else {
                    warn!(listener = acceptor.name(), %peer, "over limits.max_connections: a new connection is shed");
                    continue;
                };
                tokio::spawn(serve(Arc::clone(&acceptor), socket, peer, target, permit));
            }
            Err(error) => {
                if pause == 0 {
                    warn!(listener = acceptor.name(), %error, "cannot accept");
                }
                pause = pause.saturating_add(1);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(
    acceptor: Arc<Acceptor>,
    socket: TcpStream,
    peer: SocketAddr,
    target: Target,
    permit: OwnedSemaphorePermit,
) {
    acceptor.connections.increment(1.0);
    match open(&acceptor, socket).await {
        Ok(client) => relay::run(client, peer, target, &acceptor, &acceptor.shared).await,
        Err(error) => debug!(listener = acceptor.name(), %peer, %error, "closed before it began"),
    }
    acceptor.connections.decrement(1.0);
    drop(permit);
}

async fn open(acceptor: &Acceptor, socket: TcpStream) -> io::Result<Stream> {
    tune(&socket)?;
    let Some(tls) = &acceptor.tls else {
        return Ok(Stream::Plain(socket));
    };
    let peer = socket.peer_addr()?;
    let handshake = tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, tls.accept(socket));
    match handshake.await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream.into()))),
        Ok(Err(error)) => {
            // rustls names plaintext "corrupt message" or "invalid content type".
            warn!(listener = acceptor.name(), %peer, %error, "TLS handshake failed (plaintext on a TLS port?)");
            Err(error)
        }
        Err(elapsed) => Err(elapsed.into()),
    }
}
