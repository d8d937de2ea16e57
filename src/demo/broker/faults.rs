//! Misbehaviour on demand, so that the gateway's tests can have a broker that is slow, cut off or in error.
//!
//! Everything here takes effect from the next request on and is off until asked for.

use super::shared::lock;
use crate::wire::api::ApiKey;
use crate::wire::error_code::ErrorCode;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;

/// What happens to the response of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseFault {
    /// It is sent this much later.
    Delay(Duration),
    /// The request is not handled, and the connection is reset.
    ResetUnhandled,
    /// The request is handled, but the connection is reset before the response: a lost answer.
    ResetHandled,
    /// As [`Self::ResetHandled`], after so many bytes of the response's frame (its length included).
    ResetAfter(usize),
    /// The request is handled and never answered; the connection stays open and goes on.
    Swallow,
    /// So many bytes at a time with a pause after each.
    Drip { bytes: usize, pause: Duration },
}

struct Rule {
    api: Option<ApiKey>,
    left: u32,
    fault: ResponseFault,
}

/// The handle by which a test makes its broker misbehave.
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
    produce_errors: Mutex<Vec<(ErrorCode, u32)>>,
    listening: watch::Sender<bool>,
    /// Changes when every open connection is to be reset.
    resets: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            rules: Mutex::default(),
            produce_errors: Mutex::default(),
            listening: watch::Sender::new(true),
            resets: watch::Sender::new(0),
        }
    }
}

impl Faults {
    /// The next `requests` requests of `api` (of any, when `None`) get `fault`. Rules are looked at in the order
    /// in which they were made; the first that fits is used up by one.
    pub fn on_next(&self, api: Option<ApiKey>, requests: u32, fault: ResponseFault) {
        lock(&self.rules).push(Rule {
            api,
            left: requests,
            fault,
        });
    }

    /// The next `partitions` partitions of Produce requests are answered with `error_code` and not appended.
    pub fn fail_produce(&self, error_code: ErrorCode, partitions: u32) {
        lock(&self.produce_errors).push((error_code, partitions));
    }

    /// Resets every connection that is open now, in the middle of whatever it does.
    pub fn reset_connections(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// Refuses new connections until [`Self::open_listener`]; open ones stay. Returns at once; the port is free a
    /// moment later.
    pub fn close_listener(&self) {
        self.listening.send_replace(false);
    }

    /// Listens again, on the same port.
    pub fn open_listener(&self) {
        self.listening.send_replace(true);
    }

    /// Well-behaved again from the next request on.
    pub fn clear(&self) {
        lock(&self.rules).clear();
        lock(&self.produce_errors).clear();
        self.open_listener();
    }

    pub(super) fn take(&self, api: ApiKey) -> Option<ResponseFault> {
        let mut rules = lock(&self.rules);
        let index = rules
            .iter()
            .position(|rule| rule.api.is_none_or(|wanted| wanted == api))?;
        let rule = rules.get_mut(index)?;
        rule.left = rule.left.saturating_sub(1);
        let fault = rule.fault;
        if rule.left == 0 {
            rules.remove(index);
        }
        Some(fault)
    }

    pub(super) fn take_produce_error(&self) -> Option<ErrorCode> {
        let mut errors = lock(&self.produce_errors);
        let (error_code, left) = errors.first_mut()?;
        let error_code = *error_code;
        *left = left.saturating_sub(1);
        if *left == 0 {
            errors.remove(0);
        }
        Some(error_code)
    }

    pub(super) fn listening(&self) -> watch::Receiver<bool> {
        self.listening.subscribe()
    }

    pub(super) fn resets(&self) -> watch::Receiver<u64> {
        self.resets.subscribe()
    }
}
