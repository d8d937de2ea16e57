//! Each role on each kind of resource.

use super::house::{House, basic, schema, users};
use serde_json::{Value, json};

const SECURITY: &str = r#"
      basic: { users: users.txt }
      groups: { platform: ["root"] }
      rules:
        - { subjects: ["team.*"], read: ["user:reader"], write: ["user:writer"], delete: ["user:deleter"] }
        - { subjects: ["team.*"], compatibility: ["user:owner"], write: ["user:owner"], admin: ["user:admin"] }
        - { subjects: ["*"], admin: ["group:platform"] }
        - { subjects: ["*"], read: ["user:scraper"] }
        - { subjects: ["other", ":.open:*"], read: ["user:reader"] }
      limits: { failures_per_minute: 100000 }"#;

const NAMES: [&str; 9] = [
    "reader", "writer", "deleter", "owner", "admin", "root", "scraper", "stranger", "nobody",
];

fn people() -> String {
    let of: Vec<(&str, &str, &[&str])> = NAMES.iter().map(|&name| (name, name, &[][..])).collect();
    users(&of[..8])
}

/// Who may do it, everybody else being refused with 403, and those without credentials with 401.
fn only(house: &House, who: &[&str], method: &str, path: &str, body: Option<&Value>) {
    let mut expected = who.to_vec();
    expected.sort_unstable();
    let mut served = Vec::new();
    for name in NAMES {
        let authorization = if name == "nobody" {
            String::new()
        } else {
            basic(name, name)
        };
        let answer = house.ask(&authorization, method, path, body.cloned());
        match answer.code() {
            (401, 40_101) => assert_eq!(name, "nobody", "{method} {path}"),
            (403, 40_301) => {
                assert_ne!(name, "nobody", "{method} {path}");
                let message = answer.json()["message"].as_str().unwrap().to_owned();
                assert!(
                    message.starts_with(&format!("User {name} is denied operation ")),
                    "{message}"
                );
            }
            _ => served.push(name),
        }
    }
    served.sort_unstable();
    assert_eq!(served, expected, "{method} {path}");
}

#[test]
fn each_role_opens_its_own_resources_and_no_other() {
    let house = House::start(SECURITY, &[("users.txt", &people())]);
    let root = basic("root", "root");
    house.register(&root, "team.a", "A");
    house.register(&root, "other", "B");
    let some = schema("A");
    let level = json!({ "compatibility": "FULL" });
    let mode = json!({ "mode": "READWRITE" });
    let readers = ["reader", "admin", "root", "scraper"];
    for (method, path, body) in [
        ("GET", "/subjects/team.a/versions", None),
        ("HEAD", "/subjects/team.a/versions/1", None),
        ("GET", "/subjects/team.a/versions/latest", None),
        ("GET", "/subjects/team.a/versions/1/schema", None),
        ("GET", "/subjects/team.a/versions/1/referencedby", None),
        ("GET", "/subjects/team.a/metadata?key=a&value=b", None),
        ("POST", "/subjects/team.a", Some(&some)),
        ("POST", "/compatibility/subjects/team.a/versions", Some(&some)),
        ("POST", "/compatibility/subjects/team.a/versions/1", Some(&some)),
        ("GET", "/config/team.a?defaultToGlobal=true", None),
        ("GET", "/mode/team.a?defaultToGlobal=true", None),
    ] {
        if method == "HEAD" {
            // Its refusals have no body to look into.
            assert_eq!(
                house.ask(&basic("writer", "writer"), method, path, None).status,
                403
            );
            assert_eq!(house.ask("", method, path, None).status, 401);
            assert_eq!(
                house.ask(&basic("reader", "reader"), method, path, None).status,
                200
            );
            continue;
        }
        only(&house, &readers, method, path, body);
    }
    only(
        &house,
        &["writer", "owner", "admin", "root"],
        "POST",
        "/subjects/team.a/versions",
        Some(&some),
    );
    only(
        &house,
        &["admin", "root"],
        "POST",
        "/subjects/team.a/versions/1/tags",
        Some(&json!({})),
    );
    let owners = ["owner", "admin", "root"];
    only(
        &house,
        &owners,
        "POST",
        "/subjects/team.a/versions?force=true",
        Some(&some),
    );
    only(&house, &owners, "PUT", "/config/team.a", Some(&level));
    only(&house, &owners, "DELETE", "/config/team.a", None);
    only(&house, &["admin", "root"], "PUT", "/mode/team.a", Some(&mode));
    only(&house, &["admin", "root"], "DELETE", "/mode/team.a", None);
    only(
        &house,
        &["deleter", "admin", "root"],
        "DELETE",
        "/subjects/team.a/versions/9",
        None,
    );
    only(
        &house,
        &["deleter", "admin", "root"],
        "DELETE",
        "/subjects/team.none",
        None,
    );
    for (method, path, body) in [
        ("PUT", "/config", Some(&level)),
        ("DELETE", "/config", None),
        ("PUT", "/config/:.:", Some(&level)),
        ("PUT", "/config/:.__GLOBAL:", Some(&level)),
        ("PUT", "/mode", Some(&mode)),
        ("DELETE", "/mode", None),
        ("PUT", "/contexts/./mode", Some(&mode)),
        ("DELETE", "/contexts/.gone", None),
        ("PUT", "/config/:.ctx:", Some(&level)),
        ("POST", "/subjects/:.ctx:team.a/versions", Some(&some)),
    ] {
        only(&house, &["root"], method, path, body);
    }
    only(&house, &["scraper", "root"], "GET", "/metrics", None);
    // Whoever has any role is shown what it may see.
    let known = ["reader", "writer", "deleter", "owner", "admin", "root", "scraper"];
    for path in [
        "/subjects",
        "/schemas",
        "/schemas/types",
        "/contexts",
        "/config",
        "/mode",
        "/v1/metadata/id",
        "/v1/metadata/version",
    ] {
        only(&house, &known, "GET", path, None);
    }
    // Nothing is told of what is not there.
    assert_eq!(house.get("", "/nothing").code(), (401, 40_101));
    assert_eq!(house.get(&root, "/nothing").code(), (404, 404));
    assert_eq!(
        house.get(&basic("stranger", "stranger"), "/nothing").code(),
        (404, 404)
    );
    assert_eq!(house.ask("", "PATCH", "/subjects", None).code(), (401, 40_101));
    assert_eq!(house.ask(&root, "PATCH", "/subjects", None).code(), (405, 405));
    assert_eq!(house.get("", "/").status, 200);
    assert_eq!(house.ask("", "DELETE", "/", None).code(), (401, 40_101));
}

