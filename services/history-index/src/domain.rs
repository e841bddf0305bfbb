//! What an event log says: pure, without clock, network or disk.
//!
//! [`layout`] says which objects are a log's chunks. Their bytes go through
//! [`log_reader::LogReader`], which decompresses, cuts lines, reads [`event`]s and gives them to
//! [`fold::Fold`]; that one keeps facts under the keys that Spark gives them, and
//! [`fold::Fold::snapshot`] turns facts into the [`model`] that the API serves.

pub mod codec;
pub mod event;
pub mod fold;
pub mod layout;
mod lines;
pub mod log_reader;
pub mod manifest;
pub mod model;
