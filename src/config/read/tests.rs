use super::*;
use crate::contract::{
    Action, DeadLetter, Framing, GoverningVersion, Level, OnDeadLetterFailure, OnRegistryDown, Rule,
    Strictness, SubjectNaming,
};
use crate::kafka::{ClientTls, HostPort};
use crate::registry::StoreOptions;
use crate::registry::election::ElectionOptions;
use crate::registry::log::kafka::KafkaStoreOptions;
use crate::schema::{CompatibilityLevel, Formats, UnknownFields, Version};
use std::time::Duration;

fn environment(name: &str) -> Option<String> {
    (name == "KAFKA").then(|| "kafka-1:9092".to_owned())
}

fn read(text: &str) -> Result<Options, Diagnostics> {
    parse(
        text,
        Path::new("/etc/portcullis/p.yaml"),
        &environment,
        &|_| true,
        &CommandLine::default(),
    )
}

/// The diagnostics' lines, without the file's name.
fn wrong(text: &str) -> Vec<String> {
    let found = read(text).err().map(|found| found.0).unwrap_or_default();
    found
        .iter()
        .map(|d| {
            d.to_string()
                .trim_start_matches("/etc/portcullis/p.yaml:")
                .to_owned()
        })
        .collect()
}

fn file_store(folder: &str) -> StoreOptions {
    StoreOptions::File(folder.into())
}

const UPSTREAM: &str = "upstream: { bootstrap_servers: [\"k:9092\"] }\n";

#[test]
fn the_least_file_gets_the_defaults() {
    let options = read(UPSTREAM).unwrap();
    let listener = &options.gateway.listeners[0];
    assert_eq!(listener.address, "0.0.0.0:9192".parse().unwrap());
    assert_eq!((listener.first_port, listener.brokers), (9193, 64));
    assert_eq!(listener.advertised_host, "localhost");
    assert_eq!(options.registry.listen, "0.0.0.0:8081".parse().unwrap());
    assert_eq!(options.registry.store, file_store("portcullis-data/registry"));
    assert_eq!(options.admin, "127.0.0.1:9644".parse().unwrap());
    assert_eq!(options.gateway.limits.frame_bytes_max, 100 << 20);
    assert_eq!(options.gateway.limits.decompression.ratio_max, 128);
    assert!(options.policies.0.is_empty());
}

#[test]
fn the_command_line_alone_gets_the_same_defaults() {
    let command_line = CommandLine {
        upstream: Some("a:1,b:2".to_owned()),
        data: Some("d".into()),
    };
    let options = without_file(&command_line).unwrap();
    let servers = vec![
        HostPort {
            host: "a".into(),
            port: 1,
        },
        HostPort {
            host: "b".into(),
            port: 2,
        },
    ];
    assert_eq!(options.gateway.upstream.bootstrap_servers, servers);
    assert_eq!(options.registry.store, file_store("d/registry"));
    assert_eq!(
        options.gateway.listeners,
        read(UPSTREAM).unwrap().gateway.listeners
    );
    assert!(
        without_file(&CommandLine::default())
            .unwrap_err()
            .to_string()
            .contains("--upstream")
    );
    let broken = CommandLine {
        upstream: Some("a:1,b".to_owned()),
        data: None,
    };
    assert!(
        without_file(&broken)
            .unwrap_err()
            .to_string()
            .contains("`b` is not a host and a port")
    );
}

#[test]
fn the_command_line_goes_before_the_file() {
    let command_line = CommandLine {
        upstream: Some("other:1".to_owned()),
        data: Some("/d".into()),
    };
    let text = format!("{UPSTREAM}registry: {{ embedded: {{ store: {{ file: r }} }} }}\n");
    for text in [text.as_str(), "admin:\n"] {
        let options = parse(text, Path::new("p.yaml"), &environment, &|_| true, &command_line).unwrap();
        assert_eq!(options.gateway.upstream.bootstrap_servers[0].host, "other");
        assert_eq!(options.registry.store, file_store("/d/registry"));
    }
}

