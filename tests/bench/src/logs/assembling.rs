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
use crate::{cpu::run_and_time, figure::Figure, programs::Programs};

const LOG_BYTES: usize = 512_000_000;

/// Megabytes of event log a second of one core, from raw records to a History Server's directory.
pub(super) async fn measure(store: &LogStore, text: &EventLogText) -> Result<Figure> {
    let programs = Programs::beside_this_one()?;
    let node = Node::new()?;
    let log = text.repeated(LOG_BYTES);
    node.write(new_attempt(), "spark-large", &log)?;
    let shipper = node.ship(&programs, store).await?;
    shipped(&shipper, log.len()).await?;
    drop(shipper);
    // What the disk costs is not the assembler's.
    let out = TempDir::with_prefix_in("moka-bench-", "/dev/shm")?;
    let mut command = Command::new(programs.path("log-broker"));
    command
        .args(["assemble", "--ended", "--raw", store.url(), "--out"])
        .arg(format!("file://{}", out.path().display()))
        .envs(LogStore::credentials())
        .stdout(Stdio::null());
    let (status, seconds) = run_and_time(&mut command).await?;
    ensure!(status.success(), "assembling ended with {status}");
    let name = store.figure("assemble_mb_per_s", "assemble_mb_per_s_directory");
    Ok(Figure::alone(
        name,
        megabytes(log.len()) / seconds,
        "MB/s of a core",
    ))
}
