//! What the tests share that ask other implementations: how many cases from which seed, and a process that judges.

use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, UNIX_EPOCH};

/// For one answer: some hundred payloads, or one schema.
const PATIENCE: Duration = Duration::from_mins(2);
/// Answers that wait to be taken.
const ANSWERS_MAX: usize = 4;

/// How many cases (`PORTCULLIS_CASES`), and from which seed (`PORTCULLIS_SEED`); printed, so that they can be repeated.
pub fn cases_and_seed() -> (u64, u64) {
    let number = |variable: &str| {
        let text = std::env::var(variable).ok()?;
        let number = text.parse::<u64>();
        Some(number.unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
    };
    let cases = number("PORTCULLIS_CASES").unwrap_or(20_000);
    let seed = number("PORTCULLIS_SEED").unwrap_or_else(|| UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
    println!("PORTCULLIS_SEED={seed} PORTCULLIS_CASES={cases}");
    (cases, seed)
}

/// Runs a test with a stack for what nests deep: other libraries recurse as payloads and schemas do.
pub fn with_stack(bytes: usize, test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(bytes).spawn(test);
    if let Err(panic) = thread.unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Another implementation, in a process of its own. Questions and answers are bytes behind their length (u32, big-endian),
/// on its standard input and output. Killed when it is dropped.
pub struct Judge {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<Vec<u8>>,
}

impl Judge {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; run `bash tests/run --fetch` once"));
        let questions = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = sync_channel(ANSWERS_MAX);
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

    pub fn send(&mut self, question: &[u8]) {
        self.questions.write_all(&piece(question)).unwrap();
        self.questions.flush().unwrap();
    }

    pub fn receive(&mut self) -> Vec<u8> {
        self.answers
            .recv_timeout(PATIENCE)
            .expect("the other implementation answers in two minutes; what it said is above")
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes behind their length.
pub fn piece(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}
