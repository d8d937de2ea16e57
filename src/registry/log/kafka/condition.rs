//! What `/readyz` says of the log: whether it can be read, whether it can be written, whether it still is the log
//! that was read.

use crate::registry::writer::CHECK;
use crate::telemetry::health::Health;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by the reader and the writer, each of which says its part.
pub struct Condition {
    health: Health,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    read: Option<String>,
    /// Until the writer has tried, nobody knows.
    write: Option<String>,
    lost: Option<String>,
}

impl Condition {
    pub fn new(health: Health) -> Self {
        health.expect(CHECK);
        Self {
            health,
            said: Mutex::new(Said {
                write: Some("the role is not known yet".to_owned()),
                ..Said::default()
            }),
        }
    }

    /// Before the log's end has been reached. Logged when it says something new.
    pub fn loading(&self, why: &str) {
        let mut said = self.lock();
        if said.read.as_deref() != Some(why) {
            tracing::warn!("the registry's log cannot be loaded yet: {why}");
            self.health
                .fail(CHECK, format!("loading the registry's log: {why}"));
            said.read = Some(why.to_owned());
        }
    }

    /// How far loading has come.
    pub fn loaded(&self, offset: i64, end: i64) {
        self.health
            .fail(CHECK, format!("loading the registry's log: {offset} of {end}"));
    }

    pub fn reads(&self, outcome: Result<(), String>) {
        let mut said = self.lock();
        note(&mut said.read, outcome, "read");
        self.tell(&said);
    }

    pub fn writes(&self, outcome: Result<(), String>) {
        let mut said = self.lock();
        note(&mut said.write, outcome, "written");
        self.tell(&said);
    }

    /// The log no longer holds what was read from it. Only a restart, which reads it anew, ends that.
    pub fn lose(&self, why: String) {
        let mut said = self.lock();
        if said.lost.is_none() {
            tracing::error!(
                "the registry's log is not the one that was read: {why}; what was read is served, nothing is written"
            );
            said.lost = Some(why);
        }
        self.tell(&said);
    }

    pub fn lost(&self) -> Option<String> {
        self.lock().lost.clone()
    }

    fn tell(&self, said: &Said) {
        match said {
            Said { lost: Some(why), .. } => {
                let why = format!("the registry's log is not the one that was read: {why}");
                self.health.fail(CHECK, why);
            }
            Said { read: Some(why), .. } => {
                self.health
                    .fail(CHECK, format!("the registry's log cannot be read: {why}"));
            }
            Said { write: Some(why), .. } => {
                self.health
                    .fail(CHECK, format!("the registry's log cannot be written: {why}"));
            }
            _ => self.health.pass(CHECK),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs what is new and keeps it.
fn note(said: &mut Option<String>, outcome: Result<(), String>, what: &str) {
    let now = outcome.err();
    if *said != now {
        if let Some(why) = &now {
            tracing::warn!("the registry's log cannot be {what}: {why}");
        } else {
            tracing::info!("the registry's log can be {what}");
        }
        *said = now;
    }
}
