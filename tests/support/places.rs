//! Where things are: what `tests/run` fetched, and free ports.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// What `tests/run` fetched: `kafka/`, `clients/`, `venv/`.
pub fn real() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real = std::env::var_os("PORTCULLIS_REAL").map_or_else(|| root.join("target/real"), PathBuf::from);
    assert!(
        real.join("kafka/.fetched").exists(),
        "no Apache Kafka in {}: run `bash tests/run --fetch` once",
        real.display()
    );
    real
}

/// What `tests/run` compiled: `classes/`, `messages/`.
pub fn built() -> PathBuf {
    let built = project("target/built");
    assert!(
        built.join("classes/.compiled").exists(),
        "nothing in {}: run `bash tests/run --fetch`",
        built.display()
    );
    built
}

/// A file of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder under `target/tmp`, gone when it is dropped; what a `static` holds is never dropped, and goes when the next
/// test process starts.
pub fn scratch() -> TempDir {
    static HOUSEKEEPING: Once = Once::new();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    HOUSEKEEPING.call_once(|| {
        for entry in fs::read_dir(all).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.parse::<u32>().is_ok() && !Path::new("/proc").join(&name).exists() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    });
    let own = all.join(std::process::id().to_string());
    fs::create_dir_all(&own).unwrap();
    tempfile::tempdir_in(own).unwrap()
}

pub fn free_port(host: &str) -> u16 {
    free_ports(host, 1)
}

/// The first of `count` ports in a row that nobody listens on. Below the ephemeral range, so that no client's own
/// socket takes one in between; each caller gets another stretch, and each process starts elsewhere.
pub fn free_ports(host: &str, count: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let _ = NEXT.compare_exchange(
        0,
        std::process::id().wrapping_mul(37),
        Ordering::SeqCst,
        Ordering::SeqCst,
    );
    for _ in 0..500 {
        let first = 10_000 + (NEXT.fetch_add(u32::from(count), Ordering::SeqCst) % 22_000) as u16;
        let held: Vec<_> = (first..first + count)
            .map(|port| TcpListener::bind((host, port)))
            .collect();
        if held.iter().all(Result::is_ok) {
            return first;
        }
    }
    panic!("no {count} free ports in a row on {host}");
}