#[test]
fn what_is_typed_becomes_what_is_meant() {
    let options = read(
        r#"
upstream:
  bootstrap_servers: ["${KAFKA}", "kafka-2:${PORT:-9093}"]
  tls: { ca: ca.pem, certificate: client.pem, key: /keys/client.key }
gateway:
  listeners:
    - name: internal
      address: 0.0.0.0:9192
      advertised_host: gateway.internal
      routing: { port_per_broker: { first_port: 9200, brokers: 8 } }
    - address: 10.0.0.1:9292
      tls: { certificate: gw.pem, key: gw.key, client_ca: clients.pem }
  limits: { max_frame: 10MiB, max_connections: 5, memory: 20MiB, decompressed_batch: 1MiB, decompression_ratio: 9 }
  drain_timeout: 5s
registry:
  embedded:
    listen: 127.0.0.1:8085
    store: { file: ./registry }
    master_eligibility: true
    compatibility: FULL_TRANSITIVE
    tls: { certificate: r.pem, key: r.key, client_ca: clients.pem, client_auth: optional }
policies:
  - topics: ["payments.*", "/(eu|us)-orders/"]
    value: { level: payload, framing: confluent, subject: topic_name }
    key: { level: off }
    action: observe
    on_registry_down: pass
    null_value: reject
    unknown_fields: reject
    formats: assert
    include_payload: true
  - topics: clicks
    value: { level: schema_id, subject: common-value, envelope: false }
admin: { listen: "127.0.0.1:9000" }
"#,
    )
    .unwrap();
    let upstream = &options.gateway.upstream;
    assert_eq!(
        upstream.bootstrap_servers[1],
        HostPort {
            host: "kafka-2".into(),
            port: 9093
        }
    );
    let tls = ClientTls {
        ca: Some("/etc/portcullis/ca.pem".into()),
        identity: Some(("/etc/portcullis/client.pem".into(), "/keys/client.key".into())),
    };
    assert_eq!(upstream.tls, Some(tls));
    let [internal, external] = options.gateway.listeners.as_slice() else {
        panic!("two listeners")
    };
    assert_eq!((internal.first_port, internal.brokers), (9200, 8));
    assert_eq!(internal.advertised_host, "gateway.internal");
    assert_eq!((external.name.as_str(), external.first_port), ("port-9292", 9293));
    assert_eq!(external.advertised_host, "10.0.0.1");
    let clients = external.tls.as_ref().unwrap().clients.as_ref().unwrap();
    assert_eq!(clients.ca, Path::new("/etc/portcullis/clients.pem"));
    assert!(clients.required);
    let limits = options.gateway.limits;
    assert_eq!((limits.frame_bytes_max, limits.connections_max), (10 << 20, 5));
    assert_eq!(
        (limits.decompression.bytes_max, limits.decompression.ratio_max),
        (1 << 20, 9)
    );
    assert_eq!(options.gateway.drain_timeout, Duration::from_secs(5));
    assert_eq!(options.registry.store, file_store("/etc/portcullis/./registry"));
    assert_eq!(options.registry.compatibility, CompatibilityLevel::FullTransitive);
    let tls = options.registry.tls.as_ref().unwrap();
    assert_eq!(tls.key, Path::new("/etc/portcullis/r.key"));
    assert!(!tls.clients.as_ref().unwrap().required);
    assert_eq!(options.admin.port(), 9000);
    let first = &options.policies.0[0];
    assert_eq!(
        (first.value.level, first.key.level, first.action.clone()),
        (Level::Payload, Level::Off, Action::Observe)
    );
    assert_eq!(first.on_registry_down, OnRegistryDown::Pass);
    assert!(first.include_payload && !first.null_value_allowed);
    let strictest = Strictness {
        unknown_fields: UnknownFields::Reject,
        formats: Formats::Assert,
    };
    assert_eq!(first.strictness, strictest);
    assert_eq!(options.policies.rules_for("us-orders").value, Level::Payload);
    let second = &options.policies.0[1];
    assert!(
        matches!(&second.value.subject, SubjectNaming::Literal(subject) if &*subject.0 == "common-value")
    );
    assert_eq!(second.key.level, Level::Auto);
    assert_eq!(second.strictness, Strictness::default());
}

