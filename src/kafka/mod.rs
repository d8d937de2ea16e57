//! Connections to the real brokers: TCP, TLS, and what the gateway itself asks of them.

pub mod cluster;
pub mod connect;
pub mod stream;
pub mod upstream;

pub use cluster::{Cluster, Learned};
pub use connect::{ConnectError, Connector};
pub use stream::Stream;
pub use upstream::{ClientTls, HostPort, UpstreamOptions};
