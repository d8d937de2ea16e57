//! What the tests with a real Kafka share: a broker, a gateway, client programs, and records to send.
//! Everything listens on a loopback address, waits a bounded time, and ends with the test process.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests are threads and processes, with no runtime to block"
)]
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "small texts, once"
)]

pub mod clients;
pub mod conversation;
pub mod embedded;
pub mod gateway;
pub mod http;
pub mod kafka;
pub mod numbered;
pub mod payloads;
pub mod places;
pub mod process;
pub mod records;
pub mod registry_clients;
pub mod relay;
pub mod slapd;
pub mod tls;
