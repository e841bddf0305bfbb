//! How long programs were on a core: what the machine's other work does not change.

use std::{path::Path, process::ExitStatus};

use anyhow::{Context as _, Result};
use tokio::process::Command;

/// Linux tells processes' times in this unit on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU time that a process has used, its own and the kernel's.
///
/// # Errors
/// When there is no such process.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"))?;
    // The name in brackets may have spaces.
    let (_, fields) = stat.rsplit_once(')').context("the process has a name")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || -> Result<f64> { Ok(fields.next().context("a time")?.parse()?) };
    Ok((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// Runs a program to its end and tells the CPU time of it.
///
/// # Errors
/// When it does not start.
pub(crate) async fn run_and_time(command: &mut Command) -> Result<(ExitStatus, f64)> {
    let mut child = command.kill_on_drop(true).spawn()?;
    let process = child.id().context("it runs")?;
    // An ended process keeps its times until somebody asks for its status.
    while state(process)? != 'Z' {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let seconds = cpu_seconds(process)?;
    Ok((child.wait().await?, seconds))
}

fn state(process: u32) -> Result<char> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("the process has a name")?;
    let state = fields.trim_start().chars().next();
    state.context("a process has a state")
}
