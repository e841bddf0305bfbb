//! The exporter from outside: between a real HTTP endpoint and a strict OpenTSDB receiver, and its
//! binary.
#![expect(clippy::unwrap_used, reason = "test support")]

mod api;
mod delivery;
mod endpoint;
mod opentsdb;
mod process;
mod service;
