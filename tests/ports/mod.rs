//! Ports for servers of a test.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

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
