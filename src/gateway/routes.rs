//! Which broker is behind which port: one port a broker on every listener, opened when the broker is first heard of.
//!
//! A broker's slot is its node id modulo the number of slots where that is free, so that gateways side by side, and one
//! before and after a restart, agree; else the next free one.

use super::listener::{Acceptor, Target};
use crate::kafka::HostPort;
use crate::kafka::cluster::Broker;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

struct Route {
    address: HostPort,
    slot: u16,
    /// In the cluster's own list when that was last read.
    present: bool,
    /// One accept loop a listener.
    accepting: Vec<JoinHandle<()>>,
}

/// Shared by all listeners and connections.
pub struct Routes {
    acceptors: Mutex<Vec<Arc<Acceptor>>>,
    slots: u16,
    by_node: RwLock<HashMap<i32, Route>>,
}

impl Routes {
    /// `slots`: how many brokers every listener has ports for.
    #[must_use]
    pub fn new(slots: u16) -> Self {
        Self {
            acceptors: Mutex::default(),
            slots,
            by_node: RwLock::default(),
        }
    }

    /// A listener that opens a port for each broker from now on.
    pub fn add_listener(&self, acceptor: Arc<Acceptor>) {
        self.acceptors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(acceptor);
    }

    pub fn address(&self, node_id: i32) -> Option<HostPort> {
        let by_node = self.by_node.read().unwrap_or_else(PoisonError::into_inner);
        by_node.get(&node_id).map(|route| route.address.clone())
    }

    /// The slot of a broker that says it is at `host`:`port`. Its ports are open when this returns. `None` when no
    /// slot is free.
    pub fn slot(&self, node_id: i32, host: &str, port: u16) -> Option<u16> {
        {
            let by_node = self.by_node.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(route) = by_node.get(&node_id)
                && route.address.port == port
                && route.address.host == host
            {
                return Some(route.slot);
            }
        }
        let address = HostPort {
            host: host.to_owned(),
            port,
        };
        let mut by_node = self.by_node.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = by_node.get_mut(&node_id) {
            if route.address != address {
                info!(node_id, was = %route.address, now = %address, "a broker has moved");
                route.address = address;
            }
            route.present = true;
            return Some(route.slot);
        }
        let Some(slot) = self.free_slot(&mut by_node, node_id) else {
            error!(
                node_id,
                slots = self.slots,
                "no port is left for this broker, clients cannot reach it; raise routing.port_per_broker.brokers"
            );
            return None;
        };
        let acceptors = self.acceptors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut accepting = Vec::with_capacity(acceptors.len());
        for acceptor in acceptors.iter() {
            match acceptor.open(slot, Target::Broker(node_id)) {
                Ok(task) => accepting.push(task),
                Err(error) => {
                    // Somebody else may be behind that port: the broker is left out until it can be opened.
                    error!(node_id, listener = acceptor.name(), %error, "a broker's port cannot be opened");
                    accepting.iter().for_each(JoinHandle::abort);
                    return None;
                }
            }
        }
        info!(node_id, %address, slot, "a broker is reachable");
        by_node.insert(
            node_id,
            Route {
                address,
                slot,
                present: true,
                accepting,
            },
        );
        Some(slot)
    }

    /// The cluster's own list of brokers.
    pub fn update(&self, brokers: &[Broker]) {
        for broker in brokers {
            self.slot(broker.node_id, &broker.address.host, broker.address.port);
        }
        let mut by_node = self.by_node.write().unwrap_or_else(PoisonError::into_inner);
        for (node_id, route) in by_node.iter_mut() {
            let present = brokers.iter().any(|broker| broker.node_id == *node_id);
            if route.present && !present {
                warn!(node_id, address = %route.address, "a broker has left the cluster's list");
            }
            route.present = present;
        }
    }

    fn free_slot(&self, by_node: &mut HashMap<i32, Route>, node_id: i32) -> Option<u16> {
        if self.slots == 0 {
            return None;
        }
        let first = node_id.rem_euclid(i32::from(self.slots)) as u16;
        let taken = |slot: u16| by_node.values().any(|route| route.slot == slot);
        let free = (0..self.slots)
            .map(|step| (first + step) % self.slots)
            .find(|slot| !taken(*slot));
        free.or_else(|| {
            // A broker that is gone gives up its place only when another needs it.
            let gone = by_node
                .iter()
                .find(|(_, route)| !route.present)
                .map(|(node_id, _)| *node_id)?;
            let route = by_node.remove(&gone)?;
            route.accepting.iter().for_each(JoinHandle::abort);
            Some(route.slot)
        })
    }

    /// Closes every broker's port.
    pub fn close(&self) {
        let mut by_node = self.by_node.write().unwrap_or_else(PoisonError::into_inner);
        for route in by_node.values_mut() {
            route.accepting.drain(..).for_each(|task| task.abort());
        }
    }
}
