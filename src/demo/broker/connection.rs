//! One client connection: frames in, responses out, one request at a time as Kafka's own broker does it.

use super::dispatch::{self, Client, Outcome};
use super::faults::ResponseFault;
use super::requests_seen::RequestSeen;
use super::shared::{Shared, lock};
use crate::wire::api::ApiKey;
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Why a connection ended.
enum End {
    /// With a FIN: the client went away, or sent what no broker answers.
    Closed,
    /// With an RST, as a fault.
    Reset,
}

pub async fn serve(mut stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut resets = shared.faults.resets();
    resets.mark_unchanged();
    let end = tokio::select! {
        end = converse(&mut stream, peer, &shared) => end,
        _ = resets.changed() => End::Reset,
    };
    if matches!(end, End::Reset) {
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}

async fn converse(stream: &mut TcpStream, peer: SocketAddr, shared: &Arc<Shared>) -> End {
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    loop {
        let frame = match read_frame(stream, shared.options.frame_bytes_max).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return End::Closed,
            Err(error) => {
                tracing::debug!(%peer, %error, "the embedded broker gave up a connection");
                return End::Closed;
            }
        };
        let Some(seen) = read_head(connection, frame.clone()) else {
            return End::Closed;
        };
        let fault = shared.faults.take(seen.api_key);
        lock(&shared.requests_seen).push(seen.clone());
        if fault == Some(ResponseFault::ResetUnhandled) {
            return End::Reset;
        }
        let client = Client {
            host: peer.ip().to_string(),
        };
        let response = match dispatch::handle(shared, &client, seen.api_key.0, seen.api_version, frame).await
        {
            Outcome::Respond(response) => response,
            Outcome::Silent => continue,
            Outcome::Close(why) => {
                tracing::debug!(%peer, why, "the embedded broker closed a connection");
                return End::Closed;
            }
        };
        match send(stream, &response, fault).await {
            Ok(None) => {}
            Ok(Some(end)) => return end,
            Err(_) => return End::Closed,
        }
    }
}

fn read_head(connection: u64, frame: Bytes) -> Option<RequestSeen> {
    let mut reader = crate::wire::reader::Reader::new(&frame);
    let api_key = ApiKey(reader.i16().ok()?);
    let api_version = reader.i16().ok()?;
    let correlation_id = reader.i32().ok()?;
    Some(RequestSeen {
        connection,
        api_key,
        api_version,
        correlation_id,
        frame,
    })
}

/// A frame without its length; `None` at the end of the stream. Memory grows with what has arrived, not with what
/// the length says.
async fn read_frame(stream: &mut TcpStream, bytes_max: usize) -> io::Result<Option<Bytes>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = usize::try_from(i32::from_be_bytes(length))
        .ok()
        .filter(|length| *length <= bytes_max)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "frame length out of bounds"))?;
    let mut frame = Vec::with_capacity(length.min(64 << 10));
    stream.take(length as u64).read_to_end(&mut frame).await?;
    if frame.len() < length {
        return Ok(None);
    }
    Ok(Some(Bytes::from(frame)))
}

/// Writes a whole frame, as the fault wants it. Returns how the connection ends, if it does.
async fn send(stream: &mut TcpStream, frame: &[u8], fault: Option<ResponseFault>) -> io::Result<Option<End>> {
    match fault {
        None => stream.write_all(frame).await?,
        Some(ResponseFault::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            stream.write_all(frame).await?;
        }
        Some(ResponseFault::ResetHandled | ResponseFault::ResetUnhandled) => return Ok(Some(End::Reset)),
        Some(ResponseFault::ResetAfter(bytes)) => {
            stream.write_all(frame.get(..bytes).unwrap_or(frame)).await?;
            // Let the bytes leave: a reset takes back what is still in the socket's buffer.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(Some(End::Reset));
        }
        Some(ResponseFault::Swallow) => {}
        Some(ResponseFault::Drip { bytes, pause }) => {
            for chunk in frame.chunks(bytes.max(1)) {
                stream.write_all(chunk).await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    Ok(None)
}
