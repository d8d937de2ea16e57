//! Addresses: where we listen (an IP address and a port), and whom we call (a host and a port).

use crate::kafka::HostPort;
use std::net::SocketAddr;

/// `0.0.0.0:9192`, `[::]:9192`, and `localhost:9192` for the loopback address.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return listen(&format!("127.0.0.1:{port}"));
    }
    text.parse()
        .map_err(|_| format!("`{text}` is not an IP address and a port"))
}

/// `kafka-1:9092`, `[::1]:9092`.
pub fn host_port(text: &str) -> Result<HostPort, String> {
    let wrong = || format!("`{text}` is not a host and a port");
    let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(bracketed) => bracketed.ok_or_else(wrong)?,
        None if host.contains(':') => return Err(format!("`{text}`: an IPv6 address stands in [ ]")),
        None => host,
    };
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let strange = |c: char| c.is_whitespace() || "/@[],".contains(c);
    if host.is_empty() || port == 0 || host.contains(strange) {
        return Err(wrong());
    }
    Ok(HostPort {
        host: host.to_owned(),
        port,
    })
}

/// Where `what` (keys, tokens) is had from: whoever could read or change them on their way could make tokens, so they come over
/// TLS, or do not leave this machine.
pub fn secret_url(text: &str, what: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|_| "not a URL".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user or a password may not be part of it".to_owned());
    }
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(text.to_owned()),
        "http" if here => Ok(text.to_owned()),
        "http" => Err(format!(
            "{what} over plain http only from this machine: use https"
        )),
        _ => Err("neither https nor http".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_listen_on_an_ip_address() {
        assert_eq!(listen("0.0.0.0:9192").unwrap().port(), 9192);
        assert!(listen("[::]:9192").unwrap().is_ipv6());
        assert_eq!(listen("localhost:1").unwrap(), "127.0.0.1:1".parse().unwrap());
        for wrong in ["9192", "gateway:9192", "0.0.0.0", "0.0.0.0:70000", ""] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn we_call_a_host_and_a_port() {
        assert_eq!(
            host_port("kafka-1:9092"),
            Ok(HostPort {
                host: "kafka-1".into(),
                port: 9092
            })
        );
        assert_eq!(
            host_port("[::1]:9092"),
            Ok(HostPort {
                host: "::1".into(),
                port: 9092
            })
        );
        for wrong in [
            "kafka-1",
            ":9092",
            "kafka:0",
            "kafka:port",
            "::1:9092",
            "[::1:9092",
            "SSL://kafka:9092",
            "a b:1",
        ] {
            assert!(host_port(wrong).is_err(), "{wrong}");
        }
    }
}
