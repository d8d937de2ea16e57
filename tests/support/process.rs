//! Processes that cannot outlive the test: each runs behind a pipe that the system closes when the test ends, however
//! it ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Runs the program that the arguments after the signal name; when standard input closes it sends the signal, and
/// after half a minute KILL. The program's own exit status becomes the script's.
const LEASH: &str = r#"
signal=$1; shift
exec 3<&0
"$@" < /dev/null 3<&- &
program=$!
(
  cat > /dev/null
  kill -s "$signal" "$program" 2> /dev/null
  for _ in $(seq 300); do kill -0 "$program" 2> /dev/null || exit 0; sleep 0.1; done
  kill -s KILL "$program" 2> /dev/null
) <&3 > /dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$program"; status=$?
kill "$watcher" 2> /dev/null
exit "$status"
"#;

/// A running program, its output in a file.
pub struct Leashed {
    child: Child,
    pipe: Option<ChildStdin>,
    pub log: PathBuf,
}

impl Leashed {
    /// `signal`: what ends it, `TERM` or `KILL`.
    pub fn start(signal: &str, mut command: Vec<String>, folder: &Path, log: &Path) -> Self {
        let mut arguments = vec![
            "-c".to_owned(),
            LEASH.to_owned(),
            "leash".to_owned(),
            signal.to_owned(),
        ];
        arguments.append(&mut command);
        let output = File::create(log).unwrap();
        let mut child = Command::new("bash")
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let pipe = child.stdin.take();
        Self {
            child,
            pipe,
            log: log.to_owned(),
        }
    }

    /// Everything it has said so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends the program a signal, `HUP` for example.
    pub fn signal(&self, name: &str) {
        let leash = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{leash}/task/{leash}/children")).unwrap();
        // The first one; the second watches the pipe.
        let program = children.split_whitespace().next().expect("it runs").to_owned();
        let sent = Command::new("kill")
            .args(["-s", name, &program])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Its exit status, once it has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Signals it and waits.
    pub fn stop(&mut self) -> ExitStatus {
        self.pipe.take();
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `ready`, and panics with its output when it ends before or `limit` has passed.
    pub fn wait_until(&mut self, what: &str, limit: Duration, mut ready: impl FnMut() -> bool) {
        let deadline = Instant::now() + limit;
        while !ready() {
            if let Some(status) = self.ended() {
                panic!("{what} ended with {status}:\n{}", self.said());
            }
            assert!(
                Instant::now() < deadline,
                "{what} is not ready after {limit:?}:\n{}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// Waits until `probe` says yes, for as long as anything here may take.
pub fn eventually(what: &str, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !probe() {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a program that ran to its end has said.
#[derive(Debug)]
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output's lines, read as JSON.
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        assert!(self.status.success(), "{self:#?}");
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why} in {line}\n{self:#?}")))
            .collect()
    }
}

/// Runs a program for at most a minute and a half.
pub fn run(command: &[String]) -> Ran {
    run_for(90, command)
}

pub fn run_for(seconds: u32, command: &[String]) -> Ran {
    let output = Command::new("timeout")
        .args(["-k", "5", &seconds.to_string()])
        .args(command)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
