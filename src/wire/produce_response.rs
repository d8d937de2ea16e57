//! The Produce response, versions 3 to 13, owned: it is small, and opened only when it must be changed.

use super::error_code::ErrorCode;
use super::produce_request::{VERSION_MAX, VERSION_MIN};
use super::reader::{Reader, WireError};
use super::writer::Writer;

/// Tag of a partition's current leader (KIP-951).
const CURRENT_LEADER: u32 = 0;
/// Tag of the endpoints of current leaders, at the top level (KIP-951).
const NODE_ENDPOINTS: u32 = 0;
/// An element takes more memory than its least bytes: counts are believed this far, then the vector grows by itself.
const RESERVE_MAX: usize = 1024;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicName {
    Name(String),
    Id([u8; 16]),
}

/// One bad record (KIP-467). Versions below 8 cannot carry it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordError {
    pub batch_index: i32,
    pub message: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionResponse {
    pub partition: i32,
    pub error_code: ErrorCode,
    pub base_offset: i64,
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    pub record_errors: Vec<RecordError>,
    pub error_message: Option<String>,
    /// Leader id and epoch (KIP-951, version ≥ 10, tagged field 0).
    pub current_leader: Option<(i32, i32)>,
}

/// Where a broker is (KIP-951).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProduceResponse {
    pub topics: Vec<(TopicName, Vec<PartitionResponse>)>,
    pub throttle_time_ms: i32,
    pub node_endpoints: Vec<NodeEndpoint>,
}

impl ProduceResponse {
    /// Reads a body (what follows the response header).
    ///
    /// Unknown tagged fields are passed over; [`Self::write`] does not bring them back.
    pub fn read(body: &[u8], version: i16) -> Result<Self, WireError> {
        if !(VERSION_MIN..=VERSION_MAX).contains(&version) {
            return Err(WireError::UnsupportedVersion {
                what: "Produce",
                version,
            });
        }
        let form = Form::of(version);
        let flexible = form.flexible;
        let mut reader = Reader::new(body);
        let topic_count = reader.array_length_not_null(flexible, form.topic_size_min(), "responses")?;
        let mut topics = Vec::with_capacity(topic_count.min(RESERVE_MAX));
        for _ in 0..topic_count {
            let topic = if form.has_topic_ids() {
                TopicName::Id(reader.uuid()?)
            } else {
                TopicName::Name(reader.string(flexible)?.to_owned())
            };
            let count =
                reader.array_length_not_null(flexible, form.partition_size_min(), "partition_responses")?;
            let mut partitions = Vec::with_capacity(count.min(RESERVE_MAX));
            for _ in 0..count {
                partitions.push(form.read_partition(&mut reader)?);
            }
            if flexible {
                reader.skip_tagged_fields()?;
            }
            topics.push((topic, partitions));
        }
        let throttle_time_ms = reader.i32()?;
        let mut node_endpoints = Vec::new();
        if flexible {
            reader.tagged_fields(|tag, bytes| {
                if tag == NODE_ENDPOINTS && form.has_leaders() {
                    node_endpoints = read_node_endpoints(bytes)?;
                }
                Ok(())
            })?;
        }
        reader.finish()?;
        Ok(Self {
            topics,
            throttle_time_ms,
            node_endpoints,
        })
    }

    /// Appends the body. What the version cannot carry is left out. Every topic must be named as the version
    /// names topics: another name is written as an empty name or the zero id.
    pub fn write(&self, version: i16, out: &mut Vec<u8>) {
        let form = Form::of(version);
        let flexible = form.flexible;
        let mut writer = Writer::new(out);
        writer.array_length(flexible, Some(self.topics.len()));
        for (topic, partitions) in &self.topics {
            match (form.has_topic_ids(), topic) {
                (true, TopicName::Id(id)) => writer.raw(id),
                (true, TopicName::Name(_)) => writer.raw(&[0; 16]),
                (false, TopicName::Name(name)) => writer.string(flexible, name),
                (false, TopicName::Id(_)) => writer.string(flexible, ""),
            }
            writer.array_length(flexible, Some(partitions.len()));
            for partition in partitions {
                form.write_partition(partition, &mut writer);
            }
            writer.no_tagged_fields(flexible);
        }
        writer.i32(self.throttle_time_ms);
        if form.has_leaders() && !self.node_endpoints.is_empty() {
            writer.unsigned_varint(1);
            writer.tagged_field(NODE_ENDPOINTS, |writer| self.write_node_endpoints(writer));
        } else {
            writer.no_tagged_fields(flexible);
        }
    }

    fn write_node_endpoints(&self, writer: &mut Writer<'_>) {
        writer.array_length(true, Some(self.node_endpoints.len()));
        for node in &self.node_endpoints {
            writer.i32(node.node_id);
            writer.string(true, &node.host);
            writer.i32(node.port);
            writer.nullable_string(true, node.rack.as_deref());
            writer.no_tagged_fields(true);
        }
    }
}

