//! Spark as pip packages it: the operator's spark-submit, the Spark image and History Servers.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::{cache::Cache, command, lock::Lock, progress::step};

/// The version of Spark that the local cluster runs.
pub const SPARK_VERSION: &str = "4.0.1";

/// A `SPARK_HOME`, fetched when it is not there yet.
///
/// # Errors
/// When there is no pip, or it fails.
pub(crate) async fn ensure(cache: &Cache) -> Result<PathBuf> {
    let target = cache.root().join(format!("pyspark-{SPARK_VERSION}"));
    let home = target.join("pyspark");
    if home.is_dir() {
        return Ok(home);
    }
    let path = cache.root().join("pyspark.lock");
    let _lock = Lock::acquire(&path, "another process fetches pyspark").await?;
    if !home.is_dir() {
        step(
            &format!("fetching pyspark {SPARK_VERSION}"),
            fetch(cache, &target),
        )
        .await?;
    }
    Ok(home)
}

async fn fetch(cache: &Cache, target: &PathBuf) -> Result<()> {
    let pip = command::find("pip3").context("pip3 is missing: install python3-pip")?;
    let part = target.with_extension("part");
    let mut install = Command::new(pip);
    install
        .args(["install", "--no-compile", "--target"])
        .arg(&part);
    install.arg(format!("pyspark=={SPARK_VERSION}"));
    command::logged(&mut install, &cache.build_log("pyspark")).await?;
    fs::rename(&part, target)?;
    Ok(())
}
