//! Portcullis: a validating gateway for Apache Kafka.
//!
//! The crate is a house of rooms. A room may use only the rooms above it in this list
//! (`tests/rooms.rs` reads the `use` lines and holds it). *Pure* rooms do no I/O, read no
//! clock and spawn no task.
//!
//! 1. [`wire`] (pure): Kafka's bytes: frames, headers, the Produce view, record batches, compression.
//! 2. [`schema`] (pure): Avro, Protobuf and JSON Schema behind one door: parse, canonical, compat, validate.
//! 3. [`contract`] (pure): topic policies and framing; a batch and the schemas it asks for in, verdicts out.
//! 4. [`telemetry`]: metrics by name, logs, health, the admin port.
//! 5. [`kafka`]: connections to the real brokers: TCP, TLS, and what the gateway itself asks of them.
//! 6. [`registry`]: subjects, versions, ids as a fold over a log; its store and its REST API.
//! 7. [`deadletter`]: which records leave a batch, decided once for all gateways; the dead letters themselves.
//! 8. [`gateway`]: listeners, sessions, upstream links, address rewriting, limits, drain.
//! 9. [`demo`]: the embedded broker and the tour.
//! 10. [`config`]: the file as typed, turned into the rooms' own options as meant.
//! 11. [`cli`]: one file a subcommand; puts the process together.

pub mod wire;
pub mod schema;
pub mod contract;
pub mod telemetry;
pub mod kafka;
pub mod registry;
pub mod deadletter;
pub mod gateway;
pub mod demo;
pub mod config;
pub mod cli;
