//! What `/livez`, `/readyz` and `/startupz` answer from: named checks, each held by the part it speaks for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by every part of the process; cheap to clone.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<Mutex<BTreeMap<&'static str, Check>>>,
    /// What a part says of itself besides, whether its check passes or not.
    notes: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

struct Check {
    state: State,
    passed_once: bool,
}

enum State {
    Waiting,
    Passing,
    Failing(String),
}

impl Health {
    /// Registers a check that fails until [`Self::pass`] is called for it. Start-up ends when all have passed once.
    pub fn expect(&self, check: &'static str) {
        self.lock().entry(check).or_insert(Check {
            state: State::Waiting,
            passed_once: false,
        });
    }

    pub fn pass(&self, check: &'static str) {
        self.lock().insert(
            check,
            Check {
                state: State::Passing,
                passed_once: true,
            },
        );
    }

    /// `why` is shown by `/readyz?verbose`.
    pub fn fail(&self, check: &'static str, why: String) {
        let mut checks = self.lock();
        let passed_once = checks.get(check).is_some_and(|check| check.passed_once);
        checks.insert(
            check,
            Check {
                state: State::Failing(why),
                passed_once,
            },
        );
    }

    /// Shown beside the check by `/readyz?verbose`, until the next note.
    pub fn note(&self, check: &'static str, note: String) {
        lock(&self.notes).insert(check, note);
    }

    /// Every check passes, and there is one.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let checks = self.lock();
        !checks.is_empty() && checks.values().all(|check| matches!(check.state, State::Passing))
    }

    /// Every check has passed once, and there is one.
    #[must_use]
    pub fn is_started(&self) -> bool {
        let checks = self.lock();
        !checks.is_empty() && checks.values().all(|check| check.passed_once)
    }

    /// A line a check: `[+] upstream`, `[-] registry: waiting`, `[+] registry (this registry leads)`.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = String::new();
        let notes = lock(&self.notes);
        for (name, check) in &*self.lock() {
            // Writing to a string does not fail.
            let _ = match &check.state {
                State::Passing => write!(report, "[+] {name}"),
                State::Waiting => write!(report, "[-] {name}: waiting"),
                State::Failing(why) => write!(report, "[-] {name}: {why}"),
            };
            let _ = match notes.get(name) {
                Some(note) => writeln!(report, " ({note})"),
                None => writeln!(report),
            };
        }
        report
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Check>> {
        lock(&self.checks)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_expected_is_neither_ready_nor_started() {
        let health = Health::default();
        assert!(!health.is_ready() && !health.is_started());
    }

    #[test]
    fn a_check_that_fails_after_it_passed_is_started_but_not_ready() {
        let health = Health::default();
        health.expect("upstream");
        health.expect("registry");
        health.pass("registry");
        assert!(!health.is_started());
        health.pass("upstream");
        assert!(health.is_ready() && health.is_started());
        health.fail("upstream", "connection refused".to_owned());
        assert!(!health.is_ready() && health.is_started());
        assert_eq!(
            health.report(),
            "[+] registry\n[-] upstream: connection refused\n"
        );
    }

    #[test]
    fn a_note_stands_beside_its_check_whether_it_passes_or_not() {
        let health = Health::default();
        health.pass("registry");
        health.note("registry", "this registry leads".to_owned());
        assert_eq!(health.report(), "[+] registry (this registry leads)\n");
        health.fail("registry", "no".to_owned());
        assert_eq!(health.report(), "[-] registry: no (this registry leads)\n");
    }

    #[test]
    fn expecting_a_check_again_does_not_undo_it() {
        let health = Health::default();
        health.pass("gateway");
        health.expect("gateway");
        assert!(health.is_ready());
    }
}
