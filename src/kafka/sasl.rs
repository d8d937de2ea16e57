//! Who we are to a broker: the client's side of SASL. [`Exchange`] is pure, bytes in and bytes out; `Connection`
//! carries them in SaslHandshake and SaslAuthenticate requests.
//!
//! PLAIN is RFC 4616, SCRAM-SHA-256 and SCRAM-SHA-512 are RFC 5802 and 7677, OAUTHBEARER is RFC 7628 (KIP-255). As
//! Kafka's own (`ScramFormatter`), names and passwords are taken as they are, without SASLprep.

use super::token::TokenSource;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use std::fmt::Write as _;
use std::num::NonZeroU32;
use thiserror::Error;

/// Kafka's own least (`ScramMechanism.MIN_ITERATIONS`).
const ITERATIONS_MIN: u32 = 4096;
/// The server chooses how long we compute; Kafka itself allows 16384.
const ITERATIONS_MAX: u32 = 200_000;
/// No honest message of SCRAM comes near.
const MESSAGE_BYTES_MAX: usize = 4096;
const NONCE_BYTES: usize = 24;

/// The mechanisms that prove a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SaslMechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

impl SaslMechanism {
    /// As it stands in SaslHandshake and in configurations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

pub const OAUTHBEARER: &str = "OAUTHBEARER";

/// `upstream.sasl`: the identity of our own connections. Clients of the gateway keep theirs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SaslOptions {
    Password(SaslUser),
    /// OAUTHBEARER.
    Token(TokenSource),
}

#[derive(Clone, PartialEq, Eq)]
pub struct SaslUser {
    pub mechanism: SaslMechanism,
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for SaslUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaslUser")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl SaslOptions {
    #[must_use]
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Password(user) => user.mechanism.as_str(),
            Self::Token(_) => OAUTHBEARER,
        }
    }

    /// For errors: as whom, and nothing secret.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::Password(user) => format!("user `{}`", user.username),
            Self::Token(source) => format!("the token from {}", source.place()),
        }
    }
}

/// Why an exchange ended without success. Says nothing secret.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SaslError {
    #[error("the server's message is not one of {mechanism}: {why}")]
    Malformed {
        mechanism: &'static str,
        why: &'static str,
    },
    #[error("the server asks for {0} iterations; {ITERATIONS_MIN} to {ITERATIONS_MAX} are accepted")]
    Iterations(u32),
    #[error("the server refused: {0}")]
    Refused(String),
    /// It does not know the password: somebody else stands where the broker should.
    #[error("the server's signature is wrong: it does not know this user's password")]
    Signature,
    #[error("the system gives no random bytes")]
    Random,
}

/// One authentication under way.
pub struct Exchange(State);

enum State {
    Plain {
        message: Vec<u8>,
    },
    Bearer {
        message: Vec<u8>,
    },
    /// What the server has against the token; it ends the exchange once this was taken note of.
    Unwelcome(String),
    Scram(Box<Scram>),
    Done,
}

/// RFC 5802 section 5.
struct Scram {
    kind: Kind,
    password: String,
    /// `client-first-message-bare`.
    first_bare: String,
    client_nonce: String,
    step: Step,
}

enum Step {
    First,
    /// Waits for the server's first message.
    Challenge,
    /// Waits for this signature over this text.
    Final {
        server_key: hmac::Key,
        auth_message: String,
    },
}

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    pbkdf2: pbkdf2::Algorithm,
    hmac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
}

const SHA_256: Kind = Kind {
    name: "SCRAM-SHA-256",
    pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256,
    hmac: hmac::HMAC_SHA256,
    digest: &digest::SHA256,
};
const SHA_512: Kind = Kind {
    name: "SCRAM-SHA-512",
    pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512,
    hmac: hmac::HMAC_SHA512,
    digest: &digest::SHA512,
};

