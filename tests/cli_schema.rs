//! The promise: `portcullis schema` tells of every schema file whether it is good and whether a registry takes it, at its
//! line, in four formats, with the exit code that fits; and registers them in the order of their references.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod registry_process;

use registry_process::{Registry, Said, schema, schema_with, write};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

fn record(name: &str, fields: &str) -> String {
    format!(
        "{{\n  \"type\": \"record\", \"name\": \"{name}\", \"namespace\": \"com.example\",\n  \"fields\": [{fields}]\n}}\n"
    )
}

const MANIFEST: &str = "\
folders:
  - { folder: billing, context: .billing }
schemas:
  - file: order.avsc
    references: [{ name: com.example.Customer, file: customer.avsc }]
    compatibility: FULL
    metadata: { properties: { owner: payments } }
  - file: proto/order.proto
    subjects: [order-proto, order-proto-copy]
    references: [{ name: money.proto, file: proto/money.proto }]
  - file: json/order.json
    subject: order-json
    references: [{ name: \"https://example.com/item\", subject: item }]
";

/// Two records, two Protobuf files, two JSON Schemas that refer to one another, and one in a context.
fn house() -> TempDir {
    folder(&[
        ("schemas/schemas.yaml", MANIFEST),
        (
            "schemas/order.avsc",
            &record("Order", r#"{"name": "by", "type": "com.example.Customer"}"#),
        ),
        (
            "schemas/customer.avsc",
            &record("Customer", r#"{"name": "id", "type": "string"}"#),
        ),
        (
            "schemas/proto/order.proto",
            "syntax = \"proto3\";\nimport \"money.proto\";\nmessage PurchaseOrder { Money total = 1; }\n",
        ),
        (
            "schemas/proto/money.proto",
            "syntax = \"proto3\";\nmessage Money { int64 units = 1; }\n",
        ),
        (
            "schemas/json/order.json",
            "{\"type\": \"object\", \"properties\": {\"item\": {\"$ref\": \"https://example.com/item\"}}}\n",
        ),
        (
            "schemas/json/item.json",
            "{\"$id\": \"https://example.com/item\", \"type\": \"string\"}\n",
        ),
        ("schemas/billing/invoice.avsc", &record("Invoice", "")),
        ("schemas/README.md", "no schema\n"),
        ("schemas/.hidden/x.avsc", "not looked at"),
    ])
}

fn results(said: &Said) -> Vec<(String, String)> {
    let json = said.json();
    let all = json["schemas"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    all.map(|one| (text(&one["subject"]), text(&one["result"])))
        .collect()
}

#[test]
fn a_folder_is_checked_offline_registered_and_then_unchanged() {
    let house = house();
    let registry = Registry::start();
    let at = ["--registry", &registry.url()];
    let run = |args: &[&str]| schema(house.path(), args);
    let said = run(&["check", "schemas"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.out.contains("schemas/order.avsc: order: valid"), "{said:#?}");
    assert!(said.out.ends_with("8 good\n"), "{said:#?}");

    for args in [&["check", "schemas"][..], &["register", "schemas", "--dry-run"]] {
        let said = run(&[args, &at].concat());
        assert_eq!(said.code, 0, "{said:#?}");
        assert_eq!(said.out.matches("new (first version)").count(), 8, "{said:#?}");
        assert_eq!(
            registry.ok("GET", "/subjects", ""),
            serde_json::json!([]),
            "nothing was changed"
        );
    }

    let said = run(&[&["register", "schemas"][..], &at].concat());
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(
        said.out
            .contains("schemas/order.avsc: order: registered (version 1, id "),
        "{said:#?}"
    );
    let line = |file: &str| said.out.lines().position(|line| line.starts_with(file)).unwrap();
    assert!(line("schemas/customer.avsc") < line("schemas/order.avsc"));
    assert!(line("schemas/proto/money.proto") < line("schemas/proto/order.proto"));
    let order = registry.ok("GET", "/subjects/order/versions/1", "");
    assert_eq!(
        order["references"],
        serde_json::json!([{ "name": "com.example.Customer", "subject": "customer", "version": 1 }])
    );
    assert_eq!(order["metadata"]["properties"]["owner"], "payments");
    assert_eq!(
        registry.ok("GET", "/config/order", "")["compatibilityLevel"],
        "FULL"
    );
    assert_eq!(
        registry.ok("GET", "/subjects/:.billing:invoice/versions", ""),
        serde_json::json!([1])
    );

    for command in ["register", "check"] {
        let said = run(&[&[command, "schemas", "--output", "json"][..], &at].concat());
        assert_eq!(said.code, 0, "{said:#?}");
        let results = results(&said);
        assert_eq!(results.len(), 8);
        assert!(
            results.iter().all(|(_, result)| result == "unchanged"),
            "{results:?}"
        );
    }
}

#[test]
fn a_change_is_told_as_new_or_as_incompatible_at_its_line() {
    let house = house();
    let registry = Registry::start();
    let at = ["--registry", &registry.url()];
    let run = |args: &[&str]| schema(house.path(), &[args, &at].concat());
    assert_eq!(run(&["register", "schemas"]).code, 0);

    // A good change of what another refers to: that one cannot be compared by the registry yet.
    let wider = r#"{"name": "id", "type": "string"}, {"name": "vip", "type": "boolean", "default": false}"#;
    write(
        house.path(),
        &[("schemas/customer.avsc", &record("Customer", wider))],
    );
    let said = run(&["check", "schemas"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(
        said.out
            .contains("schemas/customer.avsc: customer: new (compatible)"),
        "{said:#?}"
    );
    assert!(
        said.out.contains("schemas/order.avsc: order: new (compatible; compared here, not by the registry: what it refers to is not registered yet)"),
        "{said:#?}"
    );
    let said = run(&["register", "schemas"]);
    assert!(
        said.out.contains("customer: registered (version 2, "),
        "{said:#?}"
    );
    assert!(said.out.contains("order: registered (version 2, "), "{said:#?}");
    let order = registry.ok("GET", "/subjects/order/versions/latest", "");
    assert_eq!(order["references"][0]["version"], 2);

    // A bad one; nothing at all is registered then.
    let bad = "{\"name\": \"id\", \"type\": \"string\"},\n    {\"name\": \"level\", \"type\": \"int\"}";
    write(
        house.path(),
        &[
            ("schemas/customer.avsc", &record("Customer", bad)),
            ("schemas/another.avsc", &record("Another", "")),
        ],
    );
    let said = run(&["check", "schemas", "--output", "json"]);
    assert_eq!(said.code, 1, "{said:#?}");
    let json = said.json();
    let customer = json["schemas"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["subject"] == "customer");
    let customer = customer.unwrap();
    assert_eq!(customer["result"], "incompatible");
    let finding = &customer["findings"][0];
    assert_eq!(
        (&finding["line"], &finding["column"]),
        (&4.into(), &5.into()),
        "{finding}"
    );
    assert_eq!(finding["kind"], "READER_FIELD_MISSING_DEFAULT_VALUE");
    assert_eq!(finding["old_version"], 2);
    assert!(
        customer["registry_messages"][0]
            .as_str()
            .unwrap()
            .contains("READER_FIELD_MISSING_DEFAULT_VALUE")
    );
    let said = run(&["register", "schemas"]);
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.out.contains("(against version 2)"), "{said:#?}");
    let (status, _) = registry.call("GET", "/subjects/another/versions", "").unwrap();
    assert_eq!(status, 404, "what is good beside it is not registered either");
}

#[test]
fn each_language_tells_the_line_of_its_mistake() {
    for (file, text, place, why) in [
        (
            "a.avsc",
            "{\"type\": \"record\",\n \"name\": \"A\",,\n \"fields\": []}",
            "2:14",
            "not JSON",
        ),
        (
            "a.avsc",
            "{\"type\": \"record\", \"name\": \"A\",\n \"fields\": [\n  {\"name\": \"x\"}]}",
            "3:3",
            "No field type",
        ),
        (
            "a.proto",
            "syntax = \"proto3\";\nmessage M {\n  string a = x1;\n}\n",
            "3:14",
            "expected an integer",
        ),
        (
            "a.proto",
            "syntax = \"proto3\";\nmessage M {\n  Nope a = 1;\n}\n",
            "3:3",
            "Nope",
        ),
        (
            "a.json",
            "{\n  \"type\": \"object\"\n  \"x\": 1}",
            "3:3",
            "not JSON",
        ),
        (
            "a.json",
            "{\n  \"properties\": {\n    \"a\": {\"type\": \"strin\"}}}",
            "3:10",
            "is not the name of a type",
        ),
    ] {
        let folder = folder(&[(file, text)]);
        let said = schema(folder.path(), &["check", file]);
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(
            said.out.starts_with(&format!("{file}:{place}: a: invalid: ")),
            "{said:#?}"
        );
        assert!(said.out.contains(why), "{said:#?}");
        let said = schema_with(folder.path(), &[("GITHUB_ACTIONS", "true")], &["check", "."]);
        let (line, column) = place.split_once(':').unwrap();
        let command = format!("::error file={file},line={line},col={column},title=a%3A invalid::");
        assert!(said.out.contains(&command), "{said:#?}");
    }
}

#[test]
fn files_that_are_no_schemas_are_reported_and_not_fatal_to_the_others() {
    let folder = folder(&[("good.avsc", "\"string\""), ("schemas.yaml", "")]);
    let at = folder.path();
    std::fs::write(at.join("latin.avsc"), b"{\n\"type\": \"\xe9\"}").unwrap();
    std::fs::write(at.join("huge.json"), vec![b' '; 9 << 20]).unwrap();
    let large = format!("{{\"description\": \"{}\"}}", "x".repeat(5_000_000));
    std::fs::write(at.join("large.json"), large).unwrap();
    std::os::unix::fs::symlink("loop.avsc", at.join("loop.avsc")).unwrap();
    std::os::unix::fs::symlink(".", at.join("around")).unwrap();
    std::fs::create_dir(at.join("folder.avsc")).unwrap();
    let said = schema(at, &["check", "."]);
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.out.contains("good.avsc: good: valid\n"), "{said:#?}");
    assert!(said.out.contains("large.json: large: valid\n"), "{said:#?}");
    assert!(
        said.out.contains("latin.avsc:2:10: latin: invalid: is not UTF-8"),
        "{said:#?}"
    );
    assert!(
        said.out.contains("huge.json: huge: invalid: has more than"),
        "{said:#?}"
    );
    assert!(
        said.out
            .contains("loop.avsc: loop: invalid: cannot be read: Too many levels of symbolic links"),
        "{said:#?}"
    );
    assert!(said.out.ends_with("3 of 5 not good\n"), "{said:#?}");
}

#[test]
fn a_hook_gets_some_files_and_the_manifest_above_them_holds() {
    let house = house();
    let run = |args: &[&str]| schema(house.path(), args);
    let said = run(&["check", "schemas/proto/order.proto", "schemas/order.avsc"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(said.out.lines().count(), 4, "only what was named: {said:#?}");
    let said = run(&["check", "schemas/schemas.yaml"]);
    assert!(said.out.ends_with("8 good\n"), "{said:#?}");
    // From within, and with a file that another needs broken.
    write(house.path(), &[("schemas/customer.avsc", "{")]);
    let said = schema(&house.path().join("schemas"), &["check", "order.avsc"]);
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.out
            .contains("order.avsc: order: skipped (it refers to `customer`, which is not good)"),
        "{said:#?}"
    );
}

#[test]
fn a_reference_that_only_a_registry_has_is_asked_for_there() {
    let manifest =
        "schemas:\n  - file: a.avsc\n    references: [{ name: com.example.Money, subject: money }]\n";
    let folder = folder(&[
        ("schemas.yaml", manifest),
        (
            "a.avsc",
            &record("A", r#"{"name": "m", "type": "com.example.Money"}"#),
        ),
    ]);
    let said = schema(folder.path(), &["check", "."]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(
        said.out.contains(
            "a.avsc: a: unresolved (only its syntax was looked at: subject `money` not among the files"
        ),
        "{said:#?}"
    );
    let registry = Registry::start();
    let url = registry.url();
    let said = schema(folder.path(), &["check", ".", "--registry", &url]);
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.out
            .contains("it refers to `money`, which neither the files nor the registry have"),
        "{said:#?}"
    );
    let body = serde_json::json!({ "schema": record("Money", "") }).to_string();
    registry.ok("POST", "/subjects/money/versions", &body);
    let said = schema(folder.path(), &["register", ".", "--registry", &url]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(
        registry.ok("GET", "/subjects/a/versions/1", "")["references"][0]["version"],
        1
    );
    let said = schema(folder.path(), &["register", ".", "--registry", &url]);
    assert!(said.out.contains("a.avsc: a: unchanged"), "{said:#?}");
    write(folder.path(), &[("a.avsc", "{ nonsense")]);
    assert_eq!(
        schema(folder.path(), &["check", "."]).code,
        1,
        "syntax is looked at without the reference"
    );
}

#[test]
fn a_bad_manifest_is_told_at_its_line_with_78() {
    let customer = record("Customer", "");
    let check = |manifest: &str| {
        let folder = folder(&[
            ("schemas.yaml", manifest),
            ("a.avsc", &customer),
            ("b.avsc", "\"int\""),
        ]);
        schema(folder.path(), &["check", "."])
    };
    for (manifest, expected) in [
        (
            "schemas:\n  - filee: a.avsc\n",
            "schemas.yaml:2:5: unknown key `filee` in `schemas`; did you mean `file`?",
        ),
        (
            "schemas:\n  - file: c.avsc\n",
            "schemas.yaml:2:5: `file`: there is no file `c.avsc` here",
        ),
        (
            "schemas:\n  - { file: a.avsc, references: [{ name: B, file: b.avsc }] }\n  - { file: b.avsc, references: [{ name: A, file: a.avsc }] }\n",
            "schemas.yaml:2:5: references form a circle: a.avsc -> b.avsc -> a.avsc",
        ),
        (
            "schemas:\n  - { file: a.avsc, subject: b }\n",
            "subject `b` is that of a.avsc and of b.avsc",
        ),
        ("schemas: [\n", "schemas.yaml:"),
    ] {
        let said = check(manifest);
        assert_eq!(said.code, 78, "{said:#?}");
        assert!(said.err.contains(expected), "{said:#?}");
    }
}

#[test]
fn two_states_of_a_file_are_compared_without_a_registry() {
    let folder = folder(&[
        ("old.avsc", &record("A", "")),
        ("new.avsc", &record("A", r#"{"name": "x", "type": "int"}"#)),
    ]);
    let run = |args: &[&str]| {
        schema(
            folder.path(),
            &[&["check", "new.avsc", "--against", "old.avsc"], args].concat(),
        )
    };
    assert_eq!(run(&[]).code, 1);
    assert_eq!(run(&["--compatibility", "FORWARD"]).code, 0);
    assert_eq!(run(&["--compatibility", "SIDEWAYS"]).code, 64);
}

#[test]
fn subjects_are_listed_and_schemas_shown() {
    let house = house();
    let registry = Registry::start();
    let at = ["--registry", &registry.url()];
    let run = |args: &[&str]| schema(house.path(), &[args, &at].concat());
    assert_eq!(run(&["register", "schemas"]).code, 0);
    registry.ok("DELETE", "/subjects/order-json", "");
    assert_eq!(
        run(&["list", "order"]).out,
        "order  1\norder-proto  1\norder-proto-copy  1\n"
    );
    assert_eq!(run(&["list", ":.billing:"]).out, ":.billing:invoice  1\n");
    assert!(
        run(&["list", "--deleted"])
            .out
            .contains("order-json  1 (deleted)\n")
    );
    let json = run(&["list", "order-p", "--output", "json"]).json();
    assert_eq!(
        json[0],
        serde_json::json!({ "subject": "order-proto", "versions": [{ "version": 1, "deleted": false }] })
    );

    let said = run(&["show", "order"]);
    assert!(
        said.out
            .contains("reference  com.example.Customer -> customer:1\n"),
        "{said:#?}"
    );
    assert!(said.out.contains("\n      \"name\": \"by\",\n"), "{said:#?}");
    let shown = run(&["show", "order:1", "--output", "json"]).json();
    for name in [
        format!("id:{}", shown["id"]),
        format!("guid:{}", shown["guid"].as_str().unwrap()),
    ] {
        let same = run(&["show", &name, "--output", "json"]).json();
        assert_eq!(same["schema"], shown["schema"], "{name}");
    }
    assert_eq!(run(&["show", "order-json"]).code, 66);
    assert!(
        run(&["show", "order-json:1", "--deleted"])
            .out
            .contains("version    1 (deleted)\n")
    );
    for wrong in [
        "nope",
        "order:9",
        "id:4711",
        "guid:00000000-0000-0000-0000-000000000000",
    ] {
        assert_eq!(run(&["show", wrong]).code, 66, "{wrong}");
    }
}

/// Answers requests with what `answer` makes of each, as many as come.
fn tiny_server(answer: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = [0; 8192];
            let length = socket.read(&mut request).unwrap();
            let answer = answer(&String::from_utf8_lossy(&request[..length]));
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    url
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_registry_that_is_down_busy_or_none_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let list = |url: &str| schema(folder.path(), &["list", "--registry", url]);
    let down = list("http://127.0.0.1:1");
    assert_eq!(down.code, 69, "{down:#?}");
    assert!(down.err.contains("http://127.0.0.1:1/subjects"), "{down:#?}");
    let busy = list(&tiny_server(|_| {
        http("503 Busy", r#"{"error_code":50004,"message":"no leader"}"#)
    }));
    assert_eq!(busy.code, 69, "{busy:#?}");
    assert!(
        busy.err.contains("answers 503 (error_code 50004): no leader"),
        "{busy:#?}"
    );
    let other = list(&tiny_server(|_| http("200 OK", "<html>")));
    assert_eq!(other.code, 65, "{other:#?}");
    for wrong in [
        &["list"][..],
        &["list", "--registry", "localhost:8081"],
        &["list", "--registry", "http://u:p@h"],
        &["lsit"],
    ] {
        assert_eq!(schema(folder.path(), wrong).code, 64, "{wrong:?}");
    }
}

#[test]
fn several_registries_are_tried_in_turn_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let second = tiny_server(move |_| {
        if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            http("500 Error", r#"{"error_code":50003,"message":"leader away"}"#)
        } else {
            http("200 OK", "[]")
        }
    });
    let urls = format!("http://127.0.0.1:1,{second}");
    let said = schema(folder.path(), &["list", "--registry", &urls]);
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:#?}");
}

#[test]
fn credentials_come_from_the_environment_or_a_file_and_wrong_ones_are_77() {
    let folder = folder(&[("password", "s3cret\nmore\n"), ("token", "t0ken")]);
    // "me:s3cret" in base64.
    let url = tiny_server(|request| {
        let request = request.to_ascii_lowercase();
        let known = ["authorization: basic bwu6cznjcmv0", "authorization: bearer t0ken"];
        if known.iter().any(|known| request.contains(known)) {
            http("200 OK", "[]")
        } else {
            http(
                "401 Unauthorized",
                r#"{"error_code":40101,"message":"Unauthorized"}"#,
            )
        }
    });
    let list = |environment: &[(&str, &str)], args: &[&str]| {
        schema_with(
            folder.path(),
            environment,
            &[&["list", "--registry", &url], args].concat(),
        )
    };
    assert_eq!(list(&[], &[]).code, 77);
    assert_eq!(
        list(&[("PORTCULLIS_REGISTRY_PASSWORD", "s3cret")], &["--user", "me"]).code,
        0
    );
    assert_eq!(
        list(&[], &["--user", "me", "--password-file", "password"]).code,
        0
    );
    assert_eq!(list(&[], &["--token-file", "token"]).code, 0);
    assert_eq!(list(&[("PORTCULLIS_REGISTRY_TOKEN", "t0ken")], &[]).code, 0);
    let wrong = list(&[("PORTCULLIS_REGISTRY_PASSWORD", "wr0ng")], &["--user", "me"]);
    assert_eq!(wrong.code, 77, "{wrong:#?}");
    assert!(!wrong.err.contains("wr0ng"), "{wrong:#?}");
    assert_eq!(list(&[], &["--user", "me"]).code, 64, "no password anywhere");
    assert_eq!(list(&[], &["--token-file", "nowhere"]).code, 66);
}

#[test]
fn a_report_that_cannot_be_written_is_73() {
    let folder = folder(&[("a.avsc", "\"string\"")]);
    let said = schema(
        folder.path(),
        &["check", "a.avsc", "--junit", "/proc/nowhere/report.xml"],
    );
    assert_eq!(said.code, 73, "{said:#?}");
    assert!(Path::new("/proc").exists());
}
