//! Assembles event logs: from raw records to the layout of Spark's rolling writer.

mod event_log;
mod publish;
mod rounds;

use std::time::Duration;

pub use event_log::{AssemblyStatus, EventLogAssembly};
pub use rounds::Assembler;

/// How event logs are cut and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssemblySettings {
    /// A chunk is published at this size.
    pub chunk_bytes: usize,
    /// A smaller one is published after this time.
    pub chunk_interval: Duration,
    /// How long nothing new may have come before an ended attempt's log counts as whole.
    pub settle: Duration,
    /// Whether a log without an end gets one.
    pub synthetic_end: bool,
}
