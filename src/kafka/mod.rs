//! Connections to the real brokers: TCP, TLS, SASL, and what we ourselves ask of them; TLS on our own ports.
//!
//! The gateway passes its clients' bytes on; what is asked here, with kafka-protocol's messages, is our own: who the
//! brokers are ([`Cluster`]), the registry's log and its election ([`Client`]). Those messages are decoded only from
//! a broker's answers, whose length is checked first.

pub mod client;
pub mod cluster;
pub mod connect;
pub mod connection;
pub mod group;
pub mod sasl;
pub mod server_tls;
pub mod stream;
pub mod token;
pub mod upstream;

pub use client::{Client, CoordinatorKind};
pub use cluster::{Broker, Cluster, Learned};
pub use connect::{ConnectError, Connector};
pub use connection::{ClientError, Connection};
pub use sasl::{SaslMechanism, SaslOptions, SaslUser};
pub use server_tls::{ClientTrust, ServerTls};
pub use stream::Stream;
pub use token::{TokenEndpoint, TokenSource};
pub use upstream::{ClientTls, HostPort, UpstreamOptions};

use std::time::{SystemTime, UNIX_EPOCH};

/// The time as records have it: milliseconds since the epoch.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
