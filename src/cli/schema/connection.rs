//! How a registry is reached, as the command line says it. Secrets come from the environment, a file or standard input:
//! everybody on a machine can read its command lines.

use crate::cli::exit;
use crate::kafka::ClientTls;
use crate::registry::client::{Client, ClientError, ClientOptions, Credentials};
use clap::Args;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const PASSWORD: &str = "PORTCULLIS_REGISTRY_PASSWORD";
const TOKEN: &str = "PORTCULLIS_REGISTRY_TOKEN";
/// A longer secret is none.
const SECRET_BYTES_MAX: u64 = 1 << 20;
const ANSWER_BYTES_MAX: usize = 64 << 20;

#[derive(Args, Clone)]
pub struct Connection {
    /// The registry's address; several of one group are tried in turn.
    #[arg(
        long,
        value_name = "URL,...",
        env = "PORTCULLIS_REGISTRY",
        value_delimiter = ','
    )]
    pub registry: Vec<String>,
    /// Basic authentication; the password is in PORTCULLIS_REGISTRY_PASSWORD or --password-file.
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    user: Option<String>,
    /// A file that holds the password; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// A file that holds a bearer token (else PORTCULLIS_REGISTRY_TOKEN); `-` is standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificate authorities to trust (PEM). [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A client certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Seconds to wait for one answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Why a command cannot go on, and its exit code.
#[derive(Debug)]
pub struct Stop {
    pub code: u8,
    pub why: String,
}

impl Stop {
    pub fn usage(why: impl Into<String>) -> Self {
        Self {
            code: exit::USAGE,
            why: why.into(),
        }
    }

    pub fn data(why: impl Into<String>) -> Self {
        Self {
            code: exit::DATA,
            why: why.into(),
        }
    }

    /// Says it and gives the exit code.
    pub fn tell(&self) -> ExitCode {
        eprintln!("portcullis: {}", self.why);
        ExitCode::from(self.code)
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::Setup(_) => exit::USAGE,
            ClientError::Unreachable { .. } => exit::UNAVAILABLE,
            _ if error.is_denied() => exit::NO_PERMISSION,
            _ if error.is_not_found() => exit::NO_INPUT,
            _ if error.is_incompatible() || error.is_invalid_schema() => exit::INCOMPATIBLE,
            _ if error.is_passing() => exit::UNAVAILABLE,
            _ => exit::DATA,
        };
        Self {
            code,
            why: error.to_string(),
        }
    }
}

impl Connection {
    pub fn is_given(&self) -> bool {
        !self.registry.is_empty()
    }

    pub fn client(&self) -> Result<Client, Stop> {
        if !self.is_given() {
            return Err(Stop::usage(
                "which registry? Say --registry URL, for example --registry http://localhost:8081",
            ));
        }
        let options = ClientOptions {
            urls: self.registry.clone(),
            credentials: self.credentials()?,
            tls: ClientTls {
                ca: self.ca.clone(),
                identity: self.certificate.clone().zip(self.key.clone()),
            },
            timeout: Duration::from_secs(self.timeout),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        Ok(Client::new(&options)?)
    }

    fn credentials(&self) -> Result<Credentials, Stop> {
        if let Some(user) = &self.user {
            let password = match &self.password_file {
                Some(file) => Some(secret(file)?),
                None => variable(PASSWORD),
            };
            let password = password.ok_or_else(|| {
                Stop::usage(format!(
                    "--user needs a password: set {PASSWORD} or say --password-file FILE"
                ))
            })?;
            return Ok(Credentials::Basic {
                user: user.clone(),
                password,
            });
        }
        let token = match &self.token_file {
            Some(file) => Some(secret(file)?),
            None => variable(TOKEN),
        };
        Ok(token.map_or(Credentials::None, Credentials::Bearer))
    }
}

fn variable(name: &str) -> Option<String> {
    crate::cli::environment(name).filter(|value| !value.is_empty())
}

/// A file's first line.
fn secret(file: &Path) -> Result<String, Stop> {
    let cannot = |why: &dyn std::fmt::Display| Stop {
        code: exit::NO_INPUT,
        why: format!("{} cannot be read: {why}", file.display()),
    };
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(SECRET_BYTES_MAX)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(SECRET_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| cannot(&error))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(cannot(&"its first line is empty")),
    }
}
