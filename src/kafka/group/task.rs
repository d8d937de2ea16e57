//! Takes a [`Member`] to its coordinator and back, on a connection of its own, and tells its owner what it owns.

use super::member::{Assigned, Member};
use super::{Answer, Coordinator, GroupTerms, Refusal, Step, Time};
use crate::kafka::client::Client;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Leaving gets this long; then the session ends by itself.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(3);
/// What Java's `RangeAssignor` calls itself.
const PROTOCOL: &str = "range";
const PROTOCOL_TYPE: &str = "consumer";

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberOptions {
    pub group_id: String,
    /// The members share its partitions. One that gets more shares them out at the next rebalance.
    pub topic: String,
    /// How long the others wait for a member that is gone. Brokers want 6 s at least
    /// (`group.min.session.timeout.ms`).
    pub session_timeout: Duration,
    /// How long a rebalance waits for a member to join again.
    pub rebalance_timeout: Duration,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    Assigned(Assigned),
    /// What was assigned last is another's from now on. Asking for the next event says that its owner has stopped.
    Revoked,
}

/// A member of the group, as long as this is kept. Dropped, it is out when its session is over.
pub struct Membership {
    owned: watch::Receiver<Option<Assigned>>,
    /// Whether the owner works on what it was told of.
    holds: watch::Sender<bool>,
    leave: watch::Sender<bool>,
    held: Option<Assigned>,
    task: JoinHandle<()>,
}

impl Membership {
    /// Joins the group, with a client of its own.
    #[must_use]
    pub fn join(client: Client, options: MemberOptions) -> Self {
        let member = Member::new(&options.topic, options.session_timeout);
        let terms = GroupTerms {
            group_id: options.group_id,
            protocol_type: PROTOCOL_TYPE,
            protocol: PROTOCOL,
            session_timeout: options.session_timeout,
            rebalance_timeout: options.rebalance_timeout,
        };
        let (owns, owned) = watch::channel(None);
        let (holds, held) = watch::channel(false);
        let (leave, leaves) = watch::channel(false);
        let task = Task {
            began: Instant::now(),
            topic: options.topic,
            member,
            owns,
            held,
            leaves,
            trouble: None,
        };
        Self {
            owned,
            holds,
            leave,
            held: None,
            task: tokio::spawn(task.run(Coordinator::new(client, terms))),
        }
    }

    /// The next change. An assignment is revoked before there is another. A call that is given up loses nothing.
    pub async fn next(&mut self) -> Event {
        if self.held.is_none() {
            self.holds.send_replace(false);
        }
        loop {
            {
                let owned = self.owned.borrow_and_update();
                match (&self.held, &*owned) {
                    (Some(held), Some(owned)) if held == owned => {}
                    (Some(_), _) => {
                        self.held = None;
                        return Event::Revoked;
                    }
                    (None, Some(owned)) => {
                        // While nothing can be revoked.
                        self.holds.send_replace(true);
                        self.held = Some(owned.clone());
                        return Event::Assigned(owned.clone());
                    }
                    (None, None) => {}
                }
            }
            if self.owned.changed().await.is_err() {
                if self.held.take().is_some() {
                    return Event::Revoked;
                }
                return std::future::pending().await;
            }
        }
    }

    /// Leaves the group, so that the others need not wait. The owner has stopped.
    pub async fn leave(mut self) {
        self.leave.send_replace(true);
        if tokio::time::timeout(LEAVE_TIME_MAX, &mut self.task)
            .await
            .is_err()
        {
            tracing::warn!(
                "a consumer group was not left in time: the others wait until the session is over"
            );
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Task {
    began: Instant,
    topic: String,
    member: Member,
    owns: watch::Sender<Option<Assigned>>,
    held: watch::Receiver<bool>,
    leaves: watch::Receiver<bool>,
    /// What was logged last.
    trouble: Option<String>,
}

impl Task {
    async fn run(mut self, mut coordinator: Coordinator) {
        loop {
            let step = self.member.step(self.now());
            self.publish();
            match step {
                Step::Done => return,
                Step::Wait(until) => self.event(Some(until)).await,
                Step::Find | Step::Ask(_) => {
                    let (answer, partitions) = self.carry_out(&mut coordinator, step).await;
                    let now = self.now();
                    self.member.answered(now, answer, &partitions);
                }
            }
            self.publish();
        }
    }

    /// Given up, and its connection with it, when the owner leaves meanwhile.
    async fn carry_out(&mut self, coordinator: &mut Coordinator, step: Step) -> (Answer, Vec<i32>) {
        let leaving = matches!(step, Step::Ask(super::Ask::Leave { .. }));
        let topic = self.topic.clone();
        let carrying_out = async {
            let answer = coordinator.carry_out(step).await;
            if !matches!(answer, Answer::Joined { members: Some(_), .. }) {
                return (answer, Vec::new());
            }
            match partitions(coordinator.client(), &topic).await {
                Ok(partitions) => (answer, partitions),
                Err(why) => (why, Vec::new()),
            }
        };
        tokio::pin!(carrying_out);
        loop {
            tokio::select! {
                done = &mut carrying_out => return done,
                () = self.event(None) => {
                    if *self.leaves.borrow() && !leaving {
                        return (Answer::Failed, Vec::new());
                    }
                    self.publish();
                }
            }
        }
    }

    /// Waits for what is not an answer, at most until `until` or the member's own deadline, and takes it in.
    async fn event(&mut self, until: Option<Time>) {
        let due = match (until, self.member.deadline()) {
            (Some(until), Some(deadline)) => Some(until.min(deadline)),
            (until, deadline) => until.or(deadline),
        };
        let began = self.began;
        let alarm = async {
            match due {
                Some(due) => tokio::time::sleep_until(began + due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.leaves.changed() => self.member.end(),
            Ok(()) = self.held.changed() => {}
            () = alarm => {}
        }
        let now = self.now();
        self.member.tick(now);
    }

    /// Tells the owner of a change, and hears whether it has stopped.
    fn publish(&mut self) {
        let assigned = self.member.assigned();
        self.owns.send_if_modified(|owned| {
            let changed = owned.as_ref() != assigned;
            if changed {
                *owned = assigned.cloned();
            }
            changed
        });
        if assigned.is_none() && !*self.held.borrow_and_update() {
            let now = self.now();
            self.member.released(now);
        }
        if self.member.trouble() != self.trouble.as_deref() {
            self.trouble = self.member.trouble().map(str::to_owned);
            if let Some(why) = &self.trouble {
                tracing::warn!(topic = self.topic, "no partitions from the consumer group: {why}");
            }
        }
    }

    fn now(&self) -> Time {
        Instant::now().saturating_duration_since(self.began)
    }
}

/// The topic's partitions, for the leader to share out; or what becomes of its joining without them.
async fn partitions(client: &mut Client, topic: &str) -> Result<Vec<i32>, Answer> {
    let view = client.metadata(topic).await.map_err(|error| {
        if error.is_retriable() {
            Answer::Failed
        } else {
            Answer::Refused(Refusal::Other(error.to_string()))
        }
    })?;
    let view = view
        .topic
        .ok_or_else(|| Answer::Refused(Refusal::Other(format!("topic {topic} is not there"))))?;
    let mut partitions: Vec<i32> = view.partitions.iter().map(|partition| partition.index).collect();
    partitions.sort_unstable();
    Ok(partitions)
}
