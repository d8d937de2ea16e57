//! Bytes that no client would send: each is answered as Kafka itself answers it, or closes its own connection, while
//! another client goes on being served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::disallowed_methods, reason = "threads, with no runtime to block")]

mod support;

use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::{Compression, compress};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::clients::{administer, create_topics};
use support::conversation::{Conversation, api_versions, frame, produce_request};
use support::gateway::{Portcullis, Setup};
use support::kafka::Kafka;
use support::payloads::Language;

/// Where the checked topic's records go; the neighbour is in the same request, and must never suffer.
const CHECKED: &str = "hostile-checked";
const NEIGHBOUR: &str = "hostile-neighbour";

/// Kafka's answer to what it did not foresee: an exception that nobody caught (UNKNOWN_SERVER_ERROR, not retriable). The
/// gateway has names for these, not retriable either: INVALID_RECORD with PC-302, UNSUPPORTED_COMPRESSION_TYPE.
const UNFORESEEN: i16 = -1;
const NAMED: [i16; 2] = [87, 76];

static KAFKA: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(1));
static GATEWAY: LazyLock<Portcullis> = LazyLock::new(|| {
    let gateway = Setup::new(&KAFKA.bootstrap()).start();
    create_topics(&KAFKA.bootstrap(), &[CHECKED, NEIGHBOUR, "hostile-bystander"], 1);
    gateway.register(&format!("{CHECKED}-value"), "JSON", Language::Json.schema());
    gateway
});

