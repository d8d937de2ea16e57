//! HTTP/1.1 over connections that stay open, one request under way on each: the same for every target.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub struct Request(Vec<u8>);

impl Request {
    pub fn get(path: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/vnd.schemaregistry.v1+json\r\n\r\n").into())
    }

    pub fn post(path: &str, body: &str) -> Self {
        let length = body.len();
        Self(
            format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/vnd.schemaregistry.v1+json\r\n\
                 Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .into(),
        )
    }
}

#[derive(Default)]
pub struct Outcome {
    pub took: Duration,
    /// Of the answers' bodies.
    pub bytes: usize,
    pub failed: usize,
    /// One of the answers that were not 200.
    pub failure: Option<String>,
    /// In ascending order.
    latencies: Vec<Duration>,
}

impl Outcome {
    pub fn percentile(&self, part: f64) -> Duration {
        let position = (self.latencies.len() as f64 * part) as usize;
        self.latencies[position.min(self.latencies.len() - 1)]
    }
}

/// Sends all requests; each connection takes the next one when it has its answer.
pub fn run(address: SocketAddr, connections: usize, requests: &[Request]) -> Outcome {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let parts: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| one_connection(address, requests, &next)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut whole = Outcome {
        took: began.elapsed(),
        ..Outcome::default()
    };
    for part in parts {
        whole.bytes += part.bytes;
        whole.failed += part.failed;
        whole.failure = whole.failure.or(part.failure);
        whole.latencies.extend(part.latencies);
    }
    whole.latencies.sort_unstable();
    whole
}

fn one_connection(address: SocketAddr, requests: &[Request], next: &AtomicUsize) -> Outcome {
    let mut outcome = Outcome::default();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answers = BufReader::with_capacity(64 << 10, &stream);
    while let Some(Request(request)) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let began = Instant::now();
        (&stream).write_all(request).unwrap();
        let (status, body) = answer(&mut answers);
        outcome.latencies.push(began.elapsed());
        outcome.bytes += body.len();
        if status != 200 {
            outcome.failed += 1;
            outcome.failure = Some(format!("{status} {}", String::from_utf8_lossy(&body)));
        }
    }
    outcome
}

fn answer(from: &mut impl BufRead) -> (u16, Vec<u8>) {
    let status = line(from).split(' ').nth(1).unwrap().parse().unwrap();
    let mut length = None;
    loop {
        let header = line(from).to_ascii_lowercase();
        match header.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse::<usize>().ok(),
            Some(_) => {}
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => read(from, length, &mut body),
        None => loop {
            let length = usize::from_str_radix(&line(from), 16).unwrap();
            read(from, length, &mut body);
            assert!(line(from).is_empty());
            if length == 0 {
                break;
            }
        },
    }
    (status, body)
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    assert!(
        from.read_line(&mut line).unwrap() > 0,
        "the connection was closed"
    );
    line.trim_end().to_owned()
}

fn read(from: &mut impl BufRead, length: usize, into: &mut Vec<u8>) {
    from.take(length as u64).read_to_end(into).unwrap();
}
