//! `portcullis user`: the file that the registry then takes.

use super::house::{House, basic, read};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Exit code, standard output, standard error.
fn user(folder: &Path, args: &[&str], password: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("user")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(password.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        said(&output.stdout),
        said(&output.stderr),
    )
}

#[test]
fn users_are_added_changed_and_removed_and_the_registry_knows_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.txt");
    let run = |args: &[&str], password: &str| user(folder.path(), args, password);
    let add = [
        "add",
        "users.txt",
        "alice",
        "--group",
        "payments",
        "--group",
        "platform",
    ];
    assert_eq!(run(&add, "open sesame\n"), (0, String::new(), String::new()));
    assert_eq!(run(&["add", "users.txt", "bob"], "first").0, 0);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let (code, line, _) = run(&["hash", "carol", "--group", "payments"], "third\r\n");
    assert_eq!(code, 0);
    assert!(
        line.starts_with("carol:$argon2id$") && line.trim_end().ends_with(":payments"),
        "{line}"
    );
    let text = format!("# people\n{}{line}", read(&file));
    std::fs::write(&file, text).unwrap();
    assert_eq!(run(&["add", "users.txt", "bob"], "second").0, 0);
    let text = read(&file);
    assert!(text.starts_with("# people\nalice:"), "{text}");
    assert_eq!(text.lines().count(), 4);
    assert!(!text.contains("sesame") && !text.contains("second"));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "what the operator has set stays");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );

    let security = r#"
      basic: { users: users.txt }
      rules: [ { subjects: ["*"], read: ["group:payments", "user:bob"] } ]"#;
    let house = House::start(security, &[("users.txt", &text)]);
    for (name, password, status) in [
        ("alice", "open sesame", 200),
        ("bob", "second", 200),
        ("bob", "first", 401),
        ("carol", "third", 200),
    ] {
        assert_eq!(
            house.get(&basic(name, password), "/subjects").status,
            status,
            "{name}"
        );
    }
    assert_eq!(run(&["remove", "users.txt", "bob"], "").0, 0);
    assert!(!read(&file).contains("bob"));
}

#[test]
fn what_cannot_be_done_changes_nothing_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.txt");
    let run = |args: &[&str], password: &str| user(folder.path(), args, password);
    for (args, password, code, what) in [
        (&["add", "users.txt", "a:b"][..], "p", 64, "colon"),
        (
            &["add", "users.txt", "a", "--group", "g,h"],
            "p",
            64,
            "no group's name",
        ),
        (&["add", "users.txt", "a"], "", 64, "the password is empty"),
        (&["add", "users.txt", "a"], "two\nlines", 64, "more than one line"),
        (
            &["add", "users.txt", "a", "secretpassword"],
            "",
            64,
            "unexpected argument",
        ),
        (&["add", "no/such/folder", "a"], "p", 71, "no/such/folder"),
        (&["remove", "users.txt", "a"], "", 71, "users.txt"),
    ] {
        let (got, out, err) = run(args, password);
        assert_eq!(got, code, "{args:?}: {out}{err}");
        assert!(err.contains(what), "{args:?}: {err}");
        assert!(!file.exists());
    }
    std::fs::write(&file, "# people\nmallory:plain\n").unwrap();
    for args in [&["add", "users.txt", "a"][..], &["remove", "users.txt", "a"]] {
        let (code, _, err) = run(args, "p");
        assert_eq!(code, 78);
        assert!(err.contains("users.txt:2: the hash is not argon2id's"), "{err}");
        assert_eq!(read(&file), "# people\nmallory:plain\n");
    }
    std::fs::write(&file, "# people\n").unwrap();
    let (code, _, err) = run(&["remove", "users.txt", "a"], "");
    assert!(code == 66 && err.contains("there is no user `a`"), "{err}");
}
