//! The registry's log in a topic of a real Kafka: what it writes there, byte for byte, what it makes of what others have
//! written, who may write, and what it does when the topic is out of reach or not what it was.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "registry_api/mod.rs"]
mod registry_api;
mod support;

use portcullis::kafka::client::NewTopic;
use portcullis::kafka::{
    Client as KafkaClient, ClientTls, SaslMechanism, SaslOptions, SaslUser, UpstreamOptions,
};
use portcullis::registry::log::kafka::KafkaStoreOptions;
use portcullis::registry::{self, Leadership, Opened, Role, StoreOptions};
use portcullis::schema::CompatibilityLevel;
use portcullis::telemetry::health::Health;
use registry_api::{Api, code, record};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use support::clients::{Client, How, administer};
use support::kafka::{Kafka, PASSWORD, USER, upstream};
use support::records::{Consumed, Outcome, Record};

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));

const NOOP: &str = r#"{"keytype":"NOOP","magic":0}"#;
const GOLDEN: &str = include_str!("golden/schemas-log.jsonl");

fn options(topic: &str) -> KafkaStoreOptions {
    KafkaStoreOptions {
        upstream: upstream(&KAFKA.bootstrap()),
        topic: topic.to_owned(),
        replication_factor: 3,
        election: None,
    }
}

async fn open(topic: &str) -> Api {
    open_led(topic).await.0
}

async fn open_led(topic: &str) -> (Api, Leadership, Health) {
    let (opened, health) = led(options(topic), CompatibilityLevel::Backward).await;
    let leadership = opened.core.leadership.clone();
    (Api::over(opened), leadership, health)
}

/// Opens it and waits until its NOOP is written and read back: before that reads are answered, a write may be refused,
/// and what is closed has written nothing.
async fn led(options: KafkaStoreOptions, level: CompatibilityLevel) -> (Opened, Health) {
    let health = Health::default();
    let opened = registry::open(StoreOptions::Kafka(options), level, health.clone())
        .await
        .unwrap();
    eventually("it leads", async || health.is_ready()).await;
    (opened, health)
}

/// Why it does not open.
async fn refused(options: KafkaStoreOptions) -> String {
    let store = StoreOptions::Kafka(options);
    let opening = registry::open(store, CompatibilityLevel::Backward, Health::default());
    let opened = tokio::time::timeout(Duration::from_mins(1), opening)
        .await
        .unwrap();
    opened.err().expect("it opened").to_string()
}

async fn create(topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut kafka = KafkaClient::new(&upstream(&KAFKA.bootstrap())).unwrap();
    let new = NewTopic {
        name: topic,
        partitions,
        replication_factor: 1,
        configs,
    };
    kafka.create_topic(&new, Duration::from_secs(30)).await.unwrap();
    eventually("the topic", async || {
        let view = kafka.metadata(topic).await.unwrap().topic;
        view.is_some_and(|view| view.partitions.iter().all(|partition| partition.leader.is_some()))
    })
    .await;
}

type Text = (String, Option<String>);

fn text(hex: &str) -> String {
    let bytes = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}

/// Every record of the topic as it stands there.
fn raw(topic: &str, count: usize) -> Vec<Text> {
    let read = Client::Java.consume(&KAFKA.bootstrap(), &[topic], count, &[]);
    let texts = read.iter().map(|Consumed { key, value, .. }| {
        let value = value.as_deref().filter(|value| *value != "-");
        (text(key.as_deref().unwrap()), value.map(text))
    });
    texts.collect()
}

fn write(topic: &str, records: &[Text], how: How, settings: &[&str]) {
    let records: Vec<Record> = records
        .iter()
        .map(|(key, value)| Record {
            topic: topic.to_owned(),
            key: Some(key.clone().into_bytes()),
            value: value.clone().map(String::into_bytes),
            ..Record::default()
        })
        .collect();
    let outcomes = Client::Java.produce(&KAFKA.bootstrap(), &records, how, settings);
    assert!(outcomes.iter().all(Outcome::is_acknowledged), "{outcomes:?}");
}

