//! Tokens: signed by another implementation (`tokens.py`), good and hostile, with keys from a file and by URL.

use super::house::{House, basic, schema, users};
use super::tls::Authority;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ISSUER: &str = "https://idp.example.com/";
const AUDIENCE: &str = "schema-registry";

/// What `tokens.py` has made.
struct Made {
    keys: String,
    rotated: String,
    good: BTreeMap<String, String>,
    hostile: BTreeMap<String, String>,
    new: String,
    bob: String,
}

fn made() -> Made {
    let real = std::env::var_os("PORTCULLIS_REAL").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real"),
        PathBuf::from,
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry_security/tokens.py");
    let output = Command::new(real.join("venv/bin/python"))
        .arg(script)
        .args([ISSUER, AUDIENCE])
        .output()
        .expect("run `bash tests/run --fetch` once");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let several = |name: &str| serde_json::from_value(made[name].clone()).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    Made {
        keys: made["keys"].to_string(),
        rotated: made["rotated"].to_string(),
        good: several("good"),
        hostile: several("hostile"),
        new: text("new"),
        bob: text("bob"),
    }
}

fn security(keys: &str) -> String {
    format!(
        r#"
      bearer: {{ {keys}, issuer: "{ISSUER}", audience: ["other", "{AUDIENCE}"] }}
      rules:
        - {{ subjects: ["payments.*"], read: ["*"], write: ["group:payments"] }}
        - {{ subjects: ["bobs"], read: ["user:bob"] }}
      audit: {{ file: audit.jsonl }}
      limits: {{ failures_per_minute: 100000 }}"#
    )
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn tokens_of_all_three_algorithms_are_taken_and_hostile_ones_are_not() {
    let made = made();
    let house = House::start(&security("jwks_file: keys.json"), &[("keys.json", &made.keys)]);
    for (name, token) in &made.good {
        let path = "/subjects/payments.orders-value/versions";
        let answer = house.ask(&bearer(token), "POST", path, Some(schema("Order")));
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
    }
    let mut answers: Vec<String> = Vec::new();
    for (name, token) in &made.hostile {
        let answer = house.get(&bearer(token), "/subjects");
        assert_eq!(answer.code(), (401, 40_101), "{name}: {answer:?}");
        let challenge = answer.header("www-authenticate");
        let expected = [
            r#"Bearer realm="schema-registry", error="invalid_token""#,
            r#"Bearer realm="schema-registry", error="invalid_request""#,
        ];
        assert!(
            challenge.len() == 1 && expected.contains(&challenge[0]),
            "{name}: {challenge:?}"
        );
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(
        answers,
        [r#"{"error_code":40101,"message":"Unauthorized"}"#],
        "nothing is told of what was wrong"
    );
    assert_eq!(
        house.get("", "/subjects").header("www-authenticate"),
        [r#"Bearer realm="schema-registry""#]
    );
    assert_eq!(house.get(&basic("alice", "x"), "/subjects").code(), (401, 40_101));
    // A token says in which groups its principal is, and rules what these may do.
    let bob = bearer(&made.bob);
    assert_eq!(house.get(&bob, "/subjects/bobs/versions").code(), (404, 40_401));
    assert_eq!(
        house
            .get(&bearer(&made.good["RS256"]), "/subjects/bobs/versions")
            .code(),
        (403, 40_301)
    );
    let answer = house.ask(&bob, "POST", "/subjects/payments.x/versions", Some(schema("X")));
    assert_eq!(answer.code(), (403, 40_301));
    let audit = house.audit("audit.jsonl", |lines| {
        lines.iter().any(|line| line["principal"] == "bob")
    });
    assert_eq!(audit[0]["method"], "bearer");
    assert_eq!(audit[0]["principal"], "alice");

    let told = house.log() + &super::house::read(&house.path("audit.jsonl"));
    for reason in [
        "kid is not in the key set",
        "alg is none of",
        "has expired",
        "exp is not a number",
        "signature is not",
    ] {
        assert!(told.contains(reason), "the log says why: {reason}");
    }
    let all = house.stop() + &told;
    for token in made.good.values().chain(made.hostile.values()) {
        // The header is the same everywhere; what follows it is a secret.
        let secret = token.split_once('.').map_or(&**token, |(_, rest)| rest);
        if secret.len() > 40 {
            assert!(!all.contains(&secret[..40]), "a token is in the log: {token}");
        }
    }
}

/// The command of the issue, as it is written there but for the port.
#[test]
fn a_schema_is_registered_with_curl_and_a_token() {
    let made = made();
    let house = House::start(&security("jwks_file: keys.json"), &[("keys.json", &made.keys)]);
    let command = r#"curl -H "Authorization: Bearer $TOKEN" -X POST -H "Content-Type: application/vnd.schemaregistry.v1+json" --data '{"schema": "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"order_id\",\"type\":\"string\"}]}"}' http://localhost:8081/subjects/payments.orders-value/versions"#;
    let output = Command::new("bash")
        .args(["-c", &command.replace("8081", &house.port.to_string())])
        .env("TOKEN", &made.good["RS256"])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(
        (&answer["id"], &answer["version"]),
        (&1.into(), &1.into()),
        "{answer}"
    );
    let output = Command::new("bash")
        .args(["-c", &command.replace("8081", &house.port.to_string())])
        .env("TOKEN", &made.hostile["none"])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["error_code"], 40_101, "{answer}");
}

/// An identity provider that answers what it is told to, and counts how often it is asked.
struct Provider {
    port: u16,
    /// Status and body; without one it hangs up.
    answer: Arc<Mutex<Option<(u16, String)>>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    fn start(answer: Option<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let provider = Self {
            port: listener.local_addr().unwrap().port(),
            answer: Arc::new(Mutex::new(answer)),
            asked: Arc::default(),
        };
        let (answer, asked) = (provider.answer.clone(), provider.asked.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                asked.fetch_add(1, Ordering::SeqCst);
                let answer = answer.lock().unwrap().clone();
                let Some((status, body)) = answer else { continue };
                let mut request = [0; 4_096];
                let _ = socket.read(&mut request);
                let _ = write!(
                    socket,
                    "HTTP/1.1 {status} X\r\nLocation: /elsewhere\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        provider
    }

    fn says(&self, answer: Option<(u16, String)>) {
        *self.answer.lock().unwrap() = answer;
    }
}

fn eventually(what: &str, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !probe() {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn keys_by_url_are_fetched_rotated_and_kept_when_the_provider_is_down() {
    let made = made();
    let provider = Provider::start(None);
    let keys = format!(
        "jwks_url: \"http://127.0.0.1:{}/keys\", refresh: 1s",
        provider.port
    );
    let house = House::start(&security(&keys), &[]);
    let old = bearer(&made.good["ES256"]);
    let new = bearer(&made.new);
    assert_eq!(
        house.get(&old, "/subjects").code(),
        (401, 40_101),
        "no keys, no entry"
    );
    assert!(house.log().contains("the identity provider's keys cannot be had"));
    provider.says(Some((200, made.keys.clone())));
    eventually("the keys are had", || house.get(&old, "/subjects").status == 200);
    assert_eq!(house.get(&new, "/subjects").status, 401);
    provider.says(Some((200, made.rotated.clone())));
    eventually("the keys are rotated", || {
        house.get(&new, "/subjects").status == 200
    });
    assert_eq!(house.get(&old, "/subjects").status, 401, "the old key is gone");
    // Down, broken, redirecting to who knows where, or flooding: what was had stays.
    for answer in [
        None,
        Some((500, String::new())),
        Some((302, made.keys.clone())),
        Some((200, "{}".to_owned())),
        Some((200, format!("{}{}", " ".repeat(2 << 20), made.keys))),
    ] {
        let before = provider.asked.load(Ordering::SeqCst);
        provider.says(answer);
        eventually("the provider is asked", || {
            provider.asked.load(Ordering::SeqCst) > before + 1
        });
        assert_eq!(house.get(&new, "/subjects").status, 200);
        assert_eq!(house.get(&old, "/subjects").status, 401);
    }
}

#[test]
fn unknown_keys_do_not_make_the_registry_flood_its_provider() {
    let made = made();
    let provider = Provider::start(Some((200, made.keys.clone())));
    let keys = format!(
        "jwks_url: \"http://localhost:{}/keys\", refresh: 1h",
        provider.port
    );
    let house = House::start(&security(&keys), &[]);
    for _ in 0..50 {
        assert_eq!(
            house
                .get(&bearer(&made.hostile["an unknown kid"]), "/subjects")
                .status,
            401
        );
    }
    assert_eq!(house.get(&bearer(&made.good["EdDSA"]), "/subjects").status, 200);
    assert_eq!(provider.asked.load(Ordering::SeqCst), 1);
}

/// The provider's certificate is checked, against the authority that is named.
#[test]
fn keys_by_url_come_over_tls_from_whom_the_authority_vouches_for() {
    let made = made();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let identity = authority.sign("idp", &["localhost", "127.0.0.1"]);
    std::fs::write(folder.path().join("keys.json"), &made.keys).unwrap();
    let port = super::ports::free_ports("127.0.0.1", 1);
    let server = Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            "-WWW",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ])
        .arg("-cert")
        .arg(&identity.certificate)
        .arg("-key")
        .arg(&identity.key)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Guarded(server);
    eventually("the provider listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let ca = std::fs::read_to_string(authority.certificate()).unwrap();
    let url = format!("jwks_url: \"https://localhost:{port}/keys.json\", refresh: 1s");
    let token = bearer(&made.good["RS256"]);
    let house = House::start(&security(&format!("{url}, ca: ca.pem")), &[("ca.pem", &ca)]);
    eventually("the keys are had", || {
        house.get(&token, "/subjects").status == 200
    });
    let house = House::start(&security(&url), &[]);
    assert_eq!(
        house.get(&token, "/subjects").status,
        401,
        "the system knows no such authority"
    );
    assert!(house.log().contains("keys cannot be had"), "{}", house.log());
    let _ = server.0.kill();
}

/// A process that does not outlive its test.
struct Guarded(std::process::Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn files_of_keys_and_users_are_read_again_and_a_bad_one_changes_nothing() {
    let made = made();
    let security = security("jwks_file: keys.json") + "\n      basic: { users: users.txt }";
    let people = |password: &str| users(&[("carol", password, &[])]);
    let files = [("keys.json", &*made.keys), ("users.txt", &people("one"))];
    let house = House::start(&security, &files);
    let write = |name: &str, text: &str| {
        std::fs::write(house.path(name), text).unwrap();
        house.signal("-HUP");
    };
    let status = |who: &str| house.get(who, "/subjects").status;
    let (old, new) = (bearer(&made.good["RS256"]), bearer(&made.new));
    assert_eq!(
        [status(&old), status(&new), status(&basic("carol", "one"))],
        [200, 401, 200]
    );
    write("keys.json", &made.rotated);
    eventually("the new key is taken", || status(&new) == 200);
    assert_eq!(status(&old), 401);
    write("users.txt", &people("two"));
    eventually("the new password is taken", || {
        status(&basic("carol", "two")) == 200
    });
    assert_eq!(
        status(&basic("carol", "one")),
        401,
        "what was remembered is forgotten"
    );
    write("users.txt", "carol:plain\n");
    eventually("the log says what is wrong", || {
        house.log().contains("users.txt:1: the hash is not argon2id's")
    });
    write("keys.json", "{}");
    eventually("the log says what is wrong", || {
        house.log().contains("keys.json: it is no JSON of the form")
    });
    assert_eq!([status(&new), status(&basic("carol", "two"))], [200, 200]);
}

#[test]
fn a_key_set_that_is_wrong_is_told_at_start() {
    let (code, log) = House::fails(
        &security("jwks_file: keys.json"),
        &[("keys.json", r#"{"keys":[]}"#)],
    );
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("it has no key for RS256, ES256 or EdDSA"), "{log}");
}