#[test]
fn every_mistake_is_named_in_one_pass_in_the_files_order() {
    let found = wrong(
        "upstream: { bootstrap_server: [\"k:9092\"] }\ngateway:\n  listners: []\n  drain_timeout: 30\nadmn: 1\n",
    );
    assert_eq!(
        found,
        [
            "1:11: `upstream.bootstrap_servers` is missing; for example `bootstrap_servers: [\"kafka-1:9092\"]`",
            "1:13: unknown key `bootstrap_server` in `upstream`; did you mean `bootstrap_servers`?",
            "3:3: unknown key `listners` in `gateway`; did you mean `listeners`?",
            "4:18: `drain_timeout`: `30` has no unit; for example `drain_timeout: 30s`",
            "5:1: unknown key `admn`; did you mean `admin`?",
        ]
    );
}

#[test]
fn what_this_release_does_not_have_is_refused_by_its_name_and_place() {
    for (text, expected) in [
        (
            "policies:\n  - { topics: [a], key: { framing: header } }\n",
            "3:36: `framing: header`",
        ),
        (
            "policies:\n  - { topics: [a], value: { framing: auto } }\n",
            "3:38: `framing: auto`",
        ),
        (
            "policies:\n  - { topics: [a], value: { subject: record_name } }\n",
            "3:38: `subject: record_name`",
        ),
        (
            "policies:\n  - { topics: [a], value: { subject: topic_record_name } }\n",
            "3:38: `subject: topic_record_name`",
        ),
        (
            "registry: { external: { urls: [\"http://r\"] } }\n",
            "2:13: `registry.external`",
        ),
        (
            "gateway: { listeners: [ { address: 1.1.1.1:1, routing: { sni: { bootstrap: k } } } ] }\n",
            "2:58: `listener.routing.sni`",
        ),
    ] {
        let expected = format!("{expected} is not implemented in this release");
        let found = wrong(&format!("{UPSTREAM}{text}"));
        assert!(
            found
                .iter()
                .any(|line| line.ends_with(&expected) || line == &expected),
            "{text}\n{found:#?}"
        );
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    }
    let found =
        wrong("upstream:\n  bootstrap_servers: [\"k:1\"]\n  sasl: { mechanism: GSSAPI, username: u }\n");
    assert_eq!(
        found,
        [
            "3:9: `upstream.sasl.password` is missing; for example `password: \"${KAFKA_PASSWORD}\"`",
            "3:22: `mechanism`: `GSSAPI` is not known; known here: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
        ]
    );
}

