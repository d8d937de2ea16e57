//! The gateway as a process beside HAProxy in TCP mode, in interleaved rounds over the same bytes:
//! CPU seconds a million records, and what each adds to the latency of one record in flight.
//!
//! `cargo bench --bench gateway` (HAProxy from the system's packages). Prints; asserts nothing about time. Words behind
//! `--` choose rows: `idle`, `Avro/200`, `latency`. `PORTCULLIS_BENCH_BESIDE` names another build's binary, which is
//! then measured in the same rounds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../orders/mod.rs"]
mod orders;
#[path = "../processes/mod.rs"]
mod processes;
mod sink;
mod targets;
#[path = "../conditions/mod.rs"]
mod conditions;

use portcullis::schema::SchemaType;
use portcullis::wire::api::ApiKey;
use portcullis::wire::batch_writer::{NewRecord, write_batch};
use portcullis::wire::compression::Compression;
use portcullis::wire::produce_response::ProduceResponse;
use portcullis::wire::writer::Writer;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 5;

/// Another build of the gateway, to be measured in the same rounds.
const BESIDE: &str = "PORTCULLIS_BENCH_BESIDE";

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wanted = |row: &str| words.is_empty() || words.iter().any(|word| row.contains(word));
    let folder = tempfile::tempdir().unwrap();
    let upstream = sink::start();
    let Some(haproxy) = targets::haproxy(folder.path(), upstream) else {
        println!("no HAProxy on this machine: install it to run this comparison");
        return;
    };
    let (gateway, schemas) = targets::portcullis(env!("CARGO_BIN_EXE_portcullis"), upstream);
    if wanted("idle") {
        // First, while the allocator has nothing to reuse.
        let (language, id) = schemas[0];
        idle_connections(&gateway, &frames(language, id, 1)[0]);
    }
    let beside = std::env::var(BESIDE)
        .ok()
        .map(|program| targets::portcullis(&program, upstream).0);
    let processes: Vec<&processes::Process> = [&haproxy, &gateway].into_iter().chain(&beside).collect();
    println!("{}", conditions::line());
    println!(
        "CPU seconds a million records, {CONNECTIONS} connections with {IN_FLIGHT} requests in flight, median of {ROUNDS} rounds"
    );
    println!(
        "{:<10} {:>6} {:>7} {:>12} {:>12} {:>7}",
        "schema", "batch", "bytes", "HAProxy", "Portcullis", "ratio"
    );
    for (language, id) in &schemas {
        for batch_records in [200, 2] {
            if wanted(&format!("{language:?}/{batch_records}")) {
                cpu(*language, *id, batch_records, &processes);
            }
        }
    }
    for (language, id) in &schemas {
        if wanted(&format!("{language:?}/latency")) {
            latency(*language, *id, upstream, haproxy.address, gateway.address);
        }
    }
}

/// CPU of each process over the same bytes; the rounds alternate.
fn cpu(language: SchemaType, schema_id: u32, batch_records: usize, processes: &[&processes::Process]) {
    let frames = frames(language, schema_id, batch_records);
    let bytes = frames.iter().map(Vec::len).sum::<usize>() / (frames.len() * batch_records);
    let requests = 400_000 / batch_records;
    let mut figures: Vec<Vec<f64>> = processes.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (process, figures) in processes.iter().zip(&mut figures) {
            let before = process.cpu();
            load(process.address, &frames, requests);
            let cpu = process.cpu().saturating_sub(before).as_secs_f64();
            figures.push(cpu / (requests * batch_records) as f64 * 1e6);
        }
    }
    let figures: Vec<f64> = figures.iter_mut().map(|figures| median(figures)).collect();
    print!(
        "{:<10} {batch_records:>6} {bytes:>7} {:>12.3} {:>12.3} {:>7.2}",
        format!("{language:?}"),
        figures[0],
        figures[1],
        figures[1] / figures[0]
    );
    match figures.get(2) {
        Some(beside) => println!("   the other build {beside:.3}, {:.2}", beside / figures[0]),
        None => println!(),
    }
}

fn topic(language: SchemaType) -> &'static str {
    match language {
        SchemaType::Avro => "orders-avro",
        SchemaType::Protobuf => "orders-protobuf",
        SchemaType::Json => "orders-json",
    }
}

