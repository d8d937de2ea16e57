//! TLS handshakes on the registry's port. Each has a task of its own, so that a slow one holds up nobody; when there are
//! too many, the oldest makes room.

use super::access::ClientCertificate;
use super::listener::Door;
use super::tls::Tls;
use crate::kafka::Stream;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// Half of the port's connections: those who never finish theirs leave the other half free.
const UNDER_WAY_MAX: usize = super::listener::CONNECTIONS_MAX / 2;
const TIME_MAX: Duration = Duration::from_secs(10);
/// What a peer may still send after its handshake has failed: a request that it had ready.
const PARTING_BYTES_MAX: u64 = 64 << 10;
const PARTING_TIME_MAX: Duration = Duration::from_secs(1);
/// Finished handshakes that wait to be served; the server takes them at once.
const READY_MAX: usize = 64;

/// A connection whose handshake is done.
pub struct Ready {
    pub stream: Stream,
    pub address: SocketAddr,
    pub certificate: Option<ClientCertificate>,
    pub place: OwnedSemaphorePermit,
}

/// Accepts and shakes hands until it is dropped.
pub struct Handshakes {
    ready: mpsc::Receiver<Ready>,
    accepting: JoinHandle<()>,
}

impl Handshakes {
    #[must_use]
    pub fn start(door: Door, tls: Arc<Tls>) -> Self {
        count_from_zero();
        let (done, ready) = mpsc::channel(READY_MAX);
        let accepting = tokio::spawn(accept(door, tls, done));
        Self { ready, accepting }
    }

    /// The next connection; none when accepting has ended.
    pub async fn next(&mut self) -> Option<Ready> {
        self.ready.recv().await
    }
}

impl Drop for Handshakes {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(door: Door, tls: Arc<Tls>, done: mpsc::Sender<Ready>) {
    let mut under_way = UnderWay::default();
    loop {
        let (socket, address) = door.accept().await;
        let place = if let Some(place) = door.free_place() {
            place
        } else {
            under_way.end_the_oldest();
            door.place().await
        };
        let (config, done) = (tls.config(), done.clone());
        under_way.add(async move {
            match shake_hands(TlsAcceptor::from(config), socket).await {
                Ok((stream, certificate)) => {
                    // An error means that the server has ended.
                    let _ = done
                        .send(Ready {
                            stream,
                            address,
                            certificate,
                            place,
                        })
                        .await;
                }
                Err(failure) => failure.report(address),
            }
        });
    }
}

/// The handshakes that are not done, the oldest first.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    by_age: VecDeque<AbortHandle>,
}

impl UnderWay {
    fn add(&mut self, handshake: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.by_age.retain(|task| !task.is_finished());
        if self.by_age.len() >= UNDER_WAY_MAX {
            self.end_the_oldest();
        }
        self.by_age.push_back(self.tasks.spawn(handshake));
    }

    fn end_the_oldest(&mut self) {
        self.by_age.retain(|task| !task.is_finished());
        if let Some(oldest) = self.by_age.pop_front() {
            oldest.abort();
            count("shed");
        }
    }
}

