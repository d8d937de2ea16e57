//! TLS on a listener.

use super::ServerTls;
use crate::kafka::connect::{read_certificates, read_key};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// # Errors
/// When a file cannot be read, or certificate and key do not fit.
pub fn acceptor(tls: &ServerTls) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match &tls.client_ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(path)? {
                roots.add(certificate).map_err(io::Error::other)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(io::Error::other)?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder
        .with_single_cert(read_certificates(&tls.certificate)?, read_key(&tls.key)?)
        .map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} and {}: {error}", tls.certificate.display(), tls.key.display()),
            )
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
