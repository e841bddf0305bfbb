//! `cargo xtask bench AREA`: figures, optimised, one JSON object a line.

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::{mesh::images::target_folder, workspace};

/// The benchmarks and the services that they start. They are built in one go: the features of
/// shared dependencies, and so nearly everything, would differ otherwise and be built twice.
const PACKAGES: [&str; 5] = [
    "moka-tests-bench",
    "moka-log-broker",
    "moka-log-shipper",
    "moka-submission",
    "moka-scheduler-adapter",
];

/// Builds the benchmarks in the release profile and runs one area.
///
/// # Errors
/// When they do not build, or the area is unknown or fails.
pub async fn run(area: &str) -> Result<()> {
    let target = target_folder();
    let built = Command::new("cargo")
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", &target)
        .args(["build", "--locked", "--release"])
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
        .status()
        .await?;
    ensure!(built.success(), "the benchmarks do not build");
    let status = Command::new(target.join("release/moka-tests-bench"))
        .arg(area)
        .status()
        .await?;
    ensure!(
        status.success(),
        "the benchmark of {area} ended with {status}"
    );
    Ok(())
}
