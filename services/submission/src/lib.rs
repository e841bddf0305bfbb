//! The durable front door and the exactly-once launcher.

pub mod domain;
pub mod store;
