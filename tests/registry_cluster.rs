//! Several registries on one topic of a real Kafka: one is elected, the others hand writes to it, and what happens when
//! it is killed, stopped, frozen, or when the broker goes away.
//!
//! `PORTCULLIS_ROUNDS`: how often the leader is killed (default 3).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::disallowed_methods, reason = "threads, with no runtime to block")]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};
use support::gateway::{Portcullis, Setup};
use support::http::{Answer, get, request};
use support::kafka::Kafka;

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

/// Clusters take turns: what is measured here is time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The topic is also the group's name, so that tests do not meet.
fn node(kafka: &Kafka, topic: &str, eligible: bool) -> Portcullis {
    let mut setup = Setup::new(&kafka.bootstrap());
    setup.store = format!("{{ kafka: {{ topic: {topic}, replication_factor: 1, group_id: {topic} }} }}");
    setup.registry_extra = format!("master_eligibility: {eligible}");
    setup.start()
}

fn cluster(kafka: &Kafka, topic: &str, count: usize) -> Vec<Portcullis> {
    let nodes: Vec<_> = (0..count).map(|_| node(kafka, topic, true)).collect();
    leader_of(&nodes);
    nodes
}

fn leads(node: &Portcullis) -> bool {
    let metrics = get(&node.admin, "/metrics");
    metrics.is_some_and(|answer| answer.body.lines().any(|line| line == "schema_registry_leader 1"))
}

/// Waits until exactly one leads.
fn leader_of(nodes: &[Portcullis]) -> usize {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let leading: Vec<usize> = (0..nodes.len()).filter(|at| leads(&nodes[*at])).collect();
        if let [one] = leading[..] {
            return one;
        }
        let said = || {
            nodes
                .iter()
                .map(Portcullis::said)
                .collect::<Vec<_>>()
                .join("\n---\n")
        };
        assert!(Instant::now() < deadline, "leaders: {leading:?}\n{}", said());
        sleep(Duration::from_millis(50));
    }
}

fn record(name: &str) -> String {
    let schema = json!({ "type": "record", "name": name, "fields": [] }).to_string();
    json!({ "schema": schema }).to_string()
}

fn post(node: &Portcullis, subject: &str, name: &str) -> Option<Answer> {
    let path = format!("/subjects/{subject}/versions");
    request("POST", &node.registry, &path, Some(&record(name)))
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|why| panic!("{why}: {answer:?}"))
}

/// Asks, and expects 200.
fn ask(node: &Portcullis, method: &str, path: &str, body: Option<&str>) -> Value {
    let answer =
        request(method, &node.registry, path, body).unwrap_or_else(|| panic!("{method} {path}: no answer"));
    assert_eq!(answer.status, 200, "{method} {path}: {answer:?}\n{}", node.said());
    json_of(&answer)
}

/// Every version of every subject as (subject, version, id, schema), deleted ones too.
fn everything(node: &Portcullis) -> Vec<(String, u64, u64, String)> {
    let mut all = Vec::new();
    loop {
        let page = ask(
            node,
            "GET",
            &format!("/schemas?deleted=true&offset={}&limit=500", all.len()),
            None,
        );
        let page = page.as_array().unwrap();
        if page.is_empty() {
            all.sort();
            return all;
        }
        all.extend(page.iter().map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            let number = |name: &str| entry[name].as_u64().unwrap();
            (text("subject"), number("version"), number("id"), text("schema"))
        }));
    }
}

