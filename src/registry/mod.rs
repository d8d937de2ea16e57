//! The schema registry: subjects, versions, ids as a fold over a log; its store and its REST API.

use crate::contract::SchemaSource;
use crate::schema::CompatibilityLevel;
use crate::telemetry::health::Health;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct RegistryOptions {
    pub listen: SocketAddr,
    /// The folder of the local file store.
    pub store: PathBuf,
    /// The global level until `/config` sets another.
    pub compatibility: CompatibilityLevel,
}

/// A running registry.
pub struct Registry {
    pub address: SocketAddr,
}

/// Opens the store, folds its log and serves the REST API until [`Registry::stop`].
pub async fn start(_options: RegistryOptions, _health: Health) -> io::Result<Registry> {
    todo!()
}

impl Registry {
    /// The gateway's door to the schemas: answers from memory.
    #[must_use]
    pub fn schemas(&self) -> Arc<dyn SchemaSource> {
        todo!()
    }

    /// Ends the server, lets requests under way finish, closes the store.
    pub async fn stop(self) {
        todo!()
    }
}
