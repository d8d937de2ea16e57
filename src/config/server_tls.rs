//! `tls` of a port of ours: `gateway.listeners[].tls`, `registry.embedded.tls`.

use super::section::{Reading, Section};
use crate::kafka::{ClientTrust, ServerTls};

/// `client_auth`: whether a client must show a certificate.
const CLIENT_AUTH: [(&str, bool); 2] = [("required", true), ("optional", false)];

pub fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<ServerTls> {
    let certificate = section
        .require("certificate", reading, "server.pem")
        .and_then(|node| reading.existing(node, "certificate"));
    let key = section
        .require("key", reading, "server.key")
        .and_then(|node| reading.existing(node, "key"));
    let ca = section.take("client_ca");
    let ca = ca.map(|node| reading.existing(node, "client_ca"));
    let auth = section.take("client_auth");
    if let (Some(node), None) = (auth, &ca) {
        let suggestion =
            Some("name those who sign clients' certificates: `client_ca: clients.pem`".to_owned());
        reading.report(node.at, "`client_auth` without a `client_ca`", suggestion);
    }
    let required = auth.map_or(Some(true), |node| reading.word(node, "client_auth", &CLIENT_AUTH));
    section.finish(reading);
    let clients = match ca {
        Some(ca) => Some(ClientTrust {
            ca: ca?,
            required: required?,
        }),
        None => None,
    };
    Some(ServerTls {
        certificate: certificate?,
        key: key?,
        clients,
    })
}