#[test]
fn values_out_of_their_bounds_are_refused_with_an_example() {
    for (text, expected) in [
        (
            "gateway: { limits: { max_frame: huge } }",
            "`huge` is not a size; for example `max_frame: 100MiB`",
        ),
        (
            "gateway: { limits: { max_frame: 2GiB, memory: 4GiB } }",
            "more than the protocol's lengths can say",
        ),
        (
            "gateway: { limits: { memory: 1MiB } }",
            "`max_frame` is more than `memory`",
        ),
        (
            "gateway: { limits: { max_connections: 0 } }",
            "not a number from 1 to 10000000",
        ),
        ("gateway: { listeners: [] }", "`listeners` is empty"),
        (
            "gateway: { listeners: [ { address: gateway } ] }",
            "not an IP address and a port",
        ),
        (
            "gateway: { listeners: [ { address: 0.0.0.0:9192, routing: { port_per_broker: { first_port: 65500 } } } ] }",
            "64 broker ports from 65500 on are more than there are ports",
        ),
        (
            "gateway: { listeners: [ { name: a, address: 0.0.0.0:1 }, { name: a, address: 0.0.0.0:100 } ] }",
            "a second listener is called `a`",
        ),
        (
            "gateway: { listeners: [ { address: 0.0.0.0:1, tls: { certificate: c } } ] }",
            "`listener.tls.key` is missing",
        ),
        (
            "registry: { embedded: { security: { ldap: { url: \"ldap.example.com\" } } } }",
            "is neither `ldaps://HOST:PORT` nor `ldap://HOST:PORT`",
        ),
        (
            "registry: { embedded: { security: { ldap: { url: \"ldaps://l\", user_dn: \"uid=x\" } } } }",
            "`uid=x` has no `{user}`",
        ),
        (
            "registry: { embedded: { security: { ldap: { url: \"ldaps://l\", bind_dn: \"cn=r\", user_dn: \"uid={user}\" } } } }",
            "`bind_dn` and `bind_password` go together",
        ),
        (
            "registry: { embedded: { security: { ldap: { url: \"ldaps://l\" } } } }",
            "finds users by either `user_dn` or `user_search`",
        ),
        (
            "registry: { embedded: { tls: { key: k } } }",
            "`registry.embedded.tls.certificate` is missing; for example `certificate: server.pem`",
        ),
        (
            "registry: { embedded: { tls: { certificate: c, key: k, client_auth: required } } }",
            "`client_auth` without a `client_ca`",
        ),
        (
            "registry: { embedded: { tls: { certificate: c, key: k, client_ca: a, client_auth: requird } } }",
            "did you mean `required`?",
        ),
        (
            "policies: [ { value: { level: payload } } ]",
            "`policy.topics` is missing",
        ),
        ("policies: [ { topics: [] } ]", "`topics` names no topic"),
        ("policies: [ { topics: [\"/(/\"] } ]", "not a regular expression"),
        ("policies: [ { topics: [7] } ]", ""),
        (
            "policies: [ { topics: [a], value: { level: paylod } } ]",
            "did you mean `payload`?",
        ),
        (
            "policies: [ { topics: [a], formats: asserted } ]",
            "did you mean `assert`?",
        ),
        (
            "policies: [ { topics: [a], include_payload: maybe } ]",
            "must be true or false, not `maybe`",
        ),
        (
            "policies: { topics: [a] }",
            "`policies` must be a list, not a section",
        ),
        (
            "registry: { embedded: { compatibility: BACKWARDS } }",
            "did you mean `BACKWARD`?",
        ),
        (
            "registry: { embedded: { incompatible_code: 410 } }",
            "`incompatible_code`: `410` is neither 409 nor 40901",
        ),
        (
            "admin: { listen: \"${NOT_SET}\" }",
            "environment variable NOT_SET is not set",
        ),
        (
            "admin: { listen: \"${NOT_SET:?say where}\" }",
            "NOT_SET: say where",
        ),
        ("admin: 9644", "`admin` must be a section"),
    ] {
        let found = wrong(&format!("{UPSTREAM}{text}\n"));
        if expected.is_empty() {
            assert!(found.is_empty(), "{text}\n{found:#?}");
        } else {
            assert!(
                found.iter().any(|line| line.contains(expected)),
                "{text}\n{found:#?}"
            );
        }
    }
}

#[test]
fn two_servers_on_one_port_are_refused() {
    for (text, expected) in [
        (
            "admin: { listen: 0.0.0.0:9200 }",
            "the brokers of listener `default` (ports 9193 to 9256) and admin (port 9200)",
        ),
        (
            "registry: { embedded: { listen: 127.0.0.1:9192 } }",
            "listener `default` (port 9192) and the registry (port 9192)",
        ),
        (
            "gateway: { listeners: [ { name: a, address: 0.0.0.0:9192 }, { name: b, address: 0.0.0.0:9250 } ] }",
            "the brokers of listener `a` (ports 9193 to 9256) and listener `b` (port 9250)",
        ),
    ] {
        let found = wrong(&format!("{UPSTREAM}{text}\n"));
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{text}\n{found:#?}"
        );
    }
    let apart = "gateway: { listeners: [ { name: a, address: 127.0.0.1:9192 }, { name: b, address: 127.0.0.2:9192 } ] }";
    assert_eq!(wrong(&format!("{UPSTREAM}{apart}\n")), Vec::<String>::new());
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let text = "upstream:\n  bootstrap_servers: [\"k:1\"]\n  tls: { ca: ca.pem }\n";
    let found = parse(
        text,
        Path::new("/etc/p.yaml"),
        &environment,
        &|_| false,
        &CommandLine::default(),
    );
    let line = found.err().unwrap().to_string();
    assert!(
        line.starts_with("/etc/p.yaml:3:14: `ca`: there is no file /etc/ca.pem"),
        "{line}"
    );
}

