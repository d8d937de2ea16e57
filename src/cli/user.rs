//! `portcullis user`: the file of the registry's users.

use super::exit;
use crate::registry::access::credentials::PASSWORD_BYTES_MAX;
use crate::registry::access::users::{self, Users};
use clap::{Args, Subcommand};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write, stdin};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const EXAMPLES: &str = "\
Examples:
  portcullis user add users.txt alice --group payments --group platform
  pass show registry/alice | portcullis user add users.txt alice
  portcullis user remove users.txt alice
  portcullis user hash alice --group payments        a line for the file, on standard output

A password is asked for on a terminal without showing it, or read from standard input; never from an argument, which
others on the machine can see. A running registry reads the file again on SIGHUP.
Exit codes: 0 done, 64 command line or password, 66 no such user, 71 the system refused, 77 not permitted, 78 a line of
the file is wrong.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct UserArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Adds a user, or gives one a new password and new groups.
    #[command(after_help = "Example:\n  portcullis user add users.txt alice --group payments")]
    Add {
        /// The file of users; made when it is not there.
        file: PathBuf,
        name: String,
        /// A group that the user is in; may be given several times.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Takes a user away.
    #[command(after_help = "Example:\n  portcullis user remove users.txt alice")]
    Remove { file: PathBuf, name: String },
    /// Prints a line for the file and changes nothing.
    #[command(after_help = "Example:\n  portcullis user hash alice --group payments >> users.txt")]
    Hash {
        name: String,
        /// A group that the user is in; may be given several times.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
}

/// What went wrong, and the exit code for it.
struct Failed {
    code: u8,
    what: String,
}

impl Failed {
    fn new(code: u8, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
        }
    }

    fn on(file: &Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied => exit::NO_PERMISSION,
            _ => exit::OS_ERROR,
        };
        Self::new(code, format!("{}: {error}", file.display()))
    }
}

pub fn user(args: UserArgs) -> ExitCode {
    let done = match args.action {
        Action::Add { file, name, groups } => add(&file, &name, &groups),
        Action::Remove { file, name } => remove(&file, &name),
        Action::Hash { name, groups } => line(&name, &groups).map(|line| println!("{line}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("portcullis: {}", failed.what);
            ExitCode::from(failed.code)
        }
    }
}

fn add(file: &Path, name: &str, groups: &[String]) -> Result<(), Failed> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| Failed::on(file, &error))?,
    };
    // Before a password is asked for.
    check(file, &text)?;
    write(file, &with(&text, name, Some(&line(name, groups)?)))
}

fn remove(file: &Path, name: &str) -> Result<(), Failed> {
    let text = fs::read_to_string(file).map_err(|error| Failed::on(file, &error))?;
    check(file, &text)?;
    if !text.lines().any(|line| users::name_of(line) == Some(name)) {
        let what = format!("{}: there is no user `{name}`", file.display());
        return Err(Failed::new(exit::NO_INPUT, what));
    }
    write(file, &with(&text, name, None))
}

fn check(file: &Path, text: &str) -> Result<(), Failed> {
    Users::parse(text).map(drop).map_err(|error| {
        Failed::new(
            exit::CONFIG,
            format!("{}:{}: {}", file.display(), error.line, error.what),
        )
    })
}

/// The text with another line for a name, at the old one's place, or without one.
fn with(text: &str, name: &str, line: Option<&str>) -> String {
    let mut new = line;
    let mut lines = Vec::new();
    for old in text.lines() {
        if users::name_of(old) == Some(name) {
            lines.extend(new.take());
        } else {
            lines.push(old);
        }
    }
    lines.extend(new);
    lines.iter().map(|line| [line, "\n"].concat()).collect()
}

/// Replaces the file in one step, so that a registry that reads it meanwhile sees the old one or the new one.
fn write(file: &Path, text: &str) -> Result<(), Failed> {
    let failed = |error: io::Error| Failed::on(file, &error);
    // A link stays a link.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = target.with_file_name(name);
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            if let Ok(old) = fs::metadata(&target) {
                file.set_permissions(fs::Permissions::from_mode(old.permissions().mode()))?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, &target));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map_err(failed)
}

/// A line with a password that is asked for.
fn line(name: &str, groups: &[String]) -> Result<String, Failed> {
    users::check_name(name).map_err(|why| Failed::new(exit::USAGE, why))?;
    let password = password(name)?;
    users::line(name, &password, groups).map_err(|why| Failed::new(exit::USAGE, why))
}

fn password(name: &str) -> Result<String, Failed> {
    let password = if stdin().is_terminal() {
        let hidden = Hidden::start()?;
        let first = asked(&format!("Password for {name}: "))?;
        let second = asked("Once more: ")?;
        drop(hidden);
        if first != second {
            return Err(Failed::new(exit::USAGE, "the two passwords differ"));
        }
        first
    } else {
        piped(&mut stdin().lock())?
    };
    let wrong = if password.is_empty() {
        "the password is empty"
    } else if password.len() > PASSWORD_BYTES_MAX {
        "the password is too long"
    } else if password.contains(['\n', '\r', '\0']) {
        "the password has more than one line"
    } else {
        return Ok(password);
    };
    Err(Failed::new(exit::USAGE, wrong))
}

/// A line that is typed.
fn asked(prompt: &str) -> Result<String, Failed> {
    let failed =
        |error: io::Error| Failed::new(exit::OS_ERROR, format!("the terminal cannot be read: {error}"));
    eprint!("{prompt}");
    let mut line = String::new();
    stdin().read_line(&mut line).map_err(failed)?;
    eprintln!();
    Ok(without_line_end(&line).to_owned())
}

fn piped(input: &mut impl Read) -> Result<String, Failed> {
    let mut bytes = Vec::new();
    let limit = PASSWORD_BYTES_MAX as u64 + 3;
    input
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Failed::new(exit::OS_ERROR, format!("standard input cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failed::new(exit::USAGE, "the password is not UTF-8"))?;
    Ok(without_line_end(&text).to_owned())
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// While it lives the terminal shows nothing of what is typed. `stty` does it: what the system has for that is not safe
/// Rust.
struct Hidden;

impl Hidden {
    fn start() -> Result<Self, Failed> {
        if stty("-echo") {
            Ok(Self)
        } else {
            let what = "the terminal cannot be kept from showing the password: give it on standard input";
            Err(Failed::new(exit::OS_ERROR, what))
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(setting: &str) -> bool {
    let ran = Command::new("stty")
        .arg(setting)
        .stdin(Stdio::inherit())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ran.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_place_of_the_old_one() {
        let text = "# people\na:1\nb:2\n";
        assert_eq!(with(text, "a", Some("a:3")), "# people\na:3\nb:2\n");
        assert_eq!(with(text, "c", Some("c:3")), "# people\na:1\nb:2\nc:3\n");
        assert_eq!(with(text, "b", None), "# people\na:1\n");
        assert_eq!(with("", "a", Some("a:1")), "a:1\n");
    }

    #[test]
    fn a_password_ends_with_its_line() {
        let read = |text: &str| piped(&mut text.as_bytes()).ok();
        assert_eq!(read("secret\n").as_deref(), Some("secret"));
        assert_eq!(read("secret\r\n").as_deref(), Some("secret"));
        assert_eq!(read(" se cret ").as_deref(), Some(" se cret "));
        assert_eq!(read("two\nlines\n").as_deref(), Some("two\nlines"));
    }
}
