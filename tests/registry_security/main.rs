//! The promise: once access is controlled, the registry does for each principal what a rule grants it, and nothing else,
//! however the request is written; it tells who did what, and nothing secret.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests are threads and processes, with no runtime to block"
)]

mod audit;
mod basic;
mod bearer;
mod bypass;
mod certificates;
mod command;
mod house;
mod limits;
#[path = "../ports/mod.rs"]
mod ports;
mod roles;
#[path = "../support/tls.rs"]
#[allow(dead_code, reason = "one test takes a part of it")]
mod tls;