#[test]
fn an_empty_file_says_what_is_missing() {
    for text in ["", "# nothing\n", "gateway:\n"] {
        let found = wrong(text);
        assert!(found[0].contains("`upstream` is missing"), "{found:#?}");
    }
    assert!(wrong("- a\n")[0].contains("must be a section"));
}

/// The whole configuration of the interface document: it is understood, and what this release lacks is all that is
/// said against it.
#[test]
fn the_documented_configuration_is_understood_but_for_what_this_release_lacks() {
    let found = wrong(
        r#"upstream:
  bootstrap_servers: ["kafka-1:9092", "kafka-2:9092"]
  tls: { ca: ca.pem, certificate: client.pem, key: client.key }
  sasl: { mechanism: SCRAM-SHA-512, username: portcullis, password: "${KAFKA_PASSWORD:-x}" }
gateway:
  listeners:
    - name: internal
      address: 0.0.0.0:9192
      advertised_host: gateway.internal
      routing: { port_per_broker: { first_port: 9193, brokers: 64 } }
    - name: external
      address: 0.0.0.0:9292
      tls: { certificate: gw.pem, key: gw.key, client_ca: clients.pem }
      routing: { sni: { bootstrap: kafka.example.com, broker: "broker-{id}.kafka.example.com" } }
  limits: { max_frame: 100MiB, max_connections: 20000, memory: 1GiB, decompressed_batch: 16MiB, decompression_ratio: 128 }
  drain_timeout: 30s
registry:
  embedded:
    listen: 0.0.0.0:8081
    store: { file: ./registry }
    master_eligibility: true
    compatibility: BACKWARD
policies:
  - topics: ["payments.*"]
    value: { level: payload, framing: confluent, subject: topic_name }
    key:   { level: off }
    action: reject
  - topics: ["legacy-orders"]
    value: { level: payload, framing: raw, subject: legacy-orders-value, version: latest }
    action: { dead_letter: { topic: legacy-orders.dlq } }
  - topics: ["*"]
    value: { level: auto }
    key:   { level: auto }
    action: reject
admin: { listen: 127.0.0.1:9644 }
"#,
    );
    let lacking = |at: &str, part: &str| format!("{at}: `{part}` is not implemented in this release");
    assert_eq!(found, [lacking("14:18", "listener.routing.sni"),]);
}

#[test]
fn the_registrys_log_may_be_a_topic_of_the_same_cluster() {
    let options = read(&format!(
        "{UPSTREAM}registry: {{ embedded: {{ store: {{ kafka: {{ topic: schemas.eu, replication_factor: 5 }} }} }} }}\n"
    ))
    .unwrap();
    let expected = KafkaStoreOptions {
        upstream: options.gateway.upstream.clone(),
        topic: "schemas.eu".to_owned(),
        replication_factor: 5,
        election: Some(Box::default()),
    };
    assert_eq!(options.registry.store, StoreOptions::Kafka(expected));
    let options = read(&format!(
        "{UPSTREAM}registry: {{ embedded: {{ store: {{ kafka: }} }} }}\n"
    ))
    .unwrap();
    let StoreOptions::Kafka(found) = options.registry.store else {
        panic!("{:?}", options.registry.store)
    };
    assert_eq!((found.topic.as_str(), found.replication_factor), ("_schemas", 3));
}

#[test]
fn how_a_registry_takes_part_in_the_election_is_its_own_to_say() {
    let options = read(&format!(
        "{UPSTREAM}registry: {{ embedded: {{ store: {{ kafka: {{ group_id: eu }} }}, master_eligibility: false, \
         advertised_host: r-1.example, advertised_port: 443 }} }}\n"
    ))
    .unwrap();
    let StoreOptions::Kafka(found) = options.registry.store else {
        panic!("{:?}", options.registry.store)
    };
    let expected = ElectionOptions {
        group_id: "eu".to_owned(),
        advertised_host: Some("r-1.example".to_owned()),
        advertised_port: Some(443),
        eligible: false,
        leader_tls: None,
    };
    assert_eq!(found.election, Some(Box::new(expected)));
    let found = wrong(&format!(
        "{UPSTREAM}registry: {{ embedded: {{ master_eligibility: false }} }}\n"
    ));
    assert!(
        found.len() == 1 && found[0].contains("a replica needs `store.kafka`"),
        "{found:#?}"
    );
}

