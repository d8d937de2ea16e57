//! Who did what, and that nothing secret is told anywhere.

use super::house::{House, basic, schema, users};
use serde_json::{Value, json};

const SECURITY: &str = r#"
      basic: { users: users.txt }
      rules:
        - { subjects: ["a"], write: ["user:alice"], delete: ["user:alice"], read: ["*"] }
        - { subjects: ["*"], admin: ["user:root"] }
      audit: { file: audit.jsonl }"#;

const PASSWORDS: [(&str, &str); 3] = [
    ("alice", "Wonderland-7261"),
    ("root", "Tree-9182"),
    ("eve", "Apple-5544"),
];

fn house() -> House {
    let of = PASSWORDS.map(|(name, password)| (name, password, &[][..]));
    House::start(SECURITY, &[("users.txt", &users(&of))])
}

fn who(name: &str) -> String {
    let (_, password) = PASSWORDS.iter().find(|(known, _)| *known == name).unwrap();
    basic(name, password)
}

#[test]
fn every_write_and_every_refusal_is_one_line_and_nothing_else_is() {
    let house = house();
    let (alice, root) = (who("alice"), who("root"));
    let by_alice = [("Authorization", &*alice), ("X-Request-ID", "my-request")];
    let body = schema("SecretName").to_string();
    assert_eq!(
        house
            .send("POST", "/subjects/a/versions", &by_alice, &body)
            .status,
        200
    );
    assert_eq!(house.get(&alice, "/subjects/a/versions/1").status, 200);
    assert_eq!(house.get(&alice, "/subjects").status, 200);
    assert_eq!(house.get("", "/").status, 200);
    assert_eq!(house.get(&alice, "/subjects/none/versions").status, 403);
    let level = Some(json!({ "compatibility": "FULL" }));
    assert_eq!(house.ask(&alice, "PUT", "/config/a", level.clone()).status, 403);
    assert_eq!(house.ask(&root, "PUT", "/contexts/.c/config", level).status, 200);
    assert_eq!(house.get("", "/subjects").status, 401);
    assert_eq!(house.get(&basic("alice", "Guess-1"), "/subjects").status, 401);
    assert_eq!(
        house.ask(&alice, "DELETE", "/subjects/a/versions/9", None).status,
        404
    );
    assert_eq!(
        house.ask(&alice, "DELETE", "/subjects/a/versions/1", None).status,
        200
    );

    let lines = house.audit("audit.jsonl", |lines| lines.len() >= 8);
    let fields = [
        "principal",
        "method",
        "http_method",
        "action",
        "subject",
        "role",
        "status",
        "error_code",
        "id",
        "version",
    ];
    let seen: Vec<Value> = lines
        .iter()
        .map(|line| fields.iter().map(|field| line[*field].clone()).collect())
        .collect();
    let none = Value::Null;
    let expected = [
        json!([
            "alice", "basic", "POST", "register", "a", "WRITE", 200, none, 1, 1
        ]),
        json!([
            "alice",
            "basic",
            "GET",
            "list_versions",
            "none",
            "READ",
            403,
            40_301,
            none,
            none
        ]),
        json!([
            "alice",
            "basic",
            "PUT",
            "set_config",
            "a",
            "COMPATIBILITY",
            403,
            40_301,
            none,
            none
        ]),
        json!([
            "root",
            "basic",
            "PUT",
            "set_config",
            ":.c:",
            "COMPATIBILITY",
            200,
            none,
            none,
            none
        ]),
        json!([
            none,
            "anonymous",
            "GET",
            "list_subjects",
            none,
            "READ",
            401,
            40_101,
            none,
            none
        ]),
        json!([
            none,
            "anonymous",
            "GET",
            "list_subjects",
            none,
            "READ",
            401,
            40_101,
            none,
            none
        ]),
        json!([
            "alice",
            "basic",
            "DELETE",
            "delete_version",
            "a",
            "DELETE",
            404,
            40_402,
            none,
            none
        ]),
        json!([
            "alice",
            "basic",
            "DELETE",
            "delete_version",
            "a",
            "DELETE",
            200,
            none,
            none,
            1
        ]),
    ];
    assert_eq!(seen, expected);
    assert_eq!(lines[0]["request_id"], "my-request");
    for line in &lines {
        assert_eq!(line["client"], "127.0.0.1");
        let time = line["time"].as_str().unwrap();
        assert!(
            time.len() == 24 && time.starts_with("20") && time.ends_with('Z'),
            "{time}"
        );
    }
}

#[test]
fn no_password_is_told_by_the_log_the_audit_the_metrics_or_an_answer() {
    let house = house();
    let mut answers = String::new();
    for (name, _) in PASSWORDS {
        for (method, path, body) in [
            ("GET", "/subjects", None),
            ("POST", "/subjects/a/versions", Some(schema("SecretName"))),
            ("POST", "/subjects/b/versions", Some(json!({ "schema": 1 }))),
            ("PUT", "/config/a", Some(json!("x"))),
            ("GET", "/metrics", None),
            ("GET", "/nothing?password=x", None),
        ] {
            answers += &house.ask(&who(name), method, path, body).body;
        }
        answers += &house.get(&basic("alice", "Guess-4711"), "/subjects").body;
        answers += &house.get(&format!("Bearer {}", "Token-4711"), "/subjects").body;
        answers += &house
            .get(&who(name).replace("Basic ", "Basic !"), "/subjects")
            .body;
    }
    let metrics = super::house::http_get(house.admin, "/metrics");
    assert!(
        metrics.contains("schema_registry_audit_lines_lost_total 0"),
        "{metrics}"
    );
    let audit = house.path("audit.jsonl");
    let users = super::house::read(&house.path("users.txt"));
    let lines = super::house::read(&audit);
    assert!(!lines.contains("SecretName"), "no schema is in the audit");
    answers += &lines;
    let log = house.stop();
    let all = answers + &metrics + &log;
    assert!(
        log.contains("unknown user or wrong password") && log.contains("drained"),
        "{log}"
    );
    let mut secrets = vec!["Guess-4711".to_owned(), "Token-4711".to_owned()];
    for (name, password) in PASSWORDS {
        secrets.push(password.to_owned());
        secrets.push(basic(name, password).replace("Basic ", ""));
    }
    secrets.extend(
        users
            .lines()
            .map(|line| line.split(':').nth(1).unwrap().to_owned()),
    );
    for secret in secrets {
        assert!(!all.contains(&secret), "{secret} is told");
    }
}
