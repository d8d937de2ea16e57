//! The registry's port: so many connections at once and no more, and none that only sits there; plain or TLS.

use super::access::ClientCertificate;
use super::handshake::{Handshakes, Ready};
use super::tls::Tls;
use crate::kafka::Stream;
use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::IncomingStream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// More wait in the system's backlog.
pub const CONNECTIONS_MAX: usize = 1_024;
/// A connection on which nothing comes in or goes out is closed after this; longer than any answer takes.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(90);
/// After an accept that failed, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Who is at the other end of a request's connection: `ConnectInfo<Peer>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    pub certificate: Option<ClientCertificate>,
}

impl Connected<IncomingStream<'_, RegistryListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, RegistryListener>) -> Self {
        Self {
            address: *stream.remote_addr(),
            certificate: stream.io().certificate.clone(),
        }
    }
}

/// Makes the connection's [`ClientCertificate`] an extension of each of its requests.
pub async fn show_certificate(
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(certificate) = peer.certificate {
        request.extensions_mut().insert(certificate);
    }
    next.run(request).await
}

pub struct RegistryListener {
    address: SocketAddr,
    incoming: Incoming,
    idle_time_max: Duration,
}

enum Incoming {
    Plain(Door),
    Tls(Handshakes),
}

impl RegistryListener {
    /// # Errors
    /// When the system does not tell the listener's address.
    pub fn new(listener: TcpListener, tls: Option<Arc<Tls>>, idle_time_max: Duration) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let door = Door {
            listener,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        };
        let incoming = match tls {
            Some(tls) => Incoming::Tls(Handshakes::start(door, tls)),
            None => Incoming::Plain(door),
        };
        Ok(Self {
            address,
            incoming,
            idle_time_max,
        })
    }
}

/// Where connections come in, and how many there may be.
pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    return (stream, peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "the registry cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Waits until a connection may be.
    pub async fn place(&self) -> OwnedSemaphorePermit {
        match self.places.clone().acquire_owned().await {
            Ok(place) => place,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    pub fn free_place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }
}

impl axum::serve::Listener for RegistryListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let ready = match &mut self.incoming {
            Incoming::Plain(door) => {
                let place = door.place().await;
                let (stream, address) = door.accept().await;
                Ready {
                    stream: Stream::Plain(stream),
                    address,
                    certificate: None,
                    place,
                }
            }
            Incoming::Tls(handshakes) => match handshakes.next().await {
                Some(ready) => ready,
                // They go on for as long as the listener lives.
                None => std::future::pending().await,
            },
        };
        let address = ready.address;
        (Connection::new(ready, self.idle_time_max), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A client's connection, with its place among the others.
pub struct Connection {
    stream: Stream,
    certificate: Option<ClientCertificate>,
    idle: Pin<Box<Sleep>>,
    idle_time_max: Duration,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(ready: Ready, idle_time_max: Duration) -> Self {
        let idle = Box::pin(sleep_until(Instant::now() + idle_time_max));
        Self {
            stream: ready.stream,
            certificate: ready.certificate,
            idle,
            idle_time_max,
            _place: ready.place,
        }
    }

    fn moved(&mut self) {
        let deadline = Instant::now() + self.idle_time_max;
        self.idle.as_mut().reset(deadline);
    }

    /// Ready with the error when nothing has moved for too long.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.idle.as_mut().poll(context));
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            "the connection was idle for too long",
        ))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => self.poll_idle(context).map(Err),
            moved @ Poll::Ready(_) => {
                self.moved();
                moved
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.poll_idle(context).map(Err),
            moved @ Poll::Ready(_) => {
                self.moved();
                moved
            }
        }
    }

    // TLS holds back what the socket does not take, so that these two wait for the peer as well.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => self.poll_idle(context).map(Err),
            done @ Poll::Ready(_) => done,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.poll_idle(context).map(Err),
            done @ Poll::Ready(_) => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::serve::Listener as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn listener(idle_time_max: Duration) -> (RegistryListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (
            RegistryListener::new(listener, None, idle_time_max).unwrap(),
            address,
        )
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_ends_and_one_that_talks_does_not() {
        let (mut listener, address) = listener(Duration::from_millis(200)).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut connection, _) = listener.accept().await;
        let mut byte = [0];
        for _ in 0..4 {
            sleep(Duration::from_millis(100)).await;
            client.write_all(b"x").await.unwrap();
            connection.read_exact(&mut byte).await.unwrap();
        }
        let silent = tokio::time::timeout(Duration::from_secs(5), connection.read(&mut byte))
            .await
            .unwrap();
        assert_eq!(silent.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// An authority's certificate (PEM), and a certificate with its key that it signs for a subject.
    fn signed(
        folder: &std::path::Path,
        file: &str,
        ca: &rcgen::CertifiedIssuer<'_, rcgen::KeyPair>,
        subject: &str,
    ) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationalUnitName, "payments");
        params.distinguished_name.push(rcgen::DnType::CommonName, subject);
        let certificate = params.signed_by(&key, ca).unwrap();
        std::fs::write(folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    #[tokio::test]
    async fn the_subject_of_a_clients_certificate_is_an_extension_of_its_requests() {
        let folder = tempfile::tempdir().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("ca.pem"), ca.pem()).unwrap();
        signed(folder.path(), "server", &ca, "registry");
        signed(folder.path(), "client", &ca, "orders, Inc.");
        let tls = Tls::read(crate::kafka::ServerTls {
            certificate: file("server.pem"),
            key: file("server.key"),
            clients: Some(crate::kafka::ClientTrust {
                ca: file("ca.pem"),
                required: false,
            }),
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = RegistryListener::new(listener, Some(tls), IDLE_TIME_MAX).unwrap();
        let address = listener.address;
        let asked = |request: Request| async move {
            let subject = request.extensions().get::<ClientCertificate>();
            subject.map_or_else(String::new, |subject| format!("{subject:?}"))
        };
        let router = axum::Router::new()
            .fallback(asked)
            .layer(axum::middleware::from_fn(show_certificate));
        let serving = axum::serve(listener, router.into_make_service_with_connect_info::<Peer>());
        let server = tokio::spawn(async move { serving.await });
        for (identity, expected) in [
            (None, String::new()),
            (
                Some((file("client.pem"), file("client.key"))),
                r#"ClientCertificate { distinguished_name: "CN=orders\\, Inc.,OU=payments", common_name: Some("orders, Inc.") }"#
                    .to_owned(),
            ),
        ] {
            let options = crate::kafka::UpstreamOptions {
                bootstrap_servers: Vec::new(),
                tls: Some(crate::kafka::ClientTls {
                    ca: Some(file("ca.pem")),
                    identity,
                }),
                sasl: None,
            };
            let server = crate::kafka::HostPort {
                host: "127.0.0.1".to_owned(),
                port: address.port(),
            };
            let connector = crate::kafka::Connector::new(&options).unwrap();
            let mut stream = connector.connect(&server).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, expected);
        }
        server.abort();
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_connection_is_gone() {
        let (mut listener, address) = listener(IDLE_TIME_MAX).await;
        let Incoming::Plain(door) = &mut listener.incoming else {
            panic!("plain")
        };
        door.places = Arc::new(Semaphore::new(1));
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let (connection, _) = listener.accept().await;
        let waiting = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        assert!(waiting.is_err(), "the second waits");
        drop(connection);
        tokio::time::timeout(Duration::from_secs(5), listener.accept())
            .await
            .unwrap();
    }
}
