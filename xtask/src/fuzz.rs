//! `cargo xtask fuzz`: every target of `fuzz/` for a short time.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::{
    cluster::{Cache, output, step},
    workspace,
};

const CARGO_FUZZ_VERSION: &str = "0.13.2";

/// Runs every target for `seconds`. What a run finds new stays in the cache for the next.
///
/// # Errors
/// When a target fails, which leaves the input in the cache, or something cannot be installed.
pub async fn run(seconds: u32) -> Result<()> {
    let cache = Cache::locate()?;
    let cargo_fuzz = ensure_cargo_fuzz(&cache).await?;
    let targets = targets()?;
    if targets.is_empty() {
        bail!("there is no target in fuzz/fuzz_targets");
    }
    for target in targets {
        let corpus = cache.root().join("fuzz").join(&target);
        let artifacts = cache.root().join("fuzz-artifacts").join(&target);
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&artifacts)?;
        let mut fuzz = Command::new(&cargo_fuzz);
        // All code of ours is safe, so that the sanitizer would only make it slow.
        fuzz.current_dir(workspace::root())
            .env("RUSTUP_TOOLCHAIN", "nightly")
            .env("CARGO_TARGET_DIR", cache.root().join("target-fuzz"))
            .args(["run", "--sanitizer", "none", &target])
            .arg(&corpus)
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args(["-max_len=8192", "-timeout=10", "-rss_limit_mb=2048"]);
        let what = format!("fuzzing {target} for {seconds} s");
        step(&what, output(&mut fuzz)).await?;
    }
    Ok(())
}

/// The targets are the files of their folder, in the order of their names.
fn targets() -> Result<Vec<String>> {
    let files = workspace::files("fuzz/fuzz_targets", ".rs")?;
    let name = |file: PathBuf| Some(file.file_stem()?.to_str()?.to_owned());
    let mut targets: Vec<_> = files.into_iter().filter_map(name).collect();
    targets.sort();
    Ok(targets)
}

async fn ensure_cargo_fuzz(cache: &Cache) -> Result<PathBuf> {
    let folder = cache
        .root()
        .join(format!("cargo-fuzz-{CARGO_FUZZ_VERSION}"));
    let program = folder.join("bin/cargo-fuzz");
    if !program.is_file() {
        let mut install = Command::new("cargo");
        install
            .args(["install", "--locked", "--quiet", "--version"])
            .args([CARGO_FUZZ_VERSION, "--root"])
            .arg(&folder)
            .arg("cargo-fuzz");
        step("installing cargo-fuzz", output(&mut install))
            .await
            .context("cargo-fuzz cannot be installed")?;
    }
    Ok(program)
}
