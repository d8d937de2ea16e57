//! The file of users for Basic authentication: pure.
//!
//! ```text
//! # name:hash[:group,group]
//! alice:$argon2id$v=19$m=19456,t=2,p=1$…$…:payments,platform
//! ```

use super::credentials::NAME_BYTES_MAX;
use argon2::password_hash::{PasswordHash, PasswordHashString, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// More memory for one hash is refused: verifications run beside everything else.
const HASH_MEMORY_KIB_MAX: u32 = 256 << 10;
const HASH_PASSES_MAX: u32 = 64;
const SALT_BYTES: usize = 16;

/// What is wrong with a file of users. No text quotes a hash.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: {what}")]
pub struct UsersError {
    pub line: usize,
    pub what: String,
}

#[derive(Clone)]
pub struct User {
    pub name: Arc<str>,
    pub groups: Vec<Arc<str>>,
    hash: PasswordHashString,
}

/// Not the hash, which can be guessed at.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// All users, and a hash that costs as much as theirs for names that nobody has.
#[derive(Debug)]
pub struct Users {
    users: HashMap<Arc<str>, Arc<User>>,
    nobody: User,
}

impl Users {
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = HashMap::new();
        let mut costliest: Option<(u64, Params)> = None;
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: String| UsersError {
                line: index + 1,
                what,
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, params) = user(line).map_err(wrong)?;
            let cost = u64::from(params.m_cost()) * u64::from(params.t_cost());
            if costliest.as_ref().is_none_or(|(known, _)| *known < cost) {
                costliest = Some((cost, params));
            }
            let name = user.name.clone();
            if users.insert(name.clone(), Arc::new(user)).is_some() {
                return Err(wrong(format!("`{name}` is there a second time")));
            }
        }
        let params = costliest.map_or_else(Params::default, |(_, params)| params);
        let hash = hash_with("", params).map_err(|what| UsersError { line: 0, what })?;
        let nobody = User {
            name: "".into(),
            groups: Vec::new(),
            hash,
        };
        Ok(Self { users, nobody })
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }

    /// The user of a name and a password. Slow on purpose, and as slow for a name that nobody has.
    #[must_use]
    pub fn verify(&self, name: &str, password: &str) -> Option<Arc<User>> {
        let found = self.users.get(name);
        let hash = found.map_or(&self.nobody.hash, |user| &user.hash);
        let verified = Argon2::default()
            .verify_password(password.as_bytes(), &hash.password_hash())
            .is_ok();
        found.filter(|_| verified).cloned()
    }
}

fn user(line: &str) -> Result<(User, Params), String> {
    let mut fields = line.splitn(3, ':');
    let name = fields.next().unwrap_or_default();
    check_name(name)?;
    let hash = fields.next().ok_or("no `:` and hash behind the name")?;
    let groups = fields.next().unwrap_or_default();
    let groups: Vec<Arc<str>> = groups
        .split(',')
        .map(str::trim)
        .filter(|group| !group.is_empty())
        .map(Arc::from)
        .collect();
    if groups.iter().any(|group| group.contains(':')) {
        return Err("a group may not hold a colon".to_owned());
    }
    let not_a_hash = || "the hash is not argon2id's: make one with `portcullis user add`".to_owned();
    let hash = PasswordHash::new(hash).map_err(|_| not_a_hash())?;
    if hash.algorithm != Algorithm::Argon2id.ident() || hash.salt.is_none() || hash.hash.is_none() {
        return Err(not_a_hash());
    }
    let params = Params::try_from(&hash).map_err(|_| not_a_hash())?;
    if params.m_cost() > HASH_MEMORY_KIB_MAX || params.t_cost() > HASH_PASSES_MAX {
        return Err(format!(
            "the hash costs more than {HASH_MEMORY_KIB_MAX} KiB or {HASH_PASSES_MAX} passes"
        ));
    }
    let user = User {
        name: name.into(),
        groups,
        hash: hash.serialize(),
    };
    Ok((user, params))
}

/// # Errors
/// Why no user may be called so.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("the name has more than {NAME_BYTES_MAX} bytes"));
    }
    if name.starts_with('#')
        || name.contains(':')
        || name.chars().any(char::is_control)
        || name.trim() != name
    {
        return Err(
            "a name may hold no colon and no control character, and not begin with `#` or a space".to_owned(),
        );
    }
    Ok(())
}

