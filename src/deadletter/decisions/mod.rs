//! Which records leave a batch, decided once for all gateways.
//!
//! A decision and its bad records are one record batch of the log `__portcullis_decisions`, so both are there or neither.
//! The first decision on a batch holds, for every gateway and for every retry. What was decided becomes true when the
//! broker takes what is left of the batch, and the client is answered only when the log says so:
//!
//! ```text
//! batch ──► decision in the log, read back ──► trimmed batch, base sequence - shift ──► broker
//!                                                     ┌─────────────────────────────────── taken ──► confirmed in the log ──► client
//!                                                     └─────────────────────────────────── refused ► revoked in the log ───► client
//! ```
//! The shift is computed, not stored: the drops of all decisions of that epoch that hold and have a lower base sequence.
//! Dead letters are projected from confirmed decisions only: a batch that was refused, split, renumbered or sent again in
//! another epoch is dead-lettered once.

pub mod answer;
pub mod batch;
pub mod entry;
pub mod fold;
pub mod in_flight;
pub mod passed;
pub mod path;

pub use batch::{BatchKey, ProducerPartition};
pub use entry::{DeadLetterTopic, Decision, Entry};
pub use fold::{Fold, Settled};
pub use path::{Next, Path, Plan};
