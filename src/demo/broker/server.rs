//! Starts and stops the broker, and accepts its connections.

use super::connection;
use super::faults::Faults;
use super::requests_seen::RequestSeen;
use super::shared::{Shared, lock};
use crate::kafka::HostPort;
use bytes::Bytes;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How often groups are looked at for members that have gone silent.
const GROUP_TICK: Duration = Duration::from_millis(50);

/// More connections than this wait in the listener's backlog.
const CONNECTIONS_MAX: usize = 2_000;

#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Port 0 lets the system choose.
    pub listen: SocketAddr,
    pub node_id: i32,
    /// Partitions of a topic that a client's metadata request creates.
    pub partitions: i32,
    /// What clients are told; the listening address when absent.
    pub advertised: Option<HostPort>,
    /// Whether a metadata request that allows it creates the topics it names.
    pub auto_create_topics: bool,
    /// What all topics together may hold; the oldest batches go first.
    pub retention_bytes: usize,
    /// Larger requests close the connection.
    pub frame_bytes_max: usize,
    /// The largest batch, as `message.max.bytes`; a topic's `max.message.bytes` goes before it.
    pub message_bytes_max: usize,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            node_id: 1,
            partitions: 1,
            advertised: None,
            auto_create_topics: true,
            retention_bytes: 256 << 20,
            frame_bytes_max: 100 << 20,
            // Kafka's own default.
            message_bytes_max: 1_048_588,
        }
    }
}

/// A running broker; it ends when the last handle is dropped or [`Self::stop`] is called.
#[derive(Clone)]
pub struct EmbeddedBroker {
    pub address: SocketAddr,
    running: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl EmbeddedBroker {
    pub async fn start(options: BrokerOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options, address));
        let (stop, stopped) = watch::channel(false);
        let acceptor = tokio::spawn(accept(listener, address, Arc::clone(&shared), stopped));
        let running = Running {
            shared,
            stop,
            acceptor: Mutex::new(Some(acceptor)),
        };
        Ok(Self {
            address,
            running: Arc::new(running),
        })
    }

    /// Closes the listener and every connection, and returns when all are gone.
    pub async fn stop(&self) {
        self.running.stop.send_replace(true);
        let acceptor = lock(&self.running.acceptor).take();
        if let Some(acceptor) = acceptor {
            // An acceptor that panicked has already closed everything it held.
            let _ = acceptor.await;
        }
    }

    /// Makes the broker misbehave.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.running.shared.faults
    }

    /// The last requests that arrived, oldest first, with their bytes.
    #[must_use]
    pub fn requests_seen(&self) -> Vec<RequestSeen> {
        lock(&self.running.shared.requests_seen).list()
    }

    /// The batches of a partition as its producers sent them, byte for byte: base offset and leader epoch are not
    /// patched. Empty when there is no such partition; batches that retention dropped are missing.
    #[must_use]
    pub fn produced(&self, topic: &str, partition: i32) -> Vec<Bytes> {
        lock(&self.running.shared.topics)
            .partition(topic, partition)
            .map(|log| log.batches().map(|batch| batch.bytes.clone()).collect())
            .unwrap_or_default()
    }

    /// The offset that the next record of a partition gets.
    #[must_use]
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<i64> {
        lock(&self.running.shared.topics)
            .partition(topic, partition)
            .map(super::partition_log::PartitionLog::next_offset)
    }

    /// Creates a topic as an administrator would. False when it exists already, or its name or size is refused.
    #[must_use]
    pub fn create_topic(&self, topic: &str, partitions: i32) -> bool {
        lock(&self.running.shared.topics)
            .create(topic, partitions, std::collections::BTreeMap::new())
            .is_ok()
    }
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut listener = Some(listener);
    let mut listening = shared.faults.listening();
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut tick = tokio::time::interval(GROUP_TICK);
    loop {
        if *stopped.borrow() {
            break;
        }
        let open = *listening.borrow_and_update();
        if !open {
            listener = None;
        } else if listener.is_none() {
            // Somebody may hold the port for a moment; the tick below brings us back.
            listener = TcpListener::bind(address).await.ok();
        }
        tokio::select! {
            _ = stopped.changed() => break,
            _ = listening.changed() => {}
            _ = tick.tick() => shared.expire_group_members(),
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = next_connection(listener.as_ref(), &places) => {
                if let Some((stream, peer, place)) = accepted {
                    let connection = connection::serve(stream, peer, Arc::clone(&shared));
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn next_connection(
    listener: Option<&TcpListener>,
    places: &Arc<Semaphore>,
) -> Option<(
    tokio::net::TcpStream,
    SocketAddr,
    tokio::sync::OwnedSemaphorePermit,
)> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::debug!(%error, "the embedded broker could not accept");
            // Out of descriptors: do not spin.
            tokio::time::sleep(Duration::from_millis(20)).await;
            None
        }
    }
}
