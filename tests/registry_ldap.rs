//! The promise: users of an LDAP directory are let in with their passwords and their groups, by OpenLDAP's own word; nobody
//! is let in by a name that is made of filter or of a distinguished name, without a password, or because the server is
//! away. `cargo test --features ldap --test registry_ldap`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use base64::Engine as _;
use portcullis::registry::access::users;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::embedded::BROKER;
use support::gateway::{Portcullis, Setup};
use support::http;
use support::process::eventually;
use support::slapd::Slapd;
use support::tls::Authority;
use tempfile::TempDir;

const ENTRIES: &str = r"dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=reader,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: secret-of-reader

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=partners,dc=example,dc=com
objectClass: organizationalUnit
ou: partners

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: uid=alice,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
userPassword: secret-of-alice

dn: uid=bob,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
userPassword: secret-of-bob

dn: uid=j*(r)\2c dc\3dx,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: j*(r), dc=x
cn: J R
sn: J
userPassword: secret-of-j

dn: uid=twice,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twice
cn: Twice
sn: T
userPassword: secret-of-twice

dn: uid=twice,ou=partners,dc=example,dc=com
objectClass: inetOrgPerson
uid: twice
cn: Twice
sn: T
userPassword: secret-of-twice

dn: cn=payments,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: payments
member: uid=alice,ou=people,dc=example,dc=com
member: uid=j*(r)\2c dc\3dx,ou=people,dc=example,dc=com

dn: cn=readers,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: readers
member: uid=alice,ou=people,dc=example,dc=com
member: uid=bob,ou=people,dc=example,dc=com
";

/// Users are searched with the reader's rights.
const SEARCH: &str = r#"bind_dn: "cn=reader,dc=example,dc=com"
bind_password: secret-of-reader
user_search: { base: "dc=example,dc=com", filter: "(&(objectClass=person)(uid={user}))" }
group_search: { base: "ou=groups,dc=example,dc=com", filter: "(member={dn})" }
"#;
/// Users are bound by their name, and see their groups themselves.
const TEMPLATE: &str = r#"user_dn: "uid={user},ou=people,dc=example,dc=com"
group_search: { base: "ou=groups,dc=example,dc=com", filter: "(&(objectClass=groupOfNames)(member={dn}))" }
"#;

struct House {
    folder: TempDir,
    authority: Authority,
    directory: Slapd,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        let identity = authority.sign("directory", &["127.0.0.1"]);
        let directory = Slapd::start(ENTRIES, &authority.certificate(), &identity);
        Self {
            folder,
            authority,
            directory,
        }
    }

    /// A registry whose users are in the directory; `keys`: the rest of `ldap:`.
    fn registry(&self, keys: &str) -> Portcullis {
        registry(&self.directory.url(), keys, "")
    }
}

