//! The embedded broker and the tour.

pub mod broker;

pub use broker::{BrokerOptions, EmbeddedBroker, Faults, RequestSeen, ResponseFault};
