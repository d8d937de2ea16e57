//! Every metric of the gateway by its name in `docs/reference.md`. Handles are made once and kept by those who count.

use metrics::{Counter, Gauge, Histogram};
use std::sync::Arc;

/// Handles of one topic. Topics beyond the cap share `topic="other"`.
pub struct TopicMetrics {
    pub topic: Arc<str>,
    pub records_valid: Counter,
    pub records_rejected: Counter,
    pub records_observed: Counter,
    pub records_unchecked: Counter,
    pub batches_forwarded: Counter,
    pub batches_refused: Counter,
}

impl TopicMetrics {
    /// `portcullis_violations_total{topic,code}`
    pub fn violations(&self, _code: &'static str, _count: u64) {}
}

/// Installs the process's recorder; idempotent. Before it, everything counts into the void.
pub fn install() {}

/// The text that `/metrics` answers.
#[must_use]
pub fn render() -> String {
    String::new()
}

#[must_use]
pub fn topic(_topic: &str) -> Arc<TopicMetrics> {
    todo!()
}

/// `portcullis_bytes_total{direction}`: `client_in`, `client_out`, `upstream_in`, `upstream_out`.
#[must_use]
pub fn bytes(direction: &'static str) -> Counter {
    metrics::counter!("portcullis_bytes_total", "direction" => direction)
}

/// `portcullis_connections{listener}`
#[must_use]
pub fn connections(listener: &str) -> Gauge {
    metrics::gauge!("portcullis_connections", "listener" => listener.to_owned())
}

/// `portcullis_upstream_errors_total{kind}`
pub fn upstream_error(kind: &'static str) {
    metrics::counter!("portcullis_upstream_errors_total", "kind" => kind).increment(1);
}

/// `portcullis_request_added_seconds{api}`
#[must_use]
pub fn request_added_seconds(api: &'static str) -> Histogram {
    metrics::histogram!("portcullis_request_added_seconds", "api" => api)
}

/// `portcullis_validation_seconds{format}`
#[must_use]
pub fn validation_seconds(format: &'static str) -> Histogram {
    metrics::histogram!("portcullis_validation_seconds", "format" => format)
}

/// `portcullis_schema_cache{result}`: `hit`, `miss`, `negative`.
#[must_use]
pub fn schema_cache(result: &'static str) -> Counter {
    metrics::counter!("portcullis_schema_cache", "result" => result)
}

/// `portcullis_memory_budget_bytes{state}`: `used`, `limit`.
#[must_use]
pub fn memory_budget_bytes(state: &'static str) -> Gauge {
    metrics::gauge!("portcullis_memory_budget_bytes", "state" => state)
}
