//! Google's own Protobuf in a process of its own: `peer.py`, started once, killed when it is dropped.

use super::places;
use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// For one answer: some hundred payloads, or one schema.
const PATIENCE: Duration = Duration::from_mins(2);

pub struct Google {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Vec<u8>>,
}

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
        let python = places::real().join("venv/bin/python");
        assert!(
            python.exists(),
            "no Python with Google's Protobuf: run `bash tests/run --fetch` once"
        );
        let mut child = Command::new(python)
            .arg(places::project("tests/protobuf_agreement/peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        thread::spawn(move || {
            let mut length = [0; 4];
            while output.read_exact(&mut length).is_ok() {
                let mut answer = vec![0; u32::from_be_bytes(length) as usize];
                if output.read_exact(&mut answer).is_err() || sender.send(answer).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            requests,
            answers,
        }
    }

    /// What follows is judged as this message of these files; why not, when upb does not take them.
    pub fn schema(&mut self, message: &str, files: &[u8]) -> Result<(), String> {
        self.ask(&[b"S".as_slice(), &piece(message.as_bytes()), files].concat());
        match self.answer() {
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
        self.ask(&request);
    }

    pub fn verdicts(&mut self) -> Vec<Verdict> {
        let of_bits = |bits: u8| Verdict {
            parsed: bits & 1 != 0,
            initialized: bits & 2 != 0,
            unknown: bits & 4 != 0,
        };
        self.answer().into_iter().map(of_bits).collect()
    }

    pub fn explain(&mut self, payload: &[u8]) -> String {
        self.ask(&[b"E".as_slice(), payload].concat());
        String::from_utf8_lossy(&self.answer()).into_owned()
    }

    /// Whether protoc compiles the first of these files (name and text), and what it prints.
    pub fn compile(&mut self, files: &[(&str, &str)]) -> (bool, String) {
        let mut request = b"T".to_vec();
        for (name, text) in files {
            request.extend(piece(name.as_bytes()));
            request.extend(piece(text.as_bytes()));
        }
        self.ask(&request);
        let answer = self.answer();
        (answer[0] == 1, String::from_utf8_lossy(&answer[1..]).into_owned())
    }

    fn ask(&mut self, request: &[u8]) {
        self.requests.write_all(&piece(request)).unwrap();
        self.requests.flush().unwrap();
    }

    fn answer(&mut self) -> Vec<u8> {
        self.answers
            .recv_timeout(PATIENCE)
            .expect("Google's Protobuf has died, or is stuck")
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn piece(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}