impl Exchange {
    /// # Errors
    /// [`SaslError::Random`] when there is no nonce to be had.
    pub fn new(user: &SaslUser) -> Result<Self, SaslError> {
        let kind = match user.mechanism {
            SaslMechanism::Plain => {
                let message = format!("\0{}\0{}", user.username, user.password).into_bytes();
                return Ok(Self(State::Plain { message }));
            }
            SaslMechanism::ScramSha256 => SHA_256,
            SaslMechanism::ScramSha512 => SHA_512,
        };
        let mut nonce = [0; NONCE_BYTES];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| SaslError::Random)?;
        Ok(Self::scram(kind, user, STANDARD.encode(nonce)))
    }

    /// RFC 7628 section 3.1: no channel binding, no other name than the token's, one key and its value.
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        let message = format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes();
        Self(State::Bearer { message })
    }

    fn scram(kind: Kind, user: &SaslUser, client_nonce: String) -> Self {
        // `saslname`: comma and equals sign are the message's own.
        let name = user.username.replace('=', "=3D").replace(',', "=2C");
        Self(State::Scram(Box::new(Scram {
            kind,
            password: user.password.clone(),
            first_bare: format!("n={name},r={client_nonce}"),
            client_nonce,
            step: Step::First,
        })))
    }

    /// The message to open with.
    pub fn open(&mut self) -> Vec<u8> {
        match &mut self.0 {
            State::Plain { message } | State::Bearer { message } => std::mem::take(message),
            State::Scram(scram) => {
                scram.step = Step::Challenge;
                // `n`: no channel binding.
                format!("n,,{}", scram.first_bare).into_bytes()
            }
            State::Unwelcome(_) | State::Done => Vec::new(),
        }
    }

    /// What to answer; `None` when all is said and the server is who it should be.
    ///
    /// # Errors
    /// [`SaslError`]; the exchange is then over.
    pub fn answer(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        match std::mem::replace(&mut self.0, State::Done) {
            // PLAIN's server says nothing but in the response's own error code.
            State::Plain { .. } | State::Done => Ok(None),
            State::Bearer { .. } if message.is_empty() => Ok(None),
            // RFC 7628 section 3.2.3: a JSON object that says why, which wants an answer before it is all over.
            State::Bearer { .. } => {
                let why = String::from_utf8_lossy(message).chars().take(200).collect();
                self.0 = State::Unwelcome(why);
                Ok(Some(vec![1]))
            }
            State::Unwelcome(why) => Err(SaslError::Refused(why)),
            State::Scram(mut scram) => {
                let answer = scram.on(message)?;
                if answer.is_some() {
                    self.0 = State::Scram(scram);
                }
                Ok(answer)
            }
        }
    }
}

impl Scram {
    fn malformed(&self, why: &'static str) -> SaslError {
        SaslError::Malformed {
            mechanism: self.kind.name,
            why,
        }
    }

