//! A small Kafka broker in memory: one node, no durability. What it lacks it does not advertise.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Port 0 lets the system choose.
    pub listen: SocketAddr,
    pub node_id: i32,
    /// Partitions of a topic that a client's metadata request creates.
    pub partitions: i32,
}

/// A running broker; it ends when the last handle is dropped or [`Self::stop`] is called.
#[derive(Clone)]
pub struct EmbeddedBroker {
    pub address: SocketAddr,
    _inner: Arc<()>,
}

impl EmbeddedBroker {
    pub async fn start(_options: BrokerOptions) -> io::Result<Self> {
        todo!()
    }
    pub async fn stop(&self) {
        todo!()
    }
}
