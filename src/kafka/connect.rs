//! Opens connections to brokers.

use super::stream::{Stream, tune};
use super::upstream::{ClientTls, HostPort, UpstreamOptions};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CLIENT_ID: &str = "portcullis";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Error)]
pub enum ConnectError {
    #[error("cannot connect to {server}: {source}")]
    Tcp { server: HostPort, source: io::Error },
    #[error("TLS with {server} failed: {source}")]
    Tls { server: HostPort, source: io::Error },
    #[error("{server} did not answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout { server: HostPort },
}

impl ConnectError {
    /// The `kind` label of `portcullis_upstream_errors_total`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tcp { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
        }
    }
}

/// Opens connections as the options say; cheap to clone.
#[derive(Clone)]
pub struct Connector {
    tls: Option<TlsConnector>,
    /// As what our own requests introduce themselves (`client.id`).
    client_id: &'static str,
}

impl Connector {
    /// # Errors
    /// When a certificate or key cannot be read.
    pub fn new(options: &UpstreamOptions) -> io::Result<Self> {
        let tls = options.tls.as_ref().map(client_config).transpose()?;
        Ok(Self {
            tls: tls.map(|config| TlsConnector::from(Arc::new(config))),
            client_id: CLIENT_ID,
        })
    }

    /// The same under another `client.id`.
    #[must_use]
    pub fn introduced_as(self, client_id: &'static str) -> Self {
        Self { client_id, ..self }
    }

    #[must_use]
    pub fn client_id(&self) -> &'static str {
        self.client_id
    }

    pub async fn connect(&self, server: &HostPort) -> Result<Stream, ConnectError> {
        let opening = async {
            let tcp = |source| ConnectError::Tcp {
                server: server.clone(),
                source,
            };
            let socket = TcpStream::connect((server.host.as_str(), server.port))
                .await
                .map_err(tcp)?;
            tune(&socket).map_err(tcp)?;
            let Some(tls) = &self.tls else {
                return Ok(Stream::Plain(socket));
            };
            let failed = |source| ConnectError::Tls {
                server: server.clone(),
                source,
            };
            let name = ServerName::try_from(server.host.clone())
                .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
            let stream = tls.connect(name, socket).await.map_err(failed)?;
            Ok(Stream::Tls(Box::new(stream.into())))
        };
        tokio::time::timeout(CONNECT_TIMEOUT, opening)
            .await
            .unwrap_or_else(|_| {
                Err(ConnectError::Timeout {
                    server: server.clone(),
                })
            })
    }
}

/// What TLS clients of ours are like: the named authorities or the system's, and a certificate of our own if there is one.
///
/// # Errors
/// When a file cannot be read, or nobody is trusted.
pub fn client_config(tls: &ClientTls) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = &tls.ca {
        for certificate in read_certificates(ca)? {
            roots.add(certificate).map_err(|error| invalid(ca, &error))?;
        }
    } else {
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
    }
    if roots.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no trusted certificate authority: the system has none, and no `ca` is named",
        ));
    }
    let builder = trusting(roots)?;
    match &tls.identity {
        Some((certificate, key)) => builder
            .with_client_auth_cert(read_certificates(certificate)?, read_key(key)?)
            .map_err(|error| invalid(certificate, &error)),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// What a client has that speaks TLS to nobody, but whose library wants to know how: no certificate is trusted.
///
/// # Errors
/// When the library has no protocol version.
pub fn client_config_without_trust() -> io::Result<ClientConfig> {
    Ok(trusting(RootCertStore::empty())?.with_no_client_auth())
}

fn trusting(roots: RootCertStore) -> io::Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    Ok(builder
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots))
}

/// Every certificate of a PEM file.
pub fn read_certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| invalid(path, &error))?;
    if certificates.is_empty() {
        return Err(invalid(path, &"holds no certificate"));
    }
    Ok(certificates)
}

/// The private key of a PEM file.
pub fn read_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| invalid(path, &error))
}

pub(super) fn invalid(path: &Path, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
}