/// A line of the file.
///
/// # Errors
/// What is wrong with the name or a group, or that the system has no random bytes.
pub fn line(name: &str, password: &str, groups: &[String]) -> Result<String, String> {
    check_name(name)?;
    let strange = |group: &&String| {
        group.is_empty()
            || group.contains([':', ','])
            || group.chars().any(char::is_control)
            || group.trim() != **group
    };
    if let Some(group) = groups.iter().find(strange) {
        return Err(format!(
            "`{group}` is no group's name: it is empty, or holds a colon or a comma"
        ));
    }
    let hash = hash_with(password, Params::default())?;
    let mut line = format!("{name}:{}", hash.as_str());
    if !groups.is_empty() {
        line.push(':');
        line.push_str(&groups.join(","));
    }
    Ok(line)
}

/// The name that a line of the file is for.
#[must_use]
pub fn name_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let name = line.split(':').next()?;
    (!line.starts_with('#') && !name.is_empty()).then_some(name)
}

fn hash_with(password: &str, params: Params) -> Result<PasswordHashString, String> {
    let mut salt = [0; SALT_BYTES];
    SystemRandom::new()
        .fill(&mut salt)
        .map_err(|_| "the system has no random bytes".to_owned())?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.serialize())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the reference implementation's command: `echo -n opensesame | argon2 somesalt -id -t 2 -k 64 -p 1 -e`
    /// gives this form; a small cost keeps the tests quick.
    fn quick(name: &str, password: &str, groups: &str) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        let hash = hash_with(password, params).unwrap();
        format!("{name}:{}{groups}", hash.as_str())
    }

    #[test]
    fn a_user_is_known_by_name_and_password() {
        let text = format!(
            "# people\n\n{}\n  {}\n",
            quick("alice", "open:sesame", ":payments, platform"),
            quick("bob", "", "")
        );
        let users = Users::parse(&text).unwrap();
        let alice = users.verify("alice", "open:sesame").unwrap();
        assert_eq!(
            alice.groups,
            ["payments".into(), "platform".into()] as [Arc<str>; 2]
        );
        assert!(users.verify("bob", "").unwrap().groups.is_empty());
        for (name, password) in [
            ("alice", "open"),
            ("alice", ""),
            ("Alice", "open:sesame"),
            ("bob", "x"),
            ("", ""),
            ("eve", ""),
        ] {
            assert!(users.verify(name, password).is_none(), "{name} {password}");
        }
        assert!(!format!("{users:?}").contains("argon2id"));
    }

    #[test]
    fn a_line_that_is_written_is_read() {
        let written = line("alice", "pässword", &["a".to_owned(), "b".to_owned()]).unwrap();
        assert_eq!(name_of(&written), Some("alice"));
        let users = Users::parse(&written).unwrap();
        assert_eq!(users.verify("alice", "pässword").unwrap().groups.len(), 2);
        for (name, group) in [
            ("", "g"),
            ("a:b", "g"),
            ("#a", "g"),
            (" a", "g"),
            ("a\n", "g"),
            ("a", ""),
            ("a", "g,h"),
            ("a", "g:h"),
        ] {
            assert!(
                line(name, "p", &[group.to_owned()]).is_err(),
                "{name:?} {group:?}"
            );
        }
    }

    #[test]
    fn a_bad_line_is_named_and_not_quoted() {
        let good = quick("alice", "p", "");
        for (text, number, what) in [
            ("alice", 1, "no `:`"),
            ("alice:secret", 1, "not argon2id's"),
            (
                "alice:$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$Z6cFzZUJ2bAAAAAAAAAAAA",
                1,
                "not argon2id's",
            ),
            ("alice:$2b$10$abcdefghijklmnopqrstuv", 1, "not argon2id's"),
            (":x", 1, "the name is empty"),
            (&format!("{good}\n# c\n{good}"), 3, "a second time"),
            (
                &format!("{good}\nbob:$argon2id$v=19$m=999999999,t=1,p=1$c29tZXNhbHQ$Z6cFzZUJ2bAAAAAAAAAAAA"),
                2,
                "costs more",
            ),
            (&format!("{good}:a:b"), 1, "colon"),
        ] {
            let error = Users::parse(text).unwrap_err();
            assert_eq!(error.line, number, "{text}");
            assert!(error.what.contains(what), "{error}");
            assert!(!error.to_string().contains("secret") && !error.to_string().contains('$'));
        }
    }

    #[test]
    fn a_name_that_nobody_has_costs_as_much_as_the_costliest_user() {
        let params = Params::new(64, 3, 1, None).unwrap();
        let costly = format!("bob:{}", hash_with("p", params).unwrap().as_str());
        let users = Users::parse(&format!("{}\n{costly}", quick("alice", "p", ""))).unwrap();
        let hash = users.nobody.hash.password_hash();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost()), (64, 3));
    }
}
