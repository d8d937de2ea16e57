//! Dead-lettering: a bad record leaves its batch, the others go on, and the producer sees unbroken sequence numbers.
//! Section by section: [`decisions`] is the algorithm, without I/O.

pub mod decisions;
