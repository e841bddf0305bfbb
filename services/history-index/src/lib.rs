//! Indexes event logs once and answers what happened in any application.
#![warn(missing_docs, clippy::future_not_send)]

pub mod domain;
pub mod store;
