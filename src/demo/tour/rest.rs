//! One HTTP request a connection, enough to register a schema: no client library for three requests.

use super::TourError;
use crate::schema::SchemaId;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIME_MAX: Duration = Duration::from_secs(10);
const RESPONSE_BYTES_MAX: u64 = 1 << 20;

/// Registers `schema` under `subject` and returns its id.
pub async fn register(
    registry: SocketAddr,
    subject: &str,
    schema_type: &str,
    schema: &str,
) -> Result<SchemaId, TourError> {
    let path = format!("/subjects/{subject}/versions");
    let body = json!({ "schemaType": schema_type, "schema": schema }).to_string();
    let exchange = tokio::time::timeout(TIME_MAX, post(registry, &path, &body));
    let (status, body) = exchange
        .await
        .map_err(|_| TourError::Timeout(format!("the registry at {registry}")))?
        .map_err(|error| TourError::Io {
            what: format!("the registry at {registry}"),
            error,
        })?;
    let id = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|body| body.get("id")?.as_u64());
    match id.and_then(|id| u32::try_from(id).ok()) {
        Some(id) if status == 200 => Ok(SchemaId(id)),
        _ => Err(TourError::Registry {
            address: registry,
            request: format!("POST {path}"),
            status,
            body,
        }),
    }
}

/// Status and body.
async fn post(server: SocketAddr, path: &str, body: &str) -> io::Result<(u16, String)> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream
        .take(RESPONSE_BYTES_MAX)
        .read_to_string(&mut response)
        .await?;
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP response");
    let (head, body) = response.split_once("\r\n\r\n").ok_or_else(unreadable)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(unreadable)?;
    Ok((status, body.to_owned()))
}
