//! The task around one session: it moves bytes between a client, the session and one broker, and nothing else.

use super::listener::{Acceptor, Target};
use super::operations::Operations;
use super::outside::Outside;
use super::session::{CloseReason, Session, SessionLimits};
use super::shared::Shared;
use crate::kafka::{ConnectError, Stream};
use crate::registry::access::principal::ClientCertificate;
use crate::telemetry::metrics;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep};
use tracing::{debug, info, warn};

/// A client that has not sent a whole request by then is closed; a slow large frame has as long again each time
/// that bytes arrive at [`FRAME_BYTES_PER_SECOND_MIN`] or faster.
const FRAME_TIMEOUT: Duration = Duration::from_mins(1);
const FRAME_BYTES_PER_SECOND_MIN: u64 = 1024;
/// A connection on which nothing at all happens is closed, as a broker does (`connections.max.idle.ms`), a little
/// later than the broker's own ten minutes.
const IDLE_TIMEOUT: Duration = Duration::from_mins(11);
/// After connecting, something has to come.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a read that was stopped by the memory budget waits before it asks again.
const BUDGET_PAUSE: Duration = Duration::from_millis(5);
/// How long the broker may take to close after the client is gone.
const LINGER: Duration = Duration::from_secs(10);

type Dialing = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

/// The connection to the broker, opened when there is something to send.
enum Upstream {
    NotYet,
    Dialing(Dialing),
    Open(Stream),
}

/// Why the relay ended.
enum End {
    Over,
    Client(io::Error),
    Upstream(io::Error),
    Dial(ConnectError),
}

pub async fn run(client: Stream, peer: SocketAddr, target: Target, acceptor: &Acceptor, shared: &Shared) {
    let mut draining = shared.draining.subscribe();
    let limits = SessionLimits {
        frame_bytes_max: shared.options.limits.frame_bytes_max,
    };
    let now = Instant::now();
    // For dead letters only.
    let shown = client.peer_certificate().filter(|_| shared.decisions.is_some());
    let certificate = shown.and_then(ClientCertificate::read);
    let mut relay = Relay {
        client,
        upstream: Upstream::NotYet,
        target,
        session: Session::new(limits),
        world: Outside {
            shared,
            acceptor,
            peer,
            // As a broker names it by default (`ssl.principal.mapping.rules`).
            principal: certificate.map(|certificate| format!("User:{}", certificate.distinguished_name)),
            operations: Operations::default(),
        },
        upstream_told_end: false,
        unflushed: false,
        active_at: now,
        frame_since: None,
        heard: false,
        lingering_since: None,
    };
    let mut timer = pin!(tokio::time::sleep_until(now + FIRST_REQUEST_TIMEOUT));
    let end = tokio::select! {
        end = poll_fn(|cx| relay.poll(cx, timer.as_mut())) => end,
        () = drained(&mut draining) => {
            relay.session.drain();
            poll_fn(|cx| relay.poll(cx, timer.as_mut())).await
        }
    };
    relay.finish(end).await;
}

async fn drained(draining: &mut tokio::sync::watch::Receiver<bool>) {
    if draining.wait_for(|draining| *draining).await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct Relay<'s> {
    client: Stream,
    upstream: Upstream,
    target: Target,
    session: Session,
    world: Outside<'s>,
    upstream_told_end: bool,
    /// TLS may still hold bytes that were taken from the session.
    unflushed: bool,
    active_at: Instant,
    /// When the frame that is not complete yet began, and how many bytes of grace have come since.
    frame_since: Option<(Instant, u64)>,
    heard: bool,
    lingering_since: Option<Instant>,
}