    fn on(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(self.malformed("it is too long"));
        }
        let message = std::str::from_utf8(message).map_err(|_| self.malformed("it is not UTF-8"))?;
        match std::mem::replace(&mut self.step, Step::First) {
            Step::First => Err(self.malformed("it comes before ours")),
            Step::Challenge => self.challenged(message).map(Some),
            Step::Final {
                server_key,
                auth_message,
            } => {
                let mut fields = message.split(',');
                let field = fields.next().unwrap_or_default();
                if let Some(error) = field.strip_prefix("e=") {
                    return Err(SaslError::Refused(error.chars().take(100).collect()));
                }
                let signature = field
                    .strip_prefix("v=")
                    .and_then(|signature| STANDARD.decode(signature).ok())
                    .ok_or_else(|| self.malformed("it has no signature"))?;
                hmac::verify(&server_key, auth_message.as_bytes(), &signature)
                    .map_err(|_| SaslError::Signature)?;
                Ok(None)
            }
        }
    }

    /// `server-first-message` in, `client-final-message` out.
    fn challenged(&mut self, message: &str) -> Result<Vec<u8>, SaslError> {
        let mut fields = message.split(',');
        let mut field = |name: &str, why| {
            fields
                .next()
                .and_then(|field| field.strip_prefix(name))
                .ok_or(SaslError::Malformed {
                    mechanism: self.kind.name,
                    why,
                })
        };
        // An extension that must be understood would stand first, as `m=`.
        let nonce = field("r=", "it does not begin with a nonce")?;
        let salt = field("s=", "it has no salt")?;
        let iterations = field("i=", "it has no iteration count")?;
        if nonce.len() <= self.client_nonce.len() || !nonce.starts_with(&self.client_nonce) {
            return Err(self.malformed("its nonce does not go on from ours"));
        }
        let salt = STANDARD
            .decode(salt)
            .ok()
            .filter(|salt| !salt.is_empty())
            .ok_or_else(|| self.malformed("its salt is not base64"))?;
        let iterations: u32 = iterations
            .parse()
            .map_err(|_| self.malformed("its iteration count is not a number"))?;
        let rounds = NonZeroU32::new(iterations)
            .filter(|_| (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations))
            .ok_or(SaslError::Iterations(iterations))?;

        let mut salted = vec![0; self.kind.digest.output_len()];
        pbkdf2::derive(
            self.kind.pbkdf2,
            rounds,
            &salt,
            self.password.as_bytes(),
            &mut salted,
        );
        let salted = hmac::Key::new(self.kind.hmac, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.kind.digest, client_key.as_ref());
        // `biws`: base64 of `n,,`, which we opened with.
        let mut answer = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{message},{answer}", self.first_bare);
        let signature = hmac::sign(
            &hmac::Key::new(self.kind.hmac, stored_key.as_ref()),
            auth_message.as_bytes(),
        );
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(key, signature)| key ^ signature)
            .collect();
        let _ = write!(answer, ",p={}", STANDARD.encode(proof));
        self.step = Step::Final {
            server_key: hmac::Key::new(self.kind.hmac, hmac::sign(&salted, b"Server Key").as_ref()),
            auth_message,
        };
        Ok(answer.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(mechanism: SaslMechanism, username: &str, password: &str) -> SaslUser {
        SaslUser {
            mechanism,
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }

    /// RFC 7677 section 3.
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const CHALLENGE: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SIGNED: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn rfc_7677() -> Exchange {
        let user = options(SaslMechanism::ScramSha256, "user", "pencil");
        Exchange::scram(SHA_256, &user, NONCE.to_owned())
    }

    #[test]
    fn plain_says_name_and_password_and_wants_no_answer() {
        let mut exchange = Exchange::new(&options(SaslMechanism::Plain, "tim", "tanstaaftanstaaf")).unwrap();
        assert_eq!(exchange.open(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(exchange.answer(b""), Ok(None));
    }

    #[test]
    fn a_token_is_said_as_rfc_7628_says_and_its_refusal_is_taken_note_of() {
        let mut exchange = Exchange::bearer("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(
            exchange.open(),
            b"n,,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
        );
        assert_eq!(exchange.answer(b""), Ok(None));

        let mut exchange = Exchange::bearer("x");
        exchange.open();
        let why = br#"{"status":"invalid_token"}"#;
        assert_eq!(exchange.answer(why), Ok(Some(vec![1])));
        assert_eq!(
            exchange.answer(b""),
            Err(SaslError::Refused(r#"{"status":"invalid_token"}"#.to_owned()))
        );
    }

    #[test]
    fn scram_sha_256_says_what_rfc_7677_says() {
        let mut exchange = rfc_7677();
        assert_eq!(exchange.open(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer = exchange.answer(CHALLENGE).unwrap().unwrap();
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(exchange.answer(SIGNED), Ok(None));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let mut exchange = rfc_7677();
        exchange.open();
        exchange.answer(CHALLENGE).unwrap();
        let wrong = b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(exchange.answer(wrong), Err(SaslError::Signature));
    }

    #[test]
    fn a_server_that_refuses_says_why() {
        let mut exchange = rfc_7677();
        exchange.open();
        exchange.answer(CHALLENGE).unwrap();
        assert_eq!(
            exchange.answer(b"e=invalid-proof"),
            Err(SaslError::Refused("invalid-proof".to_owned()))
        );
    }

    #[test]
    fn a_challenge_that_is_none_is_refused() {
        let wrong: [&[u8]; 9] = [
            b"",
            b"\xff\xfe",
            b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"m=x,r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqO1,s=,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqO1,s=?,i=4096",
            b"r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1",
        ];
        for challenge in wrong {
            let mut exchange = rfc_7677();
            exchange.open();
            let answer = exchange.answer(challenge);
            assert!(
                matches!(answer, Err(SaslError::Malformed { .. })),
                "{challenge:?}: {answer:?}"
            );
        }
    }

    #[test]
    fn too_few_or_too_many_iterations_are_not_computed() {
        for iterations in [0, 1, 4095, 200_001, u32::MAX] {
            let mut exchange = rfc_7677();
            exchange.open();
            let challenge = format!("r=rOprNGfwEbeRWgbNEkqO1,s=W22ZaJ0SNY7soEsUEjb6gQ==,i={iterations}");
            assert_eq!(
                exchange.answer(challenge.as_bytes()),
                Err(SaslError::Iterations(iterations))
            );
        }
    }

    #[test]
    fn commas_and_equals_signs_of_a_name_are_escaped() {
        let user = options(SaslMechanism::ScramSha512, "a=b,c", "x");
        let mut exchange = Exchange::scram(SHA_512, &user, "N".to_owned());
        assert_eq!(exchange.open(), b"n,,n=a=3Db=2Cc,r=N");
    }

    #[test]
    fn a_password_is_not_shown_by_debug() {
        let shown = format!("{:?}", options(SaslMechanism::Plain, "tim", "hidden"));
        assert!(shown.contains("tim") && !shown.contains("hidden"), "{shown}");
    }
}
