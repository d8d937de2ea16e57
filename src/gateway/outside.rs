//! The world as a session of a running gateway sees it.

use super::listener::Acceptor;
use super::operations::Operations;
use super::session::dead_letter::{Operation, OperationId, Outcome};
use super::session::world::{Fate, Judged, Place, Topic, World};
use super::shared::Shared;
use super::violations;
use crate::contract::{BatchVerdict, Checker, Code, TopicRules};
use crate::deadletter::decisions::{Next, Path};
use crate::deadletter::log::LogError;
use crate::kafka::now_ms;
use crate::telemetry::metrics::TopicMetrics;
use crate::wire::addresses::AddressMap;
use crate::wire::compression::DecompressionLimits;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use ulid::Ulid;

thread_local! {
    /// One set of buffers a thread, not a connection: a check never waits.
    static CHECKER: RefCell<Option<(DecompressionLimits, Checker)>> = const { RefCell::new(None) };
}

pub struct Outside<'s> {
    pub shared: &'s Shared,
    pub acceptor: &'s Acceptor,
    pub peer: SocketAddr,
    /// By the client's certificate.
    pub principal: Option<String>,
    pub operations: Operations,
}

impl World for Outside<'_> {
    type Metrics = Arc<TopicMetrics>;

    fn topic(&mut self, name: &str) -> Arc<Topic<Self::Metrics>> {
        self.shared.topics.get(name)
    }

    fn topic_name(&mut self, id: [u8; 16]) -> Option<Arc<str>> {
        let name = self.shared.topics.name(&id);
        if name.is_none() {
            // A full queue is no loss: the client tries again.
            let _ = self.shared.topic_questions.try_send(id);
        }
        name
    }

    fn check(&mut self, rules: &TopicRules, records: &[u8]) -> BatchVerdict {
        let shared = self.shared;
        with_checker(shared, |checker| {
            let began = Instant::now();
            let verdict = checker.check(rules, records, shared.schemas.as_ref(), &mut Ulid::new);
            if let Some(format) = checker.format() {
                shared.counters.validation_seconds(format).record(began.elapsed());
            }
            verdict
        })
    }

    fn amend(
        &mut self,
        rules: &TopicRules,
        records: &[u8],
        verdict: &BatchVerdict,
        length_max: usize,
    ) -> Result<Option<Vec<u8>>, BatchVerdict> {
        with_checker(self.shared, |checker| {
            checker.amend(rules, records, verdict, length_max, &mut Ulid::new)
        })
    }

    fn judged(&mut self, judged: Judged<'_, Self::Metrics>) {
        count(&judged);
        violations::log(&judged, self.peer);
    }

    fn next_step(&mut self, path: &Path) -> Next {
        match &self.shared.decisions {
            Some(log) => log.next(path),
            // Nobody answers, so the batch is refused.
            None => Next::CatchUp,
        }
    }

    fn passed_whole(&mut self, path: &Path) {
        if let Some(log) = &self.shared.decisions {
            log.passed_whole(path);
        }
    }

    fn start(&mut self, operation: Operation) -> OperationId {
        self.operations.start(self.shared.decisions.as_ref(), operation)
    }

    fn finished(&mut self) -> Option<(OperationId, Outcome)> {
        self.operations.finished()
    }

    fn dead_letter_failed(&mut self, topic: &str, error: &LogError) {
        let metrics = &self.shared.topics.get(topic).metrics;
        metrics.violations(Code::DeadLetterNotWritten.as_str(), 1);
        violations::dead_letter_failed(topic, error, self.peer);
    }

    fn place(&mut self) -> Place {
        Place {
            client_address: self.peer.to_string(),
            principal: self.principal.clone(),
            gateway: Arc::clone(&self.shared.name),
            time_ms: now_ms(),
        }
    }

    fn reference(&mut self) -> Ulid {
        Ulid::new()
    }

    fn decompression_limits(&self) -> DecompressionLimits {
        self.shared.options.limits.decompression
    }

    fn addresses(&mut self) -> &mut dyn AddressMap {
        self
    }

    fn reserve(&mut self, bytes: usize) -> bool {
        self.shared.budget.reserve(bytes)
    }

    fn release(&mut self, bytes: usize) {
        self.shared.budget.release(bytes);
    }

    fn asks_for_sasl(&self) -> bool {
        self.shared.asks_for_sasl.load(Ordering::Relaxed)
    }

    fn saw_sasl(&mut self) {
        self.shared.asks_for_sasl.store(true, Ordering::Relaxed);
    }
}

fn with_checker<R>(shared: &Shared, run: impl FnOnce(&mut Checker) -> R) -> R {
    let limits = shared.options.limits.decompression;
    CHECKER.with_borrow_mut(|kept| {
        let (made_for, checker) = kept.get_or_insert_with(|| (limits, Checker::new(limits)));
        if *made_for != limits {
            (*made_for, *checker) = (limits, Checker::new(limits));
        }
        run(checker)
    })
}

impl AddressMap for Outside<'_> {
    fn advertise(&mut self, node_id: i32, host: &str, port: i32) -> Option<(String, u16)> {
        let port = u16::try_from(port).ok()?;
        let slot = self.shared.routes.slot(node_id, host, port)?;
        Some(self.acceptor.advertise(slot))
    }

    fn learn_topic(&mut self, id: [u8; 16], name: &str) {
        self.shared.topics.learn(id, name);
    }
}

fn count(judged: &Judged<'_, Arc<TopicMetrics>>) {
    let metrics = &judged.topic.metrics;
    match judged.fate {
        Fate::Forwarded => metrics.batches_forwarded.increment(1),
        Fate::Trimmed => metrics.batches_trimmed.increment(1),
        Fate::Refused => metrics.batches_refused.increment(1),
    }
    let (bad_counter, refused) = match judged.fate {
        Fate::Refused => (&metrics.records_rejected, true),
        Fate::Trimmed => (&metrics.records_dead_lettered, false),
        Fate::Forwarded => (&metrics.records_observed, false),
    };
    match judged.verdict {
        BatchVerdict::Unchecked { records } => metrics.records_unchecked.increment(u64::from(*records)),
        BatchVerdict::Valid { records } | BatchVerdict::ValidUnframed { records, .. } => {
            metrics.records_valid.increment(u64::from(*records));
        }
        BatchVerdict::Violations {
            records,
            bad_records,
            violations,
            ..
        } => {
            // A refused batch takes its good records with it.
            let bad = if refused { *records } else { bad_records.len() };
            bad_counter.increment(u64::from(bad));
            metrics
                .records_valid
                .increment(u64::from(records.saturating_sub(bad)));
            for run in violations.chunk_by(|one, next| one.code == next.code) {
                if let Some(violation) = run.first() {
                    metrics.violations(violation.code.as_str(), run.len() as u64);
                }
            }
        }
        BatchVerdict::Refused { records, code, .. } => {
            bad_counter.increment(u64::from(*records));
            metrics.violations(code.as_str(), 1);
        }
        BatchVerdict::RegistryUnreachable { records, .. } => {
            if refused {
                bad_counter.increment(u64::from(*records));
            } else {
                metrics.records_unchecked.increment(u64::from(*records));
            }
            metrics.violations(crate::contract::Code::RegistryUnreachable.as_str(), 1);
        }
    }
}
