//! Takes a [`Member`] to its coordinator and back, on a connection of its own, and tells the others of this process
//! what it is: the log's writer, the REST API, whoever reads `/readyz?verbose` or the log.

use super::ElectionOptions;
use super::member::{Member, REBALANCE_TIMEOUT, SESSION_TIMEOUT, Standing};
use super::protocol::{Identity, PROTOCOL, PROTOCOL_TYPE};
use super::watch::Watch;
use crate::kafka::client::Client;
use crate::kafka::group::{Answer, Coordinator, GroupTerms, Step, Time};
use crate::registry::role::{Leadership, Role};
use crate::registry::writer::CHECK;
use crate::telemetry::health::Health;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Leaving gets this long; then the session ends by itself.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(3);

/// A member of the group, as long as this is kept.
pub struct Election {
    wish: watch::Sender<Wish>,
    task: JoinHandle<()>,
}

/// What the process wants of its member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    Stand,
    Follow,
    Leave,
}

impl Election {
    /// Stands for election with the REST API that `listens`. Until there is a leader, `leadership` is a follower of
    /// nobody.
    #[must_use]
    pub fn start(
        client: Client,
        options: ElectionOptions,
        scheme: &str,
        listens: SocketAddr,
        leadership: Leadership,
        health: Health,
    ) -> Self {
        let host = options.advertised_host.unwrap_or_else(|| own_name(listens));
        let port = options.advertised_port.unwrap_or(listens.port());
        let identity = Identity::new(scheme, &host, port, options.eligible);
        tracing::info!(
            group_id = options.group_id,
            address = identity.url(),
            eligible = identity.eligible,
            "standing for election to the registry's leader"
        );
        let (wish, wishes) = watch::channel(Wish::Stand);
        let terms = GroupTerms {
            group_id: options.group_id,
            protocol_type: PROTOCOL_TYPE,
            protocol: PROTOCOL,
            session_timeout: SESSION_TIMEOUT,
            rebalance_timeout: REBALANCE_TIMEOUT,
        };
        let coordinator = Coordinator::new(client, terms);
        let task = Task {
            began: Instant::now(),
            member: Member::new(identity),
            fencings: leadership.fencings(),
            leadership,
            health,
            wishes,
            watch: Watch::default(),
            said: (Standing::Unknown, None),
        };
        Self {
            wish,
            task: tokio::spawn(task.run(coordinator)),
        }
    }

    /// Leads no more, so that another does at once; writes that come here are handed to it.
    pub fn abdicate(&self) {
        self.wish.send_replace(Wish::Follow);
    }

    /// Leaves the group.
    pub async fn stop(self) {
        let Self { wish, mut task } = self;
        wish.send_replace(Wish::Leave);
        if tokio::time::timeout(LEAVE_TIME_MAX, &mut task).await.is_err() {
            tracing::warn!(
                "the election's group was not left in time: the others wait until the session is over"
            );
            task.abort();
        }
    }
}

enum Event {
    /// The process wants something else.
    Wish,
    Fenced,
    LeaderIsGone(Arc<str>),
    /// It is time for whatever the member wanted to do then.
    Due,
}

struct Task {
    began: Instant,
    member: Member,
    leadership: Leadership,
    health: Health,
    fencings: watch::Receiver<u64>,
    wishes: watch::Receiver<Wish>,
    watch: Watch,
    /// What was published and logged last.
    said: (Standing, Option<String>),
}

impl Task {
    async fn run(mut self, mut coordinator: Coordinator) {
        self.leadership.set_role(Role::Follower { leader: None });
        self.fencings.mark_unchanged();
        loop {
            let now = self.now();
            let step = self.member.step(now);
            self.publish();
            match step {
                Step::Done => return,
                Step::Wait(until) => {
                    let event = self.event(Some(until)).await;
                    self.take(event);
                }
                Step::Find | Step::Ask(_) => {
                    let answer = self.carry_out(&mut coordinator, step).await;
                    let now = self.now();
                    if let Some(answer) = answer {
                        self.member.answered(now, answer);
                    } else {
                        self.member.answered(now, Answer::Failed);
                        self.member.end();
                    }
                }
            }
            self.publish();
        }
    }

    /// `None` when it was told to stop meanwhile: the request is given up, and its connection with it.
    async fn carry_out(&mut self, coordinator: &mut Coordinator, step: Step) -> Option<Answer> {
        let carrying_out = coordinator.carry_out(step);
        tokio::pin!(carrying_out);
        loop {
            tokio::select! {
                answer = &mut carrying_out => return Some(answer),
                event = self.event(None) => {
                    let leave = matches!(event, Event::Wish) && *self.wishes.borrow() == Wish::Leave;
                    if leave {
                        return None;
                    }
                    self.take(event);
                    self.publish();
                }
            }
        }
    }

    /// Waits for the next thing that is not an answer, at most until `until` or the member's own deadline.
    async fn event(&mut self, until: Option<Time>) -> Event {
        let deadline = self.member.deadline();
        let due = match (until, deadline) {
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
            Ok(()) = self.wishes.changed() => Event::Wish,
            Ok(()) = self.fencings.changed() => Event::Fenced,
            gone = self.watch.gone() => Event::LeaderIsGone(gone),
            () = alarm => Event::Due,
        }
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Wish => match *self.wishes.borrow_and_update() {
                Wish::Stand => {}
                Wish::Follow => self.member.abdicate(now),
                Wish::Leave => self.member.end(),
            },
            Event::Fenced => self.member.fenced(now),
            Event::LeaderIsGone(member_id) => {
                tracing::warn!("the registry's leader has closed its port: it is put out of the group");
                self.member.leader_is_gone(&member_id);
            }
            Event::Due => self.member.tick(now),
        }
    }

    /// Tells of a change, once.
    fn publish(&mut self) {
        let now = (
            self.member.standing().clone(),
            self.member.trouble().map(str::to_owned),
        );
        if now == self.said {
            return;
        }
        if now.0 != self.said.0 {
            self.leadership.set_role(role_of(&now.0));
            self.watch.follow(match &now.0 {
                Standing::Follows(leader) => Some(leader),
                _ => None,
            });
        }
        let words = words_of(&now.0, now.1.as_deref());
        if now.1.is_some() {
            tracing::warn!("{words}");
        } else {
            tracing::info!("{words}");
        }
        self.health.note(CHECK, words);
        self.said = now;
    }

    fn now(&self) -> Time {
        Instant::now().saturating_duration_since(self.began)
    }
}

/// The address itself where there is one, else the machine's name.
fn own_name(listens: SocketAddr) -> String {
    if !listens.ip().is_unspecified() {
        return listens.ip().to_string();
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

fn role_of(standing: &Standing) -> Role {
    match standing {
        Standing::Leads { .. } => Role::Leader,
        Standing::Follows(leader) => Role::Follower {
            leader: Some(leader.identity.url().into()),
        },
        Standing::Unknown => Role::Follower { leader: None },
        Standing::NobodyEligible => Role::Unled,
    }
}

fn words_of(standing: &Standing, trouble: Option<&str>) -> String {
    match (standing, trouble) {
        (_, Some(trouble)) => format!("no leader: {trouble}"),
        (Standing::Leads { generation }, _) => {
            format!("this registry leads (generation {generation} of the group)")
        }
        (Standing::Follows(leader), _) => format!("this registry follows {}", leader.identity.url()),
        (Standing::Unknown, _) => "no leader is known: an election is under way".to_owned(),
        (Standing::NobodyEligible, _) => {
            "no member of the group may lead (master_eligibility: false): reads only".to_owned()
        }
    }
}
