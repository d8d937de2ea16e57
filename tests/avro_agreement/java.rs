//! Java Avro in a process of its own (`tests/real/java/AvroVerdicts.java` says how it is asked).

#[path = "../support/places.rs"]
#[allow(dead_code, reason = "only the fetched things' places are needed")]
mod places;

use crate::known::Verdict;
use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// For one question; the slowest are a few tens of milliseconds.
const ANSWER_TIME: Duration = Duration::from_mins(1);

pub struct Judged {
    /// A schema as a registry holds it.
    pub held: bool,
    /// A schema that may be registered now.
    pub new: bool,
    pub why_not_new: String,
    /// The schema's own text, or why it is none.
    pub says: String,
}

pub struct Java {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<Vec<u8>>,
}

impl Java {
    pub fn start() -> Self {
        let mut child = Command::new("java")
            .args(["-Xmx768m", "-Xshare:auto", "-XX:+UseSerialGC"])
            // Items without bytes are built all the same: a small payload must not cost seconds.
            .arg("-Dorg.apache.avro.limits.collectionItems.maxAllocation=20000")
            .arg("-cp")
            .arg(format!(
                "{}:{}/*",
                places::built().join("classes").display(),
                places::fetched("avro").display()
            ))
            .arg("AvroVerdicts")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java on the PATH");
        let questions = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = sync_channel(4);
        std::thread::spawn(move || {
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
            questions,
            answers,
        }
    }

    fn ask(&mut self, question: &[u8]) -> Vec<u8> {
        let frame = [&(question.len() as u32).to_be_bytes(), question].concat();
        self.questions.write_all(&frame).expect("Java Avro listens");
        self.questions.flush().unwrap();
        self.answers
            .recv_timeout(ANSWER_TIME)
            .expect("Java Avro answers within its time")
    }

    pub fn schema(&mut self, text: &str) -> Judged {
        let answer = self.ask(&[b"S", text.as_bytes()].concat());
        let end = answer.iter().skip(2).position(|byte| *byte == 0).unwrap() + 2;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Judged {
            held: answer[0] == 1,
            new: answer[1] == 1,
            why_not_new: text(&answer[2..end]),
            says: text(&answer[end + 1..]),
        }
    }

    /// Of payloads of the last schema.
    pub fn payloads(&mut self, payloads: &[Vec<u8>]) -> Vec<Verdict> {
        let mut question = vec![b'P'];
        for payload in payloads {
            question.extend((payload.len() as u32).to_be_bytes());
            question.extend(payload);
        }
        let answer = self.ask(&question);
        assert_eq!(answer.len(), payloads.len());
        answer
            .iter()
            .map(|verdict| match verdict {
                0 => Verdict::Valid,
                1 => Verdict::Invalid,
                2 => Verdict::OverLimit,
                _ => Verdict::StackOverflow,
            })
            .collect()
    }

    /// Why a payload of the last schema is not valid.
    pub fn why(&mut self, payload: &[u8]) -> String {
        String::from_utf8_lossy(&self.ask(&[b"E", payload].concat())).into_owned()
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
