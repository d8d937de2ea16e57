//! TLS as a server speaks it: on the gateway's listeners and on the registry's port.

use super::connect::{invalid, read_certificates, read_key};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// PEM files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose certificates clients show (mTLS).
    pub clients: Option<ClientTrust>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientTrust {
    pub ca: PathBuf,
    /// A client without a certificate is turned away. One with a bad certificate always is.
    pub required: bool,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read, or certificate and key do not fit.
    pub fn config(&self) -> io::Result<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match &self.clients {
            Some(trust) => {
                let mut roots = RootCertStore::empty();
                for certificate in read_certificates(&trust.ca)? {
                    roots
                        .add(certificate)
                        .map_err(|error| invalid(&trust.ca, &error))?;
                }
                let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                if !trust.required {
                    verifier = verifier.allow_unauthenticated();
                }
                let verifier = verifier.build().map_err(|error| invalid(&trust.ca, &error))?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(read_certificates(&self.certificate)?, read_key(&self.key)?)
            .map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} and {}: {error}",
                        self.certificate.display(),
                        self.key.display()
                    ),
                )
            })?;
        if self.clients.is_some() {
            // A resumed session is not verified again: it would outlive its certificate.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}
