//! What all connections together may hold beyond their first few KiB.

use crate::telemetry::metrics;
use ::metrics::Gauge;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Budget {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    used_gauge: Gauge,
}

impl Budget {
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        metrics::memory_budget_bytes("limit").set(limit_bytes as f64);
        Self {
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            used_gauge: metrics::memory_budget_bytes("used"),
        }
    }

    /// All of `bytes` or nothing: whoever got them can finish a frame.
    pub fn reserve(&self, bytes: usize) -> bool {
        let taken = self
            .used_bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|used| *used <= self.limit_bytes)
            });
        self.show();
        taken.is_ok()
    }

    pub fn release(&self, bytes: usize) {
        if bytes > 0 {
            self.used_bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.show();
        }
    }

    fn show(&self) {
        self.used_gauge
            .set(self.used_bytes.load(Ordering::Relaxed) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_what_is_released_can_be_taken_again() {
        let budget = Budget::new(100);
        assert!(budget.reserve(60));
        assert!(!budget.reserve(41));
        assert!(budget.reserve(40));
        budget.release(60);
        assert!(budget.reserve(60));
        assert!(!budget.reserve(usize::MAX));
    }
}
