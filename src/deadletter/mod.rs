//! Dead-lettering: a bad record leaves its batch, the others go on, and the producer sees unbroken sequence numbers.
//!
//! [`decisions`] is the algorithm, without I/O; [`log`] keeps decisions and their bad records in a Kafka topic;
//! [`letter`] is what a bad record becomes; [`redrive`]
//! turns it into the record again.

pub mod batches;
pub mod decisions;
pub mod letter;
pub mod log;
pub mod projector;
pub mod redrive;
pub mod topic;

#[cfg(test)]
mod simulation;
