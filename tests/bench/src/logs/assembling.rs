//! What the assembler needs for an event log.

use std::process::Stdio;

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use super::{
    node::{Node, new_attempt, shipped},
    shipping::megabytes,
    store::LogStore,
    text::EventLogText,
};
use crate::{
    cpu::run_and_time,
    figure::{Figure, middle},
    programs::Programs,
};

const LOG_BYTES: usize = 512_000_000;

/// The machine hands out memory of `/dev/shm` at a price that differs much from run to run.
const RUNS: usize = 5;

/// Megabytes of event log a second of one core, from raw records to a History Server's directory;
/// and what writing the same directory alone takes.
pub(super) async fn measure(store: &LogStore, text: &EventLogText) -> Result<Figure> {
    let programs = Programs::beside_this_one()?;
    let node = Node::new()?;
    let log = text.repeated(LOG_BYTES);
    node.write(new_attempt(), "spark-large", &log)?;
    let shipper = node.ship(&programs, store).await?;
    shipped(&shipper, log.len()).await?;
    drop(shipper);
    let (mut assembling, mut copying) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        // What the disk costs is not the assembler's.
        let out = TempDir::with_prefix_in("moka-bench-", "/dev/shm")?;
        let mut command = Command::new(programs.path("log-broker"));
        command
            .args(["assemble", "--ended", "--raw", store.url(), "--out"])
            .arg(format!("file://{}", out.path().display()))
            .envs(LogStore::credentials());
        assembling.push(seconds(command).await?);
        let copy = TempDir::with_prefix_in("moka-bench-", "/dev/shm")?;
        let mut command = Command::new("cp");
        command
            .args(["--recursive", "--reflink=never"])
            .args([out.path(), copy.path()]);
        copying.push(seconds(command).await?);
    }
    let name = store.figure("assemble_mb_per_s", "assemble_mb_per_s_directory");
    let rate = |seconds: Vec<f64>| megabytes(log.len()) / middle(seconds);
    let assembled = Figure::alone(name, rate(assembling), "MB/s of a core");
    Ok(assembled.beside(rate(copying), "cp of the assembled log"))
}

async fn seconds(mut command: Command) -> Result<f64> {
    let (status, seconds) = run_and_time(command.stdout(Stdio::null())).await?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(seconds)
}