#[test]
fn lists_and_look_ups_by_id_show_only_what_may_be_read() {
    let house = House::start(SECURITY, &[("users.txt", &people())]);
    let root = basic("root", "root");
    let reader = basic("reader", "reader");
    let team = house.register(&root, "team.a", "A");
    let other = house.register(&root, "other", "B");
    let hidden = house.register(&root, "hidden", "C");
    house.register(&root, "also-hidden", "A");
    house.register(&root, ":.ctx:hidden", "D");
    let refers = json!({
        "schema": json!({ "type": "record", "name": "R", "fields": [{ "name": "a", "type": "A" }] }).to_string(),
        "references": [{ "name": "A", "subject": "team.a", "version": 1 }],
    });
    let answer = house.ask(&root, "POST", "/subjects/referring/versions", Some(refers));
    assert_eq!(answer.status, 200, "{answer:?}");

    let get = |path: &str| house.get(&reader, path).json();
    assert_eq!(get("/subjects"), json!(["other", "team.a"]));
    let subjects: Vec<Value> = get("/schemas")
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["subject"].clone())
        .collect();
    assert_eq!(subjects, ["other", "team.a"]);
    assert_eq!(get("/contexts"), json!(["."]));
    assert_eq!(get("/subjects/team.a/versions/1/referencedby"), json!([]));
    assert_eq!(get(&format!("/schemas/ids/{team}/subjects")), json!(["team.a"]));
    assert_eq!(
        get(&format!("/schemas/ids/{team}/versions")),
        json!([{ "subject": "team.a", "version": 1 }])
    );
    assert_eq!(get(&format!("/schemas/ids/{other}"))["subject"], "other");
    for path in ["", "/schema", "/subjects", "/versions", "?subject=hidden"] {
        let path = format!("/schemas/ids/{hidden}{path}");
        assert_eq!(house.get(&reader, &path).code(), (403, 40_301), "{path}");
        assert_eq!(house.get("", &path).code(), (401, 40_101), "{path}");
    }
    let guid = house.get(&root, &format!("/schemas/ids/{hidden}")).json()["guid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(house.get(&root, &format!("/schemas/guids/{guid}")).status, 200);
    assert_eq!(
        house.get(&reader, &format!("/schemas/guids/{guid}")).code(),
        (404, 40_403)
    );
    assert_eq!(get(&format!("/schemas/guids/{guid}/ids")), json!([]));
    // An unqualified subject is looked for in every context, but not shown from there.
    assert_eq!(house.get(&reader, "/subjects/team.a/versions/1").status, 200);
    house.register(&root, ":.ctx:team.b", "E");
    assert_eq!(house.get(&root, "/subjects/team.b/versions/1").status, 200);
    assert_eq!(
        house.get(&reader, "/subjects/team.b/versions/1").code(),
        (404, 40_401)
    );
    let found = house.ask(&reader, "POST", "/subjects/team.b", Some(schema("E")));
    assert_eq!(found.status, 404, "{found:?}");
    // What may not be read does not stand before what may.
    house.register(&root, ":.open:team.b", "E");
    let found = house.ask(&reader, "POST", "/subjects/team.b", Some(schema("E")));
    assert_eq!(found.json()["subject"], ":.open:team.b", "{found:?}");
}

