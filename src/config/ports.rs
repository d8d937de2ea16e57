//! No two servers on one port: said when the file is read, not when the second of them cannot bind.

use super::Options;
use std::fmt;
use std::net::IpAddr;

/// The ports that one part of the process listens on.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Claim {
    who: String,
    ip: IpAddr,
    first: u16,
    last: u16,
}

impl Claim {
    fn conflicts_with(&self, other: &Self) -> bool {
        let same_interface = self.ip == other.ip || self.ip.is_unspecified() || other.ip.is_unspecified();
        // Port 0 lets the system choose.
        same_interface && self.first != 0 && self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{} (port {})", self.who, self.first)
        } else {
            write!(f, "{} (ports {} to {})", self.who, self.first, self.last)
        }
    }
}

/// Each pair that wants the same port, in words.
pub fn conflicts(options: &Options) -> Vec<String> {
    let mut claims = Vec::new();
    for listener in &options.gateway.listeners {
        let (ip, port) = (listener.address.ip(), listener.address.port());
        claims.push(Claim {
            who: format!("listener `{}`", listener.name),
            ip,
            first: port,
            last: port,
        });
        claims.push(Claim {
            who: format!("the brokers of listener `{}`", listener.name),
            ip,
            first: listener.first_port,
            last: listener
                .first_port
                .saturating_add(listener.brokers.saturating_sub(1)),
        });
    }
    for (who, address) in [
        ("the registry", options.registry.listen),
        ("admin", options.admin),
    ] {
        let (first, last) = (address.port(), address.port());
        claims.push(Claim {
            who: who.to_owned(),
            ip: address.ip(),
            first,
            last,
        });
    }
    let mut conflicts = Vec::new();
    for (index, claim) in claims.iter().enumerate() {
        for other in claims
            .iter()
            .skip(index + 1)
            .filter(|other| claim.conflicts_with(other))
        {
            conflicts.push(format!("{claim} and {other} want the same port"));
        }
    }
    conflicts
}
