//! What Spark lacks to read `s3a://`, from Maven Central.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use super::{cache::Cache, command, digest::ContentHash, lock::Lock, progress::step, pyspark};

const DEPENDENCIES: &str = include_str!("s3a/ivy.xml");
/// Every jar that belongs to them, as `sha256sum` writes it.
const CHECKSUMS: &str = include_str!("s3a/jars.sha256");
/// The resolver behind `spark-submit --packages`.
const IVY: &str = "jars/ivy-2.5.3.jar";

/// A folder of jars, fetched when it is not there yet.
///
/// # Errors
/// When they cannot be fetched, or are not what they were.
pub(crate) async fn ensure(cache: &Cache) -> Result<PathBuf> {
    let version = ContentHash::default()
        .add("dependencies", DEPENDENCIES)
        .add("checksums", CHECKSUMS)
        .finish();
    let folder = cache.root().join(format!("s3a-{version}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let ivy = pyspark::ensure(cache).await?.join(IVY);
    let path = cache.root().join("s3a.lock");
    let _lock = Lock::acquire(&path, "another process fetches what s3a needs").await?;
    if !folder.is_dir() {
        let fetched = fetch(cache, &ivy, &folder);
        step("fetching what Spark needs for s3a", fetched).await?;
    }
    Ok(folder)
}

async fn fetch(cache: &Cache, ivy: &Path, folder: &Path) -> Result<()> {
    let part = folder.with_extension("part");
    let work = folder.with_extension("ivy");
    for folder in [&part, &work] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
    }
    let dependencies = work.join("ivy.xml");
    fs::write(&dependencies, DEPENDENCIES)?;
    let mut resolve = Command::new(command::find("java").context("java is missing")?);
    // Nothing of it is left in the home folder, or taken from there.
    resolve
        .arg(format!("-Divy.default.ivy.user.dir={}", work.display()))
        .arg("-jar")
        .arg(ivy)
        .arg("-ivy")
        .arg(&dependencies)
        .args(["-types", "jar", "-retrieve"])
        .arg(part.join("[artifact]-[revision].[ext]"));
    command::logged(&mut resolve, &cache.build_log("s3a")).await?;
    check(&part)?;
    fs::remove_dir_all(&work)?;
    fs::rename(&part, folder)?;
    Ok(())
}

/// Whether the folder has every jar and no other.
fn check(folder: &Path) -> Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        found.push(format!(
            "{}  {name}",
            hexadecimal(&Sha256::digest(fs::read(&path)?))
        ));
    }
    let mut expected: Vec<&str> = CHECKSUMS.lines().collect();
    found.sort();
    expected.sort_unstable();
    if let Some(other) = found
        .iter()
        .find(|found| !expected.contains(&found.as_str()))
    {
        bail!("a jar is not the one that was meant: {other}");
    }
    if let Some(missing) = expected
        .iter()
        .find(|jar| !found.iter().any(|found| found == *jar))
    {
        bail!("a jar is missing: {missing}");
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_jar_and_missing_jar_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = check(folder.path()).unwrap_err().to_string();
        assert!(missing.contains("a jar is missing"), "{missing}");
        fs::write(folder.path().join("hadoop-aws-3.4.1.jar"), "other").unwrap();
        let other = check(folder.path()).unwrap_err().to_string();
        assert!(other.ends_with("hadoop-aws-3.4.1.jar"), "{other}");
    }
}
