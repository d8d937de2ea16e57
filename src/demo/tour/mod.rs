//! The tour: a house with no file at all, examples of all three languages registered over REST, good and bad records
//! sent through the gateway by real Kafka requests, and what became of each.

mod client;
mod examples;
mod house;
mod payloads;
mod report;
mod rest;
mod visit;

pub use house::{House, Ports};
pub use report::Report;

use crate::schema::SchemaError;
use crate::wire::compression::CompressionError;
use crate::wire::reader::WireError;
use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// Why the tour could not be finished. A record that met another fate than it should have is no error, but a line of
/// the [`Report`].
#[derive(Debug, Error)]
pub enum TourError {
    #[error("{part} cannot start: {error}")]
    Start { part: String, error: io::Error },
    #[error("the gateway is not ready: {0}")]
    NotReady(String),
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    #[error("{0} did not answer in time")]
    Timeout(String),
    #[error("{what} answered what cannot be read: {error}")]
    Wire { what: &'static str, error: WireError },
    #[error("the gateway answered {what} with error code {code}")]
    Refused { what: &'static str, code: i16 },
    #[error("an answer through the gateway is not as it should be: {0}")]
    Answer(String),
    #[error("the registry at {address} answered {status} to {request}: {body}")]
    Registry {
        address: SocketAddr,
        request: String,
        status: u16,
        body: String,
    },
    #[error("an example schema does not parse: {0}")]
    Schema(#[from] SchemaError),
    #[error("an example cannot be compressed: {0}")]
    Compression(#[from] CompressionError),
    #[error("an example cannot be made: {0}")]
    Example(String),
}