#[test]
fn what_a_schema_refers_to_must_be_readable() {
    let house = House::start(SECURITY, &[("users.txt", &people())]);
    let root = basic("root", "root");
    house.register(&root, "hidden", "Hidden");
    house.register(&root, "other", "Other");
    let refers = |subject: &str, name: &str| {
        Some(json!({
            "schema": json!({ "type": "record", "name": "R", "fields": [{ "name": "a", "type": name }] }).to_string(),
            "references": [{ "name": name, "subject": subject, "version": 1 }],
        }))
    };
    let owner = basic("owner", "owner");
    for subject in ["hidden", "absent", ":.:hidden", ":.ctx:other"] {
        for (who, path) in [
            (&owner, "/subjects/team.r/versions"),
            (&basic("reader", "reader"), "/subjects/team.r"),
            (
                &basic("reader", "reader"),
                "/compatibility/subjects/team.r/versions",
            ),
            (
                &basic("reader", "reader"),
                "/compatibility/subjects/team.r/versions/latest",
            ),
        ] {
            let answer = house.ask(who, "POST", path, refers(subject, "Hidden"));
            assert_eq!(answer.code(), (403, 40_301), "{subject} {path}: {answer:?}");
        }
    }
    let reader = basic("reader", "reader");
    let answer = house.ask(
        &reader,
        "POST",
        "/compatibility/subjects/team.r/versions",
        refers("other", "Other"),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = house.ask(
        &root,
        "POST",
        "/subjects/team.r/versions",
        refers("hidden", "Hidden"),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Who may write a subject and not read it learns that its schema does not fit, but not what is there.
#[test]
fn a_refused_registration_quotes_no_schema_that_may_not_be_read() {
    let house = House::start(SECURITY, &[("users.txt", &people())]);
    let root = basic("root", "root");
    let record = |kind: &str| {
        let fields = json!([{ "name": "secret_field", "type": kind }]);
        Some(json!({ "schema": json!({ "type": "record", "name": "W", "fields": fields }).to_string() }))
    };
    let path = "/subjects/team.w/versions";
    assert_eq!(house.ask(&root, "POST", path, record("int")).status, 200);
    let told = house.ask(&root, "POST", path, record("string"));
    assert!(
        told.status == 409 && told.body.contains("secret_field"),
        "{told:?}"
    );
    let told = house.ask(&basic("writer", "writer"), "POST", path, record("string"));
    assert!(
        told.status == 409 && !told.body.contains("secret_field"),
        "{told:?}"
    );
}

#[test]
fn anonymous_reads_where_it_is_allowed_and_is_asked_for_credentials_elsewhere() {
    let security = r#"
      anonymous: [READ]
      basic: { users: users.txt }
      rules:
        - { subjects: ["team.*"], write: ["user:writer"] }"#;
    let house = House::start(security, &[("users.txt", &people())]);
    let writer = basic("writer", "writer");
    house.register(&writer, "team.a", "A");
    for path in [
        "/",
        "/subjects",
        "/subjects/team.a/versions/1",
        "/schemas/ids/1",
        "/config",
        "/metrics",
    ] {
        assert_eq!(house.get("", path).status, 200, "{path}");
    }
    let answer = house.ask("", "POST", "/subjects/team.a/versions", Some(schema("A")));
    assert_eq!(answer.code(), (401, 40_101));
    assert_eq!(
        answer.header("www-authenticate"),
        [r#"Basic realm="schema-registry", charset="UTF-8""#]
    );
    assert_eq!(
        house.ask(&writer, "DELETE", "/subjects/team.a", None).code(),
        (403, 40_301)
    );
    // Wrong credentials are not anonymous ones.
    assert_eq!(
        house.get(&basic("writer", "wrong"), "/subjects").code(),
        (401, 40_101)
    );
}
