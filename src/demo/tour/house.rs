//! Everything that `portcullis demo` runs: embedded broker, registry, gateway, admin port.

use super::TourError;
use crate::contract::Policies;
use crate::demo::broker::{BrokerOptions, EmbeddedBroker};
use crate::gateway::{self, Gateway, GatewayLimits, GatewayOptions, ListenerOptions};
use crate::kafka::{HostPort, UpstreamOptions};
use crate::registry::core::INCOMPATIBLE_CODE;
use crate::registry::{self, Registry, RegistryOptions};
use crate::schema::CompatibilityLevel;
use crate::telemetry::admin::{self, Admin};
use crate::telemetry::health::Health;
use crate::telemetry::metrics;
use crate::wire::compression::DecompressionLimits;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// From the start of the last part to a gateway that knows its broker.
const READY_TIME_MAX: Duration = Duration::from_secs(10);

const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Below the ports that the system gives to outgoing connections, so that none of them takes one in between.
const FREE_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Which ports the house takes, all on 127.0.0.1. The embedded broker is always on a free one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ports {
    /// Those of `portcullis run`: 9192 and 9193, 8081, 9644.
    Usual,
    /// This one and the next three: gateway, gateway's broker port, registry, admin.
    From(u16),
    /// Whichever are free.
    Free,
}

struct Chosen {
    gateway: u16,
    gateway_broker: u16,
    registry: u16,
    admin: u16,
}

impl Ports {
    fn choose(self) -> io::Result<Chosen> {
        Ok(match self {
            Self::Usual => Chosen {
                gateway: 9192,
                gateway_broker: 9193,
                registry: 8081,
                admin: 9644,
            },
            Self::From(first) => Chosen {
                gateway: first,
                gateway_broker: first.saturating_add(1),
                registry: first.saturating_add(2),
                admin: first.saturating_add(3),
            },
            // Only the broker port must be known beforehand: clients are told it.
            Self::Free => Chosen {
                gateway: 0,
                gateway_broker: free_port()?,
                registry: 0,
                admin: 0,
            },
        })
    }
}

fn free_port() -> io::Result<u16> {
    let span = u128::from(FREE_PORTS.end - FREE_PORTS.start);
    for _ in 0..200 {
        let port = FREE_PORTS.start + (ulid::Ulid::new().random() % span) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port was found"))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A running house. [`House::stop`] takes it down.
pub struct House {
    pub broker: EmbeddedBroker,
    /// The gateway's bootstrap port.
    pub gateway: SocketAddr,
    /// The gateway's port for the one broker.
    pub gateway_broker: SocketAddr,
    pub registry: SocketAddr,
    pub admin: SocketAddr,
    parts: Parts,
}

struct Parts {
    gateway: Gateway,
    registry: Registry,
    admin: Admin,
    // Last: the registry's store is inside.
    _folder: TemporaryFolder,
}

fn failed(part: impl Into<String>) -> impl FnOnce(io::Error) -> TourError {
    let part = part.into();
    move |error| TourError::Start { part, error }
}

impl House {
    /// Starts every part, and returns when the gateway knows its broker.
    pub async fn start(ports: Ports) -> Result<Self, TourError> {
        let ports = ports.choose().map_err(failed("the gateway"))?;
        metrics::install();
        let health = Health::default();
        let broker = EmbeddedBroker::start(BrokerOptions::default())
            .await
            .map_err(failed("the embedded broker"))?;
        let folder = TemporaryFolder::create().map_err(failed("the registry's temporary folder"))?;
        let admin = admin::start(local(ports.admin), health.clone())
            .await
            .map_err(failed(format!("the admin port {}", ports.admin)))?;
        let registry = RegistryOptions {
            listen: local(ports.registry),
            store: folder.path().to_owned().into(),
            compatibility: CompatibilityLevel::Backward,
            incompatible_code: INCOMPATIBLE_CODE,
            tls: None,
            security: None,
        };
        let registry = registry::start(registry, health.clone())
            .await
            .map_err(failed(format!("the registry on port {}", ports.registry)))?;
        metrics::registry_up().set(1.0);
        // A port that is taken is a warning to a gateway that has other brokers; here it is the only one.
        drop(
            TcpListener::bind(local(ports.gateway_broker))
                .map_err(failed(format!("the gateway's port {}", ports.gateway_broker)))?,
        );
        let gateway = gateway::start(
            gateway_options(&ports, broker.address),
            Policies::default(),
            registry.schemas(),
            None,
            health.clone(),
        )
        .await
        .map_err(failed(format!("the gateway on port {}", ports.gateway)))?;
        let address = *gateway
            .addresses
            .first()
            .ok_or_else(|| TourError::NotReady("it has no address".to_owned()))?;
        let house = Self {
            broker,
            gateway: address,
            gateway_broker: local(ports.gateway_broker),
            registry: registry.address,
            admin: admin.address,
            parts: Parts {
                gateway,
                registry,
                admin,
                _folder: folder,
            },
        };
        match wait_until_ready(&health).await {
            Ok(()) => Ok(house),
            Err(error) => {
                house.stop().await;
                Err(error)
            }
        }
    }

    /// Drains the gateway, stops every part and removes the temporary folder.
    pub async fn stop(self) {
        self.parts.gateway.drain().await;
        self.parts.registry.stop().await;
        self.parts.admin.stop();
        self.broker.stop().await;
    }
}

fn gateway_options(ports: &Chosen, broker: SocketAddr) -> GatewayOptions {
    GatewayOptions {
        listeners: vec![ListenerOptions {
            name: "demo".to_owned(),
            address: local(ports.gateway),
            advertised_host: Ipv4Addr::LOCALHOST.to_string(),
            first_port: ports.gateway_broker,
            brokers: 1,
            tls: None,
        }],
        upstream: UpstreamOptions {
            bootstrap_servers: vec![HostPort {
                host: broker.ip().to_string(),
                port: broker.port(),
            }],
            tls: None,
            sasl: None,
        },
        limits: GatewayLimits {
            frame_bytes_max: 100 << 20,
            connections_max: 1_000,
            memory_bytes_max: 256 << 20,
            decompression: DecompressionLimits {
                bytes_max: 16 << 20,
                ratio_max: 128,
            },
        },
        drain_timeout: DRAIN_TIMEOUT,
    }
}

async fn wait_until_ready(health: &Health) -> Result<(), TourError> {
    let ready = async {
        while !health.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(READY_TIME_MAX, ready)
        .await
        .map_err(|_| TourError::NotReady(health.report()))
}

/// A folder that goes when its owner goes.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn create() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("portcullis-demo-{}", ulid::Ulid::new()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a temporary folder could not be removed");
        }
    }
}
