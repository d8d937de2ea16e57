//! Names and passwords.

use super::house::{House, basic, users};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Instant;

const SECURITY: &str = r#"
      basic: { users: users.txt }
      rules:
        - { subjects: ["*"], read: ["*"] }
      limits: { failures_per_minute: 100000 }"#;

fn people() -> String {
    users(&[("alice", "opensesame", &["team"])]) + "\n# nobody else\n"
}

#[test]
fn the_right_password_is_let_in_and_everything_else_is_answered_alike() {
    let house = House::start(SECURITY, &[("users.txt", &people())]);
    for _ in 0..2 {
        assert_eq!(house.get(&basic("alice", "opensesame"), "/subjects").status, 200);
        assert_eq!(
            house
                .get(
                    &basic("alice", "opensesame").replace("Basic", "bASIC"),
                    "/subjects"
                )
                .status,
            200
        );
    }
    let long = "x".repeat(20_000);
    let mut answers = Vec::new();
    for header in [
        basic("alice", "opensesam"),
        basic("alice", "opensesame "),
        basic("alice", ""),
        basic("Alice", "opensesame"),
        basic("eve", "opensesame"),
        basic("", ""),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        "Basic YWxpY2U=".to_owned(),
        format!("Basic {}", STANDARD.encode([0xff, b':', 0xff])),
        format!("Basic {long}"),
        basic("alice", &"p".repeat(5_000)),
        "Digest username=alice".to_owned(),
        "Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(),
    ] {
        let answer = house.get(&header, "/subjects");
        assert_eq!(answer.code(), (401, 40_101), "{header:.40}: {answer:?}");
        assert_eq!(
            answer.header("www-authenticate"),
            [r#"Basic realm="schema-registry", charset="UTF-8""#]
        );
        assert_eq!(answer.header("content-type"), [super::house::JSON]);
        assert_eq!(answer.header("x-request-id").len(), 1);
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers, [r#"{"error_code":40101,"message":"Unauthorized"}"#]);
    let right = basic("alice", "opensesame");
    let two = [("Authorization", &*right), ("Authorization", &*right)];
    assert_eq!(house.send("GET", "/subjects", &two, "").code(), (401, 40_101));
    let gzip = [("Authorization", &*right), ("Accept-Encoding", "gzip")];
    assert_eq!(house.send("GET", "/subjects", &gzip, "").status, 200);
    let head = house.ask("", "HEAD", "/subjects", None);
    assert_eq!((head.status, &*head.body), (401, ""));
}

/// By the time it takes nobody learns which names there are. Medians, because other tests run beside.
#[test]
fn a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has() {
    let house = House::start(SECURITY, &[("users.txt", &people())]);
    let median = |name: &str| {
        let mut times: Vec<_> = (0..15)
            .map(|number| {
                let start = Instant::now();
                let answer = house.get(&basic(name, &format!("wrong{number}")), "/subjects");
                assert_eq!(answer.status, 401);
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    };
    let (known, unknown) = (median("alice"), median("nobody"));
    let ratio = known / unknown;
    assert!((0.4..2.5).contains(&ratio), "{known} s and {unknown} s");
}

#[test]
fn a_users_file_that_is_wrong_is_told_at_start_with_its_line() {
    let text = people() + "mallory:secretpassword\n";
    let (code, log) = House::fails(SECURITY, &[("users.txt", &text)]);
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("users.txt:3: the hash is not argon2id's"), "{log}");
    assert!(!log.contains("secretpassword"));
    let (code, log) = House::fails(SECURITY, &[]);
    assert_eq!(code, 78);
    assert!(log.contains("there is no file"), "{log}");
}
