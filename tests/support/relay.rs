//! A relay between client and gateway that keeps every byte that the gateway sends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Listens on the same ports as the gateway, at another loopback address, so that a gateway that advertises this
/// address is reached through the relay on every port.
#[derive(Clone)]
pub struct Relay {
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    pub fn start(listen_host: &str, target_host: &str, ports: std::ops::Range<u16>) -> Self {
        let relay = Self { seen: Arc::default() };
        for port in ports {
            let listener = TcpListener::bind((listen_host, port)).unwrap();
            let (relay, target) = (relay.clone(), (target_host.to_owned(), port));
            std::thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    // A port without a broker behind it refuses, as it would without the relay.
                    if let Ok(server) = TcpStream::connect(&target) {
                        relay.join(client, server);
                    }
                }
            });
        }
        relay
    }

    /// Everything that came from the gateway so far, connection after connection, chunk after chunk.
    pub fn seen(&self) -> Vec<u8> {
        self.seen.lock().unwrap().clone()
    }

    fn join(&self, client: TcpStream, server: TcpStream) {
        let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || pump(from_client, to_server, |_| {}));
        let seen = Arc::clone(&self.seen);
        std::thread::spawn(move || {
            // Whole connections stay together: an address must not hide in the seam of two chunks.
            let mut connection = Vec::new();
            pump(server, client, |bytes| connection.extend_from_slice(bytes));
            seen.lock().unwrap().append(&mut connection);
        });
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, mut each: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 {
            break;
        }
        each(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
