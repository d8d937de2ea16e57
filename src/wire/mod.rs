//! Kafka's bytes. Pure, bounded, zero-copy: nothing here does I/O, and nothing allocates or loops by a
//! number from the wire before that number is checked against the bytes that are there.

pub mod addresses;
pub mod api;
pub mod api_versions;
pub mod batch;
pub mod batch_rewrite;
mod record;
pub mod batch_writer;
pub mod committed;
pub mod compression;
pub mod error_code;
pub mod header;
pub mod log;
pub mod produce_request;
pub mod produce_response;
pub mod reader;
pub mod record_indexes;
pub mod sequence;
pub mod topic_name;
pub mod writer;
