//! Images from an OCI layout into the node's container runtime: only the blobs that it lacks.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::cluster::{cache::Cache, command, containers::ctr};

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
}

/// Whether the node has the image under this name with this content.
pub(super) async fn present(tag: &str, manifest_digest: &str) -> Result<bool> {
    let list = command::output(&mut ctr(&["images", "ls"])).await?;
    Ok(list.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(tag) && words.any(|word| word == manifest_digest)
    }))
}

/// Hands the image over through a pipe, so that nothing is written twice.
pub(super) async fn run(
    cache: &Cache,
    tag: &str,
    layout: &Path,
    manifest_digest: &str,
) -> Result<()> {
    let list = command::output(&mut ctr(&["content", "ls", "-q"])).await?;
    let known: BTreeSet<&str> = list.lines().collect();
    let name = layout.file_name().unwrap_or_default().to_string_lossy();
    let mut tar = Command::new("tar");
    tar.args(["--create", "--directory"])
        .arg(layout)
        .args(["oci-layout", "index.json"]);
    for digest in blobs(layout, manifest_digest)? {
        // The runtime reads the manifest from the archive even when it knows it.
        if digest == manifest_digest || !known.contains(digest.as_str()) {
            tar.arg(blob(Path::new(""), &digest));
        }
    }
    let mut packing = tar
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting tar")?;
    let archive: Stdio = packing
        .stdout
        .take()
        .context("tar has an output")?
        .try_into()?;
    let log = cache.build_log(&format!("load-{name}"));
    let mut import = ctr(&["images", "import", "--base-name", image_name(tag), "-"]);
    let output = fs::File::create(&log).with_context(|| format!("creating {}", log.display()))?;
    let status = import
        .stdin(archive)
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .status()
        .await
        .context("starting ctr")?;
    ensure!(
        status.success(),
        "ctr images import ended with {status}; {}",
        command::tail(&log)
    );
    ensure!(
        packing.wait().await?.success(),
        "tar could not pack {}",
        layout.display()
    );
    ensure!(
        present(tag, manifest_digest).await?,
        "{tag} did not arrive; {}",
        command::tail(&log)
    );
    Ok(())
}

/// The digest of the one image in a layout.
pub(super) fn manifest_digest(layout: &Path) -> Result<String> {
    let index: Index = read(&layout.join("index.json"))?;
    ensure!(
        index.manifests.len() == 1,
        "{} holds several images",
        layout.display()
    );
    let manifest = index.manifests.into_iter().next().context("one image")?;
    Ok(manifest.digest)
}

/// Every blob of an image: manifest, configuration, layers.
pub(super) fn blobs(layout: &Path, manifest_digest: &str) -> Result<Vec<String>> {
    let manifest: Manifest = read(&blob(layout, manifest_digest))?;
    let rest = std::iter::once(manifest.config)
        .chain(manifest.layers)
        .map(|blob| blob.digest);
    Ok(std::iter::once(manifest_digest.to_owned())
        .chain(rest)
        .collect())
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout.join("blobs").join(digest.replacen(':', "/", 1))
}

fn image_name(tag: &str) -> &str {
    tag.rsplit_once(':').map_or(tag, |(name, _)| name)
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T> {
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("reading {}", file.display()))
}
