//! Google's own Protobuf in a process of its own: `peer.py` says how it is asked.

use super::judge::{Judge, piece};
use super::places;
use std::process::Command;

pub struct Google(Judge);

/// What upb says of a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub parsed: bool,
    /// Every required field is there.
    pub initialized: bool,
    /// There are unknown fields somewhere.
    pub unknown: bool,
}

impl Google {
    pub fn start() -> Self {
        let python = places::fetched("venv").join("bin/python");
        Self(Judge::start(
            Command::new(python).arg(places::project("tests/protobuf_agreement/peer.py")),
        ))
    }

    /// What follows is judged as this message of these files; why not, when upb does not take them.
    pub fn schema(&mut self, message: &str, files: &[u8]) -> Result<(), String> {
        self.0
            .send(&[b"S".as_slice(), &piece(message.as_bytes()), files].concat());
        match self.0.receive() {
            nothing if nothing.is_empty() => Ok(()),
            why => Err(String::from_utf8_lossy(&why).into_owned()),
        }
    }

    /// Sends payloads; `verdicts` takes the answer.
    pub fn send_payloads(&mut self, payloads: &[Vec<u8>]) {
        let mut request = b"P".to_vec();
        for payload in payloads {
            request.extend(piece(payload));
        }
        self.0.send(&request);
    }

    pub fn verdicts(&mut self) -> Vec<Verdict> {
        let of_bits = |bits: u8| Verdict {
            parsed: bits & 1 != 0,
            initialized: bits & 2 != 0,
            unknown: bits & 4 != 0,
        };
        self.0.receive().into_iter().map(of_bits).collect()
    }

    pub fn explain(&mut self, payload: &[u8]) -> String {
        self.0.send(&[b"E".as_slice(), payload].concat());
        String::from_utf8_lossy(&self.0.receive()).into_owned()
    }

    /// Whether protoc compiles the first of these files (name and text), and what it prints.
    pub fn compile(&mut self, files: &[(&str, &str)]) -> (bool, String) {
        let mut request = b"T".to_vec();
        for (name, text) in files {
            request.extend(piece(name.as_bytes()));
            request.extend(piece(text.as_bytes()));
        }
        self.0.send(&request);
        let answer = self.0.receive();
        (answer[0] == 1, String::from_utf8_lossy(&answer[1..]).into_owned())
    }
}