impl Relay<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<End> {
        loop {
            match self.poll_bytes(cx) {
                Ok(true) => return Poll::Ready(End::Over),
                Ok(false) => {}
                Err(end) => return Poll::Ready(end),
            }
            let budget_is_used_up = self.session.take_waits_for_budget();
            if !budget_is_used_up {
                self.session.relax(&mut self.world);
            }
            let deadline = if budget_is_used_up {
                // It is not the client who is slow.
                self.frame_since = self.frame_since.map(|_| (Instant::now(), 0));
                Instant::now() + BUDGET_PAUSE
            } else {
                self.deadline()
            };
            // Only an earlier deadline sets the timer; a later one is looked at when it fires.
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() < deadline {
                timer.as_mut().reset(deadline);
                continue;
            }
            if !budget_is_used_up {
                if self.lingering_since.is_none() && (!self.heard || self.frame_since.is_some()) {
                    self.session.close(CloseReason::TooSlow);
                }
                return Poll::Ready(End::Over);
            }
        }
    }

    /// When to give up if nothing happens until then.
    fn deadline(&mut self) -> Instant {
        if let Some(since) = self.lingering_since {
            return since + LINGER;
        }
        if !self.heard {
            return self.active_at + FIRST_REQUEST_TIMEOUT;
        }
        match self.frame_since {
            Some((since, bytes)) => {
                since + FRAME_TIMEOUT + Duration::from_secs(bytes / FRAME_BYTES_PER_SECOND_MIN)
            }
            None => self.active_at + IDLE_TIMEOUT,
        }
    }

    /// Moves bytes until nothing moves; whether everything is over.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        loop {
            let mut moved = self.poll_client_read(cx)?;
            moved |= self.poll_upstream_read(cx)?;
            moved |= self.world.operations.poll(cx);
            if moved {
                self.advance();
            }
            moved |= self.poll_dial(cx)?;
            moved |= self.poll_upstream_write(cx)?;
            moved |= self.poll_client_write(cx);
            self.poll_flush(cx)?;
            if self.session.is_over() || (self.session.to_upstream().is_empty() && self.nobody_upstream()) {
                return Ok(true);
            }
            if !moved {
                return Ok(false);
            }
        }
    }

    /// The client has gone (or nothing more may come) and no broker was ever needed.
    fn nobody_upstream(&self) -> bool {
        matches!(self.upstream, Upstream::NotYet)
            && self.session.upstream_is_complete()
            && self.session.to_client().is_empty()
    }

    fn advance(&mut self) {
        let began = std::time::Instant::now();
        self.session.advance(&mut self.world);
        let produced = self.session.take_produce_count();
        if produced > 0 {
            self.world
                .shared
                .counters
                .produce_added_seconds
                .record(began.elapsed());
        }
        if !self.session.awaits_client() {
            self.frame_since = None;
        } else if self.frame_since.is_none() {
            self.frame_since = Some((Instant::now(), 0));
        }
    }

    fn poll_client_read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Some(buffer) = self.session.client_buffer(&mut self.world) else {
            return Ok(false);
        };
        let read = pin!(self.client.read_buf(buffer)).poll(cx);
        match read {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => {
                self.session.client_ended();
                Ok(true)
            }
            Poll::Ready(Ok(count)) => {
                self.session.client_read(count);
                self.world.shared.counters.client_in.increment(count as u64);
                self.active_at = Instant::now();
                self.heard = true;
                if let Some((_, bytes)) = &mut self.frame_since {
                    *bytes += count as u64;
                }
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(End::Client(error)),
        }
    }

    fn poll_upstream_read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Upstream::Open(upstream) = &mut self.upstream else {
            return Ok(false);
        };
        let Some(buffer) = self.session.upstream_buffer(&mut self.world) else {
            return Ok(false);
        };
        let read = pin!(upstream.read_buf(buffer)).poll(cx);
        match read {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => {
                self.session.upstream_ended();
                Ok(true)
            }
            Poll::Ready(Ok(count)) => {
                self.session.upstream_read(count);
                self.world.shared.counters.upstream_in.increment(count as u64);
                self.active_at = Instant::now();
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(End::Upstream(error)),
        }
    }

    fn poll_dial(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if matches!(self.upstream, Upstream::NotYet) && !self.session.to_upstream().is_empty() {
            self.upstream = Upstream::Dialing(self.dial());
        }
        let Upstream::Dialing(dialing) = &mut self.upstream else {
            return Ok(false);
        };
        match dialing.as_mut().poll(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(stream)) => {
                self.upstream = Upstream::Open(stream);
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(End::Dial(error)),
        }
    }

    fn dial(&self) -> Dialing {
        let shared = self.world.shared;
        let connector = shared.connector.clone();
        let servers = match self.target {
            Target::Bootstrap => shared.bootstrap_servers(),
            Target::Broker(node_id) => shared.routes.address(node_id).into_iter().collect(),
        };
        Box::pin(async move {
            let mut last = None;
            for server in &servers {
                match connector.connect(server).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.unwrap_or_else(|| ConnectError::Tcp {
                server: crate::kafka::HostPort {
                    host: "(unknown broker)".to_owned(),
                    port: 0,
                },
                source: io::ErrorKind::NotFound.into(),
            }))
        })
    }

    fn poll_upstream_write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let Upstream::Open(upstream) = &mut self.upstream else {
            return Ok(false);
        };
        let mut moved = false;
        while !self.session.to_upstream().is_empty() {
            match Pin::new(&mut *upstream).poll_write(cx, self.session.to_upstream()) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) => {
                    self.session.sent_upstream(count);
                    self.world.shared.counters.upstream_out.increment(count as u64);
                    moved = true;
                }
                Poll::Ready(Err(error)) => return Err(End::Upstream(error)),
            }
        }
        self.unflushed |= moved && !upstream.is_plain();
        if self.session.upstream_is_complete() && !self.upstream_told_end {
            self.upstream_told_end = true;
            self.lingering_since = Some(Instant::now());
            let _ = Pin::new(upstream).poll_shutdown(cx);
        }
        Ok(moved)
    }

    fn poll_client_write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while !self.session.to_client().is_empty() {
            match Pin::new(&mut self.client).poll_write(cx, self.session.to_client()) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) => {
                    self.session.sent_to_client(count);
                    self.world.shared.counters.client_out.increment(count as u64);
                    moved = true;
                }
                Poll::Ready(Err(_)) => {
                    // What it sent before may still be on its way to the broker (acks=0).
                    self.session.client_is_gone();
                    return true;
                }
            }
        }
        self.unflushed |= moved && !self.client.is_plain();
        moved
    }

    /// Pushes out what TLS holds on either side.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        if !self.unflushed {
            return Ok(());
        }
        let client = Pin::new(&mut self.client).poll_flush(cx).map_err(End::Client)?;
        let upstream = match &mut self.upstream {
            Upstream::Open(upstream) => Pin::new(upstream).poll_flush(cx).map_err(End::Upstream)?,
            Upstream::NotYet | Upstream::Dialing(_) => Poll::Ready(()),
        };
        self.unflushed = client.is_pending() || upstream.is_pending();
        Ok(())
    }

    async fn finish(&mut self, end: End) {
        let listener = self.world.acceptor.name();
        let peer = self.world.peer;
        match &end {
            End::Over => {}
            End::Client(error) => debug!(listener, %peer, %error, "the client's connection broke"),
            End::Upstream(error) => {
                metrics::upstream_error("io");
                debug!(listener, %peer, target = ?self.target, %error, "the broker's connection broke");
            }
            End::Dial(error) => {
                metrics::upstream_error(error.kind());
                warn!(listener, %peer, target = ?self.target, %error, "no broker for this connection");
            }
        }
        if let Some(reason) = self.session.closing() {
            metrics::connection_closed(reason.kind());
            info!(listener, %peer, target = ?self.target, %reason, "connection closed");
        }
        self.world.shared.budget.release(self.session.reserved_bytes());
        if matches!(end, End::Dial(_)) {
            // A broker that is down takes no connections. An orderly close before any answer would say something else:
            // franz-go concludes that SASL is missing and fails every record. A reset it tries again after.
            let _ = self.client.reset_on_close();
            return;
        }
        // A last word may still be in TLS's own buffer.
        let closing = async {
            let _ = self.client.shutdown().await;
            if let Upstream::Open(upstream) = &mut self.upstream {
                let _ = upstream.shutdown().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
    }
}
