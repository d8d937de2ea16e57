//! Who may write: the leader alone. The election sets the role, the writer obeys it, the REST API asks it.
//!
//! ```text
//! election --Role--> Leadership --Role--> writer: leads (new producer epoch, NOOP read back) or refuses
//!    ^                   |
//!    +--- fenced --------+-- folded offset --> followers that wait for what the leader wrote
//! ```

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What this process is among the registries of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Nobody else is expected: the file store, and a Kafka store without an election. Writes.
    Alone,
    /// Elected. Writes.
    Leader,
    /// Writes nothing; hands its clients' writes to the leader, if one is known.
    Follower {
        /// Where the leader's REST API is, `http://host:8081`.
        leader: Option<Arc<str>>,
    },
    /// Writes nothing, and neither does any other: none of the group may lead.
    Unled,
}

impl Role {
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(self, Self::Alone | Self::Leader)
    }
}

/// The door between the election, the log and the REST API; cheap to clone.
#[derive(Clone)]
pub struct Leadership(Arc<Channels>);

struct Channels {
    role: watch::Sender<Role>,
    /// The offset after the last folded record.
    folded: watch::Sender<i64>,
    /// How often another writer took over while we took ourselves for the leader.
    fenced: watch::Sender<u64>,
}

impl Leadership {
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self(Arc::new(Channels {
            role: watch::Sender::new(role),
            folded: watch::Sender::new(0),
            fenced: watch::Sender::new(0),
        }))
    }

    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role.borrow().clone()
    }

    /// Also tells the writer when the role is the same as before: elected again, after it was fenced.
    pub fn set_role(&self, role: Role) {
        self.0.role.send_replace(role);
    }

    #[must_use]
    pub fn roles(&self) -> watch::Receiver<Role> {
        self.0.role.subscribe()
    }

    /// The offset after the last record that this process has folded.
    #[must_use]
    pub fn folded(&self) -> i64 {
        *self.0.folded.borrow()
    }

    pub fn set_folded(&self, offset: i64) {
        self.0.folded.send_replace(offset);
    }

    /// Waits until everything before `offset` is folded: a follower that reads its own write. `false` when that
    /// takes longer than `timeout`.
    pub async fn wait_folded(&self, offset: i64, timeout: Duration) -> bool {
        let mut folded = self.0.folded.subscribe();
        let waiting = folded.wait_for(|folded| *folded >= offset);
        matches!(tokio::time::timeout(timeout, waiting).await, Ok(Ok(_)))
    }

    /// Changes when the writer finds that another has taken over. The election then stands for election anew.
    #[must_use]
    pub fn fencings(&self) -> watch::Receiver<u64> {
        self.0.fenced.subscribe()
    }

    pub fn set_fenced(&self) {
        self.0.fenced.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_waits_until_its_own_write_is_folded_and_no_longer_than_it_said() {
        let leadership = Leadership::new(Role::Follower { leader: None });
        let short = Duration::from_millis(20);
        assert!(leadership.wait_folded(0, short).await);
        assert!(!leadership.wait_folded(7, short).await);
        let waiting = {
            let leadership = leadership.clone();
            tokio::spawn(async move { leadership.wait_folded(7, Duration::from_secs(10)).await })
        };
        leadership.set_folded(6);
        leadership.set_folded(8);
        assert!(waiting.await.unwrap());
    }

    #[test]
    fn being_elected_again_is_a_change_although_the_role_is_the_same() {
        let leadership = Leadership::new(Role::Leader);
        let mut roles = leadership.roles();
        roles.mark_unchanged();
        leadership.set_role(Role::Leader);
        assert!(roles.has_changed().unwrap());
    }
}