fn golden() -> Vec<Text> {
    let lines = GOLDEN
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    lines
        .map(|line| (text(&line["key"]).unwrap(), text(&line["value"])))
        .collect()
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a reader can ask for.
async fn everything(api: &Api) -> Vec<(u16, Value)> {
    let mut answers = Vec::new();
    for path in [
        "/subjects?deleted=true",
        "/schemas?deleted=true",
        "/schemas?subjectPrefix=:*:",
        "/config",
        "/config/orders-value",
        "/mode",
        "/contexts",
        "/v1/metadata/id",
    ] {
        answers.push(api.get(path).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_cluster_gets_the_topic_and_everything_is_there_after_a_restart() {
    let topic = "_schemas";
    let api = open(topic).await;
    let mut kafka = KafkaClient::new(&upstream(&KAFKA.bootstrap())).unwrap();
    let view = kafka.metadata(topic).await.unwrap();
    assert_eq!(view.topic.unwrap().partitions.len(), 1);
    let configs = kafka.topic_configs(topic, &["cleanup.policy"]).await.unwrap();
    assert_eq!(configs["cleanup.policy"].as_deref(), Some("compact"));
    let id = api.get("/v1/metadata/id").await.1;
    assert_eq!(
        id["scope"]["clusters"]["kafka-cluster"].as_str(),
        view.cluster_id.as_deref()
    );
    assert_eq!(
        id["scope"]["clusters"]["schema-registry-cluster"],
        "schema-registry"
    );

    assert_eq!(api.register("orders-value", &record("Order", &["id"])).await, 1);
    let optional = json!({ "type": "record", "name": "Order", "fields": [
        { "name": "id", "type": "string" }, { "name": "note", "type": "string", "default": "" }] });
    assert_eq!(api.register("orders-value", &optional).await, 2);
    assert_eq!(api.register("gone-value", &record("Gone", &["id"])).await, 3);
    let put = api
        .put("/config/orders-value", json!({ "compatibility": "FULL" }))
        .await;
    assert_eq!(put.0, 200, "{put:?}");
    let put = api.put("/mode/kept-value", json!({ "mode": "READONLY" })).await;
    assert_eq!(put.0, 200, "{put:?}");
    assert_eq!(api.delete("/subjects/gone-value").await.0, 200);
    assert_eq!(api.delete("/subjects/gone-value?permanent=true").await.0, 200);
    let before = everything(&api).await;
    api.close().await;

    let api = open(topic).await;
    assert_eq!(everything(&api).await, before);
    assert_eq!(api.register("orders-value", &optional).await, 2);
    api.close().await;

    // As Jackson writes Confluent's.
    let schema = |name: &str, fields: &str| {
        format!(r#"{{\"type\":\"record\",\"name\":\"{name}\",\"fields\":[{fields}]}}"#)
    };
    let id = r#"{\"name\":\"id\",\"type\":\"string\"}"#;
    let value = |subject: &str, version: u32, id: u32, schema: &str, deleted: bool| {
        format!(
            r#"{{"subject":"{subject}","version":{version},"id":{id},"schemaType":"AVRO","schema":"{schema}","deleted":{deleted}}}"#
        )
    };
    let key = |subject: &str, version: u32| {
        format!(r#"{{"keytype":"SCHEMA","subject":"{subject}","version":{version},"magic":1}}"#)
    };
    let note = format!(r#"{id},{{\"name\":\"note\",\"type\":\"string\",\"default\":\"\"}}"#);
    let expected: Vec<Text> = vec![
        (NOOP.to_owned(), None),
        (
            key("orders-value", 1),
            Some(value("orders-value", 1, 1, &schema("Order", id), false)),
        ),
        (
            key("orders-value", 2),
            Some(value("orders-value", 2, 2, &schema("Order", &note), false)),
        ),
        (
            key("gone-value", 1),
            Some(value("gone-value", 1, 3, &schema("Gone", id), false)),
        ),
        (
            r#"{"keytype":"CONFIG","subject":"orders-value","magic":0}"#.to_owned(),
            Some(r#"{"subject":"orders-value","compatibilityLevel":"FULL"}"#.to_owned()),
        ),
        (
            r#"{"keytype":"MODE","subject":"kept-value","magic":0}"#.to_owned(),
            Some(r#"{"subject":"kept-value","mode":"READONLY"}"#.to_owned()),
        ),
        (
            r#"{"keytype":"DELETE_SUBJECT","subject":"gone-value","magic":0}"#.to_owned(),
            Some(r#"{"subject":"gone-value","version":1}"#.to_owned()),
        ),
    ];
    let log = raw(topic, 9);
    assert_eq!(log[..7], expected[..]);
    assert_eq!(log[7], (key("gone-value", 1), None));
    // The second leader's.
    assert_eq!(log.last(), Some(&(NOOP.to_owned(), None)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_confluents_is_taken_over_extended_and_handed_back_with_its_keys_byte_for_byte() {
    let topic = "of-confluent";
    create(topic, 1, &[("cleanup.policy", "compact")]).await;
    let golden = golden();
    // In batches and compressed, as some producers write.
    write(topic, &golden, How::Together, &["compression.type=gzip"]);

    let api = open(topic).await;
    let subjects = api.get("/subjects?subjectPrefix=:*:").await.1;
    assert_eq!(
        subjects,
        json!([
            ":.ctx:orders-value",
            "address",
            "copies-value",
            "described-value",
            "old-value",
            "orders-value",
            "person",
            "price-value"
        ])
    );
    let config = api.get("/config/orders-value").await.1;
    assert_eq!(config["compatibilityLevel"], "BACKWARD_TRANSITIVE");
    // Each write has the key of something that is there: Kafka must compact the two into one.
    let put = api
        .put("/config/orders-value", json!({ "compatibility": "NONE" }))
        .await;
    assert_eq!(put.0, 200, "{put:?}");
    assert_eq!(
        api.put("/config", json!({ "compatibility": "NONE" })).await.0,
        200
    );
    assert_eq!(api.put("/mode", json!({ "mode": "READWRITE" })).await.0, 200);
    assert_eq!(
        api.put("/config/:.ctx:", json!({ "compatibility": "FULL" }))
            .await
            .0,
        200
    );
    assert_eq!(api.delete("/subjects/orders-value/versions/2").await.0, 200);
    assert_eq!(api.delete("/subjects/:.ctx:orders-value/versions/1").await.0, 200);
    assert_eq!(api.delete("/subjects/old-value").await.0, 200);
    // And one that is new, above every id that Confluent gave.
    assert_eq!(api.register("orders-value", &record("Newest", &["id"])).await, 10);
    let before = everything(&api).await;
    api.close().await;
    let api = open(topic).await;
    assert_eq!(everything(&api).await, before);
    api.close().await;

    let log = raw(topic, golden.len() + 10);
    assert_eq!(log[..golden.len()], golden[..]);
    let written = &log[golden.len()..];
    let known: Vec<&str> = golden.iter().map(|(key, _)| key.as_str()).collect();
    let new: Vec<&str> = written
        .iter()
        .map(|(key, _)| key.as_str())
        .filter(|key| !known.contains(key))
        .collect();
    assert_eq!(
        new,
        [
            r#"{"keytype":"DELETE_SUBJECT","subject":"old-value","magic":0}"#,
            r#"{"keytype":"SCHEMA","subject":"orders-value","version":4,"magic":1}"#
        ]
    );
    assert_eq!(written.len(), 10, "{written:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_meanwhile_is_folded_and_what_nobody_understands_is_kept() {
    let topic = "of-others";
    let (api, leadership, _) = open_led(topic).await;
    assert_eq!(api.register("a", &record("A", &["id"])).await, 1);
    let of_others: Vec<Text> = vec![
        (
            r#"{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}"#.to_owned(),
            Some(r#"{"subject":"b","version":1,"id":7,"schema":"\"string\"","deleted":false}"#.to_owned()),
        ),
        (
            r#"{"keytype":"FUTURE","magic":0}"#.to_owned(),
            Some("{}".to_owned()),
        ),
        ("not JSON".to_owned(), Some("at all".to_owned())),
        (
            r#"{"keytype":"SCHEMA","subject":"c","version":1,"magic":1}"#.to_owned(),
            Some("[]".to_owned()),
        ),
    ];
    write(topic, &of_others, How::Commit, &["transactional.id=of-others"]);
    eventually("the other's schema", async || {
        api.get("/schemas/ids/7").await.0 == 200
    })
    .await;
    // A NOOP, one of ours, four of theirs, the end of their transaction.
    eventually("all of it", async || leadership.folded() == 7).await;
    assert_eq!(api.register("d", &json!("int")).await, 8);
    assert_eq!(api.get("/subjects").await.1, json!(["a", "b", "d"]));
    api.close().await;

    let (opened, _) = led(options(topic), CompatibilityLevel::Backward).await;
    let unknown = opened.core.state().unknown_records().clone();
    assert_eq!(
        unknown,
        BTreeMap::from([
            ("FUTURE".to_owned(), 1),
            ("SCHEMA".to_owned(), 1),
            ("none".to_owned(), 1)
        ])
    );
    let api = Api::over(opened);
    assert_eq!(api.get("/subjects").await.1, json!(["a", "b", "d"]));
    api.close().await;
    assert_eq!(raw(topic, 8)[2..6], of_others[..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_take_themselves_for_the_leader_the_older_is_fenced_and_no_id_is_given_twice() {
    let topic = "two-leaders";
    let (older, older_leads, older_health) = open_led(topic).await;
    let mut fencings = older_leads.fencings();
    assert_eq!(
        older.put("/config", json!({ "compatibility": "NONE" })).await.0,
        200
    );
    assert_eq!(older.register("s0", &record("First", &[])).await, 1);
    let older = Arc::new(older);
    // Eight clients keep registering at both while the second one starts.
    let (clients, mut acknowledged) = tokio::sync::mpsc::channel(1_000);
    let register = async |api: Arc<Api>, who: &str, number: usize| {
        let schema = record(&format!("R{who}{number}"), &[]).to_string();
        let path = format!("/subjects/s{}-{who}/versions", number % 5);
        let (status, answer) = api.post(&path, json!({ "schema": schema })).await;
        (status, answer, schema)
    };
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..8 {
        let (api, clients) = (older.clone(), clients.clone());
        tasks.spawn(async move {
            for number in 0.. {
                let (status, answer, schema) = register(api.clone(), &format!("old{client}x"), number).await;
                if status != 200 {
                    // Refused because it is fenced, or not known because it was fenced in the middle.
                    assert!(
                        matches!(answer["error_code"].as_u64(), Some(50002 | 50004)),
                        "{answer}"
                    );
                    return;
                }
                clients
                    .send((answer["id"].as_u64().unwrap(), schema))
                    .await
                    .unwrap();
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    fencings.mark_unchanged();
    let (newer, newer_leads, newer_health) = open_led(topic).await;
    let newer = Arc::new(newer);
    for number in 0..50 {
        let (status, answer, schema) = register(newer.clone(), "new", number).await;
        assert_eq!(status, 200, "{answer}");
        clients
            .send((answer["id"].as_u64().unwrap(), schema))
            .await
            .unwrap();
    }
    tasks.join_all().await;
    drop(clients);
    assert!(fencings.has_changed().unwrap());
    assert!(newer_health.is_ready());
    assert!(!older_health.is_ready());
    assert!(
        older_health.report().contains("another registry has taken over"),
        "{}",
        older_health.report()
    );

    let mut given = BTreeMap::new();
    let mut count = 0;
    while let Some((id, schema)) = acknowledged.recv().await {
        count += 1;
        assert!(given.insert(id, schema).is_none(), "{id} was given twice");
    }
    assert!(count > 60, "only {count} registrations");
    // Both know all of it, the fenced one by following.
    assert!(
        older_leads
            .wait_folded(newer_leads.folded(), Duration::from_secs(20))
            .await
    );
    for api in [&older, &newer] {
        for (id, schema) in &given {
            let (status, answer) = api.get(&format!("/schemas/ids/{id}")).await;
            assert_eq!((status, answer["schema"].as_str()), (200, Some(schema.as_str())));
        }
    }
    assert_eq!(
        code(
            &older
                .post("/subjects/late/versions", json!({ "schema": "\"int\"" }))
                .await
        ),
        (500, 50004)
    );
    // Elected again, it leads again, and the other is fenced.
    older_leads.set_role(Role::Leader);
    eventually("the older leads again", async || {
        older
            .post("/subjects/late/versions", json!({ "schema": "\"int\"" }))
            .await
            .0
            == 200
    })
    .await;
    assert_eq!(
        code(
            &newer
                .post("/subjects/later/versions", json!({ "schema": "\"int\"" }))
                .await
        ),
        (500, 50004)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_writes_nothing_and_reads_what_the_leader_writes() {
    let topic = "follower";
    let (leader, leads, _) = open_led(topic).await;
    let (follower, follows, health) = open_led(topic).await;
    follows.set_role(Role::Follower { leader: None });
    // It had taken over; the leader is elected again.
    leads.set_role(Role::Leader);
    eventually("the leader writes", async || {
        leader
            .post("/subjects/a/versions", json!({ "schema": "\"int\"" }))
            .await
            .0
            == 200
    })
    .await;
    assert!(follows.wait_folded(leads.folded(), Duration::from_secs(20)).await);
    assert_eq!(follower.get("/subjects/a/versions").await, (200, json!([1])));
    let refused = follower
        .post("/subjects/b/versions", json!({ "schema": "\"int\"" }))
        .await;
    assert_eq!(code(&refused), (500, 50004));
    assert_eq!(refused.1["message"], "Leader not known.");
    assert!(health.is_ready(), "{}", health.report());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_would_lose_schemas_or_has_no_one_order_is_refused() {
    create("deletes", 1, &[("cleanup.policy", "delete")]).await;
    let why = refused(options("deletes")).await;
    assert!(
        why.contains("deletes") && why.contains("cleanup.policy=delete"),
        "{why}"
    );
    create("both", 1, &[("cleanup.policy", "compact,delete")]).await;
    let why = refused(options("both")).await;
    assert!(why.contains("cleanup.policy=compact,delete"), "{why}");
    create("three", 3, &[("cleanup.policy", "compact")]).await;
    let why = refused(options("three")).await;
    assert!(why.contains("three") && why.contains("3 partitions"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_the_topic_does_not_take_is_refused_and_holds_up_nothing() {
    let topic = "small";
    create(
        topic,
        1,
        &[("cleanup.policy", "compact"), ("max.message.bytes", "20000")],
    )
    .await;
    let api = Arc::new(open(topic).await);
    let large = |name: &str, bytes: usize| json!({ "type": "record", "name": name, "doc": "x".repeat(bytes), "fields": [] });
    let body = json!({ "schema": large("TooLarge", 30_000).to_string() });
    let refused = api.post("/subjects/a/versions", body).await;
    assert_eq!(code(&refused), (422, 42209));
    assert_eq!(
        refused.1["message"],
        "Register operation failed because schema is too large"
    );
    assert_eq!(api.get("/subjects").await.1, json!([]));
    // Together they are too large for one batch, each by itself is not.
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..12 {
        let api = api.clone();
        let schema = large(&format!("R{number}"), 9_000);
        tasks.spawn(async move { api.register(&format!("s{number}"), &schema).await });
    }
    let mut ids = tasks.join_all().await;
    ids.sort_unstable();
    assert_eq!(ids, (1..=12).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_keeps_the_brokers_time_shows_that() {
    let topic = "brokers-time";
    let configs = [
        ("cleanup.policy", "compact"),
        ("message.timestamp.type", "LogAppendTime"),
    ];
    create(topic, 1, &configs).await;
    let api = open(topic).await;
    assert_eq!(api.register("a", &json!("int")).await, 1);
    let before = api.get("/subjects/a/versions/1").await;
    api.close().await;
    let api = open(topic).await;
    assert_eq!(api.get("/subjects/a/versions/1").await, before);
    api.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_compacted_gives_the_same_state() {
    let topic = "compacted";
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "500"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("max.compaction.lag.ms", "500"),
    ];
    create(topic, 1, &configs).await;
    let (api, leadership, _) = open_led(topic).await;
    api.register("a", &json!("int")).await;
    for number in 0..40 {
        let level = if number % 2 == 0 { "NONE" } else { "FULL" };
        assert_eq!(
            api.put("/config/a", json!({ "compatibility": level })).await.0,
            200
        );
    }
    // Only what stands in a closed segment is compacted: something has to follow.
    tokio::time::sleep(Duration::from_secs(1)).await;
    api.register("b", &json!("string")).await;
    let written = leadership.folded();
    let started = Instant::now();
    let mut left = written as usize;
    while left >= 20 {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "{left} of {written} records are left"
        );
        left = raw(topic, 1).len();
    }
    let before = everything(&api).await;
    api.close().await;
    let (api, leadership, _) = open_led(topic).await;
    assert_eq!(everything(&api).await, before);
    assert_eq!(api.get("/config/a").await.1["compatibilityLevel"], "FULL");
    assert!(leadership.folded() >= written);
    assert_eq!(api.register("c", &json!("long")).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_records_were_deleted_is_served_as_it_was_read_and_written_no_more() {
    // Kafka deletes records of a compacted topic only after its policy was changed.
    let cut_off = [
        "alter:cut-off:cleanup.policy:delete",
        "delete-records:cut-off:3",
        "alter:cut-off:cleanup.policy:compact",
    ];
    for (topic, commands) in [("cut-off", &cut_off[..]), ("made-anew", &["delete:made-anew"])] {
        let (api, _, health) = open_led(topic).await;
        for name in ["A", "B", "C"] {
            api.register(name, &record(name, &[])).await;
        }
        administer(&KAFKA.bootstrap(), commands, &[]);
        if topic == "made-anew" {
            create(topic, 1, &[("cleanup.policy", "compact")]).await;
        }
        eventually("it notices", async || {
            !health.is_ready() && health.report().contains("not the one that was read")
        })
        .await;
        assert_eq!(api.get("/subjects").await.1, json!(["A", "B", "C"]));
        let refused = api
            .post("/subjects/D/versions", json!({ "schema": "\"int\"" }))
            .await;
        assert_eq!(code(&refused), (500, 50001), "{topic}: {refused:?}");
        api.close().await;
        // What is left of it.
        let api = open(topic).await;
        let left = if topic == "cut-off" {
            json!(["C"])
        } else {
            json!([])
        };
        assert_eq!(api.get("/subjects").await.1, left);
        api.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_is_reached_through_tls_as_a_user_of_each_mechanism() {
    let topic = "secured";
    let secured = |mechanism, password: &str| KafkaStoreOptions {
        upstream: UpstreamOptions {
            tls: Some(ClientTls {
                ca: Some(KAFKA.authority.certificate()),
                identity: None,
            }),
            sasl: Some(SaslOptions::Password(SaslUser {
                mechanism,
                username: USER.to_owned(),
                password: password.to_owned(),
            })),
            ..upstream(&KAFKA.sasl_tls_bootstrap())
        },
        ..options(topic)
    };
    for (mechanism, schema) in [
        (SaslMechanism::ScramSha512, "int"),
        (SaslMechanism::Plain, "string"),
    ] {
        let (opened, _) = led(secured(mechanism, PASSWORD), CompatibilityLevel::None).await;
        let api = Api::over(opened);
        api.register("a", &json!(schema)).await;
        api.close().await;
    }
    let api = open(topic).await;
    assert_eq!(api.get("/subjects/a/versions").await.1, json!([1, 2]));
    api.close().await;
    for mechanism in [SaslMechanism::ScramSha512, SaslMechanism::Plain] {
        let why = refused(secured(mechanism, "wrong")).await;
        assert!(
            why.contains(mechanism.as_str()) && why.contains(USER) && !why.contains("wrong"),
            "{why}"
        );
    }
    // Not one of the broker's.
    let why = refused(secured(SaslMechanism::ScramSha256, PASSWORD)).await;
    assert!(why.contains("SCRAM-SHA-512"), "{why}");
}
