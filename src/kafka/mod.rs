//! Connections to the real brokers: TCP, TLS, and what the gateway itself asks of them.

pub mod upstream;

pub use upstream::{ClientTls, HostPort, UpstreamOptions};
