//! One HTTP/1.1 request over a socket of its own: enough for the registry and the admin port.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// `None` when nobody listens or the answer does not come.
pub fn request(method: &str, address: &str, path: &str, body: Option<&str>) -> Option<Answer> {
    let socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    exchange(socket, method, address, path, "", body).ok()?
}

/// The same over a connection that is open already, with further lines of headers; `None` when the other side closes it without an answer.
pub fn exchange(
    mut socket: impl Read + Write,
    method: &str,
    host: &str,
    path: &str,
    headers: &str,
    body: Option<&str>,
) -> std::io::Result<Option<Answer>> {
    let body = body.unwrap_or_default();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: */*\r\n{headers}\
         Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer)?;
    Ok(read(&String::from_utf8_lossy(&answer)))
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

pub fn get(address: &str, path: &str) -> Option<Answer> {
    request("GET", address, path, None)
}
