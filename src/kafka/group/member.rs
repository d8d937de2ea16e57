//! A member of type `consumer` that shares one topic with the others, without sockets and without a clock: answers and
//! the time go in, requests and what this member owns come out.
//!
//! ```text
//! Lost --Found--> Join --Joined--> Sync --Synced--> Stable --Beat--> Stable
//!   ^              ^ ^               |                |
//!   |              | +- Rebalancing -+   Rebalancing: Release, until the owner has stopped
//!   +- no answer --+-- put out of the group
//! ```
//!
//! Eager: what a member owns ends with the generation. A member that is told of a rebalance lets its owner stop before it
//! joins again, so that nobody else has started by then. One that hears nothing from its coordinator for a session
//! owns nothing any more, since the group goes on without it.

use super::assignment::{assigned, share, subscription};
use super::{Answer, Ask, Refusal, Step, Time, doubled};
use std::sync::Arc;
use std::time::Duration;

/// Between two tries to reach the coordinator, and to join after having been put out; doubles up to the second.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// After a refusal that another try at once would not change.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// The part of a session that passes between two heartbeats, and that an owner gets to stop.
const HEARTBEATS_A_SESSION: u32 = 4;

/// What a member owns in one generation of its group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assigned {
    pub generation: i32,
    pub member_id: Arc<str>,
    /// Can be none: there are more members than partitions.
    pub partitions: Vec<i32>,
}

#[derive(Debug)]
enum State {
    /// There is no connection to the coordinator.
    Lost {
        until: Time,
    },
    /// The generation is over; the owner may take until then to stop.
    Release {
        until: Time,
    },
    Join {
        at: Time,
    },
    Sync {
        generation: i32,
        shares: Vec<(Arc<str>, Vec<u8>)>,
    },
    Stable {
        beat_at: Time,
    },
    Leaving,
}

#[derive(Debug)]
pub struct Member {
    topic: String,
    session_timeout: Duration,
    state: State,
    /// Empty until the coordinator has given one.
    id: Arc<str>,
    assigned: Option<Assigned>,
    /// When the last request was sent, and the last that was answered as a member's: the session runs from there.
    asked: Time,
    heard: Time,
    failures: u32,
    ending: bool,
    trouble: Option<String>,
}

impl Member {
    pub fn new(topic: &str, session_timeout: Duration) -> Self {
        Self {
            topic: topic.to_owned(),
            session_timeout,
            state: State::Lost { until: Time::ZERO },
            id: "".into(),
            assigned: None,
            asked: Time::ZERO,
            heard: Time::ZERO,
            failures: 0,
            ending: false,
            trouble: None,
        }
    }

    /// What this member owns now.
    pub fn assigned(&self) -> Option<&Assigned> {
        self.assigned.as_ref()
    }

    /// Why it owns nothing, where that is more than a matter of time.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// When [`Self::tick`] wants to be called, whatever is under way.
    pub fn deadline(&self) -> Option<Time> {
        self.assigned.as_ref().map(|_| self.heard + self.session_timeout)
    }

