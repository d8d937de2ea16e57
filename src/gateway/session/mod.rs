//! One client's conversation with one broker, without I/O: bytes in, bytes out, and what to do next.
//!
//! Requests go to the broker in the order in which they came; responses leave in request order, whoever made them.
//! What the gateway does not open streams through; Produce requests and the responses that carry addresses are held
//! whole. The task around a session only moves bytes: it reads into [`Session::client_buffer`] and
//! [`Session::upstream_buffer`], calls [`Session::advance`], and writes what is sendable.

pub mod dead_letter;
mod deciding;
mod pending;
mod pipe;
mod produce;
mod requests;
mod responses;
mod sasl;
mod settle;
pub mod world;

#[cfg(test)]
mod tests;

use crate::deadletter::decisions::in_flight::InFlight;
use crate::wire::reader::WireError;
use deciding::Deciding;
use pending::Pending;
use pipe::Pipe;
use sasl::Sasl;
use settle::Settling;
use std::collections::VecDeque;
use std::sync::Arc;
use thiserror::Error;
use world::World;

/// More unanswered requests than this, and the client is not read from.
const PENDING_MAX: usize = 256;
/// More unsent bytes than this in one direction, and its source is not read from.
const BACKLOG_BYTES_MAX: usize = 256 << 10;

/// Why a session ends before its peers end it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CloseReason {
    #[error("a frame of {length} bytes is outside 8 to {max}")]
    FrameLength { length: i32, max: usize },
    #[error("these are no Kafka frames: they look like {0}")]
    NotKafka(&'static str),
    #[error("API key {api_key} version {version} is not offered to clients")]
    UnsupportedApi { api_key: i16, version: i16 },
    #[error("a malformed request: {0}")]
    Request(WireError),
    #[error("a malformed response from the broker: {0}")]
    Response(WireError),
    #[error("the broker answered correlation id {actual} where {expected:?} was expected")]
    OutOfStep { expected: Option<i32>, actual: i32 },
    #[error("SASL {0} cannot be passed through after SaslHandshake version 0")]
    SaslVersion(&'static str),
    #[error("a Produce request without an answer (acks=0) was refused")]
    RefusedWithoutAnswer,
    #[error("no request within the time limit")]
    TooSlow,
}

impl CloseReason {
    /// The `reason` label of `portcullis_connections_closed_total`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FrameLength { .. } => "frame_length",
            Self::NotKafka(_) => "not_kafka",
            Self::UnsupportedApi { .. } => "unsupported_api",
            Self::Request(_) => "malformed_request",
            Self::Response(_) => "malformed_response",
            Self::OutOfStep { .. } => "out_of_step",
            Self::SaslVersion(_) => "sasl_version",
            Self::RefusedWithoutAnswer => "refused_without_answer",
            Self::TooSlow => "too_slow",
        }
    }
}

/// Where a direction stands in its stream of frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Position {
    /// At the start of a frame.
    Boundary,
    /// This many bytes of the frame still pass through.
    Streaming(usize),
    /// The whole frame of this many bytes, length included, is waited for.
    Holding(usize),
    /// The whole frame of this many bytes is there, and waits for the log of decisions.
    Waiting(usize),
}

/// What may still come from the client, and go to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Client {
    Talking,
    /// It sends no more, and may still read.
    Ended,
    /// It reads no more either: what the broker still says is dropped.
    Gone,
}

/// How far the session's life has come.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Phase {
    Serving,
    /// No more requests are taken; those under way are answered.
    Draining,
    /// Everything sendable still goes out, then both connections close.
    Closing(CloseReason),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLimits {
    pub frame_bytes_max: usize,
}

pub struct Session {
    limits: SessionLimits,
    up: Pipe,
    down: Pipe,
    request: Position,
    response: Position,
    pending: VecDeque<Pending>,
    sasl: Sasl,
    client_id: Option<Arc<str>>,
    /// Whom the client has named in its SASL exchange, `User:alice`.
    principal: Option<Arc<str>>,
    /// Reused for frames that are written anew.
    scratch: Vec<u8>,
    client: Client,
    upstream_ended: bool,
    phase: Phase,
    waits_for_budget: bool,
    produce_requests: u64,
    /// The request behind [`Position::Waiting`].
    deciding: Option<Deciding>,
    /// The response that waits; the broker's, or one of our own.
    settling: Option<Settling>,
    in_flight: InFlight,
}

impl Session {
    #[must_use]
    pub fn new(limits: SessionLimits) -> Self {
        Self {
            limits,
            up: Pipe::default(),
            down: Pipe::default(),
            request: Position::Boundary,
            response: Position::Boundary,
            pending: VecDeque::new(),
            sasl: Sasl::None,
            client_id: None,
            principal: None,
            scratch: Vec::new(),
            client: Client::Talking,
            upstream_ended: false,
            phase: Phase::Serving,
            waits_for_budget: false,
            produce_requests: 0,
            deciding: None,
            settling: None,
            in_flight: InFlight::default(),
        }
    }

    /// Parses what has arrived as far as it goes.
    pub fn advance<W: World>(&mut self, world: &mut W) {
        while self.closing().is_none() {
            let finished = self.take_finished(world);
            let moved = self.advance_requests(world).and_then(|requests| {
                let responses = self.advance_responses(world)?;
                Ok(finished || requests || responses)
            });
            match moved {
                Ok(true) => {}
                Ok(false) => break,
                Err(reason) => self.close(reason),
            }
        }
        if self.client == Client::Gone {
            self.down.drop_sendable();
        }
    }

