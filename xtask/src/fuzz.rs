//! `cargo xtask fuzz`: every target of `fuzz/` for a short time.

use std::{path::PathBuf, thread::available_parallelism};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::process::Command;

use crate::{
    cluster::{Cache, output, step},
    workspace,
};

/// What libFuzzer has to know of the code that it runs: which parts an input reaches, and what is
/// compared with what. All of it is stable, unlike a sanitizer, which would find nothing in code
/// that is safe.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// For how long, and from where.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// How long for each target.
    #[arg(long, default_value_t = 60)]
    pub seconds: u32,
    /// Where chance begins; another place each time when it is left out.
    #[arg(long)]
    pub seed: Option<u32>,
}

/// Builds the targets and runs each. What a run finds new stays in the cache for the next.
///
/// # Errors
/// When a target fails, which leaves the input in the cache, or cannot be built.
pub async fn run(options: Options) -> Result<()> {
    let cache = Cache::locate()?;
    let targets = targets()?;
    if targets.is_empty() {
        bail!("there is no target in fuzz/src/bin");
    }
    let programs = step("building the fuzz targets", build(&cache)).await?;
    let what = format!(
        "fuzzing {} targets for {} s each",
        targets.len(),
        options.seconds
    );
    let at_once = available_parallelism().map_or(1, usize::from);
    let runs = stream::iter(targets)
        .map(|target| fuzz(&cache, programs.join(&target), target, options))
        .buffer_unordered(at_once)
        .try_collect();
    step(&what, runs).await
}

/// Gives the folder of the programs.
async fn build(cache: &Cache) -> Result<PathBuf> {
    let host = host().await?;
    let folder = cache.root().join("target-fuzz");
    let mut cargo = Command::new("cargo");
    // Only what is built for a named target is instrumented: build scripts cannot be.
    cargo
        .current_dir(workspace::root().join("fuzz"))
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", INSTRUMENTED)
        .args(["build", "--locked", "--quiet", "--bins", "--target", &host]);
    output(&mut cargo).await?;
    Ok(folder.join(host).join("debug"))
}

async fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV")).await?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not tell its host")?.to_owned())
}

async fn fuzz(cache: &Cache, program: PathBuf, target: String, options: Options) -> Result<()> {
    let Options { seconds, seed } = options;
    let corpus = cache.root().join("fuzz").join(&target);
    let artifacts = cache.root().join("fuzz-artifacts").join(&target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    let mut fuzz = Command::new(program);
    // What went wrong is told last, and not where the fuzzer called.
    fuzz.env("RUST_BACKTRACE", "0")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-max_len=8192", "-timeout=60", "-rss_limit_mb=2048"])
        .args(seed.map(|seed| format!("-seed={seed}")))
        .arg(&corpus)
        .args(seeds(&target));
    output(&mut fuzz).await?;
    Ok(())
}

/// Inputs from which more are made: chance alone is slow to find a form that is demanded.
fn seeds(target: &str) -> Option<PathBuf> {
    let folder = workspace::root().join("fuzz/seeds").join(target);
    folder.is_dir().then_some(folder)
}

/// The targets are the files of their folder, in the order of their names.
fn targets() -> Result<Vec<String>> {
    let files = workspace::files("fuzz/src/bin", ".rs")?;
    let name = |file: PathBuf| Some(file.file_stem()?.to_str()?.to_owned());
    let mut targets: Vec<_> = files.into_iter().filter_map(name).collect();
    targets.sort();
    Ok(targets)
}
