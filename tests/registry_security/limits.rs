//! How often, and how much.

use super::house::{House, basic, users};
use serde_json::json;

fn people() -> String {
    users(&[("alice", "a", &[]), ("bob", "b", &[])])
}

#[test]
fn each_principal_has_its_rate_and_the_rest_is_told_when_to_come_again() {
    let security = r#"
      basic: { users: users.txt }
      rules: [ { subjects: ["*"], read: ["*"] } ]
      limits: { requests_per_second: 1, burst: 5 }"#;
    let house = House::start(security, &[("users.txt", &people())]);
    let alice = basic("alice", "a");
    // The first pays for its hash; the others come faster than one a second.
    let answers: Vec<_> = (0..20).map(|_| house.get(&alice, "/subjects")).collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 5, "{answers:?}");
    for answer in refused {
        assert_eq!(answer.code(), (429, 42_901));
        let wait: u64 = answer.header("retry-after")[0].parse().unwrap();
        assert!((1..=5).contains(&wait));
    }
    assert_eq!(
        house.get(&basic("bob", "b"), "/subjects").status,
        200,
        "bob has his own"
    );
}

#[test]
fn whoever_guesses_is_slowed_down_and_whoever_was_right_is_not() {
    let security = r#"
      basic: { users: users.txt }
      rules: [ { subjects: ["*"], read: ["*"] } ]
      limits: { failures_per_minute: 5 }"#;
    let house = House::start(security, &[("users.txt", &people())]);
    let alice = basic("alice", "a");
    assert_eq!(house.get(&alice, "/subjects").status, 200);
    let statuses: Vec<u16> = (0..12)
        .map(|guess| {
            house
                .get(&basic("alice", &format!("guess{guess}")), "/subjects")
                .status
        })
        .collect();
    assert_eq!(statuses[..5], [401; 5]);
    assert!(
        statuses[5..].iter().filter(|status| **status == 429).count() >= 5,
        "{statuses:?}"
    );
    assert_eq!(
        house.get(&alice, "/subjects").status,
        200,
        "her password is remembered"
    );
    // The right password of somebody who has not been here waits, too: else a guess could be told by its answer.
    assert_eq!(house.get(&basic("bob", "b"), "/subjects").code(), (429, 42_901));
}

#[test]
fn a_body_beyond_the_limit_is_not_read() {
    let security = r#"
      basic: { users: users.txt }
      rules: [ { subjects: ["*"], write: ["*"] } ]
      limits: { body: 1KiB }"#;
    let house = House::start(security, &[("users.txt", &people())]);
    let alice = basic("alice", "a");
    let padded = |bytes: usize| Some(json!({ "schema": "\"string\"", "padding": "x".repeat(bytes) }));
    assert_eq!(
        house
            .ask(&alice, "POST", "/subjects/a/versions", padded(500))
            .status,
        200
    );
    assert_eq!(
        house
            .ask(&alice, "POST", "/subjects/a/versions", padded(2_000))
            .code(),
        (413, 413)
    );
}
