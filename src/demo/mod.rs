//! The embedded broker and the tour.

pub mod broker;
pub mod tour;

pub use broker::{BrokerOptions, EmbeddedBroker, Faults, RequestSeen, ResponseFault};
pub use tour::{House, Ports, Report, TourError};
