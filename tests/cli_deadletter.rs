//! `portcullis deadletter` as it is typed, on a real Kafka.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod support;

use support::clients::{Client, How, create_topics};
use support::kafka::Kafka;
use support::process::{Ran, run};
use support::records::Record;

fn deadletter(arguments: &[&str]) -> Ran {
    let mut command = vec![
        env!("CARGO_BIN_EXE_portcullis").to_owned(),
        "deadletter".to_owned(),
    ];
    command.extend(arguments.iter().map(|&argument| argument.to_owned()));
    run(&command)
}

fn letter(partition: i32, value: &[u8], headers: &[(&str, &str)]) -> Record {
    let mut record = Record::new("orders.dlq", partition, value).with_key(b"key");
    let headers = headers.iter().map(|(name, value)| {
        let name = format!("__portcullis.{name}");
        (name, Some(value.as_bytes().to_vec()))
    });
    record.headers = headers.collect();
    record
}

#[test]
fn dead_letters_are_listed_by_what_is_known_of_them_and_shown_whole() {
    let kafka = Kafka::start(1);
    let bootstrap = kafka.bootstrap();
    create_topics(&bootstrap, &["orders.dlq"], 2);
    let one = letter(
        0,
        b"\x00\x01payload",
        &[
            ("topic", "orders"),
            ("partition", "0"),
            ("code", "PC-201"),
            ("message", "PC-201 record 1 value: $.total: \u{1b}[31mno"),
            ("ref", "01JD8Z3N5W9Q7M2K4T6V8X0YAB"),
            ("schema_id", "42"),
            ("time", "1000"),
        ],
    );
    let other = letter(
        1,
        b"other",
        &[
            ("topic", "bills"),
            ("code", "PC-101"),
            ("message", "PC-101 record 0"),
            ("time", "2000"),
        ],
    );
    // What is not committed is nobody's dead letter.
    let aborted = letter(1, b"aborted", &[("code", "PC-101"), ("message", "aborted")]);
    let id = ["transactional.id=dead"];
    Client::Java.produce(&bootstrap, &[one], How::Commit, &id);
    Client::Java.produce_lines(&bootstrap, &[aborted], How::Abort, &id);
    Client::Java.produce(&bootstrap, &[other], How::Commit, &id);
    let place = ["--topic", "orders.dlq", "--upstream", &bootstrap];
    let list = |filter: &[&str]| deadletter(&[&["list"], &place[..], filter].concat());

    let all = list(&[]);
    assert!(all.status.success(), "{all:?}");
    assert_eq!(all.out.lines().count(), 2, "{all:?}");
    assert!(all.out.starts_with("0:0\torders-0\tPC-201 record 1"), "{all:?}");
    assert!(
        !all.out.contains('\u{1b}'),
        "a terminal obeys nobody's record: {all:?}"
    );
    for (filter, expected) in [
        (&["--code", "pc-201"][..], "0:0\t"),
        (&["--original-topic", "bills"], "1:2\t"),
        (&["--schema-id", "42", "--until", "1500"], "0:0\t"),
        (&["--since", "1500"], "1:2\t"),
        (&["--ref", "01JD8Z3N5W9Q7M2K4T6V8X0YAB"], "0:0\t"),
    ] {
        let found = list(filter);
        assert_eq!(found.out.lines().count(), 1, "{filter:?}: {found:?}");
        assert!(found.out.starts_with(expected), "{filter:?}: {found:?}");
    }
    let none = list(&["--subject", "orders-value"]);
    assert!(none.status.success() && none.out.is_empty(), "{none:?}");
    let json = list(&["--output", "json"]).json_lines();
    assert_eq!(
        (json[0]["code"].as_str(), json[1]["offset"].as_i64()),
        (Some("PC-201"), Some(2))
    );

    let show = |which: &str, more: &[&str]| deadletter(&[&["show", which], &place[..], more].concat());
    let shown = show("01jd8z3n5w9q7m2k4t6v8x0yab", &[]);
    assert!(
        shown.out.contains("value      \"\\x00\\x01payload\"\n"),
        "{shown:?}"
    );
    assert!(
        shown.out.contains("  __portcullis.schema_id: \"42\"\n"),
        "{shown:?}"
    );
    let json = show("1:2", &["--output", "json"]).json_lines();
    assert_eq!(json[0]["value"], "b3RoZXI=");
    // One of an aborted transaction is not there.
    for (which, code) in [("1:0", 66), ("0:99", 66), ("0:x", 64)] {
        assert_eq!(show(which, &[]).status.code(), Some(code), "{which}");
    }
    let missing = deadletter(&["list", "--topic", "absent", "--upstream", &bootstrap]);
    assert_eq!(missing.status.code(), Some(66), "{missing:?}");
    let away = deadletter(&["list", "--topic", "orders.dlq", "--upstream", "127.0.0.1:1"]);
    assert_eq!(away.status.code(), Some(69), "{away:?}");
    assert_eq!(
        deadletter(&["list", "--topic", "orders.dlq"]).status.code(),
        Some(64)
    );
}
