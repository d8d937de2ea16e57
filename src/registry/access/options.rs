//! Access control as it is configured.

use super::credentials::NAME_BYTES_MAX;
use super::limits::Rate;
use super::rules::Rules;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Once this is there, whatever no rule grants is refused.
#[derive(Clone, Debug)]
pub struct SecurityOptions {
    /// The file of users.
    pub users: Option<PathBuf>,
    /// Users that are not in the file.
    pub ldap: Option<LdapOptions>,
    pub bearer: Option<BearerOptions>,
    pub certificates: Option<CertificateName>,
    pub rules: Rules,
    /// Groups by name, with the principals that are in them however these have said who they are.
    pub groups: Vec<(Arc<str>, Vec<String>)>,
    pub audit: AuditOptions,
    pub limits: LimitOptions,
}

/// An LDAP directory. In templates `{user}` stands for the name that a client has said, `{dn}` for the distinguished name
/// that it turned out to have; both are escaped.
#[derive(Clone)]
pub struct LdapOptions {
    /// `ldaps://host:port` or `ldap://host:port`
    pub url: String,
    /// PEM; the operating system's trust roots when absent.
    pub ca: Option<PathBuf>,
    /// With whose rights users and groups are searched; anonymously when absent.
    pub bind: Option<LdapBind>,
    pub user: LdapUser,
    pub groups: Option<LdapGroups>,
    /// For all that one password takes.
    pub timeout: Duration,
    /// For how long a right password is not asked for again.
    pub cache: Duration,
}

#[derive(Clone)]
pub struct LdapBind {
    pub dn: String,
    pub password: String,
}

/// How a name becomes an entry of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LdapUser {
    /// `uid={user},ou=people,dc=example,dc=com`
    Dn(String),
    /// The only entry below `base` that a filter finds: `(uid={user})`.
    Search { base: String, filter: String },
}

/// Entries below `base` that a filter finds, as `(member={dn})`; the values of an attribute are the groups' names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LdapGroups {
    pub base: String,
    pub filter: String,
    pub attribute: String,
}

/// Without the password.
impl fmt::Debug for LdapOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LdapOptions")
            .field("url", &self.url)
            .field("bind", &self.bind.as_ref().map(|bind| &bind.dn))
            .field("user", &self.user)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BearerOptions {
    pub keys: KeySource,
    pub issuer: String,
    /// One of them must be in the token's `aud`.
    pub audiences: Vec<String>,
    pub clock_skew: Duration,
    pub principal_claim: String,
    pub groups_claim: String,
}

/// Where the key set (RFC 7517) is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    File(PathBuf),
    Url {
        /// https, or http on this machine.
        url: String,
        /// Certificate authorities (PEM) instead of the system's.
        ca: Option<PathBuf>,
        refresh: Duration,
    },
}

/// What of a certificate's subject is the principal's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CertificateName {
    DistinguishedName,
    CommonName,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuditOptions {
    Log,
    File(PathBuf),
}

#[derive(Clone, PartialEq, Debug)]
pub struct LimitOptions {
    /// Of each principal; of each address when anonymous.
    pub requests: Option<Rate>,
    /// The largest body in bytes.
    pub body_bytes_max: Option<usize>,
    /// Wrong credentials from one address.
    pub failures_per_minute: u32,
}

impl LimitOptions {
    pub const FAILURES_PER_MINUTE: u32 = 30;
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            requests: None,
            body_bytes_max: None,
            failures_per_minute: Self::FAILURES_PER_MINUTE,
        }
    }
}

impl SecurityOptions {
    /// The groups that a name is in by configuration.
    pub fn groups_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        self.groups
            .iter()
            .filter(move |(_, members)| members.iter().any(|member| member == name))
            .map(|(group, _)| group)
    }
}

/// Whether a name from a token or a certificate can be a principal's.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}
