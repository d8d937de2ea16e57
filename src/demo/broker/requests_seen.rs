//! The last requests that reached the broker, for tests that compare bytes.

use crate::wire::api::ApiKey;
use bytes::Bytes;
use std::collections::VecDeque;

const REQUESTS_MAX: usize = 4_096;
const BYTES_MAX: usize = 32 << 20;

/// One request as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestSeen {
    /// Connections are numbered in the order in which they came.
    pub connection: u64,
    pub api_key: ApiKey,
    pub api_version: i16,
    pub correlation_id: i32,
    /// Header and body, without the frame's length.
    pub frame: Bytes,
}

/// Bounded by number and by bytes; the oldest go first.
#[derive(Default)]
pub struct RequestsSeen {
    requests: VecDeque<RequestSeen>,
    bytes: usize,
}

impl RequestsSeen {
    pub fn push(&mut self, request: RequestSeen) {
        self.bytes += request.frame.len();
        self.requests.push_back(request);
        while self.requests.len() > REQUESTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.requests.pop_front() else {
                break;
            };
            self.bytes -= oldest.frame.len();
        }
    }

    pub fn list(&self) -> Vec<RequestSeen> {
        self.requests.iter().cloned().collect()
    }
}
