//! What every connection of the gateway has in common, and the background task that keeps it true.

use super::GatewayOptions;
use super::budget::Budget;
use super::routes::Routes;
use super::topics::{TopicId, Topics};
use crate::contract::{Policies, SchemaSource};
use crate::deadletter::log::DecisionLog;
use crate::kafka::{Cluster, Connector, HostPort};
use crate::schema::SchemaType;
use crate::telemetry::health::Health;
use crate::telemetry::metrics;
use ::metrics::{Counter, Histogram};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tracing::{info, warn};

/// How often the cluster is asked who its brokers are.
const REFRESH: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Topic ids waiting to be asked for; more are asked for when the client tries again.
const TOPIC_QUESTIONS_MAX: usize = 256;
/// The check on `/readyz`.
pub const UPSTREAM_CHECK: &str = "upstream";

pub struct Counters {
    pub client_in: Counter,
    pub client_out: Counter,
    pub upstream_in: Counter,
    pub upstream_out: Counter,
    pub produce_added_seconds: Histogram,
    avro_seconds: Histogram,
    protobuf_seconds: Histogram,
    json_seconds: Histogram,
}

impl Counters {
    fn new() -> Self {
        Self {
            client_in: metrics::bytes("client_in"),
            client_out: metrics::bytes("client_out"),
            upstream_in: metrics::bytes("upstream_in"),
            upstream_out: metrics::bytes("upstream_out"),
            produce_added_seconds: metrics::request_added_seconds("Produce"),
            avro_seconds: metrics::validation_seconds("avro"),
            protobuf_seconds: metrics::validation_seconds("protobuf"),
            json_seconds: metrics::validation_seconds("json"),
        }
    }

    /// A batch's check, by the language of its schemas.
    pub fn validation_seconds(&self, format: SchemaType) -> &Histogram {
        match format {
            SchemaType::Avro => &self.avro_seconds,
            SchemaType::Protobuf => &self.protobuf_seconds,
            SchemaType::Json => &self.json_seconds,
        }
    }
}

pub struct Shared {
    pub options: GatewayOptions,
    pub connector: Connector,
    pub routes: Routes,
    pub topics: Topics,
    pub schemas: Arc<dyn SchemaSource>,
    pub budget: Budget,
    pub counters: Counters,
    pub connection_permits: Arc<Semaphore>,
    /// Where the next bootstrap connection goes first.
    pub next_bootstrap: AtomicUsize,
    /// Clients have been seen to authenticate with SASL.
    pub asks_for_sasl: AtomicBool,
    /// True from the moment the gateway drains.
    pub draining: watch::Sender<bool>,
    pub topic_questions: mpsc::Sender<TopicId>,
    /// None: no policy dead-letters.
    pub decisions: Option<DecisionLog>,
    /// What this gateway is called in dead letters.
    pub name: Arc<str>,
}

impl Shared {
    pub fn new(
        options: GatewayOptions,
        policies: Policies,
        schemas: Arc<dyn SchemaSource>,
        decisions: Option<DecisionLog>,
    ) -> io::Result<(Arc<Self>, mpsc::Receiver<TopicId>)> {
        let (topic_questions, asked) = mpsc::channel(TOPIC_QUESTIONS_MAX);
        let slots = options
            .listeners
            .iter()
            .map(|listener| listener.brokers)
            .min()
            .unwrap_or(0);
        let shared = Self {
            connector: Connector::new(&options.upstream)?,
            routes: Routes::new(slots),
            topics: Topics::new(policies),
            schemas,
            budget: Budget::new(options.limits.memory_bytes_max),
            counters: Counters::new(),
            connection_permits: Arc::new(Semaphore::new(
                options.limits.connections_max.min(Semaphore::MAX_PERMITS),
            )),
            next_bootstrap: AtomicUsize::new(0),
            asks_for_sasl: AtomicBool::new(false),
            draining: watch::Sender::new(false),
            topic_questions,
            decisions,
            name: name(&options),
            options,
        };
        Ok((Arc::new(shared), asked))
    }

    /// The bootstrap servers, each connection starting with another.
    pub fn bootstrap_servers(&self) -> Vec<HostPort> {
        let mut servers = self.options.upstream.bootstrap_servers.clone();
        let first = self
            .next_bootstrap
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if !servers.is_empty() {
            let count = servers.len();
            servers.rotate_left(first % count);
        }
        servers
    }
}

/// The machine, and the port that clients know.
fn name(options: &GatewayOptions) -> Arc<str> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let port = options
        .listeners
        .first()
        .map_or(0, |listener| listener.address.port());
    format!("{}:{port}", host.trim()).into()
}

/// Follows the cluster's brokers as they come and go, and answers what topic an id names.
pub async fn follow(shared: Arc<Shared>, mut asked: mpsc::Receiver<TopicId>, health: Health) {
    let mut cluster = Cluster::new(
        shared.connector.clone(),
        shared.options.upstream.sasl.clone(),
        shared.options.upstream.bootstrap_servers.clone(),
    );
    let mut ids: Vec<TopicId> = Vec::new();
    let mut retry = RETRY_MIN;
    let mut was_up = None;
    loop {
        let pause = match cluster.ask(&ids).await {
            Ok(learned) => {
                if was_up != Some(true) {
                    let brokers = learned.brokers.as_ref().map(Vec::len);
                    info!(brokers, "the cluster answers");
                    if brokers.is_none() {
                        info!("the cluster wants SASL: its brokers are learnt from clients' metadata");
                    }
                }
                was_up = Some(true);
                health.pass(UPSTREAM_CHECK);
                for (id, name) in &learned.topics {
                    shared.topics.learn(*id, name);
                }
                if let Some(brokers) = &learned.brokers {
                    shared.routes.update(brokers);
                }
                retry = RETRY_MIN;
                REFRESH
            }
            Err(error) => {
                if was_up != Some(false) {
                    warn!(%error, "the cluster does not answer; trying on");
                }
                was_up = Some(false);
                metrics::upstream_error("metadata");
                health.fail(UPSTREAM_CHECK, error.to_string());
                retry = (retry * 2).min(RETRY_MAX);
                retry
            }
        };
        ids.clear();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            id = asked.recv() => {
                let Some(id) = id else { return };
                ids.push(id);
            }
        }
        while let Ok(id) = asked.try_recv() {
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| shared.topics.name(id).is_none());
    }
}
