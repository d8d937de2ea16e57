//! A conversation in single frames, for what no client library would ever say.

use portcullis::wire::produce_response::{PartitionResponse, ProduceResponse, TopicName};
use portcullis::wire::writer::Writer;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The Produce version that these frames are in: the last but one without compact types.
const PRODUCE_VERSION: i16 = 7;
/// The same with record errors.
const PRODUCE_VERSION_WITH_RECORD_ERRORS: i16 = 8;

pub struct Conversation {
    socket: TcpStream,
}

impl Conversation {
    pub fn with(address: &str) -> Self {
        let address = address.split(',').next().unwrap();
        let socket = TcpStream::connect(address).unwrap_or_else(|why| panic!("{address}: {why}"));
        socket.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(15))).unwrap();
        Self { socket }
    }

    /// Sends bytes as they are. The other side may have closed by then.
    pub fn say(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// The next frame without its length; `None` when the connection is closed instead.
    pub fn hear(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        if !self.fill(&mut length) {
            return None;
        }
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.fill(&mut frame).then_some(frame)
    }

    /// Asserts that the other side says nothing more and closes.
    pub fn is_closed(&mut self, why: &str) {
        let mut rest = [0; 64];
        match self.socket.read(&mut rest) {
            Ok(0) => {}
            Ok(length) => panic!("{why}: answered with {:?}", &rest[..length]),
            Err(error) => {
                assert_ne!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock,
                    "{why}: still open after 15 seconds"
                );
            }
        }
    }

    /// Sends one Produce request and returns its answer's partitions in the request's order (the answer's is free),
    /// or `None` when the connection was closed. A topic comes once only.
    pub fn produce(&mut self, partitions: &[(&str, i32, &[u8])]) -> Option<Vec<PartitionResponse>> {
        self.say(&produce_frame(
            PRODUCE_VERSION_WITH_RECORD_ERRORS,
            11,
            -1,
            partitions,
        ));
        let answer = self.hear()?;
        assert_eq!(answer[..4], [0, 0, 0, 11], "the correlation id");
        let response = ProduceResponse::read(&answer[4..], PRODUCE_VERSION_WITH_RECORD_ERRORS).unwrap();
        let of = |topic: &str| {
            let name = TopicName::Name(topic.to_owned());
            let found = response.topics.iter().find(|(found, _)| *found == name);
            let (_, answers) = found.expect("every topic is answered");
            assert_eq!(answers.len(), 1);
            answers[0].clone()
        };
        Some(partitions.iter().map(|(topic, ..)| of(topic)).collect())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> bool {
        match self.socket.read_exact(buffer) {
            Ok(()) => true,
            Err(error) => {
                assert_ne!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock,
                    "no answer in 15 seconds"
                );
                false
            }
        }
    }
}

/// A request frame with header v1.
pub fn frame(api_key: i16, version: i16, correlation_id: i32, body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::frame(&mut out, |writer| {
        writer.i16(api_key);
        writer.i16(version);
        writer.i32(correlation_id);
        writer.string(false, "hostile");
        body(writer);
    });
    out
}

/// A Produce request of version 7; acks 0, 1 or -1.
pub fn produce_request(acks: i16, partitions: &[(&str, i32, &[u8])]) -> Vec<u8> {
    produce_frame(PRODUCE_VERSION, 11, acks, partitions)
}

fn produce_frame(version: i16, correlation_id: i32, acks: i16, partitions: &[(&str, i32, &[u8])]) -> Vec<u8> {
    frame(0, version, correlation_id, |writer| {
        writer.nullable_string(false, None);
        writer.i16(acks);
        writer.i32(10_000);
        writer.array_length(false, Some(partitions.len()));
        for (topic, partition, records) in partitions {
            writer.string(false, topic);
            writer.array_length(false, Some(1));
            writer.i32(*partition);
            writer.nullable_bytes(false, Some(records));
        }
    })
}

/// An ApiVersions request of version 0.
pub fn api_versions(correlation_id: i32) -> Vec<u8> {
    frame(18, 0, correlation_id, |_| {})
}