/// Why a handshake came to nothing.
#[derive(Debug)]
enum Failure {
    /// The peer went without a word, as a probe of the port does.
    Silent,
    /// What the first bytes look like instead of TLS.
    Plaintext(&'static str),
    Timeout,
    Tls(io::Error),
}

impl Failure {
    fn report(self, peer: SocketAddr) {
        match self {
            Self::Silent => debug!(%peer, "a connection to the registry's port ended before TLS began"),
            Self::Plaintext(looks_like) => {
                warn!(%peer, "plaintext on the registry's TLS port: it looked like {looks_like}");
                count("plaintext");
            }
            Self::Timeout => {
                warn!(%peer, "a TLS handshake with the registry took longer than {} s", TIME_MAX.as_secs());
                count("timeout");
            }
            Self::Tls(error) => {
                warn!(%peer, %error, "a TLS handshake with the registry failed");
                count("tls");
            }
        }
    }
}

fn count(reason: &'static str) {
    metrics::counter!("schema_registry_tls_handshake_failures_total", "reason" => reason).increment(1);
}

fn count_from_zero() {
    for reason in ["plaintext", "timeout", "tls", "shed"] {
        metrics::counter!("schema_registry_tls_handshake_failures_total", "reason" => reason).absolute(0);
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    socket: TcpStream,
) -> Result<(Stream, Option<ClientCertificate>), Failure> {
    let shaking = async {
        let mut first = [0; 8];
        let length = socket.peek(&mut first).await.unwrap_or(0);
        if let Some(failure) = not_tls(first.get(..length).unwrap_or_default()) {
            return Err(failure);
        }
        let stream = match acceptor.accept(socket).into_fallible().await {
            Ok(stream) => stream,
            Err((error, socket)) => {
                part(socket).await;
                return Err(Failure::Tls(error));
            }
        };
        let certificate = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first())
            .and_then(|own| ClientCertificate::read(own));
        Ok((Stream::Tls(Box::new(stream.into())), certificate))
    };
    tokio::time::timeout(TIME_MAX, shaking)
        .await
        .unwrap_or(Err(Failure::Timeout))
}

/// Waits a little for the peer to go first: a socket that is closed with bytes unread takes the alert back, which tells
/// the peer what was wrong with its certificate.
async fn part(mut socket: TcpStream) {
    let parting = async {
        let _ = socket.shutdown().await;
        let mut rest = socket.take(PARTING_BYTES_MAX);
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    };
    let _ = tokio::time::timeout(PARTING_TIME_MAX, parting).await;
}

/// TLS begins with a handshake record (22); anything else is not worth a handshake.
fn not_tls(first: &[u8]) -> Option<Failure> {
    const METHODS: [&[u8]; 8] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"DELETE ",
        b"HEAD ",
        b"OPTIONS ",
        b"PATCH ",
        b"PRI ",
    ];
    let looks_like = match first {
        [] => return Some(Failure::Silent),
        [22, ..] => return None,
        [version, _, 1, ..] if *version >= 0x80 => "SSL 2",
        [0, ..] => "a Kafka request",
        _ if METHODS
            .iter()
            .any(|method| first.starts_with(method) || method.starts_with(first)) =>
        {
            "HTTP"
        }
        _ => "no protocol that is known here",
    };
    Some(Failure::Plaintext(looks_like))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_is_named_by_its_first_bytes() {
        let looks_like = |bytes: &[u8]| match not_tls(bytes) {
            Some(Failure::Plaintext(what)) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(looks_like(b"GET /sub"), "HTTP");
        assert_eq!(looks_like(b"G"), "HTTP");
        assert_eq!(looks_like(b"DELETE /"), "HTTP");
        assert_eq!(looks_like(b"PRI * HT"), "HTTP");
        assert_eq!(looks_like(&[0, 0, 0, 40, 0, 18, 0, 4]), "a Kafka request");
        assert_eq!(looks_like(&[128, 46, 1, 3, 1]), "SSL 2");
        assert_eq!(looks_like(b"SSH-2.0-"), "no protocol that is known here");
        assert!(not_tls(&[22, 3, 1]).is_none());
        assert!(matches!(not_tls(&[]), Some(Failure::Silent)));
    }

    #[tokio::test]
    async fn the_oldest_handshake_makes_room_for_the_newest() {
        let mut under_way = UnderWay::default();
        let (first, mut ended) = mpsc::channel::<()>(1);
        under_way.add(async move {
            let _held = first;
            std::future::pending::<()>().await;
        });
        for _ in 1..UNDER_WAY_MAX {
            under_way.add(std::future::pending());
        }
        assert!(
            ended
                .try_recv()
                .is_err_and(|why| why == mpsc::error::TryRecvError::Empty)
        );
        under_way.add(std::future::pending());
        assert_eq!(ended.recv().await, None, "the first task is gone");
        assert_eq!(under_way.by_age.len(), UNDER_WAY_MAX);
    }
}
