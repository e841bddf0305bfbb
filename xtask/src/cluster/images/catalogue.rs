//! The images that the cluster itself needs.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::Image;
use crate::{
    cluster::{
        cache::Cache, command, digest::ContentHash, packages, progress::step, pyspark, tools,
    },
    workspace,
};

/// What applications run in.
pub(crate) const SPARK: &str = "localhost/moka-spark:4.0.1";

const PAUSE: &str = "localhost/moka-pause:1";
const JAVA_PACKAGES: &str = "openjdk-17-jre-headless,python3,tini,procps,ca-certificates";

/// Builds what changed and returns the names of all that the node needs.
///
/// # Errors
/// When a build fails.
pub(crate) async fn build_all(cache: &Cache) -> Result<Vec<String>> {
    pause(cache).await?;
    let yunikorn = version_of(
        cache,
        "yunikorn",
        "kubernetes",
        "github.com/apache/yunikorn-k8shim",
    );
    let gateway = version_of(
        cache,
        "versitygw",
        "versitygw",
        "github.com/versity/versitygw",
    );
    let tags = vec![
        PAUSE.to_owned(),
        yunikorn.await?,
        gateway.await?,
        SPARK.to_owned(),
    ];
    spark(cache).await?;
    Ok(tags)
}

/// The process that holds a pod's namespaces.
async fn pause(cache: &Cache) -> Result<()> {
    let source = workspace::root().join("docker/pause");
    let binaries = cache.root().join("pause");
    let program = binaries.join("pause");
    if !program.is_file() {
        fs::create_dir_all(&binaries)?;
        let mut go = Command::new("go");
        go.env("CGO_ENABLED", "0").current_dir(&source);
        go.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
            .arg(&program)
            .arg("main.go");
        step(
            "building pause",
            command::logged(&mut go, &cache.build_log("pause")),
        )
        .await?;
    }
    let image = Image {
        tag: PAUSE,
        dockerfile: &source.join("Dockerfile"),
        context: &source,
        arguments: &[],
        contexts: &[("binaries", &binaries)],
        fixed_contexts: &[],
    };
    super::build(cache, &image).await.map(drop)
}

/// An image of one static binary, tagged with the version that its Go module requires.
async fn version_of(cache: &Cache, name: &str, folder: &str, module: &str) -> Result<String> {
    let tag = format!("localhost/{name}:{}", tools::version(folder, module)?);
    let source = workspace::root().join("docker").join(name);
    let image = Image {
        tag: &tag,
        dockerfile: &source.join("Dockerfile"),
        context: &source,
        arguments: &[],
        contexts: &[],
        fixed_contexts: &[("binaries", &tools::folder(cache, folder)?)],
    };
    super::build(cache, &image).await?;
    Ok(tag)
}

/// Spark with the applications of `examples/` in its last, thin layer.
async fn spark(cache: &Cache) -> Result<()> {
    let source = workspace::root().join("docker/spark");
    let home = pyspark::ensure(cache).await?;
    let base = java(cache, &source).await?;
    let examples = workspace::root().join("examples");
    fs::create_dir_all(&examples)?;
    let image = Image {
        tag: SPARK,
        dockerfile: &source.join("Dockerfile"),
        context: &source,
        arguments: &[("BASE", &base)],
        contexts: &[("examples", &examples)],
        fixed_contexts: &[("pyspark", &home)],
    };
    super::build(cache, &image).await.map(drop)
}

/// The base of the Spark image, where production has one from a registry. Its name says what is in
/// it, so that the Spark image is built again when that changes.
async fn java(cache: &Cache, source: &Path) -> Result<String> {
    let packages = ContentHash::default()
        .add("packages", JAVA_PACKAGES)
        .finish();
    let folder = cache.root().join(format!("java-{packages}"));
    let archive = folder.join("rootfs.tar");
    let tag = format!("localhost/moka-java:{packages}");
    if !archive.is_file() {
        packages::ensure(cache, &packages::IMAGES).await?;
        step(
            "installing Debian with Java and Python",
            install(cache, &archive),
        )
        .await?;
    }
    let image = Image {
        tag: &tag,
        dockerfile: &source.join("java.Dockerfile"),
        context: &folder,
        arguments: &[],
        contexts: &[],
        fixed_contexts: &[],
    };
    super::build_base(cache, &image).await?;
    Ok(tag)
}

async fn install(cache: &Cache, archive: &Path) -> Result<()> {
    let part = archive.with_file_name("part.tar");
    fs::create_dir_all(archive.parent().context("an archive is in a folder")?)?;
    let mut bootstrap = Command::new("mmdebstrap");
    bootstrap
        .args(["--variant=minbase", "--include", JAVA_PACKAGES, "bookworm"])
        .arg(&part);
    command::logged(&mut bootstrap, &cache.build_log("mmdebstrap")).await?;
    fs::rename(&part, archive)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{cluster::tools, workspace};

    #[test]
    fn manifests_run_the_versions_that_are_built() {
        for (manifest, image, folder, module) in [
            (
                "yunikorn",
                "yunikorn",
                "kubernetes",
                "github.com/apache/yunikorn-k8shim",
            ),
            (
                "s3",
                "versitygw",
                "versitygw",
                "github.com/versity/versitygw",
            ),
        ] {
            let file = format!("deploy/kustomize/platform/{manifest}/deployment.yaml");
            let text = std::fs::read_to_string(workspace::root().join(&file)).unwrap();
            let version = tools::version(folder, module).unwrap();
            assert!(
                text.contains(&format!("image: localhost/{image}:{version}\n")),
                "{file}"
            );
        }
    }
}