    /// The group may have gone on without a member of which nothing was heard for a session.
    pub fn tick(&mut self, now: Time) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.assigned = None;
        }
    }

    /// The owner has stopped with what was revoked.
    pub fn released(&mut self, now: Time) {
        if let State::Release { .. } = self.state {
            self.state = State::Join { at: now };
        }
    }

    /// Leaves, so that nobody waits for this member. The owner has stopped.
    pub fn end(&mut self) {
        self.ending = true;
        self.assigned = None;
    }

    /// What to do now. After [`Step::Find`] and [`Step::Ask`] comes [`Self::answered`] before the next.
    pub fn step(&mut self, now: Time) -> Step {
        self.tick(now);
        self.asked = now;
        if self.ending {
            return self.leave();
        }
        if matches!(self.state, State::Stable { .. }) && self.assigned.is_none() {
            self.state = State::Join { at: now };
        }
        match &self.state {
            State::Lost { until } | State::Release { until } if now < *until => Step::Wait(*until),
            State::Lost { .. } => Step::Find,
            State::Join { at } if now < *at => Step::Wait(*at),
            State::Release { .. } | State::Join { .. } => Step::Ask(Ask::Join {
                member_id: self.id.clone(),
                metadata: subscription(&self.topic),
            }),
            State::Sync { generation, shares } => Step::Ask(Ask::Sync {
                generation: *generation,
                member_id: self.id.clone(),
                assignments: shares.clone(),
            }),
            State::Stable { beat_at } if now < *beat_at => Step::Wait(*beat_at),
            State::Stable { .. } => Step::Ask(Ask::Heartbeat {
                generation: self.assigned.as_ref().map_or(-1, |assigned| assigned.generation),
                member_id: self.id.clone(),
            }),
            State::Leaving => Step::Done,
        }
    }

    fn leave(&mut self) -> Step {
        if self.id.is_empty() || matches!(self.state, State::Leaving) {
            return Step::Done;
        }
        if matches!(self.state, State::Lost { .. }) {
            return Step::Find;
        }
        self.state = State::Leaving;
        Step::Ask(Ask::Leave {
            member_id: self.id.clone(),
        })
    }

    /// What the last step has brought. `partitions`: those of the topic, for who is to share them out.
    pub fn answered(&mut self, now: Time, answer: Answer, partitions: &[i32]) {
        self.tick(now);
        match answer {
            Answer::Failed => self.lose(now),
            Answer::Refused(refusal) => self.refused(now, refusal),
            // Nobody has said that the generation is over: a heartbeat will tell.
            Answer::Found => self.state = State::Stable { beat_at: now },
            Answer::Joined {
                generation,
                member_id,
                members,
            } => {
                self.failures = 0;
                self.id = member_id;
                let shares = members.map(|members| share(&members, &self.topic, partitions));
                self.state = State::Sync {
                    generation,
                    shares: shares.unwrap_or_default(),
                };
            }
            Answer::Synced { assignment } => self.synced(now, &assignment),
            Answer::Beat => {
                self.failures = 0;
                self.heard = self.asked;
                self.state = State::Stable {
                    beat_at: now + self.session_timeout / HEARTBEATS_A_SESSION,
                };
            }
            Answer::Left => {}
        }
    }

    fn synced(&mut self, now: Time, assignment: &[u8]) {
        let State::Sync { generation, .. } = self.state else {
            return;
        };
        match assigned(assignment, &self.topic) {
            Ok(partitions) => {
                self.trouble = None;
                self.assigned = Some(Assigned {
                    generation,
                    member_id: self.id.clone(),
                    partitions,
                });
                // The request may have waited for the others; the session begins when it is answered. A heartbeat at
                // once tells more exactly.
                self.heard = now;
                self.state = State::Stable { beat_at: now };
            }
            Err(why) => {
                self.refused(
                    now,
                    Refusal::Other(format!("the group's leader assigns what cannot be read: {why}")),
                );
            }
        }
    }

    fn refused(&mut self, now: Time, refusal: Refusal) {
        if let State::Leaving = self.state {
            return;
        }
        match refusal {
            Refusal::MemberIdRequired(member_id) => {
                self.id = member_id;
                self.state = State::Join { at: now };
            }
            Refusal::Rebalancing => {
                let until = match self.assigned.take() {
                    Some(_) => now + self.session_timeout / HEARTBEATS_A_SESSION,
                    None => now,
                };
                self.state = State::Release { until };
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
                self.assigned = None;
                self.state = State::Lost {
                    until: now + REFUSED_PAUSE,
                };
            }
        }
    }

    /// The group went on without this member.
    fn join_anew(&mut self, now: Time) {
        self.assigned = None;
        let at = now + self.pause();
        self.state = State::Join { at };
    }

    fn lose(&mut self, now: Time) {
        // One try to find the coordinator and one to leave are enough: the session ends by itself.
        if self.ending && matches!(self.state, State::Lost { .. } | State::Leaving) {
            self.state = State::Leaving;
            return;
        }
        let until = now + self.pause();
        self.state = State::Lost { until };
    }

    fn pause(&mut self) -> Duration {
        let pause = doubled(RETRY_MIN, self.failures, RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

#[cfg(test)]
#[path = "member_tests.rs"]
mod tests;
