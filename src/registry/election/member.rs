//! One member of the group, without sockets and without a clock: answers and the time go in, requests and what this
//! registry is among the others come out.
//!
//! ```text
//! Lost --Found--> Join --Joined--> Sync --Synced--> Stable --Beat--> Stable
//!   ^              ^ ^               |                |
//!   |              | +- Rebalancing -+----------------+
//!   +- no answer --+-- Unknown member: steps down first
//! ```
//!
//! A leader that hears REBALANCE_IN_PROGRESS goes on leading while it joins again, and says so in its metadata: it
//! stays the leader unless it is too slow. That two lead for a moment is possible in every election; the epoch of the
//! log's producer is what keeps the older one from writing.

use super::protocol::{Assignment, Identity, choose};
use crate::kafka::group::{Answer, Ask, Refusal, Step, Time, doubled};
use std::sync::Arc;
use std::time::Duration;

/// The shortest that brokers allow by default (`group.min.session.timeout.ms`).
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// Who has not joined again by then is out.
pub const REBALANCE_TIMEOUT: Duration = Duration::from_secs(2);
/// Also how long a member does not know of a rebalance.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);
/// Between two tries to reach the coordinator; doubles up to the second.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// After a refusal that another try at once would not change.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// Who is put out or fenced again and again stands back: doubles from the second time on.
const SETBACK_PAUSE_MIN: Duration = Duration::from_millis(100);
const SETBACK_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Setbacks further apart than this have nothing to do with one another.
const SETBACKS_FORGOTTEN: Duration = Duration::from_mins(1);

/// What this registry is among the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Nobody is known to lead.
    Unknown,
    /// The members agree that none of them may lead.
    NobodyEligible,
    Leads {
        generation: i32,
    },
    Follows(Leader),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leader {
    pub member_id: Arc<str>,
    pub identity: Identity,
}

#[derive(Debug)]
enum State {
    /// There is no connection to the coordinator.
    Lost {
        until: Time,
    },
    Join {
        at: Time,
    },
    Sync {
        generation: i32,
        assignments: Vec<(Arc<str>, Vec<u8>)>,
    },
    Stable {
        beat_at: Time,
    },
    Leaving(Then),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Join { at: Time },
    End,
}

#[derive(Debug)]
pub struct Member {
    identity: Identity,
    state: State,
    standing: Standing,
    /// Empty until the coordinator has given one.
    id: Arc<str>,
    /// The generation whose assignment this member has and of which it has not heard that it is over.
    generation: Option<i32>,
    /// When the coordinator last took it for a member.
    heard: Time,
    failures: u32,
    setbacks: u32,
    last_setback: Time,
    /// Fenced, or no longer eligible: leave and join anew, not before then.
    renew: Option<Time>,
    /// Another member that is gone, to be put out.
    put_out: Option<Arc<str>>,
    ending: bool,
    /// The last refusal or assignment that nothing can be done with, in words.
    trouble: Option<String>,
}