/// `more`: further keys of `security:`.
fn registry(url: &str, keys: &str, more: &str) -> Portcullis {
    let mut setup = Setup::new(&BROKER);
    let keys = keys.trim_end().replace('\n', "\n    ");
    setup.registry_extra = format!(
        "security:
  ldap:
    url: {url}
    {keys}
  limits: {{ failures_per_minute: 10000 }}
  rules:
    - subjects: [\"payments.*\"]
      write: [\"group:payments\"]
      read: [\"group:payments\"]
    - subjects: [\"*\"]
      read: [\"group:readers\", \"user:carol\"]
{more}"
    );
    setup.start()
}

fn ask(
    registry: &Portcullis,
    method: &str,
    path: &str,
    name: &str,
    password: &str,
    body: Option<&str>,
) -> u16 {
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    let header = format!("Authorization: Basic {credentials}\r\n");
    let socket = std::net::TcpStream::connect(&registry.registry).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let answer = http::exchange(socket, method, &registry.registry, path, &header, body);
    answer.unwrap().expect("an answer").status
}

fn reads(registry: &Portcullis, name: &str, password: &str) -> u16 {
    ask(registry, "GET", "/subjects", name, password, None)
}

fn registers(registry: &Portcullis, name: &str, password: &str) -> u16 {
    let body = r#"{"schema":"\"string\""}"#;
    let path = "/subjects/payments.orders-value/versions";
    ask(registry, "POST", path, name, password, Some(body))
}

#[test]
fn a_user_of_the_directory_may_do_what_its_groups_may() {
    let house = House::new();
    for keys in [SEARCH, TEMPLATE] {
        let registry = house.registry(keys);
        assert_eq!(
            registers(&registry, "alice", "secret-of-alice"),
            200,
            "{}",
            registry.said()
        );
        assert_eq!(reads(&registry, "alice", "secret-of-alice"), 200);
        assert_eq!(reads(&registry, "bob", "secret-of-bob"), 200);
        assert_eq!(registers(&registry, "bob", "secret-of-bob"), 403);
        // Its name is full of what filters and distinguished names are made of.
        assert_eq!(
            registers(&registry, "j*(r), dc=x", "secret-of-j"),
            200,
            "{}",
            registry.said()
        );
        for (name, password) in [
            ("alice", "secret-of-bob"),
            ("alice", "secret-of-alice "),
            ("nobody", "secret-of-alice"),
            ("reader", "secret-of-reader"),
        ] {
            assert_eq!(reads(&registry, name, password), 401, "{name}");
        }
        let said = registry.said();
        assert!(!said.contains("secret-of-"), "{said}");
    }
}

#[test]
fn nobody_is_let_in_without_a_password_or_by_a_name_that_is_more_than_a_name() {
    let house = House::new();
    for keys in [SEARCH, TEMPLATE] {
        let registry = house.registry(keys);
        // This directory calls such a bind a success.
        assert_eq!(reads(&registry, "alice", ""), 401);
        assert_eq!(reads(&registry, "", ""), 401);
        for name in [
            "*",
            "a*",
            "alice)(uid=*",
            "alice)(|(uid=*",
            "*)(objectClass=*",
            "\\61lice)",
            "alice\\",
            "alice,ou=people,dc=example,dc=com",
            "alice+cn=Alice",
            "{dn}",
            "alice\0",
            "ali\u{1}ce",
        ] {
            assert_eq!(reads(&registry, name, "secret-of-alice"), 401, "{name:?}");
        }
        assert_eq!(reads(&registry, "alice", "secret-of-alice"), 200);
    }
}

#[test]
fn a_name_that_several_entries_have_is_nobodys() {
    let house = House::new();
    let registry = house.registry(SEARCH);
    assert_eq!(reads(&registry, "twice", "secret-of-twice"), 401);
    assert!(registry.said().contains("several LDAP entries are one user"));
}

#[test]
fn the_directory_is_spoken_to_in_tls_with_its_certificate_verified() {
    let house = House::new();
    let url = house.directory.tls_url();
    let with = |ca: &Authority| format!("ca: {}\n{SEARCH}", ca.certificate().display());
    let good = registry(&url, &with(&house.authority), "");
    assert_eq!(reads(&good, "alice", "secret-of-alice"), 200, "{}", good.said());
    assert!(!good.said().contains("in the clear"));
    let other = Authority::called("other", house.folder.path());
    let bad = registry(&url, &with(&other), "");
    assert_eq!(reads(&bad, "alice", "secret-of-alice"), 503);
    assert!(
        bad.said().contains("a password could not be verified"),
        "{}",
        bad.said()
    );
    let clear = house.registry(SEARCH);
    assert!(
        clear.said().contains("in the clear: use ldaps://"),
        "{}",
        clear.said()
    );
}

#[test]
fn a_directory_that_is_away_lets_in_whom_it_let_in_a_moment_ago_and_nobody_else() {
    let mut house = House::new();
    let registry = house.registry(&format!("{SEARCH}timeout: 2s\ncache: 1h\n"));
    assert_eq!(reads(&registry, "alice", "secret-of-alice"), 200);
    house.directory.stop();
    assert_eq!(reads(&registry, "alice", "secret-of-alice"), 200);
    assert_eq!(reads(&registry, "alice", "another"), 503);
    assert_eq!(reads(&registry, "bob", "secret-of-bob"), 503);
    assert!(
        registry.said().contains("the LDAP server cannot be used"),
        "{}",
        registry.said()
    );
    registry.signal("HUP");
    eventually("what was remembered is forgotten", || {
        reads(&registry, "alice", "secret-of-alice") == 503
    });
    house.directory.start_again();
    assert_eq!(reads(&registry, "bob", "secret-of-bob"), 200);
    let said = registry.said();
    assert!(!said.contains("secret-of-"), "{said}");
}

#[test]
fn a_password_is_asked_for_again_when_its_time_is_over() {
    let mut house = House::new();
    let registry = house.registry(&format!("{SEARCH}cache: 1s\n"));
    assert_eq!(reads(&registry, "alice", "secret-of-alice"), 200);
    house.directory.stop();
    eventually("it is asked for again", || {
        reads(&registry, "alice", "secret-of-alice") == 503
    });
}

#[test]
fn a_directory_that_does_not_answer_is_waited_for_a_bounded_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", silent.local_addr().unwrap());
    let registry = registry(&url, &format!("{TEMPLATE}timeout: 1s\n"), "");
    let began = Instant::now();
    // More at once than there may be connections.
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(reads(&registry, "alice", "secret-of-alice"), 503));
        }
    });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(
        registry.said().contains("did not answer within 1000 ms"),
        "{}",
        registry.said()
    );
}

#[test]
fn a_name_in_the_file_of_users_is_not_looked_for_in_the_directory() {
    let house = House::new();
    let file = house.folder.path().join("users.txt");
    let lines = [
        users::line("alice", "of-the-file", &[]).unwrap(),
        users::line("carol", "of-the-file", &[]).unwrap(),
    ];
    fs::write(&file, lines.join("\n")).unwrap();
    let basic = format!("  basic: {{ users: {} }}\n", file.display());
    let registry = registry(&house.directory.url(), SEARCH, &basic);
    assert_eq!(reads(&registry, "carol", "of-the-file"), 200);
    assert_eq!(
        reads(&registry, "alice", "of-the-file"),
        403,
        "it has no group there"
    );
    assert_eq!(reads(&registry, "alice", "secret-of-alice"), 401);
    assert_eq!(reads(&registry, "bob", "secret-of-bob"), 200);
}