/// A well-behaved client beside the hostile one.
struct Bystander {
    ends: Arc<AtomicBool>,
    served: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Bystander {
    fn start() -> Self {
        let (ends, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (end, count) = (Arc::clone(&ends), Arc::clone(&served));
        let mut conversation = Conversation::with(&broker_port());
        let thread = std::thread::spawn(move || {
            let records = batch(&[b"well-behaved"], Compression::None);
            while !end.load(Ordering::SeqCst) {
                let asked = Instant::now();
                let answer = conversation
                    .produce(&[("hostile-bystander", 0, &records)])
                    .expect("still connected");
                assert_eq!(answer[0].error_code.0, 0, "{answer:?}");
                assert!(
                    asked.elapsed() < Duration::from_secs(5),
                    "held up for {:?}",
                    asked.elapsed()
                );
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self {
            ends,
            served,
            thread: Some(thread),
        }
    }

    /// Panics when it was not served, before or after what happened.
    fn was_served(mut self) {
        let before = self.served.load(Ordering::SeqCst);
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.served.load(Ordering::SeqCst) < before + 3 {
            assert!(Instant::now() < deadline, "served {before} times, then no more");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.ends.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn impossible_lengths_close_the_connection() {
    let bystander = Bystander::start();
    for length in [0i32, -1, i32::MIN, 1, 7, 200 << 20, i32::MAX] {
        let mut hostile = Conversation::with(&GATEWAY.bootstrap);
        hostile.say(&length.to_be_bytes());
        hostile.say(&[0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
        hostile.is_closed(&format!("length {length}"));
    }
    bystander.was_served();
}

#[test]
fn other_protocols_are_recognised_and_closed() {
    let bystander = Bystander::start();
    let tls_hello = [
        0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x7a,
    ];
    for (what, bytes) in [
        ("TLS", &tls_hello[..]),
        ("HTTP", b"GET /subjects HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let mut hostile = Conversation::with(&GATEWAY.bootstrap);
        hostile.say(bytes);
        hostile.is_closed(what);
        let said = GATEWAY.said();
        assert!(said.contains(what), "the log names {what}:\n{said}");
    }
    bystander.was_served();
}

#[test]
fn numbers_that_the_bytes_cannot_hold_close_the_connection() {
    let bystander = Bystander::start();
    let topics = |count: i32| {
        frame(0, 7, 1, |writer| {
            writer.nullable_string(false, None);
            writer.i16(-1);
            writer.i32(1000);
            writer.i32(count);
        })
    };
    let flexible = |field: &'static [u8]| {
        frame(0, 9, 1, |writer| {
            writer.raw(&[0]);
            writer.raw(&[0, 0xff, 0xff, 0, 0, 3, 0xe8]);
            writer.raw(field);
        })
    };
    for (what, bytes) in [
        ("2^31-1 topics", topics(i32::MAX)),
        ("-2 topics", topics(-2)),
        ("2^32-2 topics", flexible(&[0xff, 0xff, 0xff, 0xff, 0x0f])),
        ("a varint without an end", flexible(&[0xff; 12])),
        ("2^28 tagged fields", flexible(&[1, 0xff, 0xff, 0xff, 0x7f])),
        ("an empty body", frame(0, 7, 1, |_| {})),
        (
            "a long topic name",
            frame(0, 7, 1, |writer| writer.raw(&[0x7f, 0xff, b'a'])),
        ),
    ] {
        let mut hostile = Conversation::with(&broker_port());
        hostile.say(&bytes);
        hostile.is_closed(what);
    }
    bystander.was_served();
}

#[test]
fn apis_and_versions_that_are_not_for_clients_are_closed() {
    let bystander = Bystander::start();
    // UpdateMetadata, Vote, BrokerRegistration, Envelope, no API at all; Produce 2, Fetch 99.
    for (key, version) in [
        (6, 0),
        (52, 0),
        (62, 0),
        (58, 0),
        (999, 0),
        (-3, 0),
        (0, 2),
        (1, 99),
    ] {
        let mut hostile = Conversation::with(&GATEWAY.bootstrap);
        hostile.say(&frame(key, version, 1, |_| {}));
        hostile.is_closed(&format!("API {key} version {version}"));
    }
    bystander.was_served();
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_zero() {
    let ask = frame(18, 99, 77, |writer| writer.raw(&[0]));
    for address in [&KAFKA.bootstrap(), &GATEWAY.bootstrap] {
        let mut client = Conversation::with(address);
        client.say(&ask);
        let answer = client.hear().expect("an answer");
        assert_eq!(
            answer[..6],
            [0, 0, 0, 77, 0, 35],
            "UNSUPPORTED_VERSION, with the correlation id"
        );
        // And the connection is good for another try.
        client.say(&api_versions(78));
        assert_eq!(client.hear().expect("an answer")[..6], [0, 0, 0, 78, 0, 0]);
    }
}

#[test]
fn damaged_batches_are_answered_as_kafka_answers_them_and_spare_their_neighbours() {
    let bystander = Bystander::start();
    let neighbour = batch(&[b"fine"], Compression::None);
    let mut differences = Vec::new();
    for (what, damaged) in damaged_batches() {
        let request = [(NEIGHBOUR, 0, &neighbour[..]), (CHECKED, 0, &damaged[..])];
        let codes = |address: &str| {
            let answer = Conversation::with(address).produce(&request)?;
            Some([answer[0].error_code.0, answer[1].error_code.0])
        };
        let (wanted, found) = (codes(&KAFKA.bootstrap()), codes(&broker_port()));
        // A broker closes the connection, or fails the neighbour too, where it refuses the request as a whole
        // (`ProduceRequest.validateRecords`); the gateway need not.
        let alike = match (wanted, found) {
            (None, None) => true,
            (None, Some([_, code])) => code != 0,
            (Some(_), None) => false,
            (Some([_, wanted]), Some([neighbour, found])) => {
                neighbour == 0 && (wanted == found || (wanted == UNFORESEEN && NAMED.contains(&found)))
            }
        };
        if !alike {
            differences.push(format!("{what}: Kafka answers {wanted:?}, the gateway {found:?}"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    bystander.was_served();
}

#[test]
fn a_bomb_is_refused_at_the_cap() {
    let bystander = Bystander::start();
    // Over the default cap of 16 MiB.
    let zeros = vec![0u8; 40 << 20];
    for codec in [
        Compression::Gzip,
        Compression::Zstd,
        Compression::Lz4,
        Compression::Snappy,
    ] {
        let mut packed = Vec::new();
        compress(codec, &zeros, &mut packed).unwrap();
        let bomb = batch_of(&packed, codec, 1);
        let mut hostile = Conversation::with(&broker_port());
        let answer = hostile.produce(&[(CHECKED, 0, &bomb)]).expect("an answer");
        assert_ne!(answer[0].error_code.0, 0, "{codec:?}: {answer:?}");
    }
    bystander.was_served();
}

#[test]
fn two_million_empty_records_take_no_time_that_others_would_notice() {
    let bystander = Bystander::start();
    // Length 6 (zig-zag 12): attributes, timestamp delta, offset delta, null key, null value, no headers.
    let record = [12u8, 0, 0, 0, 1, 1, 0];
    let mut packed = Vec::new();
    compress(Compression::Zstd, &record.repeat(2_000_000), &mut packed).unwrap();
    let records = batch_of(&packed, Compression::Zstd, 2_000_000);
    let asked = Instant::now();
    let mut hostile = Conversation::with(&broker_port());
    let answer = hostile.produce(&[(CHECKED, 0, &records)]);
    assert!(answer.is_some(), "an answer of some kind");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    bystander.was_served();
}

#[test]
fn a_thousand_requests_at_once_are_answered_in_order() {
    let bystander = Bystander::start();
    let mut eager = Conversation::with(&GATEWAY.bootstrap);
    let mut all = Vec::new();
    // Ids that repeat, go backwards and are negative: only their order counts.
    let ids: Vec<i32> = (0..1000)
        .map(|number: i32| number.wrapping_mul(0x5bd1_e995) % 10)
        .collect();
    for id in &ids {
        all.extend(api_versions(*id));
    }
    eager.say(&all);
    for (number, id) in ids.iter().enumerate() {
        let answer = eager
            .hear()
            .unwrap_or_else(|| panic!("closed at answer {number}"));
        assert_eq!(answer[..4], id.to_be_bytes(), "answer {number}");
    }
    bystander.was_served();
}

#[test]
fn garbage_of_every_kind_leaves_the_process_standing() {
    let bystander = Bystander::start();
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let good = produce_request(-1, &[(CHECKED, 0, &batch(&[b"{}"], Compression::Zstd))]);
    for round in 0..300 {
        let mut bytes = good.clone();
        // The length stays, so that the gateway reads on; everything behind it may change.
        for _ in 0..=round % 6 {
            let at = 4 + (random() as usize) % (bytes.len() - 4);
            bytes[at] = random() as u8;
        }
        let mut hostile = Conversation::with(&broker_port());
        hostile.say(&bytes);
        if round % 3 == 0 {
            // Gone without waiting.
            continue;
        }
        hostile.say(&api_versions(5));
        hostile.hear();
    }
    bystander.was_served();
    let alive = administer(&GATEWAY.bootstrap, &["cluster"], &[]);
    assert!(alive[0]["nodes"].is_array());
    assert!(!GATEWAY.said().contains("panicked"), "{}", GATEWAY.said());
}

/// The gateway's address of the one broker: Produce belongs there, and the bootstrap port leads there as well.
fn broker_port() -> String {
    GATEWAY.bootstrap.clone()
}

fn batch(values: &[&[u8]], codec: Compression) -> Vec<u8> {
    let records: Vec<NewRecord<'_>> = values
        .iter()
        .map(|&value| NewRecord {
            timestamp_ms: 1_700_000_000_000,
            value: Some(value),
            ..NewRecord::default()
        })
        .collect();
    let mut out = Vec::new();
    write_batch(&records, codec, None, &mut out).unwrap();
    out
}

/// A batch around a records part as it is.
fn batch_of(records: &[u8], codec: Compression, count: i32) -> Vec<u8> {
    let mut bytes = batch(&[b"x"], codec);
    bytes.truncate(61);
    bytes.extend_from_slice(records);
    patch(&mut bytes, 23, &(count - 1).to_be_bytes());
    patch(&mut bytes, 57, &count.to_be_bytes());
    sealed(bytes)
}

fn patch(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes[at..at + with.len()].copy_from_slice(with);
}

/// With its length and CRC put right.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as i32 - 12;
    patch(&mut bytes, 8, &length.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    patch(&mut bytes, 17, &crc.to_be_bytes());
    bytes
}

/// Each has one thing wrong that a broker sees. The payload conforms throughout.
fn damaged_batches() -> Vec<(&'static str, Vec<u8>)> {
    let payload = Language::Json.good(1, 1);
    let good = batch(&[&payload, &payload], Compression::None);
    let packed = |codec| batch(&[&payload, &payload], codec);
    let changed = |at: usize, with: &[u8]| {
        let mut bytes = good.clone();
        patch(&mut bytes, at, with);
        sealed(bytes)
    };
    let cut = |mut bytes: Vec<u8>, by: usize| {
        bytes.truncate(bytes.len() - by);
        sealed(bytes)
    };
    let mut flipped = good.clone();
    flipped[70] ^= 1;
    let mut trailing = good.clone();
    trailing.extend([0, 0, 0]);
    let mut lying_length = good.clone();
    patch(&mut lying_length, 8, &1_000_000i32.to_be_bytes());
    let mut negative_record = good.clone();
    negative_record[61] = 1;
    let mut overlong_varint = good.clone();
    overlong_varint.splice(61..62, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    vec![
        ("CRC flipped", flipped),
        ("one record more in the count", changed(57, &3i32.to_be_bytes())),
        ("one record fewer in the count", changed(57, &1i32.to_be_bytes())),
        ("count and last offset delta agree on three", {
            let mut bytes = good.clone();
            patch(&mut bytes, 57, &3i32.to_be_bytes());
            patch(&mut bytes, 23, &2i32.to_be_bytes());
            sealed(bytes)
        }),
        ("no records", changed(57, &0i32.to_be_bytes())),
        ("a negative count", changed(57, &(-1i32).to_be_bytes())),
        (
            "last offset delta beyond the count",
            changed(23, &9i32.to_be_bytes()),
        ),
        ("a control batch", changed(21, &0x20i16.to_be_bytes())),
        ("an unknown codec", changed(21, &7i16.to_be_bytes())),
        (
            "a producer id without a sequence",
            changed(43, &77i64.to_be_bytes()),
        ),
        ("magic 1", changed(16, &[1])),
        ("magic 3", changed(16, &[3])),
        ("bytes left over", sealed(trailing)),
        ("a record cut short", cut(good.clone(), 1)),
        ("a negative record length", sealed(negative_record)),
        ("an overlong varint", sealed(overlong_varint)),
        ("a length that lies", lying_length),
        ("two batches", [good.clone(), good.clone()].concat()),
        ("half a header", good[..30].to_vec()),
        ("nothing", Vec::new()),
        ("gzip cut short", cut(packed(Compression::Gzip), 9)),
        ("snappy cut short", cut(packed(Compression::Snappy), 3)),
        ("lz4 cut short", cut(packed(Compression::Lz4), 9)),
        ("zstd cut short", cut(packed(Compression::Zstd), 3)),
        ("plain bytes called zstd", changed(21, &4i16.to_be_bytes())),
        ("plain bytes called gzip", changed(21, &1i16.to_be_bytes())),
    ]
}
