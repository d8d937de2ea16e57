//! Every metric of the gateway by its name in `docs/reference.md`. Handles are made once and kept by those who count.

use metrics::{Counter, Gauge, Histogram, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

/// More topics than these share `topic="other"`: a client that invents topics must not fill the monitoring.
pub const TOPICS_MAX: usize = 500;

/// From 5 µs, below which a clock's own cost shows, to 1 s.
const SECONDS_BUCKETS: [f64; 17] = [
    5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0,
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
static TOPICS: LazyLock<Mutex<Topics>> = LazyLock::new(|| Mutex::new(Topics::default()));

/// Handles of one topic. Topics beyond the cap share `topic="other"`.
pub struct TopicMetrics {
    pub topic: Arc<str>,
    pub records_valid: Counter,
    pub records_rejected: Counter,
    pub records_observed: Counter,
    pub records_dead_lettered: Counter,
    pub records_unchecked: Counter,
    pub batches_forwarded: Counter,
    pub batches_trimmed: Counter,
    pub batches_refused: Counter,
}

impl TopicMetrics {
    fn new(topic: &str) -> Self {
        let records = |verdict: &'static str| metrics::counter!("portcullis_records_total", "topic" => topic.to_owned(), "verdict" => verdict);
        let batches = |path: &'static str| metrics::counter!("portcullis_batches_total", "topic" => topic.to_owned(), "path" => path);
        Self {
            topic: topic.into(),
            records_valid: records("valid"),
            records_rejected: records("rejected"),
            records_observed: records("observed"),
            records_dead_lettered: records("dead_lettered"),
            records_unchecked: records("unchecked"),
            batches_forwarded: batches("forwarded"),
            batches_trimmed: batches("trimmed"),
            batches_refused: batches("refused"),
        }
    }

    /// `portcullis_violations_total{topic,code}`
    pub fn violations(&self, code: &'static str, count: u64) {
        metrics::counter!("portcullis_violations_total", "topic" => self.topic.to_string(), "code" => code)
            .increment(count);
    }
}

/// The topics seen so far, and the one for the rest.
#[derive(Default)]
struct Topics {
    known: HashMap<Arc<str>, Arc<TopicMetrics>>,
    other: Option<Arc<TopicMetrics>>,
}

impl Topics {
    fn get(&mut self, topic: &str, topics_max: usize) -> Arc<TopicMetrics> {
        if let Some(known) = self.known.get(topic) {
            return Arc::clone(known);
        }
        if self.known.len() >= topics_max {
            let other = self
                .other
                .get_or_insert_with(|| Arc::new(TopicMetrics::new("other")));
            return Arc::clone(other);
        }
        let new = Arc::new(TopicMetrics::new(topic));
        self.known.insert(Arc::clone(&new.topic), Arc::clone(&new));
        new
    }
}

/// Installs the process's recorder; idempotent. Before it, everything counts into the void.
pub fn install() {
    if RECORDER.get().is_some() {
        return;
    }
    let recorder = match builder() {
        Ok(builder) => builder.build_recorder(),
        Err(error) => return tracing::error!(%error, "no metrics: the recorder cannot be built"),
    };
    let handle = recorder.handle();
    // Two callers at once: the second keeps the first's recorder.
    if metrics::set_global_recorder(recorder).is_ok() && RECORDER.set(handle).is_ok() {
        describe();
        begin_at_zero();
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
}

/// The text that `/metrics` answers.
#[must_use]
pub fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Folds what histograms have gathered since the last call. To be called about once a second, or samples pile up
/// until somebody reads `/metrics`.
pub fn upkeep() {
    if let Some(recorder) = RECORDER.get() {
        recorder.run_upkeep();
    }
}

#[must_use]
pub fn topic(topic: &str) -> Arc<TopicMetrics> {
    // Handles made before the recorder is there count into the void for ever: they are not kept.
    if RECORDER.get().is_none() {
        return Arc::new(TopicMetrics::new(topic));
    }
    TOPICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(topic, TOPICS_MAX)
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

/// `portcullis_connections_closed_total{reason}`: connections that the gateway itself closed.
pub fn connection_closed(reason: &'static str) {
    metrics::counter!("portcullis_connections_closed_total", "reason" => reason).increment(1);
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

/// `portcullis_registry_up`: 1 while schemas can be had from the registry.
#[must_use]
pub fn registry_up() -> Gauge {
    metrics::gauge!("portcullis_registry_up")
}

/// `portcullis_config_reload_total{result}`: `success`, `failure`.
#[must_use]
pub fn config_reload(result: &'static str) -> Counter {
    metrics::counter!("portcullis_config_reload_total", "result" => result)
}

/// `portcullis_decisions_total{result}`. Of this gateway's appends to the log: `decided`, `confirmed`, `revoked`, `lettered`
/// (bad records without sequence numbers), `failed`. Of the projector: `projected` (its dead letters are in their topic),
/// `dropped` (revoked, given up, or its transaction was aborted).
pub fn decisions(result: &'static str, count: u64) {
    metrics::counter!("portcullis_decisions_total", "result" => result).increment(count);
}

/// `portcullis_dead_letters_total`: records written to dead-letter topics.
pub fn dead_letters(count: u64) {
    metrics::counter!("portcullis_dead_letters_total").increment(count);
}

/// `portcullis_projector_lag{partition}`: offsets of a partition of the decision log that are not projected yet.
pub fn projector_lag(partition: i32, offsets: i64) {
    metrics::gauge!("portcullis_projector_lag", "partition" => partition.to_string()).set(offsets as f64);
}

/// `portcullis_projector_errors_total{kind}`: `topic`, `not_authorized`, `too_large`, `refused`, `upstream`, `rebalance`,
/// `fenced`, `log`, `lost`.
pub fn projector_error(kind: &'static str) {
    metrics::counter!("portcullis_projector_errors_total", "kind" => kind).increment(1);
}

/// What a counter or gauge is before anything happens: rates need the zero.
fn begin_at_zero() {
    for direction in ["client_in", "client_out", "upstream_in", "upstream_out"] {
        bytes(direction).absolute(0);
    }
    for result in ["hit", "miss", "negative"] {
        schema_cache(result).absolute(0);
    }
    for result in ["success", "failure"] {
        config_reload(result).absolute(0);
    }
    for state in ["used", "limit"] {
        memory_budget_bytes(state).set(0.0);
    }
    for result in [
        "decided",
        "confirmed",
        "revoked",
        "lettered",
        "failed",
        "projected",
        "dropped",
    ] {
        decisions(result, 0);
    }
    dead_letters(0);
    registry_up().set(0.0);
    metrics::gauge!("portcullis_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

fn describe() {
    describe_counter!("portcullis_records_total", "Records by topic and verdict");
    describe_counter!("portcullis_violations_total", "Violations by topic and code");
    describe_counter!(
        "portcullis_batches_total",
        "Record batches by topic and what became of them"
    );
    describe_histogram!(
        "portcullis_validation_seconds",
        "Time to check one record batch, by schema language"
    );
    describe_histogram!(
        "portcullis_request_added_seconds",
        "Time that the gateway itself added to a request"
    );
    describe_counter!("portcullis_bytes_total", "Bytes relayed, by direction");
    describe_gauge!("portcullis_connections", "Client connections open, by listener");
    describe_counter!(
        "portcullis_upstream_errors_total",
        "Failures to reach or to understand a broker"
    );
    describe_counter!("portcullis_schema_cache", "Schema lookups by result");
    describe_gauge!(
        "portcullis_registry_up",
        "1 while schemas can be had from the registry"
    );
    describe_counter!(
        "portcullis_config_reload_total",
        "Reloads of the configuration by result"
    );
    describe_gauge!(
        "portcullis_memory_budget_bytes",
        "Memory that connections hold, and may hold"
    );
    describe_counter!(
        "portcullis_decisions_total",
        "Decisions which records leave a batch, by what became of them"
    );
    describe_counter!(
        "portcullis_dead_letters_total",
        "Records written to dead-letter topics"
    );
    describe_gauge!(
        "portcullis_projector_lag",
        "Offsets of the decision log that are not projected yet, by its partition"
    );
    describe_counter!(
        "portcullis_projector_errors_total",
        "Tries to project dead letters that failed, by kind"
    );
    describe_gauge!("portcullis_build_info", "1, with the version as a label");
    describe_gauge!(
        "schema_registry_schema_count",
        "Schemas registered, those deleted softly included"
    );
    describe_counter!(
        "schema_registry_successful_requests_total",
        "Registry requests answered 2xx or 3xx"
    );
    describe_counter!(
        "schema_registry_error_requests_total",
        "Registry requests answered 4xx or 5xx"
    );
    describe_gauge!("schema_registry_leader", "1 when this registry accepts writes");
    describe_gauge!(
        "schema_registry_unknown_records",
        "Records of the log whose kind this version does not know"
    );
    describe_counter!(
        "schema_registry_compatibility_checks_total",
        "Compatibility checks by result"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_are_there_before_anything_happens_and_count_afterwards() {
        install();
        install();
        let before = render();
        for line in [
            "portcullis_bytes_total{direction=\"client_in\"}",
            "portcullis_schema_cache{result=\"negative\"}",
            "portcullis_config_reload_total{result=\"failure\"} 0",
            "portcullis_registry_up",
            "portcullis_memory_budget_bytes{state=\"limit\"}",
            "portcullis_build_info{version=",
        ] {
            assert!(before.contains(line), "{line} in\n{before}");
        }
        let orders = topic("telemetry-orders");
        orders.records_valid.increment(3);
        orders.violations("PC-201", 2);
        validation_seconds("telemetry-avro").record(7e-6);
        upkeep();
        let after = render();
        for line in [
            "# HELP portcullis_records_total ",
            "# TYPE portcullis_records_total counter",
            "portcullis_records_total{topic=\"telemetry-orders\",verdict=\"valid\"} 3",
            "portcullis_violations_total{topic=\"telemetry-orders\",code=\"PC-201\"} 2",
            "portcullis_validation_seconds_bucket{format=\"telemetry-avro\",le=\"0.000005\"} 0",
            "portcullis_validation_seconds_bucket{format=\"telemetry-avro\",le=\"0.00001\"} 1",
            "portcullis_validation_seconds_count{format=\"telemetry-avro\"} 1",
        ] {
            assert!(after.contains(line), "{line} in\n{after}");
        }
        assert!(Arc::ptr_eq(&orders, &topic("telemetry-orders")));
    }

    #[test]
    fn topics_beyond_the_cap_share_one_label() {
        let mut topics = Topics::default();
        assert_eq!(&*topics.get("a", 2).topic, "a");
        assert_eq!(&*topics.get("b", 2).topic, "b");
        assert_eq!(&*topics.get("c", 2).topic, "other");
        assert_eq!(&*topics.get("d", 2).topic, "other");
        assert_eq!(&*topics.get("a", 2).topic, "a");
        assert_eq!(topics.known.len(), 2);
    }
}
