//! Python's jsonschema in a child process; see `peer.py` for the frames.

use crate::json::Draft;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// One batch takes a second or two.
const PATIENCE: Duration = Duration::from_mins(2);

pub struct Python {
    child: Child,
    input: ChildStdin,
    replies: Receiver<Vec<u8>>,
}

/// Schemas and their payloads on the way to the child.
pub struct Frame(Vec<u8>);

impl Frame {
    pub fn to_judge() -> Self {
        Self(vec![0])
    }

    pub fn push(&mut self, draft: Draft, schema: &str, payloads: &[Vec<u8>]) {
        self.0.push(draft.number());
        self.text(schema.as_bytes());
        self.0.extend((payloads.len() as u32).to_le_bytes());
        for payload in payloads {
            self.text(payload);
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text);
    }
}

impl Python {
    pub fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let real = std::env::var_os("PORTCULLIS_REAL").map_or_else(|| root.join("target/real"), Into::into);
        let python = real.join("venv/bin/python");
        assert!(
            python.exists(),
            "no Python with jsonschema in {}: run `bash tests/run --fetch` once",
            real.display()
        );
        let mut child = Command::new(python)
            .arg(root.join("tests/json_agreement/peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let (sender, replies) = channel();
        std::thread::spawn(move || {
            let mut length = [0; 4];
            while output.read_exact(&mut length).is_ok() {
                let mut reply = vec![0; u32::from_le_bytes(length) as usize];
                if output.read_exact(&mut reply).is_err() || sender.send(reply).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            input,
            replies,
        }
    }

    pub fn send(&mut self, frame: &Frame) {
        self.input
            .write_all(&(frame.0.len() as u32).to_le_bytes())
            .unwrap();
        self.input.write_all(&frame.0).unwrap();
        self.input.flush().unwrap();
    }

    pub fn receive(&mut self) -> Vec<u8> {
        self.replies
            .recv_timeout(PATIENCE)
            .expect("Python answers a batch in two minutes; what it said is above")
    }

    /// Its own words on one payload.
    pub fn explain(&mut self, draft: Draft, schema: &str, payload: &[u8]) -> String {
        let mut frame = Frame(vec![1]);
        frame.push(draft, schema, &[payload.to_vec()]);
        self.send(&frame);
        String::from_utf8_lossy(&self.receive()).into_owned()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
