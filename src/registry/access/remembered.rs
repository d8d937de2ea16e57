//! Passwords that were right a short while ago, known only by an HMAC under a key that dies with the process.

use ring::hmac;
use ring::rand::SystemRandom;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const ENTRIES_MAX: usize = 4_096;

pub struct Remembered<U> {
    secret: hmac::Key,
    time: Duration,
    entries: Mutex<HashMap<Tag, Entry<U>>>,
}

/// An HMAC-SHA256 of a name and a password.
type Tag = [u8; 32];

struct Entry<U> {
    user: Arc<U>,
    until: Instant,
}

impl<U> Remembered<U> {
    /// `time`: for how long.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn new(time: Duration) -> io::Result<Self> {
        let secret = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| io::Error::other("the system has no random bytes"))?;
        Ok(Self {
            secret,
            time,
            entries: Mutex::default(),
        })
    }

    #[must_use]
    pub fn get(&self, name: &str, password: &str, now: Instant) -> Option<Arc<U>> {
        let tag = self.tag(name, password);
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entries.get(&tag)?;
        (now < found.until).then(|| found.user.clone())
    }

    /// Past the limit the newest is not remembered, so that the others still are.
    pub fn put(&self, name: &str, password: &str, user: Arc<U>, now: Instant) {
        let tag = self.tag(name, password);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= ENTRIES_MAX {
            entries.retain(|_, entry| now < entry.until);
        }
        if entries.len() < ENTRIES_MAX {
            let until = now + self.time;
            entries.insert(tag, Entry { user, until });
        }
    }

    fn tag(&self, name: &str, password: &str) -> Tag {
        // A name holds no colon: the two cannot be taken for two others.
        let tag = hmac::sign(&self.secret, format!("{name}:{password}").as_bytes());
        tag.as_ref().try_into().unwrap_or_default()
    }
}
