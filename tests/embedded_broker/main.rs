//! The embedded broker speaks Kafka, and misbehaves when it is asked to. The peer is kafka-protocol's client side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod faults;
mod groups;
mod log;
mod peer;
mod versions;
