//! `cargo xtask soak AREA`: random faults for as long as it is told.

use anyhow::{Result, ensure};
use clap::Subcommand;
use tokio::process::Command;

use crate::{mesh::images::target_folder, workspace};

/// What to run for long.
#[derive(Debug, Subcommand)]
pub enum Soak {
    /// submission's workers and store under random faults, over both databases.
    Submission {
        /// How long, at least; the last run is finished.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// The first seed; each run takes the next. A failed run names its own.
        #[arg(long, default_value_t = 1000)]
        seed: u64,
    },
}

/// Builds the suite and runs it.
///
/// # Errors
/// When it does not build, or an invariant does not hold.
pub async fn run(soak: Soak) -> Result<()> {
    let Soak::Submission { minutes, seed } = soak;
    let status = Command::new("cargo")
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", target_folder())
        .args(["run", "--locked", "--quiet"])
        .args(["--package", "moka-tests-faults", "--"])
        .args(["--minutes", &minutes.to_string()])
        .args(["--seed", &seed.to_string()])
        .status()
        .await?;
    ensure!(status.success(), "the faults ended with {status}");
    Ok(())
}
