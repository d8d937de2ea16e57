//! Copies dead letters from the log of decisions to their topics, each once, whoever crashes.
//!
//! ```text
//! log partition ──► fold ──► what became certain ──► dead-letter topics ┐ one transaction, under the
//!      ▲                                                                ├ partition's own transactional id
//!      └── where to go on: cursor, start of the replay ◄── the group ◄──┘
//! ```
//! Each partition of the log has one owner among all gateways, by a consumer group. The transactional id is the
//! partition's, so a new owner fences the old one and aborts what it had under way; what is committed then, and only
//! that, is projected. An owner that finds nothing wrong with itself but was replaced can write nothing that is seen.

mod owner;
pub mod position;
pub mod progress;
mod status;
mod targets;
mod trouble;

use crate::kafka::group::{Assigned, Event, MemberOptions, Membership};
use crate::kafka::{Client, UpstreamOptions};
use crate::telemetry::health::Health;
use owner::Owner;
use status::Status;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::info;

/// What the projector says of itself stands beside this check, which passes: records are taken whether dead letters
/// reach their topics or not.
pub const CHECK: &str = "projector";
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// The shortest that brokers allow by default (`group.min.session.timeout.ms`).
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const REBALANCE_TIMEOUT: Duration = Duration::from_secs(10);
/// Rounds that are under way when a partition is given up get this long; then the next owner aborts them.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectorOptions {
    /// The topic of the log.
    pub topic: String,
}

impl ProjectorOptions {
    /// The consumer group, and the transactional ids up to `-<partition>`.
    #[must_use]
    pub fn group_id(&self) -> String {
        format!("portcullis-projector-{}", self.topic)
    }
}

/// The projector of this process, as long as this is kept.
pub struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Joins the projectors of the other gateways. Returns at once; the topic may not be there yet.
///
/// # Errors
/// When a certificate or key cannot be read.
pub fn start(options: ProjectorOptions, upstream: &UpstreamOptions, health: Health) -> io::Result<Running> {
    let client = Client::new(upstream)?;
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve(options, client, health, stopped));
    Ok(Running { stop, task })
}

impl Running {
    /// Ends what is under way and leaves the group, so that the others take over at once.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }

    /// Ends it as a crash would: nobody is told.
    pub fn kill(self) {
        self.task.abort();
    }
}

async fn serve(
    options: ProjectorOptions,
    mut client: Client,
    health: Health,
    mut stopped: oneshot::Receiver<()>,
) {
    // The log makes it when it starts.
    while !client
        .metadata(&options.topic)
        .await
        .is_ok_and(|view| view.topic.is_some())
    {
        if tokio::time::timeout(LOOK_INTERVAL, &mut stopped).await.is_ok() {
            return;
        }
    }
    let group_id = options.group_id();
    let member = MemberOptions {
        group_id: group_id.clone(),
        topic: options.topic.clone(),
        session_timeout: SESSION_TIMEOUT,
        rebalance_timeout: REBALANCE_TIMEOUT,
    };
    let mut membership = Membership::join(client.another(), member);
    info!(group = group_id, topic = options.topic, "projecting dead letters");
    let mut owners = Owners {
        status: Arc::new(Status::new(health)),
        group_id: group_id.into(),
        topic: options.topic.into(),
        client,
        stop: watch::Sender::new(false),
        running: JoinSet::new(),
    };
    loop {
        let event = tokio::select! {
            _ = &mut stopped => break,
            event = membership.next() => event,
        };
        match event {
            Event::Assigned(assigned) => owners.start(&assigned),
            Event::Revoked => owners.stop().await,
        }
    }
    owners.stop().await;
    membership.leave().await;
}

/// The owners of partitions in this process. They end with it, also when nobody stops them.
struct Owners {
    status: Arc<Status>,
    group_id: Arc<str>,
    topic: Arc<str>,
    client: Client,
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl Owners {
    fn start(&mut self, assigned: &Assigned) {
        self.stop = watch::Sender::new(false);
        self.status.owned(&assigned.partitions);
        for partition in &assigned.partitions {
            let owner = Owner {
                status: Arc::clone(&self.status),
                group_id: Arc::clone(&self.group_id),
                topic: Arc::clone(&self.topic),
                partition: *partition,
                generation: assigned.generation,
                member_id: assigned.member_id.clone(),
                stopped: self.stop.subscribe(),
            };
            self.running.spawn(owner.run(self.client.another()));
        }
    }

    async fn stop(&mut self) {
        self.stop.send_replace(true);
        let ending = async { while self.running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_TIME_MAX, ending).await;
        self.running.abort_all();
        self.status.owned(&[]);
    }
}