/// One Produce frame (version 9, acks=1) for each of the batches that the varieties make.
fn frames(language: SchemaType, schema_id: u32, batch_records: usize) -> Vec<Vec<u8>> {
    let values: Vec<Vec<u8>> = orders::payloads(language)
        .iter()
        .map(|payload| orders::framed(language, schema_id, payload))
        .collect();
    values
        .chunks(batch_records)
        .filter(|values| values.len() == batch_records)
        .map(|values| {
            let records: Vec<NewRecord<'_>> = values
                .iter()
                .map(|value| NewRecord {
                    timestamp_ms: 1_700_000_000_000,
                    value: Some(value),
                    ..NewRecord::default()
                })
                .collect();
            let mut batch = Vec::new();
            write_batch(&records, Compression::None, None, &mut batch).unwrap();
            frame(topic(language), &batch)
        })
        .collect()
}

fn frame(topic: &str, batch: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::frame(&mut out, |writer| {
        writer.i16(ApiKey::PRODUCE.0);
        writer.i16(9);
        writer.i32(7);
        writer.nullable_string(false, Some("bench"));
        writer.u8(0);
        writer.nullable_string(true, None);
        writer.i16(1);
        writer.i32(10_000);
        writer.array_length(true, Some(1));
        writer.string(true, topic);
        writer.array_length(true, Some(1));
        writer.i32(0);
        writer.nullable_bytes(true, Some(batch));
        writer.raw(&[0, 0, 0]);
    });
    out
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one response and looks that the record was taken.
fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>) {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    buffer.resize(u32::from_be_bytes(length) as usize, 0);
    stream.read_exact(buffer).unwrap();
    // Correlation id, the header's tagged fields, then the body.
    let response = ProduceResponse::read(&buffer[5..], 9).unwrap();
    let partition = &response.topics[0].1[0];
    assert_eq!(partition.error_code.0, 0, "{:?}", partition.error_message);
}

fn load(address: SocketAddr, frames: &[Vec<u8>], requests: usize) {
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut stream = connect(address);
                let mut buffer = Vec::new();
                let requests = requests / CONNECTIONS;
                for sent in 0..requests {
                    stream
                        .write_all(&frames[(sent * CONNECTIONS + connection) % frames.len()])
                        .unwrap();
                    if sent >= IN_FLIGHT - 1 {
                        read_response(&mut stream, &mut buffer);
                    }
                }
                for _ in 0..requests.min(IN_FLIGHT - 1) {
                    read_response(&mut stream, &mut buffer);
                }
            });
        }
    });
}

/// One record in flight over each target in turn, the targets interleaved request by request.
fn latency(
    language: SchemaType,
    schema_id: u32,
    direct: SocketAddr,
    haproxy: SocketAddr,
    gateway: SocketAddr,
) {
    let frames = frames(language, schema_id, 1);
    let mut streams = [direct, haproxy, gateway].map(connect);
    let mut samples = [const { Vec::new() }; 3];
    let mut buffer = Vec::new();
    for round in 0..20_000 {
        let frame = &frames[round % frames.len()];
        for (stream, samples) in streams.iter_mut().zip(&mut samples) {
            let began = Instant::now();
            stream.write_all(frame).unwrap();
            read_response(stream, &mut buffer);
            if round >= 1000 {
                samples.push(began.elapsed());
            }
        }
    }
    let at = |samples: &mut Vec<Duration>, share: f64| {
        samples.sort_unstable();
        samples[((samples.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6
    };
    let [direct, haproxy, gateway] = samples
        .each_mut()
        .map(|samples| (at(samples, 0.5), at(samples, 0.99)));
    println!(
        "{language:?}: one record in flight, µs: direct p50 {:.1} p99 {:.1}",
        direct.0, direct.1
    );
    for (name, figures) in [("HAProxy", haproxy), ("Portcullis", gateway)] {
        println!(
            "  {name:<10} adds p50 {:.1}, p99 {:.1}",
            figures.0 - direct.0,
            figures.1 - direct.1
        );
    }
    println!(
        "  ratio of what is added: p50 {:.2}",
        (gateway.0 - direct.0) / (haproxy.0 - direct.0)
    );
}

/// What a connection costs the gateway's process (not the kernel) before its first request, and idle after one.
fn idle_connections(gateway: &processes::Process, frame: &[u8]) {
    const COUNT: usize = 500;
    let mut buffer = Vec::new();
    let before = gateway.resident_kib();
    let mut streams: Vec<TcpStream> = (0..COUNT).map(|_| connect(gateway.address)).collect();
    let settle = || {
        #[allow(clippy::disallowed_methods, reason = "no runtime here")]
        std::thread::sleep(Duration::from_secs(1));
        gateway.resident_kib().saturating_sub(before) as f64 / COUNT as f64
    };
    println!(
        "{COUNT} connections before their first request: {:.1} KiB each",
        settle()
    );
    for stream in &mut streams {
        stream.write_all(frame).unwrap();
        read_response(stream, &mut buffer);
    }
    println!(
        "  idle after one request, with a connection to the broker: {:.1} KiB each",
        settle()
    );
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}
