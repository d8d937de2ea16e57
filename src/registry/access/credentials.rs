//! What an `Authorization` header says: pure, and hiding what it found from every log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::fmt;
use thiserror::Error;

/// A longer header is not read. An identity provider's token with many groups has a few thousand bytes.
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// A longer password is no password: hashing one must not be work.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// A longer name is nobody's.
pub const NAME_BYTES_MAX: usize = 512;

/// Padding is as in RFC 4648, but some clients leave it out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who a request says it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    Basic {
        name: String,
        password: String,
    },
    /// A token as it was sent.
    Bearer(String),
}

/// Neither passwords nor tokens are for logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

/// Why a header says nothing. The texts quote nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum HeaderError {
    #[error("the Authorization header is longer than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the Authorization header is neither `Basic …` nor `Bearer …`")]
    Scheme,
    #[error("the Basic credentials are not base64")]
    Base64,
    #[error("the Basic credentials are not UTF-8")]
    Utf8,
    #[error("the Basic credentials have no colon")]
    Colon,
    #[error("the Basic credentials have no name, or too long a name or password")]
    Length,
    #[error("the bearer token has characters that no token has")]
    Token,
}

impl Credentials {
    /// Reads a header's value (RFC 7617, RFC 6750); the scheme's name is in any case.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(header: &[u8]) -> Result<Self, HeaderError> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(HeaderError::TooLong);
        }
        let header = header.trim_ascii();
        let end = header
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or(HeaderError::Scheme)?;
        let (scheme, rest) = header.split_at(end);
        let rest = rest.trim_ascii_start();
        if scheme.eq_ignore_ascii_case(b"basic") {
            basic(rest)
        } else if scheme.eq_ignore_ascii_case(b"bearer") {
            bearer(rest)
        } else {
            Err(HeaderError::Scheme)
        }
    }

    /// The header's value that says this.
    #[must_use]
    pub fn header(&self) -> String {
        match self {
            Self::Basic { name, password } => {
                format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        }
    }
}

fn basic(encoded: &[u8]) -> Result<Credentials, HeaderError> {
    let decoded = LENIENT.decode(encoded).map_err(|_| HeaderError::Base64)?;
    let decoded = String::from_utf8(decoded).map_err(|_| HeaderError::Utf8)?;
    let (name, password) = decoded.split_once(':').ok_or(HeaderError::Colon)?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || password.len() > PASSWORD_BYTES_MAX {
        return Err(HeaderError::Length);
    }
    Ok(Credentials::Basic {
        name: name.to_owned(),
        password: password.to_owned(),
    })
}

/// RFC 6750's `b64token`.
fn bearer(token: &[u8]) -> Result<Credentials, HeaderError> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let text = std::str::from_utf8(token).map_err(|_| HeaderError::Token)?;
    if text.is_empty() || !token.iter().all(plain) {
        return Err(HeaderError::Token);
    }
    Ok(Credentials::Bearer(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(header: &str) -> Result<Credentials, HeaderError> {
        Credentials::read(header.as_bytes())
    }

    fn user(name: &str, password: &str) -> Credentials {
        Credentials::Basic {
            name: name.to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn a_name_ends_at_the_first_colon_and_a_password_has_any() {
        // RFC 7617's own examples.
        assert_eq!(
            read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            Ok(user("Aladdin", "open sesame"))
        );
        assert_eq!(read("bAsIc  dGVzdDoxMjPCow"), Ok(user("test", "123£")));
        assert_eq!(read("Basic YTpiOmM="), Ok(user("a", "b:c")));
        assert_eq!(read("Basic YTo="), Ok(user("a", "")));
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        let long = format!("Bearer {}", "a".repeat(HEADER_BYTES_MAX));
        let long_password = user("a", &"p".repeat(PASSWORD_BYTES_MAX + 1)).header();
        let long_name = user(&"n".repeat(NAME_BYTES_MAX + 1), "p").header();
        for (header, error) in [
            ("", HeaderError::Scheme),
            ("Basic", HeaderError::Scheme),
            ("Digest a=b", HeaderError::Scheme),
            ("Basicx YTpi", HeaderError::Scheme),
            ("Basic Y%", HeaderError::Base64),
            ("Basic YTpi YTpi", HeaderError::Base64),
            ("Basic /w==", HeaderError::Utf8),
            ("Basic YQ==", HeaderError::Colon),
            ("Basic OnB3", HeaderError::Length),
            ("Bearer ", HeaderError::Scheme),
            ("Bearer a b", HeaderError::Token),
            ("Bearer größe", HeaderError::Token),
            (&long, HeaderError::TooLong),
            (&long_password, HeaderError::Length),
            (&long_name, HeaderError::Length),
        ] {
            assert_eq!(read(header), Err(error), "{header:.40}");
        }
    }

    #[test]
    fn neither_password_nor_token_is_shown() {
        for credentials in [user("alice", "secret"), Credentials::Bearer("secret".to_owned())] {
            assert!(!format!("{credentials:?}").contains("secret"));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "[^:\\x00]{1,40}", password in "\\PC{0,40}") {
            let said = user(&name, &password);
            prop_assert_eq!(Credentials::read(said.header().as_bytes()), Ok(said));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Credentials::read(&bytes);
            let _ = Credentials::read(&[b"Basic ", &bytes[..]].concat());
        }
    }
}
