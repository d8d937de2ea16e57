//! Who asks.

use super::rules::Roles;
use std::sync::Arc;

/// How a principal has said who it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    Anonymous,
    Basic,
    Bearer,
    Certificate,
    Ldap,
}

impl Method {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Certificate => "certificate",
            Self::Ldap => "ldap",
        }
    }
}

/// The subject of the certificate that a client has shown, verified by the listener, which puts it into the extensions of
/// every request of the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientCertificate {
    /// RFC 2253's text, as Kafka has it: `CN=orders,OU=payments,O=Bank`.
    pub distinguished_name: Arc<str>,
    /// Its last common name, if it has one.
    pub common_name: Option<Arc<str>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// A user's name, a claim of a token, or a certificate's distinguished name.
    pub name: Arc<str>,
    pub groups: Vec<Arc<str>>,
    /// Held on every subject, besides what rules grant.
    pub roles: Roles,
    pub method: Method,
}

impl Principal {
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".into(),
            groups: Vec::new(),
            roles: Roles::NONE,
            method: Method::Anonymous,
        }
    }
}
