//! Java Avro in a process of its own (`tests/real/java/AvroVerdicts.java` says how it is asked).

use crate::judge::{Judge, piece};
use crate::known::Verdict;
use crate::places;
use std::process::{Command, Stdio};

pub struct Judged {
    /// A schema as a registry holds it.
    pub held: bool,
    /// A schema that may be registered now.
    pub new: bool,
    pub why_not_new: String,
    /// The schema's own text, or why it is none.
    pub says: String,
}

pub struct Java(Judge);

impl Java {
    pub fn start() -> Self {
        Self(Judge::start(
            Command::new("java")
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
                .stderr(Stdio::null()),
        ))
    }

    fn ask(&mut self, question: &[u8]) -> Vec<u8> {
        self.0.send(question);
        self.0.receive()
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
            question.extend(piece(payload));
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

    /// Kind, location and message of each reason why a reader cannot read what a writer wrote; or what Java throws.
    /// `None`: one of them is no schema to Java.
    pub fn incompatibilities(
        &mut self,
        reader: &str,
        writer: &str,
    ) -> Option<Result<Vec<[String; 3]>, String>> {
        let answer = self.ask(&[&b"C"[..], &piece(reader.as_bytes()), &piece(writer.as_bytes())].concat());
        let text = String::from_utf8(answer[1..].to_vec()).unwrap();
        match answer[0] {
            0 => return Some(Err(text)),
            1 => {}
            _ => return None,
        }
        let mut words: Vec<String> = text.split('\0').map(str::to_owned).collect();
        words.pop();
        let reasons = words.chunks(3);
        Some(Ok(reasons
            .map(|reason| reason.to_vec().try_into().unwrap())
            .collect()))
    }
}
