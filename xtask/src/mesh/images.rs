//! The images of the six services: programs built here, on a base made by mmdebstrap.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use tokio::process::Command;

use crate::{
    cluster::{
        Cache, IMAGE_PACKAGES, ensure_packages,
        images::{self, Image},
        logged, step,
    },
    workspace,
};

/// Every deployable, by the name of its folder below `services/`.
pub const SERVICES: [&str; 6] = [
    "history-index",
    "log-broker",
    "log-shipper",
    "metrics-exporter",
    "scheduler-adapter",
    "submission",
];

/// The profile of `Cargo.toml` that the images are built with.
const PROFILE: &str = "image";
/// Debian 12 with the packages below; another list wants another tag and folder.
const BASE: &str = "localhost/moka-base:12";
const BASE_PACKAGES: &str = "libc6,libgcc-s1,ca-certificates,tzdata";

/// The name of a service's image on the local node.
pub fn tag(service: &str) -> String {
    format!("localhost/moka-{service}:local")
}

/// Builds what changed, gives it to the node, and returns the services whose image is new there.
///
/// # Errors
/// When a service does not compile, or an image cannot be built or loaded.
pub async fn build_and_load(cache: &Cache) -> Result<Vec<&'static str>> {
    let programs = step("building the six services", compile(cache)).await?;
    base(cache).await?;
    let folder = workspace::root().join("docker");
    let dockerfile = folder.join("Dockerfile");
    let mut renewed = Vec::new();
    for service in SERVICES {
        let binaries = stage(cache, &programs, service)?;
        let context = binaries.join("context");
        fs::create_dir_all(&context)?;
        let image = Image {
            tag: &tag(service),
            dockerfile: &dockerfile,
            context: &context,
            arguments: &[("BASE", BASE), ("SERVICE", service)],
            contexts: &[("binaries", &binaries)],
            fixed_contexts: &[],
        };
        if images::build_and_load(cache, &image).await?.loaded {
            renewed.push(service);
        }
    }
    Ok(renewed)
}

/// Compiles the services and returns the folder of the programs.
async fn compile(cache: &Cache) -> Result<PathBuf> {
    let target = target_folder();
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", &target);
    cargo.args(["build", "--locked", "--profile", PROFILE]);
    for service in SERVICES {
        cargo.args(["--package", &format!("moka-{service}")]);
    }
    logged(&mut cargo, &cache.build_log("services")).await?;
    Ok(target.join(PROFILE))
}

/// Where cargo builds: next to the program that runs now, so that whoever chose a folder for one
/// build gets the other there too.
pub fn target_folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let target = own
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(|| workspace::root().join("target"), Path::to_owned)
}

/// A folder with one program, because the whole folder of a build context decides whether an image
/// is built again.
fn stage(cache: &Cache, programs: &Path, service: &str) -> Result<PathBuf> {
    let folder = cache.root().join("services").join(service);
    fs::create_dir_all(&folder)?;
    let name = format!("moka-{service}");
    fs::copy(programs.join(&name), folder.join(&name))?;
    Ok(folder)
}

async fn base(cache: &Cache) -> Result<()> {
    let source = workspace::root().join("docker/base");
    let folder = cache.root().join("base-12");
    let archive = folder.join("rootfs.tar");
    fs::create_dir_all(&folder)?;
    if !archive.is_file() {
        ensure_packages(cache, &IMAGE_PACKAGES).await?;
        step("installing the services' base", bootstrap(cache, &archive)).await?;
    }
    let image = Image {
        tag: BASE,
        dockerfile: &source.join("Dockerfile"),
        context: &folder,
        arguments: &[],
        contexts: &[],
        fixed_contexts: &[],
    };
    images::build_base(cache, &image).await
}

/// Unpacks the packages without running their scripts, which would need a whole system; the one
/// thing that a script would have made is the bundle of certificates.
async fn bootstrap(cache: &Cache, archive: &Path) -> Result<()> {
    let part = archive.with_extension("part.tar");
    let bundle = "mkdir -p \"$1\"/etc/ssl/certs \"$1\"/tmp && chmod 1777 \"$1\"/tmp && \
        cat \"$1\"/usr/share/ca-certificates/mozilla/*.crt > \"$1\"/etc/ssl/certs/ca-certificates.crt";
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(["--variant=extract", "--include", BASE_PACKAGES]);
    mmdebstrap
        .args(["--extract-hook", bundle, "bookworm"])
        .arg(&part);
    logged(&mut mmdebstrap, &cache.build_log("base")).await?;
    fs::rename(&part, archive)?;
    Ok(())
}