    /// The buffer for the next read from the client; `None` while nothing should be read.
    pub fn client_buffer<W: World>(&mut self, world: &mut W) -> Option<&mut Vec<u8>> {
        if self.client != Client::Talking
            || self.closing().is_some()
            || self.up.sendable().len() >= BACKLOG_BYTES_MAX
        {
            return None;
        }
        let frame_left = match self.request {
            Position::Holding(total) => total.saturating_sub(self.up.unparsed().len()),
            // What is there cannot be taken yet: do not pile up more of it.
            Position::Waiting(_) => return None,
            Position::Boundary if self.up.unparsed().len() >= FRAME_HEAD_BYTES => return None,
            _ => 0,
        };
        let buffer = self.up.read_buffer(frame_left, &mut |bytes| world.reserve(bytes));
        self.waits_for_budget |= buffer.is_none();
        buffer
    }

    /// The buffer for the next read from the broker; `None` while nothing should be read.
    pub fn upstream_buffer<W: World>(&mut self, world: &mut W) -> Option<&mut Vec<u8>> {
        if self.upstream_ended || self.closing().is_some() || self.down.sendable().len() >= BACKLOG_BYTES_MAX
        {
            return None;
        }
        let frame_left = match self.response {
            Position::Holding(total) => total.saturating_sub(self.down.unparsed().len()),
            _ if self.settling.is_some() && self.down.unparsed().len() >= BACKLOG_BYTES_MAX => return None,
            _ => 0,
        };
        let buffer = self
            .down
            .read_buffer(frame_left, &mut |bytes| world.reserve(bytes));
        self.waits_for_budget |= buffer.is_none();
        buffer
    }

    pub fn client_read(&mut self, count: usize) {
        self.up.appended(count);
    }

    pub fn upstream_read(&mut self, count: usize) {
        self.down.appended(count);
    }

    pub fn client_ended(&mut self) {
        if self.client == Client::Talking {
            self.client = Client::Ended;
        }
    }

    pub fn upstream_ended(&mut self) {
        self.upstream_ended = true;
    }

    /// The client takes nothing any more; what the broker still says is read and dropped, so that what was sent to
    /// it is not lost to a reset.
    pub fn client_is_gone(&mut self) {
        self.client = Client::Gone;
        self.down.drop_sendable();
    }

    #[must_use]
    pub fn to_upstream(&self) -> &[u8] {
        self.up.sendable()
    }

    #[must_use]
    pub fn to_client(&self) -> &[u8] {
        self.down.sendable()
    }

    pub fn sent_upstream(&mut self, count: usize) {
        self.up.consume_sent(count);
    }

    pub fn sent_to_client(&mut self, count: usize) {
        self.down.consume_sent(count);
    }

    /// No more requests are taken; the session is over when those under way are answered.
    pub fn drain(&mut self) {
        if self.phase == Phase::Serving {
            self.phase = Phase::Draining;
        }
    }

    pub fn close(&mut self, reason: CloseReason) {
        if self.closing().is_none() {
            self.phase = Phase::Closing(reason);
        }
    }

    #[must_use]
    pub fn closing(&self) -> Option<&CloseReason> {
        match &self.phase {
            Phase::Closing(reason) => Some(reason),
            Phase::Serving | Phase::Draining => None,
        }
    }

    /// Whether the broker may be told that no more comes: the client is done and all of it has been sent.
    #[must_use]
    pub fn upstream_is_complete(&self) -> bool {
        self.client != Client::Talking && self.up.sendable().is_empty() && self.deciding.is_none()
    }

    /// Whether there is nothing left to do for either side.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let flushed = self.up.sendable().is_empty() && self.down.sendable().is_empty();
        if self.closing().is_some() {
            return flushed || self.upstream_ended;
        }
        if self.upstream_ended {
            return self.down.sendable().is_empty() && self.settling.is_none();
        }
        self.phase == Phase::Draining
            && flushed
            && self.pending.is_empty()
            && self.request == Position::Boundary
            && self.response == Position::Boundary
            && self.settling.is_none()
    }

    /// Whether a frame from the client has begun and is not complete: the time limit runs.
    #[must_use]
    pub fn awaits_client(&self) -> bool {
        match self.request {
            Position::Boundary => !self.up.unparsed().is_empty(),
            Position::Streaming(_) | Position::Holding(_) => true,
            Position::Waiting(_) => false,
        }
    }

    /// Whether reading has stopped because the process-wide budget is used up; asking clears it.
    pub fn take_waits_for_budget(&mut self) -> bool {
        std::mem::take(&mut self.waits_for_budget)
    }

    /// Produce requests and responses handled since this was last asked.
    pub fn take_produce_count(&mut self) -> u64 {
        std::mem::take(&mut self.produce_requests)
    }

    /// Frees what an idle connection does not need.
    pub fn relax<W: World>(&mut self, world: &mut W) {
        let freed = self.up.relax() + self.down.relax();
        if freed > 0 {
            world.release(freed);
        }
        if self.scratch.capacity() > 0 {
            self.scratch = Vec::new();
        }
        if self.pending.is_empty() {
            self.pending.shrink_to_fit();
        }
    }

    /// What the budget must get back when the session is dropped.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        self.up.reserved() + self.down.reserved()
    }
}

/// Length, API key, version and correlation id.
const FRAME_HEAD_BYTES: usize = 12;
