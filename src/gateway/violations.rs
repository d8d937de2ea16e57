//! The log's share of every refusal: the same line that the client sees, at a bounded rate.

use super::session::world::{Fate, Judged};
use crate::contract::{Action, BatchVerdict};
use crate::deadletter::log::LogError;
use crate::telemetry::metrics::TopicMetrics;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::warn;

/// A flood of bad records must not become a flood of lines; metrics count them all.
const LINES_PER_SECOND_MAX: i64 = 200;

static SECOND: AtomicU64 = AtomicU64::new(0);
static LEFT: AtomicI64 = AtomicI64::new(0);
static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

fn may_log() -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    if SECOND.swap(now, Ordering::Relaxed) != now {
        LEFT.store(LINES_PER_SECOND_MAX, Ordering::Relaxed);
        let suppressed = SUPPRESSED.swap(0, Ordering::Relaxed);
        if suppressed > 0 {
            warn!(
                suppressed,
                "more violations than the log takes in a second; metrics count them all"
            );
        }
    }
    let may = LEFT.fetch_sub(1, Ordering::Relaxed) > 0;
    if !may {
        SUPPRESSED.fetch_add(1, Ordering::Relaxed);
    }
    may
}

pub fn log(judged: &Judged<'_, Arc<TopicMetrics>>, peer: SocketAddr) {
    let line = |line: &dyn std::fmt::Display| {
        if may_log() {
            let topic = &*judged.topic.name;
            let client_id = judged.client_id.unwrap_or_default();
            let fate = match judged.fate {
                Fate::Refused => "rejected",
                Fate::Trimmed => "dead_lettered",
                Fate::Forwarded if judged.topic.rules.action == Action::Mark => "marked",
                Fate::Forwarded => "observed",
            };
            warn!(topic, partition = judged.partition, client_id, %peer, fate, "{line}");
        }
    };
    match judged.verdict {
        BatchVerdict::Unchecked { .. } | BatchVerdict::Valid { .. } | BatchVerdict::ValidUnframed { .. } => {}
        BatchVerdict::Violations { violations, .. } => {
            for violation in violations {
                line(violation);
            }
        }
        BatchVerdict::Refused { line: text, .. } | BatchVerdict::RegistryUnreachable { line: text, .. } => {
            line(text);
        }
    }
}

/// A batch could not be decided on, or its outcome not be written down; its client tries again.
pub fn dead_letter_failed(topic: &str, error: &LogError, peer: SocketAddr) {
    if may_log() {
        warn!(topic, %peer, "dead letters are not written: {error}");
    }
}
