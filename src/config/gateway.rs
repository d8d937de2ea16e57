//! `gateway`: listeners, limits, drain.

use super::address;
use super::section::{Reading, Section};
use super::server_tls;
use super::units;
use super::yaml::Node;
use crate::gateway::{GatewayLimits, ListenerOptions};
use crate::wire::compression::DecompressionLimits;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Brokers of a listener that does not say how many.
const BROKERS: u16 = 64;

/// `gateway` but for the upstream, which has its own section.
pub struct GatewaySection {
    pub listeners: Vec<ListenerOptions>,
    pub limits: GatewayLimits,
    pub drain_timeout: Duration,
}

impl Default for GatewaySection {
    fn default() -> Self {
        Self {
            listeners: vec![default_listener()],
            limits: default_limits(),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// Every interface, but only `localhost` is told to clients: what others can reach us by, only they know.
fn default_listener() -> ListenerOptions {
    ListenerOptions {
        name: "default".to_owned(),
        address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9192)),
        advertised_host: "localhost".to_owned(),
        first_port: 9193,
        brokers: BROKERS,
        tls: None,
    }
}

fn default_limits() -> GatewayLimits {
    GatewayLimits {
        frame_bytes_max: 100 << 20,
        connections_max: 20_000,
        memory_bytes_max: 1 << 30,
        decompression: DecompressionLimits {
            bytes_max: 16 << 20,
            ratio_max: 128,
        },
    }
}

pub fn read(section: Option<Section<'_>>, reading: &mut Reading<'_>) -> Option<GatewaySection> {
    let mut options = GatewaySection::default();
    let Some(mut section) = section else {
        return Some(options);
    };
    if let Some(node) = section.take("listeners") {
        options.listeners = listeners(node, reading)?;
    }
    if let Some(limits) = section.take_section("limits", reading) {
        self::limits(limits, &mut options.limits, reading);
    }
    if let Some(node) = section.take("drain_timeout") {
        let read = reading.parsed(node, "drain_timeout", "30s", units::duration);
        options.drain_timeout = read.unwrap_or(options.drain_timeout);
    }
    section.finish(reading);
    Some(options)
}

fn listeners(node: &Node, reading: &mut Reading<'_>) -> Option<Vec<ListenerOptions>> {
    let list = reading.list(node, "listeners")?;
    if list.is_empty() {
        reading.report(
            node.at,
            "`listeners` is empty: clients could not reach the gateway",
            None,
        );
    }
    let mut read: Vec<ListenerOptions> = Vec::new();
    for node in list {
        let Some(listener) = listener(node, reading) else {
            continue;
        };
        if read.iter().any(|other| other.name == listener.name) {
            let what = format!("a second listener is called `{}`", listener.name);
            reading.report(node.at, what, Some("give each its own `name`".to_owned()));
        }
        read.push(listener);
    }
    Some(read)
}

fn listener(node: &Node, reading: &mut Reading<'_>) -> Option<ListenerOptions> {
    let mut section = reading.section(node, "listener")?;
    let name = section.take("name").map(|node| reading.text(node, "name"));
    let address = section
        .require("address", reading, "0.0.0.0:9192")
        .and_then(|node| reading.parsed(node, "address", "0.0.0.0:9192", address::listen));
    let advertised = section.take("advertised_host").map(|node| {
        reading.parsed(node, "advertised_host", "gateway.internal", |text| {
            let strange = |c: char| c.is_whitespace() || "/:@[],".contains(c);
            let host = text.parse::<std::net::IpAddr>().is_ok() || !text.contains(strange);
            host.then(|| text.to_owned())
                .ok_or_else(|| format!("`{text}` is not a host"))
        })
    });
    let tls = section
        .take_section("tls", reading)
        .map(|section| server_tls::read(section, reading));
    let routing = section.take_section("routing", reading);
    section.finish(reading);
    let ports = routing.map(|section| routing_ports(section, reading));
    let address = address?;
    let (first_port, brokers) = match ports {
        Some(ports) => ports?,
        None => (None, BROKERS),
    };
    let first_port = first_port.or_else(|| address.port().checked_add(1))?;
    if first_port == 0 || u32::from(first_port) + u32::from(brokers) > 65_536 {
        let what = format!("{brokers} broker ports from {first_port} on are more than there are ports");
        reading.report(node.at, what, Some("lower `first_port` or `brokers`".to_owned()));
        return None;
    }
    Some(ListenerOptions {
        name: name.unwrap_or_else(|| Some(format!("port-{}", address.port())))?,
        address,
        advertised_host: advertised.unwrap_or_else(|| Some(reachable_host(address)))?,
        first_port,
        brokers,
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
    })
}

/// What clients are told when the file does not say: the listener's own address, if it has one.
fn reachable_host(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        "localhost".to_owned()
    } else {
        address.ip().to_string()
    }
}

fn routing_ports(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<(Option<u16>, u16)> {
    section.refuse("sni", reading);
    let ports = section.take_section("port_per_broker", reading);
    section.finish(reading);
    let mut section = ports?;
    let first_port = section
        .take("first_port")
        .map(|node| reading.number(node, "first_port", 1..=u16::MAX));
    let brokers = section
        .take("brokers")
        .map(|node| reading.number(node, "brokers", 1..=10_000));
    section.finish(reading);
    let first_port = match first_port {
        Some(port) => Some(port?),
        None => None,
    };
    Some((first_port, brokers.unwrap_or(Some(BROKERS))?))
}

fn limits(mut section: Section<'_>, limits: &mut GatewayLimits, reading: &mut Reading<'_>) {
    let at = section.at;
    let mut bytes = |key: &'static str, example: &str, target: &mut usize, reading: &mut Reading<'_>| {
        let node = section.take(key);
        if let Some(read) = node.and_then(|node| reading.parsed(node, key, example, at_least_a_kibibyte)) {
            *target = read;
        }
    };
    bytes("max_frame", "100MiB", &mut limits.frame_bytes_max, reading);
    bytes("memory", "1GiB", &mut limits.memory_bytes_max, reading);
    bytes(
        "decompressed_batch",
        "16MiB",
        &mut limits.decompression.bytes_max,
        reading,
    );
    if let Some(node) = section.take("max_connections") {
        let read = reading.number(node, "max_connections", 1..=10_000_000);
        limits.connections_max = read.unwrap_or(limits.connections_max);
    }
    if let Some(node) = section.take("decompression_ratio") {
        let read = reading.number(node, "decompression_ratio", 1..=1_000_000);
        limits.decompression.ratio_max = read.unwrap_or(limits.decompression.ratio_max);
    }
    section.finish(reading);
    if i32::try_from(limits.frame_bytes_max).is_err() {
        reading.report(
            at,
            "`max_frame` is more than the protocol's lengths can say (2GiB)",
            None,
        );
    }
    if limits.frame_bytes_max > limits.memory_bytes_max {
        let suggestion = Some("raise `memory`, or lower `max_frame`".to_owned());
        reading.report(
            at,
            "`max_frame` is more than `memory`: such a frame could never come in",
            suggestion,
        );
    }
}

fn at_least_a_kibibyte(text: &str) -> Result<usize, String> {
    let bytes = units::bytes(text)?;
    if bytes < 1 << 10 {
        Err(format!("`{text}` is less than 1KiB"))
    } else {
        Ok(bytes)
    }
}