#[test]
fn a_log_in_two_places_or_under_no_topics_name_is_a_mistake() {
    let store = |store: &str| {
        wrong(&format!(
            "{UPSTREAM}registry: {{ embedded: {{ store: {{ {store} }} }} }}\n"
        ))
    };
    let found = store("file: r, kafka: { topic: _schemas }");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("names a file and a Kafka topic"), "{found:#?}");
    for wrong in ["a/b", "..", "\"a b\""] {
        let found = store(&format!("kafka: {{ topic: {wrong} }}"));
        assert!(
            found.len() == 1 && found[0].contains("is no topic's name"),
            "{found:#?}"
        );
    }
    let found = store("kafka: { replication_factor: 0 }");
    assert!(
        found.len() == 1 && found[0].contains("replication_factor"),
        "{found:#?}"
    );
}

fn action(text: &str) -> Action {
    let options = read(&format!(
        "{UPSTREAM}policies: [ {{ topics: [orders], action: {text} }} ]\n"
    ))
    .unwrap();
    options.policies.0[0].action.clone()
}

#[test]
fn an_action_is_a_word_or_says_where_dead_letters_go() {
    assert_eq!(action("mark"), Action::Mark);
    for text in ["dead_letter", "{ dead_letter: }", "{ dead_letter: {} }"] {
        assert_eq!(action(text), Action::DeadLetter(DeadLetter::default()), "{text}");
    }
    assert_eq!(
        action("{ dead_letter: { topic: bad-orders, retention: 168h, on_failure: reject } }"),
        Action::DeadLetter(DeadLetter {
            topic: Some("bad-orders".into()),
            retention: Some(Duration::from_hours(168)),
            on_failure: OnDeadLetterFailure::Reject,
        })
    );
}

#[test]
fn an_action_that_cannot_be_carried_out_is_a_mistake() {
    let long = "x".repeat(250);
    for (text, expected) in [
        (
            "{}",
            "2:41: `action` is empty; for example `action: { dead_letter: { topic: orders.dlq } }`",
        ),
        (
            "{ dead_leter: }",
            "2:43: unknown key `dead_leter` in `action`; did you mean `dead_letter`?",
        ),
        (
            "dead_leter",
            "2:41: `action`: `dead_leter` is not known; did you mean `dead_letter`?",
        ),
        (
            "{ dead_letter: { topic: \"a b\" } }",
            "2:65: `topic`: `a b` is no topic's name: letters, digits, `.`, `_` and `-`, at most 249",
        ),
        (
            &format!("{{ dead_letter: {{ topic: {long} }} }}"),
            &format!(
                "2:65: `topic`: `{long}` is no topic's name: letters, digits, `.`, `_` and `-`, at most 249"
            ),
        ),
        (
            "{ dead_letter: { retention: 7 } }",
            "2:69: `retention`: `7` has no unit; for example `retention: 168h`",
        ),
        (
            "{ dead_letter: { on_failure: observe } }",
            "2:70: `on_failure`: `observe` is not known; known here: retry, reject",
        ),
        (
            "{ dead_letter: { topic: orders } }",
            "2:13: the dead letters of topic `orders` would come back to it; name another `dead_letter.topic`, or \
             another `action` for this topic",
        ),
    ] {
        let found = wrong(&format!(
            "{UPSTREAM}policies: [ {{ topics: [orders], action: {text} }} ]\n"
        ));
        assert_eq!(found, [expected], "{text}");
    }
}

/// The first policy's value, of a file with it.
fn value_rule(text: &str) -> Rule {
    let options = read(&format!(
        "{UPSTREAM}policies: [ {{ topics: [a], value: {text} }} ]\n"
    ))
    .unwrap();
    options.policies.0[0].value.clone()
}

