//! Dead-lettering: a bad record leaves its batch, the others go on, and the producer sees unbroken sequence numbers.
//!
//! [`decisions`] is the algorithm, without I/O; [`log`] keeps decisions and their bad records in a Kafka topic;
//! [`letter`] is what a bad record becomes.

pub mod decisions;
pub mod letter;
pub mod log;
pub mod projector;
pub mod topic;

#[cfg(test)]
mod simulation;
