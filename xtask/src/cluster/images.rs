//! Images: built from Dockerfiles when their content changed, loaded when the node lacks them.

mod build;
pub(crate) mod catalogue;
mod load;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{cache::Cache, digest::ContentHash, lock::Lock, packages, progress::step};

/// An image and everything it is made from.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// The full name, such as `localhost/moka-submission:local`.
    pub tag: &'a str,
    /// The Dockerfile.
    pub dockerfile: &'a Path,
    /// The folder that `COPY` reads. Its content decides whether the image is built again.
    pub context: &'a Path,
    /// Values of `ARG`.
    pub arguments: &'a [(&'a str, &'a str)],
    /// Further folders for `COPY --from=<name>` whose content is hashed as well.
    pub contexts: &'a [(&'a str, &'a Path)],
    /// Further folders whose path says what is in them, so that they are never read to know.
    pub fixed_contexts: &'a [(&'a str, &'a Path)],
}

/// What [`build_and_load`] had to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The image did not exist with this content.
    pub built: bool,
    /// The node did not have it.
    pub loaded: bool,
}

/// What is kept of a built image.
#[derive(Debug, Deserialize, Serialize)]
struct Record {
    key: String,
    manifest_digest: String,
}

/// Builds an image unless it exists with this content.
///
/// # Errors
/// When the build fails.
pub async fn build(cache: &Cache, image: &Image<'_>) -> Result<bool> {
    let lock = cache.images().join("lock");
    let _lock = Lock::acquire(&lock, "another process builds images").await?;
    let key = key(image)?;
    if record(cache, image.tag).is_some_and(|record| record.key == key) {
        return Ok(false);
    }
    packages::ensure(cache, &packages::IMAGES).await?;
    step(&format!("building image {}", image.tag), async {
        let layout = layout(cache, image.tag);
        build::run(cache, image).await?;
        let manifest_digest = build::export(cache, image.tag, &layout).await?;
        let record = Record {
            key,
            manifest_digest,
        };
        fs::write(layout.with_extension("json"), serde_json::to_vec(&record)?)?;
        Ok(true)
    })
    .await
}

/// Builds an image that only other images are built on, which the node never sees. The path of its
/// context says what is in it, so the content is not read to know.
pub(crate) async fn build_base(cache: &Cache, image: &Image<'_>) -> Result<()> {
    let lock = cache.images().join("lock");
    let _lock = Lock::acquire(&lock, "another process builds images").await?;
    let mut hash = ContentHash::default();
    hash.add_path("dockerfile", image.dockerfile)?;
    let key = hash
        .add("context", image.context.as_os_str().as_encoded_bytes())
        .finish();
    if record(cache, image.tag).is_some_and(|record| record.key == key) {
        return Ok(());
    }
    packages::ensure(cache, &packages::IMAGES).await?;
    step(
        &format!("building image {}", image.tag),
        build::run(cache, image),
    )
    .await?;
    let record = Record {
        key,
        manifest_digest: String::new(),
    };
    fs::write(
        layout(cache, image.tag).with_extension("json"),
        serde_json::to_vec(&record)?,
    )?;
    Ok(())
}

/// Builds an image unless it exists with this content, and gives it to the running local cluster
/// unless that has it. Use it with `imagePullPolicy: Never`.
///
/// # Errors
/// When the build fails or the cluster's container runtime does not answer.
pub async fn build_and_load(cache: &Cache, image: &Image<'_>) -> Result<Outcome> {
    let built = build(cache, image).await?;
    let loaded = load(cache, image.tag).await?;
    Ok(Outcome { built, loaded })
}

/// Gives a built image to the running local cluster unless that has it.
pub(crate) async fn load(cache: &Cache, tag: &str) -> Result<bool> {
    let record = record(cache, tag).with_context(|| format!("{tag} was never built"))?;
    if load::present(tag, &record.manifest_digest).await? {
        return Ok(false);
    }
    let layout = layout(cache, tag);
    step(
        &format!("loading image {tag}"),
        load::run(cache, tag, &layout, &record.manifest_digest),
    )
    .await?;
    Ok(true)
}

fn key(image: &Image<'_>) -> Result<String> {
    let mut hash = ContentHash::default();
    hash.add("tag", image.tag)
        .add_path("dockerfile", image.dockerfile)?;
    hash.add_path("context", image.context)?;
    for (name, value) in image.arguments {
        hash.add(name, value);
    }
    for (name, folder) in image.contexts {
        hash.add_path(name, folder)?;
    }
    for (name, folder) in image.fixed_contexts {
        hash.add(name, folder.as_os_str().as_encoded_bytes());
    }
    Ok(hash.finish())
}

fn record(cache: &Cache, tag: &str) -> Option<Record> {
    let file = layout(cache, tag).with_extension("json");
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// The OCI layout of an image, named after it.
fn layout(cache: &Cache, tag: &str) -> PathBuf {
    cache.images().join(tag.replace(['/', ':', '.'], "_"))
}
