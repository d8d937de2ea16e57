use crate::config::{CommandLine, Options, parse};
use crate::registry::SecurityOptions;
use crate::registry::access::limits::Rate;
use crate::registry::access::options::{AuditOptions, BearerOptions, CertificateName, KeySource};
use crate::registry::access::{Method, Principal, Role, Roles, Target};
use std::path::Path;
use std::time::Duration;

const BEFORE: &str = "upstream: { bootstrap_servers: [\"k:9092\"] }\nregistry:\n  embedded:\n";

/// `text`: the section, indented by four, its first line being the file's fourth.
fn read(text: &str) -> Result<Options, crate::config::Diagnostics> {
    let file = Path::new("/etc/portcullis/p.yaml");
    let exists = |path: &Path| !path.ends_with("missing");
    let nothing = |_: &str| None;
    parse(
        &format!("{BEFORE}{text}"),
        file,
        &nothing,
        &exists,
        &CommandLine::default(),
    )
}

fn good(text: &str) -> SecurityOptions {
    read(text).unwrap().registry.security.unwrap()
}

/// The diagnostics' lines, without the file's name.
fn wrong(text: &str) -> Vec<String> {
    let found = read(text).err().map(|found| found.0).unwrap_or_default();
    let lines = found.iter().map(ToString::to_string);
    lines
        .map(|line| line.trim_start_matches("/etc/portcullis/p.yaml:").to_owned())
        .collect()
}

#[test]
fn without_the_section_nothing_is_controlled_and_with_little_of_it_much_is() {
    assert!(
        read("    listen: 0.0.0.0:8081\n")
            .unwrap()
            .registry
            .security
            .is_none()
    );
    let options = good("    security: { basic: { users: users.txt } }\n");
    assert_eq!(
        options.users.as_deref(),
        Some(Path::new("/etc/portcullis/users.txt"))
    );
    assert_eq!(options.audit, AuditOptions::Log);
    assert_eq!(options.limits.failures_per_minute, 30);
    assert_eq!(
        (options.limits.requests, options.limits.body_bytes_max),
        (None, None)
    );
    assert!(!options.rules.knows(&Principal::anonymous()));
    let bearer = good(
        "    security: { bearer: { jwks_file: k.json, issuer: \"https://idp\", audience: registry } }\n",
    );
    assert_eq!(
        bearer.bearer,
        Some(BearerOptions {
            keys: KeySource::File("/etc/portcullis/k.json".into()),
            issuer: "https://idp".to_owned(),
            audiences: vec!["registry".to_owned()],
            clock_skew: Duration::from_mins(1),
            principal_claim: "sub".to_owned(),
            groups_claim: "groups".to_owned(),
        })
    );
}

/// Its comment marks taken away, the section of the full example says what it is meant to say.
#[test]
fn the_full_example_is_understood() {
    let full = include_str!("../../../../config/full.yaml");
    let start = full.find("    # security:").unwrap();
    let mut section = String::new();
    let mut of_ldap = false;
    for line in full[start..].lines().take_while(|line| line.starts_with("    #")) {
        let line = line.replacen("# ", "", 1);
        // Only a build with LDAP has that; its own tests read it.
        let begins = line.get(6..7).is_some_and(|first| first != " ");
        of_ldap = line.starts_with("      ldap:") || (of_ldap && !begins);
        if !of_ldap {
            section.push_str(&line);
            section.push('\n');
        }
    }
    let options = good(&section);
    let principal = |name: &str, groups: &[&str]| Principal {
        name: name.into(),
        groups: groups.iter().map(|&group| group.into()).collect(),
        roles: Roles::NONE,
        method: Method::Basic,
    };
    let roles = |name: &str, groups: &[&str], subject: &str| {
        options
            .rules
            .roles(&principal(name, groups), Target::Subject(subject))
    };
    assert!(roles("x", &["payments"], "payments.a").has(Role::Write));
    assert!(!roles("x", &[], "payments.a").has(Role::Write));
    assert!(roles("alice", &[], "other").has(Role::Admin));
    assert!(options.rules.anonymous.has(Role::Read));
    let groups: Vec<_> = options
        .groups_of("CN=orders,O=Bank")
        .map(ToString::to_string)
        .collect();
    assert_eq!(groups, ["payments"]);
    assert_eq!(options.certificates, Some(CertificateName::DistinguishedName));
    assert_eq!(
        options.limits.requests,
        Some(Rate {
            per_second: 100.0,
            burst: 200
        })
    );
    assert_eq!(options.limits.body_bytes_max, Some(5 << 20));
    assert!(options.bearer.is_some() && options.users.is_some());
}

