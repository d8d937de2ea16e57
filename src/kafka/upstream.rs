//! Where the brokers are and how to reach them.

use super::sasl::SaslOptions;
use std::path::PathBuf;

/// A host name or address, and a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

/// TLS to the brokers. The host name is always verified.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientTls {
    /// PEM; the operating system's trust roots when absent.
    pub ca: Option<PathBuf>,
    /// PEM files of the gateway's own certificate chain and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamOptions {
    pub bootstrap_servers: Vec<HostPort>,
    pub tls: Option<ClientTls>,
    /// Our own connections' identity; clients keep theirs.
    pub sasl: Option<SaslOptions>,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}
