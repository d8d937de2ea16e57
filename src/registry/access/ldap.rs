//! Users and groups of an LDAP directory: the password is right when the directory lets its user bind with it.

use super::options::{LdapOptions, LdapUser, is_name};
use super::remembered::Remembered;
use crate::kafka::ClientTls;
use crate::kafka::connect::client_config;
use arc_swap::ArcSwap;
use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, SearchOptions,
    dn_escape, ldap_escape, parse_filter,
};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Connections to the directory at the same time; whoever waits longer than the timeout is told to come again.
const AT_ONCE: usize = 8;
/// More groups than these are left out, with a line in the log.
const GROUPS_MAX: i32 = 1_000;

/// Result codes of RFC 4511, appendix A.1.
mod code {
    pub const SUCCESS: u32 = 0;
    pub const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub const NO_SUCH_OBJECT: u32 = 32;
    /// What a bind is answered when it is the user's or the password's fault: no such object, a name that is no name,
    /// inappropriate authentication, invalid credentials, insufficient access (an account that may not bind),
    /// unwilling to perform (one that is locked).
    pub const REFUSED: [u32; 6] = [NO_SUCH_OBJECT, 34, 48, 49, 50, 53];
}

/// A user of the directory whose password was right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryUser {
    pub name: Arc<str>,
    pub groups: Vec<Arc<str>>,
}

/// The directory did not say whether a password is right.
#[derive(Debug, Error)]
pub enum DirectoryError {
    #[error("the LDAP server did not answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the LDAP server cannot be used: {0}")]
    Protocol(#[from] LdapError),
    #[error("the LDAP server refused {what}: {why}")]
    Refused { what: &'static str, why: LdapResult },
}

pub struct Directory {
    options: LdapOptions,
    settings: LdapConnSettings,
    /// Replaced whole, so that what was asked before is forgotten, too.
    remembered: ArcSwap<Remembered<DirectoryUser>>,
    turns: Semaphore,
}

impl Directory {
    /// Connects to nobody yet: a directory that is down now may be up when somebody asks.
    ///
    /// # Errors
    /// When the certificate authority cannot be read, or a filter is none.
    pub fn new(options: LdapOptions) -> io::Result<Self> {
        let user_filter = match &options.user {
            LdapUser::Dn(_) => None,
            LdapUser::Search { filter, .. } => Some(filter),
        };
        let group_filter = options.groups.as_ref().map(|groups| &groups.filter);
        for filter in user_filter.into_iter().chain(group_filter) {
            parse_filter(fill(filter, &|_| "x".into())).map_err(|()| {
                let what = format!("`{filter}` is no LDAP filter (RFC 4515)");
                io::Error::new(io::ErrorKind::InvalidInput, what)
            })?;
        }
        let mut settings = LdapConnSettings::new();
        if options.url.starts_with("ldaps:") {
            let tls = ClientTls {
                ca: options.ca.clone(),
                identity: None,
            };
            settings = settings.set_config(Arc::new(client_config(&tls)?));
        } else {
            tracing::warn!(
                url = options.url,
                "passwords go to the LDAP server in the clear: use ldaps://"
            );
        }
        Ok(Self {
            remembered: ArcSwap::from_pointee(Remembered::new(options.cache)?),
            options,
            settings,
            turns: Semaphore::new(AT_ONCE),
        })
    }

    /// The user whose password was right a short while ago.
    #[must_use]
    pub fn remembered(&self, name: &str, password: &str, now: Instant) -> Option<Arc<DirectoryUser>> {
        self.remembered.load().get(name, password, now)
    }

    /// Forgets who was right a short while ago.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn forget(&self) -> io::Result<()> {
        self.remembered
            .store(Arc::new(Remembered::new(self.options.cache)?));
        Ok(())
    }

    /// The user, or nobody when the name or the password is not right.
    ///
    /// # Errors
    /// When the directory does not say.
    pub async fn verify(
        &self,
        name: &str,
        password: &str,
    ) -> Result<Option<Arc<DirectoryUser>>, DirectoryError> {
        // A bind without a password is no authentication but succeeds (RFC 4513, section 5.1.2).
        // A directory may overlook control characters (RFC 4518, section 2.2), and the audit would name another.
        if password.is_empty() || !is_name(name) {
            return Ok(None);
        }
        let remembered = self.remembered.load_full();
        let asking = async {
            // Never closed.
            let _turn = self.turns.acquire().await;
            self.ask(name, password).await
        };
        let groups = tokio::time::timeout(self.options.timeout, asking)
            .await
            .unwrap_or(Err(DirectoryError::Timeout(self.options.timeout)))?;
        Ok(groups.map(|groups| {
            let user = Arc::new(DirectoryUser {
                name: name.into(),
                groups,
            });
            remembered.put(name, password, user.clone(), Instant::now());
            user
        }))
    }

    /// The user's groups; nothing when it is not the user.
    async fn ask(&self, name: &str, password: &str) -> Result<Option<Vec<Arc<str>>>, DirectoryError> {
        let mut connection = Connection::open(&self.settings, &self.options.url).await?;
        let ldap = &mut connection.ldap;
        let dn = match &self.options.user {
            LdapUser::Dn(template) => fill(template, &|_| dn_escape(name)),
            LdapUser::Search { base, filter } => {
                self.bind_ourselves(ldap).await?;
                match find_user(ldap, base, &fill(filter, &|_| ldap_escape(name))).await? {
                    Some(dn) => dn,
                    None => return Ok(None),
                }
            }
        };
        // A name without attributes is the anonymous user's.
        if dn.is_empty() {
            return Ok(None);
        }
        let bound = ldap.simple_bind(&dn, password).await?;
        if code::REFUSED.contains(&bound.rc) {
            tracing::debug!(dn, result = bound.rc, "the LDAP server refused a user");
            return Ok(None);
        }
        succeeded("a user's bind", bound)?;
        let Some(search) = &self.options.groups else {
            return Ok(Some(Vec::new()));
        };
        // Users may not see their groups.
        if self.options.bind.is_some() {
            self.bind_ourselves(ldap).await?;
        }
        let filter = fill(&search.filter, &|what| {
            ldap_escape(if what == "user" { name } else { dn.as_str() })
        });
        find_groups(ldap, &search.base, &filter, &search.attribute)
            .await
            .map(Some)
    }

    /// As the configured user; anonymously when there is none.
    async fn bind_ourselves(&self, ldap: &mut Ldap) -> Result<(), DirectoryError> {
        let Some(bind) = &self.options.bind else {
            return Ok(());
        };
        succeeded(
            "the bind with `bind_dn`",
            ldap.simple_bind(&bind.dn, &bind.password).await?,
        )
    }
}

/// A template with what its placeholders stand for; what stands for one is not looked at again.
fn fill<'v>(template: &str, value: &dyn Fn(&str) -> Cow<'v, str>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('{') {
        filled.push_str(before);
        if let Some((name @ ("user" | "dn"), after)) = from.split_once('}') {
            filled.push_str(&value(name));
            rest = after;
        } else {
            filled.push('{');
            rest = from;
        }
    }
    filled + rest
}

