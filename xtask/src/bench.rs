//! `cargo xtask bench AREA`: figures, optimised, one JSON object a line.

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::{mesh::images::target_folder, workspace};

/// Builds the benchmarks in the release profile and runs one area.
///
/// # Errors
/// When they do not build, or the area is unknown or fails.
pub async fn run(area: &str) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", target_folder());
    cargo.args([
        "run",
        "--locked",
        "--quiet",
        "--release",
        "--package",
        "moka-tests-bench",
        "--",
        area,
    ]);
    let status = cargo.status().await?;
    ensure!(
        status.success(),
        "the benchmark of {area} ended with {status}"
    );
    Ok(())
}
