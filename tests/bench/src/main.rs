//! Benchmarks, one area a module. Run them with `cargo xtask bench AREA`.
#![expect(clippy::print_stdout, reason = "figures go to standard output")]
#![expect(
    clippy::disallowed_methods,
    reason = "a load generator spawns its callers and reads the wall clock"
)]

mod cpu;
mod figure;
mod history;
mod logs;
mod programs;
mod submission;

use clap::{Parser, ValueEnum};

/// Benchmarks of the services; each figure is one JSON object a line.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    area: Area,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Area {
    /// Reading an event log, beside a real Spark History Server.
    History,
    /// Logs: all five parts below.
    Logs,
    /// From a node into the object store.
    LogsShipping,
    /// From raw records to an event log.
    LogsAssembling,
    /// Reading from the archive.
    LogsReading,
    /// Searching in the archive, beside GNU grep.
    LogsSearching,
    /// Following a running driver on the local cluster, which is started and left running.
    LogsFollowing,
    /// The front door: all four parts below.
    Submission,
    /// Accepting, beside pgbench.
    SubmissionAccepting,
    /// Reading with five million applications of history.
    SubmissionReads,
    /// Launching, beside bare creates.
    SubmissionLaunching,
    /// Status latency and memory.
    SubmissionStatus,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Whoever installed one before has chosen.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let figures = match Arguments::parse().area {
        Area::History => history::measure().await?,
        Area::Logs => logs::measure().await?,
        Area::LogsShipping => logs::measure_shipping().await?,
        Area::LogsAssembling => logs::measure_assembling().await?,
        Area::LogsReading => logs::measure_reading().await?,
        Area::LogsSearching => logs::measure_searching().await?,
        Area::LogsFollowing => logs::measure_following().await?,
        Area::Submission => submission::measure().await?,
        Area::SubmissionAccepting => submission::measure_accepting().await?,
        Area::SubmissionReads => submission::measure_reads().await?,
        Area::SubmissionLaunching => submission::launching::measure().await?,
        Area::SubmissionStatus => submission::status::measure().await?,
    };
    for figure in figures {
        println!("{}", serde_json::to_string(&figure)?);
    }
    Ok(())
}
