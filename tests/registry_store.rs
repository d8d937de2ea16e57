//! What the registry has acknowledged is there after a restart, and a damaged store says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use portcullis::registry::admission::SchemaRequest;
use portcullis::registry::{self, Opened, RegistryOptions};
use portcullis::schema::CompatibilityLevel;
use portcullis::telemetry::health::Health;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn open(folder: &Path) -> std::io::Result<Opened> {
    registry::open(folder.to_owned(), CompatibilityLevel::None, Health::default()).await
}

fn request(name: &str) -> Arc<SchemaRequest> {
    let schema = format!(r#"{{"type":"record","name":"{name}","fields":[]}}"#);
    Arc::new(SchemaRequest {
        schema: Some(schema),
        ..SchemaRequest::default()
    })
}

/// A registry on a free port of this machine.
fn served(folder: &Path) -> RegistryOptions {
    RegistryOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        store: folder.to_owned().into(),
        compatibility: CompatibilityLevel::Backward,
        incompatible_code: 409,
        tls: None,
        security: None,
    }
}

async fn close(opened: Opened) {
    drop(opened.core);
    opened.store_closed.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_schema_from_twenty_tasks_has_one_id_and_one_version() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20 {
        let core = opened.core.clone();
        let subject: Arc<str> = if number % 2 == 0 {
            "even".into()
        } else {
            "odd".into()
        };
        tasks.spawn(async move { core.register(&subject, request("R"), false, false).await.unwrap() });
    }
    let registered = tasks.join_all().await;
    assert_eq!(
        registered
            .iter()
            .map(|r| (r.id.0, r.version.0))
            .collect::<BTreeSet<_>>(),
        [(1, 1)].into()
    );
    assert_eq!(opened.core.state().sequence(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_schemas_at_once_each_get_a_version_and_all_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let core = opened.core.clone();
        let subject: Arc<str> = format!("s{}", number % 4).into();
        tasks.spawn(async move {
            core.register(&subject, request(&format!("R{number}")), false, false)
                .await
                .unwrap()
        });
    }
    let registered = tasks.join_all().await;
    assert_eq!(
        registered.iter().map(|r| r.id.0).collect::<BTreeSet<_>>(),
        (1..=40).collect()
    );
    let before = opened.core.state();
    for subject in ["s0", "s1", "s2", "s3"] {
        let versions: Vec<_> = before
            .subject(subject)
            .unwrap()
            .versions
            .keys()
            .map(|v| v.0)
            .collect();
        assert_eq!(versions, (1..=10).collect::<Vec<_>>());
    }
    close(opened).await;
    let opened = open(folder.path()).await.unwrap();
    assert_eq!(opened.core.state(), before);
}

#[tokio::test]
async fn a_second_registry_on_the_same_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path()).await.unwrap();
    let error = open(folder.path()).await.err().unwrap().to_string();
    assert!(
        error.contains("registry.redb") && error.contains("another process"),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_store_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path()).await.unwrap();
    for number in 0..20 {
        opened
            .core
            .register(&"s".into(), request(&format!("R{number}")), false, false)
            .await
            .unwrap();
    }
    close(opened).await;
    let file = folder.path().join("registry.redb");
    let good = std::fs::read(&file).unwrap();
    let length = good.len();
    let mut refused = 0;
    let damages: [(&str, Vec<u8>); 4] = [
        ("not a database", b"something else entirely".repeat(1_000)),
        ("cut in the middle", good[..length / 2].to_vec()),
        (
            "header overwritten",
            [vec![0xAA; 320], good[320..].to_vec()].concat(),
        ),
        (
            "pages overwritten",
            [good[..4096].to_vec(), vec![0x55; length - 4096]].concat(),
        ),
    ];
    for (what, bytes) in damages {
        std::fs::write(&file, bytes).unwrap();
        match open(folder.path()).await {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("registry.redb"), "{what}: {error}");
            }
            Ok(opened) => panic!("{what}: opened with {} records", opened.core.state().sequence()),
        }
    }
    assert_eq!(refused, 4);
    std::fs::write(&file, good).unwrap();
    assert_eq!(open(folder.path()).await.unwrap().core.state().sequence(), 20);
}

/// A client that sends a body some time after its head keeps its connection, whatever the head made of the request.
#[tokio::test]
async fn a_refused_request_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry::start(served(folder.path()), Health::default())
        .await
        .unwrap();
    for (head, status) in [
        ("POST /nowhere HTTP/1.1\r\n", "404"),
        ("POST /subjects HTTP/1.1\r\n", "405"),
        ("POST /subjects/s HTTP/1.1\r\ncontent-type: text/plain\r\n", "415"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(registry.address).await.unwrap();
        for _ in 0..2 {
            let head = format!("{head}host: r\r\ncontent-length: 1000\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(&[b'x'; 1000]).await.unwrap();
            let mut answer = [0; 2048];
            let length = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer:?}");
            assert!(!answer.contains("connection: close"), "{answer}");
        }
    }
    // A body without end is not waited for, and the client is told.
    let mut stream = tokio::net::TcpStream::connect(registry.address).await.unwrap();
    let head = b"POST /nowhere HTTP/1.1\r\nhost: r\r\ncontent-length: 10000000\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut answer = String::new();
    let reading = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer));
    reading.await.unwrap().unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 404") && answer.contains("connection: close"),
        "{answer}"
    );
    registry.stop().await;
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), reading)
        .await
        .unwrap()
        .unwrap();
    answer
}

#[tokio::test]
async fn a_registry_serves_stops_and_starts_again_with_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let options = served(folder.path());
    let registry = registry::start(options.clone(), Health::default()).await.unwrap();
    let body = r#"{"schema":"\"string\""}"#;
    let length = body.len();
    let answer = ask(
        registry.address,
        &format!("POST /subjects/a/versions HTTP/1.1\r\nhost: r\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"),
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"id\":1"),
        "{answer}"
    );
    registry.stop().await;
    let registry = registry::start(options, Health::default()).await.unwrap();
    let answer = ask(
        registry.address,
        "GET /subjects HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.contains("[\"a\"]"), "{answer}");
    registry.stop().await;
}