#[test]
fn records_without_framing_are_governed_by_the_latest_version_or_a_pinned_one() {
    for (text, version) in [
        ("{ framing: raw }", GoverningVersion::Latest),
        ("{ framing: raw, version: latest }", GoverningVersion::Latest),
        (
            "{ framing: raw, version: 3 }",
            GoverningVersion::Pinned(Version(3)),
        ),
        (
            "{ version: \"3\", framing: raw, level: auto }",
            GoverningVersion::Pinned(Version(3)),
        ),
    ] {
        let framing = Framing::Raw {
            version,
            envelope: false,
        };
        assert_eq!(value_rule(text).framing, framing, "{text}");
    }
    assert_eq!(value_rule("{ level: payload }").framing, Framing::Confluent);
}

#[test]
fn what_does_not_go_with_the_framing_is_a_mistake() {
    for (text, expected) in [
        (
            "{ version: 3 }",
            "2:46: `version` goes with `framing: raw` only: records with framing name their schema; write \
             `framing: raw`, or no `version`",
        ),
        (
            "{ framing: raw, version: 0 }",
            "2:60: `version`: `0` is neither `latest` nor a version's number; for example `version: latest`",
        ),
        (
            "{ framing: raw, version: newest }",
            "2:60: `version`: `newest` is neither `latest` nor a version's number; for example `version: latest`",
        ),
        (
            "{ level: schema_id, framing: raw }",
            "2:44: `level: schema_id` does not go with `framing: raw`: such records carry no schema id; write \
             `level: payload`",
        ),
        (
            "{ framing: rwa }",
            "2:46: `framing`: `rwa` is not known; known here: confluent, header, raw, auto",
        ),
    ] {
        let found = wrong(&format!(
            "{UPSTREAM}policies: [ {{ topics: [a], value: {text} }} ]\n"
        ));
        assert_eq!(found, [expected], "{text}");
    }
}

#[test]
fn an_envelope_is_asked_for_of_one_half_of_a_record_or_of_both() {
    let enveloped = |text: &str| {
        let options = read(&format!("{UPSTREAM}policies: [ {{ topics: [a], {text} }} ]\n")).unwrap();
        let policy = options.policies.0[0].clone();
        (
            policy.key.framing.has_envelope(),
            policy.value.framing.has_envelope(),
        )
    };
    assert_eq!(
        enveloped("value: { framing: raw }, key: { framing: raw }"),
        (false, false)
    );
    assert_eq!(
        enveloped("value: { framing: raw, envelope: true }, key: { framing: raw }"),
        (false, true)
    );
    assert_eq!(
        enveloped("value: { framing: raw }, envelope: true"),
        (false, true)
    );
    assert_eq!(
        enveloped("value: { framing: raw }, key: { framing: raw }, envelope: true"),
        (true, true)
    );
    assert_eq!(enveloped("envelope: false"), (false, false));
}

#[test]
fn an_envelope_that_cannot_be_kept_is_a_mistake() {
    const WITHOUT_RAW: &str =
        "`envelope` goes with `framing: raw` only: other records have framing already; write `framing: raw`";
    for (text, expected) in [
        ("value: { envelope: true }", format!("2:47: {WITHOUT_RAW}, or no `envelope`")),
        (
            "value: { level: off, framing: raw, envelope: true }",
            "2:44: `level: off` looks at no record, so `envelope: true` would frame what nobody has checked; write \
             `level: payload`"
                .to_owned(),
        ),
        ("envelope: true", format!("2:38: {WITHOUT_RAW} in `value` or `key`, or no `envelope`")),
        (
            "value: { framing: raw, envelope: true }, action: observe",
            "2:77: `action: observe` forwards batches untouched, and `envelope: true` gives their records framing; \
             write `action: mark`, or no `envelope`"
                .to_owned(),
        ),
        (
            "value: { framing: raw, envelope: true }, on_registry_down: pass",
            "2:87: `on_registry_down: pass` would forward records without the framing that `envelope: true` promises; \
             write `on_registry_down: refuse`, or no `envelope`"
                .to_owned(),
        ),
    ] {
        let found = wrong(&format!("{UPSTREAM}policies: [ {{ topics: [a], {text} }} ]\n"));
        assert_eq!(found, [expected], "{text}");
    }
}
