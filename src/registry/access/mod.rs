//! Who may do what on the registry's port.
//!
//! The way of a request: `guard` finds its line in `routes`, learns who asks from `basic`, `ldap`, `bearer` or the connection's
//! certificate, holds that against `limits` and `rules`, and writes to `audit` what was written or refused.

mod certificate;
pub mod audit;
pub mod basic;
pub mod bearer;
pub mod claims;
pub mod credentials;
pub mod guard;
pub mod keys;
#[cfg(feature = "ldap")]
pub mod ldap;
pub mod limits;
pub mod options;
pub mod principal;
mod remembered;
pub mod routes;
pub mod rules;
pub mod users;
pub mod visible;

pub use guard::Guard;
pub use options::SecurityOptions;
pub use principal::{ClientCertificate, Method, Principal};
pub use rules::{Role, Roles, Rule, Rules, SubjectPattern, Target, Who};
pub use visible::Visible;
