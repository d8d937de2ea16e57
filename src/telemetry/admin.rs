//! The admin port: `/metrics`, `/livez`, `/readyz`, `/startupz`.

use super::health::Health;
use std::io;
use std::net::SocketAddr;

/// A running admin server.
pub struct Admin {
    pub address: SocketAddr,
}

/// Binds `listen` and serves until the process ends.
pub async fn start(_listen: SocketAddr, _health: Health) -> io::Result<Admin> {
    todo!()
}
