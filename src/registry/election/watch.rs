//! An open connection to the leader's REST port, for nothing but to see it close. The broker takes six seconds or more
//! to notice that a process is gone; its own system says so at once.

use super::member::Leader;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Registries close a connection that says nothing after 90 s (ours) or 30 s (Confluent's).
const RENEW_INTERVAL: Duration = Duration::from_secs(25);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two tries to open the first connection, and between one that was closed at once and the next.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// A machine that is gone without a word is noticed after three of them.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Watches one leader at a time.
#[derive(Default)]
pub struct Watch(Option<(Arc<str>, JoinHandle<()>)>);

impl Watch {
    /// Watches `leader` from now on, and nobody else.
    pub fn follow(&mut self, leader: Option<&Leader>) {
        self.stop();
        if let Some(leader) = leader {
            let (host, port) = (leader.identity.host.clone(), leader.identity.port);
            self.0 = Some((leader.member_id.clone(), tokio::spawn(until_gone(host, port))));
        }
    }

    /// Waits until the port of the leader that is watched was open and is no more, and returns the leader's member id.
    pub async fn gone(&mut self) -> Arc<str> {
        let Some((member_id, watching)) = &mut self.0 else {
            return std::future::pending().await;
        };
        let ended = watching.await;
        let member_id = member_id.clone();
        self.0 = None;
        match ended {
            Ok(()) => member_id,
            // It was aborted or has panicked, which says nothing of the leader.
            Err(_) => std::future::pending().await,
        }
    }

    fn stop(&mut self) {
        if let Some((_, watching)) = self.0.take() {
            watching.abort();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn until_gone(host: String, port: u16) {
    let mut connection = loop {
        match connect(&host, port).await {
            Ok(connection) => break connection,
            // As long as there was none, its end says nothing: the way there may be blocked.
            Err(_) => sleep(RETRY_INTERVAL).await,
        }
    };
    loop {
        let mut byte = [0];
        let closed = timeout(RENEW_INTERVAL, connection.read(&mut byte)).await;
        connection = loop {
            match connect(&host, port).await {
                Ok(connection) => break connection,
                Err(error) if is_our_own(&error) => sleep(RETRY_INTERVAL).await,
                Err(_) => return,
            }
        };
        if closed.is_ok() {
            // Who closes every connection at once is not asked all the time.
            sleep(RETRY_INTERVAL).await;
        }
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let connection = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port)))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let probes = TcpKeepalive::new()
        .with_time(PROBE_INTERVAL)
        .with_interval(PROBE_INTERVAL)
        .with_retries(2);
    SockRef::from(&connection).set_tcp_keepalive(&probes)?;
    Ok(connection)
}

/// Want of file descriptors, ports or a name server is our trouble, not the leader's.
fn is_our_own(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::super::protocol::Identity;
    use super::*;
    use tokio::net::TcpListener;

    fn leader(port: u16) -> Leader {
        Leader {
            member_id: "a-1".into(),
            identity: Identity::new("http", "127.0.0.1", port, true),
        }
    }

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn a_leader_whose_port_closes_is_gone_at_once() {
        let (listener, port) = listener().await;
        let mut watch = Watch::default();
        watch.follow(Some(&leader(port)));
        let (connection, _) = listener.accept().await.unwrap();
        drop((listener, connection));
        let gone = timeout(Duration::from_secs(1), watch.gone()).await;
        assert_eq!(gone.unwrap().as_ref(), "a-1");
    }

    #[tokio::test]
    async fn a_leader_that_closes_the_connection_and_takes_another_is_still_there() {
        let (listener, port) = listener().await;
        let mut watch = Watch::default();
        watch.follow(Some(&leader(port)));
        for _ in 0..3 {
            let accepted = timeout(Duration::from_secs(2), listener.accept()).await;
            drop(accepted.unwrap().unwrap());
        }
        let gone = timeout(Duration::from_millis(200), watch.gone()).await;
        assert!(gone.is_err());
    }

    #[tokio::test]
    async fn a_leader_that_was_never_reached_is_not_taken_for_gone() {
        let (listener, port) = listener().await;
        drop(listener);
        let mut watch = Watch::default();
        watch.follow(Some(&leader(port)));
        let gone = timeout(RETRY_INTERVAL * 3, watch.gone()).await;
        assert!(gone.is_err());
    }
}
