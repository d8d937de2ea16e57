//! Python's jsonschema in a child process; see `peer.py` for the frames.

use crate::Verdict;
use crate::json::{Draft, Json};
use crate::judge::{Judge, piece};
use crate::places;
use std::process::Command;

pub struct Python(Judge);

/// Schemas and their payloads on the way to the child.
pub struct Frame(Vec<u8>);

impl Frame {
    pub fn to_judge() -> Self {
        Self(vec![0])
    }

    pub fn push(&mut self, draft: Draft, schema: &str, payloads: &[Vec<u8>]) {
        self.0.push(draft.number());
        self.0.extend(piece(schema.as_bytes()));
        self.0.extend((payloads.len() as u32).to_be_bytes());
        for payload in payloads {
            self.0.extend(piece(payload));
        }
    }
}

impl Python {
    pub fn start() -> Self {
        let python = places::fetched("venv").join("bin/python");
        Self(Judge::start(
            Command::new(python).arg(places::project("tests/json_agreement/peer.py")),
        ))
    }

    pub fn send(&mut self, frame: &Frame) {
        self.0.send(&frame.0);
    }

    pub fn receive(&mut self) -> Vec<u8> {
        self.0.receive()
    }

    /// Of one payload.
    pub fn verdict(&mut self, draft: Draft, schema: &Json, payload: &[u8]) -> Verdict {
        let mut frame = Frame::to_judge();
        frame.push(draft, &schema.to_string(), &[payload.to_vec()]);
        self.send(&frame);
        match *self.receive() {
            [reply] => Verdict::of_reply(reply),
            ref replies => panic!("Python's answer has {} bytes for one payload", replies.len()),
        }
    }

    /// Its own words on one payload.
    pub fn explain(&mut self, draft: Draft, schema: &str, payload: &[u8]) -> String {
        let mut frame = Frame(vec![1]);
        frame.push(draft, schema, &[payload.to_vec()]);
        self.send(&frame);
        String::from_utf8_lossy(&self.receive()).into_owned()
    }
}
