//! Ways round a rule: other spellings of a path, contexts, aliases.

use super::house::{House, basic, schema, users};
use serde_json::json;

const SECURITY: &str = r#"
      basic: { users: users.txt }
      rules:
        - { subjects: ["mine*", ":.mine:*"], admin: ["user:eve"] }
        - { subjects: ["*"], admin: ["user:root"] }"#;

fn house() -> House {
    let house = House::start(
        SECURITY,
        &[("users.txt", &users(&[("eve", "e", &[]), ("root", "r", &[])]))],
    );
    let root = basic("root", "r");
    house.register(&root, "secret", "SecretRecord");
    house.register(&root, "Mine", "SecretRecord");
    house.register(&root, ":.vault:secret", "SecretRecord");
    house.register(&root, "a%2Fb", "SecretRecord");
    house
}

#[test]
fn no_spelling_of_a_path_is_a_way_round_a_rule() {
    let house = house();
    let eve = basic("eve", "e");
    house.register(&eve, "mine", "Mine");
    for subject in [
        "secret",
        "%73ecret",
        "%2573ecret",
        "secret%00",
        "Mine",
        "MINE",
        ":.:secret",
        "%3A.%3Asecret",
        ":.vault:secret",
        "%3a.vault%3asecret",
        ":.vault:mine",
        ":*:secret",
        ":*:mine",
        "a%2Fb",
        "a%252Fb",
        "..%2Fsecret",
        "x%2Fmine",
        "%20mine",
        "%ff",
    ] {
        for path in [
            format!("/subjects/{subject}/versions/1"),
            format!("/subjects/{subject}/versions"),
            format!("/contexts/./subjects/{subject}/versions/1"),
            format!("/contexts/.vault/subjects/{subject}/versions/1"),
            format!("/contexts/.mine/subjects/{subject}/versions/1"),
            format!("//subjects/{subject}/versions/1"),
            format!("/subjects/{subject}/versions/1/"),
            format!("/subjects/mine/../{subject}/versions/1"),
            format!("/subjects/mine/versions/../../{subject}/versions/1"),
            format!("/Subjects/{subject}/versions/1"),
            format!("/subjects//{subject}/versions/1"),
            format!("/%73ubjects/{subject}/versions/1"),
        ] {
            let answer = house.get(&eve, &path);
            assert!(!answer.body.contains("SecretRecord"), "{path}: {answer:?}");
            let answer = house.ask(&eve, "POST", &path, Some(schema("Written")));
            assert!(
                (400..500).contains(&answer.status) || path.contains("/.mine/"),
                "POST {path}: {answer:?}"
            );
        }
    }
    let subjects = house.get(&basic("root", "r"), "/subjects").json();
    for subject in subjects.as_array().unwrap() {
        let subject = subject.as_str().unwrap();
        let known = ["secret", "Mine", ":.vault:secret", "a/b", "mine"].contains(&subject);
        assert!(known || subject.starts_with(":.mine:"), "{subject} was written");
    }
}

#[test]
fn what_is_asked_of_a_context_is_asked_of_its_subjects() {
    let house = house();
    let eve = basic("eve", "e");
    assert_eq!(house.register(&eve, ":.mine:x", "X"), 1);
    let path = "/contexts/.mine/subjects/y/versions";
    assert_eq!(house.ask(&eve, "POST", path, Some(schema("Y"))).status, 200);
    assert_eq!(
        house.get(&eve, "/contexts/.mine/subjects").json(),
        json!([":.mine:x", ":.mine:y"])
    );
    assert_eq!(house.get(&eve, "/contexts/.vault/subjects").json(), json!([]));
    assert_eq!(house.get(&eve, "/contexts").json(), json!([".", ".mine"]));
    assert_eq!(
        house.get(&eve, "/contexts/.vault/schemas/ids/1").code(),
        (403, 40_301)
    );
    let level = Some(json!({ "compatibility": "NONE" }));
    assert_eq!(
        house
            .ask(&eve, "PUT", "/contexts/.mine/config", level.clone())
            .status,
        200
    );
    for path in [
        "/contexts/.vault/config",
        "/contexts/./config",
        "/config/:.vault",
        "/contexts/.mine/config/:.vault:secret",
    ] {
        assert_eq!(
            house.ask(&eve, "PUT", path, level.clone()).code(),
            (403, 40_301),
            "{path}"
        );
    }
}

#[test]
fn an_alias_is_no_way_round_a_rule() {
    let house = house();
    let eve = basic("eve", "e");
    house.register(&eve, "mine", "Mine");
    for alias in ["secret", ":.vault:secret", ":.:secret"] {
        let setting = Some(json!({ "alias": alias }));
        assert_eq!(house.ask(&eve, "PUT", "/config/mine-alias", setting).status, 200);
        for (method, path, body) in [
            ("GET", "/subjects/mine-alias/versions/1", None),
            ("GET", "/subjects/%6Dine-alias/versions/1", None),
            ("GET", "/contexts/./subjects/mine-alias/versions/1", None),
            ("POST", "/subjects/mine-alias/versions", Some(schema("Written"))),
            ("POST", "/subjects/mine-alias", Some(schema("SecretRecord"))),
            (
                "POST",
                "/compatibility/subjects/mine-alias/versions",
                Some(schema("Written")),
            ),
            ("DELETE", "/subjects/mine-alias", None),
            ("DELETE", "/subjects/mine-alias/versions/1", None),
        ] {
            let answer = house.ask(&eve, method, path, body);
            assert_eq!(
                answer.code(),
                (403, 40_301),
                "{alias} {method} {path}: {answer:?}"
            );
            assert!(!answer.body.contains("SecretRecord"));
        }
        let answer = house.get(&eve, "/schemas/ids/1?subject=mine-alias");
        assert_eq!(answer.code(), (403, 40_301), "{answer:?}");
    }
    // What the alias means is what counts, the other way too.
    let root = basic("root", "r");
    let setting = Some(json!({ "alias": "mine" }));
    assert_eq!(house.ask(&root, "PUT", "/config/public", setting).status, 200);
    assert_eq!(
        house.get(&eve, "/subjects/public/versions/1").json()["subject"],
        "mine"
    );
}

/// A follower passes a write on with this header; the leader asks for the same credentials again.
#[test]
fn a_forwarded_request_has_no_privilege() {
    let house = house();
    let eve = basic("eve", "e");
    let body = schema("Written").to_string();
    for value in ["true", "false"] {
        let forwarded = [
            ("X-Forward", value),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Original-URL", "/"),
        ];
        assert_eq!(
            house
                .send("POST", "/subjects/secret/versions", &forwarded, &body)
                .code(),
            (401, 40_101)
        );
        let mut with = forwarded.to_vec();
        with.push(("Authorization", &eve));
        assert_eq!(
            house
                .send("POST", "/subjects/secret/versions", &with, &body)
                .code(),
            (403, 40_301)
        );
        let method = [("X-HTTP-Method-Override", "DELETE"), ("Authorization", &*eve)];
        assert_eq!(
            house.send("GET", "/subjects/mine", &method, "").code(),
            (405, 405)
        );
    }
}