impl Member {
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            state: State::Lost { until: Time::ZERO },
            standing: Standing::Unknown,
            id: "".into(),
            generation: None,
            heard: Time::ZERO,
            failures: 0,
            setbacks: 0,
            last_setback: Time::ZERO,
            renew: None,
            put_out: None,
            ending: false,
            trouble: None,
        }
    }

    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Why nobody is known to lead, where that is more than a matter of time.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// When [`Self::tick`] wants to be called, whatever is under way.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.leads().then(|| self.heard + SESSION_TIMEOUT)
    }

    /// A leader of which the coordinator has not heard for a session may long have a successor: it steps down.
    pub fn tick(&mut self, now: Time) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.step_down();
            // The group may not have noticed; then this member is told again that it leads.
            self.generation = None;
        }
    }

    /// Another writer has taken over the log.
    pub fn fenced(&mut self, now: Time) {
        // Otherwise it is old news.
        if self.leads() {
            self.step_down();
            self.renew = Some(now + self.setback(now));
        }
    }

    /// The leader that had this member id had an open port and has no more: puts it out of the group, instead of
    /// waiting until its session is over.
    pub fn leader_is_gone(&mut self, member_id: &str) {
        if matches!(&self.standing, Standing::Follows(leader) if *leader.member_id == *member_id) {
            self.put_out = Some(member_id.into());
            self.standing = Standing::Unknown;
        }
    }

    /// Steps down for good and joins anew as one that may not lead: another does at once, and this one knows who.
    pub fn abdicate(&mut self, now: Time) {
        self.identity.eligible = false;
        self.step_down();
        self.renew = Some(now);
    }

    /// Leaves, so that nobody waits for this member.
    pub fn end(&mut self) {
        self.ending = true;
        self.step_down();
    }

    /// What to do now. After [`Step::Find`] and [`Step::Ask`] comes [`Self::answered`] before the next.
    #[must_use]
    pub fn step(&mut self, now: Time) -> Step {
        self.tick(now);
        let connected = !matches!(self.state, State::Lost { .. });
        if self.ending && (self.id.is_empty() || matches!(self.state, State::Leaving(Then::End))) {
            return Step::Done;
        }
        if self.ending && connected {
            return self.leave(self.id.clone(), Then::End);
        }
        if let (Some(at), true) = (self.renew, connected) {
            self.renew = None;
            self.generation = None;
            let old = std::mem::replace(&mut self.id, "".into());
            return self.leave(old, Then::Join { at });
        }
        if matches!(self.state, State::Stable { .. })
            && let Some(gone) = self.put_out.take()
        {
            // Whatever comes of it, this member has to hear again who leads.
            self.generation = None;
            return self.leave(gone, Then::Join { at: now });
        }
        if matches!(self.state, State::Stable { .. }) && self.generation.is_none() {
            self.state = State::Join { at: now };
        }
        match &self.state {
            State::Lost { until } if now < *until && !self.ending => Step::Wait(*until),
            State::Lost { .. } => Step::Find,
            State::Join { at } if now < *at => Step::Wait(*at),
            State::Join { .. } => Step::Ask(Ask::Join {
                member_id: self.id.clone(),
                metadata: self.identity.to_json(),
            }),
            State::Sync {
                generation,
                assignments,
            } => Step::Ask(Ask::Sync {
                generation: *generation,
                member_id: self.id.clone(),
                assignments: assignments.clone(),
            }),
            State::Stable { beat_at } if now < *beat_at => Step::Wait(*beat_at),
            State::Stable { .. } => Step::Ask(Ask::Heartbeat {
                generation: self.generation.unwrap_or_default(),
                member_id: self.id.clone(),
            }),
            // Asked for again without an answer: there was none.
            State::Leaving(_) => {
                self.lose(now);
                Step::Wait(now)
            }
        }
    }

    fn leave(&mut self, member_id: Arc<str>, then: Then) -> Step {
        self.state = State::Leaving(then);
        Step::Ask(Ask::Leave { member_id })
    }

    /// What the last step has brought.
    pub fn answered(&mut self, now: Time, answer: Answer) {
        self.tick(now);
        match answer {
            Answer::Failed => self.lose(now),
            Answer::Refused(refusal) => self.refused(now, refusal),
            Answer::Found => {
                // Nobody has said that the generation is over: a heartbeat will tell.
                self.state = match self.generation {
                    Some(_) => State::Stable { beat_at: now },
                    None => State::Join { at: now },
                };
            }
            Answer::Joined {
                generation,
                member_id,
                members,
            } => {
                self.alive(now);
                self.id = member_id;
                let assignments = members.map(|members| assign(&members)).unwrap_or_default();
                self.state = State::Sync {
                    generation,
                    assignments,
                };
            }
            Answer::Synced { assignment } => {
                self.alive(now);
                if let State::Sync { generation, .. } = self.state {
                    self.generation = Some(generation);
                    self.settle(generation, &assignment);
                }
                self.state = State::Stable {
                    beat_at: now + HEARTBEAT_INTERVAL,
                };
            }
            Answer::Beat => {
                self.alive(now);
                self.state = State::Stable {
                    beat_at: now + HEARTBEAT_INTERVAL,
                };
            }
            Answer::Left => self.left(now),
        }
    }

    fn refused(&mut self, now: Time, refusal: Refusal) {
        // Whether it was carried out or not: who left is gone, or was gone before.
        if let State::Leaving(_) = self.state {
            return self.left(now);
        }
        match refusal {
            Refusal::MemberIdRequired(member_id) => {
                self.id = member_id;
                self.state = State::Join { at: now };
            }
            Refusal::Rebalancing => {
                self.alive(now);
                self.generation = None;
                self.state = State::Join { at: now };
            }
            Refusal::UnknownMember => {
                self.id = "".into();
                self.join_anew(now);
            }
            Refusal::IllegalGeneration => self.join_anew(now),
            Refusal::NotCoordinator => self.lose(now),
            Refusal::Loading => {
                let again = now + RETRY_MIN;
                match &mut self.state {
                    State::Stable { beat_at } => *beat_at = again,
                    state => *state = State::Join { at: again },
                }
            }
            Refusal::Other(why) => {
                self.trouble = Some(why);
                self.generation = None;
                self.state = State::Lost {
                    until: now + REFUSED_PAUSE,
                };
            }
        }
    }

    /// The group went on without this member.
    fn join_anew(&mut self, now: Time) {
        self.generation = None;
        self.step_down();
        let at = now + self.setback(now);
        self.state = State::Join { at };
    }

    fn left(&mut self, now: Time) {
        match self.state {
            State::Leaving(Then::Join { at }) => {
                self.generation = None;
                self.state = State::Join { at };
            }
            State::Leaving(Then::End) => {}
            _ => self.state = State::Join { at: now },
        }
    }

    fn lose(&mut self, now: Time) {
        if self.ending {
            // One try is enough: the session ends by itself.
            self.state = State::Leaving(Then::End);
            return;
        }
        let pause = doubled(RETRY_MIN, self.failures, RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Lost { until: now + pause };
    }

    fn settle(&mut self, generation: i32, assignment: &[u8]) {
        // What was asked of this registry before the answer came goes before.
        if self.ending || self.renew.is_some() {
            return;
        }
        self.trouble = None;
        self.put_out = None;
        match Assignment::from_json(assignment) {
            Ok(Assignment {
                error: Assignment::NO_ERROR,
                leader,
                identity: Some(identity),
                ..
            }) => self.led_by(generation, leader, identity),
            Ok(Assignment {
                error: Assignment::NO_ERROR,
                ..
            }) => {
                self.step_down();
                self.standing = Standing::NobodyEligible;
            }
            Ok(Assignment {
                error: Assignment::DUPLICATE_URLS,
                ..
            }) => {
                let url = self.identity.url();
                self.distrust(format!(
                    "two members of the group say that they are at the same address (this one at {url}): \
                     give each its own registry.embedded.advertised_host and advertised_port"
                ));
            }
            Ok(Assignment { error, .. }) => {
                self.distrust(format!("the group's assigner answered with its error {error}"));
            }
            Err(why) => self.distrust(format!("the group's assigner answered with {why}")),
        }
    }

    fn led_by(&mut self, generation: i32, leader: Option<Arc<str>>, identity: Identity) {
        let is_this = match &leader {
            Some(member_id) => *member_id == self.id,
            None => identity.url() == self.identity.url(),
        };
        if !is_this {
            self.step_down();
            self.standing = Standing::Follows(Leader {
                member_id: leader.unwrap_or_else(|| "".into()),
                identity,
            });
        } else if !self.identity.eligible {
            self.distrust("this member was elected although it is not eligible".to_owned());
        } else if !self.leads() {
            self.identity.leader = true;
            self.standing = Standing::Leads { generation };
        }
    }

    fn distrust(&mut self, why: String) {
        self.step_down();
        self.trouble = Some(why);
    }

    fn step_down(&mut self) {
        self.identity.leader = false;
        self.standing = Standing::Unknown;
    }

    fn leads(&self) -> bool {
        matches!(self.standing, Standing::Leads { .. })
    }

    fn alive(&mut self, now: Time) {
        self.heard = now;
        self.failures = 0;
    }

    /// How long to stand back after it was put out or fenced.
    fn setback(&mut self, now: Time) -> Duration {
        if now.saturating_sub(self.last_setback) > SETBACKS_FORGOTTEN {
            self.setbacks = 0;
        }
        self.last_setback = now;
        let before = self.setbacks;
        self.setbacks = before.saturating_add(1);
        match before.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => doubled(SETBACK_PAUSE_MIN, doublings, SETBACK_PAUSE_MAX),
        }
    }
}

fn assign(members: &[(Arc<str>, Vec<u8>)]) -> Vec<(Arc<str>, Vec<u8>)> {
    let assignment = choose(members).to_json();
    members
        .iter()
        .map(|(member_id, _)| (member_id.clone(), assignment.clone()))
        .collect()
}

#[cfg(test)]
#[path = "member_tests.rs"]
mod tests;