/// Waits until every node shows the same, and returns it.
fn agreed(nodes: &[Portcullis]) -> Vec<(String, u64, u64, String)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let shown: Vec<_> = nodes.iter().map(everything).collect();
        if shown.windows(2).all(|pair| pair[0] == pair[1]) {
            return shown.into_iter().next().unwrap();
        }
        assert!(Instant::now() < deadline, "the nodes show different things");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_write_through_a_follower_is_the_leaders_and_can_be_read_there_at_once() {
    let _turn = turn();
    let nodes = cluster(&KAFKA, "forwarded", 3);
    let leader = leader_of(&nodes);
    let followers: Vec<&Portcullis> = (0..3).filter(|at| *at != leader).map(|at| &nodes[at]).collect();
    let leader = &nodes[leader];
    for round in 0..20 {
        let follower = followers[round % 2];
        let subject = format!("s{round}");
        let id = follower.register(&subject, "AVRO", r#"{"type":"record","name":"R","fields":[]}"#);
        assert_eq!(id, 1, "one schema has one id");
        let read = ask(follower, "GET", &format!("/subjects/{subject}/versions/1"), None);
        assert_eq!(read["id"], 1);
        let own = format!("Own{round}");
        let registered = post(follower, &subject, &own).unwrap();
        assert_eq!(registered.status, 200, "{registered:?}");
        assert_eq!(
            ask(follower, "GET", &format!("/subjects/{subject}/versions"), None),
            json!([1, 2])
        );
        let set = ask(
            follower,
            "PUT",
            &format!("/config/{subject}"),
            Some(r#"{"compatibility":"FULL"}"#),
        );
        assert_eq!(set, json!({ "compatibility": "FULL" }));
        let config = ask(follower, "GET", &format!("/config/{subject}"), None);
        assert_eq!(config["compatibilityLevel"], "FULL");
        ask(follower, "DELETE", &format!("/config/{subject}"), None);
        assert_eq!(
            get(&follower.registry, &format!("/config/{subject}"))
                .unwrap()
                .status,
            404
        );
        ask(
            follower,
            "PUT",
            &format!("/mode/{subject}"),
            Some(r#"{"mode":"READONLY"}"#),
        );
        let refused = post(follower, &subject, "Third").unwrap();
        assert_eq!(
            (refused.status, json_of(&refused)["error_code"].clone()),
            (422, 42205.into())
        );
        ask(
            follower,
            "PUT",
            &format!("/mode/{subject}"),
            Some(r#"{"mode":"READWRITE"}"#),
        );
        ask(follower, "DELETE", &format!("/mode/{subject}"), None);
        let deleted = ask(
            follower,
            "DELETE",
            &format!("/subjects/{subject}/versions/2"),
            None,
        );
        assert_eq!(deleted, 2);
        assert_eq!(
            ask(follower, "GET", &format!("/subjects/{subject}/versions"), None),
            json!([1])
        );
        if round > 0 {
            ask(follower, "DELETE", &format!("/subjects/{subject}"), None);
            ask(
                follower,
                "DELETE",
                &format!("/subjects/{subject}?permanent=true"),
                None,
            );
            assert_eq!(
                get(&follower.registry, &format!("/subjects/{subject}/versions"))
                    .unwrap()
                    .status,
                404
            );
        }
    }
    // Names that addresses escape, contexts, and an alias, which means one thing at both ends.
    let follower = followers[0];
    for subject in ["a%2Fb", "gr%C3%B6%C3%9Fe", "a%20b", "%3A.c%3Ad", "100%25"] {
        let registered = post(follower, subject, "Odd").unwrap();
        assert_eq!(registered.status, 200, "{subject}: {registered:?}");
        ask(follower, "GET", &format!("/subjects/{subject}/versions/1"), None);
    }
    ask(
        follower,
        "POST",
        "/contexts/.d/subjects/x/versions",
        Some(&record("InContext")),
    );
    ask(follower, "GET", "/subjects/%3A.d%3Ax/versions/1", None);
    ask(follower, "PUT", "/config/alias", Some(r#"{"alias":"s0"}"#));
    ask(
        follower,
        "POST",
        "/subjects/alias/versions",
        Some(&record("Behind")),
    );
    assert_eq!(ask(follower, "GET", "/subjects/s0/versions", None), json!([1, 3]));

    // What the leader refuses is refused in its own words.
    ask(leader, "PUT", "/config", Some(r#"{"compatibility":"BACKWARD"}"#));
    let narrow =
        json!({ "schema": r#"{"type":"record","name":"R","fields":[{"name":"new","type":"int"}]}"# });
    let refused = [leader, followers[0], followers[1]].map(|node| {
        let answer = request(
            "POST",
            &node.registry,
            "/subjects/s0/versions",
            Some(&narrow.to_string()),
        );
        answer.map(|answer| (answer.status, answer.body)).unwrap()
    });
    assert_eq!(refused[0].0, 409, "{refused:?}");
    assert!(refused.iter().all(|answer| *answer == refused[0]), "{refused:#?}");
    for path in [
        "/subjects/none",
        "/config/none",
        "/mode/none",
        "/subjects/s0/versions/77",
    ] {
        let answers = [leader, followers[0]].map(|node| {
            let answer = request("DELETE", &node.registry, path, None).unwrap();
            (answer.status, answer.body)
        });
        assert_eq!(answers[0], answers[1], "{path}");
    }
    // What load balancers ask.
    for node in &nodes {
        ask(node, "GET", "/subjects", None);
        ask(node, "GET", "/config", None);
    }
    agreed(&nodes);
    let said = get(&leader.admin, "/readyz?verbose").unwrap().body;
    assert!(said.contains("[+] registry (this registry leads"), "{said}");
    for follower in &followers {
        let said = get(&follower.admin, "/readyz?verbose").unwrap().body;
        assert!(
            said.contains(&format!(
                "[+] registry (this registry follows http://{})",
                leader.registry
            )),
            "{said}"
        );
        let log = follower.said();
        assert_eq!(log.matches("this registry follows http://").count(), 1, "{log}");
    }
}

/// A schema that was acknowledged: under what subject, in whose words, with what id.
type Acknowledged = (String, String, u64);

/// Registers one schema after another, each until it is acknowledged, through whichever node answers.
fn client(number: usize, nodes: &[String], stop: &AtomicBool, refusals: &AtomicUsize) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    let mut at = number;
    for schema in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("C{number}S{schema}");
        // Half of the clients share a subject.
        let subject = format!("subject-{}", number / 2);
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            at += 1;
            let path = format!("/subjects/{subject}/versions");
            let answer = request("POST", &nodes[at % nodes.len()], &path, Some(&record(&name)));
            match answer {
                Some(answer) if answer.status == 200 => {
                    let id = json_of(&answer)["id"].as_u64().unwrap();
                    acknowledged.push((subject, name, id));
                    break;
                }
                Some(answer) => {
                    assert!(answer.status >= 500, "{answer:?}");
                    refusals.fetch_add(1, Ordering::SeqCst);
                }
                None => {}
            }
            assert!(Instant::now() < deadline, "{name} is not acknowledged");
            sleep(Duration::from_millis(5));
        }
    }
    acknowledged
}

/// What was acknowledged is there, everywhere alike, and no id stands for two schemas.
fn check(nodes: &[Portcullis], acknowledged: &[Acknowledged]) {
    let all = agreed(nodes);
    let mut by_id: BTreeMap<u64, &str> = BTreeMap::new();
    for (subject, _, id, schema) in &all {
        let other = by_id.insert(*id, schema);
        assert!(
            other.is_none_or(|other| other == schema),
            "id {id} of {subject}: {other:?} and {schema}"
        );
    }
    for (subject, name, id) in acknowledged {
        let held = all.iter().any(|(at, _, held, schema)| {
            at == subject && held == id && schema.contains(&format!("\"{name}\""))
        });
        assert!(
            held,
            "{name} was acknowledged under {subject} with id {id} and is lost"
        );
    }
}

/// How long until a write through `node` is acknowledged.
fn until_written(node: &Portcullis, name: &str) -> Duration {
    let begun = Instant::now();
    loop {
        if post(node, "probe", name).is_some_and(|answer| answer.status == 200) {
            return begun.elapsed();
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "nobody leads:\n{}",
            node.said()
        );
        sleep(Duration::from_millis(5));
    }
}

/// Runs `work` while so many clients register through all `addresses`: what was acknowledged to them, and how often
/// they were refused.
fn beside_clients(count: usize, addresses: &[String], work: impl FnOnce()) -> (Vec<Acknowledged>, usize) {
    let (stop, refusals) = (AtomicBool::new(false), AtomicUsize::new(0));
    let acknowledged = scope(|scope| {
        let clients: Vec<_> = (0..count)
            .map(|number| {
                let (stop, refusals) = (&stop, &refusals);
                scope.spawn(move || client(number, addresses, stop, refusals))
            })
            .collect();
        work();
        stop.store(true, Ordering::SeqCst);
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    (acknowledged, refusals.into_inner())
}

fn rounds() -> usize {
    std::env::var("PORTCULLIS_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap())
}

#[test]
fn a_leader_killed_while_eight_clients_register_costs_no_schema_and_gives_no_id_twice() {
    let _turn = turn();
    let mut nodes = cluster(&KAFKA, "killed", 3);
    let addresses: Vec<String> = nodes.iter().map(|node| node.registry.clone()).collect();
    let mut changes = Vec::new();
    let (acknowledged, refused) = beside_clients(8, &addresses, || {
        for round in 0..rounds() {
            let leader = leader_of(&nodes);
            sleep(Duration::from_millis(200 + 37 * (round as u64 % 10)));
            nodes[leader].signal("KILL");
            let change = until_written(&nodes[(leader + 1) % 3], &format!("P{round}"));
            println!(
                "round {round}: node {leader} killed, written again after {} ms",
                change.as_millis()
            );
            changes.push(change);
            nodes[leader].restart();
        }
    });
    leader_of(&nodes);
    check(&nodes, &acknowledged);
    changes.sort();
    println!(
        "{} rounds: {} schemas acknowledged, {} requests refused meanwhile; leader changes: median {} ms, longest {} ms",
        changes.len(),
        acknowledged.len(),
        refused,
        changes[changes.len() / 2].as_millis(),
        changes[changes.len() - 1].as_millis()
    );
    assert!(acknowledged.len() > 8 * changes.len(), "the clients were at it");
    // The goal is 3 s on a machine of its own; here others take the processor.
    assert!(changes[changes.len() - 1] < Duration::from_secs(8), "{changes:?}");
}

#[test]
fn a_leader_that_is_told_to_stop_hands_over_and_no_write_fails() {
    let _turn = turn();
    let mut nodes = cluster(&KAFKA, "stopped", 3);
    for round in 0..3 {
        let leader = leader_of(&nodes);
        let survivor = (leader + 1) % 3;
        let stop = AtomicBool::new(false);
        let address = nodes[survivor].registry.clone();
        scope(|scope| {
            let writer = scope.spawn(|| {
                let mut longest = Duration::ZERO;
                for number in 0.. {
                    // Some of them after the handover, however long it took.
                    if stop.load(Ordering::SeqCst) && number >= 10 {
                        return (number, longest);
                    }
                    let begun = Instant::now();
                    let body = record(&format!("R{round}N{number}"));
                    let answer = request("POST", &address, "/subjects/steady/versions", Some(&body)).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    longest = longest.max(begun.elapsed());
                }
                unreachable!()
            });
            sleep(Duration::from_millis(300));
            assert!(nodes[leader].restart().success());
            let (written, longest) = {
                stop.store(true, Ordering::SeqCst);
                writer.join().unwrap()
            };
            println!(
                "round {round}: {written} written, the slowest in {} ms",
                longest.as_millis()
            );
        });
    }
    agreed(&nodes);
}

#[test]
fn a_leader_that_wakes_up_when_another_leads_writes_nothing_of_its_own() {
    let _turn = turn();
    let nodes = cluster(&KAFKA, "frozen", 3);
    let mut acknowledged = Vec::new();
    for round in 0..2 {
        let old = leader_of(&nodes);
        let mut write = |node: &Portcullis, name: String| {
            let answer = post(node, "frozen", &name).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}\n{}", node.said());
            acknowledged.push((
                "frozen".to_owned(),
                name,
                json_of(&answer)["id"].as_u64().unwrap(),
            ));
        };
        write(&nodes[old], format!("Before{round}"));
        nodes[old].signal("STOP");
        // Its session ends; nobody is told of anything before.
        let waited = until_written(&nodes[(old + 1) % 3], &format!("Probe{round}"));
        println!(
            "round {round}: written again {} ms after the leader was frozen",
            waited.as_millis()
        );
        for number in 0..5 {
            write(&nodes[(old + 1) % 3], format!("While{round}N{number}"));
        }
        nodes[old].signal("CONT");
        // It may still take itself for the leader: it must not answer with an id of its own.
        for number in 0..5 {
            write(&nodes[old], format!("After{round}N{number}"));
            write(&nodes[(old + 2) % 3], format!("Beside{round}N{number}"));
        }
        assert_ne!(leader_of(&nodes), old);
        check(&nodes, &acknowledged);
    }
}

#[test]
fn a_restart_of_the_broker_loses_nothing_and_ends_with_one_leader() {
    let _turn = turn();
    let mut kafka = Kafka::start(1);
    let nodes = cluster(&kafka, "restarted", 3);
    let addresses: Vec<String> = nodes.iter().map(|node| node.registry.clone()).collect();
    let (acknowledged, refused) = beside_clients(3, &addresses, || {
        sleep(Duration::from_millis(500));
        kafka.kill(1);
        sleep(Duration::from_secs(2));
        // Reads go on.
        ask(&nodes[0], "GET", "/subjects", None);
        kafka.restart(1);
        let waited = until_written(&nodes[0], "AfterRestart");
        println!("written {} ms after the broker was back", waited.as_millis());
        sleep(Duration::from_millis(500));
    });
    leader_of(&nodes);
    check(&nodes, &acknowledged);
    println!("{} acknowledged, {} refused", acknowledged.len(), refused);
}

#[test]
fn a_replica_that_is_not_eligible_never_leads_and_says_so_when_nobody_may() {
    let _turn = turn();
    let replica = node(&KAFKA, "region", false);
    let refused = post(&replica, "r", "R").unwrap();
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (500, r#"{"error_code":50004,"message":"Leader not known."}"#)
    );
    ask(&replica, "GET", "/subjects", None);
    let said = get(&replica.admin, "/readyz?verbose").unwrap();
    assert!(
        said.status == 200 && said.body.contains("no member of the group may lead"),
        "{said:?}"
    );

    let leader = node(&KAFKA, "region", true);
    support::process::eventually("the eligible one leads", || leads(&leader));
    until_written(&replica, "R");
    ask(&replica, "GET", "/subjects/probe/versions/1", None);
    assert!(!leads(&replica));

    leader.signal("KILL");
    support::process::eventually("the replica sees that nobody may lead", || {
        post(&replica, "r", "Gone").is_some_and(|answer| answer.body.contains("50004"))
    });
    ask(&replica, "GET", "/subjects/probe/versions/1", None);
    assert!(!leads(&replica));
}
