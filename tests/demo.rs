//! `portcullis demo` shows every record's fate, and its exit code tells the truth about it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use portcullis::demo::{House, Ports};
use portcullis::wire::error_code::ErrorCode;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("demo").args(arguments).env_remove("RUST_LOG");
    command
}

#[tokio::test]
async fn every_record_meets_the_fate_it_should_have() {
    let house = House::start(Ports::Free).await.unwrap();
    let report = house.tour().await.unwrap();
    assert!(report.is_good(), "{report}");
    assert_eq!(
        (report.sent(), report.forwarded(), report.refused()),
        (32, 14, 18)
    );
    // Each language has records that pass and records that do not.
    for topic in ["orders", "payments", "customers"] {
        let fates: Vec<String> = report
            .to_string()
            .lines()
            .filter(|line| line.starts_with(topic))
            .map(|line| {
                line.split_whitespace()
                    .find(|word| ["forwarded", "refused"].contains(word))
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert!(fates.iter().any(|fate| fate == "forwarded") && fates.iter().any(|fate| fate == "refused"));
    }
    house.stop().await;
}

#[tokio::test]
async fn a_record_that_meets_another_fate_is_told_and_spoils_the_report() {
    let house = House::start(Ports::Free).await.unwrap();
    house
        .broker
        .faults()
        .fail_produce(ErrorCode::NOT_LEADER_OR_FOLLOWER, 1);
    let report = house.tour().await.unwrap();
    assert!(!report.is_good());
    assert_eq!(report.forwarded(), 11);
    let text = report.to_string();
    assert!(text.contains("NOT AS IT SHOULD BE: expected forwarded"), "{text}");
    assert!(
        text.contains("orders: what is read is not what was forwarded"),
        "{text}"
    );
    assert!(
        text.ends_with("sent 32, forwarded 11, refused 21\nNOT every record met the fate it should have\n"),
        "{text}"
    );
    house.stop().await;
}

#[test]
fn once_ends_with_the_counts_and_status_0() {
    let output = demo(&["--once"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.ends_with("sent 32, forwarded 14, refused 18\nevery record met the fate it should have\n"),
        "{text}"
    );
    // Each code of the three languages has a line of the gateway's own.
    for code in [
        "PC-101", "PC-102", "PC-103", "PC-105", "PC-201", "PC-202", "PC-203", "PC-204",
    ] {
        assert!(
            text.lines()
                .any(|line| line.contains(&format!(" {code} record ")) && line.contains("ref ")),
            "{code}"
        );
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "no runtime here whose thread could be blocked"
)]
fn without_once_it_serves_until_it_is_told_to_stop() {
    let base = free_base();
    let mut child = Stopped(
        demo(&["--port-base", &base.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    lines
        .find(|line| line.as_ref().unwrap().starts_with("every record met"))
        .unwrap()
        .unwrap();
    lines
        .find(|line| line.as_ref().unwrap().starts_with("Ctrl-C"))
        .unwrap()
        .unwrap();
    for port in base..base + 4 {
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
    assert!(
        Command::new("kill")
            .arg(child.0.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < Duration::from_secs(15), "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let port = free_base();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let output = demo(&["--once", "--port-base", &port.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(
        said.contains(&format!("port {port}")) && said.contains("--port-base"),
        "{said}"
    );
}

/// The first of four ports in a row that nobody listens on, below those of outgoing connections.
fn free_base() -> u16 {
    // No two tests of this process look at the same ones.
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first =
        12_000 + (std::process::id() % 500) as u16 * 8 + TAKEN.fetch_add(1, Ordering::Relaxed) * 1_000;
    (first..first + 1_000)
        .step_by(4)
        .find(|base| (*base..base + 4).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()))
        .expect("four free ports in a row")
}

/// A child that does not outlive its test.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
