//! Access control as it is configured.

use super::credentials::NAME_BYTES_MAX;
use super::limits::Rate;
use super::rules::Rules;
use std::path::PathBuf;
use std::sync::Arc;

/// Once this is there, whatever no rule grants is refused.
#[derive(Clone, Debug)]
pub struct SecurityOptions {
    /// The file of users.
    pub users: Option<PathBuf>,
    pub certificates: Option<CertificateName>,
    pub rules: Rules,
    /// Groups by name, with the principals that are in them however these have said who they are.
    pub groups: Vec<(Arc<str>, Vec<String>)>,
    pub audit: AuditOptions,
    pub limits: LimitOptions,
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
