//! submission's real workers and its real store, over a real database, under random faults. The
//! clusters, their operators and people are simulated; time runs many times as fast as it does.
//!
//! `cargo xtask soak submission` goes on for as long as it is told.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test support")]

mod clock;
mod dice;
mod environment;
mod faulty_launcher;
mod faulty_scheduler;
mod faulty_store;
mod replica;
mod scenario;
mod virtual_time;
mod witness;

pub use scenario::{Report, Scenario};
pub use virtual_time::run_fast;
