//! Chores of this repository: bindings, rules, local cluster, images, demo, benchmarks.
//!
//! A library as well as a command, because the tests under `tests/` start the same local cluster.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

pub mod bench;
pub mod bindings;
pub mod cluster;
pub mod contracts;
pub mod demo;
pub mod fuzz;
pub mod history_server;
pub mod mesh;
pub mod metrics_server;
pub mod postgres;
pub mod s3_server;
pub mod small_disk;
pub mod soak;
mod throwaway;
pub mod tidy;
pub mod workspace;
