//! `upstream`: the brokers.

use super::address;
use super::section::{Reading, Section};
use super::yaml::{Node, Value};
use crate::kafka::{ClientTls, HostPort, SaslMechanism, SaslOptions, UpstreamOptions};

const MECHANISMS: [(&str, SaslMechanism); 3] = [
    ("PLAIN", SaslMechanism::Plain),
    ("SCRAM-SHA-256", SaslMechanism::ScramSha256),
    ("SCRAM-SHA-512", SaslMechanism::ScramSha512),
];

/// `instead`: what the command line says the brokers are.
pub fn read(
    section: Option<Section<'_>>,
    reading: &mut Reading<'_>,
    instead: Option<&[HostPort]>,
) -> Option<UpstreamOptions> {
    let Some(mut section) = section else {
        return instead.map(|servers| UpstreamOptions {
            bootstrap_servers: servers.to_vec(),
            tls: None,
            sasl: None,
        });
    };
    let typed = match instead {
        Some(_) => section.take("bootstrap_servers"),
        None => section.require("bootstrap_servers", reading, "[\"kafka-1:9092\"]"),
    };
    let typed = typed.and_then(|node| servers(node, reading));
    let tls = section
        .take_section("tls", reading)
        .map(|section| tls(section, reading));
    let sasl = section
        .take_section("sasl", reading)
        .map(|section| sasl(section, reading));
    section.finish(reading);
    let bootstrap_servers = instead.map(<[HostPort]>::to_vec).or(typed)?;
    Some(UpstreamOptions {
        bootstrap_servers,
        tls: tls.map_or(Some(None), |tls| tls.map(Some))?,
        sasl: sasl.map_or(Some(None), |sasl| sasl.map(Some))?,
    })
}

fn servers(node: &Node, reading: &mut Reading<'_>) -> Option<Vec<HostPort>> {
    const EXAMPLE: &str = "[\"kafka-1:9092\"]";
    // As Kafka's own configuration has it: `a:9092,b:9092`.
    if let Value::Text(_) = &node.value {
        return reading.parsed(node, "bootstrap_servers", EXAMPLE, address_list);
    }
    let list = reading.list(node, "bootstrap_servers")?;
    if list.is_empty() {
        reading.report(node.at, "`bootstrap_servers` names no broker", None);
        return None;
    }
    // All of them, so that every wrong one is named.
    let read: Vec<Option<HostPort>> = list
        .iter()
        .map(|server| reading.parsed(server, "bootstrap_servers", EXAMPLE, address::host_port))
        .collect();
    read.into_iter().collect()
}

/// `kafka-1:9092,kafka-2:9092`.
pub fn address_list(text: &str) -> Result<Vec<HostPort>, String> {
    text.split(',').map(address::host_port).collect()
}

fn sasl(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<SaslOptions> {
    let mechanism = section
        .require("mechanism", reading, "SCRAM-SHA-512")
        .and_then(|node| reading.word(node, "mechanism", &MECHANISMS));
    let username = section
        .require("username", reading, "portcullis")
        .and_then(|node| reading.text(node, "username"));
    let password = section
        .require("password", reading, "\"${KAFKA_PASSWORD}\"")
        .and_then(|node| reading.text(node, "password"));
    section.finish(reading);
    Some(SaslOptions {
        mechanism: mechanism?,
        username: username?,
        password: password?,
    })
}

/// TLS to somebody else: `ca`, `certificate` and `key`.
pub fn tls(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<ClientTls> {
    let at = section.at;
    let mut file = |key, reading: &mut Reading<'_>| {
        let node = section.take(key);
        node.map(|node| reading.existing(node, key))
    };
    let ca = file("ca", reading);
    let certificate = file("certificate", reading);
    let key = file("key", reading);
    section.finish(reading);
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate?, key?)),
        (None, None) => None,
        (Some(_), None) => {
            reading.report(at, "`tls.certificate` without its `key`", None);
            return None;
        }
        (None, Some(_)) => {
            reading.report(at, "`tls.key` without its `certificate`", None);
            return None;
        }
    };
    let ca = match ca {
        Some(ca) => Some(ca?),
        None => None,
    };
    Some(ClientTls { ca, identity })
}
