//! The Produce response, versions 3 to 13, owned: it is small, and opened only when it must be changed.

use super::error_code::ErrorCode;
use super::reader::WireError;

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
    pub fn read(_body: &[u8], _version: i16) -> Result<Self, WireError> {
        todo!()
    }

    /// Appends the body.
    pub fn write(&self, _version: i16, _out: &mut Vec<u8>) {
        todo!()
    }
}
