//! Metrics by name, logs, health, the admin port.

pub mod admin;
pub mod health;
pub mod logs;
pub mod metrics;
