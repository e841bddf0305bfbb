//! `cargo xtask contracts`: buf's opinion of `proto/`, and whether it would break a client of the
//! last version.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::{
    cluster::{Cache, output, step},
    workspace,
};

const BUF_VERSION: &str = "1.75.0";
/// The branch whose contracts clients were generated from.
const BASELINE_BRANCHES: [&str; 2] = ["origin/main", "main"];

/// Lints the protos and compares them with the baseline.
///
/// # Errors
/// When buf finds something, cannot be installed, or there is no baseline to compare with.
pub async fn run() -> Result<()> {
    let buf = ensure_buf(&Cache::locate()?).await?;
    output(
        Command::new(&buf)
            .current_dir(workspace::root())
            .arg("lint"),
    )
    .await?;
    let Some(baseline) = baseline().await? else {
        println!("contracts: no earlier commit has any, so nothing can break");
        return Ok(());
    };
    let against = format!(".git#ref={baseline}");
    let mut breaking = Command::new(&buf);
    breaking
        .current_dir(workspace::root())
        .args(["breaking", "--against", &against]);
    output(&mut breaking).await?;
    println!("contracts: lint is clean and nothing breaks against {baseline}");
    Ok(())
}

async fn ensure_buf(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.root().join("npm").join(format!("buf-{BUF_VERSION}"));
    let program = folder.join("node_modules/.bin/buf");
    if !program.is_file() {
        std::fs::create_dir_all(&folder)?;
        let package = format!("@bufbuild/buf@{BUF_VERSION}");
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--prefix",
        ])
        .arg(&folder)
        .arg(package);
        step("installing buf", output(&mut npm)).await?;
    }
    Ok(program)
}

/// The commit that clients know: where this branch left main, or on main itself the commit before.
/// Nothing when that commit had no contracts at all, as before the first one.
async fn baseline() -> Result<Option<String>> {
    let head = git(&["rev-parse", "HEAD"]).await?;
    let mut fork = None;
    for branch in BASELINE_BRANCHES {
        if let Ok(commit) = git(&["merge-base", "HEAD", branch]).await {
            fork = Some(commit);
            break;
        }
    }
    let Some(fork) = fork else {
        bail!(
            "no branch of {} is here to compare the contracts with",
            BASELINE_BRANCHES.join(", ")
        );
    };
    let baseline = if fork == head {
        if is_first(&head).await? {
            return Ok(None);
        }
        git(&["rev-parse", "HEAD~1"])
            .await
            .context("the commit before is not here; is this a shallow clone?")?
    } else {
        fork
    };
    let has_contracts = git(&["cat-file", "-e", &format!("{baseline}:proto")])
        .await
        .is_ok();
    Ok(has_contracts.then_some(baseline))
}

/// Whether a commit truly has no parent; in a shallow clone its parents are only not here.
async fn is_first(commit: &str) -> Result<bool> {
    let raw = git(&["cat-file", "-p", commit]).await?;
    Ok(!raw
        .lines()
        .take_while(|line| !line.is_empty())
        .any(|line| line.starts_with("parent ")))
}

async fn git(arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    let text = output(
        git.current_dir(Path::new(workspace::root()))
            .args(arguments),
    )
    .await?;
    Ok(text.trim().to_owned())
}
