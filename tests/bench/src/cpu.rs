//! How long programs were on a core: what the machine's other work does not change.

use std::process::ExitStatus;

use anyhow::{Context as _, Result};
use tokio::process::Command;

/// Linux tells processes' times in this unit on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU time that a process has used, its own and the kernel's.
///
/// # Errors
/// When there is no such process.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let fields = fields(process)?;
    let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("a time")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Runs a program to its end and tells the CPU time of it.
///
/// # Errors
/// When it does not start.
pub(crate) async fn run_and_time(command: &mut Command) -> Result<(ExitStatus, f64)> {
    let mut child = command.kill_on_drop(true).spawn()?;
    let process = child.id().context("it runs")?;
    // An ended process keeps its times until somebody asks for its status.
    while fields(process)?.first().is_some_and(|state| state != "Z") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let seconds = cpu_seconds(process)?;
    Ok((child.wait().await?, seconds))
}

/// What Linux tells of a process, from its state on.
fn fields(process: u32) -> Result<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may have spaces.
    let (_, fields) = stat.rsplit_once(')').context("the process has a name")?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}
