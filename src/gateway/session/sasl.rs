//! SASL passes through; the session only follows how far it has come, because after SaslHandshake version 0 the
//! tokens travel without any header (KIP-43), and because memory is small before authentication.

use crate::wire::reader::{Reader, Result};
use std::sync::Arc;

/// What a broker lets a client send before it is authenticated (`sasl.server.max.receive.size`).
pub const UNAUTHENTICATED_FRAME_BYTES_MAX: usize = 512 << 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sasl {
    /// Nothing asked for yet.
    None,
    /// SaslHandshake is on its way to the broker.
    Asked {
        exchanges: u8,
        raw: bool,
    },
    /// So many exchanges of tokens are still to come, with or without a header.
    Exchanging {
        exchanges: u8,
        raw: bool,
    },
    Authenticated,
}

/// How many request-response pairs of tokens a mechanism takes at the least.
fn exchanges(mechanism: &str) -> u8 {
    if mechanism.starts_with("SCRAM-") || mechanism == "GSSAPI" {
        2
    } else {
        1
    }
}

impl Sasl {
    /// Reads a SaslHandshake request's body. Version 0 with GSSAPI cannot be followed: its token count is not fixed.
    pub fn asked(version: i16, body: &[u8]) -> Result<Option<Self>> {
        let mechanism = Reader::new(body).string(false)?;
        let raw = version == 0;
        Ok(if raw && mechanism == "GSSAPI" {
            None
        } else {
            Some(Self::Asked {
                exchanges: exchanges(mechanism),
                raw,
            })
        })
    }

    /// The broker's answer to SaslHandshake.
    #[must_use]
    pub fn answered(self, error_code: i16) -> Self {
        match self {
            Self::Asked { exchanges, raw } if error_code == 0 => Self::Exchanging { exchanges, raw },
            Self::Asked { .. } => Self::None,
            other => other,
        }
    }

    /// The broker answered a token. A later exchange (KIP-368 re-authentication) changes nothing.
    #[must_use]
    pub fn exchanged(self, error_code: i16) -> Self {
        match self {
            Self::Exchanging { .. } if error_code != 0 => Self::None,
            Self::Exchanging { exchanges, raw } if exchanges > 1 => Self::Exchanging {
                exchanges: exchanges - 1,
                raw,
            },
            Self::Exchanging { .. } => Self::Authenticated,
            other => other,
        }
    }

    /// Whether the next frame from the client is a bare token.
    #[must_use]
    pub fn expects_raw_token(self) -> bool {
        matches!(self, Self::Exchanging { raw: true, .. })
    }

    /// Whether what the client sends next depends on an answer that is not here yet.
    #[must_use]
    pub fn awaits_handshake(self) -> bool {
        matches!(self, Self::Asked { raw: true, .. })
    }
}

/// Who a client says it is in its first token, in Kafka's form `User:name`: PLAIN (RFC 4616), SCRAM (RFC 5802) or an
/// OAUTHBEARER token with an authorization identity (RFC 7628). Whether that is so, the broker says.
#[must_use]
pub fn principal(token: &[u8]) -> Option<Arc<str>> {
    let token = std::str::from_utf8(token).ok()?;
    let name = if let Some(rest) = token.strip_prefix("n,") {
        let (authorization, rest) = rest.split_once(',')?;
        match rest.strip_prefix("n=") {
            // A comma and an equals sign in a name are written `=2C` and `=3D`.
            Some(rest) => rest.split(',').next()?.replace("=2C", ",").replace("=3D", "="),
            None => authorization.strip_prefix("a=")?.to_owned(),
        }
    } else {
        token.split('\0').nth(1)?.to_owned()
    };
    (!name.is_empty()).then(|| format!("User:{name}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_says_who_it_is() {
        let said = |token: &[u8]| principal(token).map(|name| name.to_string());
        assert_eq!(said(b"\0alice\0secret").as_deref(), Some("User:alice"));
        assert_eq!(said(b"admin\0alice\0secret").as_deref(), Some("User:alice"));
        assert_eq!(
            said(b"n,,n=a=2Cb=3Dc,r=fyko+d2lbbFgONRv9qkxdawL").as_deref(),
            Some("User:a,b=c")
        );
        assert_eq!(
            said(b"n,a=bob,\x01auth=Bearer x\x01\x01").as_deref(),
            Some("User:bob")
        );
        for nobody in [
            &b""[..],
            b"\0\0",
            b"n,,",
            b"n,,\x01auth=Bearer x",
            b"\xff\0a\0b",
            b"c=biws,r=x,p=y",
        ] {
            assert_eq!(said(nobody), None, "{nobody:?}");
        }
    }

    fn mechanism(name: &str) -> Vec<u8> {
        let mut body = (name.len() as i16).to_be_bytes().to_vec();
        body.extend_from_slice(name.as_bytes());
        body
    }

    #[test]
    fn plain_takes_one_raw_token_after_handshake_version_0() {
        let sasl = Sasl::asked(0, &mechanism("PLAIN")).unwrap().unwrap();
        assert!(sasl.awaits_handshake());
        let sasl = sasl.answered(0);
        assert!(sasl.expects_raw_token());
        assert_eq!(sasl.exchanged(0), Sasl::Authenticated);
    }

    #[test]
    fn scram_takes_two_exchanges() {
        let sasl = Sasl::asked(1, &mechanism("SCRAM-SHA-512"))
            .unwrap()
            .unwrap()
            .answered(0);
        assert!(!sasl.expects_raw_token());
        assert_eq!(sasl.exchanged(0).exchanged(0), Sasl::Authenticated);
        assert_eq!(sasl.exchanged(58), Sasl::None);
    }

    #[test]
    fn a_refused_mechanism_starts_over() {
        assert_eq!(
            Sasl::asked(1, &mechanism("PLAIN")).unwrap().unwrap().answered(33),
            Sasl::None
        );
    }
}
