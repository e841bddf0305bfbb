//! What every binary does first: options, telemetry, admin port, readiness, tasks, shutdown.
//!
//! A service's `main.rs` calls [`main`] with its [`ServiceInfo`] and its wiring function. The
//! wiring function gets a [`ProcessContext`], spawns what it needs on [`Tasks`] and returns; the
//! process then lives until a signal, a failed task or [`ProcessContext::stop`] ends it.
#![warn(missing_docs, clippy::future_not_send)]

mod admin;
mod context;
mod entry;
mod exit;
mod listen;
mod log_filter;
mod options;
mod pages;
mod readiness;
mod signals;
mod tasks;
mod telemetry;

pub use context::{ProcessContext, ServiceInfo};
pub use entry::{command, main};
pub use exit::Exit;
pub use listen::{ListenPolicy, NotLoopback};
pub use options::{LogFormat, ProcessOptions};
pub use readiness::{Condition, Readiness};
pub use tasks::{TaskOutput, Tasks};
