//! One run of buildah, and its result as an OCI layout.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::{Image, load};
use crate::cluster::{
    cache::{Cache, RUN},
    command,
};

/// Builds the image into buildah's storage.
pub(super) async fn run(cache: &Cache, image: &Image<'_>) -> Result<()> {
    let name = super::layout(cache, image.tag);
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    command::logged(&mut buildah(cache, image), &cache.build_log(&name)).await
}

/// Copies a built image to an OCI layout and returns the digest of its manifest.
pub(super) async fn export(cache: &Cache, tag: &str, layout: &Path) -> Result<String> {
    copy(cache, tag, layout).await?;
    let digest = load::manifest_digest(layout)?;
    remove_unused_blobs(layout, &digest)?;
    Ok(digest)
}

fn buildah(cache: &Cache, image: &Image<'_>) -> Command {
    let (root, run_root) = storage(cache);
    let mut command = Command::new("buildah");
    command.args([
        "--root",
        &root,
        "--runroot",
        &run_root,
        "--storage-driver",
        "overlay",
    ]);
    // Layers are kept so that a change at the end of a Dockerfile builds the end only.
    command.args(["build", "--isolation", "chroot", "--layers", "--pull-never"]);
    command.args(["--timestamp", "0", "--tag", image.tag]);
    for (argument, value) in image.arguments {
        command
            .arg("--build-arg")
            .arg(format!("{argument}={value}"));
    }
    for (context, folder) in image.contexts.iter().chain(image.fixed_contexts) {
        command
            .arg("--build-context")
            .arg(format!("{context}={}", folder.display()));
    }
    command
        .arg("--file")
        .arg(image.dockerfile)
        .arg(image.context);
    command
}

/// Layers stay uncompressed, because packing and unpacking cost more than the disk.
async fn copy(cache: &Cache, tag: &str, layout: &Path) -> Result<()> {
    // An index that is there would keep the earlier image beside the new one.
    let _ = fs::remove_file(layout.join("index.json"));
    let (root, run_root) = storage(cache);
    let mut skopeo = Command::new("skopeo");
    skopeo.args([
        "--insecure-policy",
        "copy",
        "--quiet",
        "--dest-oci-accept-uncompressed-layers",
    ]);
    skopeo.arg(format!(
        "containers-storage:[overlay@{root}+{run_root}]{tag}"
    ));
    skopeo.arg(format!("oci:{}:{tag}", layout.display()));
    command::output(&mut skopeo).await?;
    Ok(())
}

/// A layout keeps the blobs of earlier builds, which nobody will ask for again.
fn remove_unused_blobs(layout: &Path, manifest_digest: &str) -> Result<()> {
    let used: BTreeSet<String> = load::blobs(layout, manifest_digest)?.into_iter().collect();
    for entry in fs::read_dir(layout.join("blobs/sha256")).context("reading an image's blobs")? {
        let entry = entry?;
        let digest = format!("sha256:{}", entry.file_name().to_string_lossy());
        if !used.contains(&digest) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn storage(cache: &Cache) -> (String, String) {
    let root = cache.image_storage();
    (root.display().to_string(), format!("{RUN}/containers"))
}
