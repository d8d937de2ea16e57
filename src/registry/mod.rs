//! The schema registry: subjects, versions, ids as a fold over a log; its store and its REST API.
//!
//! The way of a registration: `rest` reads it, `registration` finds it or completes it (`tagging` changes its tags), `admission` parses it and
//! compares it with earlier versions on blocking threads, `state::decide` turns it into records, `writer` makes them durable in the `log` and folds
//! them into the next state, `source` publishes that to the REST resources and to the gateway.

pub mod access;
pub mod admission;
pub mod client;
pub mod core;
pub mod election;
pub mod errors;
pub mod log;
pub mod registration;
pub mod rest;
pub mod role;
pub mod source;
pub mod state;
mod handshake;
mod listener;
mod reload;
mod reserved;
mod server;
mod tagging;
mod tls;
mod writer;

pub use access::SecurityOptions;
pub use listener::Peer;
pub use log::StoreOptions;
pub use role::{Leadership, Role};
pub use server::{Opened, Registry, RegistryOptions, open, open_with, report_unknown, start};
