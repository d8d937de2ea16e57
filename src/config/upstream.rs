//! `upstream`: the brokers.

use super::address;
use super::section::{Reading, Section};
use super::yaml::{Node, Value};
use crate::kafka::sasl::OAUTHBEARER;
use crate::kafka::{
    ClientTls, HostPort, SaslMechanism, SaslOptions, SaslUser, TokenEndpoint, TokenSource, UpstreamOptions,
};

/// None: not a password's.
const MECHANISMS: [(&str, Option<SaslMechanism>); 4] = [
    ("PLAIN", Some(SaslMechanism::Plain)),
    ("SCRAM-SHA-256", Some(SaslMechanism::ScramSha256)),
    ("SCRAM-SHA-512", Some(SaslMechanism::ScramSha512)),
    (OAUTHBEARER, None),
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
    if mechanism == Some(None) {
        let source = token_source(&mut section, reading);
        section.finish(reading);
        return source.map(SaslOptions::Token);
    }
    let username = section
        .require("username", reading, "portcullis")
        .and_then(|node| reading.text(node, "username"));
    let password = section
        .require("password", reading, "\"${KAFKA_PASSWORD}\"")
        .and_then(|node| reading.text(node, "password"));
    section.finish(reading);
    Some(SaslOptions::Password(SaslUser {
        mechanism: mechanism??,
        username: username?,
        password: password?,
    }))
}

fn token_source(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<TokenSource> {
    let file = section.take("token_file");
    let endpoint = section.take_section("token_endpoint", reading);
    match (file, endpoint) {
        (Some(file), None) => reading.existing(file, "token_file").map(TokenSource::File),
        (None, Some(endpoint)) => {
            token_endpoint(endpoint, reading).map(|endpoint| TokenSource::Endpoint(Box::new(endpoint)))
        }
        (Some(_), Some(endpoint)) => {
            let suggestion = Some("leave one of them out".to_owned());
            reading.report(
                endpoint.at,
                "`token_file` and `token_endpoint` are both there",
                suggestion,
            );
            None
        }
        (None, None) => {
            let suggestion = Some("for example `token_file: /run/secrets/kafka-token`".to_owned());
            reading.report(
                section.at,
                "OAUTHBEARER needs a `token_file` or a `token_endpoint`",
                suggestion,
            );
            None
        }
    }
}

fn token_endpoint(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<TokenEndpoint> {
    const EXAMPLE: &str = "\"https://idp.example.com/oauth2/token\"";
    let url = section
        .require("url", reading, EXAMPLE)
        .and_then(|node| reading.parsed(node, "url", EXAMPLE, |text| address::secret_url(text, "tokens")));
    let client_id = section
        .require("client_id", reading, "portcullis")
        .and_then(|node| reading.text(node, "client_id"));
    let client_secret = section
        .require("client_secret", reading, "\"${KAFKA_CLIENT_SECRET}\"")
        .and_then(|node| reading.text(node, "client_secret"));
    let scope = section.take("scope").map(|node| reading.text(node, "scope"));
    let ca = section.take("ca").map(|node| reading.existing(node, "ca"));
    section.finish(reading);
    Some(TokenEndpoint {
        url: url?,
        client_id: client_id?,
        client_secret: client_secret?,
        scope: scope.map_or(Some(None), |scope| scope.map(Some))?,
        ca: ca.map_or(Some(None), |ca| ca.map(Some))?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CommandLine;
    use crate::config::read::parse;
    use std::path::Path;

    fn sasl(text: &str, exists: bool) -> Result<SaslOptions, String> {
        let text = format!(
            "upstream:\n  bootstrap_servers: [\"k:1\"]\n  sasl: {{ mechanism: OAUTHBEARER, {text} }}\n"
        );
        parse(
            &text,
            Path::new("/etc/p.yaml"),
            &|_| None,
            &|_| exists,
            &CommandLine::default(),
        )
        .map(|options| options.gateway.upstream.sasl.unwrap())
        .map_err(|found| found.to_string())
    }

    #[test]
    fn a_token_comes_from_a_file_or_from_an_endpoint() {
        assert_eq!(
            sasl("token_file: run/token", true),
            Ok(SaslOptions::Token(TokenSource::File("/etc/run/token".into())))
        );
        let endpoint = TokenEndpoint {
            url: "https://idp/token".to_owned(),
            client_id: "p".to_owned(),
            client_secret: "s".to_owned(),
            scope: None,
            ca: None,
        };
        assert_eq!(
            sasl(
                "token_endpoint: { url: \"https://idp/token\", client_id: p, client_secret: s }",
                true
            ),
            Ok(SaslOptions::Token(TokenSource::Endpoint(Box::new(
                endpoint.clone()
            ))))
        );
        let more = TokenEndpoint {
            url: "http://127.0.0.1:9/token".to_owned(),
            scope: Some("kafka read".to_owned()),
            ca: Some("/etc/ca.pem".into()),
            ..endpoint
        };
        assert_eq!(
            sasl(
                "token_endpoint: { url: \"http://127.0.0.1:9/token\", client_id: p, client_secret: s, scope: kafka read, ca: ca.pem }",
                true
            ),
            Ok(SaslOptions::Token(TokenSource::Endpoint(Box::new(more))))
        );
    }

    #[test]
    fn a_token_from_nowhere_from_two_places_or_over_plain_http_is_refused() {
        let endpoint = "token_endpoint: { url: \"https://idp/t\", client_id: p, client_secret: s }";
        for (text, exists, why) in [
            (
                "username: u, password: p",
                true,
                "OAUTHBEARER needs a `token_file` or a `token_endpoint`",
            ),
            (
                &format!("token_file: t, {endpoint}"),
                true,
                "`token_file` and `token_endpoint` are both there; leave one of them out",
            ),
            ("token_file: t", false, "`token_file`: there is no file /etc/t"),
            (
                "token_endpoint: { url: \"http://idp/t\", client_id: p, client_secret: s }",
                true,
                "`url`: tokens over plain http only from this machine: use https",
            ),
            (
                "token_endpoint: { url: \"https://idp/t\", client_id: p }",
                true,
                "`upstream.sasl.token_endpoint.client_secret` is missing",
            ),
            (
                &format!("{endpoint}, password: p"),
                true,
                "unknown key `password` in `upstream.sasl`",
            ),
        ] {
            let found = sasl(text, exists).unwrap_err();
            assert!(found.contains(why), "{text}\n{found}");
        }
    }
}
