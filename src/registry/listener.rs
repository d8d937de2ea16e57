//! The registry's port: so many connections at once and no more, and none that only sits there.

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
const CONNECTIONS_MAX: usize = 1_024;
/// A connection on which nothing comes in or goes out is closed after this; longer than any answer takes.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(90);
/// After an accept that failed, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

pub struct RegistryListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
    idle_time_max: Duration,
}

impl RegistryListener {
    #[must_use]
    pub fn new(listener: TcpListener, idle_time_max: Duration) -> Self {
        Self {
            listener,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            idle_time_max,
        }
    }
}

impl axum::serve::Listener for RegistryListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else {
                // The semaphore is never closed.
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    return (Connection::new(stream, place, self.idle_time_max), peer);
                }
                Err(error) => {
                    tracing::warn!(%error, "the registry cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A client's connection, with its place among the others.
pub struct Connection {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    idle_time_max: Duration,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit, idle_time_max: Duration) -> Self {
        let idle = Box::pin(sleep_until(Instant::now() + idle_time_max));
        Self {
            stream,
            idle,
            idle_time_max,
            _place: place,
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

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
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
        (RegistryListener::new(listener, idle_time_max), address)
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

    #[tokio::test]
    async fn a_place_is_free_again_when_its_connection_is_gone() {
        let (mut listener, address) = listener(IDLE_TIME_MAX).await;
        listener.places = Arc::new(Semaphore::new(1));
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
