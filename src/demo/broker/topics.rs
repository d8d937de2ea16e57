//! The topics, their partitions, and the bound on what all of them hold.

use super::partition_log::PartitionLog;
use crate::wire::batch::BatchHeader;
use crate::wire::topic_name;
use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

const TOPICS_MAX: usize = 2_000;
const PARTITIONS_MAX: usize = 20_000;
pub const PARTITIONS_A_TOPIC_MAX: i32 = 1_000;

pub struct Topic {
    pub id: Uuid,
    pub name: Arc<str>,
    pub partitions: Vec<PartitionLog>,
    /// As its creator set them.
    pub configs: BTreeMap<String, String>,
}

impl Topic {
    pub fn partition(&self, index: i32) -> Option<&PartitionLog> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub fn is_compacted(&self) -> bool {
        self.configs
            .get("cleanup.policy")
            .is_some_and(|policy| policy.contains("compact"))
    }

    pub fn message_bytes_max(&self) -> Option<usize> {
        self.configs.get("max.message.bytes")?.parse().ok()
    }
}

pub struct Topics {
    by_name: BTreeMap<Arc<str>, Topic>,
    names: HashMap<Uuid, Arc<str>>,
    partitions: usize,
    held_bytes: usize,
    retention_bytes: usize,
    /// One entry a batch, in the order of appends over all partitions: what retention drops next. Entries of deleted
    /// topics point nowhere.
    order: VecDeque<(Uuid, i32)>,
}

impl Topics {
    pub fn new(retention_bytes: usize) -> Self {
        Self {
            by_name: BTreeMap::new(),
            names: HashMap::new(),
            partitions: 0,
            held_bytes: 0,
            retention_bytes,
            order: VecDeque::new(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub fn get_by_id(&self, id: Uuid) -> Option<&Topic> {
        self.by_name.get(self.names.get(&id)?)
    }

    /// By name where the request has names, by id where it has ids (Produce and Fetch 13).
    pub fn resolve(&self, by_id: bool, name: &str, id: Uuid) -> Result<&Topic, ResponseError> {
        if by_id {
            self.get_by_id(id).ok_or(ResponseError::UnknownTopicId)
        } else {
            self.get(name).ok_or(ResponseError::UnknownTopicOrPartition)
        }
    }

    pub fn partition(&self, name: &str, index: i32) -> Option<&PartitionLog> {
        self.get(name)?.partition(index)
    }

    pub fn create(
        &mut self,
        name: &str,
        partitions: i32,
        configs: BTreeMap<String, String>,
    ) -> Result<&Topic, ResponseError> {
        self.may_create(name, partitions)?;
        let name: Arc<str> = Arc::from(name);
        let id = Uuid::from_bytes(ulid::Ulid::new().to_bytes());
        let count = usize::try_from(partitions).map_err(|_| ResponseError::InvalidPartitions)?;
        self.partitions += count;
        self.names.insert(id, Arc::clone(&name));
        let partitions = std::iter::repeat_with(PartitionLog::default)
            .take(count)
            .collect();
        Ok(self.by_name.entry(Arc::clone(&name)).or_insert(Topic {
            id,
            name,
            partitions,
            configs,
        }))
    }

    /// What [`Self::create`] would refuse.
    pub fn may_create(&self, name: &str, partitions: i32) -> Result<(), ResponseError> {
        if !topic_name::is_legal(name) {
            return Err(ResponseError::InvalidTopicException);
        }
        if self.by_name.contains_key(name) {
            return Err(ResponseError::TopicAlreadyExists);
        }
        if !(1..=PARTITIONS_A_TOPIC_MAX).contains(&partitions) {
            return Err(ResponseError::InvalidPartitions);
        }
        if self.by_name.len() >= TOPICS_MAX || self.partitions + partitions as usize > PARTITIONS_MAX {
            return Err(ResponseError::PolicyViolation);
        }
        Ok(())
    }

    pub fn delete(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        self.partitions -= topic.partitions.len();
        let held: usize = topic
            .partitions
            .iter()
            .flat_map(PartitionLog::batches)
            .map(|batch| batch.bytes.len())
            .sum();
        self.held_bytes -= held;
        self.order.retain(|(id, _)| *id != topic.id);
        Some(topic)
    }

    /// Appends a checked batch; drops the oldest batches of any partition when all hold too much.
    pub fn append(&mut self, id: Uuid, partition: i32, header: &BatchHeader, bytes: Bytes) -> Option<i64> {
        let length = bytes.len();
        let base_offset = self.log_mut(id, partition)?.append(header, bytes);
        self.held_bytes += length;
        self.order.push_back((id, partition));
        // The newest batch stays, even when it alone is too much.
        while self.held_bytes > self.retention_bytes && self.order.len() > 1 {
            let Some((id, partition)) = self.order.pop_front() else {
                break;
            };
            let dropped = self.log_mut(id, partition).map_or(0, PartitionLog::drop_oldest);
            self.held_bytes -= dropped;
        }
        Some(base_offset)
    }

    fn log_mut(&mut self, id: Uuid, partition: i32) -> Option<&mut PartitionLog> {
        let name = self.names.get(&id)?;
        self.by_name
            .get_mut(name)?
            .partitions
            .get_mut(usize::try_from(partition).ok()?)
    }
}
