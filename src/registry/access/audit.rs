//! The audit: one line of JSON for every write and every refusal, in a file or in the log. Never a schema, a password or
//! a token. A request never waits for it: what the queue does not hold is counted as lost.

use super::options::AuditOptions;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const QUEUE_LINES: usize = 4_096;
/// How soon a file is opened again after it was asked for, or after an error.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// What a client says of itself is cut off behind this many characters.
const TEXT_CHARS_MAX: usize = 512;

/// One line.
#[derive(Serialize)]
pub struct Line {
    /// RFC 3339, when the request came.
    pub time: String,
    pub request_id: String,
    pub principal: Option<Arc<str>>,
    /// How the principal has said who it is.
    pub method: &'static str,
    pub client: Option<IpAddr>,
    pub http_method: String,
    pub subject: Option<String>,
    pub action: &'static str,
    pub role: &'static str,
    /// None when the client went away before its answer.
    pub status: Option<u16>,
    pub error_code: Option<u32>,
    pub id: Option<u32>,
    pub version: Option<u32>,
}

/// What a write has made, for its line: among the extensions of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Written {
    pub id: Option<u32>,
    pub version: Option<u32>,
}

/// The `error_code` of a refusal, for its line: among the extensions of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode(pub u32);

pub enum Audit {
    Log,
    File(Queue),
}

pub struct Queue {
    sender: Mutex<Option<SyncSender<String>>>,
    reopen: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

fn lost() -> metrics::Counter {
    metrics::counter!("schema_registry_audit_lines_lost_total")
}

impl Audit {
    /// # Errors
    /// When the file cannot be opened to append to it.
    pub fn start(options: &AuditOptions) -> io::Result<Self> {
        lost().increment(0);
        let AuditOptions::File(path) = options else {
            return Ok(Self::Log);
        };
        let file = open(path)?;
        let (sender, lines) = sync_channel(QUEUE_LINES);
        let reopen = Arc::new(AtomicBool::new(false));
        let mut writer = Writer {
            path: path.clone(),
            file: Some(file),
            reopen: reopen.clone(),
        };
        let writer = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&lines))?;
        Ok(Self::File(Queue {
            sender: Mutex::new(Some(sender)),
            reopen,
            writer: Mutex::new(Some(writer)),
        }))
    }

    pub fn write(&self, line: &Line) {
        let Ok(text) = serde_json::to_string(line) else {
            return lost().increment(1);
        };
        match self {
            Self::Log => tracing::info!(target: "portcullis::audit", "{text}"),
            Self::File(queue) => {
                let sender = queue.sender.lock().unwrap_or_else(PoisonError::into_inner);
                if sender
                    .as_ref()
                    .is_none_or(|sender| sender.try_send(text).is_err())
                {
                    lost().increment(1);
                }
            }
        }
    }

    /// The file is opened anew by its name: somebody may have moved it away.
    pub fn reopen(&self) {
        if let Self::File(queue) = self {
            queue.reopen.store(true, Ordering::Release);
        }
    }

    /// Writes what is queued, and ends.
    pub fn close(&self) {
        let Self::File(queue) = self else { return };
        drop(queue.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = queue.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

/// Readable by its owner alone: it tells who does what.
fn open(path: &Path) -> io::Result<File> {
    File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the audit file {} cannot be written: {error}", path.display()),
            )
        })
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    reopen: Arc<AtomicBool>,
}

impl Writer {
    fn run(&mut self, lines: &Receiver<String>) {
        loop {
            match lines.recv_timeout(LOOK_AGAIN) {
                Ok(line) => self.write(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.reopen.swap(false, Ordering::AcqRel) {
                self.file = None;
            }
        }
    }

    fn write(&mut self, mut line: String) {
        line.push('\n');
        if self.file.is_none() {
            match open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) => return self.failed(&error),
            }
        }
        // In one piece, so that a line is there whole or not at all as far as the system allows it.
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.write_all(line.as_bytes())) {
            self.failed(&error);
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if self.file.take().is_some() {
            tracing::error!(%error, file = %self.path.display(), "a line of the audit is lost");
        }
        lost().increment(1);
    }
}

/// At most so much of a text.
#[must_use]
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// `2026-11-28T19:42:14.123Z`
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// The Gregorian date of a day since 1970. Years are taken to begin in March, so that a leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    // From 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let (month, next_year) = if march_month < 10 {
        (march_month + 3, 0)
    } else {
        (march_month - 9, 1)
    };
    (400 * era + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn line(subject: &str) -> Line {
        Line {
            time: rfc3339(UNIX_EPOCH),
            request_id: "r".to_owned(),
            principal: Some("alice".into()),
            method: "basic",
            client: Some("127.0.0.1".parse().unwrap()),
            http_method: "POST".to_owned(),
            subject: Some(subject.to_owned()),
            action: "register",
            role: "WRITE",
            status: Some(200),
            error_code: None,
            id: Some(1),
            version: None,
        }
    }

    #[test]
    fn a_time_is_written_as_rfc_3339_has_it() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew_when_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("audit"), folder.path().join("audit.1"));
        let audit = Audit::start(&AuditOptions::File(path.clone())).unwrap();
        audit.write(&line("first"));
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while std::fs::read_to_string(&path).unwrap().is_empty() {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        std::fs::rename(&path, &moved).unwrap();
        audit.reopen();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !path.exists() {
            assert!(std::time::Instant::now() < deadline);
            audit.write(&line("second"));
            std::thread::yield_now();
        }
        audit.write(&line("line\nbreak"));
        audit.close();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.ends_with('\n') && text.contains(r#""subject":"line\nbreak""#),
            "{text}"
        );
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        assert!(std::fs::read_to_string(&moved).unwrap().contains("first"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Nothing is written any more, and nobody waits.
        audit.write(&line("late"));
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"ü".repeat(600)).chars().count(), TEXT_CHARS_MAX + 1);
    }
}
