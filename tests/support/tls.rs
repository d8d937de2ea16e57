//! A certificate authority and what it signs, made for one test.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use std::fs;
use std::path::{Path, PathBuf};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    certificate: PathBuf,
}

/// PEM files of one identity; `both` is the certificate and the key in one file, as Kafka wants them.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub both: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path) -> Self {
        Self::called("ca", folder)
    }

    /// Its certificate is in `NAME.pem`.
    pub fn called(name: &str, folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(
            rcgen::DnType::CommonName,
            format!("Portcullis test authority {name}"),
        );
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificate = folder.join(format!("{name}.pem"));
        fs::write(&certificate, issuer.pem()).unwrap();
        Self {
            issuer,
            folder: folder.to_owned(),
            certificate,
        }
    }

    pub fn certificate(&self) -> PathBuf {
        self.certificate.clone()
    }

    /// `names`: host names and addresses that the certificate is for.
    pub fn sign(&self, file: &str, names: &[&str]) -> Identity {
        self.sign_with(file, names, |_| {})
    }

    /// The same with a change of the certificate, for example of its time or its subject.
    pub fn sign_with(
        &self,
        file: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, file);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let identity = Identity {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
            both: self.folder.join(format!("{file}.both.pem")),
        };
        fs::write(&identity.certificate, &certificate).unwrap();
        fs::write(&identity.key, key.serialize_pem()).unwrap();
        fs::write(&identity.both, format!("{}{certificate}", key.serialize_pem())).unwrap();
        identity
    }
}
