//! The durable front door and the exactly-once launcher.
