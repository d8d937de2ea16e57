//! Topics as they pass by: their rules, worked out once, and the names behind topic ids.

use super::session::world::Topic;
use crate::contract::Policies;
use crate::telemetry::metrics::{self, TopicMetrics};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Names come from clients: beyond these, rules are worked out anew each time.
const TOPICS_MAX: usize = 20_000;
/// A cluster has at most a few hundred thousand topics; beyond this the map starts over.
const TOPIC_IDS_MAX: usize = 500_000;

pub type TopicId = [u8; 16];

pub type CountedTopic = Topic<Arc<TopicMetrics>>;

pub struct Topics {
    policies: Policies,
    by_name: RwLock<HashMap<Box<str>, Arc<CountedTopic>>>,
    names: RwLock<HashMap<TopicId, Arc<str>>>,
}

impl Topics {
    #[must_use]
    pub fn new(policies: Policies) -> Self {
        Self {
            policies,
            by_name: RwLock::default(),
            names: RwLock::default(),
        }
    }

    pub fn get(&self, name: &str) -> Arc<CountedTopic> {
        if let Some(topic) = self
            .by_name
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
        {
            return Arc::clone(topic);
        }
        let topic = Arc::new(Topic {
            name: name.into(),
            rules: self.policies.rules_for(name),
            metrics: metrics::topic(name),
        });
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if by_name.len() < TOPICS_MAX {
            by_name.insert(name.into(), Arc::clone(&topic));
        }
        topic
    }

    pub fn name(&self, id: &TopicId) -> Option<Arc<str>> {
        self.names
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    pub fn learn(&self, id: TopicId, name: &str) {
        if self.name(&id).is_some_and(|known| &*known == name) {
            return;
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= TOPIC_IDS_MAX {
            names.clear();
        }
        names.insert(id, name.into());
    }
}