#[test]
fn a_provider_by_url_is_asked_over_tls_or_on_this_machine() {
    let source = |more: &str| {
        let text = format!("    security: {{ bearer: {{ {more}, issuer: i, audience: [a, b] }} }}\n");
        good(&text).bearer.unwrap().keys
    };
    assert_eq!(
        source("jwks_url: \"https://idp/keys\", ca: ca.pem, refresh: 30s"),
        KeySource::Url {
            url: "https://idp/keys".to_owned(),
            ca: Some("/etc/portcullis/ca.pem".into()),
            refresh: Duration::from_secs(30),
        }
    );
    for here in ["http://localhost:1/k", "http://127.0.0.1/k", "http://[::1]:80/k"] {
        let KeySource::Url { url, refresh, .. } = source(&format!("jwks_url: \"{here}\"")) else {
            panic!("{here}");
        };
        assert_eq!((&*url, refresh), (here, Duration::from_mins(5)));
    }
    for (url, why) in [
        (
            "http://idp/keys",
            "keys over plain http only from this machine: use https",
        ),
        (
            "http://localhost.evil.example/k",
            "keys over plain http only from this machine: use https",
        ),
        ("ftp://idp/keys", "neither https nor http"),
        ("keys.json", "not a URL"),
        (
            "https://user:secret@idp/keys",
            "a user or a password may not be part of it",
        ),
    ] {
        let text = format!("    security: {{ bearer: {{ jwks_url: \"{url}\", issuer: i, audience: a }} }}\n");
        let found = wrong(&text);
        assert!(found.len() == 1 && found[0].contains(why), "{found:?}");
        assert!(!found[0].contains("secret"));
    }
}

#[test]
fn every_mistake_is_named_with_its_line_and_what_to_write() {
    let text = r#"    security:
      anonymous: [REED]
      basic: { users: missing }
      bearer: { jwks_file: k, jwks_url: "https://idp/k", clock_skew: 1h, isuer: x }
      certificates: { principal: comon_name }
      groups: [a]
      rules:
        - { subjects: ["/(/", "a*"], read: ["alice"], rite: ["*"] }
        - { subjects: [], write: "*" }
        - { subjects: ["a"] }
      audit: { fil: x }
      limits: { burst: 5, body: big, failures_per_minute: 0 }
      rulez: []
"#;
    let found = wrong(text);
    let expected = [
        "5:19: `anonymous`: `REED` is not known; did you mean `READ`?",
        "6:23: `users`: there is no file /etc/portcullis/missing",
        "7:15: `registry.embedded.security.bearer.issuer` is missing; for example",
        "bearer.audience` is missing; for example `audience: schema-registry`",
        "`jwks_file` and `jwks_url` are both there; leave one of them out",
        "`clock_skew`: `1h` is more than 600 s",
        "unknown key `isuer`",
        "did you mean `issuer`?",
        "`principal`: `comon_name` is not known; did you mean `common_name`?",
        "`groups` must be a section of groups and members, not a list",
        "`subjects`: `/(/`: not a regular expression",
        "`alice` is neither `user:NAME`, `group:NAME`, `anonymous` nor `*`",
        "unknown key `rite`",
        "`write` must be a list, not text",
        "12:11: the rule is for no subject",
        "13:11: the rule grants nothing to anybody; for example `read: [\"*\"]`",
        "unknown key `fil`",
        "`burst` is of no use without `requests_per_second`",
        "`body`: `big` is not a size",
        "`failures_per_minute`: `0` is not a number from 1",
        "unknown key `rulez` in `registry.embedded.security`; did you mean `rules`?",
    ];
    for what in expected {
        assert!(
            found.iter().any(|line| line.contains(what)),
            "{what} is not in\n{}",
            found.join("\n")
        );
    }
    let nobody = wrong("    security: { rules: [] }\n");
    assert!(
        nobody[0].contains("4:15: `security` lets nobody in"),
        "{nobody:?}"
    );
}
