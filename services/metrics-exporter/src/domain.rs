//! From the text of a Prometheus endpoint to lines of OpenTSDB's telnet protocol, as pure
//! functions.

pub mod batch;
pub mod buffer;
pub mod drop_reason;
pub mod exposition;
pub mod mapping;
