//! Basic authentication: users from a file, each password hashed once in a while and remembered in between.

use super::remembered::Remembered;
use super::users::{User, Users};
use arc_swap::ArcSwap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// A password that was right is not hashed again for this long.
const REMEMBERED_TIME: Duration = Duration::from_mins(5);
/// Passwords hashed at the same time: each takes a processor and its memory.
const AT_ONCE: usize = 4;
/// Whoever waits longer for its turn is told to come again.
const TURN_TIME_MAX: Duration = Duration::from_secs(5);

pub struct Basic {
    file: PathBuf,
    /// Replaced whole, so that what is remembered of former users goes with them.
    known: ArcSwap<Known>,
    turns: Arc<Semaphore>,
}

struct Known {
    users: Users,
    remembered: Remembered<User>,
}

/// Too many passwords wait to be hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

impl Basic {
    /// # Errors
    /// When the file cannot be read, or a line of it is wrong: which, and why.
    pub fn load(file: PathBuf) -> io::Result<Self> {
        Ok(Self {
            known: ArcSwap::from_pointee(read(&file)?),
            file,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// Reads the file again. After an error everything is as before.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn reload(&self) -> io::Result<()> {
        self.known.store(Arc::new(read(&self.file)?));
        Ok(())
    }

    /// The user whose password was right a short while ago.
    #[must_use]
    pub fn remembered(&self, name: &str, password: &str, now: Instant) -> Option<Arc<User>> {
        self.known.load().remembered.get(name, password, now)
    }

    /// Whether the file has a user of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.known.load().users.has(name)
    }

    /// Hashes the password, which is slow, on a blocking thread.
    ///
    /// # Errors
    /// When too many are at it.
    pub async fn verify(&self, name: String, password: String) -> Result<Option<Arc<User>>, Busy> {
        let turn = tokio::time::timeout(TURN_TIME_MAX, self.turns.clone().acquire_owned());
        let Ok(Ok(turn)) = turn.await else {
            return Err(Busy);
        };
        let known = self.known.load_full();
        let hashing = tokio::task::spawn_blocking(move || {
            let found = known.users.verify(&name, &password);
            if let Some(user) = &found {
                known
                    .remembered
                    .put(&name, &password, user.clone(), Instant::now());
            }
            drop(turn);
            found
        });
        Ok(hashing.await.unwrap_or_default())
    }
}

fn read(file: &std::path::Path) -> io::Result<Known> {
    let named = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("the users' file {} cannot be read: {error}", file.display()),
        )
    };
    let text = std::fs::read_to_string(file).map_err(named)?;
    let users = Users::parse(&text).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{}:{}: {}", file.display(), error.line, error.what),
        )
    })?;
    Ok(Known {
        users,
        remembered: Remembered::new(REMEMBERED_TIME)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::access::users::line;

    fn file(lines: &[String]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        file
    }

    #[tokio::test]
    async fn a_password_is_remembered_until_its_time_is_over_or_the_file_changes() {
        let users = file(&[line("alice", "one", &[]).unwrap()]);
        let basic = Basic::load(users.path().to_owned()).unwrap();
        let now = Instant::now();
        let verify = async |name: &str, password: &str| {
            let user = basic.verify(name.to_owned(), password.to_owned()).await.unwrap();
            user.map(|user| user.name.to_string())
        };
        assert!(basic.remembered("alice", "one", now).is_none());
        assert_eq!(verify("alice", "two").await, None);
        assert_eq!(verify("alice", "one").await.as_deref(), Some("alice"));
        assert!(basic.remembered("alice", "one", now).is_some());
        assert!(basic.remembered("alice", "two", now).is_none());
        assert!(basic.remembered("alic", "e:one", now).is_none());
        assert!(
            basic
                .remembered("alice", "one", now + REMEMBERED_TIME + Duration::from_mins(1))
                .is_none()
        );

        std::fs::write(users.path(), "alice:what").unwrap();
        let error = basic.reload().unwrap_err().to_string();
        assert!(error.contains(":1: the hash is not argon2id's"), "{error}");
        assert!(
            basic.remembered("alice", "one", now).is_some(),
            "the old file holds"
        );

        std::fs::write(users.path(), line("alice", "two", &[]).unwrap()).unwrap();
        basic.reload().unwrap();
        assert!(basic.remembered("alice", "one", now).is_none());
        assert_eq!(verify("alice", "one").await, None);
        assert_eq!(verify("alice", "two").await.as_deref(), Some("alice"));
    }
}
