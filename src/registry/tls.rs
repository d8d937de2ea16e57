//! The certificate that the registry shows, and the authority of those that it wants to see.

use super::reload::Reload;
use crate::kafka::ServerTls;
use crate::kafka::connect::read_certificates;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub struct Tls {
    files: ServerTls,
    config: ArcSwap<ServerConfig>,
}

impl Tls {
    /// # Errors
    /// When a file cannot be read, or certificate and key do not fit.
    pub fn read(files: ServerTls) -> io::Result<Arc<Self>> {
        let config = ArcSwap::new(config(&files)?);
        if expired(&files)? {
            tracing::warn!(certificate = %files.certificate.display(), "the registry's TLS certificate has expired");
        }
        Ok(Arc::new(Self { files, config }))
    }

    /// For a connection that begins now.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

impl Reload for Tls {
    fn what(&self) -> &'static str {
        "its TLS certificate"
    }

    fn files(&self) -> Vec<PathBuf> {
        let ServerTls {
            certificate,
            key,
            clients,
        } = &self.files;
        let mut files = vec![certificate.clone(), key.clone()];
        files.extend(clients.as_ref().map(|clients| clients.ca.clone()));
        files
    }

    fn reload(&self) -> Result<(), String> {
        let config = config(&self.files).map_err(|error| error.to_string())?;
        if expired(&self.files).map_err(|error| error.to_string())? {
            return Err(format!("{} has expired", self.files.certificate.display()));
        }
        self.config.store(config);
        Ok(())
    }
}

fn config(files: &ServerTls) -> io::Result<Arc<ServerConfig>> {
    let mut config = files.config()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn expired(files: &ServerTls) -> io::Result<bool> {
    let chain = read_certificates(&files.certificate)?;
    let own = chain.first().map(|own| x509_parser::parse_x509_certificate(own));
    Ok(matches!(own, Some(Ok((_, own))) if own.validity().not_after < x509_parser::time::ASN1Time::now()))
}
