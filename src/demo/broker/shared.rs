//! What all connections of the broker share.

use super::coordinator::Groups;
use super::faults::Faults;
use super::requests_seen::RequestsSeen;
use super::server::BrokerOptions;
use super::topics::Topics;
use crate::kafka::HostPort;
use kafka_protocol::protocol::StrBytes;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// A panic elsewhere must not take the whole broker down: its state is consistent between calls.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub struct Shared {
    pub options: BrokerOptions,
    pub advertised: HostPort,
    pub cluster_id: StrBytes,
    pub topics: Mutex<Topics>,
    pub groups: Mutex<Groups>,
    pub faults: Faults,
    pub requests_seen: Mutex<RequestsSeen>,
    /// Changes with every append, so that waiting fetches look again.
    pub appends: watch::Sender<u64>,
    next_producer_id: AtomicI64,
}

impl Shared {
    pub fn new(options: BrokerOptions, address: SocketAddr) -> Self {
        let advertised = options.advertised.clone().unwrap_or_else(|| HostPort {
            host: address.ip().to_string(),
            port: address.port(),
        });
        Self {
            advertised,
            // As Kafka does it, 22 characters; ours are a ULID's.
            cluster_id: StrBytes::from_string(ulid::Ulid::new().to_string().chars().take(22).collect()),
            topics: Mutex::new(Topics::new(options.retention_bytes)),
            groups: Mutex::new(Groups::default()),
            faults: Faults::default(),
            requests_seen: Mutex::new(RequestsSeen::default()),
            appends: watch::Sender::new(0),
            next_producer_id: AtomicI64::new(1000),
            options,
        }
    }

    pub fn new_producer_id(&self) -> i64 {
        self.next_producer_id.fetch_add(1, Ordering::Relaxed)
    }

    pub fn host(&self) -> StrBytes {
        StrBytes::from_string(self.advertised.host.clone())
    }

    pub fn port(&self) -> i32 {
        i32::from(self.advertised.port)
    }

    pub fn expire_group_members(&self) {
        lock(&self.groups).expire(Instant::now());
    }
}