fn succeeded(what: &'static str, result: LdapResult) -> Result<(), DirectoryError> {
    match result.rc {
        code::SUCCESS => Ok(()),
        _ => Err(DirectoryError::Refused { what, why: result }),
    }
}

/// The only entry that the filter finds.
async fn find_user(ldap: &mut Ldap, base: &str, filter: &str) -> Result<Option<String>, DirectoryError> {
    let limit = SearchOptions::new().sizelimit(2);
    let searching = ldap
        .with_search_options(limit)
        .search(base, Scope::Subtree, filter, ["1.1"]);
    let ldap3::SearchResult(entries, result) = searching.await?;
    if result.rc != code::SIZE_LIMIT_EXCEEDED {
        succeeded("the search for a user", result)?;
    }
    let mut found = entries.into_iter().map(SearchEntry::construct);
    match (found.next(), found.next()) {
        (Some(user), None) => Ok(Some(user.dn)),
        (None, _) => Ok(None),
        (Some(_), Some(_)) => {
            tracing::warn!(
                filter,
                "several LDAP entries are one user: nobody is let in as it"
            );
            Ok(None)
        }
    }
}

async fn find_groups(
    ldap: &mut Ldap,
    base: &str,
    filter: &str,
    attribute: &str,
) -> Result<Vec<Arc<str>>, DirectoryError> {
    let limit = SearchOptions::new().sizelimit(GROUPS_MAX);
    let searching = ldap
        .with_search_options(limit)
        .search(base, Scope::Subtree, filter, [attribute]);
    let ldap3::SearchResult(entries, result) = searching.await?;
    if result.rc == code::SIZE_LIMIT_EXCEEDED {
        tracing::warn!(
            filter,
            "a user is in more LDAP groups than {GROUPS_MAX}: the rest is left out"
        );
    } else {
        succeeded("the search for groups", result)?;
    }
    let mut groups: Vec<Arc<str>> = entries
        .into_iter()
        .map(SearchEntry::construct)
        .flat_map(|entry| entry.attrs)
        // The server writes an attribute's name in its own way.
        .filter(|(name, _)| name.eq_ignore_ascii_case(attribute))
        .flat_map(|(_, values)| values)
        .map(Arc::from)
        .collect();
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

/// A connection, closed when it is dropped.
struct Connection {
    ldap: Ldap,
    driving: JoinHandle<()>,
}

impl Connection {
    async fn open(settings: &LdapConnSettings, url: &str) -> Result<Self, LdapError> {
        let (connection, ldap) = LdapConnAsync::with_settings(settings.clone(), url).await?;
        let driving = tokio::spawn(async move {
            // What goes wrong is told to whoever waits for an answer.
            let _ = connection.drive().await;
        });
        Ok(Self { ldap, driving })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_change_a_filter_or_a_distinguished_name() {
        for (name, filter, dn) in [
            ("alice", "(uid=alice)", "uid=alice,dc=x"),
            ("*", r"(uid=\2a)", "uid=*,dc=x"),
            ("a)(uid=*", r"(uid=a\29\28uid=\2a)", r"uid=a)(uid\3d*,dc=x"),
            ("a,dc=y", "(uid=a,dc=y)", r"uid=a\2cdc\3dy,dc=x"),
            ("\\", r"(uid=\5c)", r"uid=\5c,dc=x"),
            ("{dn}", "(uid={dn})", "uid={dn},dc=x"),
            ("{user}", "(uid={user})", "uid={user},dc=x"),
            ("a\0", r"(uid=a\00)", r"uid=a\00,dc=x"),
            (" a#", "(uid= a#)", r"uid=\20a#,dc=x"),
        ] {
            assert_eq!(fill("(uid={user})", &|_| ldap_escape(name)), filter);
            assert_eq!(fill("uid={user},dc=x", &|_| dn_escape(name)), dn);
        }
        let both = fill("(&(a={user})(b={dn})(c={x}{))", &|what| {
            what.to_uppercase().into()
        });
        assert_eq!(both, "(&(a=USER)(b=DN)(c={x}{))");
    }
}