/// What a version's bytes look like.
#[derive(Clone, Copy, Debug)]
struct Form {
    version: i16,
    flexible: bool,
}

impl Form {
    fn of(version: i16) -> Self {
        Self {
            version,
            flexible: version >= 9,
        }
    }

    fn has_log_start_offset(self) -> bool {
        self.version >= 5
    }

    fn has_record_errors(self) -> bool {
        self.version >= 8
    }

    fn has_leaders(self) -> bool {
        self.version >= 10
    }

    fn has_topic_ids(self) -> bool {
        self.version >= 13
    }

    /// The least that an element takes: what its count is held against.
    fn topic_size_min(self) -> usize {
        match (self.flexible, self.has_topic_ids()) {
            (_, true) => 18,
            (true, false) => 3,
            (false, false) => 6,
        }
    }

    fn partition_size_min(self) -> usize {
        // index, error code, base offset, append time; log start offset; record errors and message, tagged fields.
        let errors = match (self.has_record_errors(), self.flexible) {
            (_, true) => 3,
            (true, false) => 6,
            (false, false) => 0,
        };
        22 + if self.has_log_start_offset() { 8 } else { 0 } + errors
    }

    fn read_partition(self, reader: &mut Reader<'_>) -> Result<PartitionResponse, WireError> {
        let mut response = PartitionResponse {
            partition: reader.i32()?,
            error_code: ErrorCode(reader.i16()?),
            base_offset: reader.i64()?,
            log_append_time_ms: reader.i64()?,
            log_start_offset: if self.has_log_start_offset() {
                reader.i64()?
            } else {
                -1
            },
            record_errors: Vec::new(),
            error_message: None,
            current_leader: None,
        };
        if self.has_record_errors() {
            // Index, and a message's length (with tagged fields when flexible): six bytes in either form.
            let count = reader.array_length_not_null(self.flexible, 6, "record_errors")?;
            response.record_errors.reserve(count.min(RESERVE_MAX));
            for _ in 0..count {
                let batch_index = reader.i32()?;
                let message = reader.nullable_string(self.flexible)?.map(str::to_owned);
                if self.flexible {
                    reader.skip_tagged_fields()?;
                }
                response.record_errors.push(RecordError { batch_index, message });
            }
            response.error_message = reader.nullable_string(self.flexible)?.map(str::to_owned);
        }
        if self.flexible {
            reader.tagged_fields(|tag, bytes| {
                if tag == CURRENT_LEADER && self.has_leaders() {
                    let mut reader = Reader::new(bytes);
                    response.current_leader = Some((reader.i32()?, reader.i32()?));
                    reader.skip_tagged_fields()?;
                    reader.finish()?;
                }
                Ok(())
            })?;
        }
        Ok(response)
    }

    fn write_partition(self, response: &PartitionResponse, writer: &mut Writer<'_>) {
        writer.i32(response.partition);
        writer.i16(response.error_code.0);
        writer.i64(response.base_offset);
        writer.i64(response.log_append_time_ms);
        if self.has_log_start_offset() {
            writer.i64(response.log_start_offset);
        }
        if self.has_record_errors() {
            writer.array_length(self.flexible, Some(response.record_errors.len()));
            for error in &response.record_errors {
                writer.i32(error.batch_index);
                writer.nullable_string(self.flexible, error.message.as_deref());
                writer.no_tagged_fields(self.flexible);
            }
            writer.nullable_string(self.flexible, response.error_message.as_deref());
        }
        match response.current_leader {
            Some((leader_id, leader_epoch)) if self.has_leaders() => {
                writer.unsigned_varint(1);
                writer.tagged_field(CURRENT_LEADER, |writer| {
                    writer.i32(leader_id);
                    writer.i32(leader_epoch);
                    writer.no_tagged_fields(true);
                });
            }
            _ => writer.no_tagged_fields(self.flexible),
        }
    }
}

fn read_node_endpoints(bytes: &[u8]) -> Result<Vec<NodeEndpoint>, WireError> {
    let mut reader = Reader::new(bytes);
    let count = reader.array_length_not_null(true, 11, "node_endpoints")?;
    let mut nodes = Vec::with_capacity(count.min(RESERVE_MAX));
    for _ in 0..count {
        nodes.push(NodeEndpoint {
            node_id: reader.i32()?,
            host: reader.string(true)?.to_owned(),
            port: reader.i32()?,
            rack: reader.nullable_string(true)?.map(str::to_owned),
        });
        reader.skip_tagged_fields()?;
    }
    reader.finish()?;
    Ok(nodes)
}

#[cfg(test)]
mod tests;
